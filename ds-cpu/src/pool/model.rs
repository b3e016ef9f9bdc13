//! A model of how the pool's threads hand tasks and answers to one another, for loom to try every interleaving of:
//!
//! `cargo xtask test --only loom`

use core::num::NonZeroUsize;
use std::sync::Arc;

use ds_core::{Done, OpId, Path};
use ds_engine::{Finished, JobId, Sink};

use super::Pool;
use crate::sync::{Condvar, Mutex, lock, thread};
use crate::work::{Turn, Work};

/// A task of a queue, to be answered once.
#[derive(Clone)]
struct Task {
    id: JobId,
    short: bool,
}

impl Work for Task {
    type Tools = ();

    fn id(&self) -> Option<JobId> {
        Some(self.id)
    }

    fn is_short(&self) -> bool {
        self.short
    }

    fn run(self, (): &(), by: Path) -> Turn<Self> {
        Turn::Done(Finished { id: self.id, result: Ok(Done::Moved(1)), path: Path::IO_CPU | by })
    }
}

/// Tasks of the queue that drivers wait for.
fn tasks(short: bool, numbers: core::ops::Range<u64>) -> impl Iterator<Item = Task> {
    numbers.map(move |number| Task { id: JobId { queue: 0, op: OpId::from_u64(number) }, short })
}

/// Counts answers, which somebody waits for.
#[derive(Default)]
struct Answers {
    seen: Mutex<Vec<u64>>,
    changed: Condvar,
    /// How many there must be before the answer to the first task is taken.
    first_needs: usize,
}

impl Sink for Answers {
    fn complete(&self, batch: &[Finished]) {
        let mut seen = lock(&self.seen);
        for finished in batch {
            let number = finished.id.op.to_u64();
            assert!(!seen.contains(&number), "task {number} is answered twice");
            seen.push(number);
        }
        self.changed.notify_all();
        drop(seen);
        if batch.iter().any(|finished| finished.id.op.to_u64() == 0) {
            self.wait_for(self.first_needs);
        }
    }
}

impl Answers {
    /// Sleeps until there are so many; hangs if a task has been forgotten.
    fn wait_for(&self, count: usize) {
        let mut seen = lock(&self.seen);
        while seen.len() < count {
            seen = self.changed.wait(seen).unwrap();
        }
    }
}

fn explore(workers: usize, play: fn(&Arc<Pool<Task>>, &Arc<Answers>)) {
    explore_answers(workers, 0, play);
}

fn explore_answers(workers: usize, first_needs: usize, play: fn(&Arc<Pool<Task>>, &Arc<Answers>)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let pool = Arc::new(Pool::new("model", NonZeroUsize::new(workers).unwrap(), ()));
        let answers = Arc::new(Answers { first_needs, ..Answers::default() });
        let sink: Arc<dyn Sink> = answers.clone();
        pool.start(&sink).unwrap();
        play(&pool, &answers);
        pool.stop();
    });
}

/// As a thread that waits: whatever it finds, and then it sleeps.
fn drive_and_wait(pool: &Pool<Task>, answers: &Answers, count: usize) {
    while pool.drive(answers, Some(0)) {}
    answers.wait_for(count);
}

#[test]
fn no_task_is_slept_through() {
    explore(2, |pool, answers| {
        pool.submit(tasks(false, 0..1));
        pool.submit(tasks(false, 1..3));
        answers.wait_for(3);
    });
}

#[test]
fn short_tasks_that_wake_nobody_more_are_done() {
    explore(2, |pool, answers| {
        pool.submit(tasks(true, 0..4));
        answers.wait_for(4);
    });
}

#[test]
fn an_answer_may_wait_for_tasks_that_nobody_was_woken_for() {
    explore_answers(2, 3, |pool, answers| {
        pool.submit(tasks(true, 0..3));
        answers.wait_for(3);
    });
}

#[test]
fn what_a_thread_has_for_itself_it_does() {
    explore(1, |pool, answers| {
        pool.shared.push(tasks(true, 0..1), true);
        drive_and_wait(pool, answers, 1);
    });
}

#[test]
fn what_a_thread_had_for_itself_is_left_to_others() {
    explore(1, |pool, answers| {
        pool.shared.push(tasks(true, 0..1), true);
        // Not of the queue that it waits for.
        while pool.drive(&**answers, Some(1)) {}
        answers.wait_for(1);
    });
}

#[test]
fn what_a_thread_has_for_itself_is_not_in_the_way_of_others() {
    explore(1, |pool, answers| {
        let (other, sink) = (Arc::clone(pool), Arc::clone(answers));
        let submitter = thread::spawn(move || {
            other.submit(tasks(true, 1..2));
            sink.wait_for(2);
        });
        pool.shared.push(tasks(true, 0..1), true);
        drive_and_wait(pool, answers, 2);
        submitter.join().unwrap();
    });
}

#[test]
fn answers_left_to_a_driver_are_given() {
    explore(1, |pool, answers| {
        pool.shared.push(tasks(true, 0..5), true);
        drive_and_wait(pool, answers, 5);
    });
}

#[test]
fn stopping_answers_what_is_left() {
    explore(1, |pool, answers| {
        let (other, sink) = (Arc::clone(pool), Arc::clone(answers));
        other.submit(tasks(true, 0..3));
        let driver = thread::spawn(move || while other.drive(&*sink, None) {});
        pool.stop();
        driver.join().unwrap();
        answers.wait_for(3);
    });
}
