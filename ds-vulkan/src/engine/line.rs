//! Between the threads: jobs that wait to be submitted, and submissions that wait to be over. `line::model` tries every interleaving
//! of what the threads do here.

#[cfg(not(all(test, loom)))]
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
#[cfg(not(all(test, loom)))]
use std::sync::{Condvar, Mutex, MutexGuard};

use ds_core::Fault;
#[cfg(not(all(test, loom)))]
use ds_engine::lock::{lock, wait};
use ds_engine::{Finished, JobId, Patience};
#[cfg(all(test, loom))]
use loom::{
    sync::atomic::{AtomicUsize, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
};

#[cfg(all(test, loom))]
use self::model::{lock, wait};

use super::batch::Part;
use super::flight::Flight;
use super::plan::Work;
use super::timeline::Reached;

/// A submission, as it is known here.
pub(crate) trait Submission {
    /// What it is called, from when it is sent.
    fn value(&self) -> u64;

    /// How far the timelines have come when it is over, by its doing.
    fn reached(&self) -> Reached;
}

impl Submission for Flight {
    fn value(&self) -> u64 {
        self.value
    }

    fn reached(&self) -> Reached {
        self.reached()
    }
}

/// How often something has come, for whoever looks out for it with nothing locked.
struct Arrivals(AtomicUsize);

impl Arrivals {
    fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Something has come; what that is stays locked meanwhile.
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether to look before sleeping. A model has no time to.
    fn are_looked_for(patience: &mut Patience) -> bool {
        !cfg!(all(test, loom)) && patience.is_left()
    }

    /// Looks for something that comes after `locked` was last seen, and unlocks it for that. Returns whether something came.
    fn look<G>(&self, locked: G, patience: &mut Patience) -> bool {
        let before = self.0.load(Ordering::Relaxed);
        drop(locked);
        patience.look(|| self.0.load(Ordering::Relaxed) != before)
    }
}

/// Jobs, and what it takes to submit them.
pub(crate) struct Line<F = Flight> {
    state: Mutex<Waiting<F>>,
    changed: Condvar,
    arrivals: Arrivals,
}

/// How much keeps a device busy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appetite {
    /// Submissions under way.
    pub(crate) submissions: usize,
    /// Bytes of output of each.
    pub(crate) portion: u64,
}

struct Waiting<F> {
    work: VecDeque<Work>,
    /// Bytes of output of those that are steps of transforms.
    content: u64,
    /// Those that are copies.
    copies: usize,
    /// Submissions that are free to be put together.
    free: Vec<F>,
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
    /// How far the timelines have come by then, or a little further.
    reached: Reached,
}

impl<F: Submission> Line<F> {
    /// With these submissions at once.
    pub(crate) fn new(free: Vec<F>) -> Self {
        let waiting = Waiting {
            work: VecDeque::new(),
            content: 0,
            copies: 0,
            flying: 0,
            sent: Vec::with_capacity(free.len()),
            free,
            landed: Landed::default(),
            failed: Vec::new(),
            sleepers: 0,
            stopping: false,
        };
        Self { state: Mutex::new(waiting), changed: Condvar::new(), arrivals: Arrivals::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<F>> {
        lock(&self.state)
    }

    /// Takes jobs.
    pub(crate) fn add(&self, work: impl Iterator<Item = Work>) {
        let mut state = self.lock();
        for work in work {
            state.count(&work);
            state.work.push_back(work);
        }
        self.arrivals.count();
        self.tell(state);
    }

    /// Wakes who waits for this change, if anybody does.
    fn tell(&self, state: MutexGuard<'_, Waiting<F>>) {
        let sleepers = state.sleepers;
        drop(state);
        if sleepers > 0 {
            self.changed.notify_all();
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, Waiting<F>>) -> MutexGuard<'a, Waiting<F>> {
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
    /// While as many are under way as the device wants, more to decode waits for one of them to end, or to be a portion: a device has
    /// more of few large dispatches than of many small ones.
    pub(crate) fn begin(&self, patience: &mut Patience, appetite: impl Fn() -> Appetite) -> Option<(F, u64)> {
        let (mut state, mut looked) = (self.lock(), false);
        loop {
            if state.work.is_empty() {
                if state.stopping {
                    return None;
                }
                if !looked && Arrivals::are_looked_for(patience) {
                    looked = !self.arrivals.look(state, patience);
                    state = self.lock();
                    continue;
                }
            } else if state.had_better_wait(&appetite) {
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

    /// The device is through with a submission, whose memory others may have from now on: what they submit comes after it.
    pub(crate) fn reach(&self, flight: &F) {
        let mut state = self.lock();
        state.landed.reached = state.landed.reached.max(flight.reached());
    }

    /// A submission is over, or was none.
    pub(crate) fn land(&self, flight: F) {
        let mut state = self.lock();
        state.landed.count += 1;
        state.sent.retain(|&value| value != flight.value());
        state.free.push(flight);
        state.flying -= 1;
        self.tell(state);
    }

    /// Gives up a submission that had no room for a single job, and waits for one to be over that was under way when it began, when
    /// `landed` were over. If none was, nobody has what the job wants, and the submission is given back: it has begun still.
    pub(crate) fn wait_for_room(&self, flight: F, landed: u64) -> Option<F> {
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

impl<F> Waiting<F> {
    /// Whether so much is under way that what waits had better become more.
    fn had_better_wait(&self, appetite: impl Fn() -> Appetite) -> bool {
        let Appetite { submissions, portion } = appetite();
        self.copies == 0 && self.flying >= submissions && self.content < portion
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
pub(crate) struct Flights<F = Flight> {
    state: Mutex<Submitted<F>>,
    arrivals: Arrivals,
    changed: Condvar,
}

struct Submitted<F> {
    flights: VecDeque<F>,
    /// Those that are not over, the one that is waited for included.
    flying: usize,
    /// Whether no more will come.
    closed: bool,
}

impl<F> Default for Flights<F> {
    fn default() -> Self {
        let submitted = Submitted { flights: VecDeque::new(), flying: 0, closed: false };
        Self { state: Mutex::new(submitted), arrivals: Arrivals::new(), changed: Condvar::new() }
    }
}

impl<F> Flights<F> {
    fn lock(&self) -> MutexGuard<'_, Submitted<F>> {
        lock(&self.state)
    }

    pub(crate) fn add(&self, flight: F) {
        let mut state = self.lock();
        state.flights.push_back(flight);
        state.flying += 1;
        self.arrivals.count();
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
    pub(crate) fn next(&self, patience: &mut Patience) -> Option<F> {
        let (mut state, mut looked) = (self.lock(), false);
        loop {
            if let Some(flight) = state.flights.pop_front() {
                return Some(flight);
            }
            if state.closed {
                return None;
            }
            if !looked && Arrivals::are_looked_for(patience) {
                looked = !self.arrivals.look(state, patience);
                state = self.lock();
                continue;
            }
            state = wait(&self.changed, state);
        }
    }

    /// The next one, if there is one that is over.
    pub(crate) fn next_over(&self, is_over: impl FnOnce(&F) -> bool) -> Option<F> {
        let mut state = self.lock();
        let over = state.flights.front().is_some_and(is_over);
        if over { state.flights.pop_front() } else { None }
    }
}

#[cfg(all(test, not(loom)))]
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
        Some(Line::new(free))
    }

    /// Begins a submission, if that need not wait.
    fn begin(line: &Line, portion: u64) -> Option<Flight> {
        let appetite = || Appetite { submissions: ENOUGH, portion };
        let waits = line.lock().had_better_wait(appetite);
        if waits { None } else { line.begin(&mut Patience::default(), appetite).map(|begun| begun.0) }
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
        let line = Line::<Flight>::new(Vec::new());
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
            // What is enough changes with what there is.
            let appetite = || {
                let answered = answered.load(Ordering::Relaxed);
                Appetite { submissions: ENOUGH + answered % 2, portion: answered as u64 % 5 }
            };
            while let Some((mut flight, landed)) = line.begin(&mut patience, appetite) {
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
            line.reach(&flight);
            line.land(flight);
            answered.fetch_add(jobs, Ordering::Release);
        };
        let answer = |lane: &Flights| {
            while let Some(flight) = lane.next(&mut Patience::default()) {
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
                line.add((0..jobs).map(|n| if burst % 3 == 0 { copy(n) } else { step(1) }));
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

/// `cargo xtask test --only loom`
#[cfg(all(test, loom))]
mod model {
    use ds_core::{DeviceId, OpId, Transform};
    use ds_engine::{CodecJob, HostBytes, Place};
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Locks a mutex of loom's, whose panics end the model.
    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits for a change, likewise.
    pub(super) fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        changed.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A submission without a device, which is over as soon as somebody looks.
    #[derive(Default)]
    struct Paper {
        value: u64,
        jobs: usize,
        /// The one that must have landed first.
        behind: u64,
    }

    impl Submission for Paper {
        fn value(&self) -> u64 {
            self.value
        }

        fn reached(&self) -> Reached {
            Reached::default()
        }
    }

    struct World {
        line: Line<Paper>,
        /// Jobs that a submission has at least, while another is under way.
        portion: u64,
        lanes: Vec<Flights<Paper>>,
        answered: AtomicUsize,
    }

    impl World {
        fn new(submissions: usize, portion: u64, lanes: usize) -> Arc<Self> {
            let free = (0..submissions).map(|_| Paper::default()).collect();
            Arc::new(Self {
                line: Line::new(free),
                portion,
                lanes: (0..lanes).map(|_| Flights::default()).collect(),
                answered: AtomicUsize::new(0),
            })
        }

        fn add(&self, job: u64) {
            let id = JobId { queue: 0, op: OpId::from_u64(job) };
            let from = Place::Host(HostBytes::EMPTY);
            let into = Place::Device { device: DeviceId(0), handle: 0, offset: 0, len: 1 };
            let transform = Transform::GDeflate;
            let step = CodecJob { id, transform, from, available: 0, cursor: 0, into };
            self.line.add(core::iter::once(step.into()));
        }

        /// As the thread that submits: one job to a submission, which waits for the one before. The second finds no room at first, if it is `crowded`.
        fn submit(&self, crowded: bool) {
            let (mut patience, mut value, mut crowded) = (Patience::default(), 0, crowded);
            let appetite = || Appetite { submissions: 1, portion: self.portion };
            while let Some((flight, landed)) = self.line.begin(&mut patience, appetite) {
                let work = self.line.next().expect("a submission begins when there is a job");
                let mut kept = Some(flight);
                // Only with another under way is there anything to wait for.
                if value == 1 && core::mem::take(&mut crowded) {
                    kept = self.line.wait_for_room(kept.take().expect("it has begun"), landed);
                }
                let Some(mut flight) = kept else {
                    self.line.put_back(work, true);
                    continue;
                };
                value += 1;
                (flight.value, flight.jobs, flight.behind) = (value, 1, value - 1);
                self.line.send(value);
                self.lanes[value as usize % self.lanes.len()].add(flight);
            }
            self.lanes.iter().for_each(Flights::close);
        }

        /// As a thread that answers.
        fn answer(&self, lane: usize) {
            while let Some(flight) = self.lanes[lane].next(&mut Patience::default()) {
                self.line.wait_landed(flight.behind);
                let jobs = flight.jobs;
                self.lanes[lane].land();
                self.line.reach(&flight);
                self.line.land(flight);
                self.answered.fetch_add(jobs, Ordering::Relaxed);
            }
        }
    }

    /// The threads of an engine, jobs for them, and the end. Hangs if a call is lost.
    fn explore(jobs: u64, submissions: usize, portion: u64, lanes: usize, crowded: bool) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(move || {
            let world = World::new(submissions, portion, lanes);
            let submitter = Arc::clone(&world);
            let mut threads = vec![thread::spawn(move || submitter.submit(crowded))];
            threads.extend((0..lanes).map(|lane| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.answer(lane))
            }));
            (0..jobs).for_each(|job| world.add(job));
            world.line.stop();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(world.answered.load(Ordering::Relaxed) as u64, jobs);
            assert!(world.line.has_landed(jobs) && world.lanes.iter().all(|lane| lane.flying() == 0));
        });
    }

    #[test]
    fn every_job_is_submitted_answered_and_the_threads_end() {
        explore(2, 2, 1, 1, false);
    }

    #[test]
    fn what_is_little_waits_for_another_to_be_over() {
        explore(3, 2, 2, 1, false);
    }

    #[test]
    fn one_submission_serves_them_all() {
        explore(2, 1, 1, 1, false);
    }

    #[test]
    fn who_finds_no_room_waits_for_some() {
        explore(2, 2, 1, 1, true);
    }

    #[test]
    fn lanes_wait_for_one_another() {
        explore(2, 2, 1, 2, false);
    }
}
