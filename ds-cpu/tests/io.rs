//! File I/O on real files, and on what only looks like one.

mod common;
#[path = "common/refusals.rs"]
mod refusals;

use core::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use common::{Log, Memory, Threads, file, id, read, runs, write};
use ds_core::{Done, Fault, Path};
use ds_cpu::{CpuEngine, CpuFront, CpuIo};
use ds_engine::{Engine, Finished, IoEngine, IoJob, IoOp, StartContext};

/// Runs a test on both engines that do file I/O.
fn on_each_engine(workers: usize, test: impl Fn(&dyn IoEngine, &Arc<Log>)) {
    let workers = NonZeroUsize::new(workers).unwrap();
    let engines: [Box<dyn IoEngine>; 2] =
        [Box::new(CpuIo::new(workers)), Box::new(CpuEngine::shared(workers, Vec::new()))];
    for engine in engines {
        let log = Arc::new(Log::default());
        engine.start(&StartContext::new(log.clone())).unwrap();
        test(&*engine, &log);
        engine.stop();
        assert_eq!(log.len(), 0, "outcomes nobody asked for");
    }
}

/// A pool in front of another: what `Auto` has, without a ring.
fn front() -> CpuFront {
    CpuFront::new("cpu+cpu", NonZeroUsize::MIN, Arc::new(CpuIo::new(NonZeroUsize::MIN)))
}

fn run(engine: &dyn IoEngine, log: &Log, op: IoOp) -> Finished {
    engine.submit(&mut vec![IoJob { id: id(77), op }]);
    log.wait(id(77))
}

#[test]
fn reads_writes_and_syncs() {
    on_each_engine(2, |engine, log| {
        assert_eq!((engine.name(), engine.path()), ("cpu", Path::IO_CPU));
        let real = tempfile::tempfile().unwrap();
        let source = Memory::of(b"0123456789");
        let written = run(engine, log, write(file(&real), 5, &source));
        assert_eq!((written.result, written.path), (Ok(Done::Moved(10)), Path::IO_CPU));
        for data_only in [false, true] {
            let synced = run(engine, log, IoOp::Sync { file: file(&real), data_only });
            assert_eq!((synced.result, synced.path), (Ok(Done::Synced), Path::IO_CPU));
        }
        let target = Memory::new(8);
        assert_eq!(run(engine, log, read(file(&real), 3, &target)).result, Ok(Done::Moved(8)));
        assert_eq!(target.bytes(), b"\0\x00012345");
        assert_eq!(run(engine, log, read(file(&real), 12, &target)).result, Ok(Done::Moved(3)), "short");
        assert_eq!(run(engine, log, read(file(&real), 15, &target)).result, Ok(Done::Moved(0)), "at the end");
        assert_eq!(
            run(engine, log, read(file(&real), 1 << 40, &target)).result,
            Ok(Done::Moved(0)),
            "behind"
        );
        let nothing = Memory::new(0);
        assert_eq!(run(engine, log, read(file(&real), 0, &nothing)).result, Ok(Done::Moved(0)));
        assert_eq!(run(engine, log, write(file(&real), 0, &nothing)).result, Ok(Done::Moved(0)));
    });
}

#[test]
fn the_kernel_s_refusals_come_through() {
    let check = |engine: &dyn IoEngine, log: &Arc<Log>| {
        let answer = |op| run(engine, log, op).result;
        refusals::assert_told(&answer);
        refusals::assert_positions_are_needed(&answer);
        refusals::assert_closed_is_told(&answer);
    };
    on_each_engine(1, check);
    let (front, log) = (front(), Arc::new(Log::default()));
    front.start(&StartContext::new(log.clone())).unwrap();
    check(&front, &log);
}

#[test]
fn thousands_of_reads_from_many_threads_are_each_answered_once_and_right() {
    const BLOCK: usize = 512;
    const EACH: usize = 2000;
    let real = tempfile::tempfile().unwrap();
    let content: Vec<u8> = (0..256 * BLOCK).map(|n| (n / BLOCK) as u8).collect();
    real.write_all_at(&content, 0).unwrap();
    for workers in [1, 2, 8] {
        on_each_engine(workers, |engine, log| {
            let memory: Vec<Memory> = (0..4).map(|_| Memory::new(EACH * BLOCK)).collect();
            std::thread::scope(|scope| {
                for (thread, memory) in memory.iter().enumerate() {
                    let real = real.as_fd();
                    scope.spawn(move || {
                        let mut jobs = Vec::new();
                        for n in 0..EACH {
                            let into = memory.part(n * BLOCK, BLOCK);
                            let op = IoOp::Read { file: file(real), offset: (n % 256 * BLOCK) as u64, into };
                            jobs.push(IoJob { id: id((thread * EACH + n) as u64), op });
                            if n % 50 == 49 {
                                engine.submit(&mut jobs);
                                assert!(jobs.is_empty());
                            }
                            if n % 7 == 0 {
                                engine.drive(&**log, None);
                            }
                        }
                    });
                }
            });
            for n in 0..4 * EACH {
                assert_eq!(log.wait(id(n as u64)).result, Ok(Done::Moved(BLOCK as u64)));
            }
            for memory in &memory {
                let bytes = memory.bytes();
                let right = |(n, block): (usize, &[u8])| block.iter().all(|&b| b == (n % 256) as u8);
                assert!(bytes.chunks(BLOCK).enumerate().all(right));
            }
        });
    }
}

#[test]
fn stopping_with_work_queued_answers_all_of_it() {
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(&[7; 4096], 0).unwrap();
    on_each_engine(2, |engine, log| {
        let memory = Memory::new(4096 * 500);
        let mut jobs = (0..500)
            .map(|n| {
                let into = memory.part(n * 4096, 4096);
                IoJob { id: id(n as u64), op: IoOp::Read { file: file(&real), offset: 0, into } }
            })
            .collect();
        engine.submit(&mut jobs);
        engine.cancel(id(499));
        engine.stop();
        for n in 0..500 {
            let finished = log.wait(id(n));
            if n < 499 {
                assert_eq!(finished.result, Ok(Done::Moved(4096)), "{n}");
            } else {
                let cancelled = (Err(Fault::Cancelled), Path::NONE);
                let done = (Ok(Done::Moved(4096)), Path::IO_CPU);
                assert!([cancelled, done].contains(&(finished.result, finished.path)));
            }
        }
        assert!(!engine.drive(&**log, None));
    });
}

#[test]
fn a_thread_that_drives_is_named_in_the_path() {
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(b"abc", 0).unwrap();
    let engine = CpuIo::new(NonZeroUsize::MIN);
    let (log, memory) = (Log::default(), Memory::new(3));
    engine.submit(&mut vec![IoJob { id: id(1), op: read(file(&real), 0, &memory) }]);
    assert!(engine.drive(&log, None));
    assert!(!engine.drive(&log, None));
    assert_eq!(log.wait(id(1)).path, Path::IO_CPU | Path::INLINE);
    assert_eq!(memory.bytes(), b"abc");
}

#[test]
fn threads_have_names_and_are_gone_after_stop() {
    let real = tempfile::tempfile().unwrap();
    let workers = NonZeroUsize::new(2).unwrap();
    let engines: [(Box<dyn IoEngine>, &str); 2] = [
        (Box::new(CpuIo::new(workers)), "ds-io-"),
        (Box::new(CpuEngine::shared(workers, Vec::new())), "ds-cpu-"),
    ];
    for (engine, prefix) in engines {
        let threads = Arc::new(Threads::default());
        engine.start(&StartContext::new(threads.clone())).unwrap();
        let memory = Memory::new(16);
        let mut jobs = (0..100).map(|n| IoJob { id: id(n), op: read(file(&real), 0, &memory) }).collect();
        engine.submit(&mut jobs);
        engine.stop();
        let threads = threads.0.lock().unwrap();
        assert!(!threads.is_empty());
        for (name, number) in &*threads {
            assert!(["0", "1"].contains(&name.strip_prefix(prefix).unwrap()), "{name}");
            assert!(!runs(*number), "{name} still runs");
        }
    }
}
