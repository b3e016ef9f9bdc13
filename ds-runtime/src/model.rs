//! Models of what threads hand to one another here, on the code that ships: loom tries the orders in which they can meet. Something that
//! is lost leaves a thread waiting for ever, which loom finds.

use core::time::Duration;
use std::sync::Arc;

use ds_core::{LaneId, Priority, Time};
use ds_engine::{StagingError, StagingPool};
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use crate::line::{self, Staging};
use crate::registry::{Listed, Registry};
use crate::sync::{Condvar, Mutex, lock, wait};
use crate::tell::Mail;
use crate::timer::Timer;

/// What has happened, for a thread that waits for it.
struct Seen {
    all: Mutex<Vec<u64>>,
    changed: Condvar,
}

impl Seen {
    fn new() -> Self {
        Self { all: Mutex::new(Vec::new()), changed: Condvar::new() }
    }

    fn add(&self, what: u64) {
        lock(&self.all).push(what);
        self.changed.notify_all();
    }

    /// Waits for so many, and returns them in order.
    fn wait(&self, count: usize) -> Vec<u64> {
        let mut all = lock(&self.all);
        while all.len() < count {
            all = wait(&self.changed, all);
        }
        all.sort_unstable();
        all.clone()
    }
}

/// Tries a model with up to three preemptions, which is where what goes wrong goes wrong.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

const NOW: u64 = 10;

const fn at(nanos: u64) -> Option<Time> {
    Some(Time::from_nanos(nanos))
}

/// A timer, and its thread, for which it is `NOW` for ever.
fn timer() -> (Arc<Timer>, Arc<Seen>, thread::JoinHandle<()>) {
    let (timer, seen) = (Arc::new(Timer::default()), Arc::new(Seen::new()));
    let (of, sees) = (Arc::clone(&timer), Arc::clone(&seen));
    let run = move || {
        while let Some(queue) = of.next_due(|| Time::from_nanos(NOW), |_| Duration::ZERO) {
            sees.add(queue);
        }
    };
    (timer, seen, thread::spawn(run))
}

#[test]
fn every_wake_up_comes_whose_time_has_come() {
    check(|| {
        let (timer, seen, thread) = timer();
        let other = Arc::clone(&timer);
        let setter = thread::spawn(move || other.set(2, at(7)));
        timer.set(1, at(5));
        assert_eq!(seen.wait(2), [1, 2]);
        setter.join().unwrap();
        timer.stop();
        thread.join().unwrap();
    });
}

#[test]
fn a_wake_up_that_is_moved_forward_comes_and_one_called_off_does_not_hold_up_the_end() {
    check(|| {
        let (timer, seen, thread) = timer();
        let other = Arc::clone(&timer);
        timer.set(1, at(99));
        // A time that is far off, and called off.
        let setter = thread::spawn(move || {
            other.set(2, at(50));
            other.set(2, None);
        });
        timer.set(1, at(5));
        assert_eq!(seen.wait(1), [1]);
        setter.join().unwrap();
        timer.stop();
        thread.join().unwrap();
        assert_eq!(seen.wait(1), [1], "nothing else came");
    });
}

/// A queue with news: how much, and whether it is in the mail.
struct Newsy(Mutex<(Vec<u64>, bool)>);

/// Two queues, the mail, and what has been told.
struct Office {
    queues: [Arc<Newsy>; 2],
    mail: Mail<Arc<Newsy>>,
    told: Seen,
}

impl Office {
    /// Leaves news, as a round does, and then tells some, as a thread does that has driven.
    fn leave(&self, queue: usize, news: u64) {
        let queue = &self.queues[queue];
        let mut state = lock(&queue.0);
        state.0.push(news);
        self.post(queue, &mut state);
        drop(state);
        self.tell();
    }

    fn post(&self, queue: &Arc<Newsy>, (news, mailed): &mut (Vec<u64>, bool)) {
        self.mail.put(queue, !news.is_empty(), mailed);
    }

    /// As [`Shared::driving`](crate::runtime::Shared::driving).
    fn tell(&self) {
        self.mail.go_through(|queue| {
            let mut state = lock(&queue.0);
            state.1 = false;
            let news = state.0.pop();
            self.post(&queue, &mut state);
            drop(state);
            if let Some(news) = news {
                self.told.add(news);
            }
        });
    }
}

#[test]
fn all_news_is_told_once() {
    check(|| {
        let queues = [(); 2].map(|()| Arc::new(Newsy(Mutex::new((Vec::new(), false)))));
        let office = Arc::new(Office { queues, mail: Mail::default(), told: Seen::new() });
        let [other, tellers] = [(); 2].map(|()| Arc::clone(&office));
        let teller = thread::spawn(move || {
            while tellers.mail.is_called() {
                tellers.tell();
            }
        });
        let leaver = thread::spawn(move || other.leave(0, 2));
        office.leave(0, 1);
        office.leave(1, 3);
        assert_eq!(office.told.wait(3), [1, 2, 3]);
        leaver.join().unwrap();
        office.mail.stop();
        teller.join().unwrap();
        assert_eq!(office.told.wait(3), [1, 2, 3], "nothing twice");
    });
}

/// A queue with transfers to start.
struct Wanting {
    number: u64,
    lane: Mutex<Option<LaneId>>,
    waiting: Mutex<usize>,
    wants: AtomicBool,
}

impl Listed for Wanting {
    fn number(&self) -> u64 {
        self.number
    }

    fn lane(&self) -> LaneId {
        lock(&self.lane).expect("it has been registered")
    }

    fn set_lane(&self, lane: LaneId) {
        *lock(&self.lane) = Some(lane);
    }

    fn wants(&self) -> bool {
        self.wants.load(Ordering::Acquire)
    }
}

/// Queues that share an engine with room for so many transfers, and how many have been started.
struct Sharing {
    registry: Registry<Wanting>,
    depth: usize,
    started: AtomicUsize,
}

impl Sharing {
    fn new(depth: usize) -> Self {
        Self { registry: Registry::new(2), depth, started: AtomicUsize::new(0) }
    }

    fn queue(&self) -> Arc<Wanting> {
        let make = |number| Wanting {
            number,
            lane: Mutex::new(None),
            waiting: Mutex::new(0),
            wants: AtomicBool::new(false),
        };
        self.registry.add(make, Priority::Normal).expect("there is room")
    }

    /// Starts up to `budget`, and says whether there is more: as `Shared::collect`, under the queue's lock.
    fn round(&self, queue: &Wanting, more: usize, budget: usize) -> usize {
        let mut waiting = lock(&queue.waiting);
        *waiting += more;
        let starts = budget.min(*waiting);
        *waiting -= starts;
        queue.wants.store(*waiting > 0, Ordering::Release);
        self.started.fetch_add(starts, Ordering::Relaxed);
        starts
    }

    /// As `Shared::advance`, and then what an engine's thread does until nothing of this thread's is under way.
    fn submit(&self, queue: &Wanting, count: usize) {
        self.round(queue, count, 0);
        let mut ended = 0;
        loop {
            let mut flying = 0;
            self.registry.dispatch(self.depth, ended, |queue, budget| {
                let starts = self.round(queue, 0, budget);
                flying += starts;
                starts
            });
            if flying == 0 {
                return;
            }
            ended = flying;
        }
    }
}

#[test]
fn no_transfer_is_left_when_there_is_room_for_it() {
    for (depth, counts) in [(1, [2, 2]), (2, [1, 2])] {
        check(move || {
            let sharing = Arc::new(Sharing::new(depth));
            let [first, second] = [(); 2].map(|()| sharing.queue());
            let other = Arc::clone(&sharing);
            let submitter = thread::spawn(move || other.submit(&second, counts[1]));
            sharing.submit(&first, counts[0]);
            submitter.join().unwrap();
            assert_eq!(sharing.started.load(Ordering::Relaxed), counts[0] + counts[1]);
            sharing.round(&first, 1, 0);
            sharing.registry.dispatch(depth, 0, |queue, room| {
                assert_eq!(room, depth, "nothing is under way");
                sharing.round(queue, 0, room)
            });
        });
    }
}

/// Staging memory of one page, which queues want that have given theirs back before anybody asks again.
struct Memory {
    staging: Mutex<Staging>,
    got: AtomicUsize,
}

impl Memory {
    const PAGE: usize = 4096;

    fn new() -> Self {
        let pool = StagingPool::new(Self::PAGE).expect("there is a page");
        Self { staging: Mutex::new(Staging::new(pool)), got: AtomicUsize::new(0) }
    }

    fn lease(&self, queue: u64) -> Result<ds_core::LeaseId, StagingError> {
        lock(&self.staging).lease(queue, Priority::Normal, Self::PAGE as u64)
    }

    /// As a round: what has been leased is used and given back.
    fn round(&self, queue: u64) {
        if let Ok(lease) = self.lease(queue) {
            self.got.fetch_add(1, Ordering::Relaxed);
            self.release(lease);
        }
    }

    fn release(&self, lease: ds_core::LeaseId) {
        lock(&self.staging).pool.release(lease);
        line::offer(&self.staging, |queue| self.round(queue));
    }
}

#[test]
fn who_is_in_line_gets_memory_when_there_is_some() {
    check(|| {
        let memory = Arc::new(Memory::new());
        let held = memory.lease(0).expect("nobody else has any");
        let threads = [1, 2].map(|queue| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.round(queue))
        });
        memory.release(held);
        threads.map(|thread| thread.join().unwrap());
        assert_eq!(memory.got.load(Ordering::Relaxed), 2);
    });
}
