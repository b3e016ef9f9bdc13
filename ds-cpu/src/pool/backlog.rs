//! What a pool's lock protects.

use core::num::NonZeroUsize;
use std::collections::VecDeque;
use std::sync::Arc;

use ds_engine::{Finished, JobId, Sink};

use super::cancelled::Cancelled;
use super::worker::Hands;
use super::{BATCH, cancelled_answer};
use crate::default_workers;
use crate::sync::thread::{JoinHandle, ThreadId};
use crate::work::Work;

/// A task and its place in the order in which tasks were queued. It keeps the number if it is taken and put back.
pub(super) struct Numbered<W> {
    number: u64,
    pub(super) task: W,
}

impl<W: Work> Numbered<W> {
    /// Whether it belongs to another queue. One that says no name is a short piece of some job, worth doing.
    fn is_of_another(&self, queue: u64) -> bool {
        self.task.id().is_some_and(|id| id.queue != queue)
    }
}

/// Whether a worker sees to it that the others get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Nobody,
    /// The worker that has been called is to.
    Called,
    Watches,
}

pub(super) struct Backlog<W> {
    pub(super) tasks: VecDeque<Numbered<W>>,
    /// The next task's number.
    next: u64,
    cancelled: Cancelled,

    /// Workers that sleep and have not been called.
    pub(super) asleep: usize,
    /// Workers that have been called and are not up yet.
    pub(super) called: usize,
    /// Whether some worker is on its way to look for work.
    pub(super) scout: bool,
    /// Who sees to it that tasks left to those at work do not stay where they are.
    pub(super) watch: Watch,

    /// Threads that hold tasks they have not answered.
    pub(super) busy: usize,
    /// Those of them that are at a batch of short tasks, and not answering.
    pub(super) performing: usize,
    /// Threads that drive and have taken a batch: they give the answers left to them as well.
    pub(super) collectors: usize,
    /// Whether a thread that has put tasks here is about to drive.
    pub(super) driver_comes: bool,
    /// Answers left to those. Who leaves some is a worker, which looks here again before it sleeps: so none is forgotten.
    pub(super) left: Vec<Finished>,
    /// Whether short tasks have turned out slow of late: they wait for something, and more threads than cores can do so.
    pub(super) slow: bool,
    /// Those of them that wait inside their sink for the pool to stop.
    pub(super) waiting: usize,
    pub(super) stopping: bool,
    /// Threads other than workers that hold tasks.
    pub(super) drivers: Vec<ThreadId>,
    /// For the next of those: what they hold tasks in keeps its memory.
    pub(super) spares: Vec<Hands<W>>,
    /// Whether the only task is left to the thread that has put it there.
    pub(super) reserved: bool,
    /// Workers that have not ended.
    pub(super) workers: Vec<ThreadId>,
    pub(super) handles: Vec<JoinHandle<()>>,
    pub(super) sink: Option<Arc<dyn Sink>>,
    /// Workers there are when all is well.
    crew: NonZeroUsize,
    /// Threads that can work at once.
    cores: NonZeroUsize,
}

impl<W: Work> Backlog<W> {
    pub(super) fn new(crew: NonZeroUsize) -> Self {
        Self {
            tasks: VecDeque::new(),
            next: 0,
            cancelled: Cancelled::default(),
            asleep: 0,
            called: 0,
            scout: false,
            watch: Watch::Nobody,
            busy: 0,
            performing: 0,
            driver_comes: false,
            collectors: 0,
            left: Vec::new(),
            slow: false,
            waiting: 0,
            stopping: false,
            drivers: Vec::new(),
            spares: Vec::new(),
            reserved: false,
            workers: Vec::new(),
            handles: Vec::new(),
            sink: None,
            crew,
            // A model is the same on every machine.
            cores: if cfg!(all(test, loom)) { NonZeroUsize::MIN } else { default_workers() },
        }
    }

    /// Puts tasks at the end of the queue.
    pub(super) fn extend(&mut self, tasks: impl Iterator<Item = W>) {
        let next = &mut self.next;
        self.tasks.extend(tasks.map(|task| {
            let number = *next;
            *next += 1;
            Numbered { number, task }
        }));
    }

    /// Takes what one thread should do next: a fair share of short tasks, or one that is not. Of one queue only, if one is named.
    /// Cancelled tasks on the way are answered.
    pub(super) fn take(&mut self, hands: &mut Hands<W>, queue: Option<u64>) {
        // Answers that have been left wait for short tasks at most: those first, and a long one the next time.
        if !self.left.is_empty() && self.tasks.front().is_some_and(|queued| !queued.task.is_short()) {
            self.take_left(hands);
            return;
        }
        let share = self.share(queue);
        if self.cancelled.is_empty() {
            hands.batch.extend(self.tasks.drain(..share));
        } else {
            for queued in self.tasks.drain(..share) {
                match queued.task.id().filter(|&id| self.cancelled.take(id, queued.number)) {
                    Some(id) => hands.finished.push(cancelled_answer(id)),
                    None => hands.batch.push_back(queued),
                }
            }
        }
        if self.tasks.is_empty() {
            self.cancelled.clear();
            self.driver_comes = false;
        }
        if self.may_take_left() {
            self.take_left(hands);
        }
    }

    /// How many workers are going to take tasks: what is quick is done by no more threads than there are cores, and one of them is
    /// the one that waits for it.
    fn takers(&self) -> usize {
        let crew = self.crew.get();
        if self.slow { crew } else { crew.min(self.cores.get().saturating_sub(1).max(1)) }
    }

    /// How many of the first tasks one thread should do next, of one queue only, if one is named.
    fn share(&self, queue: Option<u64>) -> usize {
        // Half of an even share: whoever turns out faster finds something left at the end.
        let most = self.tasks.len().div_ceil(2 * self.takers()).min(BATCH);
        let mut room = BATCH;
        for (before, queued) in self.tasks.iter().take(most).enumerate() {
            if queue.is_some_and(|queue| queued.is_of_another(queue)) {
                return before;
            }
            if !queued.task.is_short() {
                return before.max(1);
            }
            let weight = queued.task.weight();
            if before > 0 && weight > room {
                return before;
            }
            room = room.saturating_sub(weight);
        }
        most
    }

    /// Whether a thread drives, or is about to, and gives the answers left to it.
    const fn has_collector(&self) -> bool {
        self.collectors > 0 || self.driver_comes
    }

    /// Whether answers that have been left are anybody's: nobody is there to collect them, or may wait, within an answer, for the
    /// pool to stop.
    const fn may_take_left(&self) -> bool {
        !self.has_collector() || self.stopping
    }

    /// Whether there is something to take.
    pub(super) fn has_work(&self) -> bool {
        !self.tasks.is_empty() || self.may_take_left() && !self.left.is_empty()
    }

    /// Puts back what was taken and not begun, in the same order.
    pub(super) fn put_back(&mut self, batch: &mut VecDeque<Numbered<W>>) {
        while let Some(queued) = batch.pop_back() {
            self.tasks.push_front(queued);
        }
    }

    /// Has a job answered as cancelled if it is in the queue and is still there when its turn comes.
    pub(super) fn cancel(&mut self, id: JobId) {
        // With nothing queued there is nothing to cancel.
        if let Some(front) = self.tasks.front() {
            self.cancelled.add(id, front.number, self.next);
        }
    }

    /// How many names of cancelled jobs are kept.
    #[cfg(all(test, not(loom)))]
    pub(super) fn names(&self) -> usize {
        self.cancelled.len()
    }

    /// The sink, once the pool has stopped and nobody is left to answer to it. Whoever takes it lets go of the lock before
    /// dropping it: the pool's owner may go with it.
    ///
    /// A stop from within the sink returns while its own thread still answers, and cannot take the sink itself; left here
    /// it would keep whoever owns the pool alive for ever, and so the pool.
    #[must_use]
    pub(super) fn spare_sink(&mut self) -> Option<Arc<dyn Sink>> {
        let over = self.stopping && self.workers.is_empty() && self.drivers.is_empty() && !self.has_work();
        if over { self.sink.take() } else { None }
    }

    /// Whether there is one task only: there is nobody to wake for it, if this thread is about to drive.
    pub(super) fn is_lone(&self) -> bool {
        self.tasks.len() == 1
    }

    /// A thread begins with what it has taken; `own` says whether it has put it here for itself, which is of no concern to others.
    pub(super) fn begin(&mut self, hands: &mut Hands<W>, own: bool) {
        self.busy += 1;
        hands.is_batch = hands.are_short() && !own;
        self.performing += usize::from(hands.is_batch);
    }

    /// A thread is through with what it has taken, and will answer it next. Takes the answers that were left to it.
    pub(super) fn performed(&mut self, hands: &mut Hands<W>) {
        self.performing -= usize::from(hands.is_batch);
        if hands.was_quick() {
            self.slow = false;
        }
        self.take_left(hands);
    }

    /// Takes the answers that have been left, to give them.
    pub(super) fn take_left(&mut self, hands: &mut Hands<W>) {
        hands.finished.append(&mut self.left);
        hands.had_been_left = !hands.finished.is_empty();
    }

    /// Takes the answers that have been left to a thread that drives. With none it is through, and expected back as long as there are
    /// tasks. Should it stay away, a worker gives what is left to it: at the latest the one that takes the last task.
    pub(super) fn collect(&mut self, hands: &mut Hands<W>) {
        self.take_left(hands);
        if hands.finished.is_empty() {
            self.collectors -= 1;
            self.driver_comes |= !self.tasks.is_empty();
            hands.is_batch = false;
        }
    }

    /// Leaves answers to a thread that drives, if there is one: whoever waits for a queue had better be the one to change it, and
    /// have it in its cache. Not many of them, so that none gets old, and none that had been left already.
    pub(super) fn leave(&mut self, hands: &mut Hands<W>) -> bool {
        let leaves = self.has_collector()
            && !hands.had_been_left
            && !self.stopping
            && self.left.len() + hands.finished.len() <= 2 * BATCH;
        if leaves {
            self.performing -= usize::from(hands.is_batch);
            self.left.append(&mut hands.finished);
        }
        leaves
    }

    /// Whether those who hold tasks are enough: more threads than cores would only take turns. One that answers may be kept by
    /// the application's code, but one that is at a batch looks at the queue again before it answers.
    pub(super) fn are_enough(&self) -> bool {
        let short = self.tasks.front().is_some_and(|queued| queued.task.is_short());
        short && !self.slow && self.performing > 0 && self.has_every_core()
    }

    /// Whether there is work for one more.
    pub(super) fn needs_more(&self) -> bool {
        self.has_work() && !self.are_enough()
    }

    /// Whether as many threads hold tasks, or are about to, as can work at once.
    pub(super) fn has_every_core(&self) -> bool {
        self.busy + usize::from(self.driver_comes) >= self.cores.get()
    }

    /// Calls the worker that watches off, if there is work for it and nobody else to call. Returns whether to wake it up.
    pub(super) fn call_off(&mut self) -> bool {
        let wanted = self.watch == Watch::Watches && !self.scout && self.needs_more();
        if wanted {
            self.watch = Watch::Nobody;
        }
        wanted
    }

    /// The place of the first task in the order of all.
    pub(super) fn front(&self) -> Option<u64> {
        self.tasks.front().map(|queued| queued.number)
    }

    /// The place behind the last task ever queued.
    pub(super) const fn end(&self) -> u64 {
        self.next
    }

    /// Makes a sleeping worker the scout if there is work for one and no scout. Returns whether to wake one up.
    ///
    /// Where those at work are enough one is called all the same, to watch them: they may hang, all of them, in what is called short.
    pub(super) fn call(&mut self) -> bool {
        if !self.has_work() || self.scout || self.asleep == 0 {
            return false;
        }
        if self.are_enough() {
            if self.watch != Watch::Nobody {
                return false;
            }
            self.watch = Watch::Called;
        }
        self.scout = true;
        self.asleep -= 1;
        self.called += 1;
        true
    }
}
