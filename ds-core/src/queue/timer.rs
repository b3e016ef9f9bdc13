//! Deadlines and delayed retries: a binary heap threaded through the slots.
//!
//! Heap position `p` holds the slot number kept in `slots[p].heap_slot`; slot `i` knows its position in
//! `slots[i].heap_position`. The key of a slot is the earlier of its deadline and its next retry.

use super::slot::{NIL, PartState};
use super::{Queue, Slots};
use crate::action::Action;
use crate::error::ErrorKind;
use crate::time::Time;

impl<S: Slots> Queue<S> {
    /// When this slot next needs attention; `None` if time means nothing to it.
    fn due(&self, index: u32) -> Option<Time> {
        let slot = self.slot(index);
        let deadline = if slot.is_stopped() { None } else { slot.request.deadline };
        match (deadline, slot.retry_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Brings the slot's place in the heap in line with [`Self::due`].
    pub(super) fn set_timer(&mut self, index: u32) {
        let position = self.slot(index).heap_position;
        match (self.due(index), position) {
            (None, NIL) => {}
            (None, position) => self.heap_remove(position),
            (Some(_), NIL) => {
                let position = self.heap_len;
                self.heap_len += 1;
                self.heap_put(position, index);
                self.sift_up(position);
            }
            (Some(_), position) => {
                self.sift_up(position);
                self.sift_down(self.slot(index).heap_position);
            }
        }
    }

    /// Handles every deadline and retry that is due.
    pub(super) fn run_timers(&mut self, now: Time) {
        while self.heap_len > 0 {
            let index = self.slot(0).heap_slot;
            if self.due(index).is_none_or(|due| due > now) {
                break;
            }
            let slot = self.slot_mut(index);
            if slot.request.deadline.is_some_and(|deadline| deadline <= now) && !slot.is_stopped() {
                self.stop(index, ErrorKind::TimedOut);
                continue;
            }
            let mut next: Option<Time> = None;
            for (state, part) in slot.states.iter_mut().zip(&slot.parts) {
                if *state == PartState::Backoff {
                    if part.due <= now {
                        *state = PartState::Again;
                    } else {
                        next = Some(next.map_or(part.due, |next| next.min(part.due)));
                    }
                }
            }
            match slot.work_backoff {
                Some(at) if at <= now => slot.work_backoff = None,
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
            slot.retry_at = next;
            self.set_timer(index);
            self.resume(index);
        }
    }

    /// A wake-up to announce, if the earliest time has changed since the last announcement.
    pub(super) fn announce_wake(&mut self) -> Option<Action> {
        let at = if self.heap_len == 0 { None } else { self.due(self.slot(0).heap_slot) };
        (at != self.announced).then(|| {
            self.announced = at;
            Action::Wake { at }
        })
    }

    fn heap_put(&mut self, position: u32, index: u32) {
        self.slot_mut(position).heap_slot = index;
        self.slot_mut(index).heap_position = position;
    }

    fn earlier(&self, a: u32, b: u32) -> bool {
        self.due(self.slot(a).heap_slot) < self.due(self.slot(b).heap_slot)
    }

    fn heap_swap(&mut self, a: u32, b: u32) {
        let (at_a, at_b) = (self.slot(a).heap_slot, self.slot(b).heap_slot);
        self.heap_put(a, at_b);
        self.heap_put(b, at_a);
    }

    fn sift_up(&mut self, mut position: u32) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if !self.earlier(position, parent) {
                break;
            }
            self.heap_swap(position, parent);
            position = parent;
        }
    }

    fn sift_down(&mut self, mut position: u32) {
        loop {
            let mut least = position;
            for child in [2 * position + 1, 2 * position + 2] {
                if child < self.heap_len && self.earlier(child, least) {
                    least = child;
                }
            }
            if least == position {
                break;
            }
            self.heap_swap(position, least);
            position = least;
        }
    }

    fn heap_remove(&mut self, position: u32) {
        let removed = self.slot(position).heap_slot;
        let last = self.heap_len - 1;
        if position != last {
            self.heap_swap(position, last);
        }
        self.heap_len = last;
        self.slot_mut(removed).heap_position = NIL;
        if position < last {
            let moved = self.slot(position).heap_slot;
            self.sift_up(position);
            self.sift_down(self.slot(moved).heap_position);
        }
    }
}
