//! Rounds with AVX-512: half of the lanes in a vector.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{MATCH, PackedCodes, Queue, SHORT, SplitLanes};
use crate::decode::Avx512;
use crate::encode::lanes::LaneWriter;
use crate::encode::symbols::BlockCodes;
use crate::encode::token::Token;
use crate::encode::turns::Turns;
use crate::format::{DISTANCES, LANES, MIN_MATCH};
use crate::x86::avx512::{HALF, load, store};

/// Writes rounds for as long as there are tokens for all lanes.
pub(super) fn write_rounds(_: Avx512, turns: &mut Turns<'_>, lanes: &mut LaneWriter<'_>) {
    // SAFETY: there is no `Avx512` unless the features were detected.
    unsafe { run(turns, lanes) }
}

/// Half of the lanes.
#[derive(Clone, Copy)]
struct Half {
    /// Bits of the words being filled.
    pending: __m512i,
    /// How many those are, 1 to 32.
    counts: __m512i,
    /// Indices of the words being filled, and above them those of the next.
    places: __m512i,
    /// The tokens that the lanes took last.
    last: __m512i,
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn run(turns: &mut Turns<'_>, lanes: &mut LaneWriter<'_>) {
    let codes = Codes::new(&turns.codes);
    let mut parts = SplitLanes::of(lanes);
    let mut halves: [Half; 2] = core::array::from_fn(|half| Half {
        pending: load(&parts.pending.as_chunks().0[half]),
        counts: load(&parts.counts.as_chunks().0[half]),
        places: load(&parts.places.as_chunks().0[half]),
        last: load(&turns.last.as_chunks().0[half]),
    });
    let mut queue = Queue::EMPTY;
    while let Some(next) = turns.rest.first_chunk::<LANES>() {
        queue.make_room(lanes);
        let mut dealt = 0;
        let mut now_owing = 0;
        for (half, state) in halves.iter_mut().enumerate() {
            let owing = (turns.owing >> (half * HALF)) as __mmask16;
            let some: &[Token; HALF] = next[dealt..].first_chunk().expect("half of them or more");
            let entries = _mm512_maskz_expand_epi32(!owing, load(&codes.packed.entries(some)));
            let tokens = _mm512_maskz_expand_epi32(!owing, load(some));
            dealt += owing.count_zeros() as usize;

            let bits = codes.turns(tokens, entries, state.last, owing);
            let places = state.places;
            let (words, full) = state.append(bits, parts.taken);
            parts.taken += full.count_ones();
            queue.push(full.count_ones(), |some_words, some_places| {
                store(_mm512_maskz_compress_epi32(full, words), some_words);
                store(_mm512_maskz_compress_epi32(full, places), some_places);
            });
            state.last = tokens;
            now_owing |= u32::from(not_below(tokens, MATCH)) << (half * HALF);
        }
        turns.rest = &turns.rest[dealt..];
        turns.owing = now_owing;
    }
    queue.drain(lanes);

    let mut last = [0; LANES];
    for (half, state) in halves.iter().enumerate() {
        store(state.pending, &mut parts.pending.as_chunks_mut().0[half]);
        store(state.counts, &mut parts.counts.as_chunks_mut().0[half]);
        store(state.places, &mut parts.places.as_chunks_mut().0[half]);
        store(state.last, &mut last.as_chunks_mut().0[half]);
    }
    turns.last = last.map(Token::from_bits);
    parts.store(lanes);
}

impl Half {
    /// Appends a turn's bits. Returns the words that were being filled, and which of them are settled with that; their lanes' next words
    /// but one are those from `taken` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn append(&mut self, bits: HalfBits, taken: u32) -> (__m512i, __mmask16) {
        let all = _mm512_set1_epi32(u32::BITS as i32);
        let words = _mm512_or_si512(self.pending, _mm512_sllv_epi32(bits.values, self.counts));
        // Bits that found no room.
        let over = _mm512_srlv_epi32(bits.values, _mm512_sub_epi32(all, self.counts));
        let counts = _mm512_add_epi32(self.counts, bits.counts);
        let full = _mm512_cmpgt_epu32_mask(counts, all);
        self.pending = _mm512_mask_mov_epi32(words, full, over);
        self.counts = _mm512_mask_sub_epi32(counts, full, counts, all);

        let order = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        let fresh = _mm512_slli_epi32::<16>(_mm512_add_epi32(order, _mm512_set1_epi32(taken as i32)));
        let fresh = _mm512_maskz_expand_epi32(full, fresh);
        let next = _mm512_srli_epi32::<16>(self.places);
        self.places = _mm512_mask_or_epi32(self.places, full, next, fresh);
        (words, full)
    }
}

/// What half of the lanes write in a turn.
#[derive(Clone, Copy)]
struct HalfBits {
    values: __m512i,
    /// How many bits those are, 31 at most.
    counts: __m512i,
}

/// A block's codes as they are looked up.
struct Codes {
    packed: PackedCodes,
    /// By symbol, those of `packed`.
    distances: [__m512i; 2],
    /// By symbol, less one as in a [`Token`].
    bases: [__m512i; 2],
}

impl Codes {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn new(codes: &BlockCodes) -> Self {
        let packed = PackedCodes::new(codes);
        let bases = DISTANCES.map(|range| u32::from(range.base) - 1);
        let [distances, bases] = [packed.distances, bases].map(|table| {
            let (halves, _) = table.as_chunks();
            [load(&halves[0]), load(&halves[1])]
        });
        Self { packed, distances, bases }
    }

    /// What the lanes write: those that are `owing` the distances of their last tokens, the others what `entries` say of their next.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn turns(&self, next: __m512i, entries: __m512i, last: __m512i, owing: __mmask16) -> HalfBits {
        let HalfBits { values, counts } = self.distances(last);
        let values = _mm512_mask_srli_epi32::<5>(values, !owing, entries);
        let counts = _mm512_mask_and_epi32(counts, !owing, entries, _mm512_set1_epi32(31));
        let long = not_below(next, SHORT);
        if long == 0 {
            return HalfBits { values, counts };
        }
        // Few are that long, so the branch is guessed right.
        let extra =
            _mm512_sub_epi32(_mm512_srli_epi32::<16>(next), _mm512_set1_epi32((MATCH + MIN_MATCH) as i32));
        let extra = _mm512_sllv_epi32(extra, counts);
        HalfBits {
            values: _mm512_mask_or_epi32(values, long, values, extra),
            counts: _mm512_mask_add_epi32(counts, long, counts, _mm512_set1_epi32(16)),
        }
    }

    /// The turns that complete these matches.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn distances(&self, matches: __m512i) -> HalfBits {
        let offsets = _mm512_and_si512(matches, _mm512_set1_epi32(0xFFFF));
        // From 2 on a symbol is what a floating-point number begins with: its exponent and the highest bit of its fraction.
        let floats = _mm512_castps_si512(_mm512_cvtepi32_ps(offsets));
        let symbols = _mm512_sub_epi32(_mm512_srli_epi32::<22>(floats), _mm512_set1_epi32(2 * 127));
        let symbols = _mm512_max_epi32(symbols, _mm512_min_epu32(offsets, _mm512_set1_epi32(1)));

        let codes = _mm512_permutex2var_epi32(self.distances[0], symbols, self.distances[1]);
        let bases = _mm512_permutex2var_epi32(self.bases[0], symbols, self.bases[1]);
        let words = _mm512_and_si512(codes, _mm512_set1_epi32(0xFFFF));
        let lengths = _mm512_and_si512(_mm512_srli_epi32::<16>(codes), _mm512_set1_epi32(31));
        let extra = _mm512_sllv_epi32(_mm512_sub_epi32(offsets, bases), lengths);
        HalfBits { values: _mm512_or_si512(words, extra), counts: _mm512_srli_epi32::<24>(codes) }
    }
}

/// Which tokens have an index of `least` or more.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn not_below(tokens: __m512i, least: usize) -> __mmask16 {
    _mm512_cmpge_epu32_mask(tokens, _mm512_set1_epi32((least << 16) as i32))
}
