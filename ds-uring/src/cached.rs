//! Reading what the page cache has, on whichever thread.

use core::num::NonZeroUsize;
use std::thread;

use ds_core::{Done, Fault, Path};
use ds_engine::{Finished, IoJob};
use rustix::io::Errno;

use crate::direct::cached;
use crate::driver::NAP;
use crate::ring::{Cqe, Ring, Sqe};

/// A ring for reads of what the page cache has. The kernel copies as it takes the submission, on the thread that submits, and says
/// at once what it has not; so nothing is ever under way but within [`read`](Self::read).
pub(crate) struct CachedReads {
    ring: Box<dyn Ring + Send>,
    completions: Vec<Cqe>,
    /// What has been read.
    pub(crate) finished: Vec<Finished>,
    /// What is to be read by other means.
    pub(crate) missed: Vec<IoJob>,
}

impl CachedReads {
    /// Operations that such a ring takes at once.
    pub(crate) const DEPTH: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not 0");

    pub(crate) fn new(ring: Box<dyn Ring + Send>) -> Self {
        Self { ring, completions: Vec::new(), finished: Vec::new(), missed: Vec::new() }
    }

    /// Reads what the page cache has of these: each job is `finished` then, or `missed`.
    pub(crate) fn read(&mut self, jobs: &[IoJob]) {
        let (mut next, mut flying) = (0, 0);
        while next < jobs.len() || flying > 0 {
            while let Some(job) = jobs.get(next) {
                let Some(op) = cached(&job.op) else {
                    self.missed.push(*job);
                    next += 1;
                    continue;
                };
                // SAFETY: the job says that its file and memory are there for it until it is answered, which is not before its
                // completion has been taken, below.
                if unsafe { self.ring.push(Sqe { token: next as u64, op }) }.is_err() {
                    break;
                }
                next += 1;
                flying += 1;
            }
            // They are not waited for the first time: most likely there is no need to.
            let refused = self.ring.enter(0).is_err();
            if self.ring.ready() == 0 && flying > 0 && !refused {
                let _ = self.ring.enter(1);
            }
            self.ring.reap(&mut self.completions, usize::MAX);
            if refused && self.completions.is_empty() {
                thread::sleep(NAP);
            }
            flying -= self.completions.len();
            for cqe in self.completions.drain(..) {
                let job = jobs[cqe.token as usize];
                let result = match cqe.result {
                    Ok(moved) => Ok(Done::Moved(moved.into())),
                    // Not there, or the file system cannot tell.
                    Err(Errno::AGAIN | Errno::OPNOTSUPP) => {
                        self.missed.push(job);
                        continue;
                    }
                    Err(errno) => Err(Fault::Os(errno.raw_os_error())),
                };
                self.finished.push(Finished { id: job.id, result, path: Path::IO_URING | Path::INLINE });
            }
        }
    }
}
