//! What the decoder's tests share: vectors from files, tiles written by hand, and a small random generator.

#![allow(dead_code)] // each test binary uses its own part

pub(crate) mod guarded;
pub(crate) mod random;
pub(crate) mod short;
pub(crate) mod vectors;
pub(crate) mod worst;
pub(crate) mod writer;
