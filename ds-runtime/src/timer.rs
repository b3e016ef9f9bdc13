//! One thread that polls queues again when they asked for it.

use core::time::Duration;
use std::sync::Arc;
use std::thread::JoinHandle;

use ds_core::Time;

use crate::runtime::Shared;
use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait, wait_timeout};
use crate::threads;

#[derive(Debug, Default)]
struct State {
    /// Queue number and when to poll it; at most one entry per queue.
    due: Vec<(u64, Time)>,
    thread: Option<JoinHandle<()>>,
    stop: bool,
}

impl State {
    /// The queue to poll next, and when.
    fn next(&self) -> Option<(u64, Time)> {
        self.due.iter().min_by_key(|&&(_, at)| at).copied()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Timer {
    state: Mutex<State>,
    changed: Condvar,
}

impl Timer {
    /// Starts the thread.
    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<()> {
        let runtime = Arc::clone(shared);
        let thread = threads::spawn("ds-timer", move || Self::run(&runtime))?;
        shared.timer.lock().thread = Some(thread);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Poll queue `queue` at `at`, instead of whenever it asked for before.
    pub(crate) fn set(&self, queue: u64, at: Option<Time>) {
        let mut state = self.lock();
        let before = state.next();
        state.due.retain(|&(number, _)| number != queue);
        let Some(at) = at else { return };
        state.due.push((queue, at));
        // A wake-up that moves back costs the thread one look at the time it was set for first.
        if before.is_none_or(|(_, before)| at < before) {
            self.changed.notify_one();
        }
    }

    fn run(runtime: &Arc<Shared>) {
        let (now, until) = (|| runtime.clock.now(), |at| runtime.clock.until(at));
        while let Some(queue) = runtime.timer.next_due(now, until) {
            if let Some(queue) = runtime.queue(queue) {
                // Not this thread: a callback that waits must not stop time.
                runtime.driving_only(|| runtime.advance(&queue));
            }
        }
    }

    /// Waits for the time of a queue to come, and forgets that it was asked for; `None` at the end.
    pub(crate) fn next_due(&self, now: impl Fn() -> Time, until: impl Fn(Time) -> Duration) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            state = match state.next() {
                Some((queue, at)) if at <= now() => {
                    state.due.retain(|&(number, _)| number != queue);
                    return Some(queue);
                }
                Some((_, at)) => wait_timeout(&self.changed, state, until(at)).0,
                None => wait(&self.changed, state),
            };
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        let thread = {
            let mut state = self.lock();
            state.stop = true;
            self.changed.notify_all();
            state.thread.take()
        };
        threads::join(thread);
    }
}
