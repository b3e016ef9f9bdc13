#![allow(unsafe_code)]
use core::arch::x86_64::*;

use super::avx512::{Round, too_far};
use super::copy::PATTERNS;
use super::entry;
use super::lanes::Lanes;
use super::table::{DISTANCE_AT, ROOT_BITS, Tables};
use super::tile::{Pending, TileDecoder};
use crate::format::{LANES, MIN_MATCH, WORD};

cpufeatures::new!(features, "avx2", "bmi1", "bmi2", "popcnt");
/// Proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());
impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        features::get().then_some(Self(()))
    }
    pub(super) fn run<W>(self, tile: &mut TileDecoder<'_, '_, '_, W>) {
        unsafe { run_rounds(tile) }
    }
}

const GROUP: usize = 8;
const GROUPS: usize = LANES / GROUP;
const ROOM: usize = 64;

#[derive(Clone, Copy)]
struct Bits {
    low: __m256i,
    high: __m256i,
    spare: __m256i,
}

static EXPAND: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut next) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 != 0 {
                table[mask][lane] = next;
                next += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
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
        let mut e = [_mm256_setzero_si256(); GROUPS];
        let mut any = _mm256_setzero_si256();
        for g in 0..GROUPS {
            let pending = unsafe { _mm256_loadu_si256(before.turns.as_ptr().add(g * GROUP).cast()) };
            e[g] = look_up(tables, &bits[g], pending);
            any = _mm256_or_si256(any, e[g]);
        }
        let odd = _mm256_set1_epi32(entry::ODD as i32);
        if _mm256_testz_si256(any, odd) == 0 {
            any = _mm256_setzero_si256();
            for g in 0..GROUPS {
                e[g] = look_up_long(tables, bits[g].low, e[g]);
                any = _mm256_or_si256(any, e[g]);
            }
            if _mm256_testz_si256(any, odd) == 0 {
                break;
            }
        }
        let mut after = bits;
        let mut dealt = 0;
        let mut literal = 0;
        let mut matches = 0;
        let mut sum = _mm256_setzero_si256();
        let value = _mm256_set1_epi32(0xFFFF);
        let near = _mm256_set1_epi32(before.start as i32 - 1);
        let mut far = 0;
        let mut bytes = [_mm256_setzero_si256(); GROUPS];
        for g in 0..GROUPS {
            let (turn, drop) = turns(e[g], &bits[g]);
            let count;
            (after[g], count) = drop_bits(bits[g], drop, unsafe { next.as_ptr().add(dealt).cast() });
            dealt += count;
            let is_length = _mm256_slli_epi32::<3>(e[g]);
            literal |= mask(e[g]) << (g * GROUP);
            let these = mask(is_length);
            matches |= these << (g * GROUP);
            let values = _mm256_and_si256(turn, value);
            sum = _mm256_add_epi32(sum, _mm256_and_si256(values, _mm256_srai_epi32::<31>(is_length)));
            far |= mask(_mm256_cmpgt_epi32(values, near)) << (g * GROUP);
            bytes[g] = _mm256_and_si256(turn, _mm256_set1_epi32(0xFF));
            unsafe { _mm256_storeu_si256(this.turns.as_mut_ptr().add(g * GROUP).cast(), turn) };
        }
        let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b00_00_00_01>(sum));
        let total = _mm_cvtsi128_si32(sum) as u32 as usize + literal.count_ones() as usize + MIN_MATCH * matches.count_ones() as usize;
        let end = settled + total;

        if dealt > left || end + ROOM > tile.out.len() {
            break;
        }
        if far & before.matches != 0 && too_far(before, &this.turns) {
            break;
        }
        this.start = settled;
        this.matches = matches;
        this.literal = literal;
        let words01 = _mm256_packus_epi32(bytes[0], bytes[1]);
        let words23 = _mm256_packus_epi32(bytes[2], bytes[3]);
        let all = _mm256_packus_epi16(words01, words23);
        let all = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        let quads = [
            _mm256_extract_epi64::<0>(all), _mm256_extract_epi64::<1>(all),
            _mm256_extract_epi64::<2>(all), _mm256_extract_epi64::<3>(all)];
        let mut place = 0;
        for g in 0..GROUPS {
            let these = u64::from(literal >> (g * GROUP) & 0xFF);
            let which = _pdep_u64(these, 0x0101_0101_0101_0101) * 0xFF;
            let packed = _pext_u64(quads[g] as u64, which);
            unsafe { this.literals.as_mut_ptr().add(place).cast::<u64>().write_unaligned(packed) };
            place += these.count_ones() as usize;
        }

        left -= dealt;
        words = &words[dealt..];
        settled = end;
        bits = after;
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
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn mask(v: __m256i) -> u32 {
    _mm256_movemask_ps(_mm256_castsi256_ps(v)) as u32
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn turns(entries: __m256i, bits: &Bits) -> (__m256i, __m256i) {
    let drop = _mm256_and_si256(_mm256_srli_epi32::<{ entry::DROP_AT as i32 }>(entries), _mm256_set1_epi32(31));
    let shift = _mm256_and_si256(_mm256_srli_epi32::<{ entry::SHIFT_AT as i32 }>(entries), _mm256_set1_epi32(31));
    let top = _mm256_sllv_epi32(bits.low, _mm256_sub_epi32(_mm256_set1_epi32(32), drop));
    let extra = _mm256_srlv_epi32(_mm256_srli_epi32::<1>(top), shift);
    (_mm256_add_epi32(entries, extra), drop)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn look_up(tables: &Tables, bits: &Bits, before: __m256i) -> __m256i {
    let root = _mm256_and_si256(bits.low, _mm256_set1_epi32((1 << ROOT_BITS) - 1));
    let table = _mm256_and_si256(_mm256_srli_epi32::<16>(before), _mm256_set1_epi32(DISTANCE_AT as i32));
    let index = _mm256_or_si256(root, table);
    let e = |k: u64| unsafe { *tables.entries.get_unchecked(k as usize) as i32 };
    let quad = |q: __m128i| {
        let (a, b) = (_mm_cvtsi128_si64(q) as u64, _mm_extract_epi64::<1>(q) as u64);
        _mm_setr_epi32(e(a & 0xFFFFFFFF), e(a >> 32), e(b & 0xFFFFFFFF), e(b >> 32))
    };
    _mm256_set_m128i(quad(_mm256_extracti128_si256::<1>(index)), quad(_mm256_castsi256_si128(index)))
}

#[cold]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn look_up_long(tables: &Tables, low: __m256i, entries: __m256i) -> __m256i {
    let long = _mm256_slli_epi32::<1>(entries);
    let width = _mm256_and_si256(_mm256_srli_epi32::<{ entry::DROP_AT as i32 }>(entries), _mm256_set1_epi32(31));
    let mask = _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), width), _mm256_set1_epi32(-1));
    let within = _mm256_and_si256(_mm256_srli_epi32::<{ ROOT_BITS as i32 }>(low), mask);
    let index = _mm256_add_epi32(_mm256_and_si256(entries, _mm256_set1_epi32(0xFFFF)), within);
    unsafe { _mm256_mask_i32gather_epi32::<4>(entries, tables.entries.as_ptr().cast(), index, long) }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn drop_bits(bits: Bits, drop: __m256i, words: *const u32) -> (Bits, usize) {
    let spare = _mm256_sub_epi32(bits.spare, drop);
    let needs = mask(spare);
    let words = unsafe { _mm256_loadu_si256(words.cast()) };
    let order = unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(EXPAND[needs as usize & 255].as_ptr().cast())) };
    let words = _mm256_and_si256(_mm256_permutevar8x32_epi32(words, order), _mm256_srai_epi32::<31>(spare));
    let up = _mm256_sub_epi32(_mm256_set1_epi32(32), drop);
    let low = _mm256_or_si256(_mm256_srlv_epi32(bits.low, drop), _mm256_sllv_epi32(bits.high, up));
    let high = _mm256_srlv_epi32(bits.high, drop);
    let spare = _mm256_and_si256(spare, _mm256_set1_epi32(31));
    let low = _mm256_or_si256(low, _mm256_sllv_epi32(words, spare));
    let high = _mm256_or_si256(high, _mm256_srlv_epi32(words, _mm256_sub_epi32(_mm256_set1_epi32(32), spare)));
    (Bits { low, high, spare }, needs.count_ones() as usize)
}
/// Writes a round's output.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
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


#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn load(lanes: &Lanes) -> [Bits; GROUPS] {
    core::array::from_fn(|g| {
        let at = g * GROUP;
        let low: [u32; GROUP] = core::array::from_fn(|lane| lanes.bits[at + lane] as u32);
        let high: [u32; GROUP] = core::array::from_fn(|lane| (lanes.bits[at + lane] >> 32) as u32);
        let spare: [u32; GROUP] = core::array::from_fn(|lane| u32::from(lanes.spare[at + lane]));
        let vector = |lanes: [u32; GROUP]| unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
        Bits { low: vector(low), high: vector(high), spare: vector(spare) }
    })
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn store(bits: &[Bits; GROUPS], lanes: &mut Lanes) {
    for (g, bits) in bits.iter().enumerate() {
        let array = |vector: __m256i| {
            let mut lanes = [0_u32; GROUP];
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) };
            lanes
        };
        let (low, high, spare) = (array(bits.low), array(bits.high), array(bits.spare));
        for lane in 0..GROUP {
            lanes.bits[g * GROUP + lane] = u64::from(high[lane]) << 32 | u64::from(low[lane]);
            lanes.spare[g * GROUP + lane] = spare[lane] as u8;
        }
    }
}
