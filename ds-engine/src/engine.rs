//! The traits an engine implements, and the sink it answers to.
//!
//! Rules for every engine:
//!
//! * Each job gets exactly one outcome, by [`Sink::complete`], from any thread; a cancelled one too.
//! * `submit` returns without waiting for the work. It takes all jobs out of the vector and keeps the vector's memory usable,
//!   so that neither side allocates once warm.
//! * An engine holds none of its locks while it calls the sink: the sink may call `submit` again.
//! * After `stop` has returned, no thread of the engine runs and every job given has been answered.

use std::sync::Arc;

use ds_core::{Done, Fault, Path, Transform};

use crate::job::{CodecJob, CopyJob, IoJob, JobId};

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
}

/// An engine that does file I/O.
pub trait IoEngine: Send + Sync {
    /// Its name, as users write it: `cpu`, `uring`.
    fn name(&self) -> &'static str;

    /// The bit it puts into outcomes.
    fn path(&self) -> Path;

    /// Jobs it wants at once: enough to keep it busy, few enough that priorities still mean something.
    fn depth(&self) -> usize;

    /// Starts its threads. Called once, before any job.
    fn start(&self, sink: Arc<dyn Sink>) -> std::io::Result<()>;

    /// Takes all jobs.
    fn submit(&self, jobs: &mut Vec<IoJob>);

    /// Hurries a job. An engine that cannot ignores it.
    fn cancel(&self, id: JobId);

    /// Does one waiting job on the calling thread, if there is one that a thread of its own has not taken: a thread that
    /// waits may as well work. Returns whether there was one.
    fn drive(&self, sink: &dyn Sink) -> bool;

    /// Finishes what it has and ends its threads. Idempotent.
    fn stop(&self);
}

/// An engine that computes transforms.
pub trait CodecEngine: Send + Sync {
    /// Its name, as users write it: `cpu`, `vulkan`.
    fn name(&self) -> &'static str;

    /// The bit it puts into outcomes.
    fn path(&self) -> Path;

    /// Whether it computes this transform.
    fn supports(&self, transform: Transform) -> bool;

    /// Starts its threads. Called once, before any job.
    fn start(&self, sink: Arc<dyn Sink>) -> std::io::Result<()>;

    /// Takes all jobs.
    fn submit(&self, jobs: &mut Vec<CodecJob>);

    /// Hurries a job. An engine that cannot ignores it.
    fn cancel(&self, id: JobId);

    /// As [`IoEngine::drive`].
    fn drive(&self, sink: &dyn Sink) -> bool;

    /// Finishes what it has and ends its threads. Idempotent.
    fn stop(&self);
}

/// An engine that copies between places.
pub trait CopyEngine: Send + Sync {
    /// The bit it puts into outcomes.
    fn path(&self) -> Path;

    /// Takes all jobs.
    fn submit_copies(&self, jobs: &mut Vec<CopyJob>);
}
