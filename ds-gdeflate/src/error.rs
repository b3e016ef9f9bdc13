//! What can be wrong with a stream or a tile, with the numbers that show it.

use core::fmt;

/// The container is not a tile stream, or one that contradicts itself. No tile was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// Fewer bytes than a header.
    HeaderTruncated {
        /// Bytes in a header.
        expected: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// The first two bytes are neither `04 FB` nor `FE 01`.
    UnknownCodec {
        /// The first byte.
        id: u8,
        /// The second byte, which should be the first with every bit flipped.
        check: u8,
    },
    /// The tile size index is not 1, the one for 64 KiB.
    TileSizeIndex {
        /// The index found, 0 to 3.
        actual: u8,
    },
    /// Bits that must be zero are not.
    ReservedBits {
        /// The 12 reserved bits.
        actual: u16,
    },
    /// The last tile's declared size is a full tile or more (a full one is written as 0).
    LastTileSize {
        /// The declared size in bytes.
        actual: u32,
    },
    /// No tiles, and yet the last one has a size.
    LastTileWithoutTiles {
        /// The declared size of the last tile in bytes.
        actual: u32,
    },
    /// The buffer ends inside the tile table.
    TableTruncated {
        /// Bytes of header and table.
        expected: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// A tile begins at or before the tile in front of it.
    OffsetNotRising {
        /// The tile, counted from 0.
        tile: usize,
        /// Its offset, in bytes from the end of the table.
        offset: u32,
        /// The offset of the tile before.
        previous: u32,
    },
    /// A tile's offset is not a multiple of 4.
    OffsetMisaligned {
        /// The tile, counted from 0.
        tile: usize,
        /// Its offset, in bytes from the end of the table.
        offset: u32,
    },
    /// The last tile's payload is not a multiple of 4 bytes. (Alignment of offsets sees to the others.)
    SizeMisaligned {
        /// The tile, counted from 0.
        tile: usize,
        /// Its payload in bytes.
        size: u32,
    },
    /// A tile's payload is larger than [`MAX_TILE_PAYLOAD`](crate::MAX_TILE_PAYLOAD).
    PayloadTooLarge {
        /// The tile, counted from 0.
        tile: usize,
        /// Its payload in bytes.
        size: u32,
    },
    /// The payloads reach past the end of the stream.
    PayloadTruncated {
        /// Where the last payload ends, in bytes from the start of the stream.
        expected: u64,
        /// Bytes in the stream.
        actual: u64,
    },
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HeaderTruncated { expected, actual } => {
                write!(f, "stream of {actual} bytes is shorter than its {expected} byte header")
            }
            Self::UnknownCodec { id, check } => {
                write!(f, "stream starts with {id:02X} {check:02X}, not with 04 FB or FE 01")
            }
            Self::TileSizeIndex { actual } => {
                write!(f, "tile size index is {actual}; only 1, for 64 KiB, is defined")
            }
            Self::ReservedBits { actual } => write!(f, "reserved header bits are {actual:#05x} instead of 0"),
            Self::LastTileSize { actual } => {
                write!(f, "last tile is declared as {actual} bytes; it must be below 65536")
            }
            Self::LastTileWithoutTiles { actual } => {
                write!(f, "stream has no tiles, yet its last one is declared as {actual} bytes")
            }
            Self::TableTruncated { expected, actual } => {
                write!(f, "header and tile table need {expected} bytes, there are {actual}")
            }
            Self::OffsetNotRising { tile, offset, previous } => {
                write!(f, "tile {tile} begins at {offset}, not after the tile before it at {previous}")
            }
            Self::OffsetMisaligned { tile, offset } => {
                write!(f, "tile {tile} begins at {offset}, which is not a multiple of 4")
            }
            Self::SizeMisaligned { tile, size } => {
                write!(f, "tile {tile} has a payload of {size} bytes, which is not a multiple of 4")
            }
            Self::PayloadTooLarge { tile, size } => {
                write!(f, "tile {tile} has a payload of {size} bytes, over the limit of 131072")
            }
            Self::PayloadTruncated { expected, actual } => {
                write!(f, "tile payloads end at byte {expected} of a stream of {actual} bytes")
            }
        }
    }
}

impl core::error::Error for StreamError {}

/// One of the three Huffman codes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The code in which a dynamic block writes the lengths of the other two.
    CodeLength,
    /// Literals, match lengths and the end of the block.
    LiteralLength,
    /// Match distances.
    Distance,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeLength => "code-length code",
            Self::LiteralLength => "literal/length code",
            Self::Distance => "distance code",
        })
    }
}

/// A tile that cannot be decoded: what is wrong and how far decoding had come.
///
/// The verdict belongs to the format, not to the path that found it: every decoder variant reports the same
/// error for the same tile, namely the first one in the order in which lanes take their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TileError {
    /// What is wrong.
    pub kind: TileErrorKind,
    /// The lane whose turn it was, 0 to 31.
    pub lane: u8,
    /// Input consumed: the 32-bit words dealt to lanes by then, times 4 bytes, from the start of the payload.
    pub input: usize,
    /// Output settled: bytes of the tile written or reserved for a match by then.
    pub output: usize,
}

/// What is wrong with a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TileErrorKind {
    /// The caller's output is empty or larger than a tile.
    OutputSize {
        /// Bytes of output given.
        actual: usize,
    },
    /// The payload is over [`MAX_TILE_PAYLOAD`](crate::MAX_TILE_PAYLOAD) or not a multiple of 4 bytes.
    PayloadSize {
        /// Bytes of payload given.
        actual: usize,
    },
    /// A lane needed its next word and the payload had ended.
    Truncated,
    /// A block of type 3, which does not exist.
    BlockType,
    /// One block with codes of its own more than [`max_dynamic_blocks`](crate::max_dynamic_blocks).
    TooManyDynamicBlocks {
        /// How many there may be.
        limit: usize,
    },
    /// Symbol 16 (repeat the previous length) where there is no previous length.
    RepeatWithoutLength,
    /// A run of code lengths that goes past the last one.
    RunTooLong {
        /// Code lengths that were still to come.
        expected: usize,
        /// Length of the run.
        actual: usize,
    },
    /// A code with more codewords than its lengths leave room for.
    OverSubscribed(Code),
    /// A code that leaves codewords unused (other than a code of one symbol, or none).
    Incomplete(Code),
    /// A block whose literal/length code cannot say that the block ends.
    NoEndOfBlock,
    /// A codeword that stands for nothing: any in an empty code, or the unused bit of a one-symbol code.
    UnusedCodeword(Code),
    /// Literal/length symbol 286 or 287.
    ReservedSymbol {
        /// The symbol.
        symbol: u16,
    },
    /// A match that reaches back before the start of the tile.
    DistanceTooFar {
        /// Bytes of the tile that precede the match.
        expected: usize,
        /// The distance.
        actual: usize,
    },
    /// More output than the tile's size.
    OutputOverrun {
        /// The tile's size in bytes.
        expected: usize,
        /// Bytes of output if the literal, match or stored block had been accepted.
        actual: usize,
    },
    /// The last block ended before the output was full.
    OutputShort {
        /// The tile's size in bytes.
        expected: usize,
        /// Bytes of output that the tile holds.
        actual: usize,
    },
}

impl TileErrorKind {
    /// A short name for the kind without its numbers, for counting.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OutputSize { .. } => "output size",
            Self::PayloadSize { .. } => "payload size",
            Self::Truncated => "truncated",
            Self::BlockType => "block type",
            Self::TooManyDynamicBlocks { .. } => "too many dynamic blocks",
            Self::RepeatWithoutLength => "repeat without length",
            Self::RunTooLong { .. } => "run too long",
            Self::OverSubscribed(_) => "over-subscribed code",
            Self::Incomplete(_) => "incomplete code",
            Self::NoEndOfBlock => "no end of block",
            Self::UnusedCodeword(_) => "unused codeword",
            Self::ReservedSymbol { .. } => "reserved symbol",
            Self::DistanceTooFar { .. } => "distance too far",
            Self::OutputOverrun { .. } => "output overrun",
            Self::OutputShort { .. } => "output short",
        }
    }
}

impl fmt::Display for TileErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutputSize { actual } => {
                write!(f, "output of {actual} bytes; a tile holds 1 to 65536")
            }
            Self::PayloadSize { actual } => {
                write!(f, "payload of {actual} bytes; it must be a multiple of 4 and at most 131072")
            }
            Self::Truncated => f.write_str("payload ends where a lane needs its next word"),
            Self::BlockType => f.write_str("block type 3"),
            Self::TooManyDynamicBlocks { limit } => {
                write!(f, "more than {limit} dynamic blocks, the most for content of this size")
            }
            Self::RepeatWithoutLength => f.write_str("first code length repeats one before it"),
            Self::RunTooLong { expected, actual } => {
                write!(f, "run of {actual} code lengths where {expected} are left")
            }
            Self::OverSubscribed(code) => write!(f, "{code} is over-subscribed"),
            Self::Incomplete(code) => write!(f, "{code} is incomplete"),
            Self::NoEndOfBlock => f.write_str("literal/length code has no end-of-block symbol"),
            Self::UnusedCodeword(code) => write!(f, "codeword not in the {code}"),
            Self::ReservedSymbol { symbol } => write!(f, "literal/length symbol {symbol}"),
            Self::DistanceTooFar { expected, actual } => {
                write!(f, "match distance {actual} with only {expected} bytes before it")
            }
            Self::OutputOverrun { expected, actual } => {
                write!(f, "tile produces {actual} bytes or more, {expected} were declared")
            }
            Self::OutputShort { expected, actual } => {
                write!(f, "tile produces {actual} bytes, {expected} were declared")
            }
        }
    }
}

impl fmt::Display for TileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, lane, input, output } = self;
        write!(f, "{kind} (lane {lane}, {input} payload bytes dealt, {output} output bytes settled)")
    }
}

impl core::error::Error for TileError {}

/// A stream that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The container is at fault.
    Stream(StreamError),
    /// A tile is at fault.
    Tile {
        /// The tile, counted from 0.
        tile: usize,
        /// What is wrong with it.
        error: TileError,
    },
    /// The caller's output is smaller than the stream's content, or cannot be allocated.
    OutputSize {
        /// Bytes of content in the stream.
        expected: u64,
        /// Bytes of output given; 0 where none could be had.
        actual: u64,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Tile { tile, error } => write!(f, "tile {tile}: {error}"),
            Self::OutputSize { expected, actual } => {
                write!(f, "stream holds {expected} bytes, the output has room for {actual}")
            }
        }
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Stream(error) => Some(error),
            Self::Tile { error, .. } => Some(error),
            Self::OutputSize { .. } => None,
        }
    }
}

impl From<StreamError> for DecodeError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}
