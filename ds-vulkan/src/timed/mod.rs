//! Work of ours by itself, timed: what decoding, or copying, takes where no queue, staging or file is in the way.
//!
//! For benchmarks and profilers. A program that wants bytes decoded submits requests instead.
//!
//! 1. `queries`: the device's own clock;
//! 2. `work`: one submission at a time, timed by both clocks;
//! 3. `decode`: tiles in device memory; `upload`: host memory to device memory.

pub(crate) mod decode;
mod queries;
pub(crate) mod upload;
mod work;

use core::fmt;
use core::time::Duration;

use ds_core::Fault;

use crate::error::CallError;

/// How long a submission took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// By the device's clock, the work alone; `None` where the queue has none.
    pub device: Option<Duration>,
    /// By the host's clock, from the call that submits until the end was seen.
    pub wall: Duration,
}

/// Why something cannot be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimedError {
    /// A tile's bytes are not all in their buffers, there are more than 32 bits count, or its input begins at no multiple of 4; or the
    /// driver is to decode it and does not take it, for its output begins at none, there is none, or it is more than 64 KiB.
    Span {
        /// Which tile.
        tile: usize,
    },
    /// More tiles than the device starts in one dispatch.
    TooManyTiles {
        /// How many there are.
        tiles: usize,
        /// How many it starts.
        most: u32,
    },
    /// The driver is to decode, on a device that was opened without that.
    NoDriver,
    /// More bytes than the buffer holds.
    TooLong {
        /// Bytes that were to go there.
        len: u64,
        /// Bytes that it holds.
        room: u64,
    },
    /// A buffer that was borrowed without a device address or without a handle, or one of another device.
    Buffer,
    /// A tile that the shader did not decode.
    Tile {
        /// Which tile.
        tile: usize,
        /// What it said.
        fault: Fault,
    },
    /// A call failed.
    Call(CallError),
}

impl fmt::Display for TimedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span { tile } => write!(f, "tile {tile} does not lie in its buffers as it must"),
            Self::TooManyTiles { tiles, most } => {
                write!(f, "{tiles} tiles are more than the device starts at once, {most}")
            }
            Self::NoDriver => f.write_str("the device was opened without the driver's decompression"),
            Self::TooLong { len, room } => write!(f, "{len} bytes for a buffer of {room}"),
            Self::Buffer => f.write_str("a buffer without an address or a handle, or of another device"),
            Self::Tile { tile, fault } => write!(f, "tile {tile} was not decoded: {fault:?}"),
            Self::Call(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TimedError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

impl From<CallError> for TimedError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}
