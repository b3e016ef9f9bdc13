//! How large encoded data can become.

use crate::format::{LANES, MAX_STREAM_SIZE, TILE_SIZE, WORD};
use crate::stream::Header;

/// The most bytes that a stored block's 16-bit length can say.
pub(super) const MAX_STORED: usize = 0xFFFF;

/// Bits of a block's final flag and kind.
pub(super) const KIND_BITS: u32 = 3;

/// Bits of a stored block's length.
pub(super) const STORED_LEN_BITS: u32 = 16;

/// The largest encoded size, in bytes, of a tile of `raw_len` bytes, at any level and whatever its content.
///
/// That is the exact size of the tile stored, which the encoder falls back to. A tile takes at least 128 bytes: a
/// word for each lane.
///
/// ```
/// use ds_gdeflate::tile_bound;
///
/// assert_eq!(tile_bound(1), 132);
/// assert_eq!(tile_bound(65_536), 65_672);
/// ```
#[must_use]
pub const fn tile_bound(raw_len: usize) -> usize {
    let mut words = 0;
    let mut lane = 0;
    while lane < LANES {
        let mut bits = 0;
        let mut left = raw_len;
        while left > 0 {
            let block = if left < MAX_STORED { left } else { MAX_STORED };
            // Bytes are dealt to the lanes in turn, and lane 0 says how many they are.
            bits += 8 * ((block + LANES - 1 - lane) / LANES);
            if lane == 0 {
                bits += (KIND_BITS + STORED_LEN_BITS) as usize;
            }
            left -= block;
        }
        // Every lane is also given the word after the last it uses.
        words += bits.div_ceil(8 * WORD) + 1;
        lane += 1;
    }
    words * WORD
}

/// The largest size, in bytes, of a stream of `raw_len` bytes of content, container included.
///
/// `None` above [`MAX_STREAM_SIZE`].
///
/// ```
/// use ds_gdeflate::stream_bound;
///
/// assert_eq!(stream_bound(0), Some(8));
/// assert_eq!(stream_bound(65_537), Some(8 + 2 * 4 + 65_672 + 132));
/// ```
#[must_use]
pub const fn stream_bound(raw_len: u64) -> Option<u64> {
    if raw_len > MAX_STREAM_SIZE {
        return None;
    }
    let full_tiles = raw_len / TILE_SIZE as u64;
    let mut size = Header::SIZE as u64 + full_tiles * (WORD + tile_bound(TILE_SIZE)) as u64;
    let rest = (raw_len % TILE_SIZE as u64) as usize;
    if rest != 0 {
        size += (WORD + tile_bound(rest)) as u64;
    }
    Some(size)
}
