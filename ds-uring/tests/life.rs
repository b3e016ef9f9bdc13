//! Beginning and end: threads, descriptors, stopping from anywhere.

mod alone;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::num::NonZeroUsize;
use core::time::Duration;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, Weak, mpsc};

use alone::alone;
use common::{Log, Memory, Threads, file, id, runs};
use ds_core::Done;
use ds_engine::{Engine, Finished, IoEngine, IoJob, IoOp, Sink, StartContext, StartError};
use ds_uring::{FakeFaults, UringConfig, UringIo};

const LONG: Duration = Duration::from_secs(60);

fn with_rings(rings: usize) -> UringConfig {
    UringConfig::default().rings(NonZeroUsize::new(rings).unwrap())
}

fn content() -> std::fs::File {
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(&[7; 4096], 0).unwrap();
    real
}

fn reads(real: &std::fs::File, memory: &Memory, jobs: std::ops::Range<u64>) -> Vec<IoJob> {
    let job = |n| IoJob {
        id: id(n),
        op: IoOp::Read { file: file(real), offset: 0, into: memory.part(n as usize, 1) },
    };
    jobs.map(job).collect()
}

fn count(kind: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{kind}")).unwrap().count()
}

#[test]
fn threads_have_names_and_are_gone_after_stop() {
    let real = content();
    let threads = Arc::new(Threads::default());
    let engine = UringIo::new(with_rings(2));
    engine.start(&StartContext::new(threads.clone())).unwrap();
    let memory = Memory::new(200);
    engine.submit(&mut reads(&real, &memory, 0..200));
    engine.stop();
    let threads = threads.0.lock().unwrap();
    assert!(!threads.is_empty());
    for (name, number) in &*threads {
        assert!(["ds-uring-0", "ds-uring-1"].contains(&name.as_str()), "{name}");
        assert!(!runs(*number), "{name} still runs");
    }
}

/// Switches from a thread of that name to another one, by its own will or not, so far.
fn switches(thread: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let status = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok());
    let own = status.filter(|status| status.starts_with(&format!("Name:\t{thread}\n")));
    own.flat_map(|status| {
        status.lines().filter(|line| line.contains("ctxt")).map(str::to_owned).collect::<Vec<_>>()
    })
    .collect()
}

/// In a process of its own: other tests' engines have threads of the same name.
#[test]
fn an_idle_ring_sleeps() {
    if !alone("an_idle_ring_sleeps", &[]) {
        return;
    }
    let (real, log, memory) = (content(), Arc::new(Log::default()), Memory::new(100));
    let engine = UringIo::new(with_rings(1));
    engine.start(&StartContext::new(log.clone())).unwrap();
    engine.submit(&mut reads(&real, &memory, 0..100));
    (0..100).for_each(|n| assert_eq!(log.wait(id(n)).result, Ok(Done::Moved(1))));
    // After the last answer it has one more look, whenever it gets a core.
    let sleeps = (0..20).any(|_| {
        let before = switches("ds-uring-0");
        assert_eq!(before.len(), 2);
        std::thread::sleep(Duration::from_millis(300));
        switches("ds-uring-0") == before
    });
    assert!(sleeps, "it has run meanwhile each time");
    engine.submit(&mut reads(&real, &memory, 0..1));
    assert_eq!(log.wait(id(0)).result, Ok(Done::Moved(1)), "but it wakes");
}

#[test]
fn an_engine_is_used_once() {
    let log = Arc::new(Log::default());
    let engine = UringIo::new(with_rings(1));
    assert_eq!(engine.report(), None);
    engine.start(&StartContext::new(log.clone())).unwrap();
    assert_eq!(engine.report().unwrap().rings, NonZeroUsize::MIN);
    let again = engine.start(&StartContext::new(log.clone()));
    assert!(matches!(again, Err(StartError::AlreadyUsed)));
    engine.stop();
    assert!(matches!(engine.start(&StartContext::new(log)), Err(StartError::AlreadyUsed)));
    let never = UringIo::new(with_rings(1));
    never.stop();
    assert!(matches!(
        never.start(&StartContext::new(Arc::new(Log::default()))),
        Err(StartError::AlreadyUsed)
    ));
}

/// Stops the engine from within the first answer, once all jobs have been submitted, and panics in the second.
struct Rude {
    engine: Weak<UringIo>,
    log: Log,
    submitted: Mutex<mpsc::Receiver<()>>,
    stopped: mpsc::SyncSender<usize>,
}

impl Sink for Rude {
    fn complete(&self, batch: &[Finished]) {
        self.log.complete(batch);
        if batch.iter().any(|finished| finished.id == id(0)) {
            let engine = self.engine.upgrade().unwrap();
            self.submitted.lock().unwrap().recv_timeout(LONG).unwrap();
            engine.stop();
            self.stopped.send(self.log.len()).unwrap();
        }
        if batch.iter().any(|finished| finished.id == id(1)) {
            panic!("a sink that panics harms nobody: this message belongs to the test");
        }
    }
}

#[test]
fn stopping_from_within_an_answer_finishes_all_the_others() {
    const JOBS: u64 = 2000;
    let real = content();
    for config in [with_rings(1), with_rings(3), with_rings(2).fake(FakeFaults::all(5))] {
        let memory = Memory::new(JOBS as usize);
        let (stopped, has_stopped) = mpsc::sync_channel(1);
        let (submits, submitted) = mpsc::sync_channel(1);
        let submitted = Mutex::new(submitted);
        let mut sink = None;
        let engine = Arc::new_cyclic(|engine| {
            sink = Some(Arc::new(Rude { engine: engine.clone(), log: Log::default(), submitted, stopped }));
            UringIo::new(config)
        });
        let sink = sink.unwrap();
        engine.start(&StartContext::new(sink.clone())).unwrap();
        engine.submit(&mut reads(&real, &memory, 0..JOBS));
        submits.send(()).unwrap();
        let answered = has_stopped.recv_timeout(LONG).expect("it waits for itself");
        assert_eq!(answered as u64, JOBS, "all were answered when it returned");
        engine.stop();
    }
}

/// Owns the engine that answers to it.
#[derive(Default)]
struct Owner {
    engine: Mutex<Option<UringIo>>,
}

impl Sink for Owner {
    fn complete(&self, _: &[Finished]) {
        // A cycle until now; from here on the thread that answers is the last to know this.
        drop(self.engine.lock().unwrap().take());
    }
}

#[test]
fn an_engine_may_be_dropped_within_its_own_answer_and_leaves_nothing() {
    let real = content();
    let memory = Memory::new(1);
    if !alone("an_engine_may_be_dropped_within_its_own_answer_and_leaves_nothing", &[]) {
        return;
    }
    let before = (count("fd"), count("task"));
    for _ in 0..20 {
        let owner = Arc::new(Owner::default());
        let engine = UringIo::new(with_rings(2));
        engine.start(&StartContext::new(owner.clone())).unwrap();
        let mut jobs = reads(&real, &memory, 0..1);
        let mut held = owner.engine.lock().unwrap();
        held.insert(engine).submit(&mut jobs);
        drop(held);
    }
    for _ in 0..6000 {
        if (count("fd"), count("task")) == before {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{before:?} descriptors and threads became {:?}", (count("fd"), count("task")));
}
