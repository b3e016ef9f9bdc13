//! The tile being compressed, padded so that wide loads need no end test.

use crate::format::TILE_SIZE;

/// The most bytes that [`Window::match_len_to`] compares; a power of two.
pub(super) const MAX_COMPARED: usize = 512;

/// Bytes a load may reach past the last byte of the tile.
const PADDING: usize = MAX_COMPARED + 8;

/// A private copy of one tile.
///
/// The fixed size lets positions held as `u16` be loaded from without bounds checks, and the zeros behind the tile
/// let matches be compared eight bytes at a time; lengths are clamped to the tile afterwards.
#[derive(Clone, Copy)]
pub(super) struct Window {
    bytes: [u8; TILE_SIZE + PADDING],
    len: usize,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; TILE_SIZE + PADDING], len: 0 }
    }

    /// Takes a tile of at most [`TILE_SIZE`] bytes.
    pub(super) fn load(&mut self, raw: &[u8]) {
        self.bytes[..raw.len()].copy_from_slice(raw);
        self.bytes[raw.len()..raw.len() + PADDING].fill(0);
        self.len = raw.len();
    }

    /// Bytes in the tile.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn byte(&self, at: u16) -> u8 {
        self.bytes[usize::from(at)]
    }

    #[inline(always)]
    pub(super) fn load32(&self, at: u16) -> u32 {
        self.bytes[usize::from(at)..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    #[inline(always)]
    pub(super) fn load64(&self, at: usize) -> u64 {
        self.bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// How many bytes from `at` on repeat those from `earlier` on, given that the first `known` do.
    #[inline(always)]
    pub(super) fn match_len(&self, earlier: u16, at: u16, known: usize) -> usize {
        let (earlier, at) = (usize::from(earlier), usize::from(at));
        let most = self.len - at;
        let mut len = known;
        while len < most {
            let difference = self.load64(earlier + len) ^ self.load64(at + len);
            if difference != 0 {
                return most.min(len + difference.trailing_zeros() as usize / 8);
            }
            len += 8;
        }
        most
    }

    /// The bits that differ between eight bytes and eight others, as if the zeros behind the tile belonged to it.
    #[inline(always)]
    pub(super) fn difference(&self, earlier: u16, at: u16) -> u64 {
        self.load64(earlier.into()) ^ self.load64(at.into())
    }

    /// How many bytes are the same in both places, no more than `most`, which is less than [`MAX_COMPARED`] and keeps inside the tile.
    #[inline(always)]
    pub(super) fn match_len_to(&self, earlier: u16, at: u16, known: usize, most: usize) -> usize {
        let mut len = known;
        loop {
            let difference = self.load64_ahead(earlier, len) ^ self.load64_ahead(at, len);
            if difference != 0 {
                return most.min(len + difference.trailing_zeros() as usize / 8);
            }
            len += 8;
            if len >= most {
                return most;
            }
        }
    }

    #[inline(always)]
    fn load64_ahead(&self, at: u16, ahead: usize) -> u64 {
        self.load64(usize::from(at) + ahead % MAX_COMPARED)
    }

    /// Whether the byte `ahead` bytes on from the earlier place is less than the one from the other.
    #[inline(always)]
    pub(super) fn ascends(&self, earlier: u16, at: u16, ahead: usize) -> bool {
        let ahead = ahead % MAX_COMPARED;
        self.bytes[usize::from(earlier) + ahead] < self.bytes[usize::from(at) + ahead]
    }

    /// Whether four bytes, `ahead` bytes on from both places, are the same.
    #[inline(always)]
    pub(super) fn agree(&self, earlier: u16, at: u16, ahead: usize) -> bool {
        let (earlier, at) = (usize::from(earlier) + ahead, usize::from(at) + ahead);
        self.bytes[earlier..earlier + 4] == self.bytes[at..at + 4]
    }
}
