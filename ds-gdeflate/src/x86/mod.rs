//! What decoder and encoder do alike with the vectors of x86-64: from memory and back, and in which order.

pub(crate) mod avx2;
pub(crate) mod avx512;

use crate::format::WORD;

/// What vectors are loaded from.
///
/// # Safety
///
/// It is 4 bytes, all of them initialised: there is no padding.
#[allow(unsafe_code, reason = "whoever implements it vouches for what loads rely on")]
pub(crate) unsafe trait Word {}

// SAFETY: an integer of 4 bytes.
#[allow(unsafe_code, reason = "see the trait")]
unsafe impl Word for u32 {}

// SAFETY: 4 bytes.
#[allow(unsafe_code, reason = "see the trait")]
unsafe impl Word for [u8; WORD] {}
