//! One thread that polls queues again when they asked for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use ds_core::Time;

use crate::runtime::Shared;
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
        ds_engine::lock(&self.state)
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
        let timer = &runtime.timer;
        loop {
            let state = timer.lock();
            if state.stop {
                return;
            }
            let now = runtime.clock.now();
            match state.next() {
                Some((queue, at)) if at <= now => {
                    drop(state);
                    timer.forget(queue, at);
                    if let Some(queue) = runtime.queue(queue) {
                        // Not this thread: a callback that waits must not stop time.
                        runtime.driving_only(|| runtime.advance(&queue));
                    }
                }
                Some((_, at)) => {
                    let wait = runtime.clock.until(at);
                    drop(ds_engine::lock::wait_timeout(&timer.changed, state, wait));
                }
                None => drop(ds_engine::lock::wait(&timer.changed, state)),
            }
        }
    }

    fn forget(&self, queue: u64, at: Time) {
        let mut state = self.lock();
        state.due.retain(|&entry| entry != (queue, at));
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
