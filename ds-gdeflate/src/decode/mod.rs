//! Decoding: a tile at a time, into a slice of exactly its size.

use crate::error::{DecodeError, TileError};
use crate::stream::TileStream;

/// The workspace of a decoder. Reusable for any number of tiles; holds no state between them.
#[derive(Debug)]
pub struct Decoder {
    _tables: [u32; 4],
}

impl Decoder {
    /// A workspace.
    pub const fn new() -> Self {
        Self { _tables: [0; 4] }
    }

    /// Decodes one tile; `out` is exactly as long as the tile's content.
    ///
    /// # Errors
    ///
    /// Any [`TileError`].
    pub fn decode_tile(&mut self, _payload: &[u8], _out: &mut [u8]) -> Result<(), TileError> {
        Ok(())
    }

    /// Decodes a whole stream and returns its size.
    ///
    /// # Errors
    ///
    /// Any [`DecodeError`].
    pub fn decode_stream(&mut self, _stream: &TileStream<'_>, _out: &mut [u8]) -> Result<usize, DecodeError> {
        Ok(0)
    }
}
