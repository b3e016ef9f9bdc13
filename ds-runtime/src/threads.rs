//! Threads of the runtime's own: the timer and the teller.

use std::thread::{Builder, JoinHandle, current};

/// Starts one.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(run)
}

/// Waits for one that has been told to stop, unless it is the current one: that ends by itself.
pub(crate) fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread.filter(|thread| thread.thread().id() != current().id()) {
        // It runs no code of the application's that is not guarded, so it cannot have panicked.
        let _ = thread.join();
    }
}
