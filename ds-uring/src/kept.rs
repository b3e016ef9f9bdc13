//! Reads kept for the thread that submits them and drives next.
//!
//! Such a thread leaves them here, and takes them when it drives, together with the tools for reading them, of which there is one
//! set. Who finds the tools taken passes the reads on to a ring's thread, and so does who stops the engine. So whoever drives after
//! it has submitted leaves none behind; and a job that is cancelled meanwhile is either here, or with a ring that then hears of it,
//! or with whoever has the tools and hears of it as it passes the job on. `kept::model` tries every interleaving.

use std::collections::HashSet;

#[cfg(all(test, loom))]
use loom::{
    sync::atomic::{AtomicBool, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread::{self, ThreadId},
};
use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
use std::{
    sync::atomic::{AtomicBool, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread::{self, ThreadId},
};

use ds_engine::{IoJob, JobId, Patience};

/// Reads, and the tools for them.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    state: Mutex<State<T>>,
    /// Who stops the engine waits here for the tools to come back.
    returned: Condvar,
    /// Whether there are any reads, for a look without the lock.
    any: AtomicBool,
}

#[derive(Debug)]
struct State<T> {
    jobs: Vec<IoJob>,
    /// There are none before the engine is started, where they cannot be had, and when it has been stopped.
    hands: Option<Hands<T>>,
    /// Who has them, if somebody does.
    holder: Option<ThreadId>,
    /// Jobs cancelled since somebody has them: perhaps some of those that were taken along.
    doomed: HashSet<JobId>,
    /// Whether it has been worth it lately.
    patience: Patience,
    stopping: bool,
}

/// The tools, and what is to be read with them.
#[derive(Debug)]
pub(crate) struct Hands<T> {
    pub(crate) tools: T,
    pub(crate) jobs: Vec<IoJob>,
}

impl<T> Kept<T> {
    pub(crate) fn new() -> Self {
        let state = State {
            jobs: Vec::new(),
            hands: None,
            holder: None,
            doomed: HashSet::new(),
            patience: Patience::default(),
            stopping: false,
        };
        Self { state: Mutex::new(state), returned: Condvar::new(), any: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the tools.
    pub(crate) fn equip(&self, tools: T) {
        self.lock().hands = Some(Hands { tools, jobs: Vec::new() });
    }

    /// Keeps the last of these, as many as `count` says of so many kept already, if the tools are here and it has been worth it lately.
    pub(crate) fn keep(&self, jobs: &mut Vec<IoJob>, count: impl FnOnce(&[IoJob], usize) -> usize) {
        let mut state = self.lock();
        if state.hands.is_some() && state.patience.is_left() {
            let first = jobs.len() - count(jobs, state.jobs.len());
            state.jobs.extend(jobs.drain(first..));
            self.any.store(!state.jobs.is_empty(), Ordering::Relaxed);
        }
    }

    /// Whether there is nothing to take, for a look without the lock. Whoever has left something here that is still there is told.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    /// Takes all reads and the tools; or passes the reads on, if somebody else has the tools.
    pub(crate) fn take(&self, pass_on: impl FnMut(IoJob)) -> Option<Hands<T>> {
        let mut state = self.lock();
        let state = &mut *state;
        self.any.store(false, Ordering::Relaxed);
        if state.jobs.is_empty() {
            return None;
        }
        let Some(mut hands) = state.hands.take() else {
            state.jobs.drain(..).for_each(pass_on);
            return None;
        };
        core::mem::swap(&mut hands.jobs, &mut state.jobs);
        state.holder = Some(thread::current().id());
        Some(hands)
    }

    /// Passes jobs on that were taken and have come to nothing, and says of each whether somebody has cancelled it.
    pub(crate) fn give_up(&self, jobs: &mut Vec<IoJob>, mut pass_on: impl FnMut(IoJob, bool)) {
        let state = self.lock();
        jobs.drain(..).for_each(|job| pass_on(job, state.doomed.contains(&job.id)));
    }

    /// Brings the tools back, if they can be used again. What was taken has been answered or passed on; `paid` says whether it was worth
    /// taking.
    pub(crate) fn give_back(&self, hands: Option<Hands<T>>, paid: bool) {
        let mut state = self.lock();
        state.holder = None;
        state.doomed.clear();
        state.patience.note(paid);
        let unused = if state.stopping { hands } else { core::mem::replace(&mut state.hands, hands) };
        if state.stopping {
            self.returned.notify_all();
        }
        drop(state);
        drop(unused);
    }

    /// Passes the job on if it is here. If it may be in somebody's hands, notes that it is cancelled.
    pub(crate) fn cancel(&self, id: JobId, pass_on: impl FnOnce(IoJob)) {
        let mut state = self.lock();
        if let Some(place) = state.jobs.iter().position(|job| job.id == id) {
            pass_on(state.jobs.remove(place));
        } else if state.holder.is_some() {
            state.doomed.insert(id);
        }
    }

    /// Passes all reads on, waits until nobody has the tools any more, unless that is this thread, and throws them away.
    pub(crate) fn stop(&self, pass_on: impl FnMut(IoJob)) {
        let mut state = self.lock();
        state.stopping = true;
        state.jobs.drain(..).for_each(pass_on);
        let me = thread::current().id();
        while state.holder.as_ref().is_some_and(|holder| *holder != me) {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let unused = state.hands.take();
        drop(state);
        drop(unused);
    }
}

/// `cargo xtask test --only loom`
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use ds_core::OpId;
    use ds_engine::{FileRef, IoOp};
    use loom::sync::Arc;
    use std::os::fd::AsFd;

    /// What became of jobs.
    #[derive(Default)]
    struct Fates {
        read: Vec<JobId>,
        passed_on: Vec<JobId>,
        /// Cancelled where those passed on are.
        cancelled: Vec<JobId>,
    }

    struct World {
        kept: Kept<()>,
        fates: Mutex<Fates>,
    }

    fn name(number: u64) -> JobId {
        JobId { queue: 0, op: OpId::from_u64(number) }
    }

    fn job(number: u64) -> IoJob {
        // SAFETY: the job is never done.
        let file = unsafe { FileRef::new(std::io::stderr().as_fd()) };
        IoJob { id: name(number), op: IoOp::Sync { file, data_only: true } }
    }

    impl World {
        fn new() -> Arc<Self> {
            let world = Self { kept: Kept::new(), fates: Mutex::new(Fates::default()) };
            world.kept.equip(());
            Arc::new(world)
        }

        fn fates(&self) -> MutexGuard<'_, Fates> {
            self.fates.lock().unwrap()
        }

        fn pass_on(&self, job: IoJob) {
            self.fates().passed_on.push(job.id);
        }

        /// As a queue does that waits: what is not kept goes on at once.
        fn submit(&self, number: u64) {
            let mut jobs = vec![job(number)];
            self.kept.keep(&mut jobs, |jobs, _| jobs.len());
            jobs.drain(..).for_each(|job| self.pass_on(job));
        }

        /// Reads what has an even number, and passes the rest on.
        fn drive(&self) {
            if self.kept.is_empty() {
                return;
            }
            let Some(mut hands) = self.kept.take(|job| self.pass_on(job)) else { return };
            let (read, mut missed): (Vec<_>, Vec<_>) =
                hands.jobs.drain(..).partition(|job| job.id.op.to_u64().is_multiple_of(2));
            self.kept.give_up(&mut missed, |job, cancelled| {
                self.pass_on(job);
                if cancelled {
                    self.fates().cancelled.push(job.id);
                }
            });
            self.fates().read.extend(read.iter().map(|job| job.id));
            self.kept.give_back(Some(hands), true);
        }

        /// As the engine does: here first, and then where those passed on are.
        fn cancel(&self, number: u64) {
            self.kept.cancel(name(number), |job| self.pass_on(job));
            let mut fates = self.fates();
            if fates.passed_on.contains(&name(number)) {
                fates.cancelled.push(name(number));
            }
        }

        /// Each job has come to one end, and the one that was cancelled was not passed on as if it were not.
        fn check(&self, jobs: u64, cancelled: Option<u64>) {
            let fates = self.fates();
            for id in (0..jobs).map(name) {
                let ends = fates.read.iter().chain(&fates.passed_on).filter(|&&end| end == id).count();
                assert_eq!(ends, 1, "{id:?}");
            }
            if let Some(id) = cancelled.map(name) {
                assert!(fates.read.contains(&id) || fates.cancelled.contains(&id), "{id:?}");
            }
        }
    }

    fn explore(run: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(run);
    }

    #[test]
    fn whoever_submits_and_drives_leaves_nothing_behind() {
        explore(|| {
            let world = World::new();
            let other = Arc::clone(&world);
            let other = thread::spawn(move || {
                other.submit(0);
                other.drive();
            });
            world.submit(1);
            world.drive();
            other.join().unwrap();
            world.check(2, None);
        });
    }

    #[test]
    fn a_cancellation_finds_its_job_wherever_that_is() {
        explore(|| {
            let world = World::new();
            let other = Arc::clone(&world);
            world.submit(0);
            world.submit(1);
            let other = thread::spawn(move || other.cancel(1));
            world.drive();
            other.join().unwrap();
            world.check(2, Some(1));
        });
    }

    #[test]
    fn after_a_stop_nothing_is_kept_or_in_anybodys_hands() {
        explore(|| {
            let world = World::new();
            let other = Arc::clone(&world);
            world.submit(0);
            world.submit(1);
            let other = thread::spawn(move || other.drive());
            world.kept.stop(|job| world.pass_on(job));
            world.check(2, None);
            other.join().unwrap();
        });
    }
}
