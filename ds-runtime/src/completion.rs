//! How a request ended, with its buffers.

use core::time::Duration;

use ds_core::{ByteCounts, Error, Path, RequestId, StageTimes};

/// The one end of a request.
#[derive(Debug)]
pub struct Completion {
    /// Which request.
    pub id: RequestId,
    /// Its tag.
    pub tag: u64,
    /// Success, or why not. [`ErrorKind::Cancelled`](ds_core::ErrorKind::Cancelled) is no failure.
    pub result: Result<(), Error>,
    /// The byte counts.
    pub bytes: ByteCounts,
    /// The engines that did the work, by their own account.
    pub path: Path,
    /// From submit to the end.
    pub latency: Duration,
    /// Per-stage times, if [`QueueOptions::stage_times`](crate::QueueOptions::stage_times) asked for them.
    pub times: Option<StageTimes>,
    /// The result of a read: exactly the bytes delivered, and so empty (with its capacity) unless the read succeeded. Bytes
    /// that are not the request's result are never shown as data.
    pub buffer: Vec<u8>,
    /// What a write wrote, or a memory request read: the caller's own bytes back, untouched.
    pub source: Vec<u8>,
}

impl Completion {
    /// The completion if it is a success, else its error (and the buffers are dropped).
    ///
    /// # Errors
    /// [`Completion::result`].
    pub fn check(self) -> Result<Self, Error> {
        match self.result {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Whether the request was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self.result, Err(Error { kind: ds_core::ErrorKind::Cancelled, .. }))
    }
}
