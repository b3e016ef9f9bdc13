//! The eight bytes that open a stream.

use core::fmt;

use crate::error::StreamError;
use crate::format::{MAX_STREAM_SIZE, MAX_TILES, TILE_SIZE, WORD};

/// Which of the two identifiers a stream carries. The tiles are the same under both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodecId {
    /// `04 FB`: what the public reference writes, and all that its decoder accepts.
    #[default]
    Reference,
    /// `FE 01`: what the DirectStorage runtime writes, and game data made with it carries.
    DirectStorage,
}

impl CodecId {
    /// The identifier's byte. A stream has its complement in the byte behind it.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Reference => 0x04,
            Self::DirectStorage => 0xFE,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x04 => Some(Self::Reference),
            0xFE => Some(Self::DirectStorage),
            _ => None,
        }
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reference => "reference",
            Self::DirectStorage => "DirectStorage",
        })
    }
}

/// A stream's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    codec_id: CodecId,
    tile_count: u16,
    /// Bytes of content in the last tile; 0 stands for a full one.
    last_tile: u16,
}

impl Header {
    /// Bytes in a header.
    pub const SIZE: usize = 8;

    /// The one tile size index in use, for 64 KiB.
    const TILE_SIZE_INDEX: u32 = 1;

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// [`StreamError`]'s first six variants: too few bytes, or a field with a value that is not allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, StreamError> {
        let Some(&[id, check, count_low, count_high, f0, f1, f2, f3]) = bytes.first_chunk() else {
            return Err(StreamError::HeaderTruncated { expected: Self::SIZE, actual: bytes.len() });
        };
        let codec_id = match CodecId::from_byte(id) {
            Some(codec_id) if check == !id => codec_id,
            _ => return Err(StreamError::UnknownCodec { id, check }),
        };
        let fields = u32::from_le_bytes([f0, f1, f2, f3]);
        let (index, last, reserved) = (fields & 3, fields >> 2 & 0x3_FFFF, fields >> 20);
        if index != Self::TILE_SIZE_INDEX {
            return Err(StreamError::TileSizeIndex { actual: index as u8 });
        }
        if reserved != 0 {
            return Err(StreamError::ReservedBits { actual: reserved as u16 });
        }
        let Ok(last_tile) = u16::try_from(last) else {
            return Err(StreamError::LastTileSize { actual: last });
        };
        let tile_count = u16::from_le_bytes([count_low, count_high]);
        if tile_count == 0 && last_tile != 0 {
            return Err(StreamError::LastTileWithoutTiles { actual: last });
        }
        Ok(Self { codec_id, tile_count, last_tile })
    }

    /// The header of a stream with `uncompressed_size` bytes of content, or `None` above
    /// [`MAX_STREAM_SIZE`](crate::MAX_STREAM_SIZE).
    #[must_use]
    pub const fn for_size(codec_id: CodecId, uncompressed_size: u64) -> Option<Self> {
        if uncompressed_size > MAX_STREAM_SIZE {
            return None;
        }
        let tile_count = uncompressed_size.div_ceil(TILE_SIZE as u64) as u16;
        let last_tile = (uncompressed_size % TILE_SIZE as u64) as u16;
        Some(Self { codec_id, tile_count, last_tile })
    }

    /// The header as it stands in a stream.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::SIZE] {
        let id = self.codec_id.byte();
        let [count_low, count_high] = self.tile_count.to_le_bytes();
        let fields = Self::TILE_SIZE_INDEX | (self.last_tile as u32) << 2;
        let [f0, f1, f2, f3] = fields.to_le_bytes();
        [id, !id, count_low, count_high, f0, f1, f2, f3]
    }

    /// Which identifier the stream carries.
    #[must_use]
    pub const fn codec_id(&self) -> CodecId {
        self.codec_id
    }

    /// Tiles in the stream, at most [`MAX_TILES`](crate::MAX_TILES).
    #[must_use]
    pub const fn tile_count(&self) -> usize {
        self.tile_count as usize
    }

    /// Bytes of content, at most [`MAX_STREAM_SIZE`](crate::MAX_STREAM_SIZE).
    #[must_use]
    pub const fn uncompressed_size(&self) -> u64 {
        let full = self.tile_count as u64 * TILE_SIZE as u64;
        match self.last_tile {
            0 => full,
            last => full - TILE_SIZE as u64 + last as u64,
        }
    }

    /// Bytes of header and tile table: where the payloads begin.
    #[must_use]
    pub const fn table_end(&self) -> usize {
        Self::SIZE + self.tile_count as usize * WORD
    }
}

const _: () = assert!(MAX_TILES == u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_header_reads_and_writes_back() {
        // 1 000 003 bytes: 16 tiles, the last of 16 963 bytes.
        let bytes = [0x04, 0xFB, 0x10, 0x00, 0x0D, 0x09, 0x01, 0x00];
        let header = Header::parse(&bytes).expect("a header from the wild");
        assert_eq!(header.codec_id(), CodecId::Reference);
        assert_eq!(header.tile_count(), 16);
        assert_eq!(header.uncompressed_size(), 1_000_003);
        assert_eq!(header.table_end(), 72);
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(Header::for_size(CodecId::Reference, 1_000_003), Some(header));
    }

    #[test]
    fn sizes_round_trip_at_the_edges() {
        for size in [0, 1, 65_535, 65_536, 65_537, MAX_STREAM_SIZE - 1, MAX_STREAM_SIZE] {
            for id in [CodecId::Reference, CodecId::DirectStorage] {
                let header = Header::for_size(id, size).expect("not over the limit");
                assert_eq!(header.uncompressed_size(), size);
                assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
            }
        }
        assert_eq!(Header::for_size(CodecId::Reference, MAX_STREAM_SIZE + 1), None);
    }

    #[test]
    fn each_field_is_checked() {
        let good = [0xFE, 0x01, 1, 0, 0x05, 0, 0, 0];
        assert!(Header::parse(&good).is_ok());
        let with = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            Header::parse(&bytes)
        };
        for len in 0..Header::SIZE {
            assert_eq!(
                Header::parse(&good[..len]),
                Err(StreamError::HeaderTruncated { expected: 8, actual: len })
            );
        }
        assert_eq!(with(0, 0x04), Err(StreamError::UnknownCodec { id: 0x04, check: 0x01 }));
        assert_eq!(with(1, 0x00), Err(StreamError::UnknownCodec { id: 0xFE, check: 0x00 }));
        assert_eq!(with(2, 0), Err(StreamError::LastTileWithoutTiles { actual: 1 }));
        assert_eq!(with(4, 0x04), Err(StreamError::TileSizeIndex { actual: 0 }));
        assert_eq!(with(4, 0x07), Err(StreamError::TileSizeIndex { actual: 3 }));
        assert_eq!(with(6, 0x04), Err(StreamError::LastTileSize { actual: 65_537 }));
        assert_eq!(with(6, 0x10), Err(StreamError::ReservedBits { actual: 1 }));
        assert_eq!(with(7, 0xFF), Err(StreamError::ReservedBits { actual: 0xFF0 }));
    }
}
