//! What is left when an engine has been stopped.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::time::Duration;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use common::{Log, Memory, file, id};
use ds_core::Done;
use ds_engine::{Engine, IoEngine, IoJob, IoOp, StartContext};
use ds_uring::{Features, UringConfig, UringIo};
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
    let end = Instant::now() + Duration::from_secs(60);
    while flock(place.as_file(), FlockOperation::NonBlockingLockExclusive).is_err() {
        assert!(Instant::now() < end, "the engine has stopped, and its ring still has the file");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(engine);
}
