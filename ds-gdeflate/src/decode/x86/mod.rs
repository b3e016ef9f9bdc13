//! Variants of the fast path for x86-64.
//!
//! | module | what it knows |
//! |---|---|
//! | `wide` | rounds whose turns are taken in vectors, whatever those are |
//! | `avx2`, `avx512` | vectors of 8 and 16 lanes |

mod avx2;
mod avx512;
mod wide;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::Avx512;
