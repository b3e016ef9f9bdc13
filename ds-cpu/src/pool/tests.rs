//! The pool with tasks of its own, to see what no engine shows.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::Instant;

use ds_core::{Done, Fault, OpId, Path};
use ds_engine::{AboutToDrive, Finished, JobId, Sink, StartError};

use super::backlog::Backlog;
use super::worker::Hands;
use super::{BATCH, Pool, cancelled_answer};
use crate::sync::lock;
use crate::work::{Turn, Work};

#[derive(Clone)]
enum Test {
    Short(u64),
    /// A quarter of a batch.
    Quarter(u64),
    Long(u64),
    /// Is called short.
    Slow(u64),
    /// Waits for a word.
    Blocked(u64, Arc<Mutex<mpsc::Receiver<()>>>),
    /// Likewise, and is called short.
    Stuck(u64, Arc<Mutex<mpsc::Receiver<()>>>),
    /// Takes so many turns.
    Turns(u64, usize),
    Panics(u64),
}

impl Test {
    fn number(&self) -> u64 {
        match *self {
            Self::Short(n) | Self::Quarter(n) | Self::Long(n) | Self::Slow(n) | Self::Panics(n) => n,
            Self::Blocked(n, _) | Self::Stuck(n, _) | Self::Turns(n, _) => n,
        }
    }
}

impl Work for Test {
    type Tools = AtomicUsize;

    fn id(&self) -> Option<JobId> {
        Some(id(self.number()))
    }

    fn is_short(&self) -> bool {
        matches!(self, Self::Short(_) | Self::Quarter(_) | Self::Slow(_) | Self::Stuck(..))
    }

    fn weight(&self) -> usize {
        if matches!(self, Self::Quarter(_)) { BATCH / 4 } else { 1 }
    }

    fn run(self, tools: &AtomicUsize, by: Path) -> Turn<Self> {
        tools.fetch_add(1, Ordering::Relaxed);
        match &self {
            Self::Short(_) | Self::Quarter(_) => {}
            Self::Long(_) | Self::Slow(_) => std::thread::sleep(Duration::from_micros(200)),
            Self::Blocked(_, word) | Self::Stuck(_, word) => lock(word).recv().unwrap(),
            Self::Turns(_, 0) => {}
            Self::Panics(_) => std::panic::panic_any(Bomb),
            Self::Turns(n, left) => return Turn::Later(Self::Turns(*n, left - 1)),
        }
        let result = Ok(Done::Moved(self.number()));
        Turn::Done(Finished { id: id(self.number()), result, path: Path::IO_CPU | by })
    }
}

fn id(n: u64) -> JobId {
    JobId { queue: 0, op: OpId::from_u64(n) }
}

fn pool(workers: usize) -> Pool<Test> {
    Pool::new("test", NonZeroUsize::new(workers).unwrap(), AtomicUsize::new(0))
}

fn try_start<S: Sink + 'static>(pool: &Pool<Test>, sink: &Arc<S>) -> Result<(), StartError> {
    let sink: Arc<dyn Sink> = sink.clone();
    pool.start(&sink)
}

fn start<S: Sink + 'static>(pool: &Pool<Test>, sink: &Arc<S>) {
    try_start(pool, sink).unwrap();
}

#[derive(Default)]
struct Log(Mutex<Vec<Finished>>);

impl Log {
    fn numbers(&self) -> Vec<u64> {
        lock(&self.0).iter().map(|finished| finished.id.op.to_u64()).collect()
    }
}

impl Sink for Log {
    fn complete(&self, batch: &[Finished]) {
        assert!(!batch.is_empty());
        lock(&self.0).extend_from_slice(batch);
    }
}

fn assert_each_once(log: &Log, count: u64) {
    let mut numbers = log.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
}

#[test]
fn every_task_is_answered_once_from_many_submitters() {
    for workers in [1, 2, 5] {
        let (pool, log) = (pool(workers), Arc::new(Log::default()));
        start(&pool, &log);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (pool, log) = (&pool, &log);
                scope.spawn(move || {
                    for n in 0..1000 {
                        let first = thread * 8000 + n * 8;
                        pool.submit((first..first + 8).map(|n| match n % 64 {
                            0 => Test::Turns(n, 3),
                            1 if n % 1024 == 1 => Test::Long(n),
                            _ => Test::Short(n),
                        }));
                        if n % 3 == 0 {
                            pool.drive(&**log, None);
                        }
                        if n % 50 == 0 {
                            std::thread::sleep(Duration::from_micros(100));
                        }
                    }
                });
            }
        });
        pool.stop();
        assert_each_once(&log, 32_000);
        let backlog = lock(&pool.shared.backlog);
        assert_eq!((backlog.busy, backlog.asleep, backlog.called, backlog.scout), (0, 0, 0, false));
    }
}

#[test]
fn stopping_finishes_what_is_queued_and_may_be_repeated() {
    let (pool, log) = (pool(2), Arc::new(Log::default()));
    start(&pool, &log);
    pool.submit((0..500).map(|n| if n % 10 == 0 { Test::Turns(n, 20) } else { Test::Short(n) }));
    std::thread::scope(|scope| {
        scope.spawn(|| pool.stop());
        pool.stop();
    });
    pool.stop();
    assert_each_once(&log, 500);
    assert_eq!(Arc::strong_count(&log), 1, "a stopped pool keeps no sink");
}

#[test]
fn stopping_before_starting_is_harmless_and_final() {
    let log = Arc::new(Log::default());
    let pool = pool(1);
    pool.submit((0..1).map(Test::Short));
    assert!(pool.drive(&*log, None), "a pool without threads can be driven");
    pool.stop();
    assert!(matches!(try_start(&pool, &log), Err(StartError::AlreadyUsed)));
    assert_each_once(&log, 1);
    assert_eq!(Arc::strong_count(&log), 1);
}

#[test]
fn a_second_start_fails_and_leaves_the_first_as_it_was() {
    let (pool, first, second) = (pool(2), Arc::new(Log::default()), Arc::new(Log::default()));
    start(&pool, &first);
    for sink in [&second, &first] {
        assert!(matches!(try_start(&pool, sink), Err(StartError::AlreadyUsed)));
    }
    assert_eq!(lock(&pool.shared.backlog).handles.len(), 2);
    pool.submit((0..100).map(Test::Short));
    pool.stop();
    assert_each_once(&first, 100);
    assert_each_once(&second, 0);
    assert!(matches!(try_start(&pool, &second), Err(StartError::AlreadyUsed)), "nor is it started again");
}

#[test]
fn driving_does_some_tasks_here_and_says_so() {
    let (pool, log) = (pool(1), Log::default());
    assert!(!pool.drive(&log, None));
    pool.submit((0..3).map(Test::Short));
    assert!(pool.drive(&log, None));
    assert_eq!(log.numbers(), [0, 1], "half of what there is: the rest is for others");
    assert!(!pool.drive(&log, Some(1)), "queue 1 has no task");
    assert!(pool.drive(&log, Some(0)));
    assert!(!pool.drive(&log, None));
    assert!(lock(&log.0).iter().all(|finished| finished.path.contains(Path::INLINE)));
}

#[test]
fn cancelling_answers_what_is_queued_and_ignores_the_rest() {
    let (pool, log) = (pool(1), Arc::new(Log::default()));
    let (word, wait) = mpsc::channel();
    start(&pool, &log);
    pool.submit([Test::Blocked(0, Arc::new(Mutex::new(wait)))].into_iter());
    while pool.tools().load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    pool.submit((1..100).map(Test::Short));
    pool.cancel(id(0));
    for n in (1..100).step_by(2) {
        pool.cancel(id(n));
        pool.cancel(id(n));
    }
    pool.cancel(id(1_000_000));
    word.send(()).unwrap();
    pool.stop();
    assert_each_once(&log, 100);
    for finished in lock(&log.0).iter() {
        let n = finished.id.op.to_u64();
        let wanted = if n % 2 == 1 { Err(Fault::Cancelled) } else { Ok(Done::Moved(n)) };
        assert_eq!(finished.result, wanted, "{n}");
    }
    assert_eq!(pool.tools().load(Ordering::Relaxed), 50, "what is cancelled is not done");
}

/// A pool of one worker that is at work on task 0 until it gets the word, with task 1 behind it.
fn busy(log: &Arc<Log>) -> (Pool<Test>, mpsc::Sender<()>) {
    let pool = pool(1);
    let (word, wait) = mpsc::channel();
    start(&pool, log);
    pool.submit([Test::Blocked(0, Arc::new(Mutex::new(wait)))].into_iter());
    while pool.tools().load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    pool.submit([Test::Short(1)].into_iter());
    (pool, word)
}

#[test]
fn cancelling_what_is_under_way_harms_no_later_job_of_that_name() {
    let log = Arc::new(Log::default());
    let (pool, word) = busy(&log);
    pool.cancel(id(0));
    // Task 0 will be answered, and its name is free for another: here, one that is queued already.
    pool.submit([Test::Short(0), Test::Short(2)].into_iter());
    word.send(()).unwrap();
    pool.stop();
    let log = lock(&log.0);
    assert_eq!(log.len(), 4);
    for finished in &*log {
        assert_eq!(finished.result, Ok(Done::Moved(finished.id.op.to_u64())), "nobody cancelled it");
    }
    assert_eq!(lock(&pool.shared.backlog).names(), 0);
}

#[test]
fn an_empty_queue_keeps_no_names() {
    let log = Arc::new(Log::default());
    let (pool, word) = busy(&log);
    for n in 0..1000 {
        pool.cancel(id(n * 10));
    }
    assert_eq!(lock(&pool.shared.backlog).names(), 1000, "they might be in the queue, for all it knows");
    word.send(()).unwrap();
    while log.numbers().len() < 2 {
        std::thread::yield_now();
    }
    pool.cancel(id(7));
    assert_eq!(lock(&pool.shared.backlog).names(), 0);
    pool.stop();
}

#[test]
fn a_task_that_goes_back_can_be_cancelled_and_keeps_its_number() {
    let mut backlog = Backlog::new(NonZeroUsize::MIN);
    let (mut early, mut late) = (Hands::default(), Hands::default());
    // A batch is half of what there is: 0 to 3, then 4 to 6.
    backlog.extend((0..8).map(Test::Short));
    backlog.take(&mut early, None);
    backlog.cancel(id(1));
    backlog.extend((1..2).map(Test::Short));
    backlog.take(&mut late, None);
    let finished = early.finished.len() + late.finished.len();
    assert_eq!((early.batch.len(), late.batch.len(), finished), (4, 3, 0));
    // Whoever is last to put back decides the order. Names go by when a task was queued, not by where it is now.
    backlog.put_back(&mut early.batch);
    backlog.put_back(&mut late.batch);
    let mut all = Hands::default();
    while backlog.has_work() {
        backlog.take(&mut all, None);
    }
    let order: Vec<_> = all.batch.iter().map(|queued| queued.task.number()).collect();
    assert_eq!(order, [4, 5, 6, 0, 2, 3, 7, 1], "the first of that name is not among them");
    assert_eq!(all.finished, [cancelled_answer(id(1))]);
}

#[test]
fn a_batch_is_smaller_where_more_threads_take_tasks() {
    let cores = crate::default_workers().get();
    let crew = cores + 3;
    for (slow, takers) in [(false, (cores - 1).max(1)), (true, crew)] {
        let mut backlog = Backlog::new(NonZeroUsize::new(crew).unwrap());
        backlog.slow = slow;
        backlog.extend((0..2 * crew as u64).map(Test::Short));
        let mut hands = Hands::default();
        backlog.take(&mut hands, None);
        assert_eq!(hands.batch.len(), crew.div_ceil(takers).min(BATCH), "{slow}");
    }
}

/// How many tasks a thread does of the eight it takes, and whether they count as slow from then on.
fn does_of_eight(slow: bool, task: fn(u64) -> Test) -> (usize, bool) {
    let pool = pool(1);
    lock(&pool.shared.backlog).slow = slow;
    pool.submit((0..16).map(task));
    let mut hands = Hands::default();
    lock(&pool.shared.backlog).take(&mut hands, None);
    assert_eq!(hands.batch.len(), 8);
    hands.perform(&pool.shared, Path::NONE);
    let backlog = lock(&pool.shared.backlog);
    assert_eq!(backlog.tasks.len() + hands.finished.len(), 16);
    (hands.finished.len(), backlog.slow)
}

#[test]
fn the_second_slow_task_in_a_row_makes_a_batch_slow_or_the_first_where_others_were() {
    assert_eq!(does_of_eight(false, Test::Slow), (2, true));
    assert_eq!(does_of_eight(true, Test::Slow), (1, true));
    // This thread may lose its core at the wrong moment, but not always.
    let one = |n| if n == 0 { Test::Slow(n) } else { Test::Short(n) };
    assert!((0..10).any(|_| does_of_eight(false, one) == (8, false)));
}

#[test]
fn a_batch_has_room_for_fewer_of_the_longer_ones() {
    for (weights, taken) in [("4444444444", 4), ("1111111111", 5), ("1444411111", 4), ("4L44444444", 1)] {
        let mut backlog = Backlog::new(NonZeroUsize::MIN);
        backlog.extend(weights.chars().zip(0..).map(|(weight, n)| match weight {
            '4' => Test::Quarter(n),
            'L' => Test::Long(n),
            _ => Test::Short(n),
        }));
        let mut hands = Hands::default();
        backlog.take(&mut hands, None);
        assert_eq!(hands.batch.len(), taken, "{weights}");
    }
}

#[test]
fn what_is_left_to_a_driver_that_stays_away_is_given() {
    let mut backlog = Backlog::new(NonZeroUsize::MIN);
    backlog.extend((0..2).map(Test::Short));
    let mut driver = Hands::default();
    backlog.take(&mut driver, None);
    backlog.begin(&mut driver, false);
    backlog.collectors += 1;
    driver.batch.clear();
    backlog.performed(&mut driver);
    backlog.collect(&mut driver);
    assert!(backlog.driver_comes, "there is one task left");

    let mut worker: Hands<Test> = Hands::default();
    worker.finished.push(cancelled_answer(id(7)));
    assert!(backlog.leave(&mut worker) && worker.finished.is_empty());
    backlog.take(&mut worker, None);
    assert_eq!(worker.batch.len(), 1);
    assert_eq!(worker.finished.first().map(|answer| answer.id), Some(id(7)), "with the last task");
    assert!(!backlog.driver_comes && !backlog.has_work());
}

#[test]
fn short_tasks_behind_a_blocked_worker_are_done_by_others() {
    let (pool, log) = (pool(3), Arc::new(Log::default()));
    start(&pool, &log);
    let mut words = Vec::new();
    for n in 0..2 {
        let (word, wait) = mpsc::channel();
        words.push(word);
        pool.submit([Test::Blocked(1000 + n, Arc::new(Mutex::new(wait)))].into_iter());
    }
    pool.submit((0..300).map(Test::Short));
    while log.numbers().len() < 300 {
        std::thread::yield_now();
    }
    assert_each_once(&log, 300);
    for word in words {
        word.send(()).unwrap();
    }
    pool.stop();
    assert_eq!(log.numbers().len(), 302);
}

#[test]
fn one_task_wakes_one_worker_at_most() {
    let (pool, log) = (pool(4), Arc::new(Log::default()));
    start(&pool, &log);
    while lock(&pool.shared.backlog).asleep < 4 {
        std::thread::yield_now();
    }
    let mut backlog = lock(&pool.shared.backlog);
    backlog.extend(core::iter::once(Test::Short(0)));
    assert!(backlog.call());
    backlog.extend(core::iter::once(Test::Short(1)));
    assert!(!backlog.call(), "someone is on the way");
    assert_eq!((backlog.asleep, backlog.called), (3, 1));
    drop(backlog);
    pool.shared.calls.notify_one();
    pool.stop();
    assert_each_once(&log, 2);
}

/// Of threads that sleep, so that one that is woken shows.
fn asleep(workers: usize, log: &Arc<Log>) -> Pool<Test> {
    let pool = pool(workers);
    start(&pool, log);
    while lock(&pool.shared.backlog).asleep < workers {
        std::thread::yield_now();
    }
    pool
}

#[test]
fn a_single_task_of_a_thread_about_to_drive_wakes_nobody() {
    let log = Arc::new(Log::default());
    let pool = asleep(2, &log);
    let intent = AboutToDrive::mark();
    pool.submit(core::iter::once(Test::Short(0)));
    drop(intent);
    assert_eq!(lock(&pool.shared.backlog).asleep, 2);
    assert!(pool.drive(&*log, Some(0)));
    assert_eq!(log.numbers(), [0]);
    let intent = AboutToDrive::mark();
    pool.submit(core::iter::once(Test::Long(1)));
    drop(intent);
    // It is stopped instead, which leaves nothing undone.
    pool.stop();
    assert_each_once(&log, 2);
}

#[test]
fn what_a_thread_has_kept_for_itself_and_does_not_want_goes_to_others() {
    let log = Arc::new(Log::default());
    let pool = asleep(1, &log);
    let intent = AboutToDrive::mark();
    pool.submit(core::iter::once(Test::Short(0)));
    drop(intent);
    assert!(!pool.drive(&*log, Some(1)), "it is another queue's");
    while log.numbers().is_empty() {
        std::thread::yield_now();
    }
    // A second task ends the first one's privacy.
    let intent = AboutToDrive::mark();
    (1..3).for_each(|n| pool.submit(core::iter::once(Test::Short(n))));
    drop(intent);
    while log.numbers().len() < 3 {
        std::thread::yield_now();
    }
    assert_each_once(&log, 3);
}

/// Does something to the pool from within its sink.
struct Inside {
    pool: Weak<Pool<Test>>,
    log: Log,
    act: fn(&Pool<Test>),
}

impl Sink for Inside {
    fn complete(&self, batch: &[Finished]) {
        self.log.complete(batch);
        if let (Some(pool), true) = (self.pool.upgrade(), batch.iter().any(|finished| finished.id == id(0))) {
            (self.act)(&pool);
        }
    }
}

fn inside(workers: usize, act: fn(&Pool<Test>)) -> (Arc<Pool<Test>>, Arc<Inside>) {
    let pool = Arc::new(pool(workers));
    let sink = Arc::new(Inside { pool: Arc::downgrade(&pool), log: Log::default(), act });
    start(&pool, &sink);
    (pool, sink)
}

#[test]
fn stopping_from_within_the_sink_finishes_the_rest_here() {
    for workers in [1, 3] {
        let (pool, sink) = inside(workers, |pool| {
            pool.submit((100..200).map(Test::Long));
            pool.stop();
            assert!(lock(&pool.shared.backlog).tasks.is_empty());
        });
        pool.submit((0..100).map(Test::Short));
        while !lock(&pool.shared.backlog).stopping {
            std::thread::yield_now();
        }
        pool.stop();
        assert_each_once(&sink.log, 200);
        assert_eq!(Arc::strong_count(&sink), 1);
    }
}

/// Owns the pool it is the sink of, as a driver does, and stops it from within.
struct Owner(Arc<Pool<Test>>);

impl Sink for Owner {
    fn complete(&self, _: &[Finished]) {
        self.0.stop();
    }
}

fn assert_goes(pool: &Weak<Pool<Test>>) {
    let end = Instant::now() + Duration::from_secs(30);
    while pool.strong_count() > 0 {
        assert!(Instant::now() < end, "sink and pool keep each other");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_pool_stopped_from_within_its_sink_lets_go_of_it() {
    for workers in [1, 3] {
        let pool = Arc::new(pool(workers));
        start(&pool, &Arc::new(Owner(pool.clone())));
        pool.submit((0..10).map(Test::Short));
        let gone = Arc::downgrade(&pool);
        drop(pool);
        assert_goes(&gone);
    }
}

#[test]
fn a_pool_stopped_from_within_the_sink_of_a_driving_thread_lets_go_of_it() {
    for _ in 0..20 {
        let pool = Arc::new(pool(1));
        let sink = Arc::new(Owner(pool.clone()));
        start(&pool, &sink);
        let (word, wait) = mpsc::channel();
        pool.submit([Test::Blocked(0, Arc::new(Mutex::new(wait)))].into_iter());
        while pool.tools().load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        pool.submit((1..2).map(Test::Short));
        // The worker can end before or after this thread is through.
        word.send(()).unwrap();
        pool.drive(&*sink, None);
        let gone = Arc::downgrade(&pool);
        drop((pool, sink));
        assert_goes(&gone);
    }
}

#[test]
fn stopping_from_within_the_sink_of_a_driving_thread_works_too() {
    let (pool, sink) = inside(1, Pool::stop);
    let other = pool.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..100 {
                other.drive(&Log::default(), None);
            }
        });
        pool.submit((0..1).map(Test::Short));
        while pool.drive(&*sink, None) {}
        pool.stop();
    });
}

/// A panic's payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

#[test]
fn a_task_that_panics_fails_alone() {
    let (pool, log) = (pool(1), Arc::new(Log::default()));
    start(&pool, &log);
    pool.submit((0..100).map(|n| if n % 10 == 3 { Test::Panics(n) } else { Test::Short(n) }));
    while pool.drive(&*log, None) {}
    pool.stop();
    assert_each_once(&log, 100);
    for finished in lock(&log.0).iter() {
        let fails = finished.id.op.to_u64() % 10 == 3;
        assert_eq!(matches!(finished.result, Err(Fault::Unsupported(_))), fails, "{finished:?}");
    }
}

#[test]
fn a_sink_that_panics_does_not_end_the_worker() {
    for act in [|_: &Pool<Test>| panic!("as the test wants"), |_: &Pool<Test>| std::panic::panic_any(Bomb)] {
        let (pool, sink) = inside(1, act);
        pool.submit((0..1).map(Test::Short));
        while sink.log.numbers().is_empty() {
            std::thread::yield_now();
        }
        pool.submit((1..50).map(Test::Short));
        pool.stop();
        assert_each_once(&sink.log, 50);
    }
}

#[test]
fn a_sink_that_panics_while_it_stops_the_pool_ends_neither() {
    let (pool, sink) = inside(1, |pool| {
        if !lock(&pool.shared.backlog).stopping {
            // The next answer to task 0 is given on this thread, from within `stop`.
            pool.submit([Test::Long(1), Test::Long(0)].into_iter());
            pool.stop();
        }
        std::panic::panic_any(Bomb);
    });
    pool.submit((0..1).map(Test::Short));
    while sink.log.numbers().is_empty() {
        std::thread::yield_now();
    }
    pool.stop();
    let backlog = lock(&pool.shared.backlog);
    assert_eq!((backlog.busy, backlog.waiting, backlog.workers.len()), (0, 0, 0));
}

#[test]
fn submitting_from_within_the_sink_while_stopping_is_served() {
    let (pool, sink) = inside(2, |pool| pool.submit((1..100).map(Test::Short)));
    pool.submit((0..1).map(Test::Short));
    pool.stop();
    assert_each_once(&sink.log, 100);
}

#[test]
fn dropping_a_pool_on_its_own_thread_ends_it() {
    let pool = Arc::new(pool(2));
    let holder = Arc::new(Mutex::new(Some(pool.clone())));
    struct Dropper(Arc<Mutex<Option<Arc<Pool<Test>>>>>, mpsc::Sender<()>);
    impl Sink for Dropper {
        fn complete(&self, _: &[Finished]) {
            let pool = lock(&self.0).take();
            drop(pool);
            self.1.send(()).ok();
        }
    }
    let (done, wait) = mpsc::channel();
    start(&pool, &Arc::new(Dropper(holder, done)));
    let weak = Arc::downgrade(&pool);
    // With the lock held nothing can be answered, so the sink's reference is the last one when it is dropped.
    let shared = pool.shared.clone();
    let mut backlog = lock(&shared.backlog);
    backlog.extend(core::iter::once(Test::Short(0)));
    backlog.call();
    drop(pool);
    drop(backlog);
    shared.calls.notify_all();
    wait.recv().unwrap();
    assert!(weak.upgrade().is_none());
}

/// A sink of a thread that drives, which does this within its first answer.
struct Within<F>(Arc<Log>, Mutex<Option<F>>);

impl<F: FnOnce() + Send> Sink for Within<F> {
    fn complete(&self, batch: &[Finished]) {
        self.0.complete(batch);
        let act = lock(&self.1).take();
        if let Some(act) = act {
            act();
        }
    }
}

fn blocked(n: u64) -> (mpsc::Sender<()>, Test) {
    let (word, wait) = mpsc::channel();
    (word, Test::Blocked(n, Arc::new(Mutex::new(wait))))
}

fn wait_for(mut what: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while !what() {
        if Instant::now() > end {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn stopping_within_an_answer_gives_those_that_were_left_as_well() {
    let mut left = 0;
    for _ in 0..100 {
        if left == 5 {
            break;
        }
        let (pool, log) = (pool(1), Arc::new(Log::default()));
        start(&pool, &log);
        let (word, task) = blocked(1000);
        pool.submit([task].into_iter());
        assert!(wait_for(|| pool.tools().load(Ordering::Relaxed) == 1));
        pool.submit((0..1).map(Test::Short));
        let act = || {
            word.send(()).unwrap();
            // Either the worker has left its answer to this thread, or it has thought better of it.
            let is_left = || !lock(&pool.shared.backlog).left.is_empty();
            assert!(wait_for(|| is_left() || log.numbers().contains(&1000)));
            left += usize::from(is_left());
            pool.stop();
            assert!(log.numbers().contains(&1000), "the pool has stopped, and this job has no answer");
        };
        assert!(pool.drive(&Within(log.clone(), Mutex::new(Some(act))), None));
        assert_eq!(log.numbers().len(), 2);
    }
    // On a single core the worker has thought better of it before anybody can look.
    assert!(left > 0 || crate::default_workers().get() == 1);
}

#[test]
fn an_answer_that_was_left_does_not_wait_for_a_long_task() {
    let (pool, log) = (pool(1), Arc::new(Log::default()));
    start(&pool, &log);
    let (word, task) = blocked(1000);
    pool.submit([task].into_iter());
    assert!(wait_for(|| pool.tools().load(Ordering::Relaxed) == 1));
    let (next_word, next) = blocked(1001);
    pool.submit([Test::Short(0), next].into_iter());
    let mut answered = false;
    let act = || {
        word.send(()).unwrap();
        // The application's code waits for another request, and works meanwhile on what is there.
        answered = wait_for(|| log.numbers().contains(&1000));
        next_word.send(()).unwrap();
    };
    assert!(pool.drive(&Within(log.clone(), Mutex::new(Some(act))), None));
    pool.stop();
    assert_eq!(log.numbers().len(), 3);
    assert!(answered, "the answer waited for a task that has nothing to do with it");
}

#[test]
fn short_tasks_that_hang_do_not_keep_all_others_from_workers_that_sleep() {
    let cores = crate::default_workers().get();
    let log = Arc::new(Log::default());
    let pool = asleep(cores + 2, &log);
    let mut words = Vec::new();
    for n in 0..cores {
        let (word, wait) = mpsc::channel();
        words.push(word);
        pool.submit([Test::Stuck(1000 + n as u64, Arc::new(Mutex::new(wait)))].into_iter());
        assert!(wait_for(|| pool.tools().load(Ordering::Relaxed) == n + 1));
    }
    // No scout is left over.
    assert!(wait_for(|| lock(&pool.shared.backlog).asleep == 2));
    pool.submit((0..100).map(Test::Short));
    let done = wait_for(|| log.numbers().len() == 100);
    for word in words {
        word.send(()).unwrap();
    }
    pool.stop();
    assert!(done, "two workers slept beside a hundred tasks");
}
