//! Engines of devices, and what is theirs to do.
//!
//! # Who computes a transform
//!
//! What [`CodecKind`](crate::CodecKind) names does, wherever it can. Under `Auto`:
//!
//! | the result goes to | computed by |
//! |---|---|
//! | host memory | the processor: the way back over the bus costs more than it wins |
//! | device memory, fewer than [`WORTHWHILE`] bytes | the processor; a copy brings the result there |
//! | device memory | the device, unless it is part of the processor or simulated by it, or lost |
//!
//! A transform that only one of the two computes is that one's, and so is what the processor would have to do in more staging memory
//! than there is.

use core::ops::Deref;
use std::sync::Arc;

use ds_core::{DeviceId, Location, Processor, Request, Transform};
use ds_engine::{CodecEngine, DeviceEngine, Place};

use crate::builder::CodecKind;

/// Bytes of output from which on a device's decoder is worth a submission: as many as the processor decodes meanwhile.
pub(crate) const WORTHWHILE: u64 = 32 << 10;

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

    /// Who computes a request's transform; `max_lease` is how much staging memory there is.
    pub(crate) fn processor_for(
        &self,
        request: &Request,
        kind: CodecKind,
        host: &dyn CodecEngine,
        max_lease: u64,
    ) -> Processor {
        let (from, into) = (device_of(&request.source), device_of(&request.destination));
        let number = match into.or(from) {
            Some(device) => self.find(device),
            None => self.first(),
        };
        let Some(engine) = number.map(|number| &self.0[number]) else { return Processor::Host };
        let transform = request.transform;
        if transform == Transform::None || !engine.supports(transform) {
            return Processor::Host;
        }
        let on_host = match kind {
            CodecKind::Cpu => true,
            CodecKind::Vulkan => false,
            CodecKind::Auto => {
                into.is_none()
                    || engine.prefers_host()
                    || engine.is_lost()
                    || request.uncompressed_size < WORTHWHILE
            }
        };
        let staged = if into.is_some() { request.uncompressed_size } else { 0 };
        let fits = request.source.len().saturating_add(staged).saturating_add(PAGE) <= max_lease;
        let named = kind == CodecKind::Cpu;
        if on_host && (named || host.supports(transform) && fits) {
            Processor::Host
        } else {
            Processor::Device
        }
    }
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
