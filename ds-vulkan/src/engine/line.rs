//! Between the threads: jobs that wait to be submitted, and submissions that wait to be over.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use ds_core::Fault;
use ds_engine::lock::{lock, wait};
use ds_engine::{Finished, JobId, Patience};

use super::batch::Part;
use super::flight::Flight;
use super::plan::Work;
use super::timeline::Reached;

/// Jobs, and what it takes to submit them.
#[derive(Default)]
pub(crate) struct Line {
    state: Mutex<Waiting>,
    changed: Condvar,
    /// How often jobs have come, for whoever looks out for them with nothing locked.
    arrivals: AtomicUsize,
    /// Submissions that keep the device busy.
    enough: usize,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    /// Bytes of output of those that are steps of transforms.
    content: u64,
    /// Those that are copies.
    copies: usize,
    /// Submissions that are free to be put together.
    free: Vec<Flight>,
    /// Submissions that are not over.
    flying: usize,
    /// What those of them are called that have been sent.
    sent: Vec<u64>,
    /// Submissions that are over.
    landed: Landed,
    /// Jobs that have failed with a submission, while others have further parts of them.
    failed: Vec<(JobId, Fault)>,
    /// Threads that sleep until something changes.
    sleepers: usize,
    stopping: bool,
}

/// Submissions that are over.
#[derive(Clone, Copy, Debug, Default)]
struct Landed {
    count: u64,
    /// How far the timelines have come by then.
    reached: Reached,
}

impl Line {
    /// With so many submissions at once, of which so many are `enough` to keep the device busy.
    pub(crate) fn new(free: Vec<Flight>, enough: usize) -> Self {
        let sent = Vec::with_capacity(free.len());
        Self { state: Mutex::new(Waiting { free, sent, ..Waiting::default() }), enough, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.state)
    }

    /// Takes jobs.
    pub(crate) fn add(&self, work: impl Iterator<Item = Work>) {
        let mut state = self.lock();
        for work in work {
            state.count(&work);
            state.work.push_back(work);
        }
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        self.tell(state);
    }

    /// Wakes who waits for this change, if anybody does.
    fn tell(&self, state: MutexGuard<'_, Waiting>) {
        let sleepers = state.sleepers;
        drop(state);
        if sleepers > 0 {
            self.changed.notify_all();
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        state.sleepers += 1;
        let mut state = wait(&self.changed, state);
        state.sleepers -= 1;
        state
    }

    /// Puts a job back, to go on after the others or before them.
    pub(crate) fn put_back(&self, work: Work, first: bool) {
        let mut state = self.lock();
        state.count(&work);
        if first {
            state.work.push_front(work);
        } else {
            state.work.push_back(work);
        }
    }

    /// The next job, if one waits.
    pub(crate) fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        let work = state.work.pop_front()?;
        match &work {
            Work::Copy { .. } => state.copies -= 1,
            Work::Step { .. } => state.content -= work.content(),
        }
        Some(work)
    }

    /// Has a job answered as cancelled, if it waits here.
    pub(crate) fn cancel(&self, id: JobId) {
        if let Some(work) = self.lock().work.iter_mut().find(|work| work.id() == id) {
            work.cancel();
        }
    }

    /// Waits for a job and for what it takes to submit it, and counts a submission as begun; with it comes how many are over.
    /// `None` when nothing is left and nothing will come.
    ///
    /// While enough are under way, more to decode waits for one of them to end, or to be a `portion`: a device has more of few large
    /// dispatches than of many small ones.
    pub(crate) fn begin(&self, patience: &mut Patience, portion: impl Fn() -> u64) -> Option<(Flight, u64)> {
        let (mut state, mut looked) = (self.lock(), false);
        loop {
            if state.work.is_empty() {
                if state.stopping {
                    return None;
                }
                if !looked && patience.is_left() {
                    let before = self.arrivals.load(Ordering::Relaxed);
                    drop(state);
                    looked = !patience.look(|| self.arrivals.load(Ordering::Relaxed) != before);
                    state = self.lock();
                    continue;
                }
            } else if state.had_better_wait(self.enough, &portion) {
                // There is enough to do.
            } else if let Some(flight) = state.free.pop() {
                state.flying += 1;
                return Some((flight, state.landed.count));
            }
            state = self.sleep(state);
        }
    }

    /// A submission is sent, under that name. Returns how far the timelines have come by those that are over: whatever was answered
    /// before any of this one's jobs was given is among them.
    pub(crate) fn send(&self, value: u64) -> Reached {
        let mut state = self.lock();
        state.sent.push(value);
        state.landed.reached
    }

    /// Whether all submissions up to that one are over.
    pub(crate) fn has_landed(&self, value: u64) -> bool {
        self.lock().has_landed(value)
    }

    /// Waits until all submissions up to that one are over.
    pub(crate) fn wait_landed(&self, value: u64) {
        let mut state = self.lock();
        while !state.has_landed(value) {
            state = self.sleep(state);
        }
    }

    /// All of a submission has failed: later parts of its jobs do not make them good.
    pub(crate) fn fail(&self, parts: &[Part], fault: Fault) {
        let unfinished = parts.iter().filter(|part| !part.last).map(|part| (part.id, fault));
        self.lock().failed.extend(unfinished);
    }

    /// Has answers to jobs say so whose earlier parts have failed.
    pub(crate) fn spoil(&self, answers: &mut [Finished]) {
        let mut state = self.lock();
        if state.failed.is_empty() {
            return;
        }
        for answer in answers {
            state.failed.retain(|&(id, fault)| {
                if id == answer.id {
                    answer.result = Err(fault);
                }
                id != answer.id
            });
        }
    }

    /// A submission is over, or was none.
    pub(crate) fn land(&self, flight: Flight) {
        let mut state = self.lock();
        state.landed.count += 1;
        state.landed.reached = state.landed.reached.max(flight.reached());
        state.sent.retain(|&value| value != flight.value);
        state.free.push(flight);
        state.flying -= 1;
        self.tell(state);
    }

    /// Gives up a submission that had no room for a single job, and waits for one to be over that was under way when it began, when
    /// `landed` were over. If none was, nobody has what the job wants, and the submission is given back: it has begun still.
    pub(crate) fn wait_for_room(&self, flight: Flight, landed: u64) -> Option<Flight> {
        let mut state = self.lock();
        while state.landed.count == landed {
            if state.flying == 1 {
                return Some(flight);
            }
            state = self.sleep(state);
        }
        state.free.push(flight);
        state.flying -= 1;
        None
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        self.tell(state);
    }
}

impl Waiting {
    /// Whether so much is under way that what waits had better become more.
    fn had_better_wait(&self, enough: usize, portion: impl Fn() -> u64) -> bool {
        self.copies == 0 && self.flying >= enough && self.content < portion()
    }

    fn count(&mut self, work: &Work) {
        match work {
            Work::Copy { .. } => self.copies += 1,
            Work::Step { .. } => self.content += work.content(),
        }
    }

    fn has_landed(&self, value: u64) -> bool {
        self.sent.iter().all(|&sent| sent > value)
    }
}

/// Submissions to one queue, which end in order.
#[derive(Default)]
pub(crate) struct Flights {
    state: Mutex<Submitted>,
    changed: Condvar,
}

#[derive(Default)]
struct Submitted {
    flights: VecDeque<Flight>,
    /// Those that are not over, the one that is waited for included.
    flying: usize,
    /// Whether no more will come.
    closed: bool,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, Submitted> {
        lock(&self.state)
    }

    pub(crate) fn add(&self, flight: Flight) {
        let mut state = self.lock();
        state.flights.push_back(flight);
        state.flying += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// One that was taken out is over.
    pub(crate) fn land(&self) {
        self.lock().flying -= 1;
    }

    /// How many are not over.
    pub(crate) fn flying(&self) -> usize {
        self.lock().flying
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next one to be submitted. `None` when none will be.
    pub(crate) fn next(&self) -> Option<Flight> {
        let mut state = self.lock();
        loop {
            if let Some(flight) = state.flights.pop_front() {
                return Some(flight);
            }
            if state.closed {
                return None;
            }
            state = wait(&self.changed, state);
        }
    }

    /// The next one, if there is one that is over.
    pub(crate) fn next_over(&self, is_over: impl FnOnce(&Flight) -> bool) -> Option<Flight> {
        let mut state = self.lock();
        let over = state.flights.front().is_some_and(is_over);
        if over { state.flights.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::Instant;

    use ds_core::{Done, OpId, Path};
    use ds_engine::{CodecJob, CopyJob, HostBytes, Place};

    use super::*;
    use crate::device::testing;
    use crate::engine::batch::Verdict;
    use crate::engine::slot::Slot;

    fn id(n: u64) -> JobId {
        JobId { queue: 0, op: OpId::from_u64(n) }
    }

    fn copy(n: u64) -> Work {
        let nowhere = Place::Host(HostBytes::EMPTY);
        CopyJob { id: id(n), from: nowhere, into: nowhere }.into()
    }

    /// A step that makes so many bytes.
    fn step(len: u64) -> Work {
        let device = ds_core::DeviceId(0);
        let (from, into) =
            (Place::Host(HostBytes::EMPTY), Place::Device { device, handle: 0, offset: 0, len });
        let transform = ds_core::Transform::GDeflate;
        CodecJob { id: id(1), transform, from, available: 0, cursor: 0, into }.into()
    }

    const ENOUGH: usize = 2;

    /// So many submissions that could be under way at once.
    fn line(submissions: usize) -> Option<Line> {
        let device = testing::device()?;
        let free = (0..submissions).map(|_| Flight::new(Slot::new(&device).unwrap())).collect();
        Some(Line::new(free, ENOUGH))
    }

    /// Begins a submission, if that need not wait.
    fn begin(line: &Line, portion: u64) -> Option<Flight> {
        let waits = line.lock().had_better_wait(ENOUGH, || portion);
        if waits { None } else { line.begin(&mut Patience::default(), || portion).map(|begun| begun.0) }
    }

    fn send(line: &Line, value: u64) -> Flight {
        line.add(core::iter::once(copy(value)));
        let mut flight = begin(line, 1).unwrap();
        assert_eq!(line.next().map(|work| work.id()), Some(id(value)));
        flight.value = value;
        line.send(value);
        flight
    }

    #[test]
    fn a_submission_has_landed_when_all_before_it_have() {
        let Some(line) = line(3) else { return };
        let [first, second, third] = [1, 2, 3].map(|value| send(&line, value));
        assert!(line.has_landed(0) && !line.has_landed(1));
        line.land(second);
        assert!(!line.has_landed(1) && !line.has_landed(2), "the first has not");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| line.wait_landed(2));
            std::thread::yield_now();
            assert!(!waiting.is_finished());
            line.land(first);
        });
        assert!(line.has_landed(2) && !line.has_landed(3));
        line.land(third);
        assert!(line.has_landed(3));
    }

    #[test]
    fn a_part_that_failed_spoils_its_jobs_answer_and_no_other() {
        let line = Line::default();
        let part = |n, last| Part {
            id: id(n),
            path: Path::NONE,
            verdict: Verdict::Known(Ok(Done::Moved(1))),
            readback: None,
            last,
            content: 0,
        };
        line.fail(&[part(1, false), part(1, false), part(2, true), part(3, false)], Fault::OutOfMemory);
        let good = |n| Finished { id: id(n), result: Ok(Done::Moved(1)), path: Path::NONE };
        let mut answers = [1, 2].map(good);
        line.spoil(&mut answers);
        assert_eq!(answers.map(|answer| answer.result), [Err(Fault::OutOfMemory), Ok(Done::Moved(1))]);
        let mut again = [1, 3].map(good);
        line.spoil(&mut again);
        let results = again.map(|answer| answer.result);
        assert_eq!(results, [Ok(Done::Moved(1)), Err(Fault::OutOfMemory)], "a name that is used again");
    }

    #[test]
    fn what_is_little_waits_while_enough_is_under_way() {
        let Some(line) = line(ENOUGH + 2) else { return };
        let flights: Vec<_> = (1..=ENOUGH as u64).map(|value| send(&line, value)).collect();
        line.add(core::iter::once(step(60)));
        assert!(begin(&line, 100).is_none(), "60 bytes are no portion");
        line.add(core::iter::once(step(40)));
        let more = begin(&line, 100).expect("100 bytes are");
        line.land(more);
        assert_eq!(line.next().map(|work| work.content()), Some(60));
        assert!(begin(&line, 100).is_none());
        line.add(core::iter::once(copy(9)));
        let with_copy = begin(&line, 100).expect("copies do not wait");
        line.land(with_copy);
        line.next();
        line.next();
        line.add(core::iter::once(step(1)));
        flights.into_iter().for_each(|flight| line.land(flight));
        assert!(begin(&line, 100).is_some(), "nothing is under way");
    }
    /// The threads of an engine with three lanes, whose submissions are over at once, and some of which wait for one in another lane or find
    /// no room. Jobs come in bursts, each when the last has been answered, after pauses around the time that threads look before they
    /// sleep: a call that is lost leaves a burst unanswered.
    #[test]
    fn nobody_sleeps_on_while_there_is_something_to_do() {
        let Some(line) = &line(4) else { return };
        let (lanes, answered) = (&[(); 3].map(|()| Flights::default()), &AtomicUsize::new(0));
        let submit = || {
            let (mut patience, mut value) = (Patience::lasting(Duration::from_micros(100)), 0);
            while let Some((mut flight, landed)) = line.begin(&mut patience, || 1) {
                if (value + landed) % 5 == 0 {
                    let first = line.next().expect("a submission begins when there is a job");
                    line.put_back(first, true);
                    let Some(kept) = line.wait_for_room(flight, landed) else { continue };
                    flight = kept;
                }
                value += 1;
                flight.value = value;
                flight.batch.bytes = (0..3).map_while(|_| line.next()).count() as u64;
                flight.batch.behind = if value % 2 == 0 { value - 1 } else { 0 };
                line.send(value);
                lanes[value as usize % 3].add(flight);
            }
            lanes.iter().for_each(Flights::close);
        };
        let finish = |lane: &Flights, mut flight: Flight| {
            line.wait_landed(flight.batch.behind);
            // One that others wait for takes longest, so that they, and who submits, sleep when another is over.
            std::thread::sleep(Duration::from_micros([0, 400, 0, 250][flight.value as usize % 4]));
            let jobs = flight.batch.bytes as usize;
            flight.batch.clear();
            lane.land();
            line.land(flight);
            answered.fetch_add(jobs, Ordering::Release);
        };
        let answer = |lane: &Flights| {
            while let Some(flight) = lane.next() {
                finish(lane, flight);
                // Code of the application's that waits for others drives its own lane.
                if let Some(next) = lane.next_over(|flight| line.has_landed(flight.batch.behind)) {
                    finish(lane, next);
                }
            }
        };
        let is_stuck = std::thread::scope(|scope| {
            scope.spawn(submit);
            lanes.iter().for_each(|lane| drop(scope.spawn(|| answer(lane))));
            let mut given = 0;
            let is_stuck = (0..2000_u64).any(|burst| {
                let jobs = burst % 7 + 1;
                line.add((0..jobs).map(copy));
                given += jobs as usize;
                let start = Instant::now();
                while answered.load(Ordering::Acquire) < given && start.elapsed() < Duration::from_secs(30) {
                    std::thread::yield_now();
                }
                let pause = Duration::from_micros([0, 90, 110, 150][burst as usize % 4]);
                while start.elapsed() < pause {
                    core::hint::spin_loop();
                }
                answered.load(Ordering::Acquire) < given
            });
            // This wakes whoever sleeps, so that there is an end.
            line.stop();
            is_stuck
        });
        assert!(!is_stuck, "jobs are never answered");
    }
}
