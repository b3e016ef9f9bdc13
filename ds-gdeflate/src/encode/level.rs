//! How hard the encoder tries.

use core::fmt;

use super::optimal::Effort;
use super::tree::Search;
use super::{lazy, optimal};
use crate::format::TILE_SIZE;

/// A compression level, 0 to 12. Each is at least as small as the one below on every kind of content that we
/// measure, and slower.
///
/// | level | parser |
/// |---|---|
/// | 0 | stored |
/// | 1 | greedy, two candidates a position |
/// | 2 to 7 | lazy, hash chains of rising depth |
/// | 8 to 12 | near-optimal: all matches weighed, in a rising number of passes |
///
/// `docs/encoder.md` of the repository has sizes and speeds. [`FASTEST`](Self::FASTEST), [`DEFAULT`](Self::DEFAULT) and
/// [`BEST_RATIO`](Self::BEST_RATIO) are the levels that DirectStorage's tools use for their settings of these names.
///
/// ```
/// use ds_gdeflate::Level;
///
/// assert_eq!(Level::default(), Level::DEFAULT);
/// assert_eq!(Level::new(12), Some(Level::BEST_RATIO));
/// assert_eq!(Level::new(13), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// Level 0: stored, no compression.
    pub const STORED: Self = Self(0);
    /// Level 1: what DirectStorage calls `FASTEST`.
    pub const FASTEST: Self = Self(1);
    /// The last level whose parser is a lazy one.
    pub(super) const THOROUGH_LAZY: Self = Self(7);
    /// Level 9: what DirectStorage calls `DEFAULT`, and what this project uses unless told otherwise. Level 6 gives most of
    /// it at four times the speed.
    pub const DEFAULT: Self = Self(9);
    /// Level 12: what DirectStorage calls `BEST_RATIO`. For builds that are shipped.
    pub const BEST_RATIO: Self = Self(12);

    /// The level of that number, `None` above 12.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::BEST_RATIO.0 { Some(Self(number)) } else { None }
    }

    /// The number, 0 to 12.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// What splits a tile into tokens at this level; `None` if the tile is stored.
    pub(super) const fn parser(self) -> Option<Parser> {
        const fn lazy(depth: u32, nice: usize) -> Option<Parser> {
            Some(Parser::Lazy(lazy::Effort { depth, nice }))
        }
        const fn optimal(search: (u32, u32, usize, usize), block_size: usize, passes: u32) -> Option<Parser> {
            let (near, depth, nice, tail) = search;
            Some(Parser::Optimal(Effort { search: Search { near, depth, nice, tail }, block_size, passes }))
        }
        /// Long matches are entered from end to end.
        const WHOLE: usize = TILE_SIZE;
        match self.0 {
            0 => None,
            1 => Some(Parser::Fast),
            2 => lazy(4, 16),
            3 => lazy(6, 20),
            4 => lazy(9, 32),
            5 => lazy(13, 40),
            6 => lazy(20, 48),
            7 => lazy(64, 130),
            8 => optimal((1, 12, 24, 64), 4096, 1),
            9 => optimal((1, 14, 36, 8), 4096, 1),
            10 => optimal((2, 24, 80, 64), 2048, 1),
            11 => optimal((4, 40, 80, WHOLE), 1024, 2),
            _ => optimal((8, 64, 258, WHOLE), 1024, 4),
        }
    }

    /// Whether it takes more memory than the rest.
    pub(super) const fn is_near_optimal(self) -> bool {
        self.0 >= 8
    }

    /// Whether codes are worth a longer search.
    pub(super) const fn is_thorough(self) -> bool {
        matches!(self.0, 7 | 9..)
    }
}

/// The ways to split a tile into tokens.
#[derive(Clone, Copy)]
pub(super) enum Parser {
    Fast,
    Lazy(lazy::Effort),
    Optimal(optimal::Effort),
}

impl Default for Level {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
