//! How entries end: a [`Completion`] for each request, a [`Notice`] for each marker.

use core::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::id::RequestId;
use crate::path::Path;

/// The three byte counts of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// Bytes obtained from the source: read from a file, or taken from memory. Counted even if the request fails later.
    pub read: u64,
    /// Bytes after the transform; without one, the same bytes.
    pub produced: u64,
    /// Bytes at the start of the destination that are the request's result. 0 unless the request succeeded: after a failure
    /// or a cancellation the destination holds any mixture of what was there and bytes of this request.
    pub delivered: u64,
}

impl ByteCounts {
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            read: self.read.saturating_add(other.read),
            produced: self.produced.saturating_add(other.produced),
            delivered: self.delivered.saturating_add(other.delivered),
        }
    }
}

/// How long a request spent in each stage. Stages overlap: reading goes on while decoding has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From enqueue to submit.
    pub queued: Duration,
    /// From submit to the first operation.
    pub waiting: Duration,
    /// From the first operation to the last byte read.
    pub reading: Duration,
    /// From the last byte read to the last byte decoded.
    pub decoding: Duration,
    /// From then to the end.
    pub placing: Duration,
}

/// The one end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Which request.
    pub id: RequestId,
    /// Its tag.
    pub tag: u64,
    /// Success, or why not. [`ErrorKind::Cancelled`] is no failure.
    pub result: Result<(), Error>,
    /// The byte counts.
    pub bytes: ByteCounts,
    /// The engines that did the work, by their own account.
    pub path: Path,
    /// From submit to the end.
    pub latency: Duration,
    /// Per-stage times, if [`Config::stage_times`](crate::Config::stage_times) asked for them.
    pub times: Option<StageTimes>,
}

impl Completion {
    /// Whether the request was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self.result, Err(Error { kind: ErrorKind::Cancelled, .. }))
    }
}

/// A failed request, as a status entry or the error record remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which request. It may be gone by now; the id then names nothing.
    pub id: RequestId,
    /// Its tag.
    pub tag: u64,
    /// Why.
    pub kind: ErrorKind,
    /// Its place in enqueue order, counted from 1 over all entries of the queue.
    pub sequence: u64,
}

/// What failed since the last time someone asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorRecord {
    /// How many requests.
    pub failures: u64,
    /// The first of them in enqueue order.
    pub first: Option<Failure>,
}

/// A status entry's name: an array and an index in it, as the driver numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusToken {
    /// Which array.
    pub array: u64,
    /// Which of its cells.
    pub index: u32,
}

/// A signal entry's name: a fence and the value it is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalToken {
    /// Which fence.
    pub fence: u64,
    /// The value.
    pub value: u64,
}

/// An event entry's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventToken(pub u64);

/// A marker has fired: all entries before it are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A status entry.
    Status {
        /// Its name.
        token: StatusToken,
        /// The first failure, in enqueue order, of the requests between the previous status entry and this one.
        first_failure: Option<Failure>,
    },
    /// A signal entry.
    Signal(SignalToken),
    /// An event entry.
    Event(EventToken),
}
