//! How often a program allocates.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicU64, Ordering};
use std::alloc::System;

/// The system's allocator, counting.
pub(crate) struct Counting;

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

/// Does the same again and again until it has not allocated for 50 rounds in a row: some queue may have to grow once more, when
/// threads meet as they have not met before, but a job that allocates does so every time.
pub(crate) fn assert_settles(mut round: impl FnMut()) {
    let mut quiet = 0;
    for _ in 0..2000 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        round();
        quiet = if ALLOCATIONS.load(Ordering::Relaxed) == before { quiet + 1 } else { 0 };
        if quiet == 50 {
            return;
        }
    }
    panic!("it still allocates after 2000 rounds");
}
