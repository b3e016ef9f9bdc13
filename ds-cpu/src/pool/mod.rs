//! A queue of tasks and the threads that empty it.
//!
//! Built for tasks of a microsecond, where a lock is cheap and a wake-up is not:
//!
//! * Workers take short tasks by the batch, a fair share at a time, and answer them by the batch.
//! * A batch that turns out slow (a disk was asked after all) goes back, for others to take. One slow task may be a core that somebody
//!   else had meanwhile: the next one tells.
//! * Of all idle workers at most one is on its way to look for work, the *scout*. Submitting calls a sleeper only if there is
//!   no scout; a worker that finds more than it takes calls the next. So n tasks wake at most n workers, tasks that one
//!   worker can keep up with wake one, and none is woken while a scout is looking anyway.
//! * A single task of a thread that is about to drive ([`is_about_to_drive`]) is left to that thread, and nobody is woken.
//! * Short tasks are not given to more threads than there are cores, unless they turn out slow. One more watches: where the same
//!   task stays the first for a millisecond (or for longer, after all has gone well for as long), those at work hang, and others
//!   take over.
//! * A worker leaves its answers to a thread that drives meanwhile, or is about to, and waits for a queue: it is better that one
//!   core touches what a queue keeps of its requests than that two do by turns.
//! * A worker out of work keeps looking for some microseconds before it sleeps, as long as that has paid lately and there is a core
//!   to look on.
//!
//! `backlog` is what the lock protects; `cancelled` is the part of it that remembers what nobody wants any more; `worker`
//! is what a thread does.

mod backlog;
mod cancelled;
mod worker;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;

use core::num::NonZeroUsize;
use std::sync::Arc;

use ds_core::{Fault, Path};
use ds_engine::{Finished, JobId, Sink, StartError, contain, is_about_to_drive};

use crate::sync::thread::{self, ThreadId};
use crate::sync::{AtomicU8, Condvar, Mutex, MutexGuard, Ordering, lock, wait};
use crate::work::{Turn, Work};
use backlog::Backlog;
use worker::Hands;

/// Short tasks that a worker takes at once, at most; fewer of the longer ones ([`Work::weight`]).
pub(crate) const BATCH: usize = 16;

/// Named threads and the queue they work on.
pub(crate) struct Pool<W: Work> {
    name: &'static str,
    workers: NonZeroUsize,
    shared: Arc<Shared<W>>,
}

/// What the pool's face and its threads have in common.
struct Shared<W: Work> {
    backlog: Mutex<Backlog<W>>,
    /// Sleeping workers wait here for a call.
    calls: Condvar,
    /// Whoever stops the pool waits here for the rest.
    calm: Condvar,
    /// The worker that watches the others waits here for time to pass, or for the pool to stop.
    watch: Condvar,
    /// What the backlog has, for a look without the lock.
    ready: Ready,
    tools: W::Tools,
}

/// On a cache line of its own: a scout reads it all the time.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Ready(AtomicU8);

impl<W: Work> Pool<W> {
    /// A pool that will have so many threads once started, named `name-0`, `name-1`, ...
    pub(crate) fn new(name: &'static str, workers: NonZeroUsize, tools: W::Tools) -> Self {
        let shared = Shared {
            backlog: Mutex::new(Backlog::new(workers)),
            calls: Condvar::new(),
            calm: Condvar::new(),
            watch: Condvar::new(),
            ready: Ready::default(),
            tools,
        };
        Self { name, workers, shared: Arc::new(shared) }
    }

    pub(crate) const fn workers(&self) -> NonZeroUsize {
        self.workers
    }

    pub(crate) fn tools(&self) -> &W::Tools {
        &self.shared.tools
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// [`StartError::AlreadyUsed`] if the pool was started or stopped before, and then nothing changes: answers are due to
    /// the sink of the first start, for only that one knows the jobs. After any other error the pool is stopped.
    pub(crate) fn start(&self, sink: &Arc<dyn Sink>) -> Result<(), StartError> {
        let mut backlog = lock(&self.shared.backlog);
        if backlog.sink.is_some() || backlog.stopping {
            return Err(StartError::AlreadyUsed);
        }
        backlog.sink = Some(Arc::clone(sink));
        for n in 0..self.workers.get() {
            let (shared, sink) = (Arc::clone(&self.shared), Arc::clone(sink));
            let builder = thread::Builder::new().name(format!("{}-{n}", self.name));
            match builder.spawn(move || worker::run(&shared, sink)) {
                Ok(handle) => {
                    backlog.workers.push(handle.thread().id());
                    backlog.handles.push(handle);
                }
                Err(source) => {
                    drop(backlog);
                    self.stop();
                    return Err(StartError::Os { what: "its threads", source });
                }
            }
        }
        Ok(())
    }

    /// Puts tasks at the end of the queue.
    pub(crate) fn submit(&self, tasks: impl Iterator<Item = W>) {
        self.shared.push(tasks, is_about_to_drive());
    }

    /// Has a job answered [`Fault::Cancelled`] if it is still in the queue when its turn comes.
    pub(crate) fn cancel(&self, id: JobId) {
        lock(&self.shared.backlog).cancel(id);
    }

    /// Does the first task on the calling thread, or the first few if they are short, unless they are of another queue than
    /// `queue`. Returns whether it did.
    pub(crate) fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.shared.ready.get() != Ready::NOTHING && self.shared.drive(sink, queue)
    }

    /// Has all tasks finished and the threads ended.
    ///
    /// Called from within the pool's own sink, by whichever thread, it cannot wait for the thread it is on: then the tasks are
    /// finished, those that nobody has taken by this thread, and the threads end by themselves.
    pub(crate) fn stop(&self) {
        self.shared.stop();
    }
}

impl<W: Work> Drop for Pool<W> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Ready {
    const NOTHING: u8 = 0;
    /// One task, which the thread that has put it there is about to do itself.
    const RESERVED: u8 = 1;
    /// Tasks for anybody.
    const TASKS: u8 = 2;

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// The lock's holder says how it is now. No order with anything is needed: who acts on it takes the lock.
    fn set(&self, ready: u8) {
        if self.get() != ready {
            self.0.store(ready, Ordering::Relaxed);
        }
    }
}

impl<W: Work> Shared<W> {
    /// Puts tasks at the end of the queue; `drives` says whether this thread drives next.
    fn push(&self, tasks: impl Iterator<Item = W>, drives: bool) {
        let mut backlog = lock(&self.backlog);
        backlog.extend(tasks);
        backlog.driver_comes |= drives;
        if drives && backlog.is_lone() && !backlog.stopping {
            backlog.reserved = true;
            self.ready.set(Ready::RESERVED);
        } else {
            self.share(backlog);
        }
    }

    /// Ends a change that may have left tasks for others: lets go of the lock, and calls a sleeper if one is needed.
    fn share(&self, mut backlog: MutexGuard<'_, Backlog<W>>) {
        backlog.reserved = false;
        self.ready.set(if backlog.has_work() { Ready::TASKS } else { Ready::NOTHING });
        let call = backlog.call();
        let call_off = !call && backlog.call_off();
        let stopping = backlog.stopping;
        drop(backlog);
        if call {
            self.calls.notify_one();
        } else if call_off {
            self.watch.notify_one();
        }
        if stopping {
            self.calm.notify_all();
        }
    }

    /// What a thread has taken is done, and it will answer, which may take long: the sink may run the application's code. So it calls
    /// a sleeper if nobody else is at it and there are tasks left.
    fn answer_next(&self, mut backlog: MutexGuard<'_, Backlog<W>>, hands: &mut Hands<W>) {
        backlog.performed(hands);
        if backlog.performing == 0 && !backlog.reserved {
            self.share(backlog);
        }
    }

    /// Gives a task its turn; puts into the queue what is to go there. Returns its answer, if it has one now.
    #[inline]
    fn turn(&self, mut task: W, by: Path) -> Option<Finished> {
        loop {
            match task.run(&self.tools, by) {
                Turn::Done(finished) => return Some(finished),
                Turn::Over => return None,
                Turn::Later(rest) => {
                    self.push(core::iter::once(rest), is_about_to_drive());
                    return None;
                }
                Turn::Spread(rest, helpers) => {
                    if helpers > 0 {
                        self.push(core::iter::repeat_n(&rest, helpers).cloned(), is_about_to_drive());
                    }
                    task = rest;
                }
            }
        }
    }

    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        let mut backlog = lock(&self.backlog);
        backlog.driver_comes = false;
        let mut hands = backlog.spares.pop().unwrap_or_default();
        backlog.take(&mut hands, queue);
        if hands.are_empty() {
            backlog.spares.push(hands);
            // What this thread had for itself, it has left to others.
            if backlog.reserved {
                self.share(backlog);
            }
            return false;
        }
        let mut held = Held { shared: self, thread: thread::current().id(), hands };
        // What is its own is not worth one more lock.
        let own = backlog.reserved;
        backlog.begin(&mut held.hands, own);
        backlog.collectors += usize::from(held.hands.is_batch);
        backlog.drivers.push(held.thread);
        self.share(backlog);
        held.hands.perform(self, Path::INLINE);
        if held.hands.is_batch {
            self.answer_next(lock(&self.backlog), &mut held.hands);
        }
        while !held.hands.finished.is_empty() {
            held.hands.deliver(sink);
            held.hands.finished.clear();
            if held.hands.is_batch {
                lock(&self.backlog).collect(&mut held.hands);
            }
        }
        true
    }

    fn stop(&self) {
        let me = thread::current().id();
        let mut backlog = lock(&self.backlog);
        backlog.stopping = true;
        self.calls.notify_all();
        self.watch.notify_all();
        // On a thread that is delivering an answer right now: that answer cannot be waited for.
        let inside = backlog.workers.contains(&me) || backlog.drivers.contains(&me);
        if inside {
            backlog.waiting += 1;
            self.calm.notify_all();
        }
        loop {
            let alone = inside || backlog.workers.is_empty();
            let sink = backlog.sink.clone().filter(|_| alone && backlog.has_work());
            if let Some(sink) = sink {
                // Nobody else is sure to do it. The sink may stop the pool again, from within this very call.
                drop(backlog);
                // As on a worker: whoever waits for the pool to stop needs this thread.
                let _ = contain(|| self.drive(&*sink, None));
                drop(sink);
                backlog = lock(&self.backlog);
            } else if alone && backlog.busy == backlog.waiting {
                break;
            } else {
                backlog = wait(&self.calm, backlog);
            }
        }
        if inside {
            backlog.waiting -= 1;
            return;
        }
        let (handles, sink) = (core::mem::take(&mut backlog.handles), backlog.sink.take());
        drop(backlog);
        for handle in handles {
            // A worker that drops the sink, and with it whoever owns the pool, gets here as a thread like any other.
            if handle.thread().id() != me {
                // A worker catches what its sink and its tasks throw; there is nothing else in it that panics.
                let _ = handle.join();
            }
        }
        drop(sink);
    }
}

/// A driving thread's hold on a task it has not answered yet; ends even if the sink panics.
struct Held<'a, W: Work> {
    shared: &'a Shared<W>,
    thread: ThreadId,
    hands: Hands<W>,
}

impl<W: Work> Drop for Held<'_, W> {
    fn drop(&mut self) {
        let mut backlog = lock(&self.shared.backlog);
        backlog.busy -= 1;
        backlog.collectors -= usize::from(self.hands.is_batch);
        if let Some(place) = backlog.drivers.iter().rposition(|&driver| driver == self.thread) {
            backlog.drivers.swap_remove(place);
        }
        self.hands.finished.clear();
        self.hands.had_been_left = false;
        self.hands.is_batch = false;
        backlog.spares.push(core::mem::take(&mut self.hands));
        let sink = backlog.spare_sink();
        if backlog.stopping {
            self.shared.calm.notify_all();
        }
        drop(backlog);
        drop(sink);
    }
}

/// The answer to a task that was cancelled before it had its turn. No engine has worked on it.
const fn cancelled_answer(id: JobId) -> Finished {
    Finished { id, result: Err(Fault::Cancelled), path: Path::NONE }
}

/// The answer to a task that panicked. Tasks contain what the application's code throws; should one panic all the same, it
/// fails alone, for other requests need its thread, and whoever asked for it needs an answer.
const fn panicked_answer(id: JobId) -> Finished {
    let result = Err(Fault::Unsupported("the engine panicked: a bug, please report it"));
    Finished { id, result, path: Path::NONE }
}
