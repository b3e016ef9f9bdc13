//! How many rings, how deep, and what they may use.

use core::num::NonZeroUsize;

use crate::features::Features;

/// How an engine is to be set up. Nothing here has to be right for the kernel at hand: what it does not grant is done without.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct UringConfig {
    pub(crate) rings: NonZeroUsize,
    pub(crate) depth: NonZeroUsize,
    pub(crate) features: Features,
    pub(crate) source: Source,
}

/// Where rings come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The kernel.
    Kernel,
    /// A simulation that goes wrong as a seed says.
    #[cfg(any(test, feature = "__faults"))]
    Fake(crate::FakeFaults),
}

impl UringConfig {
    /// Rings there can be at most.
    pub const MAX_RINGS: usize = 64;
    /// Operations a ring can have in the kernel at most.
    pub const MAX_DEPTH: usize = 4096;
    /// Operations a ring has in the kernel at most, unless told.
    pub const DEFAULT_DEPTH: NonZeroUsize = NonZeroUsize::new(128).expect("128 is not 0");

    /// So many rings, each with a thread of its own; 1 unless told, at most [`MAX_RINGS`](Self::MAX_RINGS). One saturates most
    /// disks; more help where the ring's thread is busy all the time, as with files that are in the page cache.
    pub fn rings(mut self, rings: NonZeroUsize) -> Self {
        self.rings = rings.min(const { NonZeroUsize::new(Self::MAX_RINGS).expect("it is not 0") });
        self
    }

    /// So many operations of each ring in the kernel at once; [`DEFAULT_DEPTH`](Self::DEFAULT_DEPTH) unless told, at most
    /// [`MAX_DEPTH`](Self::MAX_DEPTH). More wait in the engine.
    pub fn depth(mut self, depth: NonZeroUsize) -> Self {
        self.depth = depth.min(const { NonZeroUsize::new(Self::MAX_DEPTH).expect("it is not 0") });
        self
    }

    /// Asks for these; [`Features::DEFAULT`] unless told.
    pub const fn features(mut self, features: Features) -> Self {
        self.features = features;
        self
    }

    /// Uses no rings of the kernel's but simulated ones, which do the work and go wrong as `faults` say.
    #[cfg(any(test, feature = "__faults"))]
    pub const fn fake(mut self, faults: crate::FakeFaults) -> Self {
        self.source = Source::Fake(faults);
        self
    }
}

impl Default for UringConfig {
    fn default() -> Self {
        Self {
            rings: NonZeroUsize::MIN,
            depth: Self::DEFAULT_DEPTH,
            features: Features::DEFAULT,
            source: Source::Kernel,
        }
    }
}
