//! The reference decoder, and memory laid out so that its over-reads land in bytes of ours.

use core::ffi::c_void;
use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;

use gdeflate_sys as sys;

use crate::TILE_SIZE;

/// Bytes of `0xFF` behind the last tile of an arena.
///
/// Why that is enough: past the tiles' end a block header reads as three ones, block type 3, which the
/// reference rejects. Lane 0 reaches such a header after at most 63 older bits, so at most 21 more blocks
/// begin. Inside blocks each turn takes at most one 4-byte word, and there are at most two turns for a byte of
/// output (131 072 for a tile) and under 500 more for a block's header and tail: below 600 KiB altogether.
const PADDING: usize = 1 << 20;

/// The reference decoder's verdict on a tile it did not like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The `libdeflate_result` it returned, or -1 where it succeeded with fewer bytes than were asked for.
    pub code: i32,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reference decoder rejected the tile with code {}", self.code)
    }
}

impl core::error::Error for Rejected {}

/// Tiles laid end to end with padding behind the last, so that no over-read leaves the allocation.
#[derive(Clone, Debug)]
pub struct TileArena {
    bytes: Vec<u8>,
    tiles: Vec<Range<usize>>,
}

impl TileArena {
    /// Lays out `tiles` in order.
    pub fn new<T: AsRef<[u8]>>(tiles: impl IntoIterator<Item = T>) -> Self {
        let mut arena = Self { bytes: Vec::new(), tiles: Vec::new() };
        for tile in tiles {
            let start = arena.bytes.len();
            arena.bytes.extend_from_slice(tile.as_ref());
            arena.tiles.push(start..arena.bytes.len());
        }
        arena.bytes.resize(arena.bytes.len() + PADDING, 0xFF);
        arena
    }

    /// The tiles, each a view that knows that more memory follows it.
    pub fn tiles(&self) -> impl ExactSizeIterator<Item = PaddedTile<'_>> {
        self.tiles.iter().map(|range| PaddedTile { rest: &self.bytes[range.start..], len: range.len() })
    }
}

/// One tile of a [`TileArena`].
#[derive(Clone, Copy, Debug)]
pub struct PaddedTile<'a> {
    /// The tile and everything behind it, padding included.
    rest: &'a [u8],
    len: usize,
}

impl<'a> PaddedTile<'a> {
    /// The tile's own bytes.
    pub fn payload(&self) -> &'a [u8] {
        &self.rest[..self.len]
    }
}

/// A reference decompressor.
pub struct Decoder {
    raw: NonNull<sys::libdeflate_gdeflate_decompressor>,
}

impl Decoder {
    /// A decompressor.
    ///
    /// # Panics
    ///
    /// When the C side is out of memory.
    #[allow(clippy::new_without_default, reason = "allocates foreign memory")]
    pub fn new() -> Self {
        // SAFETY: the call has no preconditions; it returns NULL when out of memory.
        let raw = unsafe { sys::libdeflate_alloc_gdeflate_decompressor() };
        Self { raw: NonNull::new(raw).expect("out of memory") }
    }

    /// Decodes one tile, which must fill `out` exactly. Copies `payload` to pad it: for measurements lay the
    /// tiles out once and call [`decode_padded`](Self::decode_padded).
    ///
    /// # Errors
    ///
    /// [`Rejected`]; `out` then holds anything.
    ///
    /// # Panics
    ///
    /// If `out` is larger than a tile.
    pub fn decode_tile(&mut self, payload: &[u8], out: &mut [u8]) -> Result<(), Rejected> {
        let arena = TileArena::new([payload]);
        arena.tiles().try_for_each(|tile| self.decode_padded(tile, out))
    }

    /// Decodes one tile of an arena, which must fill `out` exactly.
    ///
    /// # Errors
    ///
    /// [`Rejected`]; `out` then holds anything.
    ///
    /// # Panics
    ///
    /// If `out` is larger than a tile.
    pub fn decode_padded(&mut self, tile: PaddedTile<'_>, out: &mut [u8]) -> Result<(), Rejected> {
        assert!(out.len() <= TILE_SIZE, "{} bytes are more than one tile", out.len());
        let mut page =
            sys::libdeflate_gdeflate_in_page { data: tile.rest.as_ptr().cast::<c_void>(), nbytes: tile.len };
        let mut written = 0;
        // SAFETY: the decompressor is live and exclusively ours. Writes: the reference checks every one
        // against `out`'s length. Reads: it does not check, but the padding that ends `rest` stops it inside
        // that slice for any input (see `PADDING`).
        let code = unsafe {
            sys::libdeflate_gdeflate_decompress(
                self.raw.as_ptr(),
                &raw mut page,
                1,
                out.as_mut_ptr().cast::<c_void>(),
                out.len(),
                &raw mut written,
            )
        };
        match code {
            0 if written == out.len() => Ok(()),
            0 => Err(Rejected { code: -1 }),
            code => Err(Rejected { code }),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once.
        unsafe { sys::libdeflate_free_gdeflate_decompressor(self.raw.as_ptr()) };
    }
}
