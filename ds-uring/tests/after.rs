//! What is left when an engine has been stopped, and what waits while it warns.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::time::Instant;

use common::{Log, Memory, file, id};
use ds_core::Done;
use ds_engine::{Alignment, Engine, Finished, IoEngine, IoJob, IoOp, Sink, StartContext, Warning};
use ds_uring::{FakeFaults, Features, UringConfig, UringIo};
use rustix::fs::{FlockOperation, flock};

#[test]
fn a_stopped_engine_keeps_no_file_open() {
    let place = tempfile::NamedTempFile::new().unwrap();
    place.as_file().write_all_at(&[7; 100], 0).unwrap();
    let (engine, log, memory) = (
        UringIo::new(UringConfig::default().features(Features::DEFAULT | Features::FIXED_FILES)),
        Arc::new(Log::default()),
        Memory::new(100),
    );
    engine.start(&StartContext::new(log.clone())).unwrap();
    let real = place.reopen().unwrap();
    flock(&real, FlockOperation::LockExclusive).unwrap();
    let number = core::num::NonZeroU64::new(1).unwrap();
    let op = IoOp::Read { file: file(&real).called(number), offset: 0, into: memory.lend() };
    engine.submit(&mut vec![IoJob { id: id(0), op }]);
    assert_eq!(log.wait(id(0)).result, Ok(Done::Moved(100)));
    engine.stop();
    drop(real);
    // The lock goes when the last descriptor does. The kernel takes a ring apart in its own time.
    let end = Instant::now() + Duration::from_secs(5);
    while flock(place.as_file(), FlockOperation::NonBlockingLockExclusive).is_err() {
        assert!(Instant::now() < end, "the engine has stopped, and its ring still has the file");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(engine);
}

/// Within a warning, waits for an answer, as an application's hook may.
#[derive(Default)]
struct Waits(Log, AtomicUsize);

impl Sink for Waits {
    fn complete(&self, batch: &[Finished]) {
        self.0.complete(batch);
    }

    fn warn(&self, _: &Warning) {
        let end = Instant::now() + Duration::from_secs(3);
        while self.0.len() == 0 && Instant::now() < end {
            std::thread::yield_now();
        }
        self.1.fetch_add(self.0.len(), Ordering::Relaxed);
    }
}

#[test]
fn answers_do_not_wait_for_whoever_is_warned() {
    let place = tempfile::NamedTempFile::new().unwrap();
    place.as_file().write_all_at(&[7; 4096], 0).unwrap();
    let options = || std::fs::File::options().read(true).custom_flags(libc::O_DIRECT).clone();
    let Ok(direct) = options().open(place.path()) else { return eprintln!("SKIPPED: no direct I/O") };
    let faults = FakeFaults { unpollable: 255, ..FakeFaults::default() };
    let (sink, memory) = (Arc::new(Waits::default()), Memory::new(8192));
    let engine = UringIo::new(UringConfig::default().features(Features::IOPOLL).fake(faults));
    engine.start(&StartContext::new(sink.clone())).unwrap();
    let cached = file(place.as_file()).positional();
    // SAFETY: both are open until all jobs have been answered.
    let past = unsafe { cached.direct(direct.as_fd(), Alignment::PAGE) };
    let read = |n, file, offset| IoJob {
        id: id(n),
        op: IoOp::Read { file, offset, into: memory.part(4096 * n as usize, 4096) },
    };
    // The kernel is not asked about the second: there is no such offset.
    engine.submit(&mut vec![read(0, past, 0), read(1, cached, u64::MAX)]);
    for n in [1, 0] {
        sink.0.wait(id(n));
    }
    engine.stop();
    assert_ne!(
        sink.1.load(Ordering::Relaxed),
        0,
        "the answer waited for the warning, which waited for the answer"
    );
}
