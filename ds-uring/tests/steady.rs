//! Once warm, no job allocates.

#[path = "../../ds-core/tests/allocations/mod.rs"]
mod allocations;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use allocations::assert_settles;
use common::{Memory, id};
use ds_core::Done;
use ds_engine::{Alignment, Engine, FileRef, Finished, IoEngine, IoJob, IoOp, Sink, StartContext};
use ds_uring::{UringConfig, UringIo};

/// Counts outcomes, and insists on good ones.
#[derive(Default)]
struct Count(AtomicUsize);

impl Sink for Count {
    fn complete(&self, batch: &[Finished]) {
        assert!(batch.iter().all(|finished| finished.result == Ok(Done::Moved(4000))), "{batch:?}");
        self.0.fetch_add(batch.len(), Ordering::Release);
    }
}

#[test]
fn no_job_allocates_once_warm() {
    const JOBS: usize = 300;
    let count = Arc::new(Count::default());
    let engine = UringIo::new(UringConfig::default());
    engine.start(&StartContext::new(count.clone())).unwrap();
    let real = tempfile::NamedTempFile::new().unwrap();
    real.as_file().write_all_at(&[5; 1 << 20], 0).unwrap();
    let direct = std::fs::File::options().read(true).custom_flags(libc::O_DIRECT).open(real.path());
    if let Err(error) = &direct {
        eprintln!(
            "SKIPPED: detours, for there is no direct I/O on the file system of temporary files: {error}"
        );
    }
    // SAFETY: both are kept open until the engine has been stopped.
    let plain = unsafe { FileRef::new(real.as_file().as_fd()) };
    let file = |n: usize| match &direct {
        // SAFETY: as above.
        Ok(direct) if n.is_multiple_of(2) => unsafe { plain.direct(direct.as_fd(), Alignment::PAGE) },
        _ => plain,
    };
    let memory = Memory::new(JOBS * 4000);
    let mut jobs = Vec::new();
    let round = || {
        for n in 0..JOBS {
            let op = IoOp::Read { file: file(n), offset: n as u64 * 100, into: memory.part(n * 4000, 4000) };
            jobs.push(IoJob { id: id(n as u64), op });
        }
        engine.submit(&mut jobs);
        while count.0.load(Ordering::Acquire) < JOBS {
            std::thread::yield_now();
        }
        count.0.store(0, Ordering::Relaxed);
    };
    assert_settles(round);
    engine.stop();
    assert!(memory.bytes().iter().all(|&byte| byte == 5));
}
