//! Copies within host memory.

use ds_core::{Done, Fault, Path};
use ds_engine::{CopyJob, Finished, HostBytes};

use crate::work::Turn;

/// Bytes copied in one turn, so that copies of gigabytes do not hold up the rest.
const TURN: u64 = 1 << 20;

/// A copy, perhaps under way.
#[derive(Clone, Copy)]
pub(crate) struct CopyTask {
    pub(crate) job: CopyJob,
    done: u64,
}

impl CopyTask {
    pub(crate) const fn new(job: CopyJob) -> Self {
        Self { job, done: 0 }
    }

    /// Whether nothing has been copied yet.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.done == 0
    }

    /// Whether one turn does it, quickly.
    pub(crate) const fn is_short(&self) -> bool {
        self.job.into.len() <= 16 * 1024
    }

    pub(crate) fn run(mut self, by: Path) -> Turn<Self> {
        let result = match (self.job.from.host(), self.job.into.host()) {
            (Some(from), Some(into)) if from.len() == into.len() => {
                self.done += copy_part(from, into, self.done);
                if self.done < into.len() as u64 {
                    return Turn::Later(self);
                }
                Ok(Done::Moved(self.done))
            }
            (Some(_), Some(_)) => Err(Fault::Unsupported("a copy between places of different lengths")),
            _ => Err(Fault::Unsupported("the cpu engine copies within host memory only")),
        };
        Turn::Done(Finished { id: self.job.id, result, path: Path::COPY_HOST | by })
    }
}

/// Copies one turn's worth from `done` on, and says how much that was.
fn copy_part(from: HostBytes, into: HostBytes, done: u64) -> u64 {
    let len = TURN.min(into.len() as u64 - done);
    if let (Some(from), Some(into)) = (from.part(done, len), into.part(done, len)) {
        // SAFETY: the job has not been answered, so both ranges are there and no other thread interferes; they are equally
        // long, and `copy` allows them to overlap.
        unsafe { core::ptr::copy(from.as_ptr(), into.as_ptr(), into.len()) };
    }
    len
}
