//! The pool in front of another I/O engine.

use core::cell::Cell;
use core::num::NonZeroUsize;
use std::io::IoSliceMut;
use std::sync::Arc;

use ds_core::{Done, Fault, Path};
use ds_engine::{Engine, Finished, IoEngine, IoJob, IoOp, JobId, Sink, StartContext, StartError};
use rustix::io::{Errno, ReadWriteFlags};

use crate::io::{depth, plain};
use crate::pool::Pool;
use crate::work::{Turn, Work};

/// An I/O engine on a pool, threads `ds-io-0`, ..., in front of another that is better at waiting for disks.
///
/// A read is tried here first, without waiting (`RWF_NOWAIT`): what the page cache has is copied at once, by as many threads as
/// there are cores. What it has not is passed on, and so is what goes past the page cache, and syncs. Writes into the page cache
/// are done here. On file systems that cannot tell without waiting, reads are done here as well.
///
/// It starts and stops the other engine with itself. Dropping it stops both.
pub struct CpuFront {
    name: &'static str,
    pool: Pool<FrontJob>,
}

impl CpuFront {
    /// An engine called `name` that will have so many threads once started, in front of `behind`.
    #[must_use]
    pub fn new(name: &'static str, workers: NonZeroUsize, behind: Arc<dyn IoEngine>) -> Self {
        Self { name, pool: Pool::new("ds-io", workers, behind) }
    }

    fn behind(&self) -> &dyn IoEngine {
        &**self.pool.tools()
    }
}

/// A job that this pool may turn out not to be the one for.
#[derive(Clone)]
struct FrontJob(IoJob);

impl Work for FrontJob {
    type Tools = Arc<dyn IoEngine>;

    fn id(&self) -> Option<JobId> {
        self.0.id()
    }

    fn is_short(&self) -> bool {
        self.0.is_short()
    }

    fn weight(&self) -> usize {
        self.0.weight()
    }

    #[inline]
    fn run(self, behind: &Self::Tools, by: Path) -> Turn<Self> {
        let Self(job) = self;
        let IoOp::Read { file, offset, into } = job.op else {
            return job.run(&(), by).map(Self);
        };
        if offset > i64::MAX as u64 {
            // To this call -1 means "wherever the file's own position is"; `pread` refuses it.
            return job.run(&(), by).map(Self);
        }
        // SAFETY: the job has not been answered, so the bytes are there; it writes them, so they are ours alone.
        let bytes = unsafe { into.as_mut_slice() };
        let mut parts = [IoSliceMut::new(bytes)];
        let result = match rustix::io::preadv2(plain(file), &mut parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(moved) => Ok(Done::Moved(moved as u64)),
            Err(Errno::AGAIN) => {
                pass_on(&**behind, job);
                return Turn::Over;
            }
            Err(Errno::OPNOTSUPP) => return job.run(&(), by).map(Self),
            Err(errno) => Err(Fault::Os(errno.raw_os_error())),
        };
        Turn::Done(Finished { id: job.id, result, path: Path::IO_CPU | by })
    }
}

thread_local! {
    /// For passing jobs on without allocating. Taken while in use.
    static SPARE: Cell<Vec<IoJob>> = const { Cell::new(Vec::new()) };
}

fn pass_on(behind: &dyn IoEngine, job: IoJob) {
    let mut jobs = SPARE.take();
    jobs.push(job);
    behind.submit(&mut jobs);
    SPARE.set(jobs);
}

/// Whether the engine behind is the one for a job, without a try.
fn is_for_behind(job: &IoJob) -> bool {
    match job.op {
        IoOp::Read { file, .. } | IoOp::Write { file, .. } => file.is_direct(),
        IoOp::Sync { .. } => true,
    }
}

// SAFETY: a job is either the pool's, which runs it once or answers it as cancelled, or it is passed on, once, to an engine that
// promises the rest, and not answered here. A turn that passes a job on has read nothing; any other is one system call on the
// job's own file and memory, and its outcome is what the call returned.
unsafe impl Engine for CpuFront {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        // The one behind first: this one passes jobs on as soon as it has any.
        self.behind().start(context)?;
        self.pool.start(context.sink()).inspect_err(|error| {
            // If this one is used already, so is the other, and has refused.
            debug_assert!(!matches!(error, StartError::AlreadyUsed));
            self.behind().stop();
        })
    }

    fn cancel(&self, id: JobId) {
        self.pool.cancel(id);
        self.behind().cancel(id);
    }

    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.pool.drive(sink, queue) || self.behind().drive(sink, queue)
    }

    fn stop(&self) {
        self.pool.stop();
        self.behind().stop();
    }
}

impl IoEngine for CpuFront {
    fn path(&self) -> Path {
        Path::IO_CPU
    }

    fn depth(&self) -> usize {
        depth(self.pool.workers()).saturating_add(self.behind().depth())
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        if jobs.iter().all(is_for_behind) {
            return self.behind().submit(jobs);
        }
        let mut passed = SPARE.take();
        passed.extend(jobs.extract_if(.., |job| is_for_behind(job)));
        if !passed.is_empty() {
            self.behind().submit(&mut passed);
        }
        SPARE.set(passed);
        self.pool.submit(jobs.iter().map(|&job| FrontJob(job)));
        jobs.clear();
    }
}

impl Drop for CpuFront {
    fn drop(&mut self) {
        self.stop();
    }
}
