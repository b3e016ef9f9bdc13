//! Rounds with AVX-512: half of the lanes in a vector.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::avx2;
use super::wide::{self, Round, SplitLanes, Step};
use super::{output, stored};
use crate::decode::entry;
use crate::decode::lanes::Deal;
use crate::decode::table::{DISTANCE_AT, ROOT_BITS, Tables};
use crate::decode::tile::TileDecoder;
use crate::format::{LANES, MIN_MATCH, WORD};
use crate::x86::avx512::{HALF, load, store};

cpufeatures::new!(features, "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "bmi1", "bmi2", "popcnt");

/// Proof that the machine has the instructions that this module uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        features::get().then_some(Self(()))
    }

    /// Decodes rounds from the start of a block's symbols for as long as they are ordinary.
    pub(in crate::decode) fn run<W>(self, tile: &mut TileDecoder<'_, '_, '_, W>) {
        // SAFETY: there is no `Avx512` unless the features were detected.
        unsafe { run(tile) }
    }

    /// Decodes most of a stored block.
    pub(in crate::decode) fn run_stored(self, deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
        // SAFETY: there is no `Avx512` unless the features were detected.
        unsafe { run_stored(deal, out) }
    }
}

/// Half of the lanes.
#[derive(Clone, Copy)]
struct Half {
    /// The next 32 bits of each lane.
    low: __m512i,
    /// The bits behind them, zeros above the last.
    high: __m512i,
    /// How many those are.
    spare: __m512i,
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn run<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    let lanes = load_lanes(&SplitLanes::from(&tile.deal.lanes));
    let lanes = wide::run(
        tile,
        lanes,
        |tables, lanes, before, words, round| decode(tables, lanes, before, words, round),
        |out, round, after| {
            let literals_before = |round: &Round, lane| avx2::literals_before(round, lane);
            let shuffle = |bytes: [u8; 16], order: &[u8; 16]| avx2::shuffle(bytes, order);
            // SAFETY: the number of lanes before one that hold literals: at most 31, and it only grows.
            unsafe { output::write(out, round, after, literals_before, shuffle) };
        },
    );
    tile.deal.lanes = (&store_lanes(&lanes)).into();
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn run_stored(deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
    stored::run(deal, out, |words, order| permute(words, order))
}

/// For each lane the word at its place in `order`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn permute(words: &[[u8; WORD]; LANES], order: &[u32; LANES]) -> [u32; LANES] {
    let (words, _) = words.as_chunks();
    let (first, second) = (load(&words[0]), load(&words[1]));
    let mut dealt = [0; LANES];
    for (dealt, order) in dealt.as_chunks_mut().0.iter_mut().zip(order.as_chunks().0) {
        store(_mm512_permutex2var_epi32(first, load(order), second), dealt);
    }
    dealt
}

/// Takes the turns of one round.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn decode(
    tables: &Tables,
    lanes: &[Half; 2],
    before: &Round,
    words: &[[u8; WORD]; LANES],
    round: &mut Round,
) -> Option<Step<[Half; 2]>> {
    let mut entries = [
        look_up(tables, lanes[0].low, before.matches as __mmask16),
        look_up(tables, lanes[1].low, (before.matches >> HALF) as __mmask16),
    ];
    if any_odd(&entries) {
        entries =
            [look_up_long(tables, lanes[0].low, entries[0]), look_up_long(tables, lanes[1].low, entries[1])];
        if any_odd(&entries) {
            return None;
        }
    }

    let drop = [field(entries[0], entry::DROP_AT), field(entries[1], entry::DROP_AT)];
    let turns =
        [with_extra(entries[0], lanes[0].low, drop[0]), with_extra(entries[1], lanes[1].low, drop[1])];
    let (half0, dealt) = drop_bits(&lanes[0], drop[0], words, 0);
    let (half1, dealt) = drop_bits(&lanes[1], drop[1], words, dealt);

    let literal = [_mm512_movepi32_mask(entries[0]), _mm512_movepi32_mask(entries[1])];
    let length = _mm512_set1_epi32(entry::LENGTH as i32);
    let matches = [_mm512_test_epi32_mask(entries[0], length), _mm512_test_epi32_mask(entries[1], length)];
    let value = _mm512_set1_epi32(0xFFFF);
    let values = [_mm512_and_si512(turns[0], value), _mm512_and_si512(turns[1], value)];
    let lengths = _mm512_add_epi32(
        _mm512_maskz_mov_epi32(matches[0], values[0]),
        _mm512_maskz_mov_epi32(matches[1], values[1]),
    );
    // A value is a distance less one.
    let start = _mm512_set1_epi32(before.start as i32);
    let far = _mm512_mask_cmpge_epi32_mask(before.matches as __mmask16, values[0], start)
        | _mm512_mask_cmpge_epi32_mask((before.matches >> HALF) as __mmask16, values[1], start);

    store(turns[0], round.turns.first_chunk_mut()?);
    store(turns[1], round.turns.last_chunk_mut()?);
    store_literals(turns[0], literal[0], round.literals.first_chunk_mut()?);
    let literals_before = literal[0].count_ones() as usize;
    store_literals(turns[1], literal[1], round.literals[literals_before..].first_chunk_mut()?);
    round.literal = u32::from(literal[0]) | u32::from(literal[1]) << HALF;
    round.matches = u32::from(matches[0]) | u32::from(matches[1]) << HALF;

    let size = _mm512_reduce_add_epi32(lengths) as usize
        + MIN_MATCH * round.matches.count_ones() as usize
        + round.literal.count_ones() as usize;
    Some(Step { lanes: [half0, half1], dealt, size, far: far != 0 })
}

/// The first-level entries that the lanes' bits point to: in the distance table for lanes with a match `pending`.
///
/// With loads one by one, which are no slower than a gather, and faster where gathers are slow.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn look_up(tables: &Tables, low: __m512i, pending: __mmask16) -> __m512i {
    let root = _mm512_and_si512(low, _mm512_set1_epi32((1 << ROOT_BITS) - 1));
    let index = _mm512_mask_or_epi32(root, pending, root, _mm512_set1_epi32(DISTANCE_AT as i32));
    let [low, high] = [_mm512_castsi512_si256(index), _mm512_extracti64x4_epi64::<1>(index)];
    // SAFETY: an index is `ROOT_BITS` bits and perhaps the bit that is `DISTANCE_AT`.
    let low = unsafe { avx2::load_entries(tables, low) };
    // SAFETY: as above.
    let high = unsafe { avx2::load_entries(tables, high) };
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

/// Follows entries that point to subtables.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn look_up_long(tables: &Tables, low: __m512i, entries: __m512i) -> __m512i {
    let long = _mm512_test_epi32_mask(entries, _mm512_set1_epi32(entry::SUBTABLE as i32));
    let all = _mm512_sllv_epi32(_mm512_set1_epi32(-1), field(entries, entry::DROP_AT));
    let within = _mm512_andnot_si512(all, _mm512_srli_epi32::<ROOT_BITS>(low));
    let index = _mm512_add_epi32(_mm512_and_si512(entries, _mm512_set1_epi32(0xFFFF)), within);
    // No pointer leads outside the tables; this makes sure.
    let index = _mm512_min_epu32(index, _mm512_set1_epi32(tables.entries.len() as i32 - 1));
    // SAFETY: every index is within the array.
    unsafe { _mm512_mask_i32gather_epi32::<4>(entries, long, index, tables.entries.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn any_odd(entries: &[__m512i; 2]) -> bool {
    let any = _mm512_or_si512(entries[0], entries[1]);
    _mm512_test_epi32_mask(any, _mm512_set1_epi32(entry::ODD as i32)) != 0
}

/// A field of five bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn field(entries: __m512i, at: u32) -> __m512i {
    _mm512_and_si512(_mm512_srlv_epi32(entries, _mm512_set1_epi32(at as i32)), _mm512_set1_epi32(31))
}

/// [`entry::with_extra`] in 32 bits: the shift is that for 64 bits, less 32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn with_extra(entries: __m512i, low: __m512i, drop: __m512i) -> __m512i {
    let rotated = _mm512_rorv_epi32(low, drop);
    let extra = _mm512_srlv_epi32(_mm512_srli_epi32::<1>(rotated), field(entries, entry::SHIFT_AT));
    _mm512_add_epi32(entries, extra)
}

/// Drops bits, 1 to 31 a lane, and deals words from `dealt` on to lanes in need. Returns how many are dealt then.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn drop_bits(half: &Half, drop: __m512i, words: &[[u8; WORD]; LANES], dealt: usize) -> (Half, usize) {
    let ones = _mm512_set1_epi32(-1);
    // Rotated, both parts have their bits in place; `kept` are those that stay within their part.
    let kept = _mm512_srlv_epi32(ones, drop);
    let low = _mm512_rorv_epi32(half.low, drop);
    let high = _mm512_rorv_epi32(half.high, drop);
    let low = _mm512_ternarylogic_epi32::<IF_ELSE>(kept, low, high);
    let high = _mm512_and_si512(high, kept);

    // Where fewer bits are left than must be, all are in the lower part, and there are 32 more than `spare` says.
    let spare = _mm512_sub_epi32(half.spare, drop);
    let needs = _mm512_movepi32_mask(spare);
    let spare = _mm512_and_si512(spare, _mm512_set1_epi32(31));
    let words: &[[u8; WORD]; HALF] = words[dealt..].first_chunk().expect("half of them or more");
    let words = _mm512_maskz_expand_epi32(needs, load(words));
    let words = _mm512_rolv_epi32(words, spare);
    let free = _mm512_sllv_epi32(ones, spare);
    let low = _mm512_ternarylogic_epi32::<OR_AND>(low, words, free);
    let high = _mm512_ternarylogic_epi32::<OR_AND_NOT>(high, words, free);
    (Half { low, high, spare }, dealt + needs.count_ones() as usize)
}

/// `a ? b : c`, as `vpternlog` wants it said: the result for each of the eight cases.
const IF_ELSE: i32 = 0xCA;
/// `a | b & c`.
const OR_AND: i32 = 0xF8;
/// `a | b & !c`.
const OR_AND_NOT: i32 = 0xF4;

/// Stores the literals among the turns, one behind the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn store_literals(turns: __m512i, literal: __mmask16, literals: &mut [u8; HALF]) {
    let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(literal, turns));
    // SAFETY: 16 bytes, to as many.
    unsafe { _mm_storeu_si128(literals.as_mut_ptr().cast(), bytes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn load_lanes(lanes: &SplitLanes) -> [Half; 2] {
    let [low, high, spare] = [&lanes.low, &lanes.high, &lanes.spare].map(|part| part.as_chunks().0);
    core::array::from_fn(|at| Half { low: load(&low[at]), high: load(&high[at]), spare: load(&spare[at]) })
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn store_lanes(halves: &[Half; 2]) -> SplitLanes {
    let mut lanes = SplitLanes::EMPTY;
    let (low, _) = lanes.low.as_chunks_mut();
    let (high, _) = lanes.high.as_chunks_mut();
    let (spare, _) = lanes.spare.as_chunks_mut();
    for (at, half) in halves.iter().enumerate() {
        store(half.low, &mut low[at]);
        store(half.high, &mut high[at]);
        store(half.spare, &mut spare[at]);
    }
    lanes
}
