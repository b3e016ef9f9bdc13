//! How entries end.

use super::slot::{Chain, List, Lists, NIL, PartState, Slot, Stop};
use super::{Queue, Slots};
use crate::completion::{ByteCounts, Completion, Failure};
use crate::error::{Context, Error, ErrorKind, Stage};
use crate::id::RequestId;
use crate::request::{Fetch, Location, Operation, Transform};
use crate::time::Time;

impl<S: Slots> Queue<S> {
    /// The request goes no further: nothing new is started for it, what engines have is hurried, and when they have answered
    /// it ends with `kind`. The first reason stays.
    pub(super) fn stop(&mut self, index: u32, kind: ErrorKind) {
        let slot = self.slot_mut(index);
        if slot.is_stopped() || slot.stage == Stage::Done {
            return;
        }
        slot.stop = Stop::Because(kind);
        slot.work_backoff = None;
        slot.retry_at = None;
        for state in slot.states.iter_mut().filter(|state| !state.is_flying()) {
            *state = PartState::Idle;
        }
        let flying = slot.flying() > 0;
        self.set_timer(index);
        self.leave_predecessor(index);
        self.unlink(List::Begin, index);
        self.unlink(List::Transfer, index);
        self.unlink(List::Parked, index);
        if flying {
            self.push(List::Cancel, index);
        }
        let slot = self.slot(index);
        if slot.is_begun() && slot.lease.is_none() && slot.plan.lease_len() > 0 {
            // It may have been the one a release woke, or the one the others waited behind: that passes to the next in line.
            self.woken.take_if(|woken| *woken == index);
            self.unpark_next();
        }
        if self.planted_early_release() && Lists::is_free_for(self.slots.as_ref(), List::Work, index) {
            self.push(List::Work, index);
        }
        self.resume(index);
    }

    /// The request ends now. No engine has any of its operations, and it holds no lease.
    pub(super) fn finish(&mut self, index: u32, now: Time) {
        if self.is_in(List::Queued, index) {
            self.stats.unsubmitted -= 1;
        } else {
            self.stats.in_flight -= 1;
        }
        for chain in [Chain::Start, Chain::End] {
            self.lists.leave(self.slots.as_mut(), chain, index);
        }
        let slot = self.slot_mut(index);
        slot.marks.ended = now;
        slot.ended_in = slot.reached();
        if !slot.submitted {
            slot.marks.submitted = now;
        }
        if slot.is_begun() {
            let footprint = slot.footprint();
            self.begun -= 1;
            self.stats.bytes_in_flight -= footprint;
        }
        self.count_end(index);
        let slot = self.slot_mut(index);
        slot.stage = Stage::Done;
        slot.request.deadline = None;
        let failure = failure(slot, index);
        if slot.heap_position != NIL {
            self.set_timer(index);
        }
        self.leave_order(index, failure);
        if let Some(failure) = failure {
            self.record.failures += 1;
            if self.record.first.is_none_or(|first| failure.sequence < first.sequence) {
                self.record.first = Some(failure);
            }
        }
        self.stats.undelivered += 1;
        self.push(List::Ended, index);
        self.release_dependents(index);
    }

    /// Takes an entry out of the enqueue order. Its failure, or the one it was handed, passes to the entry behind it: see
    /// "Order, status, failure" in the architecture page.
    pub(super) fn leave_order(&mut self, index: u32, own: Option<Failure>) {
        let following = Lists::following(self.slots.as_ref(), List::Order, index);
        // Whatever it was handed came from entries in front of it.
        let earliest = self.slot_mut(index).carried.take().or(own);
        self.unlink(List::Order, index);
        if earliest.is_some() {
            let heir = match following {
                Some(following) => &mut self.slot_mut(following).carried,
                None => &mut self.carried,
            };
            *heir = earliest;
        }
    }

    /// Hands a completion over and frees its slot.
    // As `completion`.
    #[inline(always)]
    pub(super) fn deliver(&mut self, index: u32) -> Completion {
        let completion = self.completion(index);
        if self.planted_double_completion(index) {
            return completion;
        }
        self.lists.leave(self.slots.as_mut(), Chain::End, index);
        self.stats.undelivered -= 1;
        self.vacate(index);
        completion
    }

    /// Adds an ended request to the statistics.
    fn count_end(&mut self, index: u32) {
        let slot = &self.slots.as_ref()[index as usize];
        match slot.stop {
            Stop::No => self.stats.succeeded += 1,
            Stop::Because(kind) if kind.is_failure() => self.stats.failed += 1,
            Stop::Because(_) => self.stats.cancelled += 1,
        }
        let times = self.config.stage_times.then(|| slot.marks.stage_times());
        self.stats.record(byte_counts(slot), slot.path, slot.marks.latency_nanos(), times);
    }

    // Into whoever makes something else of it: then its parts are moved, and the large whole never is.
    #[inline(always)]
    pub(super) fn completion(&self, index: u32) -> Completion {
        let slot = self.slot(index);
        let id = slot.id(index);
        Completion {
            id,
            tag: slot.request.tag,
            result: result(slot, id),
            bytes: byte_counts(slot),
            path: slot.path,
            latency: slot.marks.latency(),
            times: self.config.stage_times.then(|| slot.marks.stage_times()),
        }
    }
}

/// How a request that is over ended.
#[inline]
pub(super) fn result(slot: &Slot, id: RequestId) -> Result<(), Error> {
    match slot.stop {
        Stop::No => Ok(()),
        Stop::Because(kind) => Err(Error::with_context(kind, context(slot, id))),
    }
}

fn byte_counts(slot: &Slot) -> ByteCounts {
    let request = &slot.request;
    let succeeded = !slot.is_stopped();
    let read = match slot.plan.fetch {
        Fetch::File => slot.moved,
        Fetch::Device if slot.fetched => request.source.len(),
        Fetch::Nothing if request.operation != Operation::Read => slot.moved,
        Fetch::Nothing if succeeded => request.source.len(),
        Fetch::Device | Fetch::Nothing => 0,
    };
    let produced = if request.transform == Transform::None { read } else { slot.produced };
    // A file that grew while it was read may have given bytes behind a gap: those are no result.
    let gapless = produced.min(slot.eof.unwrap_or(u64::MAX));
    let delivered = match request.transform {
        _ if !succeeded => 0,
        Transform::None => gapless,
        _ => produced,
    };
    ByteCounts { read, produced, delivered }
}

fn failure(slot: &Slot, index: u32) -> Option<Failure> {
    match slot.stop {
        Stop::Because(kind) if kind.is_failure() => {
            Some(Failure { id: slot.id(index), tag: slot.request.tag, kind, sequence: slot.sequence })
        }
        _ => None,
    }
}

fn context(slot: &Slot, id: RequestId) -> Context {
    let request = &slot.request;
    let named = match (request.source, request.destination) {
        (file @ Location::File { .. }, _) | (_, file @ Location::File { .. }) => file,
        (source, _) => source,
    };
    Context {
        request: Some(id),
        tag: request.tag,
        operation: Some(request.operation),
        stage: slot.ended_in,
        path: slot.path,
        file: if let Location::File { file, .. } = named { Some(file) } else { None },
        offset: named.offset(),
        len: named.len(),
        source: request.source.kind(),
        destination: request.destination.kind(),
        at: slot.marks.ended,
    }
}
