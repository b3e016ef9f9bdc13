//! Writing rounds: runs of literals and matches, from left to right, by copies of 16 and 32 bytes that write too much.

#![allow(unsafe_code)]

use super::wide::{ROOM, Round, distance};
use crate::format::LANES;

/// Writes a round's output, given the turns of the round after it, the distances among them.
///
/// Also writes up to [`ROOM`] bytes of no meaning behind it. A round that does not fit, or that copies from before the
/// output, is written up to there: whoever calls has refused it before.
///
/// `literals_before` says how many of the round's literals come before a lane. `shuffle` picks 16 of 16 bytes.
///
/// Part of its caller: a call in every round would throw the vectors out of their registers.
///
/// # Safety
///
/// `literals_before` says 32 at most, and for no lane less than for one before it.
#[inline(always)]
pub(super) unsafe fn write(
    out: &mut [u8],
    round: &Round,
    after: &[u32; LANES],
    literals_before: impl Fn(&Round, u32) -> usize,
    shuffle: impl Fn([u8; 16], &[u8; 16]) -> [u8; 16],
) {
    let mut at = round.start;
    let mut matches = round.matches;
    let mut literals = 0;
    let Some(limit) = out.len().checked_sub(ROOM).filter(|&limit| at <= limit) else { return };
    // At the start of each pass, as here, there are `ROOM` bytes from `at` on.
    while matches != 0 {
        let lane = matches.trailing_zeros();
        matches &= matches - 1;
        let before = literals_before(round, lane);
        let lane = lane as usize;
        let (len, distance) = (round.match_len(lane), distance(after[lane]));
        // SAFETY: there is room, see above; `literals` is 0 or what `literals_before` said.
        unsafe { copy_literals(out, at, round, literals) };
        at += before - literals;
        literals = before;
        if distance > at || at + len > limit {
            return;
        }
        // SAFETY: just checked.
        unsafe { copy_match(out, at, distance, len, &shuffle) };
        at += len;
    }
    // SAFETY: there is room, see above; `literals` is 0 or what `literals_before` said.
    unsafe { copy_literals(out, at, round, literals) };
}

/// Copies a run of literals, always as if it were a whole round's.
///
/// # Safety
///
/// `out` has 32 bytes from `at` on. `from` is 32 at most.
#[inline(always)]
unsafe fn copy_literals(out: &mut [u8], at: usize, round: &Round, from: usize) {
    // SAFETY: there are 64 literals.
    let literals: [u8; LANES] = unsafe { load(&round.literals, from) };
    // SAFETY: the caller vouches for it.
    unsafe { store(out, at, literals) };
}

/// Copies a match of `len` bytes to `at`, and fewer than 32 bytes of no meaning behind it.
///
/// # Safety
///
/// `distance` is 1 to `at`, and `out` has [`ROOM`] bytes behind the match.
#[inline(always)]
unsafe fn copy_match(
    out: &mut [u8],
    at: usize,
    distance: usize,
    len: usize,
    shuffle: impl Fn([u8; 16], &[u8; 16]) -> [u8; 16],
) {
    let from = at - distance;
    let end = at + len;
    // What is less than 16 bytes back repeats within them.
    // SAFETY: the 16 bytes end before `at + 16`.
    let chunk = shuffle(unsafe { load(out, from) }, &PATTERNS[distance.min(16)].shuffle);
    // SAFETY: there are `ROOM` bytes from `at` on.
    unsafe { store(out, at, chunk) };
    if len <= 16 {
        return;
    }
    let mut at = at;
    if distance >= 32 {
        at += 16;
        while at < end {
            // SAFETY: the 32 bytes end before those that are stored.
            let chunk: [u8; 32] = unsafe { load(out, at - distance) };
            // SAFETY: there are `ROOM` bytes behind the match.
            unsafe { store(out, at, chunk) };
            at += 32;
        }
    } else if distance >= 16 {
        at += 16;
        while at < end {
            // SAFETY: the 16 bytes end before those that are stored.
            let chunk: [u8; 16] = unsafe { load(out, at - distance) };
            // SAFETY: there are `ROOM` bytes behind the match.
            unsafe { store(out, at, chunk) };
            at += 16;
        }
    } else {
        let step = PATTERNS[distance].step;
        at += step;
        while at < end {
            // SAFETY: there are `ROOM` bytes behind the match.
            unsafe { store(out, at, chunk) };
            at += step;
        }
    }
}

/// Loads bytes.
///
/// # Safety
///
/// There are as many from `at` on.
#[inline(always)]
unsafe fn load<const SIZE: usize>(bytes: &[u8], at: usize) -> [u8; SIZE] {
    debug_assert!(at + SIZE <= bytes.len());
    // SAFETY: the caller vouches for it.
    let from = unsafe { bytes.as_ptr().add(at) };
    // SAFETY: as above; an array of bytes may lie anywhere.
    unsafe { from.cast::<[u8; SIZE]>().read() }
}

/// Stores bytes.
///
/// # Safety
///
/// There is room for as many from `at` on.
#[inline(always)]
unsafe fn store<const SIZE: usize>(bytes: &mut [u8], at: usize, stored: [u8; SIZE]) {
    debug_assert!(at + SIZE <= bytes.len());
    // SAFETY: the caller vouches for it.
    let to = unsafe { bytes.as_mut_ptr().add(at) };
    // SAFETY: as above; an array of bytes may lie anywhere.
    unsafe { to.cast::<[u8; SIZE]>().write(stored) };
}

/// How 16 bytes repeat their first few.
#[derive(Clone, Copy)]
struct Pattern {
    /// Which of them goes where.
    shuffle: [u8; 16],
    /// How many of them are whole repeats.
    step: usize,
}

/// The patterns of distances up to 16.
static PATTERNS: [Pattern; 17] = {
    let mut patterns = [Pattern { shuffle: [0; 16], step: 0 }; 17];
    let mut distance = 1;
    while distance <= 16 {
        let mut at = 0;
        while at < 16 {
            patterns[distance].shuffle[at] = (at % distance) as u8;
            at += 1;
        }
        patterns[distance].step = 16 / distance * distance;
        distance += 1;
    }
    patterns
};
