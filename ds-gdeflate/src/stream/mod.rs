//! The container: a header, a table of tiles, and the tiles' payloads back to back.
//!
//! [`TileTable`] reads header and table alone, so that tiles can be located before their payloads have
//! arrived; [`TileStream`] is a whole stream in memory. Both check everything once, in `parse`; afterwards no
//! accessor can fail. [`StreamWriter`] and [`write_table`] are the way back.

mod header;
mod table;
mod writer;

pub use header::{CodecId, Header};
pub use table::TileTable;
pub use writer::{StreamWriter, WriteError, write_table};

use core::ops::Range;

use crate::error::StreamError;
use crate::format::TILE_SIZE;

/// A whole tile stream in memory, checked.
#[derive(Clone, Copy, Debug)]
pub struct TileStream<'a> {
    table: TileTable<'a>,
    bytes: &'a [u8],
}

impl<'a> TileStream<'a> {
    /// Reads and checks the container at the start of `bytes`.
    ///
    /// Bytes behind the last tile are ignored; [`consumed`](Self::consumed) says where they begin.
    ///
    /// # Errors
    ///
    /// Every [`StreamError`] is possible. The tiles' contents are not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StreamError> {
        let table = TileTable::parse(bytes, bytes.len() as u64)?;
        Ok(Self { table, bytes })
    }

    /// The header and the table of tiles.
    #[must_use]
    pub fn table(&self) -> &TileTable<'a> {
        &self.table
    }

    /// Tile `index`, counted from 0, or `None` behind the last.
    #[must_use]
    pub fn tile(&self, index: usize) -> Option<Tile<'a>> {
        if index >= self.table.len() {
            return None;
        }
        let range = self.table.compressed_range(index);
        // `parse` checked that the payloads end inside `bytes`, so the offsets fit in `usize`.
        let payload = &self.bytes[range.start as usize..range.end as usize];
        let uncompressed = self.table.uncompressed_range(index);
        Some(Tile { index, payload, uncompressed_size: (uncompressed.end - uncompressed.start) as usize })
    }

    /// All tiles in order.
    pub fn tiles(&self) -> impl ExactSizeIterator<Item = Tile<'a>> + use<'a> {
        let stream = *self;
        (0..self.table.len()).map(move |index| stream.tile(index).expect("index is in range"))
    }

    /// Bytes of content.
    #[must_use]
    pub fn uncompressed_size(&self) -> u64 {
        self.table.header().uncompressed_size()
    }

    /// Bytes of the stream itself; what follows in the buffer is not part of it.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.table.stream_end() as usize
    }
}

/// One tile of a stream: the unit that decodes on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile<'a> {
    index: usize,
    payload: &'a [u8],
    uncompressed_size: usize,
}

impl<'a> Tile<'a> {
    /// The tile's number, counted from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The compressed bytes, a multiple of 4.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The place of the tile's content in the stream's content, in bytes.
    #[must_use]
    pub fn uncompressed_range(&self) -> Range<u64> {
        let start = self.index as u64 * TILE_SIZE as u64;
        start..start + self.uncompressed_size as u64
    }

    /// Bytes of content, 1 to 65 536.
    #[must_use]
    pub fn uncompressed_size(&self) -> usize {
        self.uncompressed_size
    }
}
