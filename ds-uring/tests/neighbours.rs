//! Reads of neighbouring bytes, which go together: each has its own answer, whatever becomes of the others.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::num::NonZeroUsize;
use core::time::Duration;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::time::Instant;

use common::{Log, Memory, errno, id};
use ds_core::{Done, Fault, Path};
use ds_engine::{Alignment, Engine, FileRef, Finished, HostBytes, IoEngine, IoJob, IoOp, StartContext};
use ds_uring::{FakeFaults, Features, UringConfig, UringIo};
use rustix::io::Errno;

/// Jobs of a batch: more than go together, and not a multiple of it.
const JOBS: usize = 50;

/// Rings that join: the kernel's, a shallow one, with everything there is, and simulated ones.
fn configs() -> [(&'static str, UringConfig); 6] {
    let depth = |n| UringConfig::default().depth(NonZeroUsize::new(n).unwrap());
    [
        ("this kernel", depth(128)),
        ("a shallow ring", depth(3)),
        ("all but polling", depth(64).features(Features::ALL - Features::SQPOLL)),
        ("polling", depth(64).features(Features::DEFAULT | Features::SQPOLL)),
        ("simulated", depth(64).fake(FakeFaults { seed: 1, ..FakeFaults::default() })),
        ("simulated, and going wrong", depth(64).fake(FakeFaults::all(2))),
    ]
}

fn with_every_config(test: impl Fn(&UringIo, &Arc<Log>)) {
    for (name, config) in configs() {
        println!("{name}");
        let (engine, log) = (UringIo::new(config), Arc::new(Log::default()));
        engine.start(&StartContext::new(log.clone())).unwrap();
        test(&engine, &log);
        engine.stop();
        assert_eq!(log.len(), 0, "outcomes nobody asked for");
    }
}

fn positional(file: impl AsFd) -> FileRef {
    common::file(file).positional()
}

/// Has all of them done as a queue would: again after an interruption, and from where they came to. `also` runs when they have been
/// submitted. Returns the answers, in the order of the jobs.
fn run_all(engine: &UringIo, log: &Log, ops: &[IoOp], also: impl FnOnce()) -> Vec<Finished> {
    let mut jobs: Vec<_> = ops.iter().zip(0..).map(|(&op, n)| IoJob { id: id(n), op }).collect();
    engine.submit(&mut jobs);
    also();
    (0..).zip(ops).map(|(n, &op)| finish(engine, log, n, op)).collect()
}

fn finish(engine: &UringIo, log: &Log, n: u64, op: IoOp) -> Finished {
    let IoOp::Read { file, offset, into } = op else { panic!("these tests read") };
    let (mut moved, mut path) = (0, Path::NONE);
    loop {
        let finished = log.wait(id(n));
        path |= finished.path;
        match finished.result {
            Err(Fault::Os(4 | 11)) => {}
            Ok(Done::Moved(some)) if some > 0 => {
                moved += some;
                if moved == into.len() as u64 {
                    return Finished { result: Ok(Done::Moved(moved)), path, ..finished };
                }
            }
            Ok(_) => return Finished { result: Ok(Done::Moved(moved)), path, ..finished },
            Err(_) => return Finished { path, ..finished },
        }
        let into = into.part(moved, into.len() as u64 - moved).unwrap();
        let op = IoOp::Read { file, offset: offset + moved, into };
        engine.submit(&mut vec![IoJob { id: id(n), op }]);
    }
}

/// Bytes that say where they are.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 256) as u8 ^ n as u8).collect()
}

/// Reads of so many bytes each, one behind the other in the file; in memory too, or the other way round.
fn reads(file: FileRef, block: usize, memory: &Memory, in_order: bool) -> Vec<IoOp> {
    let place = |n| if in_order { n } else { JOBS - 1 - n };
    (0..JOBS)
        .map(|n| {
            let into = memory.part(place(n) * block, block);
            IoOp::Read { file, offset: (n * block) as u64, into }
        })
        .collect()
}

/// What a read was given, of those that there are bytes for.
fn bytes_of(op: &IoOp, moved: u64) -> Vec<u8> {
    let IoOp::Read { into, .. } = *op else { panic!("these tests read") };
    // SAFETY: the job has been answered, and its memory is still there.
    unsafe { into.part(0, moved).unwrap().as_slice() }.to_vec()
}

#[test]
fn each_gets_its_own_bytes_up_to_the_end_of_the_file() {
    const BLOCK: usize = 512;
    // The end of the file, in blocks and bytes.
    for (blocks, rest) in [(JOBS, 0), (20, 0), (20, 100), (0, 1), (0, 0)] {
        let place = tempfile::NamedTempFile::new().unwrap();
        let content = content(blocks * BLOCK + rest);
        place.as_file().write_all_at(&content, 0).unwrap();
        let direct = File::options().read(true).custom_flags(libc::O_DIRECT).open(place.path());
        if let Err(error) = &direct {
            eprintln!(
                "SKIPPED: past the page cache, for the file system of temporary files has none: {error}"
            );
        }
        let plain = positional(place.as_file());
        let files = [
            Some(plain),
            direct.as_ref().ok().map(|direct| {
                // SAFETY: the file is open until all jobs have been answered. Alignment is whatever the kernel makes of it.
                unsafe { plain.direct(direct.as_fd(), Alignment::new(512, 512).unwrap()) }
            }),
        ];
        with_every_config(|engine, log| {
            for (file, in_order) in files.iter().flatten().flat_map(|&file| [(file, true), (file, false)]) {
                let memory = Memory::new((JOBS + 1) * BLOCK);
                let aligned = memory.lend().as_ptr().align_offset(BLOCK);
                let ops: Vec<_> = reads(file, BLOCK, &memory, in_order)
                    .into_iter()
                    .map(|op| match op {
                        IoOp::Read { file, offset, into } => {
                            let at = into.as_ptr().addr() - memory.lend().as_ptr().addr();
                            IoOp::Read { file, offset, into: memory.part(at + aligned, BLOCK) }
                        }
                        other => other,
                    })
                    .collect();
                for (n, finished) in run_all(engine, log, &ops, || ()).into_iter().enumerate() {
                    let expected = &content[content.len().min(n * BLOCK)..content.len().min((n + 1) * BLOCK)];
                    assert_eq!(finished.result, Ok(Done::Moved(expected.len() as u64)), "read {n}");
                    assert!(bytes_of(&ops[n], expected.len() as u64) == expected, "read {n}");
                    let rest = bytes_of(&ops[n], BLOCK as u64);
                    let untouched = rest[expected.len()..].iter().all(|&byte| byte == 0xEE);
                    assert!(untouched || file.is_direct(), "read {n}");
                }
            }
        });
    }
}

#[test]
fn they_are_joined_if_they_wait_together_and_only_if_they_may_be() {
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(&content(JOBS * 512), 0).unwrap();
    let memory = Memory::new(JOBS * 512);
    let joined = |config, ops: &[IoOp]| {
        let (engine, log) = (UringIo::new(config), Arc::new(Log::default()));
        engine.start(&StartContext::new(log.clone())).unwrap();
        // Whether a batch is found whole is for the scheduler to say, but not for ever.
        (0..1000).any(|_| {
            let answers = run_all(&engine, &log, ops, || ());
            answers.iter().any(|finished| finished.path.contains(Path::IO_JOINED))
        })
    };
    let default = UringConfig::default();
    assert!(joined(default, &reads(positional(&real), 512, &memory, true)));
    assert!(joined(default, &reads(positional(&real), 512, &memory, false)));
    let without = default.features(Features::DEFAULT - Features::JOINED_READS);
    assert!(!joined(without, &reads(positional(&real), 512, &memory, true)));
    let mut apart = reads(positional(&real), 512, &memory, true);
    apart.reverse();
    assert!(!joined(default, &apart), "none goes on where the last one ends");
    assert!(!joined(default, &reads(common::file(&real), 512, &memory, true)), "it may be a pipe");
}

/// Memory that cannot be written, one page of it.
struct Barred(*mut core::ffi::c_void);

impl Barred {
    fn new() -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        // SAFETY: a new mapping, where the kernel likes, disturbs no other memory.
        let start =
            unsafe { mmap_anonymous(core::ptr::null_mut(), 4096, ProtFlags::READ, MapFlags::PRIVATE) };
        Self(start.unwrap())
    }

    fn lend(&self, len: usize) -> HostBytes {
        // SAFETY: it is there and initialised; that writing to it fails is the point of the test, and the kernel says so.
        unsafe { HostBytes::new(self.0.cast(), len) }
    }
}

impl Drop for Barred {
    fn drop(&mut self) {
        // SAFETY: the mapping is its own, and all jobs have been answered.
        unsafe { rustix::mm::munmap(self.0, 4096) }.unwrap();
    }
}

#[test]
fn an_error_is_told_to_whom_it_belongs() {
    let real = tempfile::tempfile().unwrap();
    let content = content(JOBS * 512);
    real.write_all_at(&content, 0).unwrap();
    let barred = Barred::new();
    with_every_config(|engine, log| {
        let memory = Memory::new(JOBS * 512);
        for culprit in [0, 1, 7, JOBS - 1] {
            let mut ops = reads(positional(&real), 512, &memory, false);
            let IoOp::Read { into, .. } = &mut ops[culprit] else { panic!("these tests read") };
            *into = barred.lend(512);
            for (n, finished) in run_all(engine, log, &ops, || ()).into_iter().enumerate() {
                if n == culprit {
                    assert_eq!(finished.result, errno(Errno::FAULT));
                } else {
                    assert_eq!(finished.result, Ok(Done::Moved(512)), "read {n} beside {culprit}");
                    assert!(bytes_of(&ops[n], 512) == content[n * 512..][..512], "read {n}");
                }
            }
        }
    });
}

#[test]
fn what_fails_for_all_is_told_to_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), [7; 4096]).unwrap();
    let directory = File::open(folder.path()).unwrap();
    let write_only = File::options().write(true).open(folder.path().join("file")).unwrap();
    let memory = Memory::new(JOBS * 512);
    with_every_config(|engine, log| {
        for (file, expected) in [(&directory, Errno::ISDIR), (&write_only, Errno::BADF)] {
            for finished in run_all(engine, log, &reads(positional(file), 512, &memory, false), || ()) {
                assert_eq!(finished.result, errno(expected));
            }
        }
    });
}

/// Whether or not a cancellation comes in time, it is one job's.
#[test]
fn cancelling_one_leaves_the_others_alone() {
    let real = tempfile::tempfile().unwrap();
    let content = content(JOBS * 512);
    real.write_all_at(&content, 0).unwrap();
    with_every_config(|engine, log| {
        let memory = Memory::new(JOBS * 512);
        let mut cancelled = 0;
        for round in 0..200 {
            let ops = reads(positional(&real), 512, &memory, round % 2 == 0);
            let unwanted = |n: usize| n % 7 == round % 7;
            let cancel = || {
                // Now before they begin, now when the ring has them, now too late.
                let end = Instant::now() + Duration::from_micros(round as u64);
                while Instant::now() < end {
                    core::hint::spin_loop();
                }
                (0..JOBS).filter(|&n| unwanted(n)).for_each(|n| engine.cancel(id(n as u64)));
            };
            for (n, finished) in run_all(engine, log, &ops, cancel).into_iter().enumerate() {
                match finished.result {
                    Err(Fault::Cancelled) => {
                        assert!(unwanted(n), "read {n}");
                        cancelled += 1;
                    }
                    result => {
                        assert_eq!(result, Ok(Done::Moved(512)), "read {n}");
                        assert!(bytes_of(&ops[n], 512) == content[n * 512..][..512], "read {n}");
                    }
                }
            }
        }
        println!("{cancelled} were cancelled in time");
    });
}
