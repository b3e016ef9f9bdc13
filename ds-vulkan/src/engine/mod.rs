//! The engine: copies and transforms on one device.
//!
//! 1. `config`: how much memory, which shaders;
//! 2. `line`: jobs that wait; `threads`: those who submit, and those who answer;
//! 3. `plan`: from jobs to what a submission does; `lane`: by which queue; `batch`: that, and its recording; `arena`: its memory;
//!    `order`: which tiles first; `commands`, `slot`: into what;
//! 4. `flight`: a submission from its beginning to its end; `timeline`: how that is waited for.

mod arena;
mod batch;
pub(crate) mod commands;
pub(crate) mod config;
mod flight;
mod lane;
mod line;
mod order;
mod plan;
mod slot;
mod threads;
pub(crate) mod timeline;

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ds_core::{DeviceId, Path, Transform};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, Crew, DeviceEngine, Engine, JobId, Sink, StartContext,
    StartError,
};

use self::batch::Pipelines;
use self::config::VulkanConfig;
use self::flight::Flight;
use self::line::{Flights, Line};
use self::plan::{Means, Work};
use self::slot::Slot;
use self::threads::Core;
use self::timeline::Timelines;
use crate::device::Device;
use crate::device::queues::MOST_COMPUTE;
use crate::error::{CallError, OpenError};
use crate::gdeflate::{Decoder, table_pipeline, trusted};
use crate::pipeline::shader::Shader;
use crate::pipeline::shaders;

/// The codec and copy engine on a Vulkan device, threads `ds-vulkan-in` and, for each queue,
/// `ds-vulkan-out`.
///
/// It copies between host memory and the device's buffers, and decodes from either into either. Several engines may share a
/// device; each serves one runtime, once. Dropping it stops it, which waits until the device is through with every job's memory.
pub struct VulkanEngine {
    device: Device,
    config: VulkanConfig,
    core: OnceLock<Arc<Core>>,
    crew: Crew,
}

/// Says that no more will be submitted, even if the thread that submits panics.
struct Closes(Arc<Core>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.lanes.iter().for_each(Flights::close);
    }
}

impl VulkanEngine {
    /// An engine for this device.
    #[must_use]
    pub fn new(device: &Device, config: VulkanConfig) -> Self {
        Self { device: device.clone(), config, core: OnceLock::new(), crew: Crew::default() }
    }

    /// Its device.
    #[must_use]
    pub const fn gpu(&self) -> &Device {
        &self.device
    }

    fn make(&self, context: &StartContext) -> Result<(Arc<Core>, Means), OpenError> {
        let device = &self.device;
        trusted::check(device, self.config.path)?;
        let submissions = self.config.submissions.get();
        let flights = (0..submissions).map(|_| Slot::new(device).map(Flight::new));
        let mut queues = device.inner.queues.compute.clone();
        if self.config.as_card {
            // The same queue twice is two lanes all the same.
            queues = queues.iter().cycle().take(MOST_COMPUTE).cloned().collect();
        }
        let lanes = queues.len() + usize::from(plan::is_separate(device, &self.config));
        let core = Core {
            device: device.clone(),
            line: Line::new(flights.collect::<Result<_, CallError>>()?),
            lanes: (0..lanes).map(|_| Flights::default()).collect(),
            timelines: Timelines::new(device, queues.len())?,
            queues,
            backlog: AtomicU64::new(0),
        };
        let inner = &device.inner;
        let of = |shader: &Shader| inner.pipelines.get(inner.raw(), &shader.code(), &[], None);
        let pipelines = Pipelines {
            decoder: Decoder::new(device, self.config.path)?,
            table: table_pipeline(device)?,
            copy: of(&shaders::BUFFER_COPY)?,
            uppercase: of(&shaders::UPPERCASE)?,
        };
        // SAFETY: the runtime keeps its staging memory until the engine has been stopped, and `stop` waits for the thread that
        // has these means.
        let means = unsafe { Means::new(device, self.config.clone(), pipelines, context.staging()) };
        Ok((Arc::new(core), means))
    }

    fn start_threads(&self, core: &Arc<Core>, means: Means, sink: &Arc<dyn Sink>) -> Result<(), StartError> {
        let engine = self.crew.number();
        let closes = Closes(Arc::clone(core));
        self.crew.spawn("ds-vulkan-in".to_owned(), move |member| {
            let closes = closes;
            threads::submit(&closes.0, &means);
            // The runtime's memory goes when the engine counts this thread as ended.
            drop(means);
            drop(closes);
            drop(member);
        })?;
        (0..core.lanes.len()).try_for_each(|lane| {
            let (core, sink) = (Arc::clone(core), Arc::clone(sink));
            self.crew.spawn("ds-vulkan-out".to_owned(), move |member| {
                threads::answer(engine, lane, core, Arc::clone(&sink));
                // Counted as ended before the sink goes: if the sink's owner goes with it, and the engine with that, it may be
                // stopped from here.
                drop(member);
                drop(sink);
            })
        })
    }
}

// SAFETY: a job's memory is named by what is recorded for a submission, or copied to or from by the threads: by the one that
// plans before that, by one that answers after the device is through, and a job is answered when every submission it is part of is
// over: the one that answers it waits for those before (`Batch::behind`). One that is cancelled or refused is answered likewise. What is answered is what the device's words
// say; words that no shader has written say that.
unsafe impl Engine for VulkanEngine {
    fn name(&self) -> &'static str {
        "vulkan"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        self.crew.begin()?;
        let refused = |error: OpenError| StartError::Device(error.to_string());
        let (core, means) = self.make(context).map_err(refused)?;
        let core = self.core.get_or_init(|| core);
        self.start_threads(core, means, context.sink()).inspect_err(|_| self.stop())
    }

    fn cancel(&self, id: JobId) {
        if let Some(core) = self.core.get() {
            core.line.cancel(id);
        }
    }

    /// The device does the work. But a thread that answers may be the one that waits, within an answer.
    fn drive(&self, sink: &dyn Sink, _queue: Option<u64>) -> bool {
        threads::drive(self.crew.number(), sink)
    }

    fn stop(&self) {
        self.crew.retire();
        if let Some(core) = self.core.get() {
            core.line.stop();
        }
        if threads::finish_all(self.crew.number()) {
            // This is a thread that answers, within its last answer: it ends by itself.
            self.crew.wait_within();
        } else {
            self.crew.wait();
        }
    }
}

impl VulkanEngine {
    fn give(&self, work: impl Iterator<Item = Work>) {
        // Jobs come only after it has been started.
        if let Some(core) = self.core.get() {
            // Counted before it can be answered.
            let counted = |work: &Work| {
                core.backlog.fetch_add(work.content(), Ordering::Relaxed);
            };
            core.line.add(work.inspect(counted));
        }
    }
}

impl CodecEngine for VulkanEngine {
    fn path(&self) -> Path {
        Path::CODEC_VULKAN
    }

    fn supports(&self, transform: Transform) -> bool {
        match transform {
            Transform::None => false,
            Transform::GDeflate | Transform::FakeUppercase => true,
            Transform::Custom(number) => self.config.find_transform(number).is_some(),
        }
    }

    fn submit(&self, jobs: &mut Vec<CodecJob>) {
        self.give(jobs.drain(..).map(Work::from));
    }
}

impl CopyEngine for VulkanEngine {
    fn path(&self) -> Path {
        Path::COPY_VULKAN
    }

    fn submit_copies(&self, jobs: &mut Vec<CopyJob>) {
        self.give(jobs.drain(..).map(Work::from));
    }
}

impl DeviceEngine for VulkanEngine {
    fn device(&self) -> DeviceId {
        self.device.id()
    }

    fn prefers_host(&self) -> bool {
        self.device.info().kind.shares_memory()
    }

    fn backlog(&self) -> u64 {
        self.core.get().map_or(0, |core| core.backlog.load(Ordering::Relaxed))
    }

    fn is_lost(&self) -> bool {
        self.device.is_lost()
    }
}

impl Drop for VulkanEngine {
    fn drop(&mut self) {
        self.stop();
    }
}
