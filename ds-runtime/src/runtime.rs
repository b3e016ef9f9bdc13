//! The runtime: engines, staging memory and the queues that share them.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ds_core::{Error, ErrorKind};
use ds_engine::{AboutToDrive, Finished, Sink, StagingPool, StartContext, Warning};

use crate::builder::{BuildError, Builder, Engines, Selection};
use crate::clock::Clock;
use crate::here::{Doing, Here, in_a_call};
use crate::line::{self, Staging};
use crate::queue::{Queue, QueueInner, QueueOptions};
use crate::registry::Registry;
use crate::report::{ErrorHook, Report, report};
use crate::slots::OpWorker;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::tell::Mail;
use crate::timer::Timer;

/// Engines and staging memory, shared by any number of queues. Cloning it is cheap; the engines' threads end when the last
/// clone and the last queue are gone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
}

/// What runtimes and queues own together. Dropping it ends all threads; they own only [`Shared`].
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    selection: Selection,
}

/// What the engines' threads work with.
pub(crate) struct Shared {
    pub(crate) engines: Engines,
    pub(crate) staging: Mutex<Staging>,
    pub(crate) mail: Mail,
    pub(crate) clock: Clock,
    pub(crate) timer: Timer,
    /// Hears of warnings, and of failures in queues that have none of their own.
    pub(crate) hook: Option<ErrorHook>,
    registry: Registry<QueueInner>,
}

/// How long a wait within a call of the application's lasts before it looks for work again.
const NAP: Duration = Duration::from_millis(2);

impl Runtime {
    /// Makes a builder.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn start(
        engines: Engines,
        selection: Selection,
        staging: StagingPool,
        max_queues: usize,
        hook: Option<ErrorHook>,
    ) -> Result<Self, BuildError> {
        let shared = Arc::new(Shared {
            engines,
            staging: Mutex::new(Staging::new(staging)),
            mail: Mail::default(),
            clock: Clock::start(),
            timer: Timer::default(),
            hook,
            registry: Registry::new(max_queues),
        });
        let context = StartContext::new(Arc::new(Outcomes(Arc::clone(&shared))));
        let mapping = shared.staging().pool.mapping();
        // SAFETY: the mapping goes with `shared`, which this function holds while the engines start, and which `Inner` holds
        // from then on until it has stopped them.
        let context = unsafe { context.with_staging(mapping) };
        shared.engines.start(&context)?;
        // From here on, dropping it stops the engines.
        let runtime = Self { inner: Arc::new(Inner { shared: Arc::clone(&shared), selection }) };
        Timer::start(&shared).map_err(|source| BuildError::Os { what: "the timer thread", source })?;
        Mail::start(&shared)
            .map_err(|source| BuildError::Os { what: "the thread that tells news", source })?;
        Ok(runtime)
    }

    /// Makes a queue.
    ///
    /// # Errors
    /// [`Misuse::Configuration`](crate::Misuse::Configuration) if an option makes no sense, [`ErrorKind::OutOfMemory`], or
    /// [`ErrorKind::Unsupported`] if there are [`Builder::max_queues`] queues already.
    pub fn queue(&self, options: QueueOptions) -> Result<Queue, Error> {
        Queue::new(self, options)
    }

    /// Which engines it uses, and why not others.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.inner.selection
    }

    /// The rings that do its file I/O, or part of it, and what they have now of what was asked for; `None` if none do, and if the
    /// I/O engine is one that the program made itself, and can ask itself.
    ///
    /// What a kernel or a file system turns out not to have, rings go without; what of it each request really used is in its
    /// [`path`](crate::Completion::path) and counted by [`Stats::paths`](crate::Stats::paths).
    ///
    /// ```
    /// use ds_runtime::{Runtime, UringConfig, UringFeatures};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let wanted = UringFeatures::DEFAULT | UringFeatures::FIXED_FILES;
    /// let runtime = Runtime::builder().uring(UringConfig::default().features(wanted)).build()?;
    /// match runtime.uring() {
    ///     Some(rings) if rings.features.contains(wanted) => println!("all of it: {rings}"),
    ///     Some(rings) => println!("without {}", wanted - rings.features),
    ///     None => println!("no rings: {:?}", runtime.selection().refused),
    /// }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "uring")]
    #[must_use]
    pub fn uring(&self) -> Option<ds_uring::Report> {
        self.inner.shared.engines.rings.as_ref()?.report()
    }

    /// Staging memory: bytes there are, bytes in use, and the most bytes that were in use at once.
    #[must_use]
    pub fn staging(&self) -> (usize, usize, usize) {
        let staging = self.inner.shared.staging();
        (staging.pool.size(), staging.pool.used(), staging.pool.peak())
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("selection", &self.inner.selection).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.engines.stop();
        self.shared.timer.stop();
        self.shared.mail.stop();
    }
}

impl Shared {
    pub(crate) fn staging(&self) -> MutexGuard<'_, Staging> {
        lock(&self.staging)
    }

    /// The queue of that number, unless it is gone.
    pub(crate) fn queue(&self, number: u64) -> Option<Arc<QueueInner>> {
        self.registry.get(number)
    }

    /// Gives a new queue its number.
    pub(crate) fn register(
        &self,
        make: impl FnOnce(u64) -> QueueInner,
        priority: ds_core::Priority,
    ) -> Result<Arc<QueueInner>, Error> {
        let too_many = || Error::new(ErrorKind::Unsupported("more queues than Builder::max_queues"));
        self.registry.add(make, priority).ok_or_else(too_many)
    }

    /// Forgets a queue that is idle.
    pub(crate) fn retire(self: &Arc<Self>, queue: &QueueInner) {
        if self.registry.remove(queue) {
            self.staging().leave(queue.number);
            self.offer_staging();
        }
    }

    /// Memory has come back: queues that wait for some try again, in their order.
    pub(crate) fn offer_staging(self: &Arc<Self>) {
        line::offer(&self.staging, |number| {
            if let Some(queue) = self.queue(number) {
                queue.lock().core.staging_released();
                self.round(&queue, &[], 0);
            }
        });
    }

    /// Lets a queue move on: everything but new file I/O first, then file I/O of whichever queue's turn it is; then tells the
    /// application what came of it.
    pub(crate) fn poll(self: &Arc<Self>, queue: &Arc<QueueInner>) {
        self.driving(|| self.advance(queue));
    }

    /// As [`poll`](Self::poll), on a thread that then waits: it begins with doing some of the work, so that for a little nobody else
    /// need be woken.
    pub(crate) fn poll_and_help(self: &Arc<Self>, queue: &Arc<QueueInner>) {
        self.driving(|| {
            let intent = AboutToDrive::mark();
            self.advance(queue);
            drop(intent);
            // Before anything is told: the application's code may wait for what only this thread knows of.
            self.engines.drive_each(&Outcomes(Arc::clone(self)), Some(queue.number));
        });
    }

    /// As [`poll`](Self::poll), without telling.
    pub(crate) fn advance(self: &Arc<Self>, queue: &Arc<QueueInner>) {
        self.round(queue, &[], 0);
        self.dispatch(0);
    }

    /// Starts file I/O while the engine has room, fairly among the queues. `freed` transfers have just ended.
    fn dispatch(self: &Arc<Self>, freed: usize) {
        let depth = self.engines.io.depth();
        self.registry.dispatch(depth, freed, |queue, most| self.round(queue, &[], most).started);
    }

    /// Tells what there is to tell, and does one waiting job on this thread. Returns whether there was one.
    fn help(self: &Arc<Self>, queue: Option<u64>) -> bool {
        self.driving(|| {});
        let sink = Outcomes(Arc::clone(self));
        self.engines.drive(&sink, queue)
    }

    /// Takes outcomes, for any queues.
    pub(crate) fn complete(self: &Arc<Self>, batch: &[Finished]) {
        self.driving(|| {
            let mut freed = 0;
            for run in batch.chunk_by(|a, b| a.id.queue == b.id.queue) {
                // A queue stays registered until it is idle, so one that is not there has nothing outstanding.
                let Some(queue) = run.first().and_then(|finished| self.queue(finished.id.queue)) else {
                    continue;
                };
                freed += self.round(&queue, run, 0).freed;
            }
            self.dispatch(freed);
        });
    }

    /// Waits until `ready` holds for a queue, working meanwhile. Returns whether it does; false only after the deadline.
    pub(crate) fn wait_until(
        self: &Arc<Self>,
        queue: &QueueInner,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut crate::queue::State) -> bool,
    ) -> bool {
        // A thread that waits within a call may be an engine's only one, and work may come that wakes nobody else.
        let nap = in_a_call().then_some(NAP);
        // Work takes as long as it takes: with a deadline it is left to others, and so is other queues'.
        let helps = deadline.is_none() || nap.is_some();
        let helped = if nap.is_some() { None } else { Some(queue.number) };
        let mut looked = false;
        loop {
            if ready(&mut queue.lock()) {
                return true;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            if helps && self.help(helped) {
                continue;
            }
            if nap.is_some() {
                // What this thread is to tell has to wait for the call that it is in, and may be what the call waits for.
                self.mail.call_teller();
            }
            let mut state = queue.lock();
            if ready(&mut state) {
                return true;
            }
            if helps && nap.is_none() && !looked && state.patience.is_left() {
                let (mut patience, before) = (state.patience, queue.changes());
                drop(state);
                let sink = Outcomes(Arc::clone(self));
                looked = !patience.look(|| queue.changes() != before || self.engines.drive(&sink, helped));
                queue.lock().patience = patience;
                continue;
            }
            looked = false;
            state.waiters += 1;
            let mut state = match left.into_iter().chain(nap).min() {
                None => ds_engine::lock::wait(&queue.changed, state),
                Some(left) => ds_engine::lock::wait_timeout(&queue.changed, state, left).0,
            };
            state.waiters -= 1;
        }
    }

    /// Hurries an operation.
    pub(crate) fn cancel(&self, worker: OpWorker, id: ds_engine::JobId) {
        match worker {
            OpWorker::Io => self.engines.io.cancel(id),
            OpWorker::Codec => self.engines.codec.cancel(id),
            OpWorker::Copier => self.engines.copier.cancel(id),
            OpWorker::Device(number) => self.engines.devices[number].cancel(id),
            OpWorker::Application => {}
        }
    }
}

/// Where the engines answer.
struct Outcomes(Arc<Shared>);

impl Sink for Outcomes {
    fn complete(&self, batch: &[Finished]) {
        self.0.complete(batch);
    }

    fn warn(&self, warning: &Warning) {
        let shared = &*self.0;
        let _calling = Here::mark(Doing::Calling, shared);
        report(shared.hook.as_ref(), &Report::Warning(*warning));
    }
}
