//! What an engine got.

use core::fmt;
use core::num::NonZeroUsize;

use crate::features::Features;

/// How an engine was set up in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Rings there are.
    pub rings: NonZeroUsize,
    /// Operations each can have in the kernel at once.
    pub depth: NonZeroUsize,
    /// What the kernel granted of what was asked for.
    pub features: Features,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rings of depth {}, features {}", self.rings, self.depth, self.features)
    }
}
