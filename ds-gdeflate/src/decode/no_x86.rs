//! What stands in for the variants for x86-64 where there are none: types without a value.

use core::convert::Infallible;

use super::lanes::Deal;
use super::tile::TileDecoder;

/// No proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(Infallible);

/// No proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(Infallible);

impl Avx2 {
    pub(crate) const fn detect() -> Option<Self> {
        None
    }

    pub(super) fn run<W>(self, _: &mut TileDecoder<'_, '_, '_, W>) {
        match self.0 {}
    }

    pub(super) fn run_stored(self, _: &mut Deal<'_>, _: &mut [u8]) -> usize {
        match self.0 {}
    }
}

impl Avx512 {
    pub(crate) const fn detect() -> Option<Self> {
        None
    }

    pub(super) fn run<W>(self, _: &mut TileDecoder<'_, '_, '_, W>) {
        match self.0 {}
    }

    pub(super) fn run_stored(self, _: &mut Deal<'_>, _: &mut [u8]) -> usize {
        match self.0 {}
    }
}
