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
pub(super) struct Lane {
    /// Bits not yet settled, the low 32 belong to the word being filled.
    pub(super) pending: u64,
    /// How many of them there are: 1 to 32 between rounds. (A full word waits for the next bit.)
    pub(super) count: u32,
    /// Index of the word being filled, and above it that of the next.
    pub(super) places: u32,
}

impl Lane {
    /// Appends a turn's bits; [`settle`](Self::settle) must follow before the next if [`is_full`](Self::is_full).
    #[inline(always)]
    fn append(&mut self, bits: Bits) {
        self.pending |= u64::from(bits.value()) << self.count;
        self.count += bits.count();
    }

    /// Whether the word being filled is complete and more bits wait behind it.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.count > WORD_BITS
    }

    /// Settles the word that is complete; the next but one is at `place`.
    #[inline(always)]
    fn settle(&mut self, words: &mut [[u8; WORD]], place: u32) {
        put(words, self.places, self.pending as u32);
        self.pending >>= WORD_BITS;
        self.count -= WORD_BITS;
        self.places = self.places >> 16 | place << 16;
    }
}

/// Writes a word, if there is room, to the place in the lower half of `places`.
#[inline(always)]
pub(super) fn put(words: &mut [[u8; WORD]], places: u32, value: u32) {
    if let Some(word) = words.get_mut((places & 0xFFFF) as usize) {
        *word = value.to_le_bytes();
    }
}

/// No word has this index: tiles never have more than some 16 500.
const NOWHERE: u32 = 0xFFFF;

/// Writes one tile's lanes.
///
/// Words that do not fit are counted, not written, so the tile's exact size is known in any case.
pub(super) struct LaneWriter<'a> {
    pub(super) lanes: [Lane; LANES],
    pub(super) words: &'a mut [[u8; WORD]],
    /// Words that the lanes own so far.
    pub(super) taken: u32,
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
    pub(super) fn turn(&mut self, lane: usize, bits: Bits) {
        let full = self.append(lane, bits);
        self.settle(full);
    }

    /// Appends the bits of a lane's turn in a round. Returns a mask with the lane's bit set if a word is full, to be
    /// passed to [`settle`](Self::settle) at the end of the round: whether it is cannot be predicted, so there is
    /// no branch here.
    #[inline(always)]
    pub(super) fn append(&mut self, lane: usize, bits: Bits) -> u32 {
        let state = &mut self.lanes[lane % LANES];
        state.append(bits);
        u32::from(state.is_full()) << lane
    }

    /// Settles the full words of a round.
    #[inline(always)]
    pub(super) fn settle(&mut self, full: u32) {
        let mut taken = self.taken;
        for lane in lanes_of(full) {
            self.lanes[lane % LANES].settle(self.words, taken);
            taken += 1;
        }
        self.taken = taken;
    }

    /// Round robin from lane 0.
    pub(super) fn turns(&mut self, turns: impl Iterator<Item = Bits>) {
        for (turn, bits) in turns.enumerate() {
            self.turn(turn % LANES, bits);
        }
    }

    /// Eight bits a turn, round robin from lane 0.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        // In four rounds each lane takes 32 bits. So its count stays and it refills once, always in the same round
        // of the four: the order of the 32 refills is the same for every group.
        let (groups, rest) = bytes.as_chunks::<{ LANES * WORD }>();
        let mut order = [0; LANES];
        let mut refills = 0;
        for round in 0..WORD as u32 {
            for (lane, order) in self.lanes.iter().zip(&mut order) {
                if (WORD_BITS - lane.count) / 8 == round {
                    *order = refills;
                    refills += 1;
                }
            }
        }
        for group in groups {
            for (lane, (state, order)) in self.lanes.iter_mut().zip(order).enumerate() {
                let word = u32::from_le_bytes([0, 1, 2, 3].map(|round| group[round * LANES + lane]));
                let pending = state.pending | u64::from(word) << state.count;
                put(self.words, state.places, pending as u32);
                state.pending = pending >> WORD_BITS;
                state.places = state.places >> 16 | (self.taken + order) << 16;
            }
            self.taken += LANES as u32;
        }
        self.turns(rest.iter().map(|&byte| Bits::new(byte.into(), 8)));
    }

    /// Settles the last words and returns the tile's size in words.
    pub(super) fn finish(self) -> usize {
        for lane in &self.lanes {
            put(self.words, lane.places, lane.pending as u32);
            put(self.words, lane.places >> 16, 0);
        }
        self.taken as usize
    }
}

/// The set bits' numbers, lowest first.
#[inline(always)]
pub(super) fn lanes_of(mut mask: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lane = mask.trailing_zeros() as usize;
        (mask != 0).then(|| {
            mask &= mask - 1;
            lane
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(turns: impl FnOnce(&mut LaneWriter<'_>)) -> std::vec::Vec<u32> {
        let mut words = [[0xEE; WORD]; 150];
        let mut lanes = LaneWriter::new(&mut words);
        turns(&mut lanes);
        let size = lanes.finish();
        words[..size].iter().map(|word| u32::from_le_bytes(*word)).collect()
    }

    #[test]
    fn every_lane_starts_with_a_word() {
        assert_eq!(written(|_| {}), [0; 32]);
    }

    #[test]
    fn the_first_bit_of_a_word_takes_the_place_of_the_next() {
        // Lane 7 takes word 32, lane 3 word 33; lane 7 fills its first word without another, then one bit more
        // takes word 34.
        let words = written(|lanes| {
            lanes.turn(7, Bits::new(1, 1));
            lanes.turn(3, Bits::new(1, 1));
            lanes.turn(7, Bits::new(0x4000_0001, 31));
            lanes.turn(7, Bits::new(1, 1));
        });
        assert_eq!(words.len(), 35);
        assert_eq!((words[7], words[3]), (0x8000_0003, 1));
        assert_eq!(words[32..], [1, 0, 0]);
    }

    #[test]
    fn stored_bytes_go_where_turns_would_put_them() {
        let bytes: std::vec::Vec<u8> = (0..=255).collect();
        // Lanes at various fill levels, so that they refill in different rounds.
        let prepare = |lanes: &mut LaneWriter<'_>| lanes.turns((0..32).map(|lane| Bits::new(0, lane % 31)));
        let fast = written(|lanes| {
            prepare(lanes);
            lanes.bytes(&bytes[..200]);
        });
        let plain = written(|lanes| {
            prepare(lanes);
            lanes.turns(bytes[..200].iter().map(|&byte| Bits::new(byte.into(), 8)));
        });
        assert_eq!(fast, plain);
    }

    #[test]
    fn words_without_room_are_counted() {
        let mut lanes = LaneWriter::new(&mut []);
        lanes.turns((0..64).map(|_| Bits::new(0, 20)));
        assert_eq!(lanes.finish(), 32 + 64);
    }
}
