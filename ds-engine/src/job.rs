//! What an engine is asked for.

use ds_core::{OpId, Transform};

use crate::memory::{FileRef, HostBytes, Place};

/// Names a job: an operation of one of the driver's queues. No two jobs that an engine has not answered bear the same name.
///
/// A driver does well not to use a name again soon: cancelling is a hint that may come late, and then concerns whoever bears
/// the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId {
    /// Which queue, as the driver numbers them.
    pub queue: u64,
    /// Which of its operations.
    pub op: OpId,
}

/// File I/O. Answer: `Done::Moved` or `Done::Synced`, or what the kernel said; never a retry of the engine's own.
#[derive(Clone, Copy, Debug)]
pub struct IoJob {
    /// Its name.
    pub id: JobId,
    /// What to do.
    pub op: IoOp,
}

/// A kind of file I/O.
// The tag takes a whole word: jobs go from list to list, and beside a tag of one byte the rest is copied in unaligned pieces that
// overlap, each of which has to wait for the last.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum IoOp {
    /// Read from `offset` of the file.
    Read {
        /// Which file.
        file: FileRef,
        /// First byte.
        offset: u64,
        /// Where the bytes go; its length is how many are wanted.
        into: HostBytes,
    },
    /// Write at `offset` of the file.
    Write {
        /// Which file.
        file: FileRef,
        /// First byte.
        offset: u64,
        /// Where the bytes come from.
        from: HostBytes,
    },
    /// Make the file durable.
    Sync {
        /// Which file.
        file: FileRef,
        /// Leave out metadata that reading back does not need.
        data_only: bool,
    },
}

impl IoOp {
    /// Bytes to move.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Read { into, .. } => into.len(),
            Self::Write { from, .. } => from.len(),
            Self::Sync { .. } => 0,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One step of a transform: see [`ds_core::Decode`]. Only the first `available` bytes of `from` may be read; the rest may be
/// being written meanwhile. Answer: `Done::Decoded`.
#[derive(Clone, Copy, Debug)]
pub struct CodecJob {
    /// Its name.
    pub id: JobId,
    /// Which transform.
    pub transform: Transform,
    /// The whole input.
    pub from: Place,
    /// How much of it has arrived.
    pub available: u64,
    /// What the engine's last step said.
    pub cursor: u64,
    /// The whole output.
    pub into: Place,
}

/// A copy between places of equal length. Answer: `Done::Moved` with that length.
#[derive(Clone, Copy, Debug)]
pub struct CopyJob {
    /// Its name.
    pub id: JobId,
    /// Where the bytes come from.
    pub from: Place,
    /// Where they go.
    pub into: Place,
}
