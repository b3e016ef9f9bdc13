//! GDeflate: the compression format of DirectStorage game assets, decoded and encoded in safe Rust.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_core)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod decode;
mod encode;
mod error;
mod format;
mod stream;

pub use decode::Decoder;
pub use encode::*;
pub use error::{Code, DecodeError, StreamError, TileError, TileErrorKind};
pub use format::{MAX_STREAM_SIZE, MAX_TILE_PAYLOAD, MAX_TILES, MIN_TILE_PAYLOAD, TILE_SIZE};
pub use stream::{CodecId, Header, StreamWriter, Tile, TileStream, TileTable, WriteError, write_table};
