//! What the queue wants done, and what came of it.

use crate::completion::Notice;
use crate::error::Corrupt;
use crate::id::{BufferId, DeviceId, FileId, LeaseId, OpId};
use crate::path::Path;
use crate::request::{Processor, Transform};
use crate::time::Time;

/// A kind of memory that an engine can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Memory {
    /// Host memory lent with the request.
    Host(BufferId),
    /// An object of a device.
    Device {
        /// Which device.
        device: DeviceId,
        /// Which of its objects.
        handle: u64,
    },
    /// Staging memory.
    Lease(LeaseId),
}

/// A range of some memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Which memory.
    pub memory: Memory,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

impl Span {
    /// `len` bytes of this span, from `start` bytes into it.
    pub(crate) const fn part(self, start: u64, len: u64) -> Self {
        Self { memory: self.memory, offset: self.offset + start, len }
    }
}

/// One step of a transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decode {
    /// Names the operation.
    pub op: OpId,
    /// Which transform.
    pub transform: Transform,
    /// Who is to compute it.
    pub on: Processor,
    /// The whole input.
    pub from: Span,
    /// How many bytes of the input, from its start, have arrived. All of it in the last step.
    pub available: u64,
    /// What the codec's last [`DecodeStep::cursor`] was; 0 in the first step.
    pub cursor: u64,
    /// The whole output: as long as the request's uncompressed size.
    pub into: Span,
}

/// Something the queue wants done. Each variant with an `op` must be answered by exactly one [`Outcome`] with that op,
/// whatever happens, a [`Cancel`](Self::Cancel) included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reserve `len` bytes of staging memory. Answer: [`Done::Leased`], or [`Fault::Busy`] if others hold too much of it.
    Lease {
        /// Names the operation.
        op: OpId,
        /// Bytes wanted, never 0.
        len: u64,
    },
    /// Give a lease back. No answer; but then call [`Queue::staging_released`](crate::Queue::staging_released) on every
    /// queue that was refused a lease meanwhile, this one included.
    Release {
        /// Which lease.
        lease: LeaseId,
    },
    /// Read `into.len` bytes of `file` from `offset`. Answer: [`Done::Moved`]; fewer bytes are fine, 0 means end of file.
    Read {
        /// Names the operation.
        op: OpId,
        /// Which file.
        file: FileId,
        /// First byte in the file.
        offset: u64,
        /// Where the bytes go.
        into: Span,
    },
    /// Write `from.len` bytes to `file` at `offset`. Answer: [`Done::Moved`]; fewer bytes are fine.
    Write {
        /// Names the operation.
        op: OpId,
        /// Which file.
        file: FileId,
        /// First byte in the file.
        offset: u64,
        /// Where the bytes come from.
        from: Span,
    },
    /// Make a file durable. Answer: [`Done::Synced`].
    Sync {
        /// Names the operation.
        op: OpId,
        /// Which file.
        file: FileId,
        /// Leave out metadata that reading back does not need.
        data_only: bool,
    },
    /// Take a transform one step further. Answer: [`Done::Decoded`].
    Decode(Decode),
    /// Copy `from` to `into`, which are equally long. Answer: [`Done::Moved`] with that length.
    Copy {
        /// Names the operation.
        op: OpId,
        /// Where the bytes come from.
        from: Span,
        /// Where the bytes go.
        into: Span,
    },
    /// Hurry an outstanding operation. No answer of its own: the operation still gives its one outcome, perhaps
    /// [`Fault::Cancelled`]. An engine that cannot cancel ignores this.
    Cancel {
        /// Which operation.
        op: OpId,
    },
    /// A status, signal or event entry has fired. No answer.
    Notify(Notice),
    /// Poll again at `at` even if nothing else happens; replaces every earlier wake-up. `None`: no need to. No answer.
    Wake {
        /// When, if at all.
        at: Option<Time>,
    },
}

impl Action {
    /// The operation this action starts; `None` where no answer is due.
    #[must_use]
    pub const fn op(&self) -> Option<OpId> {
        match *self {
            Self::Lease { op, .. }
            | Self::Read { op, .. }
            | Self::Write { op, .. }
            | Self::Sync { op, .. }
            | Self::Decode(Decode { op, .. })
            | Self::Copy { op, .. } => Some(op),
            Self::Release { .. } | Self::Cancel { .. } | Self::Notify(_) | Self::Wake { .. } => None,
        }
    }

    /// Whether this is file I/O: what [`Room::NoTransfers`] holds back.
    #[must_use]
    pub const fn is_transfer(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Write { .. } | Self::Sync { .. })
    }
}

/// Whether the driver has room for more file I/O. All other actions are given either way, so that work under way can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Begin what there is.
    Any,
    /// No new file I/O and no new requests.
    NoTransfers,
}

/// What came of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which operation.
    pub op: OpId,
    /// What came of it.
    pub result: Result<Done, Fault>,
    /// Which engine did the work, as that engine says.
    pub path: Path,
}

/// How far a codec has come. Progress is not failure: a codec that needs more input says so here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeStep {
    /// Handed back in the next step; means what the codec likes, such as "tiles done".
    pub cursor: u64,
    /// Output bytes so far, in all.
    pub produced: u64,
    /// The next step makes sense when this many input bytes are available. Ignored when finished.
    pub wants: u64,
    /// The output is complete.
    pub finished: bool,
}

/// The good end of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Staging memory is reserved.
    Leased(LeaseId),
    /// So many bytes were moved, from the start of the range.
    Moved(u64),
    /// The transform has come so far.
    Decoded(DecodeStep),
    /// The file is durable.
    Synced,
}

/// The bad end of an operation, as the engine saw it. What follows from it is the queue's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The kernel answered with this errno. `EINTR` and `EAGAIN` are retried, the rest is final.
    Os(i32),
    /// Staging memory is there but taken. The request waits until some is released.
    Busy,
    /// There is no memory.
    OutOfMemory,
    /// The input is not what the transform reads.
    Corrupt(Corrupt),
    /// The engine cannot do this: what, in a few words.
    Unsupported(&'static str),
    /// The device is gone.
    DeviceLost,
    /// The operation was cancelled before it did anything final.
    Cancelled,
}
