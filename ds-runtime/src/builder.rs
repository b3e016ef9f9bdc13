//! Choosing engines.

use core::fmt;
use core::num::NonZeroUsize;
use std::sync::Arc;

use ds_engine::{
    CodecEngine, CopyEngine, CustomDecoder, DeviceEngine, Engine, IoEngine, Patience, Sink, StagingPool,
    StartContext, StartError,
};

use crate::choice::Choice;
use crate::devices::{Devices, Host};
use crate::registry::MAX_QUEUES;
use crate::report::{ErrorHook, Report};
use crate::runtime::Runtime;

/// Which engine does file I/O.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoKind {
    /// The best there is; [`Runtime::selection`] says which, and why not the others. With both at hand, each job goes to the one
    /// that is better at it, `cpu+uring`: threads read what the page cache has, and the ring does what has to wait for a disk.
    #[default]
    Auto,
    /// Positional reads and writes on a thread pool.
    Cpu,
    /// io_uring. Needs the feature `uring`, and a kernel that allows it.
    Uring,
}

/// Which engine computes transforms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecKind {
    /// The one that is better at each request: a device decodes what goes to its own memory, if it is
    /// worth a submission and no processor in disguise; the thread pool decodes the rest. A device takes part only
    /// if the builder was given its engine; [`Runtime::selection`] says why none does.
    #[default]
    Auto,
    /// A thread pool.
    Cpu,
    /// A Vulkan device: one whose engine the builder was given, or else the best there is. Transforms that it does not compute, such
    /// as those of [`Builder::decoder`], are the thread pool's. Needs the feature `vulkan`, or an engine of the program's own.
    Vulkan,
}

/// An engine that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name.
    pub engine: &'static str,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.engine, self.reason)
    }
}

/// Which engines a runtime uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The name of the I/O engine.
    pub io: &'static str,
    /// The name of the codec engine; `cpu+vulkan` if both decode, each what it is better at.
    pub codec: &'static str,
    /// The candidates `Auto` refused before it chose.
    pub refused: Vec<Refusal>,
}

/// Why there is no runtime.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// An engine that was asked for is not available.
    Unavailable(Refusal),
    /// None of the engines is available.
    NoEngine {
        /// For what: `I/O`, `codec` or `copy`.
        role: &'static str,
        /// Each with its reason.
        refused: Vec<Refusal>,
    },
    /// An engine did not start: it serves another runtime, or the kernel refused what it needs.
    Start {
        /// Its name.
        engine: &'static str,
        /// Why not.
        source: StartError,
    },
    /// The kernel refused memory: for what, and what it said.
    Os {
        /// What was being made.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(refusal) => write!(f, "engine not available: {refusal}"),
            Self::NoEngine { role, refused } => {
                write!(f, "no {role} engine is available")?;
                refused.iter().try_for_each(|refusal| write!(f, "; {refusal}"))
            }
            Self::Start { engine, source } => write!(f, "cannot start the engine {engine}: {source}"),
            Self::Os { what, source } => write!(f, "cannot make {what}: {source}"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } => Some(source),
            Self::Os { source, .. } => Some(source),
            Self::Unavailable(_) | Self::NoEngine { .. } => None,
        }
    }
}

/// The engines of a runtime, by role.
pub(crate) struct Engines {
    pub(crate) io: Arc<dyn IoEngine>,
    pub(crate) codec: Arc<dyn CodecEngine>,
    pub(crate) copier: Arc<dyn CopyEngine>,
    pub(crate) devices: Devices,
    kind: CodecKind,
    /// Bytes of staging memory.
    staging: u64,
    cores: u64,
    /// Each of them once, however many roles it plays; those that end requests before those that begin them.
    each: Vec<Arc<dyn Engine>>,
    /// The one of them that has rings, if the builder made it.
    #[cfg_attr(not(feature = "uring"), expect(dead_code, reason = "without the feature there are none"))]
    pub(crate) rings: Rings,
}

/// The engine that has rings, by itself or behind another.
#[cfg(feature = "uring")]
pub(crate) type Rings = Option<Arc<ds_uring::UringIo>>;
#[cfg(not(feature = "uring"))]
pub(crate) type Rings = Option<core::convert::Infallible>;

impl Engines {
    fn new(
        (io, rings): (Arc<dyn IoEngine>, Rings),
        (codec, copier): Transforming,
        devices: Vec<Arc<dyn DeviceEngine>>,
        (kind, staging): (CodecKind, usize),
    ) -> Self {
        let mut each: Vec<Arc<dyn Engine>> = Vec::new();
        let roles: [Arc<dyn Engine>; 3] = [codec.clone(), copier.clone(), io.clone()];
        let devices_first = devices.iter().map(|engine| Arc::clone(engine) as Arc<dyn Engine>);
        for engine in devices_first.chain(roles) {
            if !each.iter().any(|known| Arc::ptr_eq(known, &engine)) {
                each.push(engine);
            }
        }
        let devices = Devices::new(devices);
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        Self { io, codec, copier, devices, kind, staging: staging as u64, cores, each, rings }
    }

    /// Who computes a request's transform, of which `waiting` others of its queue have not ended.
    pub(crate) fn choose(&self, request: &ds_core::Request, waiting: u64) -> Choice {
        let host = Host { kind: self.kind, codec: &*self.codec, staging: self.staging, cores: self.cores };
        self.devices.choose(request, &host, waiting)
    }

    /// How long a thread that waits looks before it sleeps.
    pub(crate) fn patience(&self) -> Patience {
        if self.devices.is_empty() { Patience::default() } else { Patience::lasting(Patience::DEVICE) }
    }

    /// The name of whoever decodes.
    pub(crate) fn codec_name(&self) -> &'static str {
        match (self.kind, self.devices.first()) {
            (CodecKind::Vulkan, Some(engine)) => engine.name(),
            (CodecKind::Auto, Some(_)) => "cpu+vulkan",
            _ => self.codec.name(),
        }
    }

    /// Starts them all, or none.
    pub(crate) fn start(&self, context: &StartContext) -> Result<(), BuildError> {
        for (started, engine) in self.each.iter().enumerate() {
            if let Err(source) = engine.start(context) {
                // Not the one that refused: it may be serving another runtime.
                self.each[..started].iter().for_each(|engine| engine.stop());
                return Err(BuildError::Start { engine: engine.name(), source });
            }
        }
        Ok(())
    }

    /// Does one waiting job on this thread, of that queue if one is named. Returns whether there was one.
    pub(crate) fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.each.iter().any(|engine| engine.drive(sink, queue))
    }

    /// Does what is waiting in each of them, or some of it, on this thread.
    pub(crate) fn drive_each(&self, sink: &dyn Sink, queue: Option<u64>) {
        for engine in &self.each {
            engine.drive(sink, queue);
        }
    }

    /// Stops them all, in the order in which requests go through them.
    pub(crate) fn stop(&self) {
        self.each.iter().rev().for_each(|engine| engine.stop());
    }
}

/// Makes a [`Runtime`].
pub struct Builder {
    io: IoKind,
    codec: CodecKind,
    workers: Option<NonZeroUsize>,
    codec_workers: Option<NonZeroUsize>,
    staging: usize,
    max_queues: usize,
    decoders: Vec<(u8, Arc<dyn CustomDecoder>)>,
    own_io: Option<Arc<dyn IoEngine>>,
    own_codec: Option<Arc<dyn CodecEngine>>,
    own_copier: Option<Arc<dyn CopyEngine>>,
    devices: Vec<Arc<dyn DeviceEngine>>,
    hook: Option<ErrorHook>,
    #[cfg(feature = "uring")]
    uring: ds_uring::UringConfig,
}

impl Builder {
    /// Staging memory unless told otherwise, as in `DirectStorage`: 32 MiB.
    pub const DEFAULT_STAGING: usize = 32 << 20;

    pub(crate) fn new() -> Self {
        Self {
            io: IoKind::Auto,
            codec: CodecKind::Auto,
            workers: None,
            codec_workers: None,
            staging: Self::DEFAULT_STAGING,
            max_queues: 64,
            decoders: Vec::new(),
            own_io: None,
            own_codec: None,
            own_copier: None,
            devices: Vec::new(),
            hook: None,
            #[cfg(feature = "uring")]
            uring: ds_uring::UringConfig::default(),
        }
    }

    /// Which engine does file I/O.
    #[must_use]
    pub const fn io(mut self, kind: IoKind) -> Self {
        self.io = kind;
        self
    }

    /// Which engine computes transforms.
    #[must_use]
    pub const fn codec(mut self, kind: CodecKind) -> Self {
        self.codec = kind;
        self
    }

    /// How many threads do I/O. Unless told: as many as the machine runs at once; for io_uring asked for by name, as many as its
    /// configuration says it has rings.
    #[must_use]
    pub const fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many threads decode; the machine's parallelism unless told.
    #[must_use]
    pub const fn codec_workers(mut self, workers: NonZeroUsize) -> Self {
        self.codec_workers = Some(workers);
        self
    }

    /// Bytes of staging memory, where packed data waits for its decoder, and through which goes what is copied between files and
    /// devices. A request that needs more at once is refused: a packed one whose stream is longer.
    #[must_use]
    pub const fn staging(mut self, bytes: usize) -> Self {
        self.staging = bytes;
        self
    }

    /// How many queues there can be at once, up to 65 536; 64 unless told.
    #[must_use]
    pub const fn max_queues(mut self, queues: usize) -> Self {
        self.max_queues = queues;
        self
    }

    /// Registers the decoder of the application's own format `number`: see [`Request::custom`](crate::Request::custom).
    #[must_use]
    pub fn decoder(mut self, number: u8, decoder: impl CustomDecoder + 'static) -> Self {
        self.decoders.push((number, Arc::new(decoder)));
        self
    }

    /// Has this hear of the failed requests of queues without a hook of their own, and of engines that work but not as they were
    /// asked to, from within [`build`](Self::build) on; instead of the process-wide hook
    /// ([`set_error_hook`](crate::set_error_hook)).
    #[must_use]
    pub fn error_hook(mut self, hook: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// How rings are to be set up, where io_uring does the I/O or part of it.
    #[cfg(feature = "uring")]
    #[must_use]
    pub const fn uring(mut self, config: ds_uring::UringConfig) -> Self {
        self.uring = config;
        self
    }

    /// Uses this I/O engine instead of one of the runtime's own. An engine serves one runtime, once; it may play several
    /// roles in it.
    #[must_use]
    pub fn io_engine(mut self, engine: Arc<dyn IoEngine>) -> Self {
        self.own_io = Some(engine);
        self
    }

    /// Uses this codec engine instead of one of the runtime's own, as [`io_engine`](Self::io_engine). Decoders given to
    /// [`decoder`](Self::decoder) are for the runtime's own, and this one does not see them.
    #[must_use]
    pub fn codec_engine(mut self, engine: Arc<dyn CodecEngine>) -> Self {
        self.own_codec = Some(engine);
        self
    }

    /// Uses this copy engine instead of one of the runtime's own, as [`io_engine`](Self::io_engine).
    #[must_use]
    pub fn copy_engine(mut self, engine: Arc<dyn CopyEngine>) -> Self {
        self.own_copier = Some(engine);
        self
    }

    /// Has this engine serve its device: requests may then name the device's memory, and the engine decodes what it is better at.
    /// One for each device, and of several the first also decodes what is no device's. Like any engine it serves one runtime, once;
    /// a device may have several.
    #[must_use]
    pub fn device_engine(mut self, engine: Arc<dyn DeviceEngine>) -> Self {
        self.devices.push(engine);
        self
    }

    /// Uses this Vulkan device, with an engine that is set up as [`VulkanConfig::default`](crate::vulkan::VulkanConfig) says; for
    /// another one see [`device_engine`](Self::device_engine).
    #[cfg(feature = "vulkan")]
    #[must_use]
    pub fn vulkan(self, device: &crate::vulkan::Device) -> Self {
        use crate::vulkan::{VulkanConfig, VulkanEngine};
        self.device_engine(Arc::new(VulkanEngine::new(device, VulkanConfig::default())))
    }

    /// Makes the runtime and starts its threads.
    ///
    /// # Errors
    /// [`BuildError`]: a named engine is not available (there is no fallback), none is, one serves another runtime already, an
    /// option makes no sense, or the kernel refused resources.
    pub fn build(mut self) -> Result<Runtime, BuildError> {
        let staging = StagingPool::new(self.staging)
            .map_err(|source| BuildError::Os { what: "the staging pool", source })?;
        let max_queues = self.max_queues.max(1);
        if max_queues > MAX_QUEUES {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "there can be 65536 at most");
            return Err(BuildError::Os { what: "so many queues", source });
        }
        let hook = self.hook.take();
        let (engines, refused) = self.engines()?;
        let selection = Selection { io: engines.io.name(), codec: engines.codec_name(), refused };
        Runtime::start(engines, selection, staging, max_queues, hook)
    }

    /// The engines that were given, and the runtime's own in the roles that are left; and the candidates refused on the way.
    fn engines(mut self) -> Result<(Engines, Vec<Refusal>), BuildError> {
        let mut refused = Vec::new();
        let mut rings = Rings::default();
        let io = match self.own_io.take() {
            Some(io) => io,
            None => self.choose_io(&mut refused, &mut rings)?,
        };
        if self.devices.is_empty() {
            match self.codec {
                CodecKind::Vulkan => self.devices.push(best_device().map_err(BuildError::Unavailable)?),
                CodecKind::Auto => refused.push(no_device()),
                CodecKind::Cpu => {}
            }
        }
        let (devices, how) = (core::mem::take(&mut self.devices), (self.codec, self.staging));
        let hosts = match (self.own_codec.take(), self.own_copier.take()) {
            (Some(codec), Some(copier)) => (codec, copier),
            (codec, copier) => self.fill_up(codec, copier, &refused)?,
        };
        Ok((Engines::new((io, rings), hosts, devices, how), refused))
    }

    /// An I/O engine of the runtime's own; and notes the one with rings, if it is that or has that behind it.
    fn choose_io(
        &self,
        refused: &mut Vec<Refusal>,
        rings: &mut Rings,
    ) -> Result<Arc<dyn IoEngine>, BuildError> {
        match self.io {
            IoKind::Cpu => self.cpu_io(None).map_err(BuildError::Unavailable),
            IoKind::Uring => self.uring_io(rings).map_err(BuildError::Unavailable),
            IoKind::Auto => {
                let uring = is_uring_allowed().and_then(|()| self.uring_io(rings));
                let cpu = self.cpu_io(uring.as_ref().ok().cloned());
                // In front of the ring, if there is one.
                let candidates = [cpu, uring];
                let best = candidates.iter().find_map(|candidate| candidate.as_ref().ok().cloned());
                refused.extend(candidates.into_iter().filter_map(Result::err));
                best.ok_or_else(|| BuildError::NoEngine { role: "I/O", refused: refused.clone() })
            }
        }
    }

    /// The CPU's I/O engine, in front of another one if there is one.
    #[cfg(feature = "cpu")]
    fn cpu_io(&self, behind: Option<Arc<dyn IoEngine>>) -> Result<Arc<dyn IoEngine>, Refusal> {
        let workers = self.workers.unwrap_or_else(ds_cpu::default_workers);
        Ok(match behind {
            Some(behind) => Arc::new(ds_cpu::CpuFront::new("cpu+uring", workers, behind)),
            None => Arc::new(ds_cpu::CpuIo::new(workers)),
        })
    }

    #[cfg(not(feature = "cpu"))]
    fn cpu_io(&self, _: Option<Arc<dyn IoEngine>>) -> Result<Arc<dyn IoEngine>, Refusal> {
        Err(lacks_feature("cpu"))
    }

    #[cfg(feature = "uring")]
    fn uring_io(&self, rings: &mut Rings) -> Result<Arc<dyn IoEngine>, Refusal> {
        let config = match (self.io, self.workers) {
            (IoKind::Uring, Some(rings)) => self.uring.rings(rings),
            _ => self.uring,
        };
        let engine = Arc::new(ds_uring::UringIo::new(config));
        *rings = Some(Arc::clone(&engine));
        Ok(engine)
    }

    #[cfg(not(feature = "uring"))]
    fn uring_io(&self, _: &mut Rings) -> Result<Arc<dyn IoEngine>, Refusal> {
        Err(lacks_feature("uring"))
    }

    /// The CPU's engine for whichever of these roles has none.
    #[cfg(feature = "cpu")]
    fn fill_up(
        self,
        codec: Option<Arc<dyn CodecEngine>>,
        copier: Option<Arc<dyn CopyEngine>>,
        _refused: &[Refusal],
    ) -> Result<Transforming, BuildError> {
        let workers = self.codec_workers.unwrap_or_else(ds_cpu::default_workers);
        let cpu = Arc::new(ds_cpu::CpuCodec::new(workers, self.decoders));
        let codec = codec.unwrap_or_else(|| Arc::clone(&cpu) as Arc<dyn CodecEngine>);
        Ok((codec, copier.unwrap_or(cpu)))
    }

    #[cfg(not(feature = "cpu"))]
    fn fill_up(
        self,
        codec: Option<Arc<dyn CodecEngine>>,
        _: Option<Arc<dyn CopyEngine>>,
        refused: &[Refusal],
    ) -> Result<Transforming, BuildError> {
        let cpu = lacks_feature("cpu");
        if self.codec == CodecKind::Cpu {
            return Err(BuildError::Unavailable(cpu));
        }
        let role = if codec.is_none() { "codec" } else { "copy" };
        let mut refused = refused.to_vec();
        if !refused.contains(&cpu) {
            refused.push(cpu);
        }
        Err(BuildError::NoEngine { role, refused })
    }
}

/// Who decodes and who copies.
type Transforming = (Arc<dyn CodecEngine>, Arc<dyn CopyEngine>);

/// Whether this machine has rings at all; `Auto` asks before it relies on one.
#[cfg(feature = "uring")]
fn is_uring_allowed() -> Result<(), Refusal> {
    match ds_uring::probe(ds_uring::Features::DEFAULT) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal { engine: "uring", reason: error.to_string() }),
    }
}

#[cfg(not(feature = "uring"))]
fn is_uring_allowed() -> Result<(), Refusal> {
    Err(lacks_feature("uring"))
}

/// An engine that was left out of this build; its feature has its name.
#[cfg(not(all(feature = "cpu", feature = "uring", feature = "vulkan")))]
fn lacks_feature(engine: &'static str) -> Refusal {
    Refusal { engine, reason: format!("this build lacks the feature `{engine}`") }
}

/// The engine of the best device there is.
#[cfg(feature = "vulkan")]
fn best_device() -> Result<Arc<dyn DeviceEngine>, Refusal> {
    use crate::vulkan::{Device, DeviceOptions, VulkanConfig, VulkanEngine};
    match Device::open(&DeviceOptions::default()) {
        Ok(device) => Ok(Arc::new(VulkanEngine::new(&device, VulkanConfig::default()))),
        Err(error) => Err(Refusal { engine: "vulkan", reason: error.to_string() }),
    }
}

#[cfg(not(feature = "vulkan"))]
fn best_device() -> Result<Arc<dyn DeviceEngine>, Refusal> {
    Err(lacks_feature("vulkan"))
}

/// Why `Auto` has no device where the builder was given none.
#[cfg(feature = "vulkan")]
fn no_device() -> Refusal {
    Refusal { engine: "vulkan", reason: "no device was given to `Builder::vulkan`".to_owned() }
}

#[cfg(not(feature = "vulkan"))]
fn no_device() -> Refusal {
    lacks_feature("vulkan")
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("io", &self.io)
            .field("codec", &self.codec)
            .field("workers", &self.workers)
            .field("codec_workers", &self.codec_workers)
            .field("staging", &self.staging)
            .field("max_queues", &self.max_queues)
            .field("decoders", &self.decoders.len())
            .field("devices", &self.devices.len())
            .finish_non_exhaustive()
    }
}
