//! Writing the container around payloads that someone else encoded.

use core::fmt;

use super::{CodecId, Header};
use crate::format::{MAX_STREAM_SIZE, MAX_TILE_PAYLOAD, WORD};

/// A container that cannot be written as asked. Always the caller's doing, never the data's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// More content than one stream can hold.
    TooLarge {
        /// Bytes of content asked for.
        size: u64,
    },
    /// The output has no room.
    OutputTooSmall {
        /// Bytes needed so far.
        needed: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// The number of payloads is not the number of tiles that the content's size calls for.
    TileCount {
        /// Tiles that the content's size calls for.
        expected: usize,
        /// Payloads given.
        actual: usize,
    },
    /// A payload that is empty, not a multiple of 4 bytes, or over
    /// [`MAX_TILE_PAYLOAD`](crate::MAX_TILE_PAYLOAD); or one that lies 4 GiB or more from the table.
    PayloadSize {
        /// The tile, counted from 0.
        tile: usize,
        /// Bytes of payload.
        size: usize,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size } => {
                write!(f, "{size} bytes of content; one stream holds at most {MAX_STREAM_SIZE}")
            }
            Self::OutputTooSmall { needed, actual } => {
                write!(f, "output has room for {actual} bytes, {needed} or more are needed")
            }
            Self::TileCount { expected, actual } => write!(f, "{actual} payloads for {expected} tiles"),
            Self::PayloadSize { tile, size } => {
                write!(f, "tile {tile} cannot have a payload of {size} bytes")
            }
        }
    }
}

impl core::error::Error for WriteError {}

/// Writes header and tile table to the start of `out` and returns their length, [`Header::table_end`] bytes.
///
/// For streams whose payloads go elsewhere (to a file, say): `payload_sizes` gives each tile's payload in
/// bytes, in order.
///
/// # Errors
///
/// Every [`WriteError`]; `out` may then hold part of a table.
pub fn write_table(
    id: CodecId,
    uncompressed_size: u64,
    payload_sizes: impl IntoIterator<Item = usize>,
    out: &mut [u8],
) -> Result<usize, WriteError> {
    let mut table = Table::new(id, uncompressed_size, out)?;
    for size in payload_sizes {
        table.push(out, size)?;
    }
    table.finish()?;
    Ok(table.header.table_end())
}

/// Builds a whole stream in one buffer, tile by tile, without copying a payload.
///
/// The content's size fixes the table's size, so payloads can be encoded straight into their places:
///
/// ```
/// use ds_gdeflate::{CodecId, StreamWriter};
///
/// # fn encode(_: &[u8], room: &mut [u8]) -> usize { room[..128].fill(0); 128 }
/// let mut out = [0; 200];
/// let mut writer = StreamWriter::new(&mut out, CodecId::Reference, 5)?;
/// let len = encode(b"hello", writer.room());
/// writer.commit(len)?;
/// assert_eq!(writer.finish()?, 8 + 4 + 128);
/// # Ok::<(), ds_gdeflate::WriteError>(())
/// ```
#[derive(Debug)]
pub struct StreamWriter<'a> {
    out: &'a mut [u8],
    table: Table,
}

impl<'a> StreamWriter<'a> {
    /// Starts a stream at the start of `out` for `uncompressed_size` bytes of content.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooLarge`], or [`WriteError::OutputTooSmall`] if not even the table fits.
    pub fn new(out: &'a mut [u8], id: CodecId, uncompressed_size: u64) -> Result<Self, WriteError> {
        let table = Table::new(id, uncompressed_size, out)?;
        Ok(Self { out, table })
    }

    /// The room that is left; the next payload goes to its start.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.out[self.table.end()..]
    }

    /// Declares the first `len` bytes of [`room`](Self::room) the next tile's payload.
    ///
    /// # Errors
    ///
    /// [`WriteError::PayloadSize`], [`WriteError::OutputTooSmall`] if `len` is more than the room, or
    /// [`WriteError::TileCount`] if all tiles are there already.
    pub fn commit(&mut self, len: usize) -> Result<(), WriteError> {
        let needed = self.table.end().saturating_add(len);
        if needed > self.out.len() {
            return Err(WriteError::OutputTooSmall { needed, actual: self.out.len() });
        }
        self.table.push(self.out, len)
    }

    /// Ends the stream and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError::TileCount`] if payloads are missing.
    pub fn finish(self) -> Result<usize, WriteError> {
        self.table.finish()?;
        Ok(self.table.end())
    }
}

/// The bookkeeping common to both ways of writing.
#[derive(Debug)]
struct Table {
    header: Header,
    /// Payloads so far.
    tiles: usize,
    /// Bytes of payload so far.
    payload: usize,
}

impl Table {
    fn new(id: CodecId, uncompressed_size: u64, out: &mut [u8]) -> Result<Self, WriteError> {
        let Some(header) = Header::for_size(id, uncompressed_size) else {
            return Err(WriteError::TooLarge { size: uncompressed_size });
        };
        if out.len() < header.table_end() {
            return Err(WriteError::OutputTooSmall { needed: header.table_end(), actual: out.len() });
        }
        out[..Header::SIZE].copy_from_slice(&header.to_bytes());
        Ok(Self { header, tiles: 0, payload: 0 })
    }

    fn end(&self) -> usize {
        self.header.table_end() + self.payload
    }

    fn push(&mut self, out: &mut [u8], size: usize) -> Result<(), WriteError> {
        let tile = self.tiles;
        if tile == self.header.tile_count() {
            return Err(WriteError::TileCount { expected: tile, actual: tile + 1 });
        }
        let whole = size != 0 && size.is_multiple_of(WORD) && size <= MAX_TILE_PAYLOAD;
        let (Ok(offset), true) = (u32::try_from(self.payload), whole) else {
            return Err(WriteError::PayloadSize { tile, size });
        };
        if tile != 0 {
            set_entry(out, tile, offset);
        }
        if tile + 1 == self.header.tile_count() {
            set_entry(out, 0, size as u32);
        }
        self.tiles += 1;
        self.payload += size;
        Ok(())
    }

    fn finish(&self) -> Result<(), WriteError> {
        let expected = self.header.tile_count();
        if self.tiles != expected {
            return Err(WriteError::TileCount { expected, actual: self.tiles });
        }
        Ok(())
    }
}

fn set_entry(out: &mut [u8], index: usize, value: u32) {
    let at = Header::SIZE + index * WORD;
    out[at..at + WORD].copy_from_slice(&value.to_le_bytes());
}
