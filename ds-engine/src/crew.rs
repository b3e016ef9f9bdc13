//! An engine's threads: whether it may be started, which of them have not ended, and who waits for that.
//!
//! Stopping an engine waits for its threads. But it may be stopped from within an answer, on one of those threads: that one cannot
//! wait for itself, nor for another that does the same. Or the last owner of an engine may be what its threads answer to, which a
//! thread lets go of when it has counted itself as ended. `model` tries every interleaving.

#[cfg(all(test, loom))]
use loom::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{Builder, JoinHandle, current},
};
use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{Builder, JoinHandle, current},
};

use crate::engine::StartError;

/// The threads of one engine.
#[derive(Debug, Default)]
pub struct Crew(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    life: Mutex<Life>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Life {
    /// Whether the engine has been started or stopped.
    used: bool,
    /// Threads that have not ended.
    alive: usize,
    /// Those of them that stop the engine from within an answer, and have nothing else left to do.
    waiting: usize,
    /// How often all threads have waited so at once: then all may go on, whoever looks first.
    calms: usize,
    handles: Vec<JoinHandle<()>>,
}

/// A thread that has not ended. Dropping it counts the thread as ended, even while it panics.
#[derive(Debug)]
pub struct Member(Arc<Shared>);

impl Crew {
    /// The engine starts.
    ///
    /// # Errors
    /// [`StartError::AlreadyUsed`] if it was started or stopped before.
    pub fn begin(&self) -> Result<(), StartError> {
        if core::mem::replace(&mut self.0.lock().used, true) { Err(StartError::AlreadyUsed) } else { Ok(()) }
    }

    /// The engine stops: it will not be started again.
    pub fn retire(&self) {
        self.0.lock().used = true;
    }

    /// Starts a thread. It keeps the [`Member`] until it has done its work, and may do more after that: what could stop the engine in
    /// turn, such as to let go of the sink.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn spawn(&self, name: String, run: impl FnOnce(Member) + Send + 'static) -> Result<(), StartError> {
        // Counted before it is made: one that is not made drops what uncounts it.
        self.0.lock().alive += 1;
        let member = Member(Arc::clone(&self.0));
        let handle = Builder::new().name(name).spawn(move || run(member));
        let handle = handle.map_err(|source| StartError::Os { what: "its threads", source })?;
        self.0.lock().handles.push(handle);
        Ok(())
    }

    /// Waits until all threads have ended. On one of them, only after its own [`Member`] has been dropped.
    pub fn wait(&self) {
        let mut life = self.0.lock();
        while life.alive > 0 {
            life = self.0.wait_for_change(life);
        }
        let handles = core::mem::take(&mut life.handles);
        drop(life);
        let me = current().id();
        for handle in handles.into_iter().filter(|handle| handle.thread().id() != me) {
            // What there is to say about a panic the panic hook has said.
            let _ = handle.join();
        }
    }

    /// As [`wait`](Self::wait), on one of the threads that has a [`Member`] and nothing left to do: waits until each of the others
    /// has ended, or waits likewise.
    pub fn wait_within(&self) {
        let mut life = self.0.lock();
        life.waiting += 1;
        self.0.changed.notify_all();
        let before = life.calms;
        while life.alive > life.waiting && life.calms == before {
            life = self.0.wait_for_change(life);
        }
        if life.calms == before {
            life.calms = before.wrapping_add(1);
            self.0.changed.notify_all();
        }
        life.waiting -= 1;
    }

    /// A number that no other crew in this process has as long as one of the threads runs: for them to know whose they are.
    #[must_use]
    pub fn number(&self) -> usize {
        core::ptr::from_ref(&*self.0).addr()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_change<'a>(&self, life: MutexGuard<'a, Life>) -> MutexGuard<'a, Life> {
        self.changed.wait(life).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.lock().alive -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_used_once() {
        let (started, stopped) = (Crew::default(), Crew::default());
        started.begin().unwrap();
        stopped.retire();
        for crew in [started, stopped] {
            assert!(matches!(crew.begin(), Err(StartError::AlreadyUsed)));
        }
    }

    #[test]
    fn all_that_stop_the_engine_within_answers_go_on_at_once() {
        // Each waits, within its answer, for the other to have been through as well.
        for _ in 0..50 {
            let (crew, both) = (Arc::new(Crew::default()), Arc::new(std::sync::Barrier::new(2)));
            let (send, receive) = std::sync::mpsc::channel();
            for _ in 0..2 {
                let (shared, both, send) = (Arc::clone(&crew), Arc::clone(&both), send.clone());
                let run = move |member| {
                    // Nobody stops an engine before it has been started.
                    both.wait();
                    shared.wait_within();
                    both.wait();
                    drop(member);
                    send.send(()).unwrap();
                };
                crew.spawn("one".into(), run).unwrap();
            }
            for _ in 0..2 {
                let limit = core::time::Duration::from_secs(60);
                receive.recv_timeout(limit).expect("one of them waits for the other to end");
            }
            crew.wait();
        }
    }

    #[test]
    fn a_thread_that_panics_has_ended() {
        let crew = Crew::default();
        crew.spawn("panics".into(), |_member| panic!("this message belongs to the test")).unwrap();
        crew.wait();
        crew.wait();
    }
}

/// `cargo xtask test --only loom`
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    fn explore(run: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(run);
    }

    /// Threads that each have something to do, and then this.
    fn crew_of(
        threads: usize,
        then: fn(Member, &Crew, &AtomicUsize, usize),
    ) -> (Arc<Crew>, Arc<AtomicUsize>) {
        let (crew, done) = (Arc::new(Crew::default()), Arc::new(AtomicUsize::new(0)));
        // Nobody stops an engine before it has been started.
        let starting = Arc::new(Mutex::new(()));
        let held = starting.lock().unwrap();
        for _ in 0..threads {
            let (shared, done) = (Arc::clone(&crew), Arc::clone(&done));
            let starting = Arc::clone(&starting);
            let run = move |member| {
                drop(starting.lock().unwrap());
                done.fetch_add(1, Ordering::Relaxed);
                then(member, &shared, &done, threads);
            };
            crew.spawn("one".into(), run).unwrap();
        }
        drop(held);
        (crew, done)
    }

    #[test]
    fn whoever_waits_outside_finds_all_of_them_ended() {
        explore(|| {
            let (crew, done) = crew_of(2, |member, _, _, _| drop(member));
            crew.wait();
            assert_eq!(done.load(Ordering::Relaxed), 2);
        });
    }

    #[test]
    fn threads_that_stop_the_engine_within_answers_wait_for_each_other_and_end() {
        explore(|| {
            let (crew, done) = crew_of(2, |member, crew, done, threads| {
                crew.wait_within();
                assert_eq!(done.load(Ordering::Relaxed), threads, "all have come as far");
                drop(member);
            });
            crew.wait();
            assert_eq!(done.load(Ordering::Relaxed), 2);
        });
    }

    #[test]
    fn a_thread_may_stop_the_engine_after_its_end() {
        explore(|| {
            let (crew, _) = crew_of(2, |member, crew, done, threads| {
                drop(member);
                crew.wait();
                assert_eq!(done.load(Ordering::Relaxed), threads);
            });
            crew.wait();
        });
    }
}
