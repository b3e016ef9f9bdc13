//! What a tile is made of.

use core::ops::AddAssign;

/// The makings of a tile, or of several added up. From [`Decoder::inspect_tile`](crate::Decoder::inspect_tile).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TileReport {
    /// Blocks of bytes that are not compressed.
    pub stored_blocks: u64,
    /// Blocks with the codes that the format lays down.
    pub static_blocks: u64,
    /// Blocks with codes of their own.
    pub dynamic_blocks: u64,
    /// Bytes of content in stored blocks.
    pub stored_bytes: u64,
    /// Bytes of content that are literals.
    pub literals: u64,
    /// Matches.
    pub matches: u64,
    /// Bytes of content that matches copy.
    pub matched_bytes: u64,
    /// The longest match, in bytes.
    pub longest_match: usize,
    /// The farthest match, in bytes back.
    pub farthest_match: usize,
}

impl TileReport {
    /// Blocks of all kinds.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.stored_blocks + self.static_blocks + self.dynamic_blocks
    }

    /// Bytes of content.
    #[must_use]
    pub const fn content(&self) -> u64 {
        self.stored_bytes + self.literals + self.matched_bytes
    }
}

impl AddAssign for TileReport {
    fn add_assign(&mut self, other: Self) {
        self.stored_blocks += other.stored_blocks;
        self.static_blocks += other.static_blocks;
        self.dynamic_blocks += other.dynamic_blocks;
        self.stored_bytes += other.stored_bytes;
        self.literals += other.literals;
        self.matches += other.matches;
        self.matched_bytes += other.matched_bytes;
        self.longest_match = self.longest_match.max(other.longest_match);
        self.farthest_match = self.farthest_match.max(other.farthest_match);
    }
}
