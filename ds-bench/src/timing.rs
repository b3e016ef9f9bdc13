//! The rule by which a measurement counts: of each tile its fastest round, which is what it takes when nothing disturbs.
//!
//! Whoever is compared takes turns round by round, so that all see the machine at the same times; and a round goes over all
//! tiles, so that no tile is met again while caches and branch predictors remember it.
//!
//! Where time would mean nothing, under an emulator, instructions are counted instead, each as a nanosecond: `DS_INSTRUCTIONS` names
//! the file in which a plugin of the emulator keeps their number (`ds-gdeflate/benches/count_instructions.c`).

use core::time::Duration;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use crate::TILE_SIZE;

/// What is measured.
static CLOCK: LazyLock<Clock> = LazyLock::new(|| {
    std::env::var_os("DS_INSTRUCTIONS")
        .map_or_else(|| Clock::Time(Instant::now()), |file| Clock::Instructions(file.into()))
});

enum Clock {
    /// Time, since then.
    Time(Instant),
    /// The number of instructions in this file: as many nanoseconds.
    Instructions(PathBuf),
}

impl Clock {
    fn now(&self) -> Duration {
        match self {
            Self::Time(start) => start.elapsed(),
            Self::Instructions(file) => {
                let count = std::fs::read(file).ok().and_then(|count| count.try_into().ok());
                let count = count.expect("DS_INSTRUCTIONS names a file of 8 bytes");
                Duration::from_nanos(u64::from_ne_bytes(count))
            }
        }
    }
}

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
                let start = CLOCK.now();
                decode(index, out);
                *fastest = (CLOCK.now() - start).min(*fastest);
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
    let start = CLOCK.now();
    decode(out);
    let time = CLOCK.now() - start;
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
    fn instructions_count_as_nanoseconds() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("count");
        let clock = Clock::Instructions(file.clone());
        for count in [0_u64, 1_500_000_000] {
            std::fs::write(&file, count.to_ne_bytes()).unwrap();
            assert_eq!(clock.now(), Duration::from_nanos(count));
        }
    }

    #[test]
    #[should_panic(expected = "DS_INSTRUCTIONS names a file of 8 bytes")]
    fn a_counter_that_is_not_there_is_no_clock() {
        Clock::Instructions("no such file".into()).now();
    }

    #[test]
    #[should_panic(expected = "the output is wrong")]
    fn a_decoder_that_does_nothing_is_found_out() {
        Fastest::new(&[7; 3]).round(&[7; 3], &mut [7; 3], |_, _| {});
    }
}
