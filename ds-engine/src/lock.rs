//! Locks that outlive a panic.

use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks a mutex, even if a thread has panicked with it locked: for what is sound whenever it is not locked, because nothing panics
/// half-way through changing it.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a change, likewise.
pub fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a change, likewise, but not longer than `time`. Says whether the time is over.
pub fn wait_timeout<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    time: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let (guard, waited) = changed.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner);
    (guard, waited.timed_out())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contain;

    #[test]
    fn a_panic_does_not_take_what_was_locked_with_it() {
        let mutex = Mutex::new(7);
        assert!(
            contain(|| {
                let _held = lock(&mutex);
                panic!("this message belongs to the test");
            })
            .is_err()
        );
        assert!(mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 7);
    }
}
