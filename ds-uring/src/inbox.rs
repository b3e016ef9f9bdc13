//! Messages to a ring's thread.

use std::collections::VecDeque;
use std::sync::PoisonError;

#[cfg(all(test, loom))]
use {
    crate::model::ArrayQueue,
    loom::sync::atomic::{AtomicBool, Ordering},
    loom::sync::{Mutex, MutexGuard},
};
#[cfg(not(all(test, loom)))]
use {
    core::sync::atomic::{AtomicBool, Ordering},
    crossbeam_queue::ArrayQueue,
    std::sync::{Mutex, MutexGuard},
};

use ds_engine::{IoJob, JobId};

/// Something a ring's thread is told.
#[derive(Debug)]
pub(crate) enum Message {
    Job(IoJob),
    Cancel(JobId),
}

/// A queue of messages from any thread to one. As long as it is not full, nobody locks anything and nothing is allocated; what
/// does not fit is kept under a lock. A driver that keeps to the engine's depth never comes to that.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: ArrayQueue<Message>,
    spill: Mutex<VecDeque<Message>>,
    /// Whether there is anything in the spill: then what comes next has to queue up behind it.
    spilled: AtomicBool,
}

impl Inbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            queue: ArrayQueue::new(capacity),
            spill: Mutex::new(VecDeque::new()),
            spilled: AtomicBool::new(false),
        }
    }

    fn spill(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.spill.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, message: Message) {
        let message = if self.spilled.load(Ordering::Acquire) {
            message
        } else {
            match self.queue.push(message) {
                Ok(()) => return,
                Err(message) => message,
            }
        };
        let mut spill = self.spill();
        spill.push_back(message);
        self.spilled.store(true, Ordering::Release);
    }

    /// Takes the next message. For one thread: messages of one sender come in their order.
    pub(crate) fn pop(&self) -> Option<Message> {
        if let Some(message) = self.queue.pop() {
            return Some(message);
        }
        if !self.spilled.load(Ordering::Acquire) {
            return None;
        }
        let mut spill = self.spill();
        // Whoever spilled has filled the queue first, perhaps since the look above.
        if let Some(message) = self.queue.pop() {
            return Some(message);
        }
        let message = spill.pop_front();
        if spill.is_empty() {
            self.spilled.store(false, Ordering::Release);
        }
        message
    }

    /// How many messages there are, leaving out those that did not fit.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.spilled.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use ds_core::OpId;

    fn name(queue: u64, op: u64) -> JobId {
        JobId { queue, op: OpId::from_u64(op) }
    }

    fn take(inbox: &Inbox) -> Option<JobId> {
        inbox.pop().map(|message| match message {
            Message::Cancel(id) => id,
            Message::Job(job) => job.id,
        })
    }

    #[test]
    fn what_does_not_fit_waits_its_turn() {
        let inbox = Inbox::new(3);
        for round in 0..3 {
            (0..10).for_each(|n| inbox.push(Message::Cancel(name(round, n))));
            assert!(!inbox.is_empty());
            (0..10).for_each(|n| assert_eq!(take(&inbox), Some(name(round, n))));
            assert!(inbox.is_empty() && take(&inbox).is_none());
        }
    }

    #[test]
    fn nothing_is_lost_or_overtaken_between_threads() {
        const EACH: u64 = 20_000;
        let inbox = Inbox::new(16);
        std::thread::scope(|scope| {
            for sender in 0..3 {
                let inbox = &inbox;
                scope.spawn(move || (0..EACH).for_each(|n| inbox.push(Message::Cancel(name(sender, n)))));
            }
            let mut next = [0; 3];
            while next != [EACH; 3] {
                match take(&inbox) {
                    Some(id) => {
                        let next = &mut next[id.queue as usize];
                        assert_eq!(id.op, OpId::from_u64(*next));
                        *next += 1;
                    }
                    None => std::thread::yield_now(),
                }
            }
        });
        assert!(inbox.is_empty());
    }
}
