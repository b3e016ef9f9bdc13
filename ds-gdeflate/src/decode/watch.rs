//! Watching a tile being decoded.

use crate::inspect::TileReport;

/// Told what a tile is made of, as the careful decoder meets it. Passes over what it has no use for.
pub(super) trait Watch {
    /// Wants every symbol and stored byte: the fast paths, which tell nothing, stay out of it.
    const SYMBOLS: bool;

    /// A block of `bytes` stored bytes.
    fn stored(&mut self, _bytes: usize) {}

    /// A block with static codes.
    fn static_codes(&mut self) {}

    /// A block with codes of its own.
    fn dynamic_codes(&mut self) {}

    /// A literal.
    fn literal(&mut self) {}

    /// A match.
    fn copied(&mut self, _len: usize, _distance: usize) {}

    /// Tables are built for a block with codes of its own.
    fn built_tables(&mut self) {}

    /// The fast path gets going.
    fn started_rounds(&mut self) {}
}

/// Nobody watches.
#[derive(Debug)]
pub(super) struct Unwatched;

impl Watch for Unwatched {
    const SYMBOLS: bool = false;
}

impl Watch for &mut TileReport {
    const SYMBOLS: bool = true;

    fn stored(&mut self, bytes: usize) {
        self.stored_blocks += 1;
        self.stored_bytes += bytes as u64;
    }

    fn static_codes(&mut self) {
        self.static_blocks += 1;
    }

    fn dynamic_codes(&mut self) {
        self.dynamic_blocks += 1;
    }

    fn literal(&mut self) {
        self.literals += 1;
    }

    fn copied(&mut self, len: usize, distance: usize) {
        self.matches += 1;
        self.matched_bytes += len as u64;
        self.longest_match = self.longest_match.max(len);
        self.farthest_match = self.farthest_match.max(distance);
    }
}
