//! Engines of devices, and what is theirs to do.

use core::ops::Deref;
use std::sync::Arc;

use ds_core::{DeviceId, Location, Request};
use ds_engine::{CodecEngine, DeviceEngine, Place};

use crate::builder::CodecKind;
use crate::choice::{Choice, Situation, choose};

/// The engines of devices, in the order they were given.
#[derive(Default)]
pub(crate) struct Devices(Vec<Arc<dyn DeviceEngine>>);

impl Devices {
    pub(crate) const fn new(engines: Vec<Arc<dyn DeviceEngine>>) -> Self {
        Self(engines)
    }

    fn find(&self, device: DeviceId) -> Option<usize> {
        self.0.iter().position(|engine| engine.device() == device)
    }

    fn first(&self) -> Option<usize> {
        (!self.0.is_empty()).then_some(0)
    }

    /// Whose memory this is.
    pub(crate) fn of(&self, place: Place) -> Option<usize> {
        match place {
            Place::Host(_) => None,
            Place::Device { device, .. } => self.find(device),
        }
    }

    /// Who decodes from there into there: the device whose memory one of them is, or the first there is.
    pub(crate) fn for_decoding(&self, from: Place, into: Place) -> Option<usize> {
        let named = self.of(into).or_else(|| self.of(from));
        named.or_else(|| self.first())
    }

    /// Who computes a request's transform, of which `waiting` others of its queue have not ended.
    pub(crate) fn choose(&self, request: &Request, host: &Host<'_>, waiting: u64) -> Choice {
        let (from, into) = (device_of(&request.source), device_of(&request.destination));
        let number = match into.or(from) {
            Some(device) => self.find(device),
            None => self.first(),
        };
        let engine = number.map(|number| &self.0[number]).filter(|engine| engine.supports(request.transform));
        let Some(engine) = engine else { return Choice::HostOnly };
        match host.kind {
            CodecKind::Cpu => return Choice::HostNamed,
            CodecKind::Vulkan => return Choice::DeviceNamed,
            CodecKind::Auto => {}
        }
        let staged = if into.is_some() { request.uncompressed_size } else { 0 };
        let fits = request.source.len().saturating_add(staged).saturating_add(PAGE) <= host.staging;
        if !(host.codec.supports(request.transform) && fits) {
            return Choice::DeviceOnly;
        }
        choose(&Situation {
            to_device: into.is_some(),
            bytes: request.uncompressed_size,
            waiting,
            backlog: engine.backlog(),
            cores: host.cores,
            device_is_host: engine.prefers_host(),
            device_is_lost: engine.is_lost(),
        })
    }
}

/// What the processor has for transforms.
pub(crate) struct Host<'a> {
    /// What the program said.
    pub(crate) kind: CodecKind,
    pub(crate) codec: &'a dyn CodecEngine,
    /// Bytes of staging memory.
    pub(crate) staging: u64,
    pub(crate) cores: u64,
}

/// Between input and output in one lease there may be so many bytes.
const PAGE: u64 = 4096;

const fn device_of(location: &Location) -> Option<DeviceId> {
    match *location {
        Location::Device { device, .. } => Some(device),
        _ => None,
    }
}

impl Deref for Devices {
    type Target = [Arc<dyn DeviceEngine>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
