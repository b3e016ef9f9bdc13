//! What a pool's lock protects.

use core::num::NonZeroUsize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};

use ds_engine::{Finished, JobId, Sink};

use super::cancelled::Cancelled;
use super::{BATCH, Taken, cancelled_answer};
use crate::work::Work;

pub(super) struct Backlog<W> {
    pub(super) tasks: VecDeque<W>,
    /// How many tasks have left the queue for good: the first one's number, so to speak.
    gone: u64,
    cancelled: Cancelled,

    /// Workers that sleep and have not been called.
    pub(super) asleep: usize,
    /// Workers that have been called and are not up yet.
    pub(super) called: usize,
    /// Whether some worker is on its way to look for work.
    pub(super) scout: bool,

    /// Threads that hold tasks they have not answered.
    pub(super) busy: usize,
    /// Those of them that wait inside their sink for the pool to stop.
    pub(super) waiting: usize,
    pub(super) stopping: bool,
    /// Threads other than workers that hold tasks.
    pub(super) drivers: Vec<ThreadId>,
    /// Workers that have not ended.
    pub(super) workers: Vec<ThreadId>,
    pub(super) handles: Vec<JoinHandle<()>>,
    pub(super) sink: Option<Arc<dyn Sink>>,
    /// Workers there are when all is well.
    crew: NonZeroUsize,
}

impl<W: Work> Backlog<W> {
    pub(super) fn new(crew: NonZeroUsize) -> Self {
        Self {
            tasks: VecDeque::new(),
            gone: 0,
            cancelled: Cancelled::default(),
            asleep: 0,
            called: 0,
            scout: false,
            busy: 0,
            waiting: 0,
            stopping: false,
            drivers: Vec::new(),
            workers: Vec::new(),
            handles: Vec::new(),
            sink: None,
            crew,
        }
    }

    /// Takes what one worker should do next: a fair share of short tasks, or one that is not. Cancelled tasks on the way
    /// are answered.
    pub(super) fn take(&mut self, batch: &mut VecDeque<W>, finished: &mut Vec<Finished>) {
        // Half of an even share: whoever turns out faster finds something left at the end.
        let share = self.tasks.len().div_ceil(2 * self.crew.get()).min(BATCH);
        for n in 0..share {
            if n > 0 && !self.tasks.front().is_some_and(W::is_short) {
                break;
            }
            let alone = n == 0 && self.tasks.front().is_some_and(|task| !task.is_short());
            match self.take_one() {
                Some(Taken::Task(task)) => batch.push_back(task),
                Some(Taken::Answer(answer)) => finished.push(answer),
                None => break,
            }
            if alone {
                break;
            }
        }
    }

    pub(super) fn take_one(&mut self) -> Option<Taken<W>> {
        let task = self.tasks.pop_front()?;
        self.gone += 1;
        match task.id() {
            Some(id) if self.cancelled.take(id) => Some(Taken::Answer(cancelled_answer(id))),
            _ => Some(Taken::Task(task)),
        }
    }

    /// Puts back what was taken and not begun, in the same order.
    pub(super) fn put_back(&mut self, batch: &mut VecDeque<W>) {
        while let Some(task) = batch.pop_back() {
            self.gone -= 1;
            self.tasks.push_front(task);
        }
    }

    pub(super) fn cancel(&mut self, id: JobId) {
        let end = self.gone + self.tasks.len() as u64;
        self.cancelled.add(id, self.gone, end);
    }

    /// Makes a sleeping worker the scout if there is work and no scout. Returns whether to wake one up.
    pub(super) fn call(&mut self) -> bool {
        if self.tasks.is_empty() || self.scout || self.asleep == 0 {
            return false;
        }
        self.scout = true;
        self.asleep -= 1;
        self.called += 1;
        true
    }
}
