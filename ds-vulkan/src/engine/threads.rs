//! The engine's threads: one plans and submits; for each queue one waits for the device and answers.
//!
//! They are several so that the next submission is planned, and its bytes are copied, while the device has the last ones, and so that one
//! which takes long does not hold back the answers of another queue's. Only those that answer call the sink. Code of the
//! application's that runs within an answer, and waits there for other jobs or stops the engine, does that thread's work itself
//! meanwhile.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ds_core::Fault;
use ds_engine::{Finished, Patience, Sink, contain};
use ds_gdeflate::TILE_SIZE;

use super::batch::Recorded;
use super::flight::{Flight, State};
use super::line::{Appetite, Flights, Line};
use super::plan::{Means, Planned, fault_of};
use super::slot::Slot;
use super::timeline::{Reached, Timelines};
use crate::device::Device;
use crate::device::queues::{MOST_COMPUTE, Queue};
use crate::error::CallError;

/// What the threads share.
pub(crate) struct Core {
    pub(crate) device: Device,
    pub(crate) line: Line,
    /// The queues that compute.
    pub(crate) queues: Vec<Queue>,
    /// Submissions under way: to each queue that computes, and, if there is a queue for transfers, those to that one alone.
    pub(crate) lanes: Vec<Flights>,
    pub(crate) timelines: Timelines,
    /// Bytes of output of the transforms that have been given and not answered.
    pub(crate) backlog: AtomicU64,
}

/// Fewest and most bytes that a submission takes on, if so many wait: see [`appetite`].
const PORTION: core::ops::RangeInclusive<u64> = 16 << 20..=(Slot::TILES * TILE_SIZE) as u64;
/// What is no small submission: half as many tiles as an H200 decodes at once.
const LARGE: u64 = 2048 * TILE_SIZE as u64;
/// Most bytes that the thread which plans copies itself for a submission: the device waits meanwhile.
const COPIED: u64 = 16 << 20;
/// Most jobs in a submission: one for each tile.
const BATCH_JOBS: usize = Slot::TILES;

/// A thread keeps off the processors that the device interrupts when it starts, and again after so many submissions: by then the device has
/// shown which these are.
const SETTLED: u64 = 512;

/// Submits until the engine stops and nothing is left.
pub(crate) fn submit(core: &Core, means: &Means) {
    let mut sender = Sender { core, means, last: 0, transfer: Reached::default(), main: Default::default() };
    let mut patience = Patience::lasting(Patience::DEVICE);
    core.device.avoid_interrupts();
    while let Some((mut flight, landed)) = core.line.begin(&mut patience, || core.appetite()) {
        let Appetite { portion, .. } = core.appetite();
        flight.value = sender.last + 1;
        if flight.value == SETTLED {
            core.device.avoid_interrupts();
        }
        let mut stuck = None;
        while flight.batch.bytes < portion
            && flight.batch.copied < COPIED
            && flight.batch.uploaded < means.most_uploaded
            && flight.batch.parts.len() < BATCH_JOBS
        {
            let Some(work) = core.line.next() else { break };
            match means.plan(&mut flight, work) {
                Planned::All => {}
                Planned::Some(rest) => core.line.put_back(rest, false),
                Planned::None(work) => {
                    stuck = Some(work);
                    break;
                }
            }
        }
        let flight = match stuck {
            Some(work) if flight.batch.is_empty() => match core.line.wait_for_room(flight, landed) {
                None => {
                    core.line.put_back(work, true);
                    continue;
                }
                Some(mut flight) => {
                    flight.batch.answer(&work, Err(Fault::OutOfMemory));
                    flight
                }
            },
            stuck => {
                if let Some(work) = stuck {
                    core.line.put_back(work, true);
                }
                flight
            }
        };
        sender.send(flight);
    }
}

/// Sends submissions on their way.
struct Sender<'a> {
    core: &'a Core,
    means: &'a Means,
    /// What the last one is called.
    last: u64,
    /// How far the queue for transfers has waited for the timelines.
    transfer: Reached,
    /// The same, of each queue that computes.
    main: [Reached; MOST_COMPUTE],
}

impl Sender<'_> {
    /// Sends one, to whom of the queues has the fewest.
    fn send(&mut self, mut flight: Flight) {
        self.last = flight.value;
        let core = self.core;
        let landed = core.line.send(flight.value);
        let Flight { slot, batch, value, .. } = &mut flight;
        let recorded = batch.record(slot, &self.means.pipelines);
        let lane = core.lane(matches!(recorded, Ok(Recorded { main: true, .. })));
        let submitted = recorded.and_then(|recorded| self.submit(slot, recorded, lane, *value, landed));
        flight.state = match submitted {
            Ok(reached) if reached == Reached::default() => State::Idle,
            Ok(reached) => State::Submitted(reached),
            Err(error) => State::Failed(fault_of(error)),
        };
        core.lanes[lane].add(flight);
    }

    /// What has been answered is seen by what is submitted after that. Of the same queue's the barrier sees to it that each command
    /// buffer begins with; for others' a submission waits, which takes no time, for they are over, and makes their writes visible to all
    /// that the queue is given from then on.
    fn submit(
        &mut self,
        slot: &mut Slot,
        recorded: Recorded,
        lane: usize,
        value: u64,
        landed: Reached,
    ) -> Result<Reached, CallError> {
        let Core { timelines, device, queues, .. } = self.core;
        let mut reached = Reached::default();
        if recorded.transfer {
            let waits = timelines.waits(Reached { transfer: 0, ..landed }, self.transfer);
            slot.transfer.submit(&device.inner.queues.transfer, &waits, timelines.transfer.at(value))?;
            self.transfer = self.transfer.max(landed);
            reached.transfer = value;
        }
        if recorded.main {
            let mut before = landed.max(reached);
            before.main[lane] = 0;
            let waits = timelines.waits(before, self.main[lane]);
            let submitted = slot.main.submit(&queues[lane], &waits, timelines.main[lane].at(value));
            if submitted.is_err() && recorded.transfer {
                // Nobody else will wait for these, and they have the jobs' memory.
                let _ = timelines.transfer.wait(value);
            }
            submitted?;
            self.main[lane] = self.main[lane].max(before);
            reached.main[lane] = value;
        }
        Ok(reached)
    }
}

impl Core {
    fn appetite(&self) -> Appetite {
        appetite(self.backlog.load(Ordering::Relaxed), self.queues.len())
    }

    /// Where a submission goes that computes, or does not.
    fn lane(&self, computes: bool) -> usize {
        let queues = self.queues.len();
        if !computes && queues < self.lanes.len() {
            return queues;
        }
        (0..queues).min_by_key(|&queue| self.lanes[queue].flying()).unwrap_or(0)
    }

    /// Waits for the end of a submission of that lane and answers.
    fn finish(
        &self,
        lane: usize,
        mut flight: Flight,
        patience: &mut Patience,
        sink: &dyn Sink,
        answers: &mut Vec<Finished>,
    ) {
        // What its jobs have in other lanes ends first: they are answered once, after all of it.
        let behind = flight.batch.behind;
        if behind > 0 {
            self.line.wait_landed(behind);
        }
        if patience.is_left() {
            // What the device does in microseconds is over before this thread could sleep and be woken.
            patience.look(|| flight.is_over(&self.timelines));
        }
        let fault = flight.wait(&self.timelines, || self.device.is_lost());
        self.backlog.fetch_sub(flight.batch.content(), Ordering::Relaxed);
        if let Some(fault) = fault {
            self.line.fail(&flight.batch.parts, fault);
        }
        self.line.reach(&flight);
        flight.answer(fault, answers);
        self.line.spoil(answers);
        self.lanes[lane].land();
        self.line.land(flight);
        if !answers.is_empty() {
            // A panic in the sink has been told by the panic hook and ends here: other requests need this thread.
            let _ = contain(|| sink.complete(answers));
            answers.clear();
        }
    }

    /// Whether the end of a submission need not be waited for.
    fn is_over(&self, flight: &Flight) -> bool {
        let behind = flight.batch.behind;
        (behind == 0 || self.line.has_landed(behind)) && flight.is_over(&self.timelines)
    }
}

/// How much keeps a device with so many queues busy, where so many bytes are to be decoded.
///
/// Each queue has a submission, and another's bytes are under way; not with several queues, if it were small then. Those and one that
/// is being answered or planned are all there is: each is as large as can be, for few tiles leave most of a large device idle.
fn appetite(backlog: u64, queues: usize) -> Appetite {
    let share = |submissions| backlog / (submissions as u64 + 1);
    let one_more = queues == 1 || share(queues + 1) >= LARGE;
    let submissions = queues + usize::from(one_more);
    Appetite { submissions, portion: share(submissions).clamp(*PORTION.start(), *PORTION.end()) }
}

/// What a thread that answers works for.
#[derive(Clone)]
struct Answering {
    /// Which engine.
    engine: usize,
    /// Which of its lanes.
    lane: usize,
    core: Arc<Core>,
    sink: Arc<dyn Sink>,
}

thread_local! {
    /// What this thread works for, if it is one that answers.
    static ANSWERING: RefCell<Option<Answering>> = const { RefCell::new(None) };
}

/// What this thread works for, if it is one that answers for this engine. One that is ending works for nobody any more.
fn answering(engine: usize) -> Option<Answering> {
    let found =
        |cell: &RefCell<Option<Answering>>| cell.borrow().clone().filter(|known| known.engine == engine);
    ANSWERING.try_with(found).ok().flatten()
}

/// Answers for a lane until nothing more will be submitted. `engine` names the engine.
pub(crate) fn answer(engine: usize, lane: usize, core: Arc<Core>, sink: Arc<dyn Sink>) {
    /// Lets go of engine and sink even if something panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            drop(ANSWERING.take());
        }
    }
    let _ends = Ends;
    ANSWERING.set(Some(Answering { engine, lane, core, sink }));
    finish_all(engine);
}

/// If this thread is one that answers: answers until nothing more will be submitted. Returns whether it is.
pub(crate) fn finish_all(engine: usize) -> bool {
    let Some(Answering { core, lane, sink, .. }) = answering(engine) else { return false };
    let [mut begins, mut patience] = [Patience::lasting(Patience::DEVICE); 2];
    let (mut answers, mut answered) = (Vec::new(), 0);
    core.device.avoid_interrupts();
    while let Some(flight) = core.lanes[lane].next(&mut begins) {
        core.finish(lane, flight, &mut patience, &*sink, &mut answers);
        answered += 1;
        if answered == SETTLED {
            core.device.avoid_interrupts();
        }
    }
    true
}

/// If this thread is one that answers, and within an answer: answers the next submission of its lane, if it is over, to this sink.
/// Returns whether there was one.
pub(crate) fn drive(engine: usize, sink: &dyn Sink) -> bool {
    let Some(Answering { core, lane, .. }) = answering(engine) else { return false };
    let Some(flight) = core.lanes[lane].next_over(|flight| core.is_over(flight)) else { return false };
    core.finish(lane, flight, &mut Patience::lasting(Patience::DEVICE), sink, &mut Vec::new());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_as_large_as_can_be() {
        const MIB: u64 = 1 << 20;
        for (queues, backlog, submissions, portion) in [
            (1, 0, 2, 16),
            (1, 300, 2, 100),
            (1, 9000, 2, 512),
            (2, 30, 2, 16),
            (2, 300, 2, 100),
            (2, 511, 2, 170),
            (2, 512, 3, 128),
            (2, 1024, 3, 256),
            (4, 640, 4, 128),
            (4, 1200, 5, 200),
        ] {
            let appetite = appetite(backlog * MIB, queues);
            assert_eq!(
                (appetite.submissions, appetite.portion / MIB),
                (submissions, portion),
                "{queues} queues, {backlog} MiB"
            );
        }
    }
}
