//! The driver: performs what the queues ask for, at random times and in random order, and does to them whatever a program
//! may do.

use ds_core::fault::{FaultEngine, FaultPlan, Rng};
use ds_core::{
    Action, Arbiter, Done, ErrorKind, EventToken, Fault, Lane, LaneId, Notice, OpId, Outcome, Queue, Request,
    RequestId, Room, SignalToken, Slot, StatusToken, Time, Transform,
};

use super::generate::{self, chance};
use super::ledger::Ledger;
use super::met::{Bucket, Met};
use super::{Check, Plant, SimArbiter, SimQueue, ensure};

/// Operations an engine can hold: four parts and a piece of other work for each of 64 requests.
const ENGINE_ROOM: usize = 320;

/// Rounds after which a queue that is not idle never will be.
const MAX_ROUNDS: u32 = 20_000;

struct Member {
    queue: SimQueue,
    ledger: Ledger,
    engine: FaultEngine<ENGINE_ROOM>,
    lane: LaneId,
    wake: Option<Time>,
    /// Operations that are over.
    past: Vec<OpId>,
    known: Vec<RequestId>,
    /// Ended requests are noticed by announcement, and not by looking for them.
    announces: bool,
    /// Picks by the arbiter that passed this queue over while it was ready.
    waited: u32,
    /// It was offered room for a transfer and had no use for it.
    sated: bool,
}

pub(crate) struct World {
    rng: Rng,
    now: Time,
    members: Vec<Member>,
    arbiter: SimArbiter,
    /// File transfers the machine performs at once.
    room: usize,
    /// Staging memory in all, in bytes.
    pool: u64,
    /// A typical large request, in bytes.
    big: u64,
    /// Out of 100 outcomes, how many break the engine's contract.
    liar: u64,
    /// Most requests need staging memory, some nearly all there is.
    staged: bool,
    /// Each operation is performed before the next is asked for, where it takes no time.
    synchronous: bool,
}

impl World {
    pub(crate) fn new(seed: u64, plant: Plant) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let pool = generate::pick(&mut rng, &[1 << 62, 300_000, 60_000, 20_000]);
        // Now and then a queue of high priority has work all the time, or all need staging memory.
        let crowded = chance(&mut rng, 1);
        let staged = !crowded && chance(&mut rng, 2);
        let count = if crowded { 2 } else { generate::pick(&mut rng, &[1, 1, 2, 2, 3]) };
        let mut arbiter = Arbiter::new(vec![Lane::new(); count]);
        (plant.arbiter)(&mut arbiter);
        let mut members = Vec::new();
        for number in 0..count {
            let capacity = if staged { 4 } else { generate::capacity(&mut rng) };
            let mut config = generate::config(&mut rng, pool);
            let mut plan = generate::plan(&mut rng);
            if crowded {
                config.priority = [ds_core::Priority::Low, ds_core::Priority::Realtime][number];
                config.chunk_size = 4096;
                (plan.delay, plan.file_size) = (0..=0, u64::MAX);
            }
            if staged {
                config.max_lease = pool;
                plan = FaultPlan { delay: 0..=1000, reorder: plan.reorder, ..FaultPlan::default() };
            }
            let mut queue = Queue::new(vec![Slot::new(); capacity].into_boxed_slice(), config)
                .map_err(|error| error.to_string())?;
            (plant.queue)(&mut queue);
            members.push(Member {
                queue,
                ledger: Ledger::new(config, capacity),
                engine: FaultEngine::new(plan, rng.draw()),
                lane: arbiter.add(config.priority).ok_or("the arbiter has too few lanes")?,
                wake: None,
                past: Vec::new(),
                known: Vec::new(),
                announces: chance(&mut rng, 50),
                waited: 0,
                sated: false,
            });
        }
        let room = if crowded { 1 } else { generate::pick(&mut rng, &[1, 2, 4, 16, 64, 256]) };
        let big = if crowded { 300_000 } else { generate::pick(&mut rng, &[6000, 20_000, 60_000]) };
        let liar = if chance(&mut rng, 10) { 10 } else { 0 };
        let synchronous = chance(&mut rng, 20);
        Ok(Self { rng, now: Time::ZERO, members, arbiter, room, pool, big, liar, staged, synchronous })
    }

    pub(crate) fn run(mut self, met: &mut Met) -> Check {
        met.add(Bucket::Schedules);
        let steps = if self.staged { 600 } else { self.rng.between(5, 220) };
        let eager = self.rng.below(150);
        for _ in 0..steps {
            self.step(eager, met)?;
        }
        self.finish(met)
    }

    fn step(&mut self, eager: u64, met: &mut Met) -> Check {
        let at = self.rng.below(self.members.len() as u64) as usize;
        if self.staged && chance(&mut self.rng, 70) {
            // Always something waiting, and always something ending.
            self.take(at)?;
            self.enqueue(at, met)?;
            self.submit(at)?;
            self.pump(u64::MAX, met)?;
            self.now = self.now.after_nanos(100);
            return self.answer(at, 2, met);
        }
        match self.rng.below(100 + eager) {
            0..=29 => self.enqueue(at, met)?,
            30..=35 => self.mark(at, met)?,
            36..=43 => self.submit(at)?,
            44..=52 => {
                let budget = self.rng.below(6);
                self.pump(budget, met)?;
            }
            53..=57 => self.pump(u64::MAX, met)?,
            58..=67 => {
                let most = self.rng.below(6);
                self.answer(at, most, met)?;
            }
            68..=72 => self.pass_time()?,
            73..=82 => self.take(at)?,
            83..=86 => self.cancel(at, met)?,
            87 => {
                if chance(&mut self.rng, 20) {
                    self.close(at, met)?;
                }
            }
            88..=89 => {
                let record = self.members[at].queue.take_error_record();
                self.members[at].ledger.reported(record, met)?;
            }
            90..=91 => self.answer_nonsense(at, met)?,
            92..=99 => self.members[at].ledger.check_numbers(&self.members[at].queue)?,
            // A machine that is quick: things happen in one go.
            _ => {
                self.pump(u64::MAX, met)?;
                for at in 0..self.members.len() {
                    self.answer(at, u64::MAX, met)?;
                }
            }
        }
        let member = &self.members[at];
        ensure!(
            member.queue.until_auto_submit() == member.ledger.until_auto_submit(),
            "{:?} until automatic submit",
            member.queue.until_auto_submit()
        );
        Ok(())
    }

    fn enqueue(&mut self, at: usize, met: &mut Met) -> Check {
        let (rng, member) = (&mut self.rng, &mut self.members[at]);
        let earlier = &member.known[member.known.len().saturating_sub(8)..];
        let mut request = generate::request(rng, self.now, member.queue.config(), self.big, earlier);
        if self.staged && chance(rng, 90) {
            let len = if chance(rng, 30) { self.pool.min(100_000) } else { rng.between(1, 2000) };
            request = Request::read(generate::file(rng, len), generate::device(rng, len));
        }
        let spoilt = chance(rng, 2);
        if spoilt {
            generate::spoil(rng, &mut request);
        }
        let before = *member.queue.stats();
        let result = member.queue.try_enqueue(&request, self.now);
        if result.is_err() {
            ensure!(before == *member.queue.stats(), "a refused request left its mark");
        }
        let lease = super::record::Needs::of(&request, member.queue.config()).lease_len();
        let limit = member.queue.config().max_lease;
        let full = member.ledger.held() == member.queue.capacity();
        match result {
            Ok(id) => {
                ensure!(!spoilt && lease <= limit && !full && !member.ledger.closed, "took {request:?}");
                member.ledger.enqueued(id, &request, met)?;
                member.known.push(id);
                meet_request(&request, met);
            }
            Err(error) => {
                let (bucket, right) = match error.kind {
                    ErrorKind::Invalid(_) => (Bucket::RefusedInvalid, spoilt),
                    ErrorKind::TooLarge { requested, limit: told } => {
                        (Bucket::RefusedTooLarge, lease > limit && (requested, told) == (lease, limit))
                    }
                    ErrorKind::Closed => (Bucket::RefusedClosed, member.ledger.closed),
                    ErrorKind::QueueFull { capacity } => {
                        (Bucket::Refused, full && capacity == member.queue.capacity())
                    }
                    _ => (Bucket::Refused, false),
                };
                ensure!(right, "refused as {error}: {request:?}");
                met.add(bucket);
            }
        }
        Ok(())
    }

    fn mark(&mut self, at: usize, met: &mut Met) -> Check {
        let (rng, member, now) = (&mut self.rng, &mut self.members[at], self.now);
        let number = rng.draw();
        let (notice, result) = match rng.below(3) {
            0 => {
                let token = StatusToken { array: number, index: 1 };
                let notice = Notice::Status { token, first_failure: None };
                (notice, member.queue.enqueue_status(token, now))
            }
            1 => {
                let token = SignalToken { fence: number, value: 2 };
                (Notice::Signal(token), member.queue.enqueue_signal(token, now))
            }
            _ => (Notice::Event(EventToken(number)), member.queue.enqueue_event(EventToken(number), now)),
        };
        match result {
            Ok(()) => member.ledger.marked(notice, met),
            Err(error) => {
                let full = member.ledger.held() == member.queue.capacity();
                let right = match error.kind {
                    ErrorKind::Closed => member.ledger.closed,
                    ErrorKind::QueueFull { .. } => full,
                    _ => false,
                };
                ensure!(right, "a marker refused as {error}");
                Ok(())
            }
        }
    }

    fn submit(&mut self, at: usize) -> Check {
        let member = &mut self.members[at];
        let (count, expected) = (member.queue.submit(self.now), member.ledger.submit());
        ensure!(count == expected, "submitted {count}, not {expected}");
        Ok(())
    }

    fn cancel(&mut self, at: usize, met: &mut Met) -> Check {
        let (rng, member) = (&mut self.rng, &mut self.members[at]);
        let (count, expected) = match rng.below(8) {
            0 => (member.queue.cancel_all(), member.ledger.cancel(|_| true, met)),
            1 => return self.cancel_pending(at, false, met),
            2 | 3 => {
                let (value, mask) = (rng.below(4), rng.below(4));
                let count = member.queue.cancel_tagged(value, mask);
                (count, member.ledger.cancel(|record| record.request.tag & mask == value, met))
            }
            _ => {
                let Some(recent) = member.known.len().checked_sub(1) else { return Ok(()) };
                let id = member.known[recent - rng.below(recent.min(12) as u64 + 1) as usize];
                (member.queue.cancel(id), member.ledger.cancel(|record| record.id == id, met))
            }
        };
        ensure!(count == expected, "a cancellation counts {count}, not {expected}");
        Ok(())
    }

    /// Cancels what has not begun, alone or by closing. From outside one sees only after polling what that was.
    fn cancel_pending(&mut self, at: usize, by_closing: bool, met: &mut Met) -> Check {
        let member = &mut self.members[at];
        let since = member.ledger.ended.len();
        let least = member.ledger.cancel_pending(met);
        let count = if by_closing {
            member.queue.close(self.now);
            member.ledger.submit();
            member.ledger.closed = true;
            None
        } else {
            Some(member.queue.cancel_pending())
        };
        while self.poll(at, Room::NoTransfers, met)? {}
        let member = &mut self.members[at];
        let were = member.ledger.settle_pending(since);
        if let Some(count) = count {
            ensure!(count == least + were, "{count} pending requests cancelled, not {least} and {were}");
        }
        Ok(())
    }

    fn close(&mut self, at: usize, met: &mut Met) -> Check {
        let member = &self.members[at];
        met.add(if member.ledger.flying > 0 { Bucket::CloseBusy } else { Bucket::CloseIdle });
        if member.ledger.closed {
            self.members[at].queue.close(self.now);
            return Ok(());
        }
        self.cancel_pending(at, true, met)
    }

    fn take(&mut self, at: usize) -> Check {
        let member = &mut self.members[at];
        for _ in 0..self.rng.below(8) {
            let completion = if chance(&mut self.rng, 50) {
                member.queue.next_completion()
            } else {
                let due = member.ledger.ended.len() as u64;
                let Some((_, ended)) = member.ledger.ended.get(self.rng.below(due) as usize) else { break };
                member.queue.take(ended.id)
            };
            let Some(completion) = completion else {
                ensure!(member.ledger.ended.is_empty(), "a completion is not handed over");
                break;
            };
            member.ledger.delivered(&completion)?;
        }
        Ok(())
    }

    /// Answers for operations that are not outstanding.
    fn answer_nonsense(&mut self, at: usize, met: &mut Met) -> Check {
        let member = &mut self.members[at];
        let op = match self.rng.below(3) {
            0 => OpId::from_u64(self.rng.draw()),
            _ => match member.past.len() as u64 {
                0 => return Ok(()),
                past => member.past[self.rng.below(past) as usize],
            },
        };
        let outcome = Outcome { op, result: Ok(Done::Moved(1)), path: ds_core::Path::NONE };
        ensure!(member.queue.handle_outcome(outcome, self.now).is_err(), "{op:?} was answered twice");
        met.add(Bucket::Stale);
        Ok(())
    }

    /// Polls and performs up to `budget` actions, letting the arbiter choose who may start transfers.
    fn pump(&mut self, budget: u64, met: &mut Met) -> Check {
        let mut left = budget;
        for member in &mut self.members {
            member.sated = false;
        }
        while left > 0 {
            left -= 1;
            let mut progress = false;
            for at in 0..self.members.len() {
                let mut more = true;
                while more && left > 0 {
                    more = self.poll(at, Room::NoTransfers, met)?;
                    progress |= more;
                    left -= u64::from(more);
                }
                if !more {
                    self.members[at].ledger.check_quiet()?;
                }
            }
            let flying: usize = self.members.iter().map(|member| member.ledger.transfers as usize).sum();
            if flying >= self.room {
                met.add(Bucket::HeldBack);
            } else if let Some(at) = self.choose(met)? {
                let more = self.poll(at, Room::Any, met)?;
                self.members[at].sated = !more;
                progress = true;
            }
            if !progress {
                break;
            }
        }
        Ok(())
    }

    /// Whose turn it is, and whether anyone has waited too long for one.
    fn choose(&mut self, met: &mut Met) -> Result<Option<usize>, String> {
        let members = &self.members;
        let ready: Vec<bool> =
            members.iter().map(|member| member.queue.wants_transfers() && !member.sated).collect();
        let index = |lane| members.iter().position(|member| member.lane == lane).unwrap_or(usize::MAX);
        let picked = self.arbiter.pick(|lane| ready[index(lane)]).map(index);
        ensure!(picked.is_some() == ready.contains(&true), "the arbiter picks nobody");
        let patience = self.arbiter.patience();
        for (at, member) in self.members.iter_mut().enumerate() {
            member.waited = if ready[at] && picked != Some(at) { member.waited + 1 } else { 0 };
            met.most(Bucket::LongestWait, member.waited.into());
            ensure!(member.waited <= patience, "a queue is starved: passed over {} times", member.waited);
        }
        Ok(picked)
    }

    /// Polls once; whether there was something to do, which is then under way.
    fn poll(&mut self, at: usize, room: Room, met: &mut Met) -> Result<bool, String> {
        let now = self.now;
        let member = &mut self.members[at];
        member.ledger.time(now);
        let action = member.queue.poll_action(now, room);
        self.notice_ends(at, met)?;
        let Some(action) = action else { return Ok(false) };
        let member = &mut self.members[at];
        match action {
            Action::Notify(notice) => member.ledger.notified(notice, met)?,
            Action::Wake { at } => {
                ensure!(at.is_none_or(|at| at > now || at == Time::MAX), "a wake-up in the past");
                member.wake = at;
            }
            Action::Release { lease } => {
                member.ledger.released(lease)?;
                self.release(at, action)?;
            }
            Action::Cancel { op } => {
                member.ledger.hurried(op)?;
                member.engine.accept(action, now).map_err(|action| format!("{action:?} is refused"))?;
                met.add(Bucket::Hurried);
            }
            _ => {
                ensure!(room == Room::Any || !action.is_transfer(), "a transfer where there is no room");
                member.ledger.started(&action, now)?;
                met.most(Bucket::MostFlying, member.ledger.flying as u64);
                member.engine.accept(action, now).map_err(|action| format!("{action:?} is refused"))?;
                if self.synchronous {
                    self.answer(at, u64::MAX, met)?;
                }
            }
        }
        Ok(true)
    }

    fn release(&mut self, at: usize, action: Action) -> Check {
        let engine = &mut self.members[at].engine;
        engine.accept(action, self.now).map_err(|action| format!("{action:?} is refused"))?;
        for member in &mut self.members {
            member.queue.staging_released();
        }
        Ok(())
    }

    fn notice_ends(&mut self, at: usize, met: &mut Met) -> Check {
        let (member, now) = (&mut self.members[at], self.now);
        let known = member.ledger.completed();
        if member.queue.stats().completed() == known {
            return Ok(());
        }
        if member.announces {
            while let Some(id) = member.queue.next_ended() {
                let completion = member.queue.peek(id).ok_or("announces what has not ended")?;
                ensure!(member.queue.result(id) == Some(completion.result), "tells two results");
                member.ledger.end(completion, now, met)?;
            }
        } else {
            let live: Vec<RequestId> =
                member.ledger.live.iter().map(|&number| member.ledger.records[number].id).collect();
            for id in live.into_iter().filter(|&id| member.queue.is_done(id) == Some(true)) {
                let completion = member.queue.peek(id).ok_or("is done and has no completion")?;
                ensure!(member.queue.result(id) == Some(completion.result), "tells two results");
                member.ledger.end(completion, now, met)?;
            }
        }
        ensure!(member.ledger.completed() == member.queue.stats().completed(), "some ended unseen");
        Ok(())
    }

    /// Hands over up to `most` outcomes that are due.
    fn answer(&mut self, at: usize, most: u64, met: &mut Met) -> Check {
        for _ in 0..most.min(1000) {
            let member = &mut self.members[at];
            let Some(mut outcome) = member.engine.next_outcome(self.now) else { break };
            if let Ok(Done::Leased(lease)) = outcome.result {
                let leased: u128 = self.members.iter().map(|member| u128::from(member.engine.leased())).sum();
                if leased > u128::from(self.pool) {
                    // Another queue was faster.
                    let release = Action::Release { lease };
                    let engine = &mut self.members[at].engine;
                    engine.accept(release, self.now).map_err(|action| format!("{action:?} is refused"))?;
                    outcome.result = Err(Fault::Busy);
                }
            }
            if chance(&mut self.rng, self.liar) {
                lie(&mut self.rng, &mut outcome);
            }
            let member = &mut self.members[at];
            member.ledger.answered(&outcome, self.now, met)?;
            member.past.push(outcome.op);
            let taken = member.queue.handle_outcome(outcome, self.now);
            ensure!(taken.is_ok(), "an outcome that was due is refused");
        }
        Ok(())
    }

    fn pass_time(&mut self) -> Check {
        if chance(&mut self.rng, 50) {
            self.now = self.now.after_nanos(self.rng.below(30_000));
        } else if let Some(next) = self.next_event() {
            self.now = self.now.max(next);
        }
        Ok(())
    }

    fn next_event(&self) -> Option<Time> {
        let events = self.members.iter().flat_map(|member| [member.engine.next_time(), member.wake]);
        events.flatten().min()
    }

    /// Lets everything end and sees that all is over.
    fn finish(&mut self, met: &mut Met) -> Check {
        for at in 0..self.members.len() {
            if chance(&mut self.rng, 50) { self.close(at, met)? } else { self.submit(at)? }
        }
        let mut rounds = 0;
        loop {
            self.pump(u64::MAX, met)?;
            for at in 0..self.members.len() {
                self.answer(at, u64::MAX, met)?;
            }
            self.pump(u64::MAX, met)?;
            if self.members.iter().all(|member| member.queue.is_idle()) {
                break;
            }
            let next = self.next_event().ok_or("nothing is due and not all is over")?;
            self.now = self.now.max(next);
            rounds += 1;
            ensure!(rounds < MAX_ROUNDS, "no end in {rounds} rounds");
        }
        self.now = self.now.after_nanos(1 << 40);
        for at in 0..self.members.len() {
            let member = &mut self.members[at];
            ensure!(member.ledger.live.is_empty(), "idle with requests that have not ended");
            ensure!(member.engine.pending() == 0, "idle with operations outstanding");
            ensure!(member.engine.leased() == 0, "idle with staging memory leased");
            ensure!(member.wake.is_none(), "idle and still wants to be woken");
            ensure!(member.queue.poll_action(self.now, Room::Any).is_none(), "idle and still at work");
            member.ledger.check_numbers(&member.queue)?;
            while let Some(completion) = member.queue.next_completion() {
                member.ledger.delivered(&completion)?;
            }
            ensure!(member.ledger.ended.is_empty(), "{} never delivered", member.ledger.ended.len());
            ensure!(member.queue.vacancies() == member.queue.capacity(), "slots are lost");
            let record = member.queue.take_error_record();
            member.ledger.reported(record, met)?;
            member.ledger.check_numbers(&member.queue)?;
        }
        Ok(())
    }
}

/// Makes an outcome one that breaks the engine's contract.
fn lie(rng: &mut Rng, outcome: &mut Outcome) {
    outcome.result = match outcome.result {
        // A lease that nobody learns of would be lost for good.
        Ok(Done::Leased(_)) | Err(_) => return,
        Ok(Done::Moved(_)) if chance(rng, 50) => Ok(Done::Moved(u64::MAX)),
        Ok(Done::Moved(_)) => Ok(Done::Synced),
        Ok(Done::Decoded(mut step)) => {
            match rng.below(3) {
                0 => step.produced = u64::MAX,
                1 => (step.finished, step.wants) = (false, u64::MAX),
                _ => (step.finished, step.produced) = (true, step.produced.wrapping_sub(1)),
            }
            Ok(Done::Decoded(step))
        }
        Ok(Done::Synced) => Ok(Done::Moved(0)),
    }
}

fn meet_request(request: &Request, met: &mut Met) {
    use ds_core::{Location, Operation};
    met.add(Bucket::Enqueued);
    let ends = [request.source, request.destination];
    let is_file = matches!(request.source, Location::File { .. });
    match request.operation {
        Operation::Read if request.transform != Transform::None => met.add(Bucket::Decoded),
        Operation::Read if is_file => met.add(Bucket::Raw),
        Operation::Read => {}
        Operation::Write => met.add(Bucket::Written),
        Operation::Fsync | Operation::Fdatasync => met.add(Bucket::Synced),
    }
    for (holds, bucket) in [
        (ends.iter().any(|end| matches!(end, Location::Device { .. })), Bucket::OnDevice),
        (ends.iter().all(Location::is_empty), Bucket::Empty),
        (ends.iter().any(|end| end.offset() > 1 << 61), Bucket::FarOffset),
        (request.after.is_some(), Bucket::Linked),
        (request.deadline.is_some(), Bucket::WithDeadline),
    ] {
        if holds {
            met.add(bucket);
        }
    }
}
