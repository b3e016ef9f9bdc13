//! The encoder: one tile in, its payload out.
//!
//! In data-path order:
//!
//! 1. [`window`]: a padded copy of the tile.
//! 2. A parser makes [`tokens`] of it, literals and matches, and counts their symbols by chunk: [`fast`], or [`lazy`]
//!    over the hash [`chains`].
//! 3. [`split`] joins chunks into blocks.
//! 4. [`block`] gives each block the cheapest of the three kinds, with codes from [`huffman`], and writes it: code
//!    lengths in [`header`], tokens as [`symbols`].
//! 5. [`lanes`] deals the bits to the lanes and puts their words where a decoder's refills look for them.
//!
//! All but the parser is common to the levels. Nothing depends on anything but the tile and the level, so the same
//! input gives the same bytes everywhere.

mod block;
mod bound;
mod chains;
mod error;
mod fast;
mod header;
mod histogram;
mod huffman;
mod lanes;
mod lazy;
mod level;
mod split;
#[cfg(feature = "alloc")]
mod stream;
mod symbols;
mod token;
mod tokens;
mod window;

pub use bound::{stream_bound, tile_bound};
pub use error::EncodeError;
pub use level::Level;
#[cfg(feature = "alloc")]
pub use stream::compress;

use core::fmt;

use crate::format::{TILE_SIZE, WORD};
use block::{Block, write_stored};
use chains::Chains;
use lanes::LaneWriter;
use tokens::Tokens;
use window::Window;

/// An encoder's workspace: some 630 KiB of plain arrays, for one tile at a time.
///
/// Nothing is allocated while encoding and nothing is carried from one tile to the next, so a workspace serves any
/// number of tiles at any levels. It is too large for most stacks: keep it in a `static`, or use
/// [`boxed`](Self::boxed).
///
/// ```
/// use ds_gdeflate::{Encoder, Level, tile_bound};
///
/// # fn main() { std::thread::Builder::new().stack_size(8 << 20).spawn(run).unwrap().join().unwrap().unwrap() }
/// # fn run() -> Result<(), ds_gdeflate::EncodeError> {
/// let mut encoder = Encoder::new();
/// let raw = b"so much depends upon a red wheel barrow";
/// let mut payload = [0; tile_bound(39)];
/// let len = encoder.encode_tile(Level::DEFAULT, raw, &mut payload)?;
/// assert!(len <= payload.len());
/// # Ok(())
/// # }
/// ```
pub struct Encoder {
    window: Window,
    tokens: Tokens,
    chains: Chains,
}

impl Encoder {
    /// A workspace, ready for any level.
    #[must_use]
    pub const fn new() -> Self {
        Self { window: Window::new(), tokens: Tokens::new(), chains: Chains::new() }
    }

    /// A workspace on the heap.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn boxed() -> alloc::boxed::Box<Self> {
        alloc::boxed::Box::new(Self::new())
    }

    /// Encodes one tile and returns its payload's size in bytes, a multiple of 4.
    ///
    /// `raw` is the tile, 1 to [`TILE_SIZE`] bytes; the payload goes to the start of `out`.
    /// [`tile_bound`] bytes are always enough, and that bound is exact for incompressible data. Bytes of `out` behind
    /// the payload, up to the bound, are left unspecified.
    ///
    /// # Errors
    ///
    /// [`EncodeError::RawSize`] if `raw` is empty or too large, [`EncodeError::OutputTooSmall`] if the payload does
    /// not fit; the contents of `out` are then unspecified.
    pub fn encode_tile(&mut self, level: Level, raw: &[u8], out: &mut [u8]) -> Result<usize, EncodeError> {
        if raw.is_empty() || raw.len() > TILE_SIZE {
            return Err(EncodeError::RawSize { actual: raw.len() });
        }
        let bound = tile_bound(raw.len());
        let actual = out.len();
        let (words, _) = out[..actual.min(bound)].as_chunks_mut();

        let level = level.implemented();
        let compressed = (level != Level::STORED).then(|| self.compress(level, raw, words));
        let needed = match compressed {
            Some(size) if size < bound => size,
            _ => bound,
        };
        if needed > actual {
            return Err(EncodeError::OutputTooSmall { needed, actual });
        }
        if needed == bound {
            let mut lanes = LaneWriter::new(words);
            write_stored(&mut lanes, raw, true);
            lanes.finish();
        }
        Ok(needed)
    }

    /// Writes the compressed tile, as far as it fits, and returns its size in bytes.
    fn compress(&mut self, level: Level, raw: &[u8], words: &mut [[u8; WORD]]) -> usize {
        self.window.load(raw);
        if level == Level::FAST {
            fast::parse(self.chains.pairs(), &self.window, &mut self.tokens);
        } else {
            lazy::parse(&mut self.chains, &self.window, lazy::Effort::DEFAULT, &mut self.tokens);
        }

        let (tokens, chunks) = self.tokens.chunks_mut();
        let blocks = split::join_chunks(chunks);
        let mut lanes = LaneWriter::new(words);
        let (mut token, mut byte) = (0, 0);
        for block in &chunks[..blocks] {
            Block {
                raw: &raw[byte..block.raw_end],
                tokens: &tokens[token..block.tokens_end],
                histogram: &block.histogram,
                last: block.raw_end == raw.len(),
            }
            .write(&mut lanes);
            (token, byte) = (block.tokens_end, block.raw_end);
        }
        lanes.finish() * WORD
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}
