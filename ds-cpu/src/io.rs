//! File I/O by positional system calls.

use core::num::NonZeroUsize;
use std::os::fd::BorrowedFd;

use ds_core::{Done, Fault, Path};
use ds_engine::{
    Alignment, Engine, FileRef, Finished, IoEngine, IoJob, IoOp, JobId, Sink, StartContext, StartError,
};
use rustix::io::Errno;

use crate::direct;
use crate::pool::{BATCH, Pool};
use crate::work::{Turn, Work};

/// Transfers up to this size are short tasks: from the page cache they take a few microseconds.
const SHORT: usize = 16 * 1024;

impl Work for IoJob {
    type Tools = ();

    fn id(&self) -> Option<JobId> {
        Some(self.id)
    }

    fn is_short(&self) -> bool {
        match &self.op {
            IoOp::Read { .. } | IoOp::Write { .. } => self.op.len() <= SHORT,
            IoOp::Sync { .. } => false,
        }
    }

    #[inline]
    fn run(self, (): &(), by: Path) -> Turn<Self> {
        let result = perform(self.op).map_err(|errno| Fault::Os(errno.raw_os_error()));
        Turn::Done(Finished { id: self.id, result, path: Path::IO_CPU | by })
    }
}

/// One system call, and what the kernel said.
fn perform(op: IoOp) -> Result<Done, Errno> {
    match op {
        IoOp::Read { file, offset, into } => {
            // SAFETY: the job has not been answered, so the bytes are there; it writes them, so they are ours alone.
            let into = unsafe { into.as_mut_slice() };
            match direct(file) {
                Some((fd, alignment)) => direct::read(fd, alignment, into, offset),
                None => rustix::io::pread(plain(file), into, offset),
            }
            .map(|moved| Done::Moved(moved as u64))
        }
        IoOp::Write { file, offset, from } => {
            // SAFETY: the job has not been answered, so the bytes are there; it reads them, so nobody writes them.
            let from = unsafe { from.as_slice() };
            match direct(file) {
                Some((fd, alignment)) => direct::write(fd, alignment, from, offset),
                None => rustix::io::pwrite(plain(file), from, offset),
            }
            .map(|moved| Done::Moved(moved as u64))
        }
        IoOp::Sync { file, data_only: true } => rustix::fs::fdatasync(plain(file)).map(|()| Done::Synced),
        IoOp::Sync { file, data_only: false } => rustix::fs::fsync(plain(file)).map(|()| Done::Synced),
    }
}

/// The descriptor of a job's file.
pub(crate) fn plain<'a>(file: FileRef) -> BorrowedFd<'a> {
    // SAFETY: the job has not been answered, so the descriptor is open.
    unsafe { file.as_fd() }
}

/// The one for transfers past the page cache, if that is how they are to go.
fn direct<'a>(file: FileRef) -> Option<(BorrowedFd<'a>, Alignment)> {
    // SAFETY: the job has not been answered, so the descriptor is open.
    unsafe { file.as_direct_fd() }
}

/// How many jobs keep a pool of so many workers busy: a batch for each and for a thread that drives, and one in reserve.
pub(crate) const fn depth(workers: NonZeroUsize) -> usize {
    workers.get().saturating_add(2).saturating_mul(BATCH)
}

/// The I/O engine on a pool of its own, threads `ds-io-0`, `ds-io-1`, ...
///
/// Each job is one `pread`, `pwrite`, `fsync` or `fdatasync`; short transfers and errors, `EINTR` and `EAGAIN` included, are
/// reported as they come.
///
/// Dropping it stops it.
pub struct CpuIo {
    pool: Pool<IoJob>,
}

impl CpuIo {
    /// An engine that will have so many threads once started.
    #[must_use]
    pub fn new(workers: NonZeroUsize) -> Self {
        Self { pool: Pool::new("ds-io", workers, ()) }
    }
}

// SAFETY: a job is a task of the pool, which runs a task once or answers it as cancelled. Its one turn is a system call on
// the job's own file and memory, and its outcome is what the call returned.
unsafe impl Engine for CpuIo {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        self.pool.start(context.sink())
    }

    fn cancel(&self, id: JobId) {
        self.pool.cancel(id);
    }

    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.pool.drive(sink, queue)
    }

    fn stop(&self) {
        self.pool.stop();
    }
}

impl IoEngine for CpuIo {
    fn path(&self) -> Path {
        Path::IO_CPU
    }

    fn depth(&self) -> usize {
        depth(self.pool.workers())
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        self.pool.submit(jobs.iter().copied());
        jobs.clear();
    }
}
