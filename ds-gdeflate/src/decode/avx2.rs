#![allow(unsafe_code)]
use super::rounds;
use super::tile::TileDecoder;
cpufeatures::new!(features, "avx2", "bmi1", "bmi2", "popcnt");
/// Proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());
impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        features::get().then_some(Self(()))
    }
    pub(super) fn run<W>(self, tile: &mut TileDecoder<'_, '_, '_, W>) {
        rounds::run(tile);
    }
}
