//! Jobs that nobody wants any more and that may still be in the queue.
//!
//! Cancelling must cost a submit nothing, so jobs cannot be looked up in the queue: their names are kept here until their
//! turn comes. The job of such a name may have been taken already, or never have been here. To forget those too, each name
//! has the number the queue's end had at the time: once the queue's front has passed that, its job cannot be in it.

use std::collections::HashMap;

use ds_engine::JobId;

/// Names kept before the first look for stale ones.
const FEW: usize = 64;

#[derive(Default)]
pub(super) struct Cancelled {
    ends: HashMap<JobId, u64>,
    /// Look for stale names when there are so many.
    full: usize,
}

impl Cancelled {
    /// Remembers a name, while the queue goes from `front` to `end`.
    pub(super) fn add(&mut self, id: JobId, front: u64, end: u64) {
        if front == end {
            // Nothing is queued: no name means anything any more.
            self.ends.clear();
            return;
        }
        if self.ends.len() >= self.full {
            self.ends.retain(|_, end| *end > front);
            // Twice what is left: each name is looked at a constant number of times, on average.
            self.full = FEW.max(2 * self.ends.len());
        }
        self.ends.insert(id, end);
    }

    /// Whether a job whose turn has come is cancelled. Forgets the name.
    pub(super) fn take(&mut self, id: JobId) -> bool {
        !self.ends.is_empty() && self.ends.remove(&id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ds_core::OpId;

    fn id(n: u64) -> JobId {
        JobId { queue: 0, op: OpId::from_u64(n) }
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut cancelled = Cancelled::default();
        cancelled.add(id(1), 0, 5);
        assert!(!cancelled.take(id(2)));
        assert!(cancelled.take(id(1)));
        assert!(!cancelled.take(id(1)));
    }

    #[test]
    fn stale_names_do_not_pile_up() {
        let mut cancelled = Cancelled::default();
        for n in 0..100_000 {
            // Ten tasks are queued at any time; the one cancelled has been taken long ago.
            cancelled.add(id(n), n, n + 10);
        }
        assert!(cancelled.ends.len() <= FEW + 10, "{}", cancelled.ends.len());
        cancelled.add(id(0), 7, 7);
        assert!(cancelled.ends.is_empty());
    }
}
