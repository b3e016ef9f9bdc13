//! Rounds with AVX2: a quarter of the lanes in a vector. And what the writing of rounds needs, which wider vectors do not help.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::output;
use super::stored;
use super::wide::{self, Round, SplitLanes, Step};
use crate::decode::entry;
use crate::decode::lanes::Deal;
use crate::decode::table::{DISTANCE_AT, ROOT_BITS, Tables};
use crate::decode::tile::TileDecoder;
use crate::format::{LANES, MIN_MATCH, WORD};
use crate::x86::avx2::{self as x86, QUARTER, RANKS, bytes, load, negative, store};

cpufeatures::new!(features, "avx2", "bmi1", "bmi2", "popcnt");

/// Proof that the machine has the instructions that this module uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        features::get().then_some(Self(()))
    }

    /// Decodes rounds from the start of a block's symbols for as long as they are ordinary.
    pub(in crate::decode) fn run<W>(self, tile: &mut TileDecoder<'_, '_, '_, W>) {
        // SAFETY: there is no `Avx2` unless the features were detected.
        unsafe { run(tile) }
    }

    /// Decodes most of a stored block.
    pub(in crate::decode) fn run_stored(self, deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
        // SAFETY: there is no `Avx2` unless the features were detected.
        unsafe { run_stored(deal, out) }
    }
}

/// A quarter of the lanes.
#[derive(Clone, Copy)]
struct Quarter {
    /// The next 32 bits of each lane.
    low: __m256i,
    /// The bits behind them, zeros above the last.
    high: __m256i,
    /// How many those are.
    spare: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    let lanes = load_lanes(&SplitLanes::from(&tile.deal.lanes));
    let lanes = wide::run(
        tile,
        lanes,
        |tables, lanes, before, words, round| decode(tables, lanes, before, words, round),
        |out, round, after| {
            let literals_before = |round: &Round, lane| literals_before(round, lane);
            let shuffle = |bytes: [u8; 16], order: &[u8; 16]| shuffle(bytes, order);
            // SAFETY: the number of lanes before one that hold literals: at most 31, and it only grows.
            unsafe { output::write(out, round, after, literals_before, shuffle) };
        },
    );
    tile.deal.lanes = (&store_lanes(&lanes)).into();
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run_stored(deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
    stored::run(deal, out, |words, order| permute(words, order))
}

/// For each lane the word at its place in `order`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn permute(words: &[[u8; WORD]; LANES], order: &[u32; LANES]) -> [u32; LANES] {
    let words = quarters(words).map(|words| load(words));
    let mut dealt = [0; LANES];
    for (dealt, order) in dealt.as_chunks_mut().0.iter_mut().zip(quarters(order)) {
        store(x86::look_up(words, load(order)), dealt);
    }
    dealt
}

/// Takes the turns of one round.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn decode(
    tables: &Tables,
    lanes: &[Quarter; 4],
    before: &Round,
    words: &[[u8; WORD]; LANES],
    round: &mut Round,
) -> Option<Step<[Quarter; 4]>> {
    let mut entries = [_mm256_setzero_si256(); 4];
    for (quarter, entries) in entries.iter_mut().enumerate() {
        *entries = look_up(tables, lanes[quarter].low, load(quarters(&before.turns)[quarter]));
    }
    if any_odd(&entries) {
        for (quarter, entries) in entries.iter_mut().enumerate() {
            *entries = look_up_long(tables, lanes[quarter].low, *entries);
        }
        if any_odd(&entries) {
            return None;
        }
    }

    let mut lanes = *lanes;
    let mut dealt = 0;
    let mut lengths = _mm256_setzero_si256();
    let mut bytes = [_mm256_setzero_si256(); 4];
    let (mut literal, mut matches, mut far) = (0, 0, 0);
    // A value is a distance less one.
    let near = _mm256_set1_epi32(before.start as i32 - 1);
    let (turns, _) = round.turns.as_chunks_mut();
    for (quarter, turns) in turns.iter_mut().enumerate() {
        let at = quarter * QUARTER;
        let entries = entries[quarter];
        let drop = field(entries, entry::DROP_AT);
        let turn = with_extra(entries, lanes[quarter].low, drop);
        store(turn, turns);
        (lanes[quarter], dealt) = drop_bits(&lanes[quarter], drop, words, dealt);

        let values = _mm256_and_si256(turn, _mm256_set1_epi32(0xFFFF));
        let is_length = _mm256_slli_epi32::<{ entry::LENGTH.leading_zeros() as i32 }>(entries);
        let length = _mm256_and_si256(values, _mm256_srai_epi32::<31>(is_length));
        lengths = _mm256_add_epi32(lengths, length);
        bytes[quarter] = _mm256_and_si256(turn, _mm256_set1_epi32(0xFF));
        literal |= u32::from(negative(entries)) << at;
        matches |= u32::from(negative(is_length)) << at;
        far |= u32::from(negative(_mm256_cmpgt_epi32(values, near))) << at;
    }
    store_literals(&bytes, literal, &mut round.literals);
    round.literal = literal;
    round.matches = matches;

    let size = sum(lengths) + MIN_MATCH * matches.count_ones() as usize + literal.count_ones() as usize;
    Some(Step { lanes, dealt, size, far: far & before.matches != 0 })
}

/// The first-level entries that the lanes' bits point to: in the distance table where the turn before was a length.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn look_up(tables: &Tables, low: __m256i, before: __m256i) -> __m256i {
    let root = _mm256_and_si256(low, _mm256_set1_epi32((1 << ROOT_BITS) - 1));
    let table = _mm256_and_si256(_mm256_srli_epi32::<16>(before), _mm256_set1_epi32(DISTANCE_AT as i32));
    let index = _mm256_or_si256(root, table);
    // SAFETY: an index is `ROOT_BITS` bits and perhaps the bit that is `DISTANCE_AT`.
    unsafe { load_entries(tables, index) }
}

/// The entries at each index, by loads one by one: faster than a gather on some machines, about as fast on others.
///
/// # Safety
///
/// Each index is less than the number of entries.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn load_entries(tables: &Tables, index: __m256i) -> __m256i {
    let entry = |index: u64| {
        debug_assert!((index as usize) < tables.entries.len());
        // SAFETY: the caller vouches for every index.
        unsafe { *tables.entries.get_unchecked(index as usize) as i32 }
    };
    let four = |index: __m128i| {
        let (low, high) = (_mm_cvtsi128_si64(index) as u64, _mm_extract_epi64::<1>(index) as u64);
        let low_half = |pair| pair & u64::from(u32::MAX);
        _mm_setr_epi32(entry(low_half(low)), entry(low >> 32), entry(low_half(high)), entry(high >> 32))
    };
    _mm256_set_m128i(four(_mm256_extracti128_si256::<1>(index)), four(_mm256_castsi256_si128(index)))
}

/// Follows entries that point to subtables.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn look_up_long(tables: &Tables, low: __m256i, entries: __m256i) -> __m256i {
    let long = _mm256_slli_epi32::<{ entry::SUBTABLE.leading_zeros() as i32 }>(entries);
    let all = _mm256_sllv_epi32(_mm256_set1_epi32(-1), field(entries, entry::DROP_AT));
    let within = _mm256_andnot_si256(all, _mm256_srli_epi32::<{ ROOT_BITS as i32 }>(low));
    let index = _mm256_add_epi32(_mm256_and_si256(entries, _mm256_set1_epi32(0xFFFF)), within);
    // No pointer leads outside the tables; this makes sure.
    let index = _mm256_min_epu32(index, _mm256_set1_epi32(tables.entries.len() as i32 - 1));
    // SAFETY: every index is within the array.
    unsafe { _mm256_mask_i32gather_epi32::<4>(entries, tables.entries.as_ptr().cast(), index, long) }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn any_odd(entries: &[__m256i; 4]) -> bool {
    let low = _mm256_or_si256(entries[0], entries[1]);
    let any = _mm256_or_si256(low, _mm256_or_si256(entries[2], entries[3]));
    _mm256_testz_si256(any, _mm256_set1_epi32(entry::ODD as i32)) == 0
}

/// A field of five bits.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn field(entries: __m256i, at: u32) -> __m256i {
    _mm256_and_si256(_mm256_srlv_epi32(entries, _mm256_set1_epi32(at as i32)), _mm256_set1_epi32(31))
}

/// [`entry::with_extra`] in 32 bits: the shift is that for 64 bits, less 32.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn with_extra(entries: __m256i, low: __m256i, drop: __m256i) -> __m256i {
    let dropped = _mm256_sllv_epi32(low, rest(drop));
    let extra = _mm256_srlv_epi32(_mm256_srli_epi32::<1>(dropped), field(entries, entry::SHIFT_AT));
    _mm256_add_epi32(entries, extra)
}

/// 32 less each element.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn rest(shift: __m256i) -> __m256i {
    _mm256_sub_epi32(_mm256_set1_epi32(32), shift)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn sum(vector: __m256i) -> usize {
    let sum = _mm_add_epi32(_mm256_castsi256_si128(vector), _mm256_extracti128_si256::<1>(vector));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b00_00_00_01>(sum));
    _mm_cvtsi128_si32(sum) as usize
}

/// Drops bits, 1 to 31 a lane, and deals words from `dealt` on to lanes in need. Returns how many are dealt then.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn drop_bits(
    quarter: &Quarter,
    drop: __m256i,
    words: &[[u8; WORD]; LANES],
    dealt: usize,
) -> (Quarter, usize) {
    let low =
        _mm256_or_si256(_mm256_srlv_epi32(quarter.low, drop), _mm256_sllv_epi32(quarter.high, rest(drop)));
    let high = _mm256_srlv_epi32(quarter.high, drop);

    // Where fewer bits are left than must be, all are in the lower part, and there are 32 more than `spare` says.
    let spare = _mm256_sub_epi32(quarter.spare, drop);
    let needs = negative(spare);
    let words: &[[u8; WORD]; QUARTER] = words[dealt..].first_chunk().expect("a quarter of them or more");
    let words = _mm256_permutevar8x32_epi32(load(words), bytes(RANKS[usize::from(needs)]));
    let words = _mm256_and_si256(words, _mm256_srai_epi32::<31>(spare));
    let spare = _mm256_and_si256(spare, _mm256_set1_epi32(31));
    let low = _mm256_or_si256(low, _mm256_sllv_epi32(words, spare));
    let high = _mm256_or_si256(high, _mm256_srlv_epi32(words, rest(spare)));
    (Quarter { low, high, spare }, dealt + needs.count_ones() as usize)
}

/// Stores the literals among the turns' lowest bytes, one behind the other.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn store_literals(bytes: &[__m256i; 4], literal: u32, literals: &mut [u8; 2 * LANES]) {
    let low = _mm256_packus_epi32(bytes[0], bytes[1]);
    let high = _mm256_packus_epi32(bytes[2], bytes[3]);
    // Packing goes on within halves of vectors, which leaves quarters of lanes in two pieces each.
    let pieces = _mm256_packus_epi16(low, high);
    let bytes = _mm256_permutevar8x32_epi32(pieces, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    let bytes = [
        _mm256_extract_epi64::<0>(bytes),
        _mm256_extract_epi64::<1>(bytes),
        _mm256_extract_epi64::<2>(bytes),
        _mm256_extract_epi64::<3>(bytes),
    ];
    let mut done = 0;
    for (bytes, literal) in bytes.into_iter().zip(literal.to_le_bytes()) {
        let mask = _pdep_u64(literal.into(), 0x0101_0101_0101_0101) * 0xFF;
        if let Some(literals) = literals[done..].first_chunk_mut() {
            *literals = _pext_u64(bytes as u64, mask).to_le_bytes();
        }
        done += literal.count_ones() as usize;
    }
}

/// How many of a round's literals come before the lane.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn literals_before(round: &Round, lane: u32) -> usize {
    _bzhi_u32(round.literal, lane).count_ones() as usize
}

/// Picks 16 of 16 bytes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn shuffle(bytes: [u8; 16], order: &[u8; 16]) -> [u8; 16] {
    let picked = _mm_shuffle_epi8(load_16(&bytes), load_16(order));
    let mut bytes = [0; 16];
    // SAFETY: 16 bytes, to as many.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), picked) }
    bytes
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn load_16(from: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes, from as many.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn load_lanes(lanes: &SplitLanes) -> [Quarter; 4] {
    let [low, high, spare] = [&lanes.low, &lanes.high, &lanes.spare].map(quarters);
    core::array::from_fn(|at| Quarter { low: load(low[at]), high: load(high[at]), spare: load(spare[at]) })
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn store_lanes(quarters: &[Quarter; 4]) -> SplitLanes {
    let mut lanes = SplitLanes::EMPTY;
    let (low, _) = lanes.low.as_chunks_mut();
    let (high, _) = lanes.high.as_chunks_mut();
    let (spare, _) = lanes.spare.as_chunks_mut();
    for (at, quarter) in quarters.iter().enumerate() {
        store(quarter.low, &mut low[at]);
        store(quarter.high, &mut high[at]);
        store(quarter.spare, &mut spare[at]);
    }
    lanes
}

fn quarters<T>(lanes: &[T; LANES]) -> [&[T; QUARTER]; 4] {
    let (quarters, _) = lanes.as_chunks();
    core::array::from_fn(|at| &quarters[at])
}
