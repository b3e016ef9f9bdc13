//! Borrowed buffers: a scope that cannot end before the work has.

use core::fmt;
use core::marker::PhantomData;
use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Mutex;

use ds_core::{Error, RequestId};
use ds_engine::{HostBytes, lock};

use crate::completion::Completion;
use crate::file::File;
use crate::queue::{Queue, State, enqueue, submit};
use crate::request::Request;
use crate::slots::Delivery;

/// A scope in which requests may borrow buffers: made by [`Queue::scope`], which returns only when every request enqueued in it
/// has ended, even if the body panics.
///
/// ```
/// # use ds_runtime::{File, QueueOptions, Runtime};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().build()?;
/// # let queue = runtime.queue(QueueOptions::default())?;
/// let file = File::open("Cargo.toml")?;
/// let (mut first, mut second) = ([0; 9], [0; 6]);
/// queue.scope(|scope| {
///     scope.read(&file, 0, &mut first)?;
///     scope.read(&file, 10, &mut second)?;
///     Ok(())
/// })?;
/// assert_eq!(&first, b"[package]");
/// # Ok(()) }
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    queue: &'scope Queue,
    pending: Mutex<Vec<RequestId>>,
    /// Invariant in both lifetimes, so that neither can be talked shorter.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Reads into `buffer`, all of it, from `offset` of `file`.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    #[track_caller]
    pub fn read(
        &'scope self,
        file: &File,
        offset: u64,
        buffer: &'scope mut [u8],
    ) -> Result<ScopedTicket<'scope>, Error> {
        let request = Request::read(file, offset, buffer.len() as u64);
        self.request(request, buffer)
    }

    /// Enqueues any request that has a destination, which is `buffer` instead of one of its own. Its length must be what the
    /// request makes.
    ///
    /// # Errors
    /// As [`Queue::enqueue`], and [`ErrorKind::Invalid`](ds_core::ErrorKind::Invalid) if the lengths differ.
    #[track_caller]
    pub fn request(
        &'scope self,
        request: Request,
        buffer: &'scope mut [u8],
    ) -> Result<ScopedTicket<'scope>, Error> {
        let (expected, actual) = (request.core.destination.len(), buffer.len() as u64);
        if expected != actual || request.core.destination.kind() != ds_core::request::LocationKind::Host {
            return Err(ds_core::Misuse::SizeMismatch { source: expected, destination: actual }.into());
        }
        request.check_access()?;
        // SAFETY: the buffer is borrowed for 'scope, and `run` does not return before the request has ended.
        let bytes = unsafe { HostBytes::new(buffer.as_mut_ptr(), buffer.len()) };
        self.enqueue_waiting(request, bytes)
    }

    #[track_caller]
    fn enqueue_waiting(
        &'scope self,
        mut request: Request,
        bytes: HostBytes,
    ) -> Result<ScopedTicket<'scope>, Error> {
        let Queue { inner, shared, .. } = self.queue;
        loop {
            // From here on the scope waits for it, whatever happens.
            let placed = |id| lock(&self.pending).push(id);
            match enqueue(inner, shared, &mut request, Some(bytes), Delivery::Ticket(None), placed) {
                Ok(id) => return Ok(ScopedTicket { scope: self.queue, pending: &self.pending, id }),
                Err(refused) if self.queue.wait_for_room(&refused.error) => {}
                Err(refused) => return Err(refused.error),
            }
        }
    }
}

/// A request of a scope.
pub struct ScopedTicket<'scope> {
    scope: &'scope Queue,
    pending: &'scope Mutex<Vec<RequestId>>,
    id: RequestId,
}

impl ScopedTicket<'_> {
    /// Which request.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Submits the queue and waits for the request to end. The completion's buffer is empty: the bytes are in the borrowed one.
    #[must_use]
    pub fn wait(self) -> Completion {
        let completion = wait(self.scope, self.id);
        // Only now: if the wait panicked, the scope itself would wait.
        lock(self.pending).retain(|&id| id != self.id);
        completion
    }
}

fn wait(queue: &Queue, id: RequestId) -> Completion {
    submit(&queue.inner, &queue.shared);
    let mut taken = None;
    queue.shared.wait_until(&queue.inner, None, |state: &mut State| {
        taken = state.take(id);
        queue.inner.wake_waiters(state);
        taken.is_some()
    });
    taken.expect("the wait ended because the completion was taken, and only the scope takes its own")
}

pub(crate) fn run<'env, T>(
    queue: &Queue,
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T, Error>,
) -> Result<T, Error> {
    let scope = Scope { queue, pending: Mutex::new(Vec::new()), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    let abort = AbortOnUnwind;
    let pending = core::mem::take(&mut *lock(&scope.pending));
    if !matches!(result, Ok(Ok(_))) {
        for &id in &pending {
            queue.cancel(id);
        }
    }
    let mut first_failure = None;
    for id in pending {
        let completion = wait(queue, id);
        if let (Err(error), None) = (completion.result, first_failure) {
            first_failure = Some(error);
        }
    }
    core::mem::forget(abort);
    match (result, first_failure) {
        (Err(panic), _) => resume_unwind(panic),
        (Ok(Ok(_)), Some(error)) => Err(error),
        (Ok(result), _) => result,
    }
}

/// Ends the process rather than let a panic end a scope whose buffers are still written to.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("queue", self.queue).finish_non_exhaustive()
    }
}

impl fmt::Debug for ScopedTicket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedTicket").field(&self.id).finish()
    }
}
