//! What a thread that submits is about to do.
//!
//! A thread that waits may as well work ([`Engine::drive`](crate::Engine::drive)). If it says so before it submits, an engine need
//! not wake a thread of its own for what the waiting one can do at once: a wake-up costs more than a small read.

use core::cell::Cell;
use core::marker::PhantomData;

thread_local! {
    static ABOUT_TO_DRIVE: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread is about to drive every engine it submits to, until dropped. Whoever makes one keeps its word: it
/// drives each of the engines, in whatever way, as soon as this has been dropped and before it waits for anything or runs
/// anybody else's code.
#[derive(Debug)]
#[must_use = "it counts until it is dropped"]
pub struct AboutToDrive {
    before: bool,
    /// It speaks of one thread.
    _thread: PhantomData<*const ()>,
}

impl AboutToDrive {
    /// From now on.
    pub fn mark() -> Self {
        Self { before: ABOUT_TO_DRIVE.replace(true), _thread: PhantomData }
    }
}

impl Drop for AboutToDrive {
    fn drop(&mut self) {
        ABOUT_TO_DRIVE.set(self.before);
    }
}

/// For engines: whether the thread that submits drives them next.
#[must_use]
pub fn is_about_to_drive() -> bool {
    ABOUT_TO_DRIVE.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_until_it_is_dropped_and_on_its_thread_only() {
        assert!(!is_about_to_drive());
        let outer = AboutToDrive::mark();
        drop(AboutToDrive::mark());
        assert!(is_about_to_drive());
        std::thread::scope(|scope| scope.spawn(|| assert!(!is_about_to_drive())).join().unwrap());
        drop(outer);
        assert!(!is_about_to_drive());
    }
}
