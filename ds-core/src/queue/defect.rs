//! Defects to plant on purpose: the simulation must catch each. Exists only with the private feature `__defects`.

use super::slot::{Entry, List, Lists};
use super::{Queue, Slots};

/// What to get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Now and then a completion is delivered twice.
    DoubleCompletion,
    /// Cancelling a request that engines work on does nothing.
    LostCancel,
    /// A stopped request ends before engines have answered.
    EarlyRelease,
    /// A marker fires although the entry before it is not done.
    FifoBreach,
}

impl<S: Slots> Queue<S> {
    /// Plants a defect.
    pub fn plant(&mut self, defect: Defect) {
        self.defect = Some(defect);
    }

    pub(super) fn planted_double_completion(&mut self, index: u32) -> bool {
        let planted = self.defect == Some(Defect::DoubleCompletion);
        let slot = self.slot_mut(index);
        planted && slot.sequence % 61 == 7 && !core::mem::replace(&mut slot.blocked, true)
    }

    pub(super) fn planted_lost_cancel(&self, index: u32) -> bool {
        self.defect == Some(Defect::LostCancel) && self.slot(index).flying() > 0
    }

    pub(super) fn planted_early_release(&self) -> bool {
        self.defect == Some(Defect::EarlyRelease)
    }

    pub(super) fn planted_fifo_breach(&self) -> bool {
        let second = self
            .lists
            .head(List::Order)
            .and_then(|head| Lists::following(self.slots.as_ref(), List::Order, head))
            .map(|second| self.slot(second).entry);
        self.defect == Some(Defect::FifoBreach) && second.is_some_and(Entry::is_marker)
    }
}
