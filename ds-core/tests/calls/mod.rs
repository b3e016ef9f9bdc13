//! Calls on one queue, one after the other, each judged by the simulation's ledger.

use ds_core::{
    Action, BufferId, Config, DecodeStep, Done, EventToken, Fault, FileId, LeaseId, Location, Notice, OpId,
    Outcome, Path, Queue, Request, RequestId, Room, Slot, StatusToken, Time, Transform,
};

use super::sim::ledger::Ledger;
use super::sim::met::Met;
use super::sim::{Check, SimQueue, ensure};

/// One call on the queue, or one thing that happens to it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Enqueue { kind: u8, len: u16, tag: u8, deadline: Option<u8>, after: Option<u8> },
    Status,
    Event,
    Submit,
    Poll { times: u8, room: bool },
    Answer { which: u8, how: How },
    Cancel { which: u8 },
    CancelTagged { value: u8, mask: u8 },
    CancelAll,
    Close,
    Take { times: u8 },
    Pass { nanos: u16 },
}

/// How an operation ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Whole,
    Part(u8),
    Errno(u8),
}

/// A queue, its checker, and the operations someone would have to perform.
pub(crate) struct Bench {
    queue: SimQueue,
    ledger: Ledger,
    met: Met,
    now: Time,
    ids: Vec<RequestId>,
    flying: Vec<Action>,
    leases: u64,
    markers: u64,
}

impl Bench {
    pub(crate) fn new(capacity: usize, auto_submit: bool) -> Self {
        let config =
            Config { auto_submit, chunk_size: 4096, max_stalls: 2, retry_delay: 100, ..Config::default() };
        Self {
            queue: Queue::new(vec![Slot::new(); capacity].into_boxed_slice(), config).unwrap(),
            ledger: Ledger::new(config, capacity),
            met: Met::new(),
            now: Time::ZERO,
            ids: Vec::new(),
            flying: Vec::new(),
            leases: 0,
            markers: 0,
        }
    }

    fn id(&self, which: u8) -> Option<RequestId> {
        let choices = self.ids.len().max(1);
        self.ids.get(usize::from(which) % choices).copied()
    }

    pub(crate) fn step(&mut self, step: &Step) -> Check {
        match *step {
            Step::Enqueue { kind, len, tag, deadline, after } => {
                let mut request = request(kind, len.into());
                request.tag = tag.into();
                request.deadline = deadline.map(|after| self.now.after_nanos(u64::from(after) * 100));
                request.after = after.and_then(|which| self.id(which));
                let free = self.ledger.held() < self.queue.capacity() && !self.ledger.closed;
                let taken = self.queue.try_enqueue(&request, self.now);
                ensure!(taken.is_ok() == free, "{taken:?} where a slot is free: {free}");
                if let Ok(id) = taken {
                    self.ledger.enqueued(id, &request, &mut self.met)?;
                    self.ids.push(id);
                }
            }
            Step::Status => {
                let token = StatusToken { array: self.markers, index: 0 };
                if self.queue.enqueue_status(token, self.now).is_ok() {
                    self.markers += 1;
                    self.ledger.marked(Notice::Status { token, first_failure: None }, &mut self.met)?;
                }
            }
            Step::Event => {
                let token = EventToken(self.markers);
                if self.queue.enqueue_event(token, self.now).is_ok() {
                    self.markers += 1;
                    self.ledger.marked(Notice::Event(token), &mut self.met)?;
                }
            }
            Step::Submit => {
                let count = self.queue.submit(self.now);
                ensure!(count == self.ledger.submit(), "submitted {count}");
            }
            Step::Poll { times, room } => {
                let room = if room { Room::Any } else { Room::NoTransfers };
                for _ in 0..times {
                    if !self.poll(room)? {
                        break;
                    }
                }
            }
            Step::Answer { which, how } => {
                if !self.flying.is_empty() {
                    self.answer(usize::from(which) % self.flying.len(), how)?;
                }
            }
            Step::Cancel { which } => {
                if let Some(id) = self.id(which) {
                    let count = self.queue.cancel(id);
                    let expected = self.ledger.cancel(|record| record.id == id, &mut self.met);
                    ensure!(count == expected, "cancelled {count} of {expected}");
                }
            }
            Step::CancelTagged { value, mask } => {
                let (value, mask) = (value.into(), mask.into());
                let count = self.queue.cancel_tagged(value, mask);
                let expected = self.ledger.cancel(|record| record.request.tag & mask == value, &mut self.met);
                ensure!(count == expected, "cancelled {count} of {expected}");
            }
            Step::CancelAll => self.cancel_all()?,
            Step::Close => {
                // What has begun cannot be seen from outside: all is cancelled first.
                self.cancel_all()?;
                self.queue.close(self.now);
                self.ledger.submit();
                self.ledger.closed = true;
            }
            Step::Take { times } => {
                for _ in 0..times {
                    let Some(completion) = self.queue.next_completion() else { break };
                    self.ledger.delivered(&completion)?;
                }
            }
            Step::Pass { nanos } => self.now = self.now.after_nanos(nanos.into()),
        }
        self.ledger.check_numbers(&self.queue)
    }

    fn cancel_all(&mut self) -> Check {
        let count = self.queue.cancel_all();
        let expected = self.ledger.cancel(|_| true, &mut self.met);
        ensure!(count == expected, "cancelled {count} of {expected}");
        Ok(())
    }

    fn poll(&mut self, room: Room) -> Result<bool, String> {
        self.ledger.time(self.now);
        let action = self.queue.poll_action(self.now, room);
        while let Some(id) = self.queue.next_ended() {
            let completion = self.queue.peek(id).ok_or("announced and not there")?;
            self.ledger.end(completion, self.now, &mut self.met)?;
        }
        match action {
            None => {
                self.ledger.check_quiet()?;
                return Ok(false);
            }
            Some(Action::Notify(notice)) => self.ledger.notified(notice, &mut self.met)?,
            Some(Action::Release { lease }) => {
                self.ledger.released(lease)?;
                self.queue.staging_released();
            }
            Some(Action::Cancel { op }) => self.ledger.hurried(op)?,
            Some(Action::Wake { .. }) => {}
            Some(action) => {
                self.ledger.started(&action, self.now)?;
                self.flying.push(action);
            }
        }
        Ok(true)
    }

    fn answer(&mut self, which: usize, how: How) -> Check {
        let action = self.flying.swap_remove(which);
        let result = match (how, action) {
            (How::Errno(errno), _) => Err(Fault::Os(errno.into())),
            (How::Part(part), Action::Read { into: span, .. } | Action::Write { from: span, .. }) => {
                Ok(Done::Moved(span.len * u64::from(part) / 256))
            }
            (_, Action::Read { into: span, .. } | Action::Write { from: span, .. }) => {
                Ok(Done::Moved(span.len))
            }
            (_, Action::Copy { from, .. }) => Ok(Done::Moved(from.len)),
            (_, Action::Sync { .. }) => Ok(Done::Synced),
            (_, Action::Lease { .. }) => {
                self.leases += 1;
                Ok(Done::Leased(LeaseId(self.leases)))
            }
            (_, Action::Decode(decode)) => {
                let finished = decode.available == decode.from.len;
                let produced = if finished { decode.into.len } else { 0 };
                let wants = decode.from.len;
                Ok(Done::Decoded(DecodeStep { cursor: decode.cursor + 1, produced, wants, finished }))
            }
            _ => return Err(format!("{action:?} is no operation")),
        };
        let op = action.op().ok_or("no operation")?;
        let outcome = Outcome { op, result, path: Path::IO_CPU };
        self.ledger.answered(&outcome, self.now, &mut self.met)?;
        let taken = self.queue.handle_outcome(outcome, self.now);
        ensure!(taken.is_ok(), "{op:?} is refused");
        let again = Outcome { op: OpId::from_u64(op.to_u64()), ..outcome };
        ensure!(self.queue.handle_outcome(again, self.now).is_err(), "{op:?} was answered twice");
        Ok(())
    }

    /// Performs everything there is to do.
    pub(crate) fn finish(&mut self) -> Check {
        self.step(&Step::Submit)?;
        while !self.queue.is_idle() {
            while self.poll(Room::Any)? {}
            self.now = self.now.after_nanos(1000);
            while !self.flying.is_empty() {
                self.answer(0, How::Whole)?;
            }
        }
        ensure!(!self.poll(Room::Any)? || !self.poll(Room::Any)?, "idle and still at work");
        self.step(&Step::Take { times: u8::MAX })?;
        ensure!(self.ledger.ended.is_empty() && self.queue.held() == 0, "something is left");
        Ok(())
    }
}

fn request(kind: u8, len: u64) -> Request {
    let file = Location::File { file: FileId(1), offset: 10, len };
    let host = Location::Host { buffer: BufferId(2), offset: 20, len };
    match kind {
        0 => Request::read(file, host),
        1 => Request::write(host, file),
        2 => Request::decode(file, host, Transform::GDeflate, len),
        _ => Request::sync(FileId(1), false),
    }
}
