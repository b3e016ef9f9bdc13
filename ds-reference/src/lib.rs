//! Test only: the reference GDeflate codec (C, through `gdeflate-sys`) behind a safe face.
//!
//! Our tests and benches need a second opinion. The reference gives one, but its C interface cannot be
//! called with arbitrary input and survive, so nothing that ships may link it. What this crate guards against:
//!
//! - **The encoder writes past its own bound.** For a 64 KiB tile `compress_bound` says 65 708 bytes and up
//!   to 65 744 have been seen written. [`Encoder`] gives it [`ENCODER_SLACK`] bytes more.
//! - **The encoder refuses valid input.** Some barely compressible tiles come back as "could not be
//!   compressed" at every level but 0, whatever room they are given: [`Refused`]. Comparisons leave such
//!   tiles out and say how many they were.
//! - **The encoder divides by zero on empty input.** [`Encoder::encode_tile`] panics first.
//! - **The decoder does not check the end of its input.** A tile cut short makes it read on. [`TileArena`]
//!   puts enough readable bytes behind every tile that it always stops inside them.
//! - **The decoder adds to the caller's "bytes written"** instead of setting it; we start it at zero.
//!
//! Never link this crate together with another libdeflate binding: both export the same C symbols with
//! different signatures.

mod decoder;
mod encoder;

pub use decoder::{Decoder, PaddedTile, Rejected, TileArena};
pub use encoder::{ENCODER_SLACK, Encoder, Refused};

/// What is wrapped, for the heading of a report.
pub const VERSION: &str = "gdeflate-sys 0.4.1";

/// How it was compiled: the flag that Cargo's profile makes the C compiler be given.
pub const FLAGS: &str = env!("DS_REFERENCE_FLAGS");

/// The largest tile, in bytes of content.
pub const TILE_SIZE: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(len: usize) -> Vec<u8> {
        b"deal the words, deal the lanes; ".iter().copied().cycle().take(len).collect()
    }

    #[test]
    fn tiles_survive_a_round_trip_at_every_level() {
        for level in 0..=12 {
            let mut encoder = Encoder::new(level).expect("a level of the reference");
            let mut decoder = Decoder::new();
            for len in [1, 2, 31, 1000, TILE_SIZE] {
                let raw = text(len);
                let tile = encoder.encode_tile(&raw).expect("text is never refused");
                let mut out = vec![0xAA; len];
                decoder.decode_tile(&tile, &mut out).expect("what it wrote it reads");
                assert_eq!(out, raw, "level {level}, {len} bytes");
            }
        }
        assert!(Encoder::new(13).is_none());
    }

    #[test]
    fn a_cut_tile_is_survived() {
        let raw = text(5000);
        let tile = Encoder::new(6).expect("level 6").encode_tile(&raw).expect("text");
        let mut decoder = Decoder::new();
        let mut out = vec![0; raw.len()];
        for len in 0..tile.len() {
            // The verdict is the reference's own affair; what counts is that the call returns.
            let _ = decoder.decode_tile(&tile[..len], &mut out);
        }
    }

    #[test]
    fn a_short_output_is_rejected() {
        let raw = text(5000);
        let tile = Encoder::new(6).expect("level 6").encode_tile(&raw).expect("text");
        let mut out = vec![0; raw.len() + 1];
        assert!(Decoder::new().decode_tile(&tile, &mut out).is_err());
        assert!(Decoder::new().decode_tile(&tile, &mut out[..4999]).is_err());
    }
}
