//! Variants of the fast path with vectors.
//!
//! | module | what it knows |
//! |---|---|
//! | `wide` | rounds whose turns are taken in vectors, whatever those are |
//! | `output` | writing what the turns said |
//! | `avx2`, `avx512` | vectors of 8 and 16 lanes on x86-64 |
//! | `stored` | stored blocks there |
//! | `neon` | vectors of 4 lanes on AArch64 |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod output;
#[cfg(target_arch = "x86_64")]
mod stored;
mod wide;

#[cfg(target_arch = "aarch64")]
pub(crate) use super::absent::{Absent as Avx2, Absent as Avx512};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub(crate) use {super::absent::Absent as Neon, avx2::Avx2, avx512::Avx512};
