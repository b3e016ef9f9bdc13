//! Waiting for one request.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ds_core::RequestId;

use crate::completion::Completion;
use crate::queue::{QueueInner, State, submit, submit_and_wait};
use crate::runtime::Shared;
use crate::slots::Delivery;

/// A claim to one request's completion. Wait for it, or `.await` it: it is a future that any executor can run. Both submit the
/// queue first, since nothing else would.
///
/// Dropping a ticket gives up the completion, not the request: that runs to its end, keeping its buffers until then, and is then
/// forgotten. Use [`cancel`](Self::cancel) to stop it.
#[must_use = "dropping a ticket gives up its completion"]
pub struct Ticket {
    queue: Arc<QueueInner>,
    shared: Arc<Shared>,
    id: RequestId,
    /// Whether the completion has been taken.
    spent: bool,
}

impl Ticket {
    pub(crate) const fn new(queue: Arc<QueueInner>, shared: Arc<Shared>, id: RequestId) -> Self {
        Self { queue, shared, id, spent: false }
    }

    /// Which request.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Whether the request has ended, so that [`wait`](Self::wait) would not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.queue.lock().core.is_done(self.id) == Some(true)
    }

    /// Cancels the request. Its completion still comes, exactly once. Returns whether it was in time.
    pub fn cancel(&self) -> bool {
        let cancelled = self.queue.lock().core.cancel(self.id);
        self.shared.poll(&self.queue);
        cancelled > 0
    }

    /// Submits the queue and waits for the request to end.
    #[must_use]
    pub fn wait(mut self) -> Completion {
        submit_and_wait(&self.queue, &self.shared, None);
        let mut taken = None;
        self.shared.wait_until(&self.queue, None, |state| {
            taken = take(&self.queue, state, self.id);
            taken.is_some()
        });
        self.spent = true;
        taken.expect("the wait ended because the completion was taken, and only a ticket takes its own")
    }

    /// As [`wait`](Self::wait), but gives up after `timeout`.
    ///
    /// # Errors
    /// The ticket back. The request goes on.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Completion, Self> {
        submit(&self.queue, &self.shared);
        let mut taken = None;
        self.shared.wait_until(&self.queue, Instant::now().checked_add(timeout), |state| {
            taken = take(&self.queue, state, self.id);
            taken.is_some()
        });
        match taken {
            Some(completion) => {
                self.spent = true;
                Ok(completion)
            }
            None => Err(self),
        }
    }
}

/// Delivers to a ticket: its slot is free now, which others may be waiting for.
fn take(queue: &QueueInner, state: &mut State, id: RequestId) -> Option<Completion> {
    let completion = state.take(id)?;
    queue.wake_waiters(state);
    Some(completion)
}

impl Future for Ticket {
    type Output = Completion;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Completion> {
        assert!(!self.spent, "a ticket was polled after it was ready");
        // Wakers are cloned and dropped with no lock held: both run the executor's code, and the last of a task's wakers may
        // take the task's other tickets with it.
        let waker = context.waker().clone();
        let mut state = self.queue.lock();
        if let Some(completion) = take(&self.queue, &mut state, self.id) {
            drop(state);
            self.spent = true;
            return Poll::Ready(completion);
        }
        let previous = state.redirect(self.id, Delivery::Ticket(Some(waker)));
        drop(state);
        drop(previous);
        // After the waker is in place: the request may end within this call, and then wakes it.
        submit(&self.queue, &self.shared);
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.spent {
            return;
        }
        let mut state = self.queue.lock();
        // Buffers are freed, and a waker is dropped, once the lock is released.
        let completion = take(&self.queue, &mut state, self.id);
        let waker = if completion.is_none() { state.redirect(self.id, Delivery::Discard) } else { None };
        drop(state);
        drop((completion, waker));
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.id).finish()
    }
}
