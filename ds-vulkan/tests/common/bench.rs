//! An engine on a device, and jobs for it.

use std::sync::Arc;

use ds_core::{DecodeStep, Done, Fault, Transform};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, Engine, HostBytes, Place, StagingPool, StartContext,
};
use ds_vulkan::{Device, GpuBuffer, VulkanConfig, VulkanEngine};

use super::{assert_silent, device};
use crate::jobs::{Log, Memory, id};

/// An engine at work.
pub(crate) struct Bench {
    pub(crate) device: Device,
    pub(crate) engine: VulkanEngine,
    pub(crate) log: Arc<Log>,
    /// What the engine is shown as staging memory.
    pub(crate) staging: StagingPool,
    next: core::cell::Cell<u64>,
}

/// Runs a test with an engine, if there is a device; then nothing may be left, and the validation layer have said nothing.
pub(crate) fn with_engine(config: VulkanConfig, test: impl FnOnce(&Bench)) {
    let Some(device) = device() else { return };
    let bench = Bench::new(&device, config);
    test(&bench);
    bench.end();
    assert_silent(device);
}

/// The same with one queue and one memory for everything, and as on a card with a memory and a transfer queue of its own.
pub(crate) fn with_both_kinds(config: &VulkanConfig, test: impl Fn(&Bench)) {
    for as_card in [false, true] {
        with_engine(config.clone().as_card(as_card), &test);
    }
}

impl Bench {
    pub(crate) fn new(device: &Device, config: VulkanConfig) -> Self {
        let engine = VulkanEngine::new(device, config);
        let log = Arc::new(Log::default());
        let staging = StagingPool::new(4 << 20).unwrap();
        let context = StartContext::new(log.clone());
        // SAFETY: the pool lives in the bench beside the engine, which is stopped first.
        let context = unsafe { context.with_staging(staging.mapping()) };
        engine.start(&context).unwrap();
        Self { device: device.clone(), engine, log, staging, next: core::cell::Cell::new(1) }
    }

    pub(crate) fn end(self) {
        self.engine.stop();
        assert_eq!(self.log.len(), 0, "outcomes nobody asked for");
    }

    pub(crate) fn buffer(&self, size: u64) -> GpuBuffer {
        GpuBuffer::new(&self.device, size).unwrap()
    }

    fn id(&self) -> ds_engine::JobId {
        self.next.set(self.next.get() + 1);
        id(self.next.get())
    }

    /// Submits a copy and waits for it.
    pub(crate) fn copy(&self, from: Place, into: Place) -> Result<Done, Fault> {
        let job = CopyJob { id: self.id(), from, into };
        self.engine.submit_copies(&mut vec![job]);
        self.log.wait(job.id).result
    }

    pub(crate) fn put(&self, buffer: &GpuBuffer, offset: u64, bytes: &[u8]) {
        let memory = Memory::of(bytes);
        let moved = self.copy(Place::Host(memory.lend()), at(buffer, offset, bytes.len() as u64));
        assert_eq!(moved, Ok(Done::Moved(bytes.len() as u64)));
    }

    pub(crate) fn get(&self, buffer: &GpuBuffer, offset: u64, len: usize) -> Vec<u8> {
        let memory = Memory::new(len);
        let moved = self.copy(at(buffer, offset, len as u64), Place::Host(memory.lend()));
        assert_eq!(moved, Ok(Done::Moved(len as u64)));
        memory.bytes()
    }

    /// A step that finds all of its input there.
    pub(crate) fn job(&self, transform: Transform, from: Place, into: Place) -> CodecJob {
        CodecJob { id: self.id(), transform, from, available: from.len(), cursor: 0, into }
    }

    pub(crate) fn step(&self, job: CodecJob) -> Result<DecodeStep, Fault> {
        self.engine.submit(&mut vec![job]);
        self.answer(job)
    }

    pub(crate) fn answer(&self, job: CodecJob) -> Result<DecodeStep, Fault> {
        self.log.wait(job.id).result.map(|done| match done {
            Done::Decoded(step) => step,
            other => panic!("{other:?} is no answer to a codec job"),
        })
    }

    /// Asks again until it is finished, as the queue does.
    pub(crate) fn transform(&self, transform: Transform, from: Place, into: Place) -> Result<u64, Fault> {
        let mut job = self.job(transform, from, into);
        loop {
            let step = self.step(job)?;
            if step.finished {
                return Ok(step.produced);
            }
            assert!(step.cursor > job.cursor, "no progress: {step:?}");
            job = CodecJob { cursor: step.cursor, ..self.job(transform, from, into) };
        }
    }
}

/// A range of a buffer.
pub(crate) fn at(buffer: &GpuBuffer, offset: u64, len: u64) -> Place {
    Place::Device { device: buffer.device().id(), handle: buffer.name(), offset, len }
}

pub(crate) fn host(bytes: HostBytes) -> Place {
    Place::Host(bytes)
}
