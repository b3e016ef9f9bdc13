//! Who was at fault, with numbers: a kind a program can match on, and a context for people.

use core::fmt;

use crate::id::{FileId, OpId, RequestId};
use crate::path::Path;
use crate::request::{LocationKind, Operation};
use crate::time::Time;

/// What went wrong. Arranged by culprit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller asked for something that can never work; reading the code shows it.
    Invalid(Misuse),
    /// Every slot is taken.
    QueueFull {
        /// How many there are.
        capacity: u32,
    },
    /// The queue takes no more entries.
    Closed,
    /// The request needs more staging memory at once than there is at all. Split it.
    TooLarge {
        /// Bytes of staging memory needed.
        requested: u64,
        /// Bytes there are.
        limit: u64,
    },
    /// The file ended first.
    EndOfFile {
        /// Bytes asked for.
        requested: u64,
        /// Bytes there were.
        got: u64,
    },
    /// The kernel said no.
    Io {
        /// Its error number.
        errno: i32,
    },
    /// A write of one or more bytes wrote none, again and again.
    WriteZero {
        /// Bytes to write.
        requested: u64,
        /// Bytes written.
        got: u64,
    },
    /// The data is not what the transform reads.
    Corrupt(Corrupt),
    /// No engine here can do this: what, in a few words.
    Unsupported(&'static str),
    /// There is no memory for this.
    OutOfMemory,
    /// The device is gone.
    DeviceLost,
    /// The deadline passed.
    TimedOut,
    /// The request was cancelled. Never a failure: completions say so, statuses do not.
    Cancelled,
    /// An engine broke its contract: how, in a few words. A bug; please report it.
    EngineFault(&'static str),
}

impl ErrorKind {
    /// Whether this is a failure in `DirectStorage`'s sense; a cancellation is none.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Cancelled)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Invalid(misuse) => write!(f, "invalid request: {misuse}"),
            Self::QueueFull { capacity } => {
                write!(f, "queue full: all {capacity} slots are taken; take completions or wait")
            }
            Self::Closed => f.write_str("queue closed"),
            Self::TooLarge { requested, limit } => write!(
                f,
                "request too large: needs {requested} bytes of staging memory, there are {limit}; split it or enlarge staging"
            ),
            Self::EndOfFile { requested, got } => {
                write!(f, "end of file: {requested} bytes requested, {got} there")
            }
            Self::Io { errno } => write!(f, "I/O error: errno {errno}"),
            Self::WriteZero { requested, got } => {
                write!(f, "write makes no progress: {got} of {requested} bytes written")
            }
            Self::Corrupt(corrupt) => write!(f, "corrupt data: {corrupt}"),
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::DeviceLost => f.write_str("device lost"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::EngineFault(how) => write!(f, "engine broke its contract: {how}"),
        }
    }
}

/// How a request contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// This operation does not go from there to there.
    Locations {
        /// The operation.
        operation: Operation,
        /// Its source.
        source: LocationKind,
        /// Its destination.
        destination: LocationKind,
    },
    /// A range ends past the largest position there is.
    RangeOverflow {
        /// Its first byte.
        offset: u64,
        /// Its length.
        len: u64,
    },
    /// A range ends past the memory it names.
    RangeOutside {
        /// Its first byte.
        offset: u64,
        /// Its length.
        len: u64,
        /// Bytes there are.
        size: u64,
    },
    /// Without a transform both ends must be equally long.
    SizeMismatch {
        /// Bytes at the source.
        source: u64,
        /// Bytes at the destination.
        destination: u64,
    },
    /// The uncompressed size contradicts the destination.
    UncompressedSize {
        /// What it must be.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// Writing through a transform is not a thing.
    TransformOnWrite,
    /// Only raw reads of files can be short.
    ShortNotAllowed,
    /// The token names nothing that is open or lent: what kind of token.
    UnknownToken(&'static str),
    /// The file was not opened for this.
    AccessMode,
    /// A read or write at a position of what has none: a pipe, a socket, a terminal, an eventfd and its like.
    NoPositions,
    /// A write past the page cache that begins or ends within a block.
    Unaligned {
        /// Its first byte.
        offset: u64,
        /// Its length.
        len: u64,
        /// What both must be multiples of.
        alignment: u64,
    },
    /// A queue's configuration contradicts itself: which setting, and what it must be.
    Configuration(&'static str),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Locations { operation, source, destination } => {
                write!(f, "{operation:?} does not go from {source:?} to {destination:?}")
            }
            Self::RangeOverflow { offset, len } => {
                write!(f, "{len} bytes at {offset} end past the largest offset there is")
            }
            Self::RangeOutside { offset, len, size } => {
                write!(f, "{len} bytes at {offset} end outside memory of {size} bytes")
            }
            Self::SizeMismatch { source, destination } => {
                write!(f, "the source has {source} bytes, the destination {destination}")
            }
            Self::UncompressedSize { expected, actual } => {
                write!(f, "the uncompressed size must be {expected}, it is {actual}")
            }
            Self::TransformOnWrite => f.write_str("a write cannot have a transform"),
            Self::ShortNotAllowed => f.write_str("only a raw read of a file may be short"),
            Self::UnknownToken(what) => write!(f, "no such {what}"),
            Self::AccessMode => f.write_str("the file was not opened for this operation"),
            Self::NoPositions => f.write_str(
                "the file has no positions to read or write at, as a pipe, socket or terminal has none",
            ),
            Self::Unaligned { offset, len, alignment } => {
                write!(
                    f,
                    "{len} bytes at {offset} are not whole blocks of {alignment} bytes, as a direct write must be"
                )
            }
            Self::Configuration(what) => f.write_str(what),
        }
    }
}

/// Where and why data is not what a transform reads. Says it in the words of no particular codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Why.
    pub reason: CorruptReason,
    /// In which independent piece of the stream, where the format has such.
    pub tile: Option<u32>,
    /// Where in the input (or in that piece of it), in bits or bytes as the codec says in its own docs.
    pub position: u64,
    /// The number that should have been there; 0 where there is none to tell.
    pub expected: u64,
    /// The number that was there.
    pub actual: u64,
}

/// Why data is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CorruptReason {
    /// The header is not the format's.
    Header,
    /// The table of pieces contradicts itself or the length.
    Table,
    /// The input ends too soon.
    Truncated,
    /// An unknown kind of block.
    BlockType,
    /// A prefix code that cannot be, or a code word that is none.
    Code,
    /// A back reference to before the beginning.
    Distance,
    /// More output than there may be.
    Overrun,
    /// Not as much output as there must be.
    Size,
    /// The application's decoder refused it; `actual` is its number for why.
    Custom,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            CorruptReason::Header => "bad header",
            CorruptReason::Table => "bad table",
            CorruptReason::Truncated => "truncated",
            CorruptReason::BlockType => "unknown block type",
            CorruptReason::Code => "bad prefix code",
            CorruptReason::Distance => "reference before the beginning",
            CorruptReason::Overrun => "too much output",
            CorruptReason::Size => "wrong output size",
            CorruptReason::Custom => "refused by the application's decoder",
        };
        f.write_str(reason)?;
        if let Some(tile) = self.tile {
            write!(f, " in tile {tile}")?;
        }
        write!(f, " at {}: expected {}, got {}", self.position, self.expected, self.actual)
    }
}

/// How far a request had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Enqueued, not submitted.
    #[default]
    Queued,
    /// Submitted, not begun.
    Submitted,
    /// Its source is being read.
    Reading,
    /// Its transform is being computed.
    Decoding,
    /// Its bytes are being brought to the destination.
    Placing,
    /// All is done.
    Done,
}

/// What a person wants to know about an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Which request, unless it never became one.
    pub request: Option<RequestId>,
    /// The request's tag.
    pub tag: u64,
    /// What it was to do.
    pub operation: Option<Operation>,
    /// How far it had come.
    pub stage: Stage,
    /// The engines that had worked on it, the one that failed included.
    pub path: Path,
    /// The file it concerned, if any.
    pub file: Option<FileId>,
    /// First byte of the file range, or of the source.
    pub offset: u64,
    /// Bytes asked for.
    pub len: u64,
    /// Kind of source.
    pub source: LocationKind,
    /// Kind of destination.
    pub destination: LocationKind,
    /// When it ended.
    pub at: Time,
}

/// The one error type: a kind to match on and a context to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Around what.
    pub context: Context,
}

impl Error {
    /// An error that concerns no request in particular.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind, context: Context::default() }
    }

    /// An error with its context.
    #[must_use]
    pub const fn with_context(kind: ErrorKind, context: Context) -> Self {
        Self { kind, context }
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::new(ErrorKind::Invalid(misuse))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        let Some(operation) = self.context.operation else { return Ok(()) };
        write!(f, " ({operation:?}")?;
        if let Some(id) = self.context.request {
            write!(f, ", {id}")?;
        }
        write!(f, ", {:?} to {:?}", self.context.source, self.context.destination)?;
        write!(f, ", {} bytes at {}", self.context.len, self.context.offset)?;
        write!(f, ", tag {}, stage {:?}, path {})", self.context.tag, self.context.stage, self.context.path)
    }
}

impl core::error::Error for Error {}

/// An outcome named an operation that is not outstanding: the engine answered twice, or made the number up.
/// The queue has ignored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownOp(pub OpId);

impl fmt::Display for UnknownOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not outstanding", self.0)
    }
}

impl core::error::Error for UnknownOp {}
