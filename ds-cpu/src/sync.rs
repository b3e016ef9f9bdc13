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
    ds_engine::lock,
    std::sync::{Condvar, Mutex, MutexGuard},
    std::thread,
};

/// Locks a mutex of loom's, whose panics end the model.
#[cfg(all(test, loom))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
