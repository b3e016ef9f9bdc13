//! How often a test program allocates: the system's allocator, counting. To name this module is to have it in place.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::alloc::System;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static BY_ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static BY_THIS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed to the system's allocator as it came; counting touches no memory of the caller, and allocates none.
// What is left to the trait (zeroed memory, growing) comes here.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BY_ALL.fetch_add(1, Ordering::Relaxed);
        BY_THIS.set(BY_THIS.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// How often all threads together have allocated so far.
pub(crate) fn by_all_threads() -> u64 {
    BY_ALL.load(Ordering::Relaxed)
}

/// How often this thread has allocated so far, whatever tests beside it do.
pub(crate) fn by_this_thread() -> u64 {
    BY_THIS.get()
}

/// Does the same again and again until nobody has allocated for 50 rounds in a row: some queue may have to grow once more, when
/// threads meet as they have not met before, but a job that allocates does so every time.
///
/// # Panics
///
/// After 2000 rounds.
pub(crate) fn assert_settles(mut round: impl FnMut()) {
    let mut quiet = 0;
    for _ in 0..2000 {
        let before = by_all_threads();
        round();
        quiet = if by_all_threads() == before { quiet + 1 } else { 0 };
        if quiet == 50 {
            return;
        }
    }
    panic!("it still allocates after 2000 rounds");
}
