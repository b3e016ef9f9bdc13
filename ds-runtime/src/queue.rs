//! Queues as programs know them.

use core::fmt;
use core::panic::Location as Caller;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use ds_core::{
    Config, Error, ErrorKind, ErrorRecord, EventToken, Fault, LaneId, Misuse, OpId, Outcome, Path, Priority,
    RequestId, SignalToken, Slot, Stats, StatusToken, Time, Transform, UnknownOp,
};
use ds_engine::{HostBytes, Patience};

use crate::choice::Choices;
use crate::clock::Clock;
use crate::completion::Completion;
use crate::custom::{CustomJob, CustomJobs, CustomRequest};
use crate::here::in_a_call;
use crate::marker::{Event, Fence, Marker, Markers, StatusArray};
use crate::registry::Listed;
use crate::report::{ErrorHook, Report};
use crate::request::{Rejected, Request};
use crate::runtime::{Inner, Runtime, Shared};
use crate::slots::{Beside, Delivery, OpWorker};
use crate::tell::Told;
use crate::ticket::Ticket;

/// How a queue behaves.
#[derive(Clone)]
#[non_exhaustive]
pub struct QueueOptions {
    /// A name for error reports. `queue` unless told.
    pub name: String,
    /// Most entries (requests and markers) it can hold, up to 2^20. 1024 unless told. Each costs less than 1 KiB.
    pub capacity: usize,
    /// How urgent its file I/O is beside other queues'.
    pub priority: Priority,
    /// Submit by itself when half of the capacity is enqueued and not submitted. On unless told.
    pub auto_submit: bool,
    /// Largest file transfer asked of the engine at once, in bytes; longer ones are cut so that they never block small ones.
    /// 1 MiB unless told.
    pub chunk_size: u64,
    /// Most bytes of requests in flight at once; a single larger request runs alone. Unlimited unless told.
    pub max_bytes_in_flight: u64,
    /// Report per-stage times in completions.
    pub stage_times: bool,
    /// Told of each failed request, instead of the runtime's hook ([`Builder::error_hook`](crate::Builder::error_hook)) and the
    /// process-wide one. It may hear of one after who waits for that request; when [`Queue::close`] returns, it has heard of all.
    pub error_hook: Option<ErrorHook>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            name: "queue".to_owned(),
            capacity: 1024,
            priority: Priority::Normal,
            auto_submit: true,
            chunk_size: 1 << 20,
            max_bytes_in_flight: u64::MAX,
            stage_times: false,
            error_hook: None,
        }
    }
}

impl QueueOptions {
    /// Sets [`name`](Self::name).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets [`capacity`](Self::capacity).
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets [`priority`](Self::priority).
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets [`auto_submit`](Self::auto_submit).
    #[must_use]
    pub fn auto_submit(mut self, auto_submit: bool) -> Self {
        self.auto_submit = auto_submit;
        self
    }

    /// Sets [`chunk_size`](Self::chunk_size).
    #[must_use]
    pub fn chunk_size(mut self, bytes: u64) -> Self {
        self.chunk_size = bytes;
        self
    }

    /// Sets [`max_bytes_in_flight`](Self::max_bytes_in_flight).
    #[must_use]
    pub fn max_bytes_in_flight(mut self, bytes: u64) -> Self {
        self.max_bytes_in_flight = bytes;
        self
    }

    /// Sets [`stage_times`](Self::stage_times).
    #[must_use]
    pub fn stage_times(mut self, stage_times: bool) -> Self {
        self.stage_times = stage_times;
        self
    }

    /// Sets [`error_hook`](Self::error_hook).
    #[must_use]
    pub fn error_hook(mut self, hook: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.error_hook = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for QueueOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueOptions")
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// A wait ended before what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out waiting; the requests go on")
    }
}

impl core::error::Error for TimedOut {}

/// Requests that had not ended when [`Queue::shutdown`] gave up waiting. Their memory stays theirs until they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stragglers {
    /// Which.
    pub requests: Vec<RequestId>,
}

impl fmt::Display for Stragglers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests are still in flight", self.requests.len())
    }
}

impl core::error::Error for Stragglers {}

/// What all who work with a queue share.
pub(crate) struct QueueInner {
    /// Its lane, and more: no other queue of the runtime ever has it.
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) priority: Priority,
    pub(crate) hook: Option<ErrorHook>,
    pub(crate) changed: Condvar,
    changes: Changes,
    state: Mutex<State>,
    lane: OnceLock<LaneId>,
    /// Whether it may have file I/O to start.
    wants: AtomicBool,
    /// Whether its owner gave up waiting for it.
    abandoned: AtomicBool,
    /// What an abandoned queue needs to come to its end: the engines.
    keeps: Mutex<Option<Arc<Inner>>>,
    event: OnceLock<Event>,
}

/// On a cache line of its own: waiting threads read it all the time.
#[repr(align(128))]
#[derive(Default)]
struct Changes(AtomicU32);

/// What a queue's lock guards.
pub(crate) struct State {
    pub(crate) core: ds_core::Queue<Box<[Slot]>>,
    /// Beside each slot that holds a request.
    pub(crate) beside: Box<[Option<Beside>]>,
    pub(crate) inbox: VecDeque<RequestId>,
    pub(crate) custom: CustomJobs,
    pub(crate) markers: Markers,
    /// Threads asleep until something changes.
    pub(crate) waiters: usize,
    /// How long threads look before they fall asleep.
    pub(crate) patience: Patience,
    /// What the application is yet to be told.
    pub(crate) told: Told,
    /// The last time that the queue was told.
    latest: Time,
    /// Who was to compute transforms, and why.
    pub(crate) choices: Choices,
}

impl Listed for QueueInner {
    fn number(&self) -> u64 {
        self.number
    }

    fn lane(&self) -> LaneId {
        *self.lane.get().expect("a queue gets its lane when it is registered, before anyone else sees it")
    }

    fn set_lane(&self, lane: LaneId) {
        self.lane.get_or_init(|| lane);
    }

    fn wants(&self) -> bool {
        self.wants.load(Ordering::Acquire)
    }
}

impl QueueInner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        ds_engine::lock(&self.state)
    }

    pub(crate) fn set_wants(&self, wants: bool) {
        self.wants.store(wants, Ordering::Release);
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// From now on the queue keeps the engines running, until it is idle.
    fn abandon(&self, runtime: Arc<Inner>) {
        *ds_engine::lock(&self.keeps) = Some(runtime);
        self.abandoned.store(true, Ordering::Release);
    }

    /// What the queue kept, now that it is idle. Dropping it may end all threads.
    pub(crate) fn release(&self) -> Option<Arc<Inner>> {
        ds_engine::lock(&self.keeps).take()
    }

    /// Tells threads that wait for something about this queue, if any do, that it has changed.
    pub(crate) fn wake_waiters(&self, state: &State) {
        // With the lock held; so nothing is lost.
        self.changes.0.store(self.changes().wrapping_add(1), Ordering::Relaxed);
        if state.waiters > 0 {
            self.changed.notify_all();
        }
    }

    /// How often waiting threads have been told, for a look without the lock. No order with anything is needed: who acts on it
    /// takes the lock.
    pub(crate) fn changes(&self) -> u32 {
        self.changes.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set_completion_event(&self) {
        if let Some(event) = self.event.get() {
            event.set();
        }
    }
}

impl State {
    /// The time. With the queue's lock held, so that the queue's time never runs backwards.
    pub(crate) fn now(&mut self, clock: Clock) -> Time {
        self.latest = clock.now();
        self.latest
    }

    /// The time for an entry to be enqueued at. Where nobody will ask for it the clock is not looked at, which takes a good part of
    /// the time that enqueuing does.
    fn time_to_enqueue(&mut self, has_deadline: bool, clock: Clock) -> Time {
        let submits = self.core.until_auto_submit().is_some_and(|left| left <= 1);
        if has_deadline || submits || self.core.config().stage_times { self.now(clock) } else { self.latest }
    }

    /// Delivers: takes the completion with its buffers, and frees the slot.
    pub(crate) fn take(&mut self, id: RequestId) -> Option<Completion> {
        let mut taken = None;
        self.take_for(id, |completion| taken = Some(completion));
        taken
    }

    /// As [`take`](Self::take), into the hands of `receive`: completions are large enough for each move to tell.
    #[inline]
    fn take_for(&mut self, id: RequestId, receive: impl FnOnce(Completion)) {
        let Some(completion) = self.core.take(id) else { return };
        let place = &mut self.beside[id.index()];
        if let Some(beside) = place {
            receive(beside.complete(completion));
        }
        *place = None;
    }

    /// Has a request that has not been taken delivered in another way from now on. Gives back who was to be told.
    pub(crate) fn redirect(&mut self, id: RequestId, delivery: Delivery) -> Option<Delivery> {
        let beside = self.beside[id.index()].as_mut().filter(|beside| beside.id == id)?;
        Some(core::mem::replace(&mut beside.delivery, delivery))
    }

    /// Who has an operation.
    pub(crate) fn worker_of(&self, op: OpId) -> OpWorker {
        match self.beside[op.index()].as_ref().and_then(|beside| beside.worker) {
            Some((last, worker)) if last == op => worker,
            _ => OpWorker::Io,
        }
    }

    /// Hands the core an outcome.
    pub(crate) fn handle(&mut self, outcome: Outcome, now: Time) -> Result<(), UnknownOp> {
        let application = self.custom.outstanding > 0 && self.worker_of(outcome.op) == OpWorker::Application;
        self.core.handle_outcome(outcome, now)?;
        self.custom.outstanding -= u32::from(application);
        Ok(())
    }

    /// Takes a decoding step back from the application, if it has not fetched it.
    pub(crate) fn withdraw_custom(&mut self, op: OpId, now: Time) {
        if self.custom.withdraw(op) {
            let outcome = Outcome { op, result: Err(Fault::Cancelled), path: Path::NONE };
            self.handle(outcome, now).expect("an operation that was waiting is outstanding");
        }
    }

    /// Whether waiting for a free slot can help: something is under way that will free one by itself.
    fn will_progress(&self) -> bool {
        // What the application has to decode, it may have to fetch on this very thread.
        self.core.unfinished() > self.core.stats().unsubmitted + self.custom.outstanding
            || self.told.is_busy()
    }
}

/// A queue of requests and markers. Any number of threads may use it at once.
///
/// Dropping a queue closes it: see [`close`](Self::close).
pub struct Queue {
    pub(crate) inner: Arc<QueueInner>,
    pub(crate) shared: Arc<Shared>,
    /// Keeps the engines running.
    _runtime: Arc<Inner>,
}

impl Queue {
    pub(crate) fn new(runtime: &Runtime, options: QueueOptions) -> Result<Self, Error> {
        let shared = Arc::clone(&runtime.inner.shared);
        let config = Config {
            priority: options.priority,
            auto_submit: options.auto_submit,
            chunk_size: options.chunk_size,
            max_transfers: u32::MAX,
            max_bytes_in_flight: options.max_bytes_in_flight,
            max_lease: shared.staging().pool.size() as u64,
            stage_times: options.stage_times,
            ..Config::default()
        };
        if options.capacity == 0 || options.capacity > Config::MAX_CAPACITY as usize {
            return Err(Misuse::Configuration("a queue's capacity must be 1 to 1048576 entries").into());
        }
        let core = ds_core::Queue::new(storage(options.capacity, Slot::new)?, config)?;
        let state = State {
            core,
            beside: storage(options.capacity, || None)?,
            inbox: VecDeque::new(),
            custom: CustomJobs::default(),
            markers: Markers::default(),
            waiters: 0,
            patience: shared.engines.patience(),
            told: Told::default(),
            latest: Time::ZERO,
            choices: Choices::default(),
        };
        let make = |number| QueueInner {
            number,
            name: options.name,
            priority: options.priority,
            hook: options.error_hook.or_else(|| runtime.inner.shared.hook.clone()),
            changed: Condvar::new(),
            changes: Changes::default(),
            state: Mutex::new(state),
            lane: OnceLock::new(),
            wants: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            keeps: Mutex::new(None),
            event: OnceLock::new(),
        };
        let inner = shared.register(make, options.priority)?;
        Ok(Self { inner, shared, _runtime: Arc::clone(&runtime.inner) })
    }

    /// Enqueues a request; the ticket tells how it ended. Waits while the queue is full, as long as something is under way that
    /// will make room.
    ///
    /// # Errors
    /// [`Rejected`], with the request inside: it can never work ([`ErrorKind::Invalid`], [`ErrorKind::TooLarge`],
    /// [`ErrorKind::OutOfMemory`]), the queue is closed, or it is full of entries that only the caller can move on: completions
    /// to take, or entries to submit ([`ErrorKind::QueueFull`]; always that from within a callback, hook or waker: those must not
    /// wait for room).
    #[track_caller]
    pub fn enqueue(&self, request: Request) -> Result<Ticket, Rejected> {
        let id = self.enqueue_waiting(request, Delivery::Ticket(None))?;
        Ok(Ticket::new(Arc::clone(&self.inner), Arc::clone(&self.shared), id))
    }

    /// As [`enqueue`](Self::enqueue), but never waits.
    ///
    /// # Errors
    /// As there; [`ErrorKind::QueueFull`] whenever the queue is full.
    #[track_caller]
    pub fn try_enqueue(&self, request: Request) -> Result<Ticket, Rejected> {
        let mut request = request;
        match self.enqueue_once(&mut request, Delivery::Ticket(None)) {
            Ok(id) => Ok(Ticket::new(Arc::clone(&self.inner), Arc::clone(&self.shared), id)),
            Err(refused) => Err(Rejected { error: refused.error, request: Box::new(request) }),
        }
    }

    /// Enqueues a request and calls `callback` with its completion: see [the crate docs](crate#threads) for where. The slot is
    /// free again when the callback has returned.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    #[track_caller]
    pub fn enqueue_with(
        &self,
        request: Request,
        callback: impl FnOnce(Completion) + Send + 'static,
    ) -> Result<RequestId, Rejected> {
        self.enqueue_waiting(request, Delivery::Callback(Box::new(callback)))
    }

    /// Enqueues a request whose completion is to be fetched with [`take_completed`](Self::take_completed).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    #[track_caller]
    pub fn post(&self, request: Request) -> Result<RequestId, Rejected> {
        self.enqueue_waiting(request, Delivery::Inbox)
    }

    /// A marker: when all entries before it are done, `array` cell `index` says which request failed first (in enqueue order)
    /// since the previous status. Waits for a free slot as [`enqueue`](Self::enqueue) does.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::Closed`]; [`ErrorKind::Invalid`] if there is no such cell, or it is pending. The
    /// cell is then as it was.
    pub fn enqueue_status(&self, array: &StatusArray, index: u32) -> Result<(), Error> {
        let Some(before) = array.begin(index) else {
            return Err(Misuse::UnknownToken("status cell, or it is pending").into());
        };
        let enqueued = self.enqueue_marker(&Marker::Status(array.clone()), |core, token, now| {
            core.enqueue_status(StatusToken { array: token, index }, now)
        });
        if enqueued.is_err() {
            array.set(index, before);
        }
        enqueued
    }

    /// A marker: when all entries before it are done, `fence` is raised to `value`. Waits for a free slot as
    /// [`enqueue`](Self::enqueue) does.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::Closed`].
    pub fn enqueue_signal(&self, fence: &Fence, value: u64) -> Result<(), Error> {
        self.enqueue_marker(&Marker::Fence(fence.clone()), |core, token, now| {
            core.enqueue_signal(SignalToken { fence: token, value }, now)
        })
    }

    /// A marker: when all entries before it are done, `event` is set. Waits for a free slot as [`enqueue`](Self::enqueue) does.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::Closed`].
    pub fn enqueue_event(&self, event: &Event) -> Result<(), Error> {
        self.enqueue_marker(&Marker::Event(event.clone()), |core, token, now| {
            core.enqueue_event(EventToken(token), now)
        })
    }

    fn enqueue_marker(
        &self,
        marker: &Marker,
        enqueue: impl Fn(&mut ds_core::Queue<Box<[Slot]>>, u64, Time) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            let mut state = self.inner.lock();
            let now = state.now(self.shared.clock);
            let token = state.markers.insert(marker.clone());
            let Err(error) = enqueue(&mut state.core, token, now) else {
                let submitted = state.core.stats().unsubmitted == 0;
                drop(state);
                if submitted {
                    self.shared.poll(&self.inner);
                }
                return Ok(());
            };
            let unused = state.markers.remove(token);
            drop(state);
            drop(unused);
            if !self.wait_for_room(&error) {
                return Err(error);
            }
        }
    }

    /// Lets everything enqueued so far begin. Returns how many entries that were.
    pub fn submit(&self) -> u32 {
        submit(&self.inner, &self.shared)
    }

    /// Cancels that request. Returns how many that were: 0 if it is over, or about to be.
    pub fn cancel(&self, id: RequestId) -> u32 {
        self.cancel_by(|core| core.cancel(id))
    }

    /// Cancels every request whose `tag & mask` equals `value`. Returns how many.
    pub fn cancel_tagged(&self, value: u64, mask: u64) -> u32 {
        self.cancel_by(|core| core.cancel_tagged(value, mask))
    }

    /// Cancels every request that has not begun. Returns how many.
    pub fn cancel_pending(&self) -> u32 {
        self.cancel_by(ds_core::Queue::cancel_pending)
    }

    /// Cancels every request. Returns how many.
    pub fn cancel_all(&self) -> u32 {
        self.cancel_by(ds_core::Queue::cancel_all)
    }

    fn cancel_by(&self, cancel: impl FnOnce(&mut ds_core::Queue<Box<[Slot]>>) -> u32) -> u32 {
        let cancelled = cancel(&mut self.inner.lock().core);
        self.shared.poll(&self.inner);
        cancelled
    }

    /// Up to `max` completions of requests that were [`post`](Self::post)ed, in the order they ended.
    pub fn take_completed(&self, max: usize) -> Vec<Completion> {
        if let Some(event) = self.inner.event.get() {
            // Whether it was set does not matter: what ends from now on sets it again.
            let _ = event.reset();
        }
        let mut state = self.inner.lock();
        let count = max.min(state.inbox.len());
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(id) = state.inbox.pop_front() else { break };
            state.take_for(id, |completion| taken.push(completion));
        }
        self.inner.wake_waiters(&state);
        if let (Some(event), false) = (self.inner.event.get(), state.inbox.is_empty()) {
            event.set();
        }
        taken
    }

    /// Submits, and waits until there is something for [`take_completed`](Self::take_completed), or until no request is left
    /// that could become that.
    ///
    /// # Errors
    /// [`TimedOut`].
    pub fn wait_any(&self, timeout: Option<Duration>) -> Result<(), TimedOut> {
        self.wait(timeout, |state| !state.inbox.is_empty() || state.core.is_idle())
    }

    /// Submits, and waits until every entry is done. Completions are still to be taken.
    ///
    /// # Errors
    /// [`TimedOut`].
    pub fn wait_all(&self, timeout: Option<Duration>) -> Result<(), TimedOut> {
        self.wait(timeout, |state| state.core.is_idle())
    }

    /// Submits and waits.
    fn wait(&self, timeout: Option<Duration>, ready: impl FnMut(&mut State) -> bool) -> Result<(), TimedOut> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        submit_and_wait(&self.inner, &self.shared, deadline);
        if self.shared.wait_until(&self.inner, deadline, ready) { Ok(()) } else { Err(TimedOut) }
    }

    /// An event that is set whenever requests have ended: its descriptor can wait in an event loop.
    /// [`take_completed`](Self::take_completed) resets it.
    ///
    /// # Errors
    /// What the kernel says to one more descriptor.
    pub fn completion_event(&self) -> std::io::Result<Event> {
        if let Some(event) = self.inner.event.get() {
            return Ok(event.clone());
        }
        let fresh = Event::new()?;
        let event = self.inner.event.get_or_init(|| fresh).clone();
        // Requests may have ended before there was an event to set.
        event.set();
        Ok(event)
    }

    /// Up to `max` requests in formats that no registered decoder reads, for the application to decode. Each is given out once.
    pub fn take_custom(&self, max: usize) -> Vec<CustomRequest> {
        let mut state = self.inner.lock();
        let count = max.min(state.custom.waiting.len());
        let jobs: Vec<CustomJob> = state.custom.waiting.drain(..count).collect();
        drop(state);
        jobs.into_iter().map(|job| CustomRequest::new(job, Arc::clone(&self.shared))).collect()
    }

    /// Submits, and waits until there is something for [`take_custom`](Self::take_custom), or nothing is left that could
    /// become that.
    ///
    /// # Errors
    /// [`TimedOut`].
    pub fn wait_custom(&self, timeout: Option<Duration>) -> Result<(), TimedOut> {
        self.wait(timeout, |state| !state.custom.waiting.is_empty() || state.core.is_idle())
    }

    /// Runs `body` with a scope in which buffers may be borrowed: see [`Scope`](crate::Scope). Returns when everything
    /// enqueued in it has ended.
    ///
    /// # Errors
    /// The body's error, or else the first failure, in enqueue order, of a request of the scope whose ticket was not waited for.
    pub fn scope<'env, T>(
        &self,
        body: impl for<'scope> FnOnce(&'scope crate::Scope<'scope, 'env>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        crate::scope::run(self, body)
    }

    /// What the queue has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        *self.inner.lock().core.stats()
    }

    /// Who was to compute the transforms of the requests enqueued so far, and why. ([`Stats::paths`] tells who did.)
    #[must_use]
    pub fn choices(&self) -> Choices {
        self.inner.lock().choices
    }

    /// What failed since the last call: how many requests, and the first of them in enqueue order.
    pub fn take_error_record(&self) -> ErrorRecord {
        self.inner.lock().core.take_error_record()
    }

    /// The number of entries the queue can hold, and how many more it can hold now.
    #[must_use]
    pub fn capacity(&self) -> (u32, u32) {
        let state = self.inner.lock();
        (state.core.capacity(), state.core.vacancies())
    }

    /// Takes no more entries, cancels what has not begun, and returns when nothing of this queue is left to happen: no engine
    /// has memory of its requests, markers have fired, callbacks have returned (but for those this very thread is in).
    /// Completions of tickets and posts can still be taken.
    ///
    /// A [`CustomRequest`] that somebody holds is under way: this waits until it is finished or dropped.
    pub fn close(&self) {
        self.begin_close();
        self.shared.wait_for_end(&self.inner, None);
    }

    /// As [`close`](Self::close), but gives up waiting after `timeout`, and drops the queue without waiting for what is left.
    ///
    /// # Errors
    /// [`Stragglers`]: what had not ended by then. They keep their memory and files, and the engines running, until they end.
    pub fn shutdown(self, timeout: Duration) -> Result<(), Stragglers> {
        self.begin_close();
        let deadline = Instant::now().checked_add(timeout);
        if self.shared.wait_for_end(&self.inner, deadline) {
            return Ok(());
        }
        self.inner.abandon(Arc::clone(&self._runtime));
        let state = self.inner.lock();
        let unfinished = |beside: &Beside| state.core.is_done(beside.id) == Some(false);
        let beside = state.beside.iter().flatten();
        let requests = beside.filter(|beside| unfinished(beside)).map(|beside| beside.id).collect();
        drop(state);
        // Whatever ended meanwhile may have been the last that would have noticed.
        self.shared.poll(&self.inner);
        Err(Stragglers { requests })
    }

    fn begin_close(&self) {
        let mut state = self.inner.lock();
        let now = state.now(self.shared.clock);
        state.core.close(now);
        while let Some(job) = state.custom.waiting.front() {
            let op = job.id.op;
            state.withdraw_custom(op, now);
        }
        drop(state);
        self.shared.poll(&self.inner);
    }

    #[track_caller]
    fn enqueue_waiting(&self, mut request: Request, mut delivery: Delivery) -> Result<RequestId, Rejected> {
        loop {
            let refused = match self.enqueue_once(&mut request, delivery) {
                Ok(id) => return Ok(id),
                Err(refused) => *refused,
            };
            if !self.wait_for_room(&refused.error) {
                return Err(Rejected { error: refused.error, request: Box::new(request) });
            }
            delivery = refused.delivery;
        }
    }

    /// After a refusal: if the queue was full and something under way will make room, waits for that. Returns whether to try
    /// again.
    pub(crate) fn wait_for_room(&self, refusal: &Error) -> bool {
        if !matches!(refusal.kind, ErrorKind::QueueFull { .. }) || in_a_call() {
            return false;
        }
        let mut room = false;
        self.shared.wait_until(&self.inner, None, |state| {
            room = state.core.vacancies() > 0;
            room || !state.will_progress()
        });
        room
    }

    /// Checks access and gets memory for the result, if some is missing and the queue has room.
    pub(crate) fn prepare(&self, request: &mut Request) -> Result<(), Error> {
        request.check_access()?;
        if request.lacks_memory() {
            self.check_vacancy(request)?;
            request.prepare()?;
        }
        Ok(())
    }

    /// What the queue says to a request while it is full.
    fn check_vacancy(&self, request: &Request) -> Result<(), Error> {
        let mut state = self.inner.lock();
        if state.core.vacancies() > 0 {
            return Ok(());
        }
        let now = state.now(self.shared.clock);
        state.core.try_enqueue(&request.core, now).map(drop)
    }

    /// Tries once. A request that is refused is as it was, but for its memory, which may have been got.
    #[track_caller]
    fn enqueue_once(&self, request: &mut Request, delivery: Delivery) -> Result<RequestId, Box<Refused>> {
        if let Err(error) = self.prepare(request) {
            return Err(Box::new(Refused { error, delivery }));
        }
        enqueue(&self.inner, &self.shared, request, None, delivery, |_| {})
    }
}

/// Why the queue did not take a request, and who was to be told.
pub(crate) struct Refused {
    pub(crate) error: Error,
    delivery: Delivery,
}

/// The one way into a queue. The result goes to `lent`, if there is such memory, and not to the request's own. Calls `placed` with
/// the new request's id before anyone else can know of it. A request that is refused stays as it is, one that is not has nothing
/// left.
#[track_caller]
pub(crate) fn enqueue(
    inner: &Arc<QueueInner>,
    shared: &Arc<Shared>,
    request: &mut Request,
    lent: Option<HostBytes>,
    delivery: Delivery,
    placed: impl FnOnce(RequestId),
) -> Result<RequestId, Box<Refused>> {
    let mut state = inner.lock();
    let Placed { id, must_poll } = place(&mut state, shared, request, lent, delivery, Caller::caller())?;
    placed(id);
    drop(state);
    if must_poll {
        shared.poll(inner);
    }
    Ok(id)
}

/// A request that has its slot.
pub(crate) struct Placed {
    id: RequestId,
    /// The queue has to be polled, for it may have submitted by itself, and a deadline needs its wake-up either way.
    pub(crate) must_poll: bool,
}

/// As [`enqueue`], with the queue's lock held.
pub(crate) fn place(
    state: &mut State,
    shared: &Shared,
    request: &mut Request,
    lent: Option<HostBytes>,
    delivery: Delivery,
    caller: &'static Caller<'static>,
) -> Result<Placed, Box<Refused>> {
    let choice = (request.core.transform != Transform::None).then(|| {
        let stats = state.core.stats();
        shared.engines.choose(&request.core, u64::from(stats.unsubmitted) + u64::from(stats.in_flight))
    });
    if let Some(choice) = choice {
        request.core.processor = choice.processor();
    }
    let now = state.time_to_enqueue(request.timeout.is_some(), shared.clock);
    request.core.deadline =
        request.timeout.map(|timeout| now.after_nanos(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)));
    let id = match state.core.try_enqueue(&request.core, now) {
        Ok(id) => id,
        Err(error) => return Err(Box::new(Refused { error, delivery })),
    };
    if let Some(choice) = choice {
        state.choices.count(choice);
    }
    state.beside[id.index()] = Some(Beside::new(id, request, lent, delivery, caller));
    Ok(Placed { id, must_poll: state.core.stats().unsubmitted == 0 || request.timeout.is_some() })
}

pub(crate) fn submit(inner: &Arc<QueueInner>, shared: &Arc<Shared>) -> u32 {
    submit_and(inner, shared, Shared::poll)
}

/// As [`submit`], on a thread that waits next, `until` then at most.
pub(crate) fn submit_and_wait(inner: &Arc<QueueInner>, shared: &Arc<Shared>, until: Option<Instant>) {
    // As in `wait_until`: a thread with a deadline, or within a call, does not work for this queue.
    let helps = until.is_none() && !in_a_call();
    submit_and(inner, shared, if helps { Shared::poll_and_help } else { Shared::poll });
}

fn submit_and(
    inner: &Arc<QueueInner>,
    shared: &Arc<Shared>,
    poll: fn(&Arc<Shared>, &Arc<QueueInner>),
) -> u32 {
    let submitted = {
        let mut state = inner.lock();
        let now = state.now(shared.clock);
        state.core.submit(now)
    };
    if submitted > 0 {
        poll(shared, inner);
    }
    submitted
}

/// A boxed slice, or an error where a `vec!` would abort.
fn storage<T>(len: usize, mut make: impl FnMut() -> T) -> Result<Box<[T]>, Error> {
    let mut storage = Vec::new();
    storage.try_reserve_exact(len).map_err(|_| Error::new(ErrorKind::OutOfMemory))?;
    storage.extend((0..len).map(|_| make()));
    Ok(storage.into_boxed_slice())
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.inner.is_abandoned() {
            return;
        }
        self.close();
        self.shared.driving(|| self.shared.retire(&self.inner));
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
