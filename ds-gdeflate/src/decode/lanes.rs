//! The 32 lanes: bit buffers, and the dealing of the payload's words to them.

use crate::error::TileErrorKind;
use crate::format::{LANES, WORD};

/// The lanes' bit buffers.
///
/// Between turns every lane holds 32 to 63 bits, so what is kept is how many it has to spare beyond 32.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    /// The bits, next one lowest, zeros above the last.
    pub(super) bits: [u64; LANES],
    /// Bits in the lane, less 32.
    pub(super) spare: [u8; LANES],
}

impl Lanes {
    pub(super) const EMPTY: Self = Self { bits: [0; LANES], spare: [0; LANES] };
}

/// A payload being dealt.
#[derive(Debug)]
pub(super) struct Deal<'a> {
    /// The payload's words.
    pub(super) words: &'a [[u8; WORD]],
    /// The word that the next lane in need gets.
    pub(super) next: usize,
    pub(super) lanes: Lanes,
}

impl<'a> Deal<'a> {
    /// Nothing dealt yet: [`first_words`](Self::first_words) comes next.
    pub(super) fn new(words: &'a [[u8; WORD]]) -> Self {
        Self { words, next: 0, lanes: Lanes::EMPTY }
    }

    /// Gives every lane its first word.
    ///
    /// # Errors
    ///
    /// `Truncated`; `next` is then also the lane that got none.
    pub(super) fn first_words(&mut self) -> Result<(), TileErrorKind> {
        for bits in &mut self.lanes.bits {
            let word = self.words.get(self.next).ok_or(TileErrorKind::Truncated)?;
            *bits = u64::from(u32::from_le_bytes(*word));
            self.next += 1;
        }
        Ok(())
    }

    /// The lane's bits, next one lowest; 32 of them at least while its turn has not begun.
    pub(super) fn peek(&self, lane: usize) -> u64 {
        self.lanes.bits[lane]
    }

    /// Takes `count` bits. A turn takes 32 at most before [`refill`](Self::refill).
    pub(super) fn take(&mut self, lane: usize, count: u32) -> u32 {
        debug_assert!(count < 32);
        let value = self.lanes.bits[lane] as u32 & ((1 << count) - 1);
        self.lanes.bits[lane] >>= count;
        // Below zero within a turn; refilling sets it right.
        self.lanes.spare[lane] = self.lanes.spare[lane].wrapping_sub(count as u8);
        value
    }

    /// Ends a turn: deals the lane a word if it has fewer than 32 bits.
    ///
    /// # Errors
    ///
    /// `Truncated` if there is no word left.
    pub(super) fn refill(&mut self, lane: usize) -> Result<(), TileErrorKind> {
        let spare = &mut self.lanes.spare[lane];
        if *spare >= 32 {
            let word = self.words.get(self.next).ok_or(TileErrorKind::Truncated)?;
            // 32 fewer than none to spare is the number of bits that the lane still has.
            *spare = spare.wrapping_add(32);
            self.lanes.bits[lane] |= u64::from(u32::from_le_bytes(*word)) << *spare;
            self.next += 1;
        }
        Ok(())
    }
}
