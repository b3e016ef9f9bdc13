//! The rule by which a measurement counts: of each tile its fastest round, which is what it takes when nothing disturbs.
//!
//! Whoever is compared takes turns round by round, so that all see the machine at the same times; and a round goes over all
//! tiles, so that no tile is met again while caches and branch predictors remember it.

use core::time::Duration;
use std::time::Instant;

use crate::TILE_SIZE;

/// The fastest times so far of one decoder.
#[derive(Clone, Debug)]
pub struct Fastest(Vec<Duration>);

impl Fastest {
    /// For `content` in tiles.
    pub fn new(content: &[u8]) -> Self {
        Self(vec![Duration::MAX; content.len().div_ceil(TILE_SIZE)])
    }

    /// One round: has each tile, by its number, decoded to its place in `out`, and checks that this gave `content`.
    ///
    /// # Panics
    ///
    /// If the output is wrong.
    pub fn round(&mut self, content: &[u8], out: &mut [u8], mut decode: impl FnMut(usize, &mut [u8])) {
        checked(content, out, |out| {
            for (index, (out, fastest)) in out.chunks_mut(TILE_SIZE).zip(&mut self.0).enumerate() {
                let start = Instant::now();
                decode(index, out);
                *fastest = start.elapsed().min(*fastest);
            }
        });
    }

    /// What all tiles take together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.0.iter().sum::<Duration>().as_secs_f64()
    }
}

/// The time of decoding all tiles into `out`, checked to be `content`.
///
/// `out` is filled before, so that no round pays for the first touch of a page and none passes with the bytes of the last.
///
/// # Panics
///
/// If the output is wrong.
pub fn checked(content: &[u8], out: &mut [u8], decode: impl FnOnce(&mut [u8])) -> Duration {
    out.fill(0xA5);
    let start = Instant::now();
    decode(out);
    let time = start.elapsed();
    assert!(*out == *content, "the output is wrong");
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tile_counts_once() {
        let content = vec![7; TILE_SIZE + 1];
        let mut out = vec![0; content.len()];
        let mut fastest = Fastest::new(&content);
        let mut seen = Vec::new();
        for _ in 0..2 {
            fastest.round(&content, &mut out, |index, out| {
                seen.push((index, out.len()));
                out.fill(7);
            });
        }
        assert_eq!(seen, [(0, TILE_SIZE), (1, 1), (0, TILE_SIZE), (1, 1)]);
        assert!((0.0..10.0).contains(&fastest.seconds()));
    }

    #[test]
    #[should_panic(expected = "the output is wrong")]
    fn a_decoder_that_does_nothing_is_found_out() {
        Fastest::new(&[7; 3]).round(&[7; 3], &mut [7; 3], |_, _| {});
    }
}
