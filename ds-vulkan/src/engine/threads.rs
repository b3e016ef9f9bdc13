//! The engine's two threads: one plans and submits, one waits for the device and answers.
//!
//! They are two so that the next submission is planned, and its bytes are copied, while the device has the last ones. Only the
//! second calls the sink. Code of the application's that runs within an answer, and waits there for other jobs or stops the engine,
//! does that thread's work itself meanwhile.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ds_core::Fault;
use ds_engine::{Finished, Sink, contain};

use super::batch::Recorded;
use super::flight::{Flight, State};
use super::line::{Flights, Line};
use super::plan::{Means, Planned, fault_of};
use super::slot::Slot;
use super::timeline::{Reached, Timelines};
use crate::device::Device;
use crate::error::CallError;

/// What the threads share.
pub(crate) struct Core {
    pub(crate) device: Device,
    pub(crate) line: Line,
    pub(crate) flights: Flights,
    pub(crate) timelines: Timelines,
    /// Bytes of output of the transforms that have been given and not answered.
    pub(crate) backlog: AtomicU64,
}

/// Most bytes in a submission, so that there is always another on its way.
const BATCH_BYTES: u64 = 64 << 20;
/// Most jobs in a submission.
const BATCH_JOBS: usize = 1024;

/// Submits until the engine stops and nothing is left.
pub(crate) fn submit(core: &Core, means: &Means) {
    let mut value = 0;
    while let Some((mut flight, landed)) = core.line.begin() {
        let batch = &mut flight.batch;
        let mut stuck = None;
        while batch.bytes < BATCH_BYTES && batch.parts.len() < BATCH_JOBS {
            let Some(work) = core.line.next() else { break };
            match means.plan(batch, &flight.slot, work) {
                Planned::All => {}
                Planned::Some(rest) => core.line.put_back(rest, false),
                Planned::None(work) => {
                    stuck = Some(work);
                    break;
                }
            }
        }
        let mut flight = match stuck {
            Some(work) if batch.is_empty() => match core.line.wait_for_room(flight, landed) {
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
        value += 1;
        flight.state = core.send(&mut flight, means, value, landed.reached);
        core.flights.add(flight);
    }
}

impl Core {
    /// Sends a batch on its way; the timelines will reach `value`. `landed` is how far they had come when it was begun.
    fn send(&self, flight: &mut Flight, means: &Means, value: u64, landed: Reached) -> State {
        let Flight { slot, batch, .. } = flight;
        let recorded = match batch.record(slot, &means.pipelines) {
            Ok(recorded) => recorded,
            Err(error) => return State::Failed(fault_of(error)),
        };
        match self.submit(slot, recorded, value, landed) {
            Ok(_) if !recorded.transfer && !recorded.main => State::Idle,
            Ok(reached) => State::Submitted(reached),
            Err(error) => State::Failed(fault_of(error)),
        }
    }

    /// What has been answered is seen by what is submitted after that, on either queue: each submission waits for it, which costs
    /// nothing, for it is over, and makes its writes visible.
    fn submit(
        &self,
        slot: &mut Slot,
        recorded: Recorded,
        value: u64,
        landed: Reached,
    ) -> Result<Reached, CallError> {
        let Timelines { transfer, main } = &self.timelines;
        let mut reached = Reached::default();
        if recorded.transfer {
            slot.transfer.submit(&self.timelines.at(landed), transfer.at(value))?;
            reached.transfer = value;
        }
        if recorded.main {
            let submitted = slot.main.submit(&self.timelines.at(landed.max(reached)), main.at(value));
            if submitted.is_err() && recorded.transfer {
                // Nobody else will wait for these, and they have the jobs' memory.
                let _ = transfer.wait(value);
            }
            submitted?;
            reached.main = value;
        }
        Ok(reached)
    }

    /// Waits for the end of a submission and answers.
    fn finish(&self, mut flight: Flight, sink: &dyn Sink, answers: &mut Vec<Finished>) {
        self.backlog.fetch_sub(flight.batch.content(), Ordering::Relaxed);
        flight.finish(&self.timelines, || self.device.is_lost(), answers);
        self.line.land(flight);
        if !answers.is_empty() {
            // A panic in the sink has been told by the panic hook and ends here: other requests need this thread.
            let _ = contain(|| sink.complete(answers));
            answers.clear();
        }
    }
}

/// What the thread that answers works for.
#[derive(Clone)]
struct Answering {
    /// Which engine.
    engine: usize,
    core: Arc<Core>,
    sink: Arc<dyn Sink>,
}

thread_local! {
    /// What this thread works for, if it is one that answers.
    static ANSWERING: RefCell<Option<Answering>> = const { RefCell::new(None) };
}

/// What this thread works for, if it is the one that answers for this engine. One that is ending works for nobody any more.
fn answering(engine: usize) -> Option<Answering> {
    let found =
        |cell: &RefCell<Option<Answering>>| cell.borrow().clone().filter(|known| known.engine == engine);
    ANSWERING.try_with(found).ok().flatten()
}

/// Answers until nothing more will be submitted. `engine` names the engine.
pub(crate) fn answer(engine: usize, core: Arc<Core>, sink: Arc<dyn Sink>) {
    /// Lets go of engine and sink even if something panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            drop(ANSWERING.take());
        }
    }
    let _ends = Ends;
    ANSWERING.set(Some(Answering { engine, core, sink }));
    finish_all(engine);
}

/// If this thread is the one that answers: answers until nothing more will be submitted. Returns whether it is.
pub(crate) fn finish_all(engine: usize) -> bool {
    let Some(Answering { core, sink, .. }) = answering(engine) else { return false };
    let mut answers = Vec::new();
    while let Some(flight) = core.flights.next() {
        core.finish(flight, &*sink, &mut answers);
    }
    true
}

/// If this thread is the one that answers, and within an answer: answers the next submission, if it is over, to this sink.
/// Returns whether there was one.
pub(crate) fn drive(engine: usize, sink: &dyn Sink) -> bool {
    let Some(Answering { core, .. }) = answering(engine) else { return false };
    let Some(flight) = core.flights.next_over(|flight| flight.is_over(&core.timelines)) else { return false };
    core.finish(flight, sink, &mut Vec::new());
    true
}
