//! Once warm, no job allocates.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::alloc::System;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use common::{Memory, id};
use ds_core::Done;
use ds_engine::{Alignment, Engine, FileRef, Finished, IoEngine, IoJob, IoOp, Sink, StartContext};
use ds_uring::{UringConfig, UringIo};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
    let mut round = || {
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
    let mut quiet = 0;
    for _ in 0..500 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        round();
        quiet = if ALLOCATIONS.load(Ordering::Relaxed) == before { quiet + 1 } else { 0 };
        if quiet == 30 {
            break;
        }
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..30).for_each(|_| round());
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
    engine.stop();
    assert!(memory.bytes().iter().all(|&byte| byte == 5));
}
