//! Which instructions decoder and encoder use.

use core::fmt;

use crate::decode::{Avx2, Avx512, Neon};

/// An instruction set that the decoder has a variant for. The encoder has one for AVX2 and AVX-512, and is portable code otherwise.
///
/// A value stands for instructions that were found on this machine, so every value can be used. All variants give the same bytes and
/// the same verdicts; a caller picks one to compare them, or to stay away from an instruction set.
///
/// ```
/// use ds_gdeflate::{Decoder, SimdLevel};
///
/// // The fastest, without asking for it:
/// assert_eq!(Decoder::new().simd(), SimdLevel::detect());
/// // Each in turn:
/// for simd in SimdLevel::available() {
///     assert_eq!(Decoder::with_simd(simd).simd(), simd);
/// }
/// // One by its name, if the machine has it:
/// assert_eq!(SimdLevel::available().find(|simd| simd.name() == "scalar"), Some(SimdLevel::SCALAR));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimdLevel(pub(crate) Variant);

/// The decoder's variants, slowest first, each with a proof that it may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Scalar,
    Avx2(Avx2),
    Avx512(Avx512),
    Neon(Neon),
}

impl SimdLevel {
    /// Portable, safe code: there on every machine.
    pub const SCALAR: Self = Self(Variant::Scalar);

    /// The fastest level of this machine. On x86-64 asks the processor once and remembers its answer, with or without `std`; on
    /// AArch64 there is nothing to ask, as NEON is part of every target with floating point.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::SCALAR)
    }

    /// All levels of this machine, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let avx2 = Avx2::detect().map(Variant::Avx2);
        let avx512 = Avx512::detect().map(Variant::Avx512);
        let neon = Neon::detect().map(Variant::Neon);
        [Some(Variant::Scalar), avx2, avx512, neon].into_iter().flatten().map(Self)
    }

    /// The level's name: `scalar`, `avx2`, `avx512` or `neon`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Variant::Scalar => "scalar",
            Variant::Avx2(_) => "avx2",
            Variant::Avx512(_) => "avx512",
            Variant::Neon(_) => "neon",
        }
    }
}

impl fmt::Display for SimdLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
