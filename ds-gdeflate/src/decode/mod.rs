//! Decoding: a tile at a time, into a slice of exactly its size.
//!
//! | module | what it knows |
//! |---|---|
//! | `lanes` | bit buffers, and how words are dealt to them |
//! | `header`, `precode` | a dynamic block's code lengths, themselves coded |
//! | `code` | what code lengths say |
//! | `entry`, `table` | from there to tables that answer with one look-up |
//! | `canonical` | codes that are searched, for blocks not worth tables |
//! | `tile` | the careful decoder: every check, turn by turn |
//! | `rounds` | the fast path: 32 turns at once, written one round late |
//! | `vector` | the same with vectors, written two rounds late |
//! | `stored` | the fast path of stored blocks |
//! | `watch` | counting what a tile is made of |
//! | `copy` | copying matches, exactly or not |

mod absent;
mod canonical;
mod code;
mod copy;
#[cfg(test)]
mod efforts;
mod entry;
mod header;
mod lanes;
mod precode;
mod rounds;
mod stored;
mod table;
mod tile;
mod watch;
// Freestanding targets for x86-64 have no vector registers; neither have those for AArch64 without floating point. Big-endian ones have
// their lanes the other way round.
#[cfg(all(
    feature = "simd",
    any(
        all(target_arch = "x86_64", not(any(target_os = "none", target_os = "uefi"))),
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    )
))]
mod vector;
#[cfg(not(all(
    feature = "simd",
    any(
        all(target_arch = "x86_64", not(any(target_os = "none", target_os = "uefi"))),
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    )
)))]
mod vector {
    pub(crate) use super::absent::{Absent as Avx2, Absent as Avx512, Absent as Neon};
}

use crate::error::{DecodeError, TileError, TileErrorKind};
use crate::format::{MAX_TILE_PAYLOAD, TILE_SIZE};
use crate::inspect::TileReport;
use crate::simd::SimdLevel;
use crate::stream::{Tile, TileStream};
use table::Tables;
use tile::TileDecoder;
pub(crate) use vector::{Avx2, Avx512, Neon};
use watch::{Unwatched, Watch};

/// A decoder's workspace: under 32 KiB, no allocation, ready at compile time.
///
/// Reusable for any number of tiles in any order; no tile leaves anything behind that another could see. One
/// workspace serves one thread at a time.
#[derive(Clone, Debug)]
pub struct Decoder {
    tables: Tables,
    /// The instructions to use; the machine's best if none.
    simd: Option<SimdLevel>,
}

impl Decoder {
    /// A workspace.
    #[must_use]
    pub const fn new() -> Self {
        Self { tables: Tables::new(), simd: None }
    }

    /// A workspace of a decoder that uses these instructions rather than the machine's best.
    #[must_use]
    pub const fn with_simd(simd: SimdLevel) -> Self {
        Self { tables: Tables::new(), simd: Some(simd) }
    }

    /// The instructions that this decoder uses.
    #[must_use]
    pub fn simd(&self) -> SimdLevel {
        self.simd.unwrap_or_else(SimdLevel::detect)
    }

    /// A workspace on the heap. Without optimisation its 26 KiB pass over the stack more than once.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn boxed() -> alloc::boxed::Box<Self> {
        alloc::boxed::Box::new(Self::new())
    }

    /// Decodes one tile into `out`, which is exactly as long as the tile's content, 1 to 65 536 bytes.
    ///
    /// `payload` may hold more words than the tile needs; they are not looked at.
    ///
    /// # Errors
    ///
    /// Any [`TileError`]. What `out` then holds is unspecified: some of it may be the tile's, some as before.
    /// Nothing that this or another tile left in the workspace ever gets there, and a tile is never
    /// reported as decoded unless every byte of `out` came from its payload.
    pub fn decode_tile(&mut self, payload: &[u8], out: &mut [u8]) -> Result<(), TileError> {
        self.decode_watched(payload, out, Unwatched)
    }

    /// Decodes one tile, as [`decode_tile`](Self::decode_tile) does but some times slower, and counts what it is
    /// made of.
    ///
    /// # Errors
    ///
    /// Those of [`decode_tile`](Self::decode_tile), the same for the same tile.
    pub fn inspect_tile(&mut self, payload: &[u8], out: &mut [u8]) -> Result<TileReport, TileError> {
        let mut report = TileReport::default();
        self.decode_watched(payload, out, &mut report)?;
        Ok(report)
    }

    fn decode_watched(&mut self, payload: &[u8], out: &mut [u8], watch: impl Watch) -> Result<(), TileError> {
        let refused = |kind| TileError { kind, lane: 0, input: 0, output: 0 };
        if out.is_empty() || out.len() > TILE_SIZE {
            return Err(refused(TileErrorKind::OutputSize { actual: out.len() }));
        }
        let (words, []) = payload.as_chunks() else {
            return Err(refused(TileErrorKind::PayloadSize { actual: payload.len() }));
        };
        if payload.len() > MAX_TILE_PAYLOAD {
            return Err(refused(TileErrorKind::PayloadSize { actual: payload.len() }));
        }
        let simd = self.simd();
        TileDecoder::new(&mut self.tables, words, out, watch, simd).run()
    }

    /// Decodes one of a stream's tiles to the start of `out` and returns the size of its content.
    ///
    /// # Errors
    ///
    /// [`DecodeError::OutputSize`] if `out` is too small, or [`DecodeError::Tile`], of which the same is true as of
    /// [`decode_tile`](Self::decode_tile)'s. The rest of `out` is left alone.
    pub fn decode(&mut self, tile: Tile<'_>, out: &mut [u8]) -> Result<usize, DecodeError> {
        let (size, actual) = (tile.uncompressed_size(), out.len());
        let out = out
            .get_mut(..size)
            .ok_or(DecodeError::OutputSize { expected: size as u64, actual: actual as u64 })?;
        self.decode_tile(tile.payload(), out)
            .map_err(|error| DecodeError::Tile { tile: tile.index(), error })?;
        Ok(size)
    }

    /// Decodes every tile of a stream to the start of `out` and returns the size of the content.
    ///
    /// # Errors
    ///
    /// [`DecodeError::OutputSize`] if `out` is too small, or the first tile's error. The tiles before it are
    /// then decoded; the rest of `out` is unspecified.
    pub fn decode_stream(&mut self, stream: &TileStream<'_>, out: &mut [u8]) -> Result<usize, DecodeError> {
        let expected = stream.uncompressed_size();
        let actual = out.len() as u64;
        if actual < expected {
            return Err(DecodeError::OutputSize { expected, actual });
        }
        for (tile, out) in stream.tiles().zip(out[..expected as usize].chunks_mut(TILE_SIZE)) {
            self.decode(tile, out)?;
        }
        Ok(expected as usize)
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Decodes a whole tile stream into a vector of its own.
///
/// A stream cannot make this allocate much more than its own length warrants: a tile of 64 KiB takes at least 128 bytes of payload,
/// so the content is at most 512 times as large.
///
/// # Errors
///
/// Any [`DecodeError`]; [`DecodeError::OutputSize`] if there is no memory for the content.
#[cfg(feature = "alloc")]
pub fn decompress(stream: &[u8]) -> Result<alloc::vec::Vec<u8>, DecodeError> {
    let stream = TileStream::parse(stream).map_err(DecodeError::Stream)?;
    let expected = stream.uncompressed_size();
    let mut content = alloc::vec::Vec::new();
    let size = usize::try_from(expected).ok().filter(|&size| content.try_reserve_exact(size).is_ok());
    content.resize(size.ok_or(DecodeError::OutputSize { expected, actual: 0 })?, 0);
    Decoder::new().decode_stream(&stream, &mut content)?;
    Ok(content)
}
