//! What a ring's thread and everybody else have in common, and which ring a job goes to. `model` tries every interleaving.

#[cfg(not(all(test, loom)))]
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use ds_engine::{IoJob, IoOp, JobId};
use rustix::io::Errno;

use crate::bell::Bell;
use crate::features::Features;
use crate::inbox::{Inbox, Message};

/// The way to one ring.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) inbox: Inbox,
    pub(crate) bell: Bell,
    /// Jobs given and not answered.
    load: Load,
    /// What the ring was granted and has turned out not to have, as the bits of [`Features`].
    lost: AtomicU32,
    stopping: AtomicBool,
}

/// On a cache line of its own: everybody writes it.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Load(AtomicUsize);

impl Lane {
    pub(crate) fn new(depth: usize) -> Result<Self, Errno> {
        Ok(Self {
            // Jobs as many as the ring takes, and a cancellation for each.
            inbox: Inbox::new(2 * depth),
            bell: Bell::new()?,
            load: Load::default(),
            lost: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
        })
    }

    /// Leaves a job. The thread is not woken yet.
    pub(crate) fn give(&self, job: IoJob) {
        self.load.0.fetch_add(1, Ordering::Relaxed);
        self.inbox.push(Message::Job(job));
    }

    /// So many jobs have been answered.
    pub(crate) fn answered(&self, jobs: usize) {
        self.load.0.fetch_sub(jobs, Ordering::Relaxed);
    }

    /// Whether there is anything that could be cancelled.
    pub(crate) fn is_busy(&self) -> bool {
        self.load() > 0
    }

    fn load(&self) -> usize {
        self.load.0.load(Ordering::Relaxed)
    }

    /// The ring goes without a feature from now on.
    pub(crate) fn lose(&self, feature: Features) {
        self.lost.fetch_or(feature.bits(), Ordering::Relaxed);
    }

    /// What the ring has gone without since it was made.
    pub(crate) fn lost(&self) -> Features {
        Features::from_bits(self.lost.load(Ordering::Relaxed))
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.bell.strike();
    }
}

/// How much busier than the idlest ring a file's own ring may be: about what a batch is.
const SLACK: usize = 16;

/// Which of the lanes a job goes to: always the same one for a file, so that its requests are neighbours in one ring and no two
/// threads contend for the file; but the idlest one if that one has clearly more to do.
pub(crate) fn choose(lanes: &[Arc<Lane>], job: &IoJob) -> usize {
    if lanes.len() == 1 {
        return 0;
    }
    let own = home(job, lanes.len());
    let idlest = (0..lanes.len()).min_by_key(|&n| lanes[n].load()).unwrap_or(own);
    if lanes[own].load() > lanes[idlest].load() + SLACK { idlest } else { own }
}

/// Gives a single job to one of the lanes, and wakes its thread.
pub(crate) fn give(lanes: &[Arc<Lane>], job: IoJob) {
    let lane = &lanes[choose(lanes, &job)];
    lane.give(job);
    lane.bell.ring();
}

/// Has a job cancelled, if one of the lanes has it.
pub(crate) fn cancel(lanes: &[Arc<Lane>], id: JobId) {
    for lane in lanes {
        // All of them: which one has the job is not written down.
        if lane.is_busy() {
            lane.inbox.push(Message::Cancel(id));
            lane.bell.ring();
        }
    }
}

/// The lane a job's file belongs to.
fn home(job: &IoJob, lanes: usize) -> usize {
    let (IoOp::Read { file, .. } | IoOp::Write { file, .. } | IoOp::Sync { file, .. }) = job.op;
    // SAFETY: the job has not been answered, so the descriptor is open.
    let fd = unsafe { file.as_fd() }.as_raw_fd();
    // Descriptors are small numbers in a row.
    fd as usize % lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ds_core::OpId;
    use ds_engine::FileRef;
    use std::os::fd::AsFd;

    #[test]
    fn a_file_keeps_to_its_ring_until_that_is_much_busier() {
        let lanes: Vec<_> = (0..3).map(|_| Arc::new(Lane::new(64).unwrap())).collect();
        // SAFETY: the job is never done.
        let file = unsafe { FileRef::new(std::io::stderr().as_fd()) };
        let id = JobId { queue: 0, op: OpId::from_u64(1) };
        let job = IoJob { id, op: IoOp::Sync { file, data_only: true } };
        let own = choose(&lanes, &job);
        let mut others = 0;
        for n in 0..90 {
            let chosen = choose(&lanes, &job);
            assert!(chosen == own || n > SLACK, "job {n}");
            others += usize::from(chosen != own);
            lanes[chosen].give(job);
        }
        assert!((40..60).contains(&others), "{others}: about two thirds of those past the slack");
        lanes[own].answered(lanes[own].load());
        assert_eq!(choose(&lanes, &job), own);
    }
}
