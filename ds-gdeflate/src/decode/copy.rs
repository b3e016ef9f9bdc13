//! Copying literals and matches: exactly, or faster and further than asked.

use crate::format::LANES;

/// Bytes of a match that are copied one by one in no more time than it takes to get going with many.
const SHORT: usize = 8;

/// Copies a match that ends where `out` ends, exactly: `out[at..]` from `distance` bytes before.
///
/// # Panics
///
/// If `distance` is 0 or more than `at`.
pub(super) fn copy_match(out: &mut [u8], at: usize, distance: usize) {
    if out.len() - at <= SHORT {
        for at in at..out.len() {
            out[at] = out[at - distance];
        }
        return;
    }
    let mut at = at;
    let from = at - distance;
    // What is there already repeats: each pass can copy all of it, twice as much as the one before.
    while at < out.len() {
        let len = (at - from).min(out.len() - at);
        out.copy_within(from..from + len, at);
        at += len;
    }
}

/// Copies a run of literals, always as if it were a whole round's.
///
/// `None` if that would leave `out`.
#[inline(always)]
pub(super) fn copy_literals(
    out: &mut [u8],
    at: usize,
    literals: &[u8; 2 * LANES],
    from: usize,
) -> Option<()> {
    let source: &[u8; LANES] = literals.get(from..)?.first_chunk()?;
    *out.get_mut(at..)?.first_chunk_mut()? = *source;
    Some(())
}

/// Match copies that may write beyond the match.
pub(super) struct Wild;

impl Wild {
    /// Bytes of output that must follow a match or a run of literals.
    pub(super) const ROOM: usize = 32;

    const CHUNK: usize = 16;

    /// Copies a match of `len` bytes to `at` from `distance` bytes before, and up to [`ROOM`](Self::ROOM) bytes
    /// of no meaning behind it.
    ///
    /// `None` if the source begins before `out`, or the copy would leave it.
    #[inline(always)]
    pub(super) fn copy(out: &mut [u8], at: usize, distance: usize, len: usize) -> Option<()> {
        let from = at.checked_sub(distance)?;
        if distance < Self::CHUNK {
            return Self::repeat(out, from, at, distance, len);
        }
        let mut done = 0;
        loop {
            let chunk: [u8; Self::CHUNK] = *out.get(from + done..)?.first_chunk()?;
            *out.get_mut(at + done..)?.first_chunk_mut()? = chunk;
            done += Self::CHUNK;
            if done >= len {
                return Some(());
            }
        }
    }

    /// Copies a match whose source overlaps it by more than a chunk allows.
    #[inline(always)]
    fn repeat(out: &mut [u8], from: usize, at: usize, distance: usize, len: usize) -> Option<()> {
        const HALF: usize = 8;
        let mut chunk: [u8; HALF] = *out.get(from..)?.first_chunk()?;
        let mut step = HALF;
        if distance < HALF {
            // The pattern, over and over; its whole repeats in 8 bytes are what a step covers.
            let pattern = u64::from_le_bytes(chunk) & (u64::MAX >> (64 - 8 * distance));
            chunk = pattern.wrapping_mul(REPEATS[distance]).to_le_bytes();
            step = STEPS[distance];
        }
        let mut done = 0;
        loop {
            *out.get_mut(at + done..)?.first_chunk_mut()? = chunk;
            done += step;
            if done >= len {
                return Some(());
            }
            if distance >= HALF {
                chunk = *out.get(from + done..)?.first_chunk()?;
            }
        }
    }
}

/// Multipliers that fill 8 bytes with copies of 1 to 7 bytes.
const REPEATS: [u64; 8] = {
    let mut repeats = [0; 8];
    let mut distance = 1;
    while distance < 8 {
        let mut at = 0;
        while at < 8 {
            repeats[distance] |= 1 << (8 * at);
            at += distance;
        }
        distance += 1;
    }
    repeats
};

/// The largest multiple of 1 to 7 that is 8 at most.
const STEPS: [usize; 8] = [0, 8, 8, 6, 8, 5, 6, 7];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(copy: impl Fn(&mut [u8], usize, usize, usize), slack: usize) {
        for distance in 1..80 {
            for len in 3..300 {
                let mut out = [0xEE_u8; 80 + 300 + Wild::ROOM];
                for (at, byte) in out[..80].iter_mut().enumerate() {
                    *byte = at as u8;
                }
                let mut expected = out;
                for at in 80..80 + len {
                    expected[at] = expected[at - distance];
                }
                copy(&mut out[..80 + len + slack], 80, distance, len);
                assert_eq!(out[..80 + len], expected[..80 + len], "distance {distance}, length {len}");
            }
        }
    }

    #[test]
    fn exact_copies_repeat_their_source() {
        check(|out, at, distance, _| copy_match(out, at, distance), 0);
    }

    #[test]
    fn wild_copies_repeat_their_source_and_stay_in_their_room() {
        check(|out, at, distance, len| Wild::copy(out, at, distance, len).expect("room"), Wild::ROOM);
    }

    #[test]
    fn wild_copies_refuse_a_source_before_the_start() {
        assert_eq!(Wild::copy(&mut [0; 100], 10, 11, 3), None);
        assert_eq!(Wild::copy(&mut [0; 100], 10, 65_536, 3), None);
    }
}
