//! What can keep the encoder from encoding: never the data, only the sizes it is given.

use core::fmt;

use crate::format::{MAX_STREAM_SIZE, TILE_SIZE};

/// An encoding that cannot be done as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The tile to encode is empty, or larger than [`TILE_SIZE`].
    RawSize {
        /// Bytes given.
        actual: usize,
    },
    /// The encoded tile does not fit into the output.
    OutputTooSmall {
        /// Bytes that this tile takes at this level, exactly.
        needed: usize,
        /// Bytes of output given.
        actual: usize,
    },
    /// The level is one of 8 to 12, whose memory the encoder has no allocator to get from.
    NoScratch,
    /// There is no memory for the encoder's workspace.
    OutOfMemory {
        /// Bytes that could not be had.
        needed: usize,
    },
    /// More content than one stream can hold.
    StreamTooLarge {
        /// Bytes of content given.
        actual: u64,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RawSize { actual } => {
                write!(f, "tile of {actual} bytes; a tile holds 1 to {TILE_SIZE}")
            }
            Self::OutputTooSmall { needed, actual } => {
                write!(f, "output has room for {actual} bytes, the encoded tile takes {needed}")
            }
            Self::NoScratch => {
                f.write_str("levels 8 to 12 need scratch memory: enable the feature `alloc`, or give encode_tile_with a Scratch")
            }
            Self::OutOfMemory { needed } => {
                write!(f, "out of memory: {needed} bytes of the encoder's workspace")
            }
            Self::StreamTooLarge { actual } => {
                write!(f, "{actual} bytes of content; one stream holds at most {MAX_STREAM_SIZE}")
            }
        }
    }
}

impl core::error::Error for EncodeError {}
