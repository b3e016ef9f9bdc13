//! A queue behind a spin lock, for programs that share one between threads, or a thread and an interrupt handler, without an
//! operating system to sleep in. With one, use `ds-runtime`, which locks with the system's mutexes.

use heapless::Vec;
use spin::Mutex;

use crate::action::{Action, Outcome, Room};
use crate::completion::Completion;
use crate::error::{Error, UnknownOp};
use crate::id::RequestId;
use crate::queue::{Queue, Slots};
use crate::request::Request;
use crate::time::Time;

/// A [`Queue`] behind a spin lock. Each method holds the lock for one bounded step: a batch of at most `N` where a batch is
/// asked for, and otherwise one call of the method it is named after.
///
/// An interrupt handler that finds the lock taken by the very thread it has interrupted would spin for ever: mask that interrupt
/// around calls in threads that run on its core, or let the handler use [`try_with`](Self::try_with) and come back later.
#[derive(Debug)]
pub struct SharedQueue<S> {
    queue: Mutex<Queue<S>>,
}

impl<S: Slots> SharedQueue<S> {
    /// Shares `queue`.
    #[must_use]
    pub const fn new(queue: Queue<S>) -> Self {
        Self { queue: Mutex::new(queue) }
    }

    /// Runs `step` with the lock held. Keep it short: others spin.
    pub fn with<R>(&self, step: impl FnOnce(&mut Queue<S>) -> R) -> R {
        step(&mut self.queue.lock())
    }

    /// As [`with`](Self::with), unless the lock is taken: then returns `None` at once.
    pub fn try_with<R>(&self, step: impl FnOnce(&mut Queue<S>) -> R) -> Option<R> {
        self.queue.try_lock().map(|mut queue| step(&mut queue))
    }

    /// [`Queue::try_enqueue`].
    ///
    /// # Errors
    /// As there.
    pub fn try_enqueue(&self, request: &Request, now: Time) -> Result<RequestId, Error> {
        self.with(|queue| queue.try_enqueue(request, now))
    }

    /// [`Queue::submit`].
    pub fn submit(&self, now: Time) -> u32 {
        self.with(|queue| queue.submit(now))
    }

    /// Up to `N` actions under one lock. Fewer than `N` means that there are no more for now.
    #[must_use]
    pub fn poll_actions<const N: usize>(&self, now: Time, room: Room) -> Vec<Action, N> {
        let mut batch = Vec::new();
        self.with(|queue| {
            while !batch.is_full() {
                let Some(action) = queue.poll_action(now, room) else { break };
                if batch.push(action).is_err() {
                    break;
                }
            }
        });
        batch
    }

    /// [`Queue::handle_outcome`].
    ///
    /// # Errors
    /// As there.
    pub fn handle_outcome(&self, outcome: Outcome, now: Time) -> Result<(), UnknownOp> {
        self.with(|queue| queue.handle_outcome(outcome, now))
    }

    /// Up to `N` completions under one lock.
    #[must_use]
    pub fn take_completions<const N: usize>(&self) -> Vec<Completion, N> {
        let mut batch = Vec::new();
        self.with(|queue| {
            while !batch.is_full() {
                let Some(completion) = queue.next_completion() else { break };
                if batch.push(completion).is_err() {
                    break;
                }
            }
        });
        batch
    }
}
