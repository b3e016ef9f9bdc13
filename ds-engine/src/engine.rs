//! The traits an engine implements, and the sink it answers to.
//!
//! [`Engine`] is the life all engines lead; [`IoEngine`], [`CodecEngine`] and [`CopyEngine`] are the roles, and [`DeviceEngine`] is
//! two of them for one device. One engine may
//! play several of them: it is still started once and stopped once.
//!
//! Rules for every engine, beside those that memory safety rests on ([`Engine`], "Safety"):
//!
//! * Each job gets exactly one outcome, by [`Sink::complete`], from any thread; a cancelled one too.
//! * `submit` returns without waiting for the work. It takes all jobs out of the vector and keeps the vector's memory usable,
//!   so that neither side allocates once warm.
//! * No job is answered within `submit`, on the thread that submits: an answer begins the next job, and a chain of them would
//!   grow the stack. (From `drive`, `cancel` and `stop` it may be.)
//! * An engine holds none of its locks while it calls the sink or another engine: the sink may call `submit` again.
//! * After [`stop`](Engine::stop) has returned, no thread of the engine runs and every job given has been answered.

use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;

use ds_core::{DeviceId, Done, Fault, Path, Transform};

use crate::job::{CodecJob, CopyJob, IoJob, JobId};
use crate::warning::Warning;

/// What came of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which job.
    pub id: JobId,
    /// What came of it.
    pub result: Result<Done, Fault>,
    /// Which engine did the work.
    pub path: Path,
}

/// Where engines deliver outcomes. Implemented by the driver.
pub trait Sink: Send + Sync {
    /// Takes a batch of outcomes. May run callbacks of the application and submit more jobs before it returns.
    fn complete(&self, batch: &[Finished]);

    /// Hears that an engine works, but not as it was asked to. May run code of the application's, as [`complete`](Self::complete)
    /// may, and comes from within [`Engine::start`] too. A sink that nobody listens through need not pass it on.
    fn warn(&self, _warning: &Warning) {}
}

/// What an engine is started with.
pub struct StartContext {
    sink: Arc<dyn Sink>,
    staging: NonNull<[u8]>,
}

impl StartContext {
    /// A start without staging memory.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, staging: NonNull::slice_from_raw_parts(NonNull::dangling(), 0) }
    }

    /// Shows engines the staging memory: see [`StagingPool::mapping`](crate::StagingPool::mapping).
    ///
    /// # Safety
    /// These bytes stay mapped, readable and writable, at this address, until every engine started with this has been
    /// stopped.
    #[must_use]
    pub const unsafe fn with_staging(mut self, staging: NonNull<[u8]>) -> Self {
        self.staging = staging;
        self
    }

    /// Where the engine's outcomes go.
    #[must_use]
    pub const fn sink(&self) -> &Arc<dyn Sink> {
        &self.sink
    }

    /// All of the staging memory, of which jobs will name parts; empty if there is none. It is there until the engine has been
    /// stopped, so an engine may register it with the kernel or import it into a device now, once, and not job by job. That
    /// gives it no right to read or write a byte: only a job does.
    #[must_use]
    pub const fn staging(&self) -> NonNull<[u8]> {
        self.staging
    }
}

impl fmt::Debug for StartContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartContext").field("staging", &self.staging).finish_non_exhaustive()
    }
}

/// Why an engine did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It has been started or stopped before. An engine serves one runtime, once.
    AlreadyUsed,
    /// The kernel refused something it needs.
    Os {
        /// What: `its threads`, say.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Its device refused something: what, and what the driver said.
    Device(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyUsed => {
                f.write_str("it has been started or stopped before, and an engine serves one runtime, once")
            }
            Self::Os { what, source } => write!(f, "the kernel refused {what}: {source}"),
            Self::Device(what) => write!(f, "its device refused: {what}"),
        }
    }
}

impl core::error::Error for StartError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::AlreadyUsed | Self::Device(_) => None,
            Self::Os { source, .. } => Some(source),
        }
    }
}

/// What all engines have in common: a name, and a life. An engine is made, started once, given jobs in the roles it plays,
/// and stopped; it is not started again.
///
/// # Safety
/// An outcome gives the job's memory and file back: the driver may free them, or hand them to the application, before
/// [`Sink::complete`] returns, and nobody can check whether the engine is through with them. So whoever implements this
/// trait promises, for every role the type plays:
///
/// * It answers only jobs it was given, and each at most once. It lets nobody else answer in its place, except an engine it
///   passes the job on to, once.
/// * When it answers a job, neither it nor anyone it has passed the job on to (a thread, the kernel, a device) touches the
///   job's memory or file any more, nor ever will again.
/// * It touches no other memory on a job's behalf than the job names: it writes the destination only, and of the source it
///   reads no more than the job says may be read.
/// * An outcome is true. [`Done::Moved`] of n bytes means that the first n bytes of the destination have been written,
///   [`Done::Decoded`] that as many have as it says were produced.
/// * Once [`stop`](Self::stop) has returned, it uses the [staging memory](StartContext::staging) no more, except for jobs it
///   has not answered.
///
/// It need not promise to answer at all: a job that is never answered keeps its memory.
pub unsafe trait Engine: Send + Sync {
    /// Its name, as users write it: `cpu`, `uring`, `vulkan`.
    fn name(&self) -> &'static str;

    /// Starts it, before any job. All outcomes go to the context's sink, except those of [`drive`](Self::drive).
    ///
    /// # Errors
    /// [`StartError::AlreadyUsed`] if it was started or stopped before: it goes on as it was, and its first sink stays its only
    /// one. After any other error it is stopped.
    fn start(&self, context: &StartContext) -> Result<(), StartError>;

    /// Hurries a job. An engine that cannot ignores it, and so does one that does not have that job.
    fn cancel(&self, id: JobId);

    /// Does a waiting job on the calling thread, or a few if they are short, if there are any that no thread of its own has taken:
    /// a thread that waits may as well work. Their outcomes go to this sink, and so may those of what other threads finish
    /// meanwhile. Returns whether there was one.
    ///
    /// `queue` is whom the thread waits for ([`JobId::queue`]): then a job of another's is left alone, which may take however
    /// long. An engine need not search for one that is not at hand.
    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool;

    /// Finishes what it has, ends its threads and lets go of its sink. Idempotent. No job may be given to it afterwards.
    ///
    /// Called from within the sink, it cannot wait for the answer that it is called from; that one's thread ends by itself.
    fn stop(&self);
}

/// An engine that does file I/O.
pub trait IoEngine: Engine {
    /// The bit it puts into outcomes.
    fn path(&self) -> Path;

    /// Jobs it wants at once: enough to keep it busy, few enough that priorities still mean something.
    fn depth(&self) -> usize;

    /// Takes all jobs.
    fn submit(&self, jobs: &mut Vec<IoJob>);
}

/// An engine that computes transforms.
pub trait CodecEngine: Engine {
    /// The bit it puts into outcomes.
    fn path(&self) -> Path;

    /// Whether it computes this transform.
    fn supports(&self, transform: Transform) -> bool;

    /// Takes all jobs.
    fn submit(&self, jobs: &mut Vec<CodecJob>);
}

/// An engine that copies between places.
pub trait CopyEngine: Engine {
    /// The bit it puts into outcomes.
    fn path(&self) -> Path;

    /// Takes all jobs.
    fn submit_copies(&self, jobs: &mut Vec<CopyJob>);
}

/// The engine of a device: it computes and copies where the device's memory is one end, or both.
///
/// Its own methods here are asked as requests are enqueued, with their queue locked: they answer at once and use no runtime.
pub trait DeviceEngine: CodecEngine + CopyEngine {
    /// Which device.
    fn device(&self) -> DeviceId;

    /// Whether decoding is better left to the processor where there is a choice: the device is part of it, or all of it.
    fn prefers_host(&self) -> bool;

    /// Bytes of output of the transforms that it has been given and has not answered.
    fn backlog(&self) -> u64;

    /// Whether the device is gone. What it is given from then on fails.
    fn is_lost(&self) -> bool;
}
