//! The queues there are, and whose turn it is to start file I/O.

use std::sync::Arc;

use ds_core::{Arbiter, Lane, LaneId, Priority};

use crate::sync::{Mutex, MutexGuard, lock};

/// Queues that there can be at once.
pub(crate) const MAX_QUEUES: usize = 1 << 16;

/// Transfers a queue may start per pick: small, so that priorities tell; more than one, because each pick costs locks.
const QUANTUM: usize = 16;

/// A queue, as far as it is known here.
pub(crate) trait Listed {
    /// Its number, which no other queue has or has had.
    fn number(&self) -> u64;

    /// Its lane, which it gets before anybody else sees it.
    fn lane(&self) -> LaneId;

    fn set_lane(&self, lane: LaneId);

    /// Whether it has file I/O to start. Looked at without the queue's lock; whoever sets it starts some, or sees that there is no room.
    fn wants(&self) -> bool;
}

/// All queues, and how much file I/O they have in flight together.
pub(crate) struct Registry<Q>(Mutex<Listing<Q>>);

struct Listing<Q> {
    arbiter: Arbiter<Box<[Lane]>>,
    /// By their lane.
    queues: Box<[Option<Arc<Q>>]>,
    /// How many queues there have been.
    made: u64,
    flying: usize,
}

/// A queue's number says its lane, and how many queues there were before it.
const fn lane_of(number: u64) -> usize {
    (number % MAX_QUEUES as u64) as usize
}

impl<Q: Listed> Registry<Q> {
    /// Of so many queues at most.
    pub(crate) fn new(max_queues: usize) -> Self {
        Self(Mutex::new(Listing {
            arbiter: Arbiter::new(vec![Lane::new(); max_queues].into()),
            queues: vec![None; max_queues].into(),
            made: 0,
            flying: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Listing<Q>> {
        lock(&self.0)
    }

    /// The queue of that number, unless it is gone.
    pub(crate) fn get(&self, number: u64) -> Option<Arc<Q>> {
        let queue = self.lock().queues.get(lane_of(number))?.clone()?;
        (queue.number() == number).then_some(queue)
    }

    /// Gives a new queue its number, if there is room for one more.
    pub(crate) fn add(&self, make: impl FnOnce(u64) -> Q, priority: Priority) -> Option<Arc<Q>> {
        let mut listing = self.lock();
        let lane = listing.arbiter.add(priority)?;
        let index = lane.index();
        listing.made += 1;
        // What is late for a queue that is gone must not find the next queue in its lane.
        let number = listing.made * MAX_QUEUES as u64 + index as u64;
        let queue = Arc::new(make(number));
        queue.set_lane(lane);
        listing.queues[index] = Some(Arc::clone(&queue));
        Some(queue)
    }

    /// Forgets a queue. Returns whether it was there.
    pub(crate) fn remove(&self, queue: &Q) -> bool {
        let mut listing = self.lock();
        let held = &mut listing.queues[lane_of(queue.number())];
        let is_there = held.as_ref().is_some_and(|held| held.number() == queue.number());
        if is_there {
            *held = None;
            listing.arbiter.remove(queue.lane());
        }
        is_there
    }

    /// Starts file I/O while there is room for so much at once, fairly among the queues. `freed` transfers have just ended; `start`
    /// has a queue start so many at most, and returns how many those were.
    pub(crate) fn dispatch(
        &self,
        depth: usize,
        freed: usize,
        mut start: impl FnMut(&Arc<Q>, usize) -> usize,
    ) {
        let mut unused = freed;
        while let Some((queue, quantum)) = self.pick(depth, unused) {
            unused = quantum - start(&queue, quantum);
        }
    }

    /// Takes `unused` transfers off what is in flight, and counts as such what the queue may start whose turn it is.
    fn pick(&self, depth: usize, unused: usize) -> Option<(Arc<Q>, usize)> {
        let mut listing = self.lock();
        let listing = &mut *listing;
        listing.flying -= unused;
        let quantum = depth.saturating_sub(listing.flying).min(QUANTUM);
        if quantum == 0 {
            return None;
        }
        let queues = &listing.queues;
        let wants = |lane: LaneId| queues[lane.index()].as_ref().is_some_and(|queue| queue.wants());
        let lane = listing.arbiter.pick(wants)?;
        let queue = listing.queues[lane.index()].clone()?;
        listing.flying += quantum;
        Some((queue, quantum))
    }
}
