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

/// Submissions that keep a device busy: it has one, the bytes of the next are under way to it, and one is being answered or planned.
pub(crate) const DEPTH: usize = 3;

/// Jobs, and what it takes to submit them.
#[derive(Default)]
pub(crate) struct Line {
    state: Mutex<Waiting>,
    changed: Condvar,
    /// How often jobs have come, for whoever looks out for them with nothing locked.
    arrivals: AtomicUsize,
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
    /// With so many submissions at once.
    pub(crate) fn new(free: Vec<Flight>) -> Self {
        let sent = Vec::with_capacity(free.len());
        Self { state: Mutex::new(Waiting { free, sent, ..Waiting::default() }), ..Self::default() }
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
    /// While [`DEPTH`] are under way, more to decode waits for one of them to end, or to be a `portion`: a device has more of few large
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
            } else if state.copies == 0 && state.flying >= DEPTH && state.content < portion() {
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
