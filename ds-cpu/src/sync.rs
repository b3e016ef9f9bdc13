//! What threads share and how they sleep: the standard library's, or loom's, which tries every order of events (`pool::model`).

#[cfg(all(test, loom))]
pub(crate) use loom::{
    sync::atomic::{AtomicU8, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
#[cfg(not(all(test, loom)))]
pub(crate) use {
    core::sync::atomic::{AtomicU8, Ordering},
    std::sync::{Condvar, Mutex, MutexGuard},
    std::thread,
};

use std::sync::PoisonError;

/// Locks a mutex that no code panics under.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
