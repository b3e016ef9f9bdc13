//! What threads share and how they sleep: the standard library's, or loom's, which tries every order of events (`model`).

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, loom)))]
pub(crate) use {
    ds_engine::lock,
    ds_engine::lock::{wait, wait_timeout},
    std::sync::{Condvar, Mutex, MutexGuard},
};

/// Locks a mutex of loom's, whose panics end the model.
#[cfg(all(test, loom))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits for a change, likewise.
#[cfg(all(test, loom))]
pub(crate) fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits for a change, likewise; a model has no time that could be over.
#[cfg(all(test, loom))]
pub(crate) fn wait_timeout<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    _: core::time::Duration,
) -> (MutexGuard<'a, T>, bool) {
    (wait(changed, guard), false)
}
