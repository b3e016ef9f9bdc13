//! Test only: DEFLATE by libdeflate, in tiles, as GDeflate has them.
//!
//! What our decoder is measured against besides the reference codec: the fastest decoder of the format next to it. In a crate of its
//! own, because libdeflate and the reference export C symbols of the same names with different signatures: no program may have
//! both.
#![forbid(unsafe_code)]

use libdeflater::{CompressionLvl, Compressor, Decompressor};

/// What is wrapped, for the heading of a report.
pub const VERSION: &str = "libdeflater 1.26.1";

/// How it was compiled: the flag that Cargo's profile makes the C compiler be given.
pub const FLAGS: &str = env!("DS_LIBDEFLATE_FLAGS");

/// Encodes one tile as a DEFLATE stream of its own.
///
/// # Panics
///
/// If libdeflate knows no such level: they are 0 to 12.
pub fn encode_tile(level: u8, raw: &[u8]) -> Vec<u8> {
    let mut encoder = Compressor::new(CompressionLvl::new(level.into()).expect("a level of libdeflate"));
    let mut payload = vec![0; encoder.deflate_compress_bound(raw.len())];
    let size = encoder.deflate_compress(raw, &mut payload).expect("the bound is room enough");
    payload.truncate(size);
    payload
}

/// A decompressor.
pub struct Decoder(Decompressor);

impl Decoder {
    /// A decompressor.
    #[allow(clippy::new_without_default, reason = "allocates foreign memory")]
    pub fn new() -> Self {
        Self(Decompressor::new())
    }

    /// Decodes one tile, which must fill `out` exactly.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn decode_tile(&mut self, payload: &[u8], out: &mut [u8]) {
        let size = self.0.deflate_decompress(payload, out).expect("a good tile");
        assert_eq!(size, out.len(), "bytes decoded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_survive_a_round_trip() {
        let raw = b"the same bytes, the other format ".repeat(100);
        let mut out = vec![0; raw.len()];
        for level in [1, 6, 9, 12] {
            Decoder::new().decode_tile(&encode_tile(level, &raw), &mut out);
            assert_eq!(out, raw);
            out.fill(0);
        }
    }
}
