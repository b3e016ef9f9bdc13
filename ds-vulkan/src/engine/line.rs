//! Between the threads: jobs that wait to be submitted, and submissions that wait to be over.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use ds_engine::JobId;
use ds_engine::lock::{lock, wait};

use super::flight::Flight;
use super::plan::Work;
use super::timeline::Reached;

/// Jobs, and what it takes to submit them.
#[derive(Default)]
pub(crate) struct Line {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    /// Submissions that are free to be put together.
    free: Vec<Flight>,
    /// Submissions that are not over.
    flying: usize,
    /// Submissions that are.
    landed: Landed,
    stopping: bool,
}

/// Submissions that are over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Landed {
    count: u64,
    /// How far the timelines have come by then.
    pub(crate) reached: Reached,
}

impl Line {
    /// With so many submissions at once.
    pub(crate) fn new(free: Vec<Flight>) -> Self {
        Self { state: Mutex::new(Waiting { free, ..Waiting::default() }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.state)
    }

    /// Takes jobs.
    pub(crate) fn add(&self, work: impl Iterator<Item = Work>) {
        self.lock().work.extend(work);
        self.changed.notify_all();
    }

    /// Puts a job back, to go on after the others or before them.
    pub(crate) fn put_back(&self, work: Work, first: bool) {
        let mut state = self.lock();
        if first {
            state.work.push_front(work);
        } else {
            state.work.push_back(work);
        }
    }

    /// The next job, if one waits.
    pub(crate) fn next(&self) -> Option<Work> {
        self.lock().work.pop_front()
    }

    /// Has a job answered as cancelled, if it waits here.
    pub(crate) fn cancel(&self, id: JobId) {
        if let Some(work) = self.lock().work.iter_mut().find(|work| work.id() == id) {
            work.cancel();
        }
    }

    /// Waits for a job and for what it takes to submit it, and counts a submission as begun; with it come those that are over.
    /// `None` when nothing is left and nothing will come.
    pub(crate) fn begin(&self) -> Option<(Flight, Landed)> {
        let mut state = self.lock();
        loop {
            if state.work.is_empty() {
                if state.stopping {
                    return None;
                }
            } else if let Some(flight) = state.free.pop() {
                state.flying += 1;
                return Some((flight, state.landed));
            }
            state = wait(&self.changed, state);
        }
    }

    /// A submission is over, or was none.
    pub(crate) fn land(&self, flight: Flight) {
        let mut state = self.lock();
        state.landed.count += 1;
        state.landed.reached = state.landed.reached.max(flight.reached());
        state.free.push(flight);
        state.flying -= 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Gives up a submission that had no room for a single job, and waits for one to be over that was under way when it began,
    /// as told by `landed`. If none was, nobody has what the job wants, and the submission is given back: it has begun still.
    pub(crate) fn wait_for_room(&self, flight: Flight, landed: Landed) -> Option<Flight> {
        let mut state = self.lock();
        while state.landed.count == landed.count {
            if state.flying == 1 {
                return Some(flight);
            }
            state = wait(&self.changed, state);
        }
        state.free.push(flight);
        state.flying -= 1;
        None
    }

    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }
}

/// Submissions in order.
#[derive(Default)]
pub(crate) struct Flights {
    state: Mutex<Submitted>,
    changed: Condvar,
}

#[derive(Default)]
struct Submitted {
    flights: VecDeque<Flight>,
    /// Whether no more will come.
    closed: bool,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, Submitted> {
        lock(&self.state)
    }

    pub(crate) fn add(&self, flight: Flight) {
        self.lock().flights.push_back(flight);
        self.changed.notify_all();
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
