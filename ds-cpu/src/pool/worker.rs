//! What a worker does.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ds_core::Path;
use ds_engine::{Finished, JobId, Patience, Sink, contain};

use super::backlog::{Backlog, Numbered, Watch};
use super::{Ready, Shared, panicked_answer};
use crate::sync::{MutexGuard, lock, thread, wait, wait_timeout};
use crate::work::Work;

/// How long a batch of short tasks may take before its answers are due and its rest goes back.
const SLOW: Duration = if cfg!(all(test, loom)) { Duration::MAX } else { Duration::from_micros(50) };
/// How long the same short task may be the first in the queue, with as many threads at work as there are cores...
const STUCK: Duration = Duration::from_millis(1);
/// ...and how long after all has gone well for as long: who looks takes a core from those at work.
const STUCK_AT_LAST: Duration = Duration::from_millis(64);
/// Tasks of a batch from one look at the clock to the next.
const LOOK_EVERY: usize = 8;

/// Works until the pool stops and nothing is left.
pub(super) fn run<W: Work>(shared: &Shared<W>, sink: Arc<dyn Sink>) {
    let mut worker = Worker { shared, hands: Hands::default(), patience: Patience::default() };
    let mut backlog = lock(&shared.backlog);
    while worker.take(backlog) {
        worker.hands.perform(shared, Path::NONE);
        backlog = lock(&shared.backlog);
        if !backlog.leave(&mut worker.hands) {
            shared.answer_next(backlog, &mut worker.hands);
            // A panic in the sink has been told by the panic hook and ends here: other requests need this thread.
            let _ = contain(|| worker.hands.deliver(&*sink));
            worker.hands.finished.clear();
            worker.hands.had_been_left = false;
            backlog = lock(&shared.backlog);
        }
        backlog.busy -= 1;
        if backlog.stopping {
            shared.calm.notify_all();
        }
    }
    // The pool counts this thread as ended by now: if the sink's owner goes with the sink, it may stop the pool from here.
    let spare = lock(&shared.backlog).spare_sink();
    drop((sink, spare));
}

struct Worker<'a, W: Work> {
    shared: &'a Shared<W>,
    hands: Hands<W>,
    patience: Patience,
}

impl<'a, W: Work> Worker<'a, W> {
    /// Waits for tasks and takes some. Returns false when the pool has stopped and nothing is left.
    fn take(&mut self, mut backlog: MutexGuard<'a, Backlog<W>>) -> bool {
        let mut looked = false;
        loop {
            if backlog.are_enough() && !backlog.stopping {
                backlog = self.stand_by(backlog);
                looked = false;
                continue;
            }
            backlog.take(&mut self.hands, None);
            if looked && self.hands.are_empty() {
                // Whoever they were left to may have met a slow task.
                backlog.take_left(&mut self.hands);
            }
            if !self.hands.are_empty() {
                backlog.begin(&mut self.hands, false);
                self.shared.share(backlog);
                return true;
            }
            if backlog.stopping {
                let me = thread::current().id();
                backlog.workers.retain(|&worker| worker != me);
                self.shared.calm.notify_all();
                return false;
            }
            // Either way there is no scout but this worker, if it is one, until the lock is taken again. Whoever submits
            // meanwhile sees the scout or the sleeper, so no task is left lying.
            if !looked && !backlog.scout && !backlog.has_every_core() && self.patience.is_left() {
                backlog.scout = true;
                drop(backlog);
                self.look();
                backlog = lock(&self.shared.backlog);
                backlog.scout = false;
                looked = true;
            } else if looked || backlog.left.is_empty() {
                backlog = self.sleep(backlog);
                looked = false;
            } else {
                looked = true;
            }
        }
    }

    /// Looks for tasks without the lock.
    fn look(&mut self) {
        let found = || self.shared.ready.get() == Ready::TASKS;
        #[cfg(not(all(test, loom)))]
        self.patience.look(found);
        // Once is as often as can be told apart in a model, which has no time.
        #[cfg(all(test, loom))]
        let _ = found();
    }

    /// Leaves tasks to those at work, with whom this thread would only take turns.
    fn stand_by(&self, backlog: MutexGuard<'a, Backlog<W>>) -> MutexGuard<'a, Backlog<W>> {
        if backlog.watch == Watch::Nobody { self.watch(backlog) } else { self.sleep(backlog) }
    }

    /// Sleeps until called or until the pool stops.
    fn sleep(&self, mut backlog: MutexGuard<'a, Backlog<W>>) -> MutexGuard<'a, Backlog<W>> {
        backlog.asleep += 1;
        while backlog.called == 0 && !backlog.stopping {
            backlog = wait(&self.shared.calls, backlog);
        }
        if backlog.called > 0 {
            // The caller has made this worker the scout and struck it off the sleepers.
            backlog.called -= 1;
            backlog.scout = false;
            if backlog.watch == Watch::Called {
                backlog = self.watch(backlog);
            }
        } else {
            backlog.asleep -= 1;
        }
        backlog
    }

    /// Sees to tasks that are left to those at work, until there is something for one more or no more tasks come: if none of them is
    /// taken for a while, they have turned out slow.
    fn watch(&self, mut backlog: MutexGuard<'a, Backlog<W>>) -> MutexGuard<'a, Backlog<W>> {
        backlog.watch = Watch::Watches;
        let mut pause = STUCK;
        while backlog.watch == Watch::Watches && !backlog.stopping && !backlog.needs_more() {
            let (front, end) = (backlog.front(), backlog.end());
            let (guard, timed_out) = wait_timeout(&self.shared.watch, backlog, pause);
            backlog = guard;
            if timed_out && backlog.are_enough() {
                backlog.slow |= backlog.front() == front;
            } else if timed_out && backlog.end() == end {
                break;
            }
            pause = (8 * pause).min(STUCK_AT_LAST);
        }
        // One that has been called off may have a successor that has not come yet.
        if backlog.watch == Watch::Watches {
            backlog.watch = Watch::Nobody;
        }
        backlog
    }
}

/// What a thread has taken from the queue, and what came of it.
pub(super) struct Hands<W> {
    pub(super) batch: VecDeque<Numbered<W>>,
    /// The job whose task is having its turn, if it is the one to answer it.
    current: Option<JobId>,
    pub(super) finished: Vec<Finished>,
    /// Whether what was taken counts as a batch of short tasks.
    pub(super) is_batch: bool,
    /// Whether some of the answers have been left to others before.
    pub(super) had_been_left: bool,
    /// Whether there were several tasks, and all went quickly.
    quick: bool,
}

impl<W> Default for Hands<W> {
    fn default() -> Self {
        Self {
            batch: VecDeque::new(),
            current: None,
            finished: Vec::new(),
            is_batch: false,
            had_been_left: false,
            quick: false,
        }
    }
}

impl<W: Work> Hands<W> {
    pub(super) fn are_empty(&self) -> bool {
        self.batch.is_empty() && self.finished.is_empty()
    }

    /// Whether what was taken are short tasks.
    pub(super) fn are_short(&self) -> bool {
        self.batch.front().is_some_and(|queued| queued.task.is_short())
    }

    pub(super) const fn was_quick(&self) -> bool {
        self.quick
    }

    /// Does what was taken, or as much of it as goes quickly.
    pub(super) fn perform(&mut self, shared: &Shared<W>, by: Path) {
        // Around the batch and not around each task, which would take a tenth of the time of a short one.
        while contain(|| self.perform_batch(shared, by)).is_err() {
            self.finished.extend(self.current.take().map(panicked_answer));
        }
    }

    fn perform_batch(&mut self, shared: &Shared<W>, by: Path) {
        let mut start = (self.batch.len() > 1).then(Instant::now);
        self.quick = start.is_some();
        let mut done = 0_usize;
        let mut doubted = false;
        while let Some(queued) = self.batch.pop_front() {
            self.current = queued.task.id();
            if let Some(finished) = shared.turn(queued.task, by) {
                self.finished.push(finished);
            }
            // The first task tells whether it is that kind of batch; a look at the clock is not free.
            let look = done.is_multiple_of(LOOK_EVERY);
            done += 1;
            if look && !self.batch.is_empty() && start.is_some_and(|start| start.elapsed() > SLOW) {
                self.quick = false;
                let mut backlog = lock(&shared.backlog);
                if backlog.slow || doubted {
                    backlog.slow = true;
                    backlog.put_back(&mut self.batch);
                    shared.share(backlog);
                } else {
                    // Perhaps somebody else had the core meanwhile: the next task tells.
                    drop(backlog);
                    doubted = true;
                    (start, done) = (Some(Instant::now()), 0);
                }
            }
        }
    }

    /// Answers what is done.
    pub(super) fn deliver(&self, sink: &dyn Sink) {
        if !self.finished.is_empty() {
            sink.complete(&self.finished);
        }
    }
}
