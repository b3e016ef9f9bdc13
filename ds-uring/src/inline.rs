//! Reads by the thread that submits them and waits.
//!
//! A ring belongs to a thread, and to have another one read takes two wake-ups, as long as twenty small reads from the page cache. So a
//! thread that says that it drives next ([`is_about_to_drive`](ds_engine::is_about_to_drive)) keeps some of its reads, and has one
//! more ring, which belongs to nobody, look for them in the page cache. What is not there goes to a ring's thread after all.

use std::sync::Arc;

use ds_engine::{IoJob, JobId, Sink, StartError};

use crate::cached::CachedReads;
use crate::config::{Source, UringConfig};
use crate::direct::cached;
use crate::features::Features;
use crate::kept::{Hands, Kept};
use crate::lane::{self, Lane};
use crate::ring::Ring;
use crate::ring::kernel::KernelRing;

/// What a thread reads by itself, in [weights](weight): in less time than it takes to wake another and share with it.
const FEW: usize = 64;

/// How many of the shortest reads a read is as long as.
const fn weight(job: &IoJob) -> usize {
    1 + job.op.len() / (8 * 1024)
}

/// How many of these, the last of them, a thread is to read by itself that has kept so many already: all if they are few, or else
/// half, as long as the ring takes them at once.
fn share(jobs: &[IoJob], already: usize) -> usize {
    let few = jobs.len() == 1 || jobs.iter().map(weight).sum::<usize>() <= FEW;
    let share = if few { jobs.len() } else { jobs.len().div_ceil(2) };
    let room = CachedReads::DEPTH.get().saturating_sub(already);
    jobs.iter().rev().take(share.min(room)).take_while(|job| cached(&job.op).is_some()).count()
}

/// Reads that have been kept, and the ring for them, if there is one. The other rings' lanes are the engine's.
pub(crate) struct Inline {
    kept: Kept<CachedReads>,
}

impl Inline {
    pub(crate) fn new() -> Self {
        Self { kept: Kept::new() }
    }

    /// Makes the ring, with what the others were granted as far as one can use it that several threads enter. Until then nothing is
    /// kept.
    ///
    /// # Errors
    /// The kernel refuses one more ring.
    pub(crate) fn start(&self, config: &UringConfig, granted: Features) -> Result<(), StartError> {
        let shared = Features::SUBMIT_ALL | Features::COOP_TASKRUN | Features::NO_SQARRAY;
        let config = config.depth(CachedReads::DEPTH).features(granted.and(shared));
        let ring: Box<dyn Ring + Send> = match config.source {
            // SAFETY: there are no buffers.
            Source::Kernel => Box::new(unsafe { KernelRing::new(&config, &[]) }?.0),
            #[cfg(any(test, feature = "__faults"))]
            Source::Fake(faults) => Box::new(crate::ring::fake::FakeRing::new(faults, config.features)),
        };
        self.kept.equip(CachedReads::new(ring));
        Ok(())
    }

    /// Takes some of the jobs, for the thread that submits them to do when it drives.
    pub(crate) fn keep(&self, jobs: &mut Vec<IoJob>) {
        self.kept.keep(jobs, share);
    }

    /// Hurries a job, if it has been kept: it goes to one of these lanes, to be cancelled there.
    pub(crate) fn cancel(&self, id: JobId, lanes: &[Arc<Lane>]) {
        self.kept.cancel(id, |job| lane::give(lanes, job));
    }

    /// Reads what has been kept, by whichever thread; what cannot be read here goes to these lanes. Returns whether anything has been
    /// read.
    pub(crate) fn drive(&self, sink: &dyn Sink, lanes: &[Arc<Lane>]) -> bool {
        if self.kept.is_empty() {
            return false;
        }
        let Some(mut hands) = self.kept.take(|job| lane::give(lanes, job)) else { return false };
        let mut turn = Turn { kept: &self.kept, hands: None };
        let Hands { tools, jobs } = &mut hands;
        tools.read(jobs);
        jobs.clear();
        // Before anything is answered: the engine may be stopped within an answer.
        if !tools.missed.is_empty() {
            self.kept.give_up(&mut tools.missed, |job, cancelled| {
                lane::give(lanes, job);
                if cancelled {
                    lane::cancel(lanes, job.id);
                }
            });
        }
        let finished = &turn.hands.insert(hands).tools.finished;
        if !finished.is_empty() {
            sink.complete(finished);
        }
        !finished.is_empty()
    }

    /// Takes no more jobs; those that have been kept go to these lanes. When it returns, all that anybody has taken has been answered or
    /// has gone there, but for what this very thread is answering.
    pub(crate) fn stop(&self, lanes: &[Arc<Lane>]) {
        self.kept.stop(|job| lane::give(lanes, job));
    }
}

/// A thread's turn with what has been kept; it ends even if the sink panics. Should reading panic, the ring is not used again: there may
/// be something under way.
struct Turn<'a> {
    kept: &'a Kept<CachedReads>,
    /// To be given back, once every job has been read or passed on.
    hands: Option<Hands<CachedReads>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut hands = self.hands.take();
        let finished = hands.as_mut().map(|hands| hands.tools.finished.drain(..).count());
        self.kept.give_back(hands, finished.is_some_and(|count| count > 0));
    }
}
