//! How hard the encoder tries.

use core::fmt;

/// A compression level, 0 to 12.
///
/// Every number of the range is valid, so that a level stored in a build script or a pack keeps its meaning when
/// more parsers arrive. [`implemented`](Self::implemented) tells which parser a level runs today.
///
/// ```
/// use ds_gdeflate::Level;
///
/// assert_eq!(Level::default(), Level::DEFAULT);
/// assert_eq!(Level::new(6), Some(Level::DEFAULT));
/// assert_eq!(Level::new(12).unwrap().implemented(), Level::DEFAULT);
/// assert_eq!(Level::new(13), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// Level 0: stored, no compression.
    pub const STORED: Self = Self(0);
    /// Level 1: a hash table with two candidates a position, greedy.
    pub const FAST: Self = Self(1);
    /// Level 6: hash chains, lazy. What most callers want.
    pub const DEFAULT: Self = Self(6);
    /// Level 12, the highest number accepted.
    pub const MAX: Self = Self(12);

    /// The level of that number, `None` above 12.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number, 0 to 12.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The level that really runs: 0 is [`STORED`](Self::STORED), 1 to 3 are [`FAST`](Self::FAST), 4 to 12 are
    /// [`DEFAULT`](Self::DEFAULT).
    #[must_use]
    pub const fn implemented(self) -> Self {
        match self.0 {
            0 => Self::STORED,
            1..=3 => Self::FAST,
            _ => Self::DEFAULT,
        }
    }
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
