//! Rounds of 32 turns with AVX-512.
//!
//! The same rounds as in [`rounds`](super::rounds), with a lane to each 32-bit element of two vectors. A lane's
//! bits are split at bit 32: before a turn the lower half is always full, so codewords, extra bits and the number
//! of bits to drop are all found there.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::copy::Patterns;
use super::entry;
use super::lanes::{Deal, Lanes};
use super::rounds::{Round, settle};
use super::table::{DISTANCE_AT, ROOT_BITS, Tables};
use super::tile::TileDecoder;
use crate::format::{LANES, MIN_MATCH, WORD};

/// Lanes in a vector.
const HALF: usize = LANES / 2;

/// Bytes of output that must follow a round.
const ROOM: usize = 64;

/// Half of the lanes.
#[derive(Clone, Copy)]
struct Bits {
    /// The next 32 bits.
    low: __m512i,
    /// The bits behind them, zeros above the last.
    high: __m512i,
    /// How many those are, less than 32.
    spare: __m512i,
}

/// What half of a round's turns are.
struct Turns {
    /// Entries, extra bits added.
    turns: __m512i,
    /// Bits to drop.
    drop: __m512i,
    literals: __mmask16,
    lengths: __mmask16,
}

/// Decodes rounds from the start of a block's symbols for as long as they are ordinary.
pub(super) fn run<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    // SAFETY: the level was detected or this module would not be called.
    unsafe { run_rounds(tile) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn run_rounds<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    let mut rounds = [Round::EMPTY, Round::EMPTY];
    let [before, this] = &mut rounds;
    let (mut before, mut this) = (before, this);
    let mut bits = load(&tile.deal.lanes);
    let tables: &Tables = tile.tables;

    let mut tail = [[0; WORD]; 2 * LANES];
    let mut words = &tile.deal.words[tile.deal.next..];
    let mut left = words.len();
    let mut written = tile.settled;

    loop {
        let Some(next) = words.first_chunk::<LANES>() else {
            if left != words.len() {
                break;
            }
            tail[..left].copy_from_slice(words);
            words = &tail;
            continue;
        };
        let Some(low) = turns(tables, &bits[0], before.matches as u16) else { break };
        let Some(high) = turns(tables, &bits[1], (before.matches >> HALF) as u16) else { break };
        let (bits0, dealt0) = drop_bits(bits[0], low.drop, next.first_chunk().unwrap());
        let (bits1, dealt1) = drop_bits(bits[1], high.drop, next[dealt0..].first_chunk().unwrap());
        let dealt = dealt0 + dealt1;

        this.matches = u32::from(low.lengths) | u32::from(high.lengths) << HALF;
        this.literal = u32::from(low.literals) | u32::from(high.literals) << HALF;
        // SAFETY: each half of the array is as long as a vector.
        unsafe { _mm512_storeu_si512(this.turns.as_mut_ptr().cast(), low.turns) };
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(this.turns.as_mut_ptr().add(HALF).cast(), high.turns) };
        let in_low = low.literals.count_ones() as usize;
        let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(low.literals, low.turns));
        unsafe { _mm_storeu_si128(this.literals.as_mut_ptr().cast(), bytes) };
        let bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(high.literals, high.turns));
        unsafe { _mm_storeu_si128(this.literals.as_mut_ptr().add(in_low).cast(), bytes) };
        let value = _mm512_set1_epi32(0xFFFF);
        let sum = _mm512_add_epi32(
            _mm512_maskz_and_epi32(low.lengths, low.turns, value),
            _mm512_maskz_and_epi32(high.lengths, high.turns, value),
        );
        this.size = _mm512_reduce_add_epi32(sum) as usize
            + MIN_MATCH * this.matches.count_ones() as usize
            + this.literal.count_ones() as usize;

        let settled = tile.settled + this.size;
        if dealt > left || settled + ROOM > tile.out.len() {
            break;
        }
        if unsafe { emit(tile.out, written, before, &this.turns) }.is_none() {
            break;
        }
        left -= dealt;
        words = &words[dealt..];
        written = tile.settled;
        tile.settled = settled;
        bits = [bits0, bits1];
        core::mem::swap(&mut before, &mut this);
    }

    settle(tile.out, written, before, &mut tile.pending);
    tile.deal.next = tile.deal.words.len() - left;
    store(&bits, &mut tile.deal.lanes);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn turns(tables: &Tables, bits: &Bits, pending: __mmask16) -> Option<Turns> {
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
    let turns = _mm512_add_epi32(entries, extra);
    Some(Turns {
        turns,
        drop,
        literals: _mm512_movepi32_mask(entries),
        lengths: _mm512_test_epi32_mask(entries, _mm512_set1_epi32(entry::LENGTH as i32)),
    })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn look_up(tables: &Tables, index: __m512i) -> __m512i {
    unsafe { _mm512_i32gather_epi32::<4>(index, tables.entries.as_ptr().cast()) }
}

#[cold]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn look_up_long(tables: &Tables, low: __m512i, entries: __m512i) -> __m512i {
    let long = _mm512_test_epi32_mask(entries, _mm512_set1_epi32(entry::SUBTABLE as i32));
    let width = _mm512_and_si512(_mm512_srli_epi32::<{ entry::DROP_AT }>(entries), _mm512_set1_epi32(31));
    let mask = _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), width), _mm512_set1_epi32(-1));
    let within = _mm512_and_si512(_mm512_srli_epi32::<ROOT_BITS>(low), mask);
    let index = _mm512_add_epi32(_mm512_and_si512(entries, _mm512_set1_epi32(0xFFFF)), within);
    unsafe { _mm512_mask_i32gather_epi32::<4>(entries, long, index, tables.entries.as_ptr().cast()) }
}

/// Drops bits and refills. Returns also how many words that took.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn drop_bits(bits: Bits, drop: __m512i, words: &[[u8; WORD]; HALF]) -> (Bits, usize) {
    let spare = _mm512_sub_epi32(bits.spare, drop);
    let needs = _mm512_movepi32_mask(spare);
    let words = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    let words = _mm512_maskz_expand_epi32(needs, words);
    let down = _mm512_srlv_epi32(bits.low, drop);
    let over = _mm512_sllv_epi32(bits.high, _mm512_sub_epi32(_mm512_set1_epi32(32), drop));
    let high = _mm512_srlv_epi32(bits.high, drop);
    let spare = _mm512_and_si512(spare, _mm512_set1_epi32(31));
    let new = _mm512_sllv_epi32(words, spare);
    let rest = _mm512_srlv_epi32(words, _mm512_sub_epi32(_mm512_set1_epi32(32), spare));
    let low = _mm512_ternarylogic_epi32::<0xFE>(down, over, new);
    let high = _mm512_or_si512(high, rest);
    (Bits { low, high, spare }, needs.count_ones() as usize)
}

/// Writes a round's output at `at`, given the turns of the round after it, distances among them. `None` if a
/// distance is too far.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn emit(out: &mut [u8], mut at: usize, round: &Round, after: &[u32; LANES]) -> Option<()> {
    let out = out.as_mut_ptr();
    let mut matches = round.matches;
    let mut literals = round.literals.as_ptr();
    let mut lits = round.literal;
    let mut done = 0;
    while matches != 0 {
        let lane = matches.trailing_zeros();
        matches &= matches - 1;
        let before = _bzhi_u32(lits, lane).count_ones() as usize;
        unsafe {
            _mm256_storeu_si256(out.add(at).cast(), _mm256_loadu_si256(round.literals.as_ptr().add(done).cast()));
        }
        at += before - done;
        done = before;
        let lane = lane as usize & 31;
        let len = entry::value(round.turns[lane]) as usize + MIN_MATCH;
        let distance = entry::value(after[lane]) as usize + 1;
        if distance > at {
            return None;
        }
        unsafe {
            let from = out.add(at - distance);
            let to = out.add(at);
            let first = _mm_loadu_si128(from.cast());
            let pattern = _mm_loadu_si128(Patterns.0[distance.min(16)].as_ptr().cast());
            _mm_storeu_si128(to.cast(), _mm_shuffle_epi8(first, pattern));
            if len > 16 {
                if distance >= 32 {
                    let mut k = 16;
                    while k < len {
                        let chunk = _mm256_loadu_si256(from.add(k).cast());
                        _mm256_storeu_si256(to.add(k).cast(), chunk);
                        k += 32;
                    }
                } else if distance >= 16 {
                    let mut k = 16;
                    while k < len {
                        let chunk = _mm_loadu_si128(from.add(k).cast());
                        _mm_storeu_si128(to.add(k).cast(), chunk);
                        k += 16;
                    }
                } else {
                    let chunk = _mm_shuffle_epi8(first, pattern);
                    let step = Patterns.1[distance] as usize;
                    let mut k = step;
                    while k < len {
                        _mm_storeu_si128(to.add(k).cast(), chunk);
                        k += step;
                    }
                }
            }
        }
        at += len;
    }
    unsafe {
        _mm256_storeu_si256(out.add(at).cast(), _mm256_loadu_si256(round.literals.as_ptr().add(done).cast()));
    }
    Some(())
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
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
