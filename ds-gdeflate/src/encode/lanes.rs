//! Deals bits to the 32 lanes and their words to the places where a decoder's refills will look for them.

use super::symbols::Bits;
use crate::format::{LANES, WORD};

/// Bits in a word.
const WORD_BITS: u32 = u32::BITS;

/// A lane's write position.
///
/// A decoder takes a lane's next word as soon as fewer than 32 bits are left, that is with the first bit that
/// comes out of the word before it. So a lane always owns two places in the tile: of the word being filled, and of
/// the one after it. The place after that is taken when the word being filled has room no more for the turn's bits:
/// the very turn at which the decoder refills.
#[derive(Clone, Copy)]
struct Lane {
    /// Bits not yet settled, the low 32 belong to the word being filled.
    pending: u64,
    /// How many of them there are, at most 32 between turns. (A full word waits for the next bit.)
    count: u32,
    /// Index of the word being filled, and above it that of the next.
    places: u32,
}

/// No word has this index: tiles never have more than some 16 500.
const NOWHERE: u32 = 0xFFFF;

/// Writes one tile's lanes.
///
/// Words that do not fit are counted, not written, so the tile's exact size is known in any case.
pub(super) struct LaneWriter<'a> {
    lanes: [Lane; LANES],
    words: &'a mut [[u8; WORD]],
    /// Words that the lanes own so far.
    taken: u32,
}

impl<'a> LaneWriter<'a> {
    pub(super) fn new(words: &'a mut [[u8; WORD]]) -> Self {
        // As if a full word had been written before the first, so that a lane's first bits settle it.
        let lanes = core::array::from_fn(|lane| Lane {
            pending: 0,
            count: WORD_BITS,
            places: NOWHERE | (lane as u32) << 16,
        });
        Self { lanes, words, taken: LANES as u32 }
    }

    /// One turn of a lane.
    #[inline(always)]
    pub(super) fn turn(&mut self, lane: usize, bits: Bits) {
        let state = &mut self.lanes[lane];
        let pending = state.pending | bits.value() << state.count;
        let count = state.count + bits.count();
        if let Some(word) = self.words.get_mut((state.places & 0xFFFF) as usize) {
            *word = (pending as u32).to_le_bytes();
        }
        // Whether a word fills up is a coin toss, so no branch.
        let refill = u32::from(count > WORD_BITS);
        state.pending = pending >> (refill * WORD_BITS);
        state.count = count - refill * WORD_BITS;
        let moved = state.places >> 16 | self.taken << 16;
        state.places = if refill != 0 { moved } else { state.places };
        self.taken += refill;
    }

    /// Round robin from lane 0.
    pub(super) fn turns(&mut self, turns: impl Iterator<Item = Bits>) {
        for (turn, bits) in turns.enumerate() {
            self.turn(turn % LANES, bits);
        }
    }

    /// Settles the last words and returns the tile's size in words.
    pub(super) fn finish(self) -> usize {
        for lane in &self.lanes {
            let last = [(lane.places & 0xFFFF, lane.pending as u32), (lane.places >> 16, 0)];
            for (place, value) in last {
                if let Some(word) = self.words.get_mut(place as usize) {
                    *word = value.to_le_bytes();
                }
            }
        }
        self.taken as usize
    }
}
