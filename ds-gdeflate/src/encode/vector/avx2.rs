//! Rounds with AVX2: a quarter of the lanes in a vector.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{MATCH, PackedCodes, Queue, SHORT, SplitLanes};
use crate::decode::Avx2;
use crate::encode::lanes::LaneWriter;
use crate::encode::symbols::BlockCodes;
use crate::encode::token::Token;
use crate::encode::turns::Turns;
use crate::format::{LANES, MIN_MATCH};
use crate::x86::avx2::{QUARTER, RANKS, bytes, load, look_up, negative, store};

/// Writes rounds for as long as there are tokens for all lanes.
pub(super) fn write_rounds(_: Avx2, turns: &mut Turns<'_>, lanes: &mut LaneWriter<'_>) {
    // SAFETY: there is no `Avx2` unless the features were detected.
    unsafe { run(turns, lanes) }
}

/// A quarter of the lanes.
#[derive(Clone, Copy)]
struct Quarter {
    /// Bits of the words being filled.
    pending: __m256i,
    /// How many those are, 1 to 32.
    counts: __m256i,
    /// Indices of the words being filled, and above them those of the next.
    places: __m256i,
    /// The tokens that the lanes took last.
    last: __m256i,
    /// All ones for lanes that owe these tokens' distances, zeros for others.
    owing: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run(turns: &mut Turns<'_>, lanes: &mut LaneWriter<'_>) {
    let codes = Codes::new(&turns.codes);
    let mut parts = SplitLanes::of(lanes);
    let mut quarters: [Quarter; 4] = core::array::from_fn(|quarter| Quarter {
        pending: load(&parts.pending.as_chunks().0[quarter]),
        counts: load(&parts.counts.as_chunks().0[quarter]),
        places: load(&parts.places.as_chunks().0[quarter]),
        last: load(&turns.last.as_chunks().0[quarter]),
        owing: spread(turns.owing >> (quarter * QUARTER)),
    });
    let mut queue = Queue::EMPTY;
    while let Some(next) = turns.rest.first_chunk::<LANES>() {
        queue.make_room(lanes);
        let mut dealt = 0;
        let mut now_owing = 0;
        for (quarter, state) in quarters.iter_mut().enumerate() {
            let free = !(turns.owing >> (quarter * QUARTER)) as u8;
            let some: &[Token; QUARTER] = next[dealt..].first_chunk().expect("a quarter of them or more");
            let order = bytes(RANKS[usize::from(free)]);
            let entries = load(&codes.packed.entries(some));
            let entries = _mm256_permutevar8x32_epi32(entries, order);
            let tokens = _mm256_permutevar8x32_epi32(load(some), order);
            dealt += free.count_ones() as usize;

            let (bits, matches) = codes.turns(tokens, entries, state.last, state.owing);
            let places = state.places;
            let (words, full) = state.append(bits, parts.taken);
            parts.taken += full.count_ones();
            queue.push(full.count_ones(), |some_words, some_places| {
                let order = bytes(MEMBERS[usize::from(full)]);
                store(_mm256_permutevar8x32_epi32(words, order), some_words);
                store(_mm256_permutevar8x32_epi32(places, order), some_places);
            });
            state.last = tokens;
            state.owing = matches;
            now_owing |= u32::from(negative(matches)) << (quarter * QUARTER);
        }
        turns.rest = &turns.rest[dealt..];
        turns.owing = now_owing;
    }
    queue.drain(lanes);

    let mut last = [0; LANES];
    for (quarter, state) in quarters.iter().enumerate() {
        store(state.pending, &mut parts.pending.as_chunks_mut().0[quarter]);
        store(state.counts, &mut parts.counts.as_chunks_mut().0[quarter]);
        store(state.places, &mut parts.places.as_chunks_mut().0[quarter]);
        store(state.last, &mut last.as_chunks_mut().0[quarter]);
    }
    turns.last = last.map(Token::from_bits);
    parts.store(lanes);
}

impl Quarter {
    /// Appends a turn's bits. Returns the words that were being filled, and which of them are settled with that; their lanes' next words
    /// but one are those from `taken` on.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn append(&mut self, bits: QuarterBits, taken: u32) -> (__m256i, u8) {
        let all = _mm256_set1_epi32(u32::BITS as i32);
        let words = _mm256_or_si256(self.pending, _mm256_sllv_epi32(bits.values, self.counts));
        // Bits that found no room.
        let over = _mm256_srlv_epi32(bits.values, _mm256_sub_epi32(all, self.counts));
        let counts = _mm256_add_epi32(self.counts, bits.counts);
        let full = _mm256_cmpgt_epi32(counts, all);
        self.pending = _mm256_blendv_epi8(words, over, full);
        self.counts = _mm256_sub_epi32(counts, _mm256_and_si256(full, all));

        let which = negative(full);
        let fresh = _mm256_add_epi32(bytes(RANKS[usize::from(which)]), _mm256_set1_epi32(taken as i32));
        let next = _mm256_or_si256(_mm256_srli_epi32::<16>(self.places), _mm256_slli_epi32::<16>(fresh));
        self.places = _mm256_blendv_epi8(self.places, next, full);
        (words, which)
    }
}

/// What a quarter of the lanes write in a turn.
#[derive(Clone, Copy)]
struct QuarterBits {
    values: __m256i,
    /// How many bits those are, 31 at most.
    counts: __m256i,
}

/// A block's codes as they are looked up.
struct Codes {
    packed: PackedCodes,
    /// By symbol, those of `packed`.
    distances: [__m256i; 4],
}

impl Codes {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn new(codes: &BlockCodes) -> Self {
        let packed = PackedCodes::new(codes);
        let distances = core::array::from_fn(|quarter| load(&packed.distances.as_chunks().0[quarter]));
        Self { packed, distances }
    }

    /// What the lanes write: those that are `owing` the distances of their last tokens, the others what `entries` say of their next.
    /// And which of the others took a match.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn turns(
        &self,
        next: __m256i,
        entries: __m256i,
        last: __m256i,
        owing: __m256i,
    ) -> (QuarterBits, __m256i) {
        let index = _mm256_srli_epi32::<16>(next);
        let QuarterBits { values, counts } = self.distances(last);
        let values = _mm256_blendv_epi8(_mm256_srli_epi32::<5>(entries), values, owing);
        let litlen_counts = _mm256_and_si256(entries, _mm256_set1_epi32(31));
        let counts = _mm256_blendv_epi8(litlen_counts, counts, owing);
        let above = |least: usize| {
            let least = _mm256_set1_epi32(least as i32 - 1);
            _mm256_andnot_si256(owing, _mm256_cmpgt_epi32(index, least))
        };
        let (matches, long) = (above(MATCH), above(SHORT));
        if negative(long) == 0 {
            return (QuarterBits { values, counts }, matches);
        }
        // Few are that long, so the branch is guessed right.
        let extra = _mm256_sub_epi32(index, _mm256_set1_epi32((MATCH + MIN_MATCH) as i32));
        let extra = _mm256_and_si256(_mm256_sllv_epi32(extra, counts), long);
        let bits = QuarterBits {
            values: _mm256_or_si256(values, extra),
            counts: _mm256_add_epi32(counts, _mm256_and_si256(long, _mm256_set1_epi32(16))),
        };
        (bits, matches)
    }

    /// The turns that complete these matches.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn distances(&self, matches: __m256i) -> QuarterBits {
        let offsets = _mm256_and_si256(matches, _mm256_set1_epi32(0xFFFF));
        // From 2 on a symbol is what a floating-point number begins with: its exponent and the highest bit of its fraction.
        let floats = _mm256_castps_si256(_mm256_cvtepi32_ps(offsets));
        let symbols = _mm256_sub_epi32(_mm256_srli_epi32::<22>(floats), _mm256_set1_epi32(2 * 127));
        let symbols = _mm256_max_epi32(symbols, _mm256_min_epu32(offsets, _mm256_set1_epi32(1)));

        let codes = look_up(self.distances, symbols);
        let words = _mm256_and_si256(codes, _mm256_set1_epi32(0xFFFF));
        let lengths = _mm256_and_si256(_mm256_srli_epi32::<16>(codes), _mm256_set1_epi32(31));
        let counts = _mm256_srli_epi32::<24>(codes);
        let above = _mm256_sllv_epi32(_mm256_set1_epi32(-1), _mm256_sub_epi32(counts, lengths));
        let extra = _mm256_sllv_epi32(_mm256_andnot_si256(above, offsets), lengths);
        QuarterBits { values: _mm256_or_si256(words, extra), counts }
    }
}

/// For each set of eight lanes those that are in it, a byte each, the first the lowest.
static MEMBERS: [u64; 1 << QUARTER] = {
    let mut members = [0; 1 << QUARTER];
    let mut set = 0_usize;
    while set < members.len() {
        let mut lane = 0;
        while lane < QUARTER {
            if set >> lane & 1 != 0 {
                let rank = (set & ((1 << lane) - 1)).count_ones();
                members[set] |= (lane as u64) << (8 * rank);
            }
            lane += 1;
        }
        set += 1;
    }
    members
};

/// All ones for each of the eight lowest bits that is set.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn spread(mask: u32) -> __m256i {
    let bits = _mm256_set_epi32(128, 64, 32, 16, 8, 4, 2, 1);
    _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(mask as i32), bits), bits)
}
