//! File I/O on real files, and on what only looks like one.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;
#[path = "../../ds-cpu/tests/common/refusals.rs"]
mod refusals;

use core::num::{NonZeroU64, NonZeroUsize};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use common::{Log, Memory, errno, file, id, read, write};
use ds_core::{Done, Fault, Path};
use ds_engine::{Engine, Finished, IoEngine, IoJob, IoOp, StagingPool, StartContext};
use ds_uring::{FakeFaults, Features, UringConfig, UringIo};
use rustix::io::Errno;

/// A kernel, by the name of what it can do.
type World = (&'static str, fn(UringConfig) -> UringConfig);

/// The kernels there have been, this one with what it can do beyond, and one that is simulated.
const WORLDS: [World; 7] = [
    ("this kernel", |config| config),
    ("Linux 6.6", |config| config.features(Features::LINUX_6_6.and(Features::DEFAULT))),
    ("Linux 6.1", |config| config.features(Features::LINUX_6_1.and(Features::DEFAULT))),
    ("Linux 5.15", |config| config.features(Features::LINUX_5_15.and(Features::DEFAULT))),
    ("all but polling", |config| config.features(Features::ALL - Features::SQPOLL)),
    ("polling", |config| config.features(Features::ALL)),
    ("simulated", |config| {
        config.fake(FakeFaults { seed: 1, refused: 40, partial: 60, ..FakeFaults::all(1) })
    }),
];

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Runs a test in every world, with so many rings of so many operations.
fn in_every_world(rings: usize, depth: usize, test: impl Fn(&UringIo, &Arc<Log>)) {
    for (name, world) in WORLDS {
        println!("{name}, {rings} rings of depth {depth}");
        let engine = UringIo::new(world(UringConfig::default().rings(count(rings)).depth(count(depth))));
        let log = Arc::new(Log::default());
        engine.start(&StartContext::new(log.clone())).unwrap();
        test(&engine, &log);
        engine.stop();
        assert_eq!(log.len(), 0, "outcomes nobody asked for");
    }
}

/// Does a job as a queue would: again while the kernel is busy, and from where it came to.
fn run(engine: &dyn IoEngine, log: &Log, op: IoOp) -> Finished {
    let mut moved = 0;
    loop {
        let op = match op {
            IoOp::Read { file, offset, into } => IoOp::Read {
                file,
                offset: offset.wrapping_add(moved),
                into: into.part(moved, into.len() as u64 - moved).unwrap(),
            },
            IoOp::Write { file, offset, from } => IoOp::Write {
                file,
                offset: offset.wrapping_add(moved),
                from: from.part(moved, from.len() as u64 - moved).unwrap(),
            },
            sync @ IoOp::Sync { .. } => sync,
        };
        engine.submit(&mut vec![IoJob { id: id(77), op }]);
        let finished = log.wait(id(77));
        match finished.result {
            Err(Fault::Os(4 | 11)) => {}
            Ok(Done::Moved(some)) if some > 0 && (some as usize) < op.len() => moved += some,
            Ok(Done::Moved(rest)) => return Finished { result: Ok(Done::Moved(moved + rest)), ..finished },
            _ => return finished,
        }
    }
}

/// What the path of an operation says that uses nothing but the ring.
fn plain_path(engine: &UringIo) -> Path {
    let polling = engine.report().unwrap().features.contains(Features::SQPOLL);
    Path::IO_URING | if polling { Path::IO_SQPOLL } else { Path::NONE }
}

#[test]
fn reads_writes_and_syncs() {
    in_every_world(2, 8, |engine, log| {
        assert_eq!((engine.name(), engine.path(), engine.depth()), ("uring", Path::IO_URING, 16));
        let real = tempfile::tempfile().unwrap();
        let source = Memory::of(b"0123456789");
        let written = run(engine, log, write(file(&real), 5, &source));
        assert_eq!((written.result, written.path), (Ok(Done::Moved(10)), plain_path(engine)));
        for data_only in [false, true] {
            let synced = run(engine, log, IoOp::Sync { file: file(&real), data_only });
            assert_eq!((synced.result, synced.path), (Ok(Done::Synced), plain_path(engine)));
        }
        let target = Memory::new(8);
        assert_eq!(run(engine, log, read(file(&real), 3, &target)).result, Ok(Done::Moved(8)));
        assert_eq!(target.bytes(), b"\x00\x00012345");
        let target = Memory::new(8);
        assert_eq!(run(engine, log, read(file(&real), 11, &target)).result, Ok(Done::Moved(4)));
        assert_eq!(target.bytes(), b"6789\xEE\xEE\xEE\xEE", "the file ends there");
        assert_eq!(run(engine, log, read(file(&real), 99, &target)).result, Ok(Done::Moved(0)));
        assert_eq!(run(engine, log, read(file(&real), 0, &Memory::new(0))).result, Ok(Done::Moved(0)));
    });
}

/// What a ring is taken out of to make room, while it refuses to be entered, is answered although nothing else comes of it.
#[test]
fn one_job_at_a_time_is_answered_however_often_the_ring_refuses() {
    let config = UringConfig::default().fake(FakeFaults { seed: 3, refused: 120, ..FakeFaults::default() });
    let (engine, log, real) = (UringIo::new(config), Arc::new(Log::default()), numbered(8));
    engine.start(&StartContext::new(log.clone())).unwrap();
    let memory = Memory::new(8);
    for n in 0..500 {
        engine.submit(&mut vec![IoJob { id: id(n), op: read(file(&real), n % 8 * 512, &memory) }]);
        assert_eq!(log.wait(id(n)).result, Ok(Done::Moved(8)));
        assert_eq!(memory.bytes(), [(n % 8) as u8; 8]);
    }
}

/// Outcomes say which of the features were used, and only by jobs that could.
#[test]
fn registered_files_and_memory_show_in_the_path() {
    let wanted = Features::DEFAULT | Features::FIXED_FILES | Features::FIXED_BUFFERS;
    let engine = UringIo::new(UringConfig::default().features(wanted));
    let (log, real, staging) = (Arc::new(Log::default()), numbered(256), StagingPool::new(1 << 20).unwrap());
    // SAFETY: the pool goes after the engine has been stopped.
    let context = unsafe { StartContext::new(log.clone()).with_staging(staging.mapping()) };
    engine.start(&context).unwrap();
    let granted = engine.report().unwrap().features;
    let expected = |feature, path| if granted.contains(feature) { path } else { Path::NONE };
    let fixed_file = expected(Features::FIXED_FILES, Path::IO_FIXED_FILE);
    let fixed_buffer = expected(Features::FIXED_BUFFERS, Path::IO_FIXED_BUFFER);
    let mut staging = staging;
    let lease = staging.lease(512).unwrap();
    let staged = staging.bytes(lease).unwrap().part(0, 512).unwrap();
    let memory = Memory::new(512);
    let path = |op| run(&engine, &log, op).path;
    let known = file(&real).called(NonZeroU64::new(1).unwrap());
    assert_eq!(path(read(file(&real), 0, &memory)), Path::IO_URING);
    assert_eq!(path(read(known, 0, &memory)), Path::IO_URING | fixed_file);
    let into_staging = IoOp::Read { file: known, offset: 512, into: staged };
    assert_eq!(path(into_staging), Path::IO_URING | fixed_file | fixed_buffer);
    // SAFETY: the job has been answered, and the lease is held.
    assert!(unsafe { staged.as_slice() }.iter().all(|&byte| byte == 1));
    let back = IoOp::Write { file: file(&real), offset: 0, from: staged };
    assert_eq!(path(back), Path::IO_URING | fixed_buffer);
    // More files than a ring is told of, each under its own number and read twice.
    for n in 2..200 {
        let other = numbered(1);
        other.write_all_at(&[n as u8; 512], 0).unwrap();
        let known = file(&other).called(NonZeroU64::new(n).unwrap());
        for _ in 0..2 {
            assert_eq!(path(read(known, 0, &memory)), Path::IO_URING | fixed_file);
            assert_eq!(memory.bytes(), [n as u8; 512]);
        }
    }
    engine.stop();
}

/// On a file system that reads in passing, and on one that does not.
#[test]
fn reads_in_passing_fall_back_where_there_are_none() {
    let engine = UringIo::new(UringConfig::default().features(Features::DEFAULT | Features::UNCACHED));
    let log = Arc::new(Log::default());
    engine.start(&StartContext::new(log.clone())).unwrap();
    let memory = Memory::new(512);
    let mut paths = Vec::new();
    for folder in [std::env::temp_dir(), "/dev/shm".into()] {
        let Ok(real) = tempfile::tempfile_in(&folder) else {
            eprintln!("SKIPPED: no files in {}", folder.display());
            continue;
        };
        real.write_all_at(&[7; 512], 0).unwrap();
        let done = run(&engine, &log, read(file(&real), 0, &memory));
        assert_eq!(done.result, Ok(Done::Moved(512)), "{}", folder.display());
        paths.push(done.path);
        // Again, now that it is known.
        let done = run(&engine, &log, read(file(&real), 0, &memory));
        assert_eq!(done.result, Ok(Done::Moved(512)), "{}", folder.display());
    }
    assert!(paths.iter().all(|path| path.contains(Path::IO_URING)));
    println!("{paths:?}");
    let has_it = engine.report().unwrap().features.contains(Features::UNCACHED);
    engine.stop();
    let asked_in_vain = paths.iter().any(|path| !path.contains(Path::IO_UNCACHED));
    assert_eq!(has_it, !asked_in_vain, "what it does without it does not say it has");
    let warned = log.warnings().iter().filter(|warning| warning.what.contains("uncached")).count();
    assert_eq!(warned, usize::from(asked_in_vain), "{:?}", log.warnings());
}

#[test]
fn what_cannot_be_read_or_written_says_why() {
    in_every_world(1, 4, |engine, log| {
        let answer = |op| run(engine, log, op).result;
        refusals::assert_told(&answer);
        refusals::assert_positions_are_needed(&answer);
        refusals::assert_closed_is_told(&answer);
    });
}

/// Content in which every block of 512 bytes says its number.
fn numbered(blocks: usize) -> File {
    let real = tempfile::tempfile().unwrap();
    let content: Vec<u8> = (0..blocks * 512).map(|n| (n / 512) as u8).collect();
    real.write_all_at(&content, 0).unwrap();
    real
}

#[test]
fn thousands_of_reads_from_many_threads_are_each_answered_once_and_right() {
    const BLOCK: usize = 512;
    const EACH: usize = 2000;
    let real = numbered(256);
    for (rings, depth) in [(1, 1), (1, 128), (2, 16), (4, 32)] {
        in_every_world(rings, depth, |engine, log| {
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
                        }
                    });
                }
            });
            let mut whole = 0;
            for n in 0..4 * EACH {
                let result = log.wait(id(n as u64)).result;
                let Ok(Done::Moved(moved)) = result else {
                    assert!([errno(Errno::INTR), errno(Errno::AGAIN)].contains(&result));
                    continue;
                };
                let (thread, n) = (n / EACH, n % EACH);
                let block = memory[thread].bytes_of(n * BLOCK, moved as usize);
                assert!(block.iter().all(|&b| b == (n % 256) as u8), "job {n} of thread {thread}");
                whole += usize::from(moved as usize == BLOCK);
            }
            let simulated =
                engine.report().unwrap().features == Features::JOINED_READS | Features::INLINE_READS;
            assert!(whole == 4 * EACH || simulated && whole > 3 * EACH, "{whole}");
        });
    }
}

/// More than any ring takes, over many files, and from the page cache, so that the load is the engine's own.
#[test]
fn a_hundred_thousand_jobs_at_once_over_many_files() {
    let files: Vec<File> = (0..64).map(|_| numbered(8)).collect();
    for (rings, jobs) in [(1, 1000), (1, 100_000), (3, 100_000)] {
        let engine = UringIo::new(UringConfig::default().rings(count(rings)));
        let log = Arc::new(Log::default());
        engine.start(&StartContext::new(log.clone())).unwrap();
        let memory = Memory::new(jobs * 8);
        let mut all: Vec<_> = (0..jobs)
            .map(|n| {
                let (file, into) = (file(&files[n % files.len()]), memory.part(n * 8, 8));
                IoJob { id: id(n as u64), op: IoOp::Read { file, offset: (n % 8 * 512) as u64, into } }
            })
            .collect();
        engine.submit(&mut all);
        for n in 0..jobs {
            assert_eq!(log.wait(id(n as u64)).result, Ok(Done::Moved(8)));
        }
        assert!(memory.bytes().chunks(8).enumerate().all(|(n, block)| block == [(n % 8) as u8; 8]));
    }
}

/// Threads cancel what others submit. Whatever wins the race, each job has one answer, and it is true.
#[test]
fn cancel_storms() {
    const JOBS: usize = 20_000;
    let real = numbered(256);
    in_every_world(2, 32, |engine, log| {
        let memory = Memory::new(JOBS * 512);
        std::thread::scope(|scope| {
            let (memory, real) = (&memory, real.as_fd());
            for half in 0..2 {
                scope.spawn(move || {
                    let mut jobs = Vec::new();
                    for n in (half..JOBS).step_by(2) {
                        let into = memory.part(n * 512, 512);
                        let op = IoOp::Read { file: file(real), offset: (n % 256 * 512) as u64, into };
                        jobs.push(IoJob { id: id(n as u64), op });
                        if jobs.len() == 40 {
                            engine.submit(&mut jobs);
                        }
                    }
                    engine.submit(&mut jobs);
                });
                scope.spawn(move || (0..JOBS).step_by(3).for_each(|n| engine.cancel(id(n as u64))));
            }
        });
        let mut cancelled = 0;
        for n in 0..JOBS {
            match log.wait(id(n as u64)).result {
                Ok(Done::Moved(moved)) => {
                    let right =
                        memory.bytes_of(n * 512, moved as usize).iter().all(|&b| b == (n % 256) as u8);
                    assert!(right, "job {n}");
                }
                Err(Fault::Cancelled) => {
                    assert_eq!(n % 3, 0, "nobody cancelled job {n}");
                    cancelled += 1;
                }
                result => assert!([errno(Errno::INTR), errno(Errno::AGAIN)].contains(&result), "{result:?}"),
            }
        }
        println!("{cancelled} of {} were cancelled in time", JOBS.div_ceil(3));
    });
}

#[test]
fn stopping_with_work_queued_answers_all_of_it() {
    const JOBS: usize = 3000;
    let real = numbered(8);
    in_every_world(2, 16, |engine, log| {
        let memory = Memory::new(4096 * JOBS);
        let mut jobs = (0..JOBS)
            .map(|n| {
                let into = memory.part(n * 4096, 4096);
                IoJob { id: id(n as u64), op: IoOp::Read { file: file(&real), offset: 0, into } }
            })
            .collect();
        engine.submit(&mut jobs);
        engine.cancel(id(JOBS as u64 - 1));
        engine.stop();
        assert_eq!(log.len(), JOBS, "all have been answered when it returns");
        engine.stop();
        for n in 0..JOBS {
            let finished = log.wait(id(n as u64));
            let cancelled = n == JOBS - 1 && finished.result == Err(Fault::Cancelled);
            assert!(cancelled || !matches!(finished.result, Err(Fault::Cancelled)));
        }
    });
}
