//! Actions out: what to do next.
//!
//! Ending comes before beginning: notices, cancellations, then work on requests under way; then their transfers and new
//! requests in turn. Within each list the queue goes round robin, one operation per turn, so a huge request and a small
//! one alternate.

use super::slot::{Entry, Leg, List, Lists, Part, PartState, WORK_PART, Work};
use super::{Queue, Slots};
use crate::action::{Action, Decode, Memory, Room, Span};
use crate::completion::Notice;
use crate::error::Stage;
use crate::id::OpId;
use crate::request::{Fetch, Location, Operation, Place};
use crate::time::Time;

impl<S: Slots> Queue<S> {
    /// The next thing to do; `None` when there is nothing for now. See [`Action`] for what each wants and [`Room`] for what
    /// may be held back.
    #[must_use = "an action that is dropped is never performed, and its request never ends"]
    pub fn poll_action(&mut self, now: Time, room: Room) -> Option<Action> {
        self.run_timers(now);
        loop {
            let action = self.fire_marker().or_else(|| self.next_cancel()).or_else(|| self.next_work(now));
            if action.is_some() {
                return action;
            }
            if room == Room::Any {
                // Those that wait to begin and those under way take turns, or a driver that performs each action before it
                // asks for the next would see one huge request to its end first.
                if !self.begun_last
                    && let Some(index) = self.begin_next(now)
                {
                    if self.may_start_at_once(index) {
                        return Some(self.start_transfer(index));
                    }
                    self.resume(index);
                    self.begun_last = true;
                    continue;
                }
                self.begun_last = false;
                if let Some(action) = self.next_transfer() {
                    return Some(action);
                }
                if let Some(index) = self.begin_next(now) {
                    self.resume(index);
                    continue;
                }
            }
            return self.announce_wake();
        }
    }

    /// Staging memory was given back, by this queue or another: requests waiting for some may try again. The driver calls it
    /// after it has performed an [`Action::Release`], on every queue whose [`Action::Lease`] may have been refused.
    pub fn staging_released(&mut self) {
        self.staging_epoch += 1;
        self.unpark_next();
    }

    /// Puts a request that may have something to do where polling finds it.
    pub(super) fn resume(&mut self, index: u32) {
        let slot = self.slot(index);
        if slot.entry != Entry::Request || slot.stage == Stage::Done {
            return;
        }
        let over = slot.is_stopped() || slot.is_complete();
        let work = if over {
            slot.flying() == 0
        } else {
            slot.is_begun() && !self.is_in(List::Parked, index) && self.wants_work(index)
        };
        let transfer = !over && self.slot(index).is_begun() && self.wants_transfer(index);
        if work && Lists::is_free_for(self.slots.as_ref(), List::Work, index) {
            self.push(List::Work, index);
        }
        if transfer && Lists::is_free_for(self.slots.as_ref(), List::Transfer, index) {
            self.push(List::Transfer, index);
        }
    }

    /// The first waiting request asks for its lease again.
    pub(super) fn unpark_next(&mut self) {
        if self.woken.is_none()
            && let Some(index) = self.pop(List::Parked)
        {
            self.woken = Some(index);
            self.resume(index);
        }
    }

    /// Whether the request needs a lease and others have waited longer for theirs.
    fn must_queue_for_lease(&self, index: u32) -> bool {
        self.wants_lease(index)
            && match self.woken {
                Some(woken) => woken != index,
                None => self.lists.head(List::Parked).is_some(),
            }
    }

    /// Where there are no markers, as mostly, the first entry need not be looked at.
    #[inline]
    fn fire_marker(&mut self) -> Option<Action> {
        if self.markers == 0 { None } else { self.fire_first() }
    }

    fn fire_first(&mut self) -> Option<Action> {
        let mut head = self.lists.head(List::Order)?;
        if self.planted_fifo_breach() {
            head = Lists::following(self.slots.as_ref(), List::Order, head).unwrap_or(head);
        }
        let slot = self.slot_mut(head);
        if !slot.submitted || !slot.entry.is_marker() {
            return None;
        }
        let notice = match slot.entry {
            Entry::Status(token) => Notice::Status { token, first_failure: slot.carried.take() },
            Entry::Signal(token) => Notice::Signal(token),
            Entry::Event(token) => Notice::Event(token),
            Entry::Free | Entry::Request => return None,
        };
        self.leave_order(head, None);
        self.vacate(head);
        self.markers -= 1;
        self.stats.notices += 1;
        Some(Action::Notify(notice))
    }

    fn next_cancel(&mut self) -> Option<Action> {
        while let Some(index) = self.lists.head(List::Cancel) {
            let slot = self.slot_mut(index);
            for (number, state) in slot.states.iter_mut().enumerate() {
                if *state == PartState::Flying {
                    *state = PartState::FlyingCancelled;
                    let serial = slot.parts[number].serial;
                    return Some(Action::Cancel { op: OpId::new(index, number as u32, serial) });
                }
            }
            if slot.work.is_some() && !slot.work_cancelled {
                slot.work_cancelled = true;
                return Some(Action::Cancel { op: OpId::new(index, WORK_PART as u32, slot.work_serial) });
            }
            self.unlink(List::Cancel, index);
        }
        None
    }

    fn next_work(&mut self, now: Time) -> Option<Action> {
        while let Some(index) = self.pop(List::Work) {
            let slot = self.slot_mut(index);
            if slot.is_stopped() || slot.is_complete() {
                if slot.flying() > 0 && !self.planted_early_release() {
                    continue;
                }
                if let Some(lease) = self.slot_mut(index).lease.take() {
                    self.push(List::Work, index);
                    return Some(Action::Release { lease });
                }
                self.finish(index, now);
                // A marker behind it may fire, and that comes first.
                if let Some(action) = self.fire_marker() {
                    return Some(action);
                }
                continue;
            }
            if self.must_queue_for_lease(index) {
                self.push(List::Parked, index);
            } else if self.wants_relay(index) {
                let action = self.start_part(index, Leg::Device);
                self.resume(index);
                return Some(action);
            } else if self.wants_work(index) {
                return Some(self.start_work(index));
            }
        }
        None
    }

    fn wants_lease(&self, index: u32) -> bool {
        let slot = self.slot(index);
        slot.lease.is_none() && slot.plan.lease_len() > 0
    }

    /// Whether a request under way can start an operation that is no sub-transfer.
    fn wants_work(&self, index: u32) -> bool {
        let slot = self.slot(index);
        if slot.work.is_some() || slot.work_backoff.is_some() {
            return false;
        }
        if self.wants_lease(index) {
            return true;
        }
        if slot.plan.relay {
            return self.wants_relay(index);
        }
        if slot.plan.fetch == Fetch::Device && !slot.fetched {
            return true;
        }
        if !slot.decoded {
            return slot.fetched || slot.available() >= slot.wants.max(1);
        }
        slot.fetched && slot.plan.place == Place::Copy && !slot.placed
    }

    /// Whether a relayed request under way can start a copy between its lease and the device.
    fn wants_relay(&self, index: u32) -> bool {
        let slot = self.slot(index);
        slot.plan.relay
            && slot.lease.is_some()
            && (slot.waiting_part(Leg::Device).is_some()
                || slot.first_leg() == Leg::Device && slot.can_deal())
    }

    fn start_work(&mut self, index: u32) -> Action {
        let serial = self.next_serial();
        let op = OpId::new(index, WORK_PART as u32, serial);
        let wants_lease = self.wants_lease(index);
        let epoch = self.staging_epoch;
        let slot = self.slot_mut(index);
        let plan = slot.plan;
        let (work, action) = if wants_lease {
            slot.lease_epoch = epoch;
            (Work::Lease, Action::Lease { op, len: plan.lease_len() })
        } else if !slot.fetched && plan.fetch == Fetch::Device {
            (Work::Fetch, Action::Copy { op, from: end(slot.request.source), into: input(slot) })
        } else if !slot.decoded {
            slot.offered = slot.available();
            let decode = Decode {
                op,
                transform: slot.request.transform,
                on: slot.request.processor,
                from: input(slot),
                available: slot.offered,
                cursor: slot.cursor,
                into: output(slot),
            };
            (Work::Decode, Action::Decode(decode))
        } else {
            let from = if plan.decode { output(slot) } else { input(slot).part(0, slot.placed_len()) };
            (Work::Place, Action::Copy { op, from, into: end(slot.request.destination).part(0, from.len) })
        };
        slot.work = Some(work);
        slot.work_serial = serial;
        slot.work_cancelled = false;
        action
    }

    /// Whether a request under way can start a sub-transfer or a sync.
    fn wants_transfer(&self, index: u32) -> bool {
        let slot = self.slot(index);
        if self.wants_lease(index) || slot.work == Some(Work::Lease) {
            return false;
        }
        if slot.plan.sync {
            return slot.work.is_none() && slot.work_backoff.is_none() && !slot.placed;
        }
        slot.waiting_part(Leg::File).is_some() || slot.first_leg() == Leg::File && slot.can_deal()
    }

    fn next_transfer(&mut self) -> Option<Action> {
        while self.transfers_flying < self.config.max_transfers {
            let index = self.pop(List::Transfer)?;
            let slot = self.slot(index);
            if slot.is_stopped() || !self.wants_transfer(index) {
                continue;
            }
            return Some(self.start_transfer(index));
        }
        None
    }

    /// Whether the transfer of a request that has just begun is the next, as it would be if it were put in line: nobody is there
    /// before it, and it wants nothing else first.
    fn may_start_at_once(&self, index: u32) -> bool {
        self.lists.head(List::Transfer).is_none()
            && self.transfers_flying < self.config.max_transfers
            && !self.wants_work(index)
            && self.wants_transfer(index)
    }

    /// Starts what file I/O the request wants; puts it back in line if it wants more.
    fn start_transfer(&mut self, index: u32) -> Action {
        self.transfers_flying += 1;
        if !self.slot(index).plan.sync {
            let action = self.start_part(index, Leg::File);
            if self.wants_transfer(index) {
                self.push(List::Transfer, index);
            }
            return action;
        }
        let serial = self.next_serial();
        let op = OpId::new(index, WORK_PART as u32, serial);
        let slot = self.slot_mut(index);
        slot.work = Some(Work::Sync);
        slot.work_serial = serial;
        slot.work_cancelled = false;
        let Location::File { file, .. } = slot.request.destination else {
            unreachable!("a sync is planned only for a file")
        };
        Action::Sync { op, file, data_only: slot.request.operation == Operation::Fdatasync }
    }

    /// Starts a sub-transfer that waits on that way, or deals a new one.
    fn start_part(&mut self, index: u32, leg: Leg) -> Action {
        let serial = self.next_serial();
        let chunk = self.config.chunk_size;
        let slot = self.slot_mut(index);
        let number = slot.waiting_part(leg).unwrap_or_else(|| {
            let number = slot.idle_part().expect("whoever asks has seen an idle part");
            let most = if slot.plan.relay { slot.plan.piece } else { chunk };
            let len = most.min(slot.transfer_len() - slot.dealt);
            let part = &mut slot.parts[number];
            (part.offset, part.len, part.leg) = (slot.dealt, len, leg);
            (part.done, part.stalls) = (0, 0);
            slot.dealt += len;
            number
        });
        let part = &mut slot.parts[number];
        slot.states[number] = PartState::Flying;
        part.serial = serial;
        let Part { offset, done, len, .. } = *part;
        let op = OpId::new(index, number as u32, serial);
        let (at, len) = (offset + done, len - done);
        // A relayed one lies in a piece of its own, wherever in the transfer it is.
        let span =
            input(slot).part(if slot.plan.relay { number as u64 * slot.plan.piece + done } else { at }, len);
        match (leg, slot.request.source, slot.request.destination) {
            (Leg::Device, source @ Location::Device { .. }, _) => {
                Action::Copy { op, from: end(source).part(at, len), into: span }
            }
            (Leg::Device, _, destination) => {
                Action::Copy { op, from: span, into: end(destination).part(at, len) }
            }
            (Leg::File, Location::File { file, offset, .. }, _) => {
                Action::Read { op, file, offset: offset + at, into: span }
            }
            (Leg::File, _, Location::File { file, offset, .. }) => {
                Action::Write { op, file, offset: offset + at, from: span }
            }
            (Leg::File, ..) => unreachable!("a transfer is planned only from or to a file"),
        }
    }

    /// Lets the first waiting request begin, if there is room for its bytes. Its operations are still to be put in line.
    fn begin_next(&mut self, now: Time) -> Option<u32> {
        let index = self.lists.head(List::Begin)?;
        let footprint = self.slot(index).footprint();
        // More bytes than 64 bits count are more than any limit.
        let bytes = self.stats.bytes_in_flight.checked_add(footprint)?;
        if self.begun > 0 && bytes > self.config.max_bytes_in_flight {
            return None;
        }
        self.unlink(List::Begin, index);
        self.begun += 1;
        self.stats.bytes_in_flight = bytes;
        let slot = self.slot_mut(index);
        slot.stage = Stage::Reading;
        slot.marks.begun = now;
        slot.marks.fetched = now;
        slot.marks.decoded = now;
        Some(index)
    }

    fn next_serial(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        serial
    }
}

/// All of one end of a request that is memory.
fn end(location: Location) -> Span {
    match location {
        Location::Host { buffer, offset, len } => Span { memory: Memory::Host(buffer), offset, len },
        Location::Device { device, handle, offset, len } => {
            Span { memory: Memory::Device { device, handle }, offset, len }
        }
        Location::None | Location::File { .. } => unreachable!("only memory is planned as a span"),
    }
}

/// Where the input of the stage after reading lies: in the lease, or in the memory the request names.
fn input(slot: &super::Slot) -> Span {
    match slot.lease {
        Some(lease) if slot.plan.lease_in > 0 => {
            Span { memory: Memory::Lease(lease), offset: 0, len: slot.plan.lease_in }
        }
        // Reading straight into the destination; or an empty source, which needs no place.
        _ if slot.plan.fetch == Fetch::File => {
            let destination = end(slot.request.destination);
            destination.part(0, if slot.plan.decode { 0 } else { destination.len })
        }
        _ => end(slot.request.source),
    }
}

/// Where the transform's output goes: into the lease, or straight to the destination.
fn output(slot: &super::Slot) -> Span {
    match slot.lease {
        Some(lease) if slot.plan.lease_out > 0 => {
            Span { memory: Memory::Lease(lease), offset: slot.plan.output_offset(), len: slot.plan.lease_out }
        }
        // A device's object may take more bytes than its own terms show.
        _ => Span { len: slot.request.uncompressed_size, ..end(slot.request.destination) },
    }
}
