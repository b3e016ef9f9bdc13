//! Telling people about failures, and about what works otherwise than it was asked to.

use core::fmt;
use core::panic::Location;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use ds_core::Error;
use ds_engine::{Warning, contain};

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

/// What an error hook hears.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Report {
    /// A request failed. Cancellations are no failures.
    Failure(Box<ErrorReport>),
    /// An engine works, but not as it was asked to. Nothing has failed. Queues' own hooks do not hear of it: it concerns all of
    /// them.
    Warning(Warning),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(report) => report.fmt(f),
            Self::Warning(warning) => write!(f, "warning: {warning}"),
        }
    }
}

/// Something that wants to hear of failures and warnings. Runs with no lock held.
pub type ErrorHook = Arc<dyn Fn(&Report) + Send + Sync>;

static PROCESS_HOOK: RwLock<Option<ErrorHook>> = RwLock::new(None);

/// Sets the process-wide error hook, or with `None` removes it. It is called for every failed request of queues without a
/// hook of their own ([`QueueOptions::error_hook`](crate::QueueOptions::error_hook)) and for every warning of an engine's, where
/// the runtime has none either ([`Builder::error_hook`](crate::Builder::error_hook)). Without any, failures and warnings go to
/// the [`log`] crate.
pub fn set_error_hook(hook: Option<ErrorHook>) {
    let mut place = PROCESS_HOOK.write().unwrap_or_else(PoisonError::into_inner);
    let before = core::mem::replace(&mut *place, hook);
    drop(place);
    // With no lock held: a queue may go with it, and report its last failures.
    drop(before);
}

pub(crate) fn report(own: Option<&ErrorHook>, report: &Report) {
    let hook = own.cloned().or_else(|| PROCESS_HOOK.read().unwrap_or_else(PoisonError::into_inner).clone());
    match hook {
        // Dropped in there as well: it may be the last of its kind.
        Some(hook) => guarded("error hook", move || hook(report)),
        None => match report {
            Report::Failure(failure) => complain(format_args!("{failure}")),
            // The logger is the application's code too: see `complain`.
            Report::Warning(warning) => drop(contain(|| log::warn!("{warning}"))),
        },
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
