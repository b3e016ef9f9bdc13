//! No defects: what every build but the simulation's own gets.

use super::{Queue, Slots};

#[expect(clippy::unused_self, reason = "the same calls as with defects")]
impl<S: Slots> Queue<S> {
    pub(super) const fn planted_double_completion(&self, _index: u32) -> bool {
        false
    }

    pub(super) const fn planted_lost_cancel(&self, _index: u32) -> bool {
        false
    }

    pub(super) const fn planted_early_release(&self) -> bool {
        false
    }

    pub(super) const fn planted_fifo_breach(&self) -> bool {
        false
    }
}
