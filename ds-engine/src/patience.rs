//! How long a thread looks for what it waits for before it sleeps.
//!
//! To sleep and be woken takes tens of microseconds, a small read from the page cache one. So a thread that expects something soon
//! looks for a little, as long as that has paid lately.

use core::time::Duration;
use std::time::Instant;

/// How long a thread looks unless told: about what it takes a caller that slept to wake up and submit more, for waking costs some 20 us
/// on each side.
const LOOK: Duration = Duration::from_micros(50);
/// Looks between two glances at the clock, and two offers of the core to someone else.
const GLANCES: u32 = 16;
/// After so many looks in vain a thread goes to sleep at once...
const DISCOURAGED: u32 = 8;
/// ...but tries again every so often.
const RETRY: u32 = 32;

/// Looks for a while, if that has paid lately.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long.
    look: Duration,
    /// Times since the last success that looking was in vain or was not tried.
    misses: u32,
}

impl Default for Patience {
    /// Looks for some 50 microseconds.
    fn default() -> Self {
        Self::lasting(LOOK)
    }
}

impl Patience {
    /// How long to look for what a device does: a submission's round trip takes 20 to 60 us on the machines measured, and whoever waited
    /// for it takes some time to submit the next.
    pub const DEVICE: Duration = Duration::from_micros(150);

    /// Looks for so long at most: a little longer than what is waited for takes where looking is to pay. In vain it costs that time once
    /// in 32 waits.
    #[must_use]
    pub const fn lasting(look: Duration) -> Self {
        Self { look, misses: 0 }
    }

    /// Whether to look at all.
    #[must_use]
    pub const fn is_left(&mut self) -> bool {
        let left = self.misses < DISCOURAGED || self.misses.is_multiple_of(RETRY);
        if !left {
            self.misses = self.misses.wrapping_add(1);
        }
        left
    }

    /// Looks until `found` says yes, or its time is over. Returns whether it did.
    pub fn look(&mut self, mut found: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        loop {
            for _ in 0..GLANCES {
                if found() {
                    self.note(true);
                    return true;
                }
                core::hint::spin_loop();
            }
            if start.elapsed() > self.look {
                self.note(false);
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// For whoever looks in a way of its own: whether that has paid.
    pub const fn note(&mut self, found: bool) {
        self.misses = if found { 0 } else { self.misses.wrapping_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_in_vain_ends_and_becomes_rare() {
        let mut patience = Patience::default();
        let mut looks = 0;
        for _ in 0..DISCOURAGED + 10 * RETRY {
            if patience.is_left() {
                assert!(!patience.look(|| false));
                looks += 1;
            }
        }
        assert!((DISCOURAGED..DISCOURAGED + 12).contains(&looks), "{looks}");
        while !patience.is_left() {}
        assert!(patience.look(|| true));
        assert!(patience.is_left());
        assert_eq!(patience.misses, 0);
    }

    #[test]
    fn one_that_lasts_longer_finds_what_comes_later() {
        let mut patience = Patience::lasting(Duration::from_secs(3600));
        let start = Instant::now();
        assert!(patience.look(|| start.elapsed() > 20 * LOOK));
        assert!(!Patience::lasting(Duration::ZERO).look(|| false));
    }
}
