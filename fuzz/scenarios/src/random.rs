//! Random numbers from a seed.

use ds_cli::assets::random;

/// The generator that the demo's assets come from, with what mutations ask of it.
#[derive(Clone, Debug)]
pub struct Random(random::Random);

impl Random {
    /// A generator that gives the same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(random::Random::new(seed))
    }

    /// A number of 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.below(end.max(1) as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
