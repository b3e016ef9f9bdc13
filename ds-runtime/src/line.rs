//! Queues in line for staging memory.
//!
//! Without it, whoever releases memory would take it again, and a request that needs much would wait for ever while small ones
//! come and go.

use std::collections::VecDeque;

use ds_core::{LeaseId, Priority};
use ds_engine::{StagingError, StagingPool};

use crate::sync::{Mutex, lock};

/// How often a queue in line lets a more urgent one go first.
const PATIENCE: u8 = 8;

/// A queue that did not get the memory it asked for.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    queue: u64,
    priority: Priority,
    /// How many have gone before it since it came.
    passed: u8,
}

/// Staging memory, and the queues that wait for some.
#[derive(Debug)]
pub(crate) struct Staging {
    pub(crate) pool: StagingPool,
    line: VecDeque<Waiting>,
    /// The first of the line, taken out of it to try again, and whether it has got something.
    serving: Option<(Waiting, bool)>,
    /// Memory has come back meanwhile.
    again: bool,
}

impl Staging {
    pub(crate) const fn new(pool: StagingPool) -> Self {
        Self { pool, line: VecDeque::new(), serving: None, again: false }
    }

    /// Leases memory for a queue, unless others were first. A queue that gets none is in line from then on.
    pub(crate) fn lease(
        &mut self,
        queue: u64,
        priority: Priority,
        len: u64,
    ) -> Result<LeaseId, StagingError> {
        let first = self.first();
        let mine = first.is_none_or(|first| first.queue == queue || first.yields_to(priority));
        let leased = if mine { self.pool.lease(len) } else { Err(StagingError::Busy) };
        match leased {
            Ok(_) => self.satisfied(queue, priority),
            Err(StagingError::Busy) => self.join(queue, priority),
            Err(StagingError::TooLarge { .. }) => {}
        }
        leased
    }

    fn first(&self) -> Option<Waiting> {
        self.serving.map(|(serving, _)| serving).or_else(|| self.line.front().copied())
    }

    /// A queue has got memory. If it wants more, it comes after those who have got nothing yet.
    fn satisfied(&mut self, queue: u64, priority: Priority) {
        self.line.retain(|waiting| waiting.queue != queue);
        if let Some((serving, got)) = &mut self.serving {
            if serving.queue == queue {
                *got = true;
                return;
            }
            serving.passed += 1;
        }
        for waiting in self.line.iter_mut().filter(|waiting| waiting.yields_to(priority)) {
            waiting.passed += 1;
        }
    }

    fn join(&mut self, queue: u64, priority: Priority) {
        if self.line.iter().any(|waiting| waiting.queue == queue) {
            return;
        }
        match self.serving {
            Some((serving, false)) if serving.queue == queue => self.line.push_front(serving),
            _ => {
                let behind = self.line.iter().rev().take_while(|waiting| waiting.yields_to(priority)).count();
                let at = self.line.len() - behind;
                self.line.iter_mut().skip(at).for_each(|waiting| waiting.passed += 1);
                self.line.insert(at, Waiting { queue, priority, passed: 0 });
            }
        }
    }

    /// The queue to try again, now that memory has come back. `None` if none waits, or another thread is at it and will go on.
    pub(crate) fn serve(&mut self) -> Option<u64> {
        if self.serving.is_some() {
            self.again = true;
            return None;
        }
        self.again = false;
        let first = self.line.pop_front()?;
        self.serving = Some((first, false));
        Some(first.queue)
    }

    /// The queue served has tried. Returns whether the next one may: it got what it wanted, or memory has come back meanwhile.
    pub(crate) fn served(&mut self) -> bool {
        let Some((served, _)) = self.serving.take() else { return false };
        self.again || self.line.front().is_some_and(|first| first.queue != served.queue)
    }

    /// Whether a queue is in line.
    pub(crate) fn is_waiting(&self, queue: u64) -> bool {
        self.line.iter().any(|waiting| waiting.queue == queue)
    }

    /// Forgets a queue.
    pub(crate) fn leave(&mut self, queue: u64) {
        self.line.retain(|waiting| waiting.queue != queue);
    }
}

/// Memory has come back: queues in line `retry`, in their order, each without the lock. If another thread is at that, it goes on with it,
/// and this one returns at once.
pub(crate) fn offer(staging: &Mutex<Staging>, mut retry: impl FnMut(u64)) {
    loop {
        let Some(queue) = lock(staging).serve() else { return };
        retry(queue);
        if !lock(staging).served() {
            return;
        }
    }
}

impl Waiting {
    /// Whether a queue of that priority goes first.
    fn yields_to(self, priority: Priority) -> bool {
        priority > self.priority && self.passed < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    fn staging(pages: usize) -> Staging {
        Staging::new(StagingPool::new(pages * PAGE as usize).unwrap())
    }

    /// Serves the line until somebody must wait; `wants` says how much each queue asks for.
    fn serve(staging: &mut Staging, wants: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut got = Vec::new();
        while let Some(queue) = staging.serve() {
            if staging.lease(queue, Priority::Normal, wants(queue)).is_ok() {
                got.push(queue);
            }
            if !staging.served() {
                break;
            }
        }
        got
    }

    #[test]
    fn a_large_wish_is_not_passed_by_small_ones() {
        let mut staging = staging(4);
        let held = staging.lease(0, Priority::Normal, PAGE).unwrap();
        assert_eq!(staging.lease(1, Priority::Normal, 4 * PAGE), Err(StagingError::Busy));
        assert_eq!(
            staging.lease(2, Priority::Normal, PAGE),
            Err(StagingError::Busy),
            "there is room, but 1 was first"
        );
        assert_eq!(serve(&mut staging, |_| 4 * PAGE), []);
        staging.pool.release(held);
        assert_eq!(serve(&mut staging, |_| 4 * PAGE), [1]);
    }

    #[test]
    fn queues_take_turns() {
        let mut staging = staging(1);
        let mut held = staging.lease(0, Priority::Normal, PAGE).unwrap();
        let mut order = Vec::new();
        for queue in [0, 1, 2] {
            assert_eq!(staging.lease(queue, Priority::Normal, PAGE), Err(StagingError::Busy));
        }
        for _ in 0..6 {
            staging.pool.release(held);
            let queue = staging.serve().unwrap();
            held = staging.lease(queue, Priority::Normal, PAGE).unwrap();
            // It wants more at once.
            assert_eq!(staging.lease(queue, Priority::Normal, PAGE), Err(StagingError::Busy));
            staging.served();
            order.push(queue);
        }
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn urgent_queues_go_first_and_not_for_ever() {
        let mut staging = staging(1);
        let mut held = staging.lease(0, Priority::Low, PAGE).unwrap();
        assert_eq!(staging.lease(1, Priority::Low, PAGE), Err(StagingError::Busy));
        let mut passed = 0;
        loop {
            assert_eq!(staging.lease(2, Priority::Realtime, PAGE), Err(StagingError::Busy));
            staging.pool.release(held);
            let queue = staging.serve().unwrap();
            held = staging.lease(queue, Priority::Low, PAGE).unwrap();
            staging.served();
            if queue == 1 {
                break;
            }
            passed += 1;
        }
        assert_eq!(passed, usize::from(PATIENCE));
    }

    #[test]
    fn who_wants_nothing_any_more_holds_up_nobody() {
        let mut staging = staging(1);
        let held = staging.lease(0, Priority::Normal, PAGE).unwrap();
        for queue in [1, 2, 3] {
            assert_eq!(staging.lease(queue, Priority::Normal, PAGE), Err(StagingError::Busy));
        }
        staging.leave(1);
        staging.pool.release(held);
        // Queue 2 is served and asks for nothing.
        assert_eq!(staging.serve(), Some(2));
        assert_eq!(staging.serve(), None, "one at a time");
        assert!(staging.served());
        assert_eq!(serve(&mut staging, |_| PAGE), [3]);
    }
}
