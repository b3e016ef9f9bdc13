//! Cancellation and closing.

use super::slot::Entry;
use super::{Queue, Slots};
use crate::error::{ErrorKind, Stage};
use crate::id::RequestId;
use crate::time::Time;

impl<S: Slots> Queue<S> {
    /// Cancels that request. It ends as [`ErrorKind::Cancelled`] once no engine works on it any more, and may or may not have
    /// moved bytes. Returns how many requests that were: 0 if the id names none, or one that is over or about to be.
    pub fn cancel(&mut self, id: RequestId) -> u32 {
        match self.find(id) {
            Some(_) => u32::from(self.cancel_slot(id.slot())),
            None => 0,
        }
    }

    /// Cancels every request whose `tag & mask` equals `value`. Returns how many.
    pub fn cancel_tagged(&mut self, value: u64, mask: u64) -> u32 {
        self.cancel_where(|tag, _| tag & mask == value)
    }

    /// Cancels every request that has not begun. Returns how many.
    pub fn cancel_pending(&mut self) -> u32 {
        self.cancel_where(|_, begun| !begun)
    }

    /// Cancels every request. Returns how many.
    pub fn cancel_all(&mut self) -> u32 {
        self.cancel_where(|_, _| true)
    }

    /// Takes no more entries and cancels what has not begun. Requests under way go on to their end, and all markers fire; then
    /// [`is_idle`](Self::is_idle) holds, no engine has memory of any request, and nothing happens any more. Completions can
    /// still be taken.
    pub fn close(&mut self, now: Time) {
        if self.closed {
            return;
        }
        self.cancel_pending();
        self.submit(now);
        self.closed = true;
    }

    fn cancel_where(&mut self, selects: impl Fn(u64, bool) -> bool) -> u32 {
        let mut cancelled = 0;
        for index in 0..self.capacity() {
            let slot = self.slot(index);
            if slot.entry == Entry::Request && selects(slot.request.tag, slot.is_begun()) {
                cancelled += u32::from(self.cancel_slot(index));
            }
        }
        cancelled
    }

    fn cancel_slot(&mut self, index: u32) -> bool {
        let slot = self.slot(index);
        if slot.stage == Stage::Done || slot.is_stopped() {
            return false;
        }
        if !self.planted_lost_cancel(index) {
            self.stop(index, ErrorKind::Cancelled);
        }
        true
    }
}
