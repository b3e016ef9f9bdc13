//! Entries in: enqueue, submit, auto-submit.

use super::slot::{Entry, List, NIL, Stop};
use super::{Queue, Slots};
use crate::completion::{EventToken, SignalToken, StatusToken};
use crate::error::{Error, ErrorKind, Stage};
use crate::id::RequestId;
use crate::request::{Fetch, Place, Request};
use crate::time::Time;

impl<S: Slots> Queue<S> {
    /// Adds a request. It does nothing before [`submit`](Self::submit).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] and [`ErrorKind::TooLarge`] if the request can never work, [`ErrorKind::QueueFull`],
    /// [`ErrorKind::Closed`]. The queue is then as it was.
    pub fn try_enqueue(&mut self, request: &Request, now: Time) -> Result<RequestId, Error> {
        let plan = request.plan(self.config.max_lease, self.config.chunk_size)?;
        let index = self.occupy(Entry::Request, now)?;
        let slot = self.slot_mut(index);
        slot.request = *request;
        slot.plan = plan;
        slot.fetched = plan.fetch == Fetch::Nothing || request.source.is_empty();
        slot.decoded = !plan.decode;
        slot.placed = match plan.place {
            Place::Nothing => !plan.sync,
            Place::Copy if plan.decode => plan.lease_out == 0,
            Place::Copy => request.destination.is_empty(),
            Place::Write => request.destination.is_empty(),
        };
        let id = slot.id(index);
        self.stats.enqueued += 1;
        self.wait_for_predecessor(index);
        if request.deadline.is_some() {
            self.set_timer(index);
        }
        self.auto_submit(now);
        Ok(id)
    }

    /// Adds a marker that says, when all entries before it are done, which request first failed since the previous status.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::Closed`].
    pub fn enqueue_status(&mut self, token: StatusToken, now: Time) -> Result<(), Error> {
        self.enqueue_marker(Entry::Status(token), now)
    }

    /// Adds a marker that asks for a fence to be signalled when all entries before it are done.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::Closed`].
    pub fn enqueue_signal(&mut self, token: SignalToken, now: Time) -> Result<(), Error> {
        self.enqueue_marker(Entry::Signal(token), now)
    }

    /// Adds a marker that asks for an event to be set when all entries before it are done.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::Closed`].
    pub fn enqueue_event(&mut self, token: EventToken, now: Time) -> Result<(), Error> {
        self.enqueue_marker(Entry::Event(token), now)
    }

    fn enqueue_marker(&mut self, entry: Entry, now: Time) -> Result<(), Error> {
        self.occupy(entry, now)?;
        self.markers += 1;
        self.auto_submit(now);
        Ok(())
    }

    /// Lets everything enqueued so far begin. Returns how many entries that were.
    pub fn submit(&mut self, now: Time) -> u32 {
        let count = self.stats.unsubmitted;
        let mut requests = 0;
        self.lists.pour(self.slots.as_mut(), List::Queued, List::Begin, |slot| {
            slot.submitted = true;
            slot.marks.submitted = now;
            let is_request = slot.entry == Entry::Request;
            if is_request {
                slot.stage = Stage::Submitted;
                requests += 1;
            }
            is_request && !slot.blocked
        });
        self.stats.in_flight += requests;
        self.stats.unsubmitted = 0;
        count
    }

    fn auto_submit(&mut self, now: Time) {
        if self.until_auto_submit() == Some(0) {
            self.submit(now);
        }
    }

    /// If the request names an earlier one that has not ended, makes it wait for it; if that one ended badly, stops it.
    fn wait_for_predecessor(&mut self, index: u32) {
        let Some(after) = self.slot(index).request.after else { return };
        let Some(predecessor) = self.find(after) else { return };
        if predecessor.stage == Stage::Done {
            if predecessor.is_stopped() {
                self.stop(index, ErrorKind::Cancelled);
            }
            return;
        }
        let next = core::mem::replace(&mut self.slot_mut(after.slot()).dependents, index);
        if next != NIL {
            self.slot_mut(next).prev_dependent = index;
        }
        let slot = self.slot_mut(index);
        slot.next_dependent = next;
        slot.blocked = true;
    }

    /// The request no longer waits for an earlier one.
    pub(super) fn leave_predecessor(&mut self, index: u32) {
        let slot = self.slot_mut(index);
        if !core::mem::take(&mut slot.blocked) {
            return;
        }
        let after = slot.request.after;
        let next = core::mem::replace(&mut slot.next_dependent, NIL);
        let prev = core::mem::replace(&mut slot.prev_dependent, NIL);
        if next != NIL {
            self.slot_mut(next).prev_dependent = prev;
        }
        if prev != NIL {
            self.slot_mut(prev).next_dependent = next;
        } else if let Some(after) = after {
            self.slot_mut(after.slot()).dependents = next;
        }
    }

    /// The request has ended: lets those that waited for it begin, or stops them if it ended badly.
    pub(super) fn release_dependents(&mut self, index: u32) {
        let bad = self.slot(index).stop != Stop::No;
        let mut next = core::mem::replace(&mut self.slot_mut(index).dependents, NIL);
        while next != NIL {
            let dependent = next;
            let slot = self.slot_mut(dependent);
            next = core::mem::replace(&mut slot.next_dependent, NIL);
            slot.prev_dependent = NIL;
            slot.blocked = false;
            let submitted = slot.submitted;
            if bad {
                self.stop(dependent, ErrorKind::Cancelled);
            } else if submitted {
                self.push(List::Begin, dependent);
            }
        }
    }
}
