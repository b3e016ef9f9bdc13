//! Header and tile table: where every tile lies, known before any payload is.

use core::ops::Range;

use super::Header;
use crate::error::StreamError;
use crate::format::{MAX_TILE_PAYLOAD, TILE_SIZE, WORD};

/// A stream's header and tile table, checked against the stream's length.
///
/// The table's first entry is not an offset: it is the size of the *last* tile. Tile 0 lies at offset 0 by
/// definition, and every other tile ends where the next begins.
#[derive(Clone, Copy, Debug)]
pub struct TileTable<'a> {
    header: Header,
    entries: &'a [[u8; WORD]],
}

impl<'a> TileTable<'a> {
    /// Reads and checks header and table.
    ///
    /// `prefix` is the start of the stream, [`Header::table_end`] bytes at least; `stream_len` is the number
    /// of bytes that the payloads must fit into, counted from the stream's start.
    ///
    /// # Errors
    ///
    /// Every [`StreamError`] is possible. Takes time in proportion to the number of tiles.
    pub fn parse(prefix: &'a [u8], stream_len: u64) -> Result<Self, StreamError> {
        let header = Header::parse(prefix)?;
        let Some(table) = prefix.get(Header::SIZE..header.table_end()) else {
            return Err(StreamError::TableTruncated { expected: header.table_end(), actual: prefix.len() });
        };
        let table = Self { header, entries: table.as_chunks().0 };
        table.check(stream_len)?;
        Ok(table)
    }

    fn check(&self, stream_len: u64) -> Result<(), StreamError> {
        let mut previous = 0;
        for tile in 1..self.len() {
            let offset = self.entry(tile);
            if offset <= previous {
                return Err(StreamError::OffsetNotRising { tile, offset, previous });
            }
            if !offset.is_multiple_of(WORD as u32) {
                return Err(StreamError::OffsetMisaligned { tile, offset });
            }
            check_payload(tile - 1, offset - previous)?;
            previous = offset;
        }
        if let Some(tile) = self.len().checked_sub(1) {
            let size = self.entry(0);
            if !size.is_multiple_of(WORD as u32) {
                return Err(StreamError::SizeMisaligned { tile, size });
            }
            check_payload(tile, size)?;
        }
        if self.stream_end() > stream_len {
            return Err(StreamError::PayloadTruncated { expected: self.stream_end(), actual: stream_len });
        }
        Ok(())
    }

    /// The stream's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Tiles in the stream.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the stream has no tiles, and so no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where the payload of tile `index` lies, in bytes from the start of the stream.
    ///
    /// # Panics
    ///
    /// If there is no such tile.
    #[must_use]
    pub fn compressed_range(&self, index: usize) -> Range<u64> {
        assert!(index < self.len(), "tile {index} of {}", self.len());
        let base = self.header.table_end() as u64;
        let start = self.offset(index);
        let end =
            if index + 1 < self.len() { self.offset(index + 1) } else { start + u64::from(self.entry(0)) };
        base + start..base + end
    }

    /// The place of tile `index` in the stream's content, in bytes.
    ///
    /// # Panics
    ///
    /// If there is no such tile.
    #[must_use]
    pub fn uncompressed_range(&self, index: usize) -> Range<u64> {
        assert!(index < self.len(), "tile {index} of {}", self.len());
        let start = index as u64 * TILE_SIZE as u64;
        start..self.header.uncompressed_size().min(start + TILE_SIZE as u64)
    }

    /// Where the last payload ends, in bytes from the start of the stream: the stream's own length.
    #[must_use]
    pub fn stream_end(&self) -> u64 {
        match self.len().checked_sub(1) {
            Some(last) => self.compressed_range(last).end,
            None => self.header.table_end() as u64,
        }
    }

    fn entry(&self, index: usize) -> u32 {
        u32::from_le_bytes(self.entries[index])
    }

    fn offset(&self, tile: usize) -> u64 {
        if tile == 0 { 0 } else { u64::from(self.entry(tile)) }
    }
}

fn check_payload(tile: usize, size: u32) -> Result<(), StreamError> {
    if size as usize > MAX_TILE_PAYLOAD {
        return Err(StreamError::PayloadTooLarge { tile, size });
    }
    Ok(())
}
