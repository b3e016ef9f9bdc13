//! Rounds of turns with vectors.
//!
//! | module | what it knows |
//! |---|---|
//! | `avx512`, `avx2` | vectors of 16 and 8 lanes on x86-64 |
//! | here | what they look up, and where their words go |

mod avx2;
mod avx512;

use super::lanes::{Lane, LaneWriter, put};
use super::symbols::BlockCodes;
use super::token::Token;
use super::turns::Turns;
use crate::format::{DISTANCE_SYMBOLS, DISTANCES, LANES};
use crate::simd::{SimdLevel, Variant};
use crate::x86::Word;

/// Writes rounds for as long as there are tokens for all lanes, if the level has vectors here.
pub(super) fn write_rounds(simd: SimdLevel, turns: &mut Turns<'_>, lanes: &mut LaneWriter<'_>) {
    match simd.0 {
        Variant::Avx512(proof) => avx512::write_rounds(proof, turns, lanes),
        Variant::Avx2(proof) => avx2::write_rounds(proof, turns, lanes),
        Variant::Scalar | Variant::Neon(_) => {}
    }
}

// SAFETY: a transparent `u32`.
#[allow(unsafe_code, reason = "see the trait")]
unsafe impl Word for Token {}

/// The first [`Token::index`] of a match.
const MATCH: usize = 256;

/// The first [`Token::index`] without an entry of its own.
const SHORT: usize = BlockCodes::SHORT;

/// [`BlockCodes`] with 32 bits for each entry.
struct PackedCodes {
    /// By [`Token::index`], the last for longer matches: the number of bits in the lower five, their value above.
    litlens: [u32; SHORT + 1],
    /// By symbol: the code word, from bit 16 on its length, from bit 24 on that of the whole turn.
    distances: [u32; DISTANCE_SYMBOLS],
}

impl PackedCodes {
    #[inline(always)]
    fn new(codes: &BlockCodes) -> Self {
        let mut litlens = [0; SHORT + 1];
        for (packed, bits) in litlens.iter_mut().zip(codes.litlen.iter().chain([&codes.long_match])) {
            *packed = bits.value() << 5 | bits.count();
        }
        let words = &codes.distance;
        let distances = core::array::from_fn(|symbol| {
            let len = words[symbol].count();
            words[symbol].value() | len << 16 | (len + u32::from(DISTANCES[symbol].extra)) << 24
        });
        Self { litlens, distances }
    }

    /// The entries of these tokens' literals or lengths. Looked up one by one, which is as fast as a gather or faster.
    #[inline(always)]
    fn entries<const N: usize>(&self, tokens: &[Token; N]) -> [u32; N] {
        tokens.map(|token| self.litlens[token.index().min(SHORT)])
    }
}

/// What a [`LaneWriter`] knows of its lanes between rounds, part by part.
struct SplitLanes {
    /// Bits of the words being filled.
    pending: [u32; LANES],
    /// How many those are, 1 to 32.
    counts: [u32; LANES],
    /// Index of the word being filled, and above it that of the next.
    places: [u32; LANES],
    /// Words that the lanes own so far.
    taken: u32,
}

impl SplitLanes {
    #[inline(always)]
    fn of(writer: &LaneWriter<'_>) -> Self {
        Self {
            pending: writer.lanes.map(|lane| lane.pending as u32),
            counts: writer.lanes.map(|lane| lane.count),
            places: writer.lanes.map(|lane| lane.places),
            taken: writer.taken,
        }
    }

    #[inline(always)]
    fn store(&self, writer: &mut LaneWriter<'_>) {
        writer.lanes = core::array::from_fn(|lane| Lane {
            pending: self.pending[lane].into(),
            count: self.counts[lane],
            places: self.places[lane],
        });
        writer.taken = self.taken;
    }
}

/// Settled words that wait to be written.
///
/// How many a round settles cannot be predicted. To write those of many rounds in one loop is to guess its end wrong once, and not once a
/// round.
struct Queue {
    words: [u32; QUEUE],
    /// Their places in the lower halves.
    places: [u32; QUEUE],
    len: usize,
}

/// Words that fit into a queue.
const QUEUE: usize = 256;

impl Queue {
    const EMPTY: Self = Self { words: [0; QUEUE], places: [0; QUEUE], len: 0 };

    /// Sees to it that there is room for a round's words.
    #[inline(always)]
    fn make_room(&mut self, lanes: &mut LaneWriter<'_>) {
        if self.len > QUEUE - LANES {
            self.drain(lanes);
        }
    }

    /// Adds `count` words and their places, which `fill` puts to the start of some room.
    #[inline(always)]
    fn push<const N: usize>(&mut self, count: u32, fill: impl FnOnce(&mut [u32; N], &mut [u32; N])) {
        // After `make_room` it never is more; this spares the test of the slices.
        let at = self.len.min(QUEUE - N);
        let words = self.words[at..].first_chunk_mut().expect("room for a vector");
        let places = self.places[at..].first_chunk_mut().expect("room for a vector");
        fill(words, places);
        self.len = at + count as usize;
    }

    /// Writes all.
    #[inline(always)]
    fn drain(&mut self, lanes: &mut LaneWriter<'_>) {
        for (&word, &places) in self.words.iter().zip(&self.places).take(self.len) {
            put(lanes.words, places, word);
        }
        self.len = 0;
    }
}
