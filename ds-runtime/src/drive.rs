//! The driver's one step: outcomes in, actions out, performed with no lock held.

use core::cell::Cell;
use std::sync::Arc;

use ds_core::{Action, Done, Fault, Notice, Outcome, Path, Processor, Room, Time};
use ds_engine::{CodecJob, CopyJob, Finished, IoJob, IoOp, JobId, StagingError};

use crate::custom::CustomJob;
use crate::marker::{Marker, Status};
use crate::queue::{QueueInner, State};
use crate::report::{ErrorReport, complain};
use crate::runtime::Shared;
use crate::slots::{Beside, Delivery, OpWorker};
use crate::tell::News;

/// Actions performed per lock: long enough to batch, short enough that others get the lock.
const BATCH: usize = 64;

/// What came of a round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// Transfers started.
    pub(crate) started: usize,
    /// Transfers ended.
    pub(crate) freed: usize,
    /// Whether staging memory was given back.
    released: bool,
    /// Whether requests ended.
    ended: bool,
}

/// What to do once the lock is released. Its vectors keep their memory from round to round.
#[derive(Default)]
struct Batch {
    io: Vec<IoJob>,
    codec: Vec<CodecJob>,
    copies: Vec<CopyJob>,
    /// By the number of the device.
    devices: Vec<DeviceBatch>,
    cancels: Vec<(OpWorker, JobId)>,
    /// Of requests whose tickets are gone: files are closed and buffers freed with no lock held.
    forgotten: Vec<Beside>,
}

/// What an engine of a device is to do.
#[derive(Default)]
struct DeviceBatch {
    steps: Vec<CodecJob>,
    copies: Vec<CopyJob>,
}

impl Batch {
    fn device(&mut self, number: usize) -> &mut DeviceBatch {
        if self.devices.len() <= number {
            self.devices.resize_with(number + 1, DeviceBatch::default);
        }
        &mut self.devices[number]
    }
}

thread_local! {
    /// This thread's batch. Taken while in use.
    static SPARE: Cell<Option<Box<Batch>>> = const { Cell::new(None) };
}

impl Shared {
    /// Hands outcomes to a queue, lets it move on, and performs what it wants; starts at most `budget` file transfers. What the
    /// application is to be told of it is left in the queue: see `tell`.
    pub(crate) fn round(
        self: &Arc<Self>,
        queue: &Arc<QueueInner>,
        finished: &[Finished],
        budget: usize,
    ) -> Round {
        // A thread that is ending has no thread-local values any more.
        let mut batch = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let mut round = Round::default();
        let mut outcomes = finished;
        loop {
            let more = {
                let mut state = queue.lock();
                let now = state.now(self.clock);
                hand_over(&mut state, outcomes, now, &mut round);
                let more = self.collect(queue, &mut state, &mut batch, now, budget, &mut round);
                round.ended |= self.deliver(queue, &mut state, &mut batch);
                more
            };
            outcomes = &[];
            self.perform(&mut batch);
            if !more {
                break;
            }
        }
        let _ = SPARE.try_with(|spare| spare.set(Some(batch)));
        // One that waited for memory may have been cancelled: those behind it are not to wait for it.
        if round.released || round.ended && self.staging().is_waiting(queue.number) {
            self.offer_staging();
        }
        self.bury(queue);
        round
    }

    /// Forgets an abandoned queue that has come to its end.
    pub(crate) fn bury(self: &Arc<Self>, queue: &QueueInner) {
        if !queue.is_abandoned() {
            return;
        }
        let state = queue.lock();
        let over = state.core.is_idle() && !state.told.is_busy();
        drop(state);
        if over {
            self.retire(queue);
            // May be what keeps the engines running.
            drop(queue.release());
        }
    }

    /// Polls the queue for a batch of actions and resolves their tokens. Returns whether there may be more.
    fn collect(
        self: &Arc<Self>,
        queue: &QueueInner,
        state: &mut State,
        batch: &mut Batch,
        now: Time,
        budget: usize,
        round: &mut Round,
    ) -> bool {
        for _ in 0..BATCH {
            let room = if round.started < budget { Room::Any } else { Room::NoTransfers };
            let Some(action) = state.core.poll_action(now, room) else {
                // With room, what is left cannot start now; whatever changes that will set the flag again.
                queue.set_wants(room == Room::NoTransfers && state.core.wants_transfers());
                return false;
            };
            round.started += usize::from(action.is_transfer());
            self.resolve(queue, state, batch, action, now, round);
        }
        queue.set_wants(state.core.wants_transfers());
        true
    }

    /// Turns an action into a job, or does it at once where it is short and the lock must be held.
    fn resolve(
        self: &Arc<Self>,
        queue: &QueueInner,
        state: &mut State,
        batch: &mut Batch,
        action: Action,
        now: Time,
        round: &mut Round,
    ) {
        match action {
            Action::Lease { op, len } => {
                let result = match self.staging().lease(queue.number, queue.priority, len) {
                    Ok(lease) => Ok(Done::Leased(lease)),
                    Err(StagingError::Busy) => Err(Fault::Busy),
                    Err(StagingError::TooLarge { .. }) => Err(Fault::OutOfMemory),
                };
                answer(state, Outcome { op, result, path: Path::NONE }, now);
            }
            Action::Release { lease } => {
                self.staging().pool.release(lease);
                round.released = true;
            }
            Action::Notify(notice) => notify(state, notice),
            // With the queue's lock held: of two wake-ups the later must win.
            Action::Wake { at } => self.timer.set(queue.number, at),
            Action::Cancel { op } => {
                let id = JobId { queue: queue.number, op };
                let worker = state.worker_of(op);
                if worker == OpWorker::Application {
                    state.withdraw_custom(op, now);
                }
                batch.cancels.push((worker, id));
                // Of several copies at once only the last one's engine is known, and all go to the same.
                let last = state.beside[op.index()].as_ref().and_then(|beside| beside.worker);
                if let (OpWorker::Io, Some((_, device @ OpWorker::Device(_)))) = (worker, last) {
                    batch.cancels.push((device, id));
                }
            }
            action => {
                let Some(op) = action.op() else { return };
                if self.resolve_job(queue, state, batch, action, now).is_none() {
                    let fault = Fault::Unsupported("the request names no such file or memory");
                    answer(state, Outcome { op, result: Err(fault), path: Path::NONE }, now);
                }
            }
        }
    }

    fn resolve_job(
        &self,
        queue: &QueueInner,
        state: &mut State,
        batch: &mut Batch,
        action: Action,
        now: Time,
    ) -> Option<()> {
        let op = action.op()?;
        let id = JobId { queue: queue.number, op };
        let beside = state.beside[op.index()].as_mut()?;
        // Most requests lease nothing, and then nobody need lock what others lease.
        let leased = |lease| self.staging().pool.bytes(lease);
        match action {
            Action::Read { offset, into, .. } => {
                let into = beside.place(into, leased)?.host()?;
                batch.io.push(IoJob { id, op: IoOp::Read { file: beside.file_ref()?, offset, into } });
            }
            Action::Write { offset, from, .. } => {
                let from = beside.place(from, leased)?.host()?;
                batch.io.push(IoJob { id, op: IoOp::Write { file: beside.file_ref()?, offset, from } });
            }
            Action::Sync { data_only, .. } => {
                batch.io.push(IoJob { id, op: IoOp::Sync { file: beside.file_ref()?, data_only } });
            }
            Action::Copy { from, into, .. } => {
                let (from, into) = (beside.place(from, leased)?, beside.place(into, leased)?);
                let job = CopyJob { id, from, into };
                match self.engines.devices.of(from).or_else(|| self.engines.devices.of(into)) {
                    None => {
                        beside.worker = Some((op, OpWorker::Copier));
                        batch.copies.push(job);
                    }
                    Some(number) => {
                        beside.worker = Some((op, OpWorker::Device(number)));
                        batch.device(number).copies.push(job);
                    }
                }
            }
            Action::Decode(decode) => {
                let (from, into) = (beside.place(decode.from, leased)?, beside.place(decode.into, leased)?);
                let (transform, available) = (decode.transform, decode.available);
                let job = CodecJob { id, transform, from, available, cursor: decode.cursor, into };
                if decode.on == Processor::Device
                    && let Some(number) = self.engines.devices.for_decoding(from, into)
                {
                    beside.worker = Some((op, OpWorker::Device(number)));
                    batch.device(number).steps.push(job);
                } else if self.engines.codec.supports(transform) {
                    beside.worker = Some((op, OpWorker::Codec));
                    batch.codec.push(job);
                } else {
                    beside.worker = Some((op, OpWorker::Application));
                    state.custom.outstanding += 1;
                    let request = beside.id;
                    let refused = if state.core.is_closed() {
                        // As those that waited when it was closed: the application may never ask again.
                        Finished { id, result: Err(Fault::Cancelled), path: Path::NONE }
                    } else {
                        match CustomJob::new(job, request) {
                            Ok(job) => {
                                state.custom.waiting.push_back(job);
                                return Some(());
                            }
                            Err(finished) => finished,
                        }
                    };
                    answer(state, Outcome { op, result: refused.result, path: refused.path }, now);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Sees which requests have ended, and prepares for those who wait for them to be told. Returns whether any have.
    fn deliver(&self, queue: &Arc<QueueInner>, state: &mut State, batch: &mut Batch) -> bool {
        let mut ended = false;
        while let Some(id) = state.core.next_ended() {
            ended = true;
            let Some(result) = state.core.result(id) else { continue };
            let Some(beside) = state.beside[id.index()].as_mut() else { continue };
            if let Err(error) = result
                && error.kind.is_failure()
            {
                let report = Box::new(self.error_report(queue, beside, error));
                state.told.news.push_back(News::Failure(report));
            }
            match &mut beside.delivery {
                Delivery::Inbox => state.inbox.push_back(id),
                Delivery::Ticket(waker) => state.told.news.extend(waker.take().map(News::Wake)),
                Delivery::Callback(_) => state.told.news.push_back(News::Over(id)),
                Delivery::Discard => {
                    state.core.take(id);
                    batch.forgotten.extend(state.beside[id.index()].take());
                }
            }
        }
        if ended {
            queue.set_completion_event();
        }
        self.mail.post(queue, state);
        queue.wake_waiters(state);
        ended
    }

    fn error_report(&self, queue: &QueueInner, beside: &Beside, error: ds_core::Error) -> ErrorReport {
        use std::os::fd::{AsFd, AsRawFd};
        ErrorReport {
            error,
            queue: queue.name.clone(),
            path: beside.file.as_ref().and_then(|file| file.path().map(ToOwned::to_owned)),
            fd: beside.file.as_ref().map(|file| file.as_fd().as_raw_fd()),
            engines: (self.engines.io.name(), self.engines.codec_name()),
            caller: beside.caller,
        }
    }

    /// Does what was collected. No lock is held.
    fn perform(&self, batch: &mut Batch) {
        // Decoding first: it frees staging memory and ends requests.
        if !batch.codec.is_empty() {
            self.engines.codec.submit(&mut batch.codec);
        }
        if !batch.copies.is_empty() {
            self.engines.copier.submit_copies(&mut batch.copies);
        }
        for (engine, batch) in self.engines.devices.iter().zip(&mut batch.devices) {
            if !batch.steps.is_empty() {
                engine.submit(&mut batch.steps);
            }
            if !batch.copies.is_empty() {
                engine.submit_copies(&mut batch.copies);
            }
        }
        if !batch.io.is_empty() {
            self.engines.io.submit(&mut batch.io);
        }
        for (worker, id) in batch.cancels.drain(..) {
            self.cancel(worker, id);
        }
        batch.forgotten.clear();
    }
}

/// Hands the queue what engines have answered.
fn hand_over(state: &mut State, outcomes: &[Finished], now: Time, round: &mut Round) {
    let before = state.core.transfers_in_flight();
    for finished in outcomes {
        let outcome = Outcome { op: finished.id.op, result: finished.result, path: finished.path };
        if let Err(unknown) = state.handle(outcome, now) {
            complain(format_args!("an engine answered twice: {unknown}"));
        }
    }
    round.freed += (before - state.core.transfers_in_flight()) as usize;
}

/// Hands the queue an outcome that is known at once.
fn answer(state: &mut State, outcome: Outcome, now: Time) {
    if let Err(unknown) = state.handle(outcome, now) {
        complain(format_args!("the driver answered twice: {unknown}"));
    }
}

/// Acts on a marker. With the queue's lock held, so that markers act in the order they fire; none of this runs code of the
/// application's.
fn notify(state: &mut State, notice: Notice) {
    let token = match notice {
        Notice::Status { token, .. } => token.array,
        Notice::Signal(token) => token.fence,
        Notice::Event(token) => token.0,
    };
    match (state.markers.remove(token), notice) {
        (Some(Marker::Status(array)), Notice::Status { token, first_failure }) => {
            array.set(token.index, first_failure.map_or(Status::Ok, Status::Failed));
        }
        (Some(Marker::Fence(fence)), Notice::Signal(token)) => fence.signal(token.value),
        (Some(Marker::Event(event)), Notice::Event(_)) => event.set(),
        (marker, notice) => complain(format_args!("marker {marker:?} does not match {notice:?}")),
    }
}
