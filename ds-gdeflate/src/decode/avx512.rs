//! Rounds of 32 turns with AVX-512.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::copy::PATTERNS;
use super::entry;
use super::lanes::Lanes;
use super::table::{DISTANCE_AT, ROOT_BITS, Tables};
use super::tile::{Pending, TileDecoder};
use crate::format::{LANES, MIN_MATCH, WORD};

const HALF: usize = LANES / 2;
const ROOM: usize = 64;

#[derive(Clone, Copy)]
struct Bits {
    low: __m512i,
    high: __m512i,
    spare: __m512i,
}

#[repr(C, align(64))]
struct Round {
    at: [u16; LANES],
    end: [u16; LANES],
    len: [u16; 2 * LANES],
    literals: [u8; 2 * LANES],
    matches: u32,
    literal: u32,
    start: usize,
}

impl Round {
    const EMPTY: Self = Self { at: [0; LANES], end: [0; LANES], len: [0; 2 * LANES], literals: [0; 2 * LANES], matches: 0, literal: 0, start: 0 };
}

cpufeatures::new!(features, "avx512f", "avx512bw", "avx512dq", "avx512vl", "bmi1", "bmi2", "popcnt");

/// Proof that the machine has the instructions that this module uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        features::get().then_some(Self(()))
    }

    pub(super) fn run<W>(self, tile: &mut TileDecoder<'_, '_, '_, W>) {
        unsafe { run_rounds(tile) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn run_rounds<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    let mut rounds = [Round::EMPTY, Round::EMPTY];
    let [before, this] = &mut rounds;
    let (mut before, mut this) = (before, this);
    before.start = tile.settled;
    let mut bits = load(&tile.deal.lanes);
    let tables: &Tables = tile.tables;

    let mut tail = [[0; WORD]; 2 * LANES];
    let mut words = &tile.deal.words[tile.deal.next..];
    let mut left = words.len();
    let tail_len = left.min(LANES - 1);
    tail[..tail_len].copy_from_slice(&words[left - tail_len..]);
    if tile.out.len() < ROOM { return; }

    let mut settled = tile.settled;
    let mut at = _mm512_setzero_si512();

    loop {
        let Some(next) = words.first_chunk::<LANES>() else {
            if left != words.len() {
                break;
            }
            words = &tail[tail_len - left..];
            continue;
        };
        let Some((turn0, drop0)) = turns(tables, &bits[0], before.matches as u16) else { break };
        let Some((turn1, drop1)) = turns(tables, &bits[1], (before.matches >> HALF) as u16) else { break };
        let (bits0, dealt0) = drop_bits(bits[0], drop0, unsafe { next.as_ptr().cast() });
        let (bits1, dealt1) = drop_bits(bits[1], drop1, unsafe { next.as_ptr().add(dealt0).cast() });
        let dealt = dealt0 + dealt1;

        let value = _mm512_permutex2var_epi16(turn0, words_of(0), turn1);
        let flags = _mm512_permutex2var_epi16(turn0, words_of(1), turn1);
        let literal = _mm512_movepi16_mask(flags);
        let matches = _mm512_test_epi16_mask(flags, _mm512_set1_epi16((entry::LENGTH >> 16) as i16));
        let len = _mm512_maskz_adds_epu16(matches, value, _mm512_set1_epi16(MIN_MATCH as i16));
        let size = _mm512_mask_mov_epi16(len, literal, _mm512_set1_epi16(1));
        let ends = prefix_sum(size);
        let total = last_word(ends);
        let after = settled + total;

        if dealt > left || after + ROOM > tile.out.len() {
            break;
        }
        // the round before
        let too_far = _mm512_mask_cmpge_epu16_mask(before.matches, value, at);
        if too_far != 0 {
            break;
        }
        let mut from = [0_u16; 2 * LANES];
        unsafe { _mm512_storeu_si512(from.as_mut_ptr().cast(), _mm512_sub_epi16(_mm512_sub_epi16(at, value), _mm512_set1_epi16(1))) };
        let len_before = unsafe { _mm512_loadu_si512(before.len.as_ptr().cast()) };
        let long = _mm512_cmpgt_epu16_mask(len_before, _mm512_set1_epi16(32));
        let mid = _mm512_cmpgt_epu16_mask(len_before, _mm512_set1_epi16(16));
        let special = long | _mm512_mask_cmplt_epu16_mask(mid, value, _mm512_set1_epi16(15));
        before.end[0] = settled as u16;
        emit(tile.out, before, &from, special);

        at = _mm512_add_epi16(_mm512_sub_epi16(ends, size), _mm512_set1_epi16(settled as i16));
        this.matches = matches;
        this.literal = literal;
        this.start = settled;
        unsafe { _mm512_storeu_si512(this.at.as_mut_ptr().cast(), at) };
        unsafe { _mm512_storeu_si512(this.len.as_mut_ptr().cast(), len) };
        let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(literal as u16, turn0));
        unsafe { _mm_storeu_si128(this.literals.as_mut_ptr().cast(), bytes) };
        let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32((literal >> 16) as u16, turn1));
        let in_low = (literal & 0xFFFF).count_ones() as usize;
        unsafe { _mm_storeu_si128(this.literals.as_mut_ptr().add(in_low).cast(), bytes) };

        left -= dealt;
        words = &words[dealt..];
        settled = after;
        bits = [bits0, bits1];
        core::mem::swap(&mut before, &mut this);
    }

    // settle
    let mut literals = before.literals.iter();
    for lane in 0..LANES {
        let at = usize::from(before.at[lane]);
        if before.literal >> lane & 1 != 0 {
            tile.out[at] = *literals.next().unwrap();
        } else if before.matches >> lane & 1 != 0 {
            tile.pending[lane] = Pending { at, len: usize::from(before.len[lane]) };
        }
    }
    tile.settled = settled;
    tile.deal.next = tile.deal.words.len() - left;
    store(&bits, &mut tile.deal.lanes);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn words_of(odd: i16) -> __m512i {
    let table: [i16; 32] = core::array::from_fn(|i| 2 * i as i16 + odd);
    unsafe { _mm512_loadu_si512(table.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn prefix_sum(x: __m512i) -> __m512i {
    let x = _mm512_adds_epu16(x, _mm512_bslli_epi128::<2>(x));
    let x = _mm512_adds_epu16(x, _mm512_bslli_epi128::<4>(x));
    let x = _mm512_adds_epu16(x, _mm512_bslli_epi128::<8>(x));
    let sums = _mm512_shuffle_epi8(x, _mm512_set1_epi16(0x0F0E));
    let one = _mm512_maskz_shuffle_i64x2::<0b10_01_00_00>(0xFC, sums, sums);
    let two = _mm512_maskz_shuffle_i64x2::<0b01_00_00_00>(0xF0, sums, sums);
    let three = _mm512_maskz_shuffle_i64x2::<0b00_00_00_00>(0xC0, sums, sums);
    _mm512_adds_epu16(_mm512_adds_epu16(x, one), _mm512_adds_epu16(two, three))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn last_word(x: __m512i) -> usize {
    _mm_extract_epi16::<7>(_mm512_extracti32x4_epi32::<3>(x)) as usize
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn turns(tables: &Tables, bits: &Bits, pending: __mmask16) -> Option<(__m512i, __m512i)> {
    let root = _mm512_and_si512(bits.low, _mm512_set1_epi32((1 << ROOT_BITS) - 1));
    let index = _mm512_mask_or_epi32(root, pending, root, _mm512_set1_epi32(DISTANCE_AT as i32));
    let mut entries = look_up(tables, index);
    let odd = _mm512_set1_epi32(entry::ODD as i32);
    if _mm512_test_epi32_mask(entries, odd) != 0 {
        entries = look_up_long(tables, bits.low, entries);
        if _mm512_test_epi32_mask(entries, odd) != 0 {
            return None;
        }
    }
    let drop = _mm512_and_si512(_mm512_srli_epi32::<{ entry::DROP_AT }>(entries), _mm512_set1_epi32(31));
    let shift = _mm512_and_si512(_mm512_srli_epi32::<{ entry::SHIFT_AT }>(entries), _mm512_set1_epi32(31));
    let rotated = _mm512_rorv_epi32(bits.low, drop);
    let extra = _mm512_srlv_epi32(_mm512_srli_epi32::<1>(rotated), shift);
    Some((_mm512_add_epi32(entries, extra), drop))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn look_up(tables: &Tables, index: __m512i) -> __m512i {
    unsafe { _mm512_i32gather_epi32::<4>(index, tables.entries.as_ptr().cast()) }
}

#[cold]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn look_up_long(tables: &Tables, low: __m512i, entries: __m512i) -> __m512i {
    let long = _mm512_test_epi32_mask(entries, _mm512_set1_epi32(entry::SUBTABLE as i32));
    let width = _mm512_and_si512(_mm512_srli_epi32::<{ entry::DROP_AT }>(entries), _mm512_set1_epi32(31));
    let mask = _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), width), _mm512_set1_epi32(-1));
    let within = _mm512_and_si512(_mm512_srli_epi32::<ROOT_BITS>(low), mask);
    let index = _mm512_add_epi32(_mm512_and_si512(entries, _mm512_set1_epi32(0xFFFF)), within);
    unsafe { _mm512_mask_i32gather_epi32::<4>(entries, long, index, tables.entries.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn drop_bits(bits: Bits, drop: __m512i, words: *const u32) -> (Bits, usize) {
    let spare = _mm512_sub_epi32(bits.spare, drop);
    let needs = _mm512_movepi32_mask(spare);
    let words = unsafe { _mm512_loadu_si512(words.cast()) };
    let words = _mm512_maskz_expand_epi32(needs, words);
    let ones = _mm512_set1_epi32(-1);
    let kept = _mm512_srlv_epi32(ones, drop);
    let low = _mm512_rorv_epi32(bits.low, drop);
    let high = _mm512_rorv_epi32(bits.high, drop);
    // kept ? low : high
    let low = _mm512_ternarylogic_epi32::<0xCA>(kept, low, high);
    let high = _mm512_and_si512(high, kept);
    let spare = _mm512_and_si512(spare, _mm512_set1_epi32(31));
    let free = _mm512_sllv_epi32(ones, spare);
    let words = _mm512_rolv_epi32(words, spare);
    // low | words & free; high | words & !free
    let low = _mm512_ternarylogic_epi32::<0xF8>(low, words, free);
    let high = _mm512_ternarylogic_epi32::<0xF4>(high, words, free);
    (Bits { low, high, spare }, needs.count_ones() as usize)
}

/// Writes a round's output.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn emit(out: &mut [u8], round: &Round, froms: &[u16; 2 * LANES], special: u32) {
    const UNROLL: usize = 2;
    let out = out.as_mut_ptr();
    let mut matches = u64::from(round.matches);
    let mut literals = round.literals.as_ptr();
    let mut written = round.start;
    let groups = (round.matches.count_ones() as usize).div_ceil(UNROLL);
    for _ in 0..groups {
        for _ in 0..UNROLL {
            let lane = (matches | 1 << LANES).trailing_zeros() as usize;
            matches &= matches.wrapping_sub(1);
            unsafe {
                let at = usize::from(*round.at.as_ptr().add(lane));
                let from = usize::from(*froms.as_ptr().add(lane));
                let len = usize::from(*round.len.as_ptr().add(lane));
                _mm256_storeu_si256(out.add(written).cast(), _mm256_loadu_si256(literals.cast()));
                literals = literals.add(at - written);
                written = at + len;
                let distance = at - from;
                let from = out.add(from);
                let to = out.add(at);
                let pattern = _mm_loadu_si128(PATTERNS.shuffles[distance.min(16)].as_ptr().cast());
                let chunk = _mm_shuffle_epi8(_mm_loadu_si128(from.cast()), pattern);
                _mm_storeu_si128(to.cast(), chunk);
                if special >> lane & 1 == 0 {
                    let chunk = _mm_loadu_si128(from.add(16).cast());
                    _mm_storeu_si128(to.add(16).cast(), chunk);
                } else if distance >= 32 {
                    let mut done = 16;
                    while done < len {
                        let chunk = _mm256_loadu_si256(from.add(done).cast());
                        _mm256_storeu_si256(to.add(done).cast(), chunk);
                        done += 32;
                    }
                } else if distance >= 16 {
                    let mut done = 16;
                    while done < len {
                        let chunk = _mm_loadu_si128(from.add(done).cast());
                        _mm_storeu_si128(to.add(done).cast(), chunk);
                        done += 16;
                    }
                } else {
                    let step = usize::from(PATTERNS.steps[distance]);
                    let mut done = step;
                    while done < len {
                        _mm_storeu_si128(to.add(done).cast(), chunk);
                        done += step;
                    }
                }
            }
        }
    }
    unsafe {
        _mm256_storeu_si256(out.add(written).cast(), _mm256_loadu_si256(literals.cast()));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn load(lanes: &Lanes) -> [Bits; 2] {
    let half = |at: usize| {
        let low: [u32; HALF] = core::array::from_fn(|lane| lanes.bits[at + lane] as u32);
        let high: [u32; HALF] = core::array::from_fn(|lane| (lanes.bits[at + lane] >> 32) as u32);
        let spare: [u32; HALF] = core::array::from_fn(|lane| u32::from(lanes.spare[at + lane]));
        let vector = |lanes: [u32; HALF]| unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) };
        Bits { low: vector(low), high: vector(high), spare: vector(spare) }
    };
    [half(0), half(HALF)]
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn store(bits: &[Bits; 2], lanes: &mut Lanes) {
    for (half, bits) in bits.iter().enumerate() {
        let array = |vector: __m512i| {
            let mut lanes = [0_u32; HALF];
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) };
            lanes
        };
        let (low, high, spare) = (array(bits.low), array(bits.high), array(bits.spare));
        for lane in 0..HALF {
            lanes.bits[half * HALF + lane] = u64::from(high[lane]) << 32 | u64::from(low[lane]);
            lanes.spare[half * HALF + lane] = spare[lane] as u8;
        }
    }
}
