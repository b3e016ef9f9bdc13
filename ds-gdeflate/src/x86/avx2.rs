//! Vectors of 8 lanes.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::Word;
use crate::format::LANES;

/// Lanes in a vector.
pub(crate) const QUARTER: usize = LANES / 4;

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn load<T: Word>(from: &[T; QUARTER]) -> __m256i {
    const { assert!(size_of::<[T; QUARTER]>() == size_of::<__m256i>()) };
    // SAFETY: as many bytes as a vector has, all initialised, as `Word` says.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn store(vector: __m256i, to: &mut [u32; QUARTER]) {
    // SAFETY: 32 bytes, to 8 times 4.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), vector) }
}

/// Each lane's byte of a number, the first the lowest.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn bytes(bytes: u64) -> __m256i {
    _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes as i64))
}

/// Lanes of `one`, or of `other` where `which` is negative.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn choose(one: __m256i, other: __m256i, which: __m256i) -> __m256i {
    let [one, other, which] = [one, other, which].map(|vector| _mm256_castsi256_ps(vector));
    _mm256_castps_si256(_mm256_blendv_ps(one, other, which))
}

/// Looks up each lane's `index`, 0 to 31, in a table of four vectors.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn look_up(table: [__m256i; 4], index: __m256i) -> __m256i {
    // The lower 3 bits tell where it is in a quarter, those above in which.
    let [a, b, c, d] = table.map(|quarter| _mm256_permutevar8x32_epi32(quarter, index));
    let odd = _mm256_slli_epi32::<28>(index);
    let upper = _mm256_slli_epi32::<27>(index);
    choose(choose(a, b, odd), choose(c, d, odd), upper)
}

/// The lanes that are negative, the first the lowest bit.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn negative(vector: __m256i) -> u8 {
    _mm256_movemask_ps(_mm256_castsi256_ps(vector)) as u8
}

/// For each set of eight lanes, and for each lane, how many below it are in the set. A lane's count is a byte, the first the lowest.
pub(crate) static RANKS: [u64; 1 << QUARTER] = {
    let mut ranks = [0; 1 << QUARTER];
    let mut set = 0_usize;
    while set < ranks.len() {
        let mut lane = 0;
        while lane < QUARTER {
            ranks[set] |= ((set & ((1 << lane) - 1)).count_ones() as u64) << (8 * lane);
            lane += 1;
        }
        set += 1;
    }
    ranks
};
