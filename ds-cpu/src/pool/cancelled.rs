//! Jobs that nobody wants any more and that may still be in the queue.
//!
//! Cancelling must cost a submit nothing, so jobs cannot be looked up in the queue: their names are kept here until their
//! turn comes. The job of such a name may have been taken already, or never have been here, and a later job may bear the
//! same name. So each name is kept with the number that the next task would have got at the time: it concerns tasks below
//! that number only, and once all those have left the queue it is stale.

use std::collections::HashMap;

use ds_engine::JobId;

/// Names kept before the first look for stale ones.
const FEW: usize = 64;

#[derive(Default)]
pub(super) struct Cancelled {
    /// For each name, the number below which it counts.
    ends: HashMap<JobId, u64>,
    /// Look for stale names when there are so many.
    full: usize,
}

impl Cancelled {
    /// Remembers a name, while the queue goes from the task numbered `front` to the one before `end`.
    pub(super) fn add(&mut self, id: JobId, front: u64, end: u64) {
        if self.ends.len() >= self.full {
            self.ends.retain(|_, end| *end > front);
            // Twice what is left: each name is looked at a constant number of times, on average.
            self.full = FEW.max(2 * self.ends.len());
        }
        self.ends.insert(id, end);
    }

    /// Whether a job whose turn has come, as the task of that number, is cancelled. Forgets the name.
    pub(super) fn take(&mut self, id: JobId, number: u64) -> bool {
        self.ends.remove(&id).is_some_and(|end| number < end)
    }

    /// Whether nothing is: mostly nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all names: the queue is empty.
    pub(super) fn clear(&mut self) {
        self.ends.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
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
        assert!(!cancelled.take(id(2), 3));
        assert!(cancelled.take(id(1), 4));
        assert!(!cancelled.take(id(1), 4));
    }

    #[test]
    fn a_later_job_of_the_same_name_is_another_job() {
        let mut cancelled = Cancelled::default();
        cancelled.add(id(1), 0, 5);
        assert!(!cancelled.take(id(1), 5));
        assert_eq!(cancelled.len(), 0, "a stale name is forgotten where it is met");
    }

    #[test]
    fn stale_names_do_not_pile_up() {
        let mut cancelled = Cancelled::default();
        for n in 0..100_000 {
            // Ten tasks are queued at any time; the one cancelled has been taken long ago.
            cancelled.add(id(n), n, n + 10);
        }
        assert!(cancelled.len() <= FEW + 10, "{}", cancelled.len());
    }
}
