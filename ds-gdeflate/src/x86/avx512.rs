//! Vectors of 16 lanes.

#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::Word;
use crate::format::LANES;

/// Lanes in a vector.
pub(crate) const HALF: usize = LANES / 2;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
pub(crate) fn load<T: Word>(from: &[T; HALF]) -> __m512i {
    const { assert!(size_of::<[T; HALF]>() == size_of::<__m512i>()) };
    // SAFETY: as many bytes as a vector has, all initialised, as `Word` says.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
pub(crate) fn store(vector: __m512i, to: &mut [u32; HALF]) {
    // SAFETY: 64 bytes, to 16 times 4.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), vector) }
}
