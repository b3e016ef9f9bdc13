//! Who wakes a thread that sleeps in the kernel, and only when it does sleep.
//!
//! Waking costs a system call, so whoever leaves a message asks first whether the thread is asleep, and of several at once
//! one wakes it. The question and the thread's own last look for messages cross: either the messenger sees that the thread
//! means to sleep, or the thread sees the message. Both sides put a fence between what they write and what they read, and of
//! two such fences one comes first. Whoever changes the flag reads it in the same step, so that all changes have one order that
//! everybody goes by. `model` tries every interleaving.

#[cfg(not(all(test, loom)))]
use core::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicBool, Ordering, fence};

/// Whether the thread is asleep or about to be.
#[derive(Debug)]
pub(crate) struct Doorbell {
    asleep: AtomicBool,
}

impl Doorbell {
    pub(crate) fn new() -> Self {
        Self { asleep: AtomicBool::new(false) }
    }

    /// The thread means to sleep. Only if it finds no message after this may it do so.
    pub(crate) fn lie_down(&self) {
        self.asleep.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// The thread is up, by itself or woken.
    pub(crate) fn get_up(&self) {
        self.asleep.swap(false, Ordering::AcqRel);
    }

    /// Whether whoever has just left a message must wake the thread. Says yes to one of several.
    #[must_use]
    pub(crate) fn must_ring(&self) -> bool {
        fence(Ordering::SeqCst);
        // Most of the time it is up: a look costs less than a swap, which takes the cache line from its owner.
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_messenger_rings_and_only_for_a_sleeper() {
        let bell = Doorbell::new();
        assert!(!bell.must_ring());
        bell.lie_down();
        assert!(bell.must_ring());
        assert!(!bell.must_ring(), "somebody has");
        bell.lie_down();
        bell.get_up();
        assert!(!bell.must_ring());
    }
}
