//! GDeflate: the compression format of DirectStorage game assets, decoded and encoded.
//!
//! `no_std`; the decoder never allocates; any input whatever gets bytes or a typed error with numbers. Compatible with the public
//! reference codec (`04 FB` streams) and with DirectStorage's own streams (`FE 01`).
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use ds_gdeflate::{CodecId, Level, compress, decompress};
//!
//! let raw = b"to be or not to be ".repeat(1000);
//! let stream = compress(&raw, Level::DEFAULT, CodecId::default()).unwrap();
//! assert_eq!(decompress(&stream).unwrap(), raw);
//! # }
//! ```
//!
//! Without an allocator, tile by tile, into memory of one's own:
//!
//! ```
//! use ds_gdeflate::{CodecId, Decoder, Encoder, Level, TileStream, tile_bound, write_table};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let raw = [7; 300];
//! # let (mut encoder, mut payload) = (Encoder::new(), [0; tile_bound(300)]);
//! # let len = encoder.encode_tile(Level::FASTEST, &raw, &mut payload)?;
//! # let mut stream = [0; 12 + tile_bound(300)];
//! # write_table(CodecId::default(), 300, [len], &mut stream)?;
//! # stream[12..12 + len].copy_from_slice(&payload[..len]);
//! let mut decoder = Decoder::new(); // the workspace: 26 KiB, reusable
//! let mut content = [0; ds_gdeflate::TILE_SIZE];
//! for tile in TileStream::parse(&stream)?.tiles() {
//!     let size = decoder.decode(tile, &mut content)?;
//! #   assert_eq!(content[..size], raw);
//! }
//! # Ok(()) }
//! ```
//!
//! Along the data path:
//!
//! 1. [`TileStream`] (with [`Header`] and [`TileTable`], which also work before the payloads have arrived) finds the tiles;
//! 2. [`Decoder`] decodes one, independently of all others, so that tiles spread over threads in any order;
//!    [`TileReport`] tells what a tile is made of;
//! 3. [`Encoder`] makes one, at a [`Level`], never larger than [`tile_bound`];
//! 4. [`StreamWriter`] and [`write_table`] put tiles into a stream.
//!
//! Decoder and encoder use the best instructions that they find at run time, with or without `std`: [`SimdLevel`].
//!
//! Features: `simd` (default) adds variants with vectors, AVX2, AVX-512 and, of the decoder, NEON; without it there is no unsafe code here. `alloc`
//! adds whole streams in and out of vectors, and has [`Encoder`] allocate its workspace; `std` implies `alloc`. Memory: [`Decoder`] is
//! 26 KiB, [`Encoder`] needs 850 KiB, and levels 8 to 12 need 2.4 MiB more, from the allocator or as a [`Scratch`]. The format itself is
//! described in `docs/gdeflate.md` of the repository, the encoder's levels in `docs/encoder.md`.
// Tests share modules with integration tests, which have the standard library's names.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_core)]

#[cfg(feature = "alloc")]
extern crate alloc;

// Unit tests share files with integration tests, which know this crate by its name.
#[cfg(test)]
extern crate self as ds_gdeflate;

mod decode;
mod encode;
mod error;
mod format;
mod inspect;
mod simd;
mod stream;
// Freestanding targets have no vector registers.
#[cfg(all(feature = "simd", target_arch = "x86_64", not(any(target_os = "none", target_os = "uefi"))))]
mod x86;

pub use decode::Decoder;
#[cfg(feature = "alloc")]
pub use decode::decompress;
#[cfg(feature = "alloc")]
pub use encode::compress;
pub use encode::{EncodeError, EncodeOptions, Encoder, Level, Scratch, stream_bound, tile_bound};
pub use error::{Code, DecodeError, StreamError, TileError, TileErrorKind};
pub use format::{
    MAX_STREAM_SIZE, MAX_TILE_PAYLOAD, MAX_TILES, MIN_TILE_PAYLOAD, TILE_SIZE, max_dynamic_blocks,
};
pub use inspect::TileReport;
pub use simd::SimdLevel;
pub use stream::{CodecId, Header, StreamWriter, Tile, TileStream, TileTable, WriteError, write_table};

/// The crate page's code is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CratePage;
