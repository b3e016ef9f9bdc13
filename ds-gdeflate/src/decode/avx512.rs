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
pub(super) struct Round {
    pub(super) turns: [u32; LANES],
    pub(super) literals: [u8; 2 * LANES],
    pub(super) matches: u32,
    pub(super) literal: u32,
    pub(super) start: usize,
}

impl Round {
    pub(super) const EMPTY: Self = Self { turns: [0; LANES], literals: [0; 2 * LANES], matches: 0, literal: 0, start: 0 };
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
    let mut rounds = [const { Round::EMPTY }; 3];
    let [oldest, before, this] = &mut rounds;
    let (mut oldest, mut before, mut this) = (oldest, before, this);
    oldest.start = tile.settled;
    before.start = tile.settled;
    let mut bits = load(&tile.deal.lanes);
    let tables: &Tables = tile.tables;

    let mut tail = [[0; WORD]; 2 * LANES];
    let mut words = &tile.deal.words[tile.deal.next..];
    let mut left = words.len();
    let tail_len = left.min(LANES - 1);
    tail[..tail_len].copy_from_slice(&words[left - tail_len..]);
    if tile.out.len() < tile.settled + ROOM { return; }

    let mut settled = tile.settled;

    loop {
        let Some(next) = words.first_chunk::<LANES>() else {
            if left != words.len() {
                break;
            }
            words = &tail[tail_len - left..];
            continue;
        };
        emit(tile.out, oldest, &before.turns);
        let mut e0 = look_up(tables, &bits[0], before.matches as u16);
        let mut e1 = look_up(tables, &bits[1], (before.matches >> HALF) as u16);
        let odd = _mm512_set1_epi32(entry::ODD as i32);
        if _mm512_test_epi32_mask(_mm512_or_si512(e0, e1), odd) != 0 {
            e0 = look_up_long(tables, bits[0].low, e0);
            e1 = look_up_long(tables, bits[1].low, e1);
            if _mm512_test_epi32_mask(_mm512_or_si512(e0, e1), odd) != 0 {
                break;
            }
        }
        let (turn0, drop0) = turns(e0, &bits[0]);
        let (turn1, drop1) = turns(e1, &bits[1]);
        let (bits0, dealt0) = drop_bits(bits[0], drop0, unsafe { next.as_ptr().cast() });
        let (bits1, dealt1) = drop_bits(bits[1], drop1, unsafe { next.as_ptr().add(dealt0).cast() });
        let dealt = dealt0 + dealt1;

        let length = _mm512_set1_epi32(entry::LENGTH as i32);
        let (lit0, lit1) = (_mm512_movepi32_mask(e0), _mm512_movepi32_mask(e1));
        let (len0, len1) = (_mm512_test_epi32_mask(e0, length), _mm512_test_epi32_mask(e1, length));
        let literal = u32::from(lit0) | u32::from(lit1) << 16;
        let matches = u32::from(len0) | u32::from(len1) << 16;
        let value = _mm512_set1_epi32(0xFFFF);
        let sum = _mm512_add_epi32(_mm512_maskz_and_epi32(len0, turn0, value), _mm512_maskz_and_epi32(len1, turn1, value));
        let total = _mm512_reduce_add_epi32(sum) as usize + literal.count_ones() as usize + MIN_MATCH * matches.count_ones() as usize;
        let after = settled + total;

        if dealt > left || after + ROOM > tile.out.len() {
            break;
        }
        unsafe { _mm512_storeu_si512(this.turns.as_mut_ptr().cast(), turn0) };
        unsafe { _mm512_storeu_si512(this.turns.as_mut_ptr().add(HALF).cast(), turn1) };
        let near = _mm512_set1_epi32(before.start as i32);
        let far0 = _mm512_mask_cmpge_epi32_mask(before.matches as u16, _mm512_and_si512(turn0, value), near);
        let far1 = _mm512_mask_cmpge_epi32_mask((before.matches >> 16) as u16, _mm512_and_si512(turn1, value), near);
        if (far0 | far1) != 0 {
            if too_far(before, &this.turns) {
                break;
            }
        }
        this.start = settled;
        this.matches = matches;
        this.literal = literal;
        let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(literal as u16, turn0));
        unsafe { _mm_storeu_si128(this.literals.as_mut_ptr().cast(), bytes) };
        let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32((literal >> 16) as u16, turn1));
        let in_low = (literal & 0xFFFF).count_ones() as usize;
        unsafe { _mm_storeu_si128(this.literals.as_mut_ptr().add(in_low).cast(), bytes) };

        left -= dealt;
        words = &words[dealt..];
        settled = after;
        bits = [bits0, bits1];
        (oldest, before, this) = (before, this, oldest);
    }

    emit(tile.out, oldest, &before.turns);
    // settle
    let mut literals = before.literals.iter();
    let mut at = before.start;
    for lane in 0..LANES {
        if before.literal >> lane & 1 != 0 {
            tile.out[at] = *literals.next().unwrap();
            at += 1;
        } else if before.matches >> lane & 1 != 0 {
            let len = entry::value(before.turns[lane]) as usize + MIN_MATCH;
            tile.pending[lane] = Pending { at, len };
            at += len;
        }
    }
    tile.settled = settled;
    tile.deal.next = tile.deal.words.len() - left;
    store(&bits, &mut tile.deal.lanes);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn turns(entries: __m512i, bits: &Bits) -> (__m512i, __m512i) {
    let drop = _mm512_and_si512(_mm512_srli_epi32::<{ entry::DROP_AT }>(entries), _mm512_set1_epi32(31));
    let shift = _mm512_and_si512(_mm512_srli_epi32::<{ entry::SHIFT_AT }>(entries), _mm512_set1_epi32(31));
    let rotated = _mm512_rorv_epi32(bits.low, drop);
    let extra = _mm512_srlv_epi32(_mm512_srli_epi32::<1>(rotated), shift);
    (_mm512_add_epi32(entries, extra), drop)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
fn look_up(tables: &Tables, bits: &Bits, pending: __mmask16) -> __m512i {
    let root = _mm512_and_si512(bits.low, _mm512_set1_epi32((1 << ROOT_BITS) - 1));
    let index = _mm512_mask_or_epi32(root, pending, root, _mm512_set1_epi32(DISTANCE_AT as i32));
    let e = |k: u64| unsafe { *tables.entries.get_unchecked(k as usize) as i32 };
    let quad = |q: __m128i| {
        let (a, b) = (_mm_cvtsi128_si64(q) as u64, _mm_extract_epi64::<1>(q) as u64);
        _mm_setr_epi32(e(a & 0xFFFFFFFF), e(a >> 32), e(b & 0xFFFFFFFF), e(b >> 32))
    };
    let a = quad(_mm512_castsi512_si128(index));
    let b = quad(_mm512_extracti32x4_epi32::<1>(index));
    let c = quad(_mm512_extracti32x4_epi32::<2>(index));
    let d = quad(_mm512_extracti32x4_epi32::<3>(index));
    let ab = _mm256_set_m128i(b, a);
    let cd = _mm256_set_m128i(d, c);
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(ab), cd)
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
fn emit(out: &mut [u8], round: &Round, after: &[u32; LANES]) {
    let mut at = round.start;
    let out = out.as_mut_ptr();
    let mut matches = round.matches;
    let mut done = 0;
    while matches != 0 {
        let lane = matches.trailing_zeros();
        matches &= matches - 1;
        let before = _bzhi_u32(round.literal, lane).count_ones() as usize;
        let lane = lane as usize & 31;
        let len = entry::value(round.turns[lane]) as usize + MIN_MATCH;
        let distance = entry::value(after[lane]) as usize + 1;
        unsafe {
            _mm256_storeu_si256(out.add(at).cast(), _mm256_loadu_si256(round.literals.as_ptr().add(done).cast()));
            at += before - done;
            done = before;
            let from = out.add(at - distance);
            let to = out.add(at);
            at += len;
            let near = distance.min(16);
            let pattern = _mm_loadu_si128(PATTERNS.shuffles[near].as_ptr().cast());
            let chunk = _mm_shuffle_epi8(_mm_loadu_si128(from.cast()), pattern);
            _mm_storeu_si128(to.cast(), chunk);
            if len > 16 {
            let pattern2 = _mm_loadu_si128(PATTERNS.shuffles2[near].as_ptr().cast());
            let from2 = from.add((near & 16) as usize);
            let chunk2 = _mm_shuffle_epi8(_mm_loadu_si128(from2.cast()), pattern2);
            _mm_storeu_si128(to.add(16).cast(), chunk2);
            if len > 32 {
                if distance >= 32 {
                    let mut done = 32;
                    while done < len {
                        let chunk = _mm256_loadu_si256(from.add(done).cast());
                        _mm256_storeu_si256(to.add(done).cast(), chunk);
                        done += 32;
                    }
                } else if distance >= 16 {
                    let mut done = 32;
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
    }
    unsafe {
        _mm256_storeu_si256(out.add(at).cast(), _mm256_loadu_si256(round.literals.as_ptr().add(done).cast()));
    }
}

#[cold]
pub(super) fn too_far(round: &Round, after: &[u32; LANES]) -> bool {
    let mut at = round.start;
    let mut far = false;
    for lane in 0..LANES {
        if round.literal >> lane & 1 != 0 {
            at += 1;
        } else if round.matches >> lane & 1 != 0 {
            far |= entry::value(after[lane]) as usize >= at;
            at += entry::value(round.turns[lane]) as usize + MIN_MATCH;
        }
    }
    far
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
