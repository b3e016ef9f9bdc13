//! Reads that the thread that submits them does itself, because it says that it drives next.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::num::NonZeroUsize;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use common::{Log, Memory, errno, id};
use ds_core::{Done, Fault, Path};
use ds_engine::{
    AboutToDrive, Engine, FileRef, Finished, IoEngine, IoJob, IoOp, Sink, StartContext, contain,
};
use ds_uring::{FakeFaults, Features, UringConfig, UringIo};
use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;

const BLOCK: usize = 512;

/// Content in which every block says its number.
fn numbered(blocks: usize) -> File {
    let real = tempfile::tempfile().unwrap();
    let content: Vec<u8> = (0..blocks * BLOCK).map(|n| (n / BLOCK) as u8).collect();
    real.write_all_at(&content, 0).unwrap();
    real
}

fn known(real: &File) -> FileRef {
    common::file(real).positional()
}

/// Reads of so many blocks, one each, into as much memory.
fn reads(file: FileRef, memory: &Memory, jobs: core::ops::Range<usize>) -> Vec<IoJob> {
    let job = |n| {
        let (offset, into) = ((n % 256 * BLOCK) as u64, memory.part(n * BLOCK, BLOCK));
        IoJob { id: id(n as u64), op: IoOp::Read { file, offset, into } }
    };
    jobs.map(job).collect()
}

/// Submits, as a thread does that drives next.
fn submit(engine: &UringIo, mut jobs: Vec<IoJob>) {
    let _intent = AboutToDrive::mark();
    engine.submit(&mut jobs);
    assert!(jobs.is_empty());
}

/// An engine whose ring's thread, if `faults` says so, goes wrong on purpose.
fn engine(faults: Option<FakeFaults>) -> (UringIo, Arc<Log>) {
    let config = UringConfig::default().rings(NonZeroUsize::new(2).unwrap());
    let engine = UringIo::new(faults.into_iter().fold(config, UringConfig::fake));
    let log = Arc::new(Log::default());
    engine.start(&StartContext::new(log.clone())).unwrap();
    assert!(engine.report().unwrap().features.contains(Features::INLINE_READS));
    (engine, log)
}

/// Whether what a job of [`reads`] came to is true.
fn is_true(finished: &Finished, n: usize, memory: &Memory) -> bool {
    match finished.result {
        Ok(Done::Moved(moved)) => {
            let bytes = memory.bytes_of(n * BLOCK, moved as usize);
            moved > 0 && bytes.iter().all(|&byte| byte == (n % 256) as u8)
        }
        // A simulated ring says so at times.
        result => [errno(Errno::INTR), errno(Errno::AGAIN)].contains(&result),
    }
}

/// Unless memory is so short that what has just been written is gone, the page cache has it.
#[test]
fn what_the_page_cache_has_is_read_by_the_thread_that_drives() {
    let (real, memory) = (numbered(256), Memory::new(BLOCK));
    let (engine, log) = engine(None);
    for _ in 0..100 {
        submit(&engine, reads(known(&real), &memory, 0..1));
        engine.drive(&*log, None);
        if log.wait(id(0)).path == Path::IO_URING | Path::INLINE {
            return;
        }
    }
    panic!("none of a hundred was");
}

#[test]
fn each_is_answered_once_and_truly_whoever_reads_it() {
    const ROUNDS: usize = 200;
    const JOBS: usize = 64;
    let real = numbered(256);
    for faults in [None, Some(FakeFaults::all(1)), Some(FakeFaults::all(2))] {
        let (engine, log) = engine(faults);
        let memory = Memory::new(2 * JOBS * BLOCK);
        for round in 0..ROUNDS {
            std::thread::scope(|scope| {
                for thread in 0..2 {
                    let (engine, log, memory, real) = (&engine, &log, &memory, &real);
                    scope.spawn(move || {
                        let jobs = 1 + (7 * round + thread) % JOBS;
                        let first = thread * JOBS;
                        for n in first..first + jobs {
                            submit(engine, reads(known(real), memory, n..n + 1));
                            // Others of this thread's are with them, or not.
                            if n % 3 == 0 {
                                engine.drive(&**log, None);
                            }
                        }
                        engine.drive(&**log, None);
                        for n in first..first + jobs {
                            let finished = log.wait(id(n as u64));
                            assert!(is_true(&finished, n, memory), "{finished:?}");
                        }
                    });
                }
            });
        }
        engine.stop();
        assert_eq!(log.len(), 0, "outcomes nobody asked for");
    }
}

#[test]
fn what_the_page_cache_has_not_goes_to_a_ring() {
    let (real, memory) = (numbered(256), Memory::new(64 * BLOCK));
    real.sync_all().unwrap();
    let (engine, log) = engine(None);
    for _ in 0..20 {
        fadvise(&real, 0, None, Advice::DontNeed).unwrap();
        submit(&engine, reads(known(&real), &memory, 0..64));
        engine.drive(&*log, None);
        for n in 0..64 {
            let finished = log.wait(id(n as u64));
            assert!(finished.path.contains(Path::IO_URING) && is_true(&finished, n, &memory), "{finished:?}");
        }
    }
}

/// What else there is to do, and what a ring refuses that a thread would be refused.
#[test]
fn only_reads_through_the_page_cache_are_kept() {
    let (real, memory) = (numbered(4), Memory::new(BLOCK));
    let (engine, log) = engine(None);
    let answer = |op| {
        submit(&engine, vec![IoJob { id: id(1), op }]);
        engine.drive(&*log, None);
        log.wait(id(1))
    };
    let (file, bytes) = (known(&real), memory.lend());
    let others = [
        IoOp::Write { file, offset: 0, from: bytes },
        IoOp::Sync { file, data_only: true },
        IoOp::Read { file: common::file(&real), offset: 0, into: bytes },
    ];
    for op in others {
        let finished = answer(op);
        assert!(finished.result.is_ok() && finished.path == Path::IO_URING, "{finished:?}");
    }
    let beyond = answer(IoOp::Read { file, offset: 4 * BLOCK as u64, into: bytes });
    assert_eq!(beyond.result, Ok(Done::Moved(0)));
    let nowhere = answer(IoOp::Read { file, offset: u64::MAX, into: bytes });
    assert_eq!(nowhere.result, errno(Errno::INVAL));
    let folder = File::open("/").unwrap();
    let folder = answer(IoOp::Read { file: known(&folder), offset: 0, into: bytes });
    assert_eq!(folder.result, errno(Errno::ISDIR));
}

#[test]
fn what_is_cancelled_before_it_is_read_is_answered_once() {
    let (real, memory) = (numbered(256), Memory::new(32 * BLOCK));
    let (engine, log) = engine(None);
    for _ in 0..100 {
        submit(&engine, reads(known(&real), &memory, 0..32));
        for n in (0..32).step_by(2) {
            engine.cancel(id(n));
        }
        engine.drive(&*log, None);
        for n in 0..32 {
            let finished = log.wait(id(n as u64));
            let cancelled = n % 2 == 0 && finished.result == Err(Fault::Cancelled);
            assert!(cancelled || is_true(&finished, n, &memory), "{finished:?}");
        }
    }
}

#[test]
fn stopping_has_what_was_kept_answered() {
    let (real, memory) = (numbered(256), Memory::new(64 * BLOCK));
    let (engine, log) = engine(None);
    submit(&engine, reads(known(&real), &memory, 0..64));
    engine.stop();
    assert_eq!(log.len(), 64, "all have been answered when it returns");
    assert!(!engine.drive(&*log, None));
}

/// Stops the engine within each answer.
struct Stops<'a>(&'a UringIo, Mutex<usize>);

impl Sink for Stops<'_> {
    fn complete(&self, batch: &[Finished]) {
        *self.1.lock().unwrap() += batch.len();
        self.0.stop();
    }
}

#[test]
fn the_engine_may_be_stopped_within_the_answer() {
    let (real, memory) = (numbered(256), Memory::new(64 * BLOCK));
    let (engine, log) = engine(None);
    submit(&engine, reads(known(&real), &memory, 0..64));
    let stops = Stops(&engine, Mutex::new(0));
    engine.drive(&stops, None);
    engine.stop();
    assert_eq!(log.len() + *stops.1.lock().unwrap(), 64);
}

struct Panics;

impl Sink for Panics {
    fn complete(&self, _: &[Finished]) {
        panic!("on purpose");
    }
}

#[test]
fn a_panic_in_the_sink_spoils_nothing_for_others() {
    let (real, memory) = (numbered(256), Memory::new(2 * BLOCK));
    let (engine, log) = engine(None);
    for _ in 0..3 {
        submit(&engine, reads(known(&real), &memory, 0..1));
        let _ = contain(|| engine.drive(&Panics, None));
        submit(&engine, reads(known(&real), &memory, 1..2));
        engine.drive(&*log, None);
        assert!(is_true(&log.wait(id(1)), 1, &memory));
    }
}
