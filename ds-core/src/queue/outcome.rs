//! Outcomes in: what follows from what came of an operation. Short transfers, interruptions and retries are decided here,
//! for every engine alike.

use super::slot::{Leg, List, PARTS, PartState, WORK_PART, Work};
use super::{Queue, Slots};
use crate::action::{DecodeStep, Done, Fault, Outcome};
use crate::error::{ErrorKind, UnknownOp};
use crate::id::OpId;
use crate::request::Place;
use crate::time::Time;

/// `EINTR`: the same number on every Linux.
const INTERRUPTED: i32 = 4;
/// `EAGAIN`: the same number on every Linux.
const TRY_AGAIN: i32 = 11;
/// `ECANCELED`: what a cancelled kernel operation answers.
const CANCELED: i32 = 125;

/// Doublings of the retry delay: up to 1024 times the first.
const MAX_BACKOFF_SHIFT: u16 = 10;

/// What follows from a fault.
enum Verdict {
    Retry,
    RetryLater,
    Stop(ErrorKind),
}

impl Verdict {
    fn of(fault: Fault, cancelled: bool) -> Self {
        match fault {
            Fault::Os(INTERRUPTED) => Self::Retry,
            Fault::Os(TRY_AGAIN) | Fault::Busy => Self::RetryLater,
            Fault::Os(CANCELED) if cancelled => Self::Stop(ErrorKind::Cancelled),
            Fault::Os(errno) => Self::Stop(ErrorKind::Io { errno }),
            Fault::OutOfMemory => Self::Stop(ErrorKind::OutOfMemory),
            Fault::Corrupt(corrupt) => Self::Stop(ErrorKind::Corrupt(corrupt)),
            Fault::Unsupported(what) => Self::Stop(ErrorKind::Unsupported(what)),
            Fault::DeviceLost => Self::Stop(ErrorKind::DeviceLost),
            Fault::Cancelled => Self::Stop(ErrorKind::Cancelled),
        }
    }

    /// The errno to report when a retry has been tried too often.
    const fn exhausted(fault: Fault) -> ErrorKind {
        match fault {
            Fault::Os(errno) => ErrorKind::Io { errno },
            _ => ErrorKind::Io { errno: TRY_AGAIN },
        }
    }
}

impl<S: Slots> Queue<S> {
    /// Takes what came of an operation.
    ///
    /// # Errors
    /// [`UnknownOp`] if that operation is not outstanding. The queue is then as it was.
    pub fn handle_outcome(&mut self, outcome: Outcome, now: Time) -> Result<(), UnknownOp> {
        let (index, number) = (outcome.op.slot(), outcome.op.part());
        let slot = self.slots.as_ref().get(index as usize).ok_or(UnknownOp(outcome.op))?;
        let outstanding = match number {
            0..PARTS => slot.states[number].is_flying().then(|| slot.parts[number].serial),
            WORK_PART => slot.work.map(|_| slot.work_serial),
            _ => None,
        };
        if outstanding.map(|serial| OpId::new(index, number as u32, serial)) != Some(outcome.op) {
            return Err(UnknownOp(outcome.op));
        }
        self.slot_mut(index).path |= outcome.path;
        if number == WORK_PART {
            self.work_done(index, outcome.result, now);
        } else {
            match self.slot(index).parts[number].leg {
                Leg::File => {
                    self.transfers_flying -= 1;
                    self.transfer_done(index, number, outcome.result, now);
                }
                Leg::Device => self.relay_done(index, number, outcome.result, now),
            }
            self.transfer_progress(index, now);
        }
        self.resume(index);
        Ok(())
    }

    fn transfer_done(&mut self, index: u32, number: usize, result: Result<Done, Fault>, now: Time) {
        let slot = self.slot_mut(index);
        let stopped = slot.is_stopped();
        let writing = slot.plan.place == Place::Write;
        let part = &mut slot.parts[number];
        let left = part.len - part.done;
        slot.states[number] = PartState::Idle;
        match result {
            Ok(Done::Moved(moved)) if moved > left => {
                self.stop(index, ErrorKind::EngineFault("it moved more bytes than it was asked for"));
            }
            Ok(Done::Moved(0)) if !writing => {
                let end = part.offset + part.done;
                slot.eof = Some(slot.eof.map_or(end, |eof| eof.min(end)));
                slot.take_other_leg(number, Leg::Device);
            }
            Ok(Done::Moved(0)) => {
                let got = slot.moved;
                let requested = slot.transfer_len();
                self.stall(index, number, None, ErrorKind::WriteZero { requested, got });
            }
            Ok(Done::Moved(moved)) => {
                part.done += moved;
                part.stalls = 0;
                slot.moved += moved;
                if moved < left && !stopped {
                    slot.states[number] = PartState::Again;
                    self.stats.retries += 1;
                } else if !writing {
                    slot.take_other_leg(number, Leg::Device);
                }
            }
            Ok(_) => self.stop(index, ErrorKind::EngineFault("it answered a transfer with something else")),
            Err(fault) => self.part_failed(index, number, fault, now),
        }
    }

    /// A copy between a lease and a device is over: a sub-transfer of a relayed request, on the way that is no file I/O.
    fn relay_done(&mut self, index: u32, number: usize, result: Result<Done, Fault>, now: Time) {
        let slot = self.slot_mut(index);
        let writing = slot.plan.place == Place::Write;
        let part = &mut slot.parts[number];
        slot.states[number] = PartState::Idle;
        match result {
            Ok(Done::Moved(moved)) if moved == part.len => {
                part.done = moved;
                part.stalls = 0;
                if writing {
                    slot.take_other_leg(number, Leg::File);
                }
            }
            Ok(_) => self.stop(index, ErrorKind::EngineFault("it answered a copy with something else")),
            Err(fault) => self.part_failed(index, number, fault, now),
        }
    }

    fn part_failed(&mut self, index: u32, number: usize, fault: Fault, now: Time) {
        match Verdict::of(fault, self.slot(index).is_stopped()) {
            Verdict::Retry => self.stall(index, number, None, Verdict::exhausted(fault)),
            Verdict::RetryLater => self.stall(index, number, Some(now), Verdict::exhausted(fault)),
            Verdict::Stop(kind) => self.stop(index, kind),
        }
    }

    /// Nothing moved: tries again, at once or (given the time) later, or gives up.
    fn stall(&mut self, index: u32, number: usize, now: Option<Time>, exhausted: ErrorKind) {
        let (max, delay) = (self.config.max_stalls, self.config.retry_delay);
        let slot = self.slot_mut(index);
        if slot.is_stopped() {
            return;
        }
        let stalls = if number == WORK_PART { &mut slot.work_stalls } else { &mut slot.parts[number].stalls };
        *stalls += 1;
        if *stalls > max {
            self.stop(index, exhausted);
            return;
        }
        let due =
            now.map(|now| now.after_nanos(delay.saturating_mul(1 << (*stalls - 1).min(MAX_BACKOFF_SHIFT))));
        if number == WORK_PART {
            slot.work_backoff = due;
        } else {
            slot.states[number] = if due.is_some() { PartState::Backoff } else { PartState::Again };
            slot.parts[number].due = due.unwrap_or_default();
        }
        if let Some(due) = due {
            slot.retry_at = Some(slot.retry_at.map_or(due, |at| at.min(due)));
            self.set_timer(index);
        }
        self.stats.retries += 1;
    }

    /// Sees whether the whole transfer is over.
    fn transfer_progress(&mut self, index: u32, now: Time) {
        let slot = self.slot_mut(index);
        if slot.is_stopped() || slot.states != [PartState::Idle; PARTS] {
            return;
        }
        let requested = slot.transfer_len();
        if slot.eof.is_none() && slot.dealt < requested {
            return;
        }
        if slot.plan.place == Place::Write {
            slot.fetched = true;
            slot.placed = true;
            return;
        }
        let got = slot.prefix();
        if got < requested && !slot.request.allow_short {
            self.stop(index, ErrorKind::EndOfFile { requested, got });
            return;
        }
        slot.fetched = true;
        slot.marks.fetched = now;
        // What was relayed has been copied as it came.
        slot.placed |= slot.plan.relay;
    }

    fn work_done(&mut self, index: u32, result: Result<Done, Fault>, now: Time) {
        let epoch = self.staging_epoch;
        let slot = self.slot_mut(index);
        let Some(work) = slot.work.take() else { return };
        let stopped = slot.is_stopped();
        if work == Work::Sync {
            self.transfers_flying -= 1;
        }
        let slot = self.slot_mut(index);
        if result.is_ok() {
            slot.work_stalls = 0;
        }
        match (work, result) {
            (Work::Lease, Ok(Done::Leased(lease))) => {
                slot.lease = Some(lease);
                self.woken.take_if(|woken| *woken == index);
                self.unpark_next();
            }
            (Work::Lease, Err(Fault::Busy)) => {
                let missed_release = slot.lease_epoch != epoch;
                if stopped {
                    return;
                }
                if self.woken.take_if(|woken| *woken == index).is_some() {
                    self.lists.push_front(self.slots.as_mut(), List::Parked, index);
                } else {
                    self.push(List::Parked, index);
                }
                if missed_release {
                    self.unpark_next();
                }
            }
            (Work::Fetch, Ok(Done::Moved(moved))) if moved == slot.request.source.len() => {
                slot.fetched = true;
                slot.marks.fetched = now;
            }
            (Work::Place, Ok(Done::Moved(moved))) if moved == slot.placed_len() => slot.placed = true,
            (Work::Sync, Ok(Done::Synced)) => slot.placed = true,
            (Work::Decode, Ok(Done::Decoded(step))) => self.decode_step(index, step, now),
            (_, Ok(_)) => {
                self.stop(index, ErrorKind::EngineFault("it answered an operation with something else"));
            }
            (_, Err(fault)) => match Verdict::of(fault, stopped) {
                Verdict::Retry => self.stall(index, WORK_PART, None, Verdict::exhausted(fault)),
                Verdict::RetryLater => self.stall(index, WORK_PART, Some(now), Verdict::exhausted(fault)),
                Verdict::Stop(kind) => self.stop(index, kind),
            },
        }
    }

    fn decode_step(&mut self, index: u32, step: DecodeStep, now: Time) {
        let slot = self.slot_mut(index);
        let whole = slot.request.source.len();
        let expected = slot.request.uncompressed_size;
        let wrong = if step.produced > expected {
            "its transform made more than it was asked for"
        } else if step.finished && step.produced != expected {
            "its transform finished without making what it was asked for"
        } else if !step.finished && step.wants > whole {
            "its transform wants more input than there is"
        } else if !step.finished
            && step.wants <= slot.offered
            && (step.cursor, step.produced) == (slot.cursor, slot.produced)
        {
            "its transform makes no progress"
        } else {
            slot.cursor = step.cursor;
            slot.wants = step.wants;
            slot.produced = step.produced;
            if step.finished {
                slot.decoded = true;
                slot.marks.decoded = now;
            }
            return;
        };
        self.stop(index, ErrorKind::EngineFault(wrong));
    }
}
