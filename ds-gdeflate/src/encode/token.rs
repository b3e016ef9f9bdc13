//! What a parser makes of a tile: literals and matches, each in one `u32`.

use super::symbols::{distance_symbol, length_symbol};

/// Matches longer than this are cut. The few extra matches of an all-equal tile cost nothing next to the 128 bytes
/// of lane words.
pub(super) const MAX_MATCH: usize = 0xFEFF;

/// A literal or a match.
///
/// The high half is an index into one table of code words ([`super::symbols`]): the byte itself for a literal,
/// 256 + length for a match. The low half is the distance less one, 0 for a literal.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Token(u32);

impl Token {
    pub(super) const NONE: Self = Self(0);

    #[inline(always)]
    pub(super) const fn literal(byte: u8) -> Self {
        Self((byte as u32) << 16)
    }

    /// A match of `len` bytes (3 to [`MAX_MATCH`]) starting `distance` bytes (1 to 65535) back.
    #[inline(always)]
    pub(super) const fn matched(len: usize, distance: u16) -> Self {
        Self((256 + len as u32) << 16 | (distance as u32 - 1))
    }

    #[inline(always)]
    pub(super) const fn to_bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    #[inline(always)]
    pub(super) const fn is_match(self) -> bool {
        self.0 >= 256 << 16
    }

    /// Bytes covered.
    #[inline(always)]
    pub(super) const fn len(self) -> usize {
        if self.is_match() { self.index() - 256 } else { 1 }
    }

    /// Its literal/length symbol and, for a match, its distance symbol.
    #[inline(always)]
    pub(super) fn symbols(self) -> (usize, Option<usize>) {
        if self.is_match() {
            (length_symbol(self.len()), Some(distance_symbol(self.offset())))
        } else {
            (self.index(), None)
        }
    }

    /// The byte, or 256 + length.
    #[inline(always)]
    pub(super) const fn index(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// The distance less one.
    #[inline(always)]
    pub(super) const fn offset(self) -> u32 {
        self.0 & 0xFFFF
    }
}
