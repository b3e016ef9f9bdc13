//! A submission: being put together, under way, over, and put together again.

use ds_core::Fault;
use ds_engine::Finished;

use super::batch::Batch;
use super::slot::Slot;
use super::timeline::{Reached, Timelines};

/// A submission, and all its memory, which is held here until the device is through with it.
pub(crate) struct Flight {
    pub(crate) slot: Slot,
    pub(crate) batch: Batch,
    /// What it is called, from when it is sent: later ones have higher numbers. Timelines reach this value when it is over.
    pub(crate) value: u64,
    pub(crate) state: State,
}

/// What a submission came to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// The device was given something to do: it is done when the timelines have come so far.
    Submitted(Reached),
    /// The device had nothing to do.
    Idle,
    /// The device was not given it, and has nothing of it.
    Failed(Fault),
}

impl Flight {
    /// One that has nothing to do.
    pub(crate) fn new(slot: Slot) -> Self {
        Self { slot, batch: Batch::default(), value: 0, state: State::Idle }
    }

    /// Whether its end need not be waited for.
    pub(crate) fn is_over(&self, timelines: &Timelines) -> bool {
        match self.state {
            State::Submitted(reached) => timelines.have_reached(reached),
            State::Idle | State::Failed(_) => true,
        }
    }

    /// Waits for its end, and says what went wrong with all of it. `lost` is asked once the device is through.
    pub(crate) fn wait(&self, timelines: &Timelines, lost: impl FnOnce() -> bool) -> Option<Fault> {
        match self.state {
            State::Submitted(reached) => match timelines.wait(reached) {
                Ok(()) if lost() => Some(Fault::DeviceLost),
                Ok(()) => None,
                // Lost or not: the wait has marked it as such.
                Err(_) => Some(Fault::DeviceLost),
            },
            State::Idle => None,
            State::Failed(fault) => Some(fault),
        }
    }

    /// Says what to answer, now that it is over and this came of it; then the next submission can use it.
    pub(crate) fn answer(&mut self, fault: Option<Fault>, answers: &mut Vec<Finished>) {
        let words = self.slot.words();
        answers.extend(self.batch.parts.drain(..).filter_map(|part| part.finish(fault, &words)));
        self.batch.clear();
    }

    /// How far the timelines have come when it is over, by its doing.
    pub(crate) fn reached(&self) -> Reached {
        match self.state {
            State::Submitted(reached) => reached,
            State::Idle | State::Failed(_) => Reached::default(),
        }
    }
}
