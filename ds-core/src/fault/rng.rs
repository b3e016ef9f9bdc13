//! Random numbers from a seed.

/// The splitmix64 sequence: small, fast, and the same on every machine. Not for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of that seed. Neighbouring seeds give unrelated sequences.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 if that is 0.
    pub const fn below(&mut self, limit: u64) -> u64 {
        ((self.draw() as u128 * limit as u128) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` if `high` is smaller.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.saturating_sub(low).checked_add(1) {
            Some(span) => low + self.below(span),
            None => self.draw(),
        }
    }

    /// True `share` times out of 65 536.
    pub const fn chance(&mut self, share: u16) -> bool {
        // What never happens draws nothing: a plan with one fault more or less keeps the rest of its sequence.
        share > 0 && (self.draw() >> 48) < share as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_and_reach_their_ends() {
        let mut rng = Rng::new(1);
        let (mut low, mut high) = (false, false);
        for _ in 0..1000 {
            let drawn = rng.between(3, 6);
            assert!((3..=6).contains(&drawn));
            low |= drawn == 3;
            high |= drawn == 6;
        }
        assert!(low && high);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(9, 2), 9);
        rng.between(0, u64::MAX);
    }

    #[test]
    fn chances_are_about_what_they_say() {
        let mut rng = Rng::new(2);
        let hits = (0..65_536).filter(|_| rng.chance(16_384)).count();
        assert!((15_000..18_000).contains(&hits), "{hits}");
        assert!(!rng.chance(0));
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let draw = |seed| core::array::from_fn::<u64, 4, _>(|_| Rng::new(seed).draw());
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
