//! What stands in for a variant where there is none.

use core::convert::Infallible;

use super::lanes::Deal;
use super::tile::TileDecoder;

/// No proof of anything: a type without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absent(Infallible);

impl Absent {
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
