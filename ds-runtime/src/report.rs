//! Telling people about failures.

use core::fmt;
use core::panic::Location;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use ds_core::Error;
use ds_engine::contain;

/// A failed request, with everything a person may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ErrorReport {
    /// What failed, and around what.
    pub error: Error,
    /// The queue's name.
    pub queue: String,
    /// The file's path, if it was opened by one.
    pub path: Option<PathBuf>,
    /// The file's descriptor.
    pub fd: Option<i32>,
    /// The runtime's engines: I/O, then codec.
    pub engines: (&'static str, &'static str),
    /// Where in the program the request was enqueued.
    pub caller: &'static Location<'static>,
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue {:?}: {}", self.queue, self.error)?;
        if let Some(path) = &self.path {
            write!(f, ", file {}", path.display())?;
        }
        if let Some(fd) = self.fd {
            write!(f, ", fd {fd}")?;
        }
        write!(f, ", engines {}+{}, enqueued at {}", self.engines.0, self.engines.1, self.caller)
    }
}

/// Something that wants to hear of failures. Runs with no lock held.
pub type ErrorHook = Arc<dyn Fn(&ErrorReport) + Send + Sync>;

static PROCESS_HOOK: RwLock<Option<ErrorHook>> = RwLock::new(None);

/// Sets the process-wide error hook, or with `None` removes it. It is called for every failed request of queues that have no
/// hook of their own ([`QueueOptions::error_hook`](crate::QueueOptions::error_hook)); without either, failures go to the
/// [`log`] crate as errors. Cancellations are no failures.
pub fn set_error_hook(hook: Option<ErrorHook>) {
    let mut place = PROCESS_HOOK.write().unwrap_or_else(PoisonError::into_inner);
    let before = core::mem::replace(&mut *place, hook);
    drop(place);
    // With no lock held: a queue may go with it, and report its last failures.
    drop(before);
}

pub(crate) fn report(own: Option<&ErrorHook>, report: &ErrorReport) {
    let hook = own.cloned().or_else(|| PROCESS_HOOK.read().unwrap_or_else(PoisonError::into_inner).clone());
    match hook {
        // Dropped in there as well: it may be the last of its kind.
        Some(hook) => guarded("error hook", move || hook(report)),
        None => complain(format_args!("{report}")),
    }
}

/// Runs the application's code; a panic in it is logged and goes no further, whatever it carries.
pub(crate) fn guarded(what: &str, run: impl FnOnce()) {
    if let Err(panicked) = contain(run) {
        complain(format_args!("the application's {what} {panicked}"));
    }
}

/// Logs an error. The logger is the application's code too: if it panics, there is nobody to tell.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let _ = contain(|| log::error!("{message}"));
}
