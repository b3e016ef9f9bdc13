//! The rule by which a round counts.

use core::time::Duration;
use std::time::Instant;

/// Measures one decoding into `out`, and checks that it gave `expected`. `out` is filled before, so that no round
/// pays for the first touch of a page and none passes with the bytes of the last.
///
/// # Panics
///
/// If the output is wrong.
pub fn checked(out: &mut [u8], expected: &[u8], decode: impl FnOnce(&mut [u8])) -> Duration {
    out.fill(0xA5);
    let start = Instant::now();
    decode(out);
    let time = start.elapsed();
    assert!(*out == *expected, "the output is wrong");
    time
}

/// The middle one of several rounds, in seconds.
pub fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_round_counts() {
        assert_eq!(median([9, 1, 2].map(Duration::from_secs).to_vec()), 2.0);
    }

    #[test]
    #[should_panic(expected = "the output is wrong")]
    fn a_decoder_that_does_nothing_is_found_out() {
        let mut out = [7; 3];
        checked(&mut out, &[7; 3], |_| {});
    }
}
