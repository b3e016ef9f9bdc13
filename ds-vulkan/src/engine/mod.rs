//! The engine: copies and transforms on one device.
//!
//! 1. `config`: how much memory, which shaders;
//! 2. `line`: jobs that wait; `threads`: those who submit and answer;
//! 3. `plan`: from jobs to what a submission does; `batch`: that, and its recording; `commands`, `slot`: into what;
//! 4. `flight`: a submission under way, and its end; `timeline`: how that is waited for.

mod batch;
pub(crate) mod commands;
pub(crate) mod config;
mod flight;
mod line;
mod plan;
mod slot;
mod threads;
pub(crate) mod timeline;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use ds_core::{DeviceId, Path, Transform};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, DeviceEngine, Engine, JobId, Sink, StartContext, StartError,
};

use self::batch::Pipelines;
use self::config::VulkanConfig;
use self::line::{Flights, Line};
use self::plan::{Means, Work};
use self::slot::Slot;
use self::threads::Core;
use self::timeline::Timeline;
use crate::device::Device;
use crate::device::info::DeviceKind;
use crate::error::CallError;
use crate::gdeflate::{Decoder, table_pipeline};
use crate::pipeline::shader::Shader;
use crate::pipeline::shaders;

/// The codec and copy engine on a Vulkan device, threads `ds-vulkan-in` and `ds-vulkan-out`.
///
/// It copies between host memory and the device's buffers, and decodes from either into either. Several engines may share a
/// device; each serves one runtime, once. Dropping it stops it, which waits until the device is through with every job's memory.
pub struct VulkanEngine {
    device: Device,
    config: VulkanConfig,
    core: OnceLock<Arc<Core>>,
    crew: Arc<Crew>,
}

/// The threads, and who waits for them.
#[derive(Default)]
struct Crew {
    life: Mutex<Life>,
    changed: Condvar,
}

#[derive(Default)]
struct Life {
    /// Whether it has been started or stopped.
    used: bool,
    /// Threads that have not ended.
    alive: usize,
    /// Whether the one that submits is among them: it holds what names the staging memory.
    submits: bool,
    handles: Vec<JoinHandle<()>>,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl FnMut(&mut Life) -> bool) -> MutexGuard<'_, Life> {
        self.changed.wait_while(self.lock(), condition).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a thread as ended, even if it panics.
struct Ends {
    crew: Arc<Crew>,
    submits: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let mut life = self.crew.lock();
        life.alive -= 1;
        life.submits &= !self.submits;
        drop(life);
        self.crew.changed.notify_all();
    }
}

/// Says that no more will be submitted, even if the thread that submits panics.
struct Closes(Arc<Core>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.flights.close();
    }
}

impl VulkanEngine {
    /// An engine for this device.
    #[must_use]
    pub fn new(device: &Device, config: VulkanConfig) -> Self {
        Self { device: device.clone(), config, core: OnceLock::new(), crew: Arc::default() }
    }

    /// Its device.
    #[must_use]
    pub const fn gpu(&self) -> &Device {
        &self.device
    }

    /// Which engine a thread works for: the address of what its threads share, which outlives them.
    fn name_for_threads(&self) -> usize {
        Arc::as_ptr(&self.crew).addr()
    }

    fn make(&self, context: &StartContext) -> Result<(Arc<Core>, Means), CallError> {
        let device = &self.device;
        let slots =
            (0..self.config.submissions.get()).map(|_| Slot::new(device)).collect::<Result<_, _>>()?;
        let core = Core {
            device: device.clone(),
            line: Line::with_slots(slots),
            flights: Flights::default(),
            uploads: Timeline::new(device)?,
            main: Timeline::new(device)?,
        };
        let inner = &device.inner;
        let of = |shader: &Shader| inner.pipelines.get(&inner.raw, &shader.code(), &[], None);
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
        let engine = self.name_for_threads();
        let (crew, closes) = (Arc::clone(&self.crew), Closes(Arc::clone(core)));
        let refused = |source| StartError::Os { what: "its threads", source };
        let spawn = |name: &str, submits, run: Box<dyn FnOnce(Ends) + Send>| {
            // Counted before it is made: one that is not made drops what uncounts it.
            let mut life = crew.lock();
            life.alive += 1;
            life.submits |= submits;
            drop(life);
            let ends = Ends { crew: Arc::clone(&crew), submits };
            let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(ends));
            crew.lock().handles.push(handle.map_err(refused)?);
            Ok(())
        };
        spawn(
            "ds-vulkan-in",
            true,
            Box::new(move |ends| {
                let closes = closes;
                threads::submit(&closes.0, &means);
                // The runtime's memory goes when the engine counts this thread as ended.
                drop(means);
                drop(closes);
                drop(ends);
            }),
        )?;
        let (core, sink) = (Arc::clone(core), Arc::clone(sink));
        spawn(
            "ds-vulkan-out",
            false,
            Box::new(move |ends| {
                threads::answer(engine, core, Arc::clone(&sink));
                // Counted as ended before the sink goes: if the sink's owner goes with it, and the engine with that, it may be
                // stopped from here.
                drop(ends);
                drop(sink);
            }),
        )
    }
}

// SAFETY: a job's memory is named by what is recorded for a submission, or copied to or from by the two threads: by the one that
// plans before that, by the one that answers after the device is through, and a job is answered after the last submission it is
// part of. One that is cancelled or refused is answered in its place in that order. What is answered is what the device's words
// say; words that no shader has written say that.
unsafe impl Engine for VulkanEngine {
    fn name(&self) -> &'static str {
        "vulkan"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        if core::mem::replace(&mut self.crew.lock().used, true) {
            return Err(StartError::AlreadyUsed);
        }
        let (core, means) = self.make(context).map_err(|error| StartError::Device(error.to_string()))?;
        let core = self.core.get_or_init(|| core);
        self.start_threads(core, means, context.sink()).inspect_err(|_| self.stop())
    }

    fn cancel(&self, id: JobId) {
        if let Some(core) = self.core.get() {
            core.line.cancel(id);
        }
    }

    /// The device does the work. But the thread that answers may be the one that waits, within an answer.
    fn drive(&self, sink: &dyn Sink, _queue: Option<u64>) -> bool {
        threads::drive(self.name_for_threads(), sink)
    }

    fn stop(&self) {
        self.crew.lock().used = true;
        if let Some(core) = self.core.get() {
            core.line.stop();
        }
        if threads::finish_all(self.name_for_threads()) {
            // This is the thread that answers, within its last answer: it ends by itself.
            drop(self.crew.wait_while(|life| life.submits));
            return;
        }
        let mut life = self.crew.wait_while(|life| life.alive > 0);
        let handles = core::mem::take(&mut life.handles);
        drop(life);
        let me = std::thread::current().id();
        // A thread that drops the sink, and with it whoever owns this engine, gets here as well: after its end, so to say.
        for handle in handles.into_iter().filter(|handle| handle.thread().id() != me) {
            // What there is to say about a panic the panic hook has said.
            let _ = handle.join();
        }
    }
}

impl VulkanEngine {
    fn give(&self, work: impl Iterator<Item = Work>) {
        // Jobs come only after it has been started.
        if let Some(core) = self.core.get() {
            core.line.add(work);
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
        self.give(jobs.drain(..).map(|job| Work::Step { job, cancelled: false }));
    }
}

impl CopyEngine for VulkanEngine {
    fn path(&self) -> Path {
        Path::COPY_VULKAN
    }

    fn submit_copies(&self, jobs: &mut Vec<CopyJob>) {
        self.give(jobs.drain(..).map(|job| Work::Copy { job, done: 0, cancelled: false }));
    }
}

impl DeviceEngine for VulkanEngine {
    fn device(&self) -> DeviceId {
        self.device.id()
    }

    fn prefers_host(&self) -> bool {
        matches!(self.device.info().kind, DeviceKind::Software | DeviceKind::Integrated)
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
