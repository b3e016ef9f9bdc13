//! The encoder: one tile in, its payload out.
//!
//! In data-path order:
//!
//! 1. [`window`]: a padded copy of the tile.
//! 2. A parser makes [`tokens`] of it, literals and matches, in blocks whose symbols it counts: [`fast`]; or [`lazy`],
//!    over hash [`chains`]; or [`optimal`], which looks in binary trees ([`tree`]) for all [`matches`] worth knowing
//!    and finds the cheapest path through them at a [`price`].
//! 3. [`split`] joins blocks and moves their boundaries, by what they cost according to their [`entropy`].
//! 4. [`block`] gives each block the cheapest of the three kinds, with [`codes`] from [`huffman`], and writes it: code
//!    lengths in [`header`], tokens as [`turns`] of the lanes with what [`symbols`] says, most of them in [`vector`]s
//!    where that can be.
//! 5. [`lanes`] deals the bits to the lanes and puts their words where a decoder's refills look for them.
//!
//! All but the parser is common to the levels. Nothing depends on anything but the tile and the options, so the same
//! input gives the same bytes everywhere.

mod block;
mod bound;
mod chains;
mod codes;
mod entropy;
mod error;
mod fast;
mod header;
mod histogram;
mod huffman;
mod lanes;
mod lazy;
mod level;
mod matches;
mod optimal;
mod options;
mod price;
mod scratch;
mod split;
#[cfg(feature = "alloc")]
mod stream;
mod symbols;
mod token;
mod tokens;
mod tree;
mod turns;
mod window;

// Freestanding targets for x86-64 have no vector registers.
#[cfg(all(feature = "simd", target_arch = "x86_64", not(any(target_os = "none", target_os = "uefi"))))]
mod vector;
#[cfg(not(all(feature = "simd", target_arch = "x86_64", not(any(target_os = "none", target_os = "uefi")))))]
mod vector {
    use super::lanes::LaneWriter;
    use super::turns::Turns;
    use crate::simd::SimdLevel;

    /// Leaves all rounds to the portable code.
    pub(super) fn write_rounds(_: SimdLevel, _: &mut Turns<'_>, _: &mut LaneWriter<'_>) {}
}

pub use bound::{stream_bound, tile_bound};
pub use error::EncodeError;
pub use level::Level;
pub use options::EncodeOptions;
pub use scratch::Scratch;
#[cfg(feature = "alloc")]
pub use stream::compress;

use core::fmt;

use crate::format::{TILE_SIZE, WORD};
use crate::simd::SimdLevel;
use block::{EncodedBlock, write_stored};
use chains::Chains;
use codes::Coding;
use lanes::LaneWriter;
use level::Parser;
use optimal::Paths;
use scratch::{Arrays, Place};
use tokens::Tokens;
use window::Window;

/// An encoder's workspace, for one tile at a time.
///
/// Nothing is carried from one tile to the next, so a workspace serves any number of tiles at any levels.
///
/// It takes some 850 KiB, and at levels 8 to 12 another 2.4 MiB. With the feature `alloc` they are allocated once each, when the
/// first tile comes that needs them, and the encoder itself is small. Without it the 850 KiB are the encoder itself, too large for most
/// stacks (keep it in a `static`), and the rest is a [`Scratch`] of the caller's.
///
/// ```
/// use ds_gdeflate::{Encoder, Level, tile_bound};
///
/// let mut encoder = Encoder::new();
/// let raw = b"so much depends upon a red wheel barrow";
/// let mut payload = [0; tile_bound(39)];
/// let len = encoder.encode_tile(Level::DEFAULT, raw, &mut payload)?;
/// assert!(len <= payload.len());
/// # Ok::<(), ds_gdeflate::EncodeError>(())
/// ```
pub struct Encoder {
    /// The instructions to use; the machine's best if none.
    simd: Option<SimdLevel>,
    /// Once they are needed.
    #[cfg(feature = "alloc")]
    tables: Option<alloc::boxed::Box<[Tables; 1]>>,
    #[cfg(not(feature = "alloc"))]
    tables: Tables,
    /// Once it is needed.
    #[cfg(feature = "alloc")]
    scratch: Option<Arrays<scratch::Heap>>,
}

impl Encoder {
    /// A workspace, ready for any level.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            simd: None,
            #[cfg(feature = "alloc")]
            tables: None,
            #[cfg(not(feature = "alloc"))]
            tables: Tables::new(),
            #[cfg(feature = "alloc")]
            scratch: None,
        }
    }

    /// A workspace of an encoder that uses these instructions rather than the machine's best. The bytes are the same.
    #[must_use]
    pub const fn with_simd(simd: SimdLevel) -> Self {
        let mut encoder = Self::new();
        encoder.simd = Some(simd);
        encoder
    }

    /// The instructions that this encoder uses.
    #[must_use]
    pub fn simd(&self) -> SimdLevel {
        self.simd.unwrap_or_else(SimdLevel::detect)
    }

    /// Allocates what tiles at this level will need, for those who want to know now whether there is memory.
    ///
    /// # Errors
    ///
    /// [`EncodeError::OutOfMemory`].
    #[cfg(feature = "alloc")]
    pub fn prepare(&mut self, level: Level) -> Result<(), EncodeError> {
        if level.parser().is_some() {
            self.tables()?;
        }
        if level.is_near_optimal() {
            self.scratch = Some(self.take_scratch()?);
        }
        Ok(())
    }

    #[cfg(feature = "alloc")]
    fn take_scratch(&mut self) -> Result<Arrays<scratch::Heap>, EncodeError> {
        self.scratch.take().map_or_else(Arrays::new, Ok)
    }

    /// Encodes one tile and returns its payload's size in bytes, a multiple of 4.
    ///
    /// `raw` is the tile, 1 to [`TILE_SIZE`] bytes; the payload goes to the start of `out`.
    /// [`tile_bound`] bytes are always enough, and that bound is exact for incompressible data. Bytes of `out` behind
    /// the payload, up to the bound, are left unspecified.
    ///
    /// With the feature `alloc` the first tile, and the first at one of the levels 8 to 12, allocate memory that the encoder keeps;
    /// [`prepare`](Self::prepare) does so before.
    /// Without it these levels need [`encode_tile_with`](Self::encode_tile_with).
    ///
    /// # Errors
    ///
    /// [`EncodeError::RawSize`] if `raw` is empty or too large, [`EncodeError::OutputTooSmall`] if the payload does
    /// not fit, [`EncodeError::OutOfMemory`] if the allocation fails, [`EncodeError::NoScratch`] without `alloc` at
    /// levels 8 to 12; the contents of `out` are then unspecified.
    pub fn encode_tile(
        &mut self,
        options: impl Into<EncodeOptions>,
        raw: &[u8],
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let options = options.into();
        check_size(raw)?;
        #[cfg(feature = "alloc")]
        if options.level().is_near_optimal() {
            let mut arrays = self.take_scratch()?;
            let result = self.encode_near_optimal(options, &mut arrays, raw, out);
            self.scratch = Some(arrays);
            return result;
        }
        self.encode(options, None, raw, out)
    }

    /// The same with the memory for levels 8 to 12 being the caller's.
    ///
    /// # Errors
    ///
    /// As for [`encode_tile`](Self::encode_tile), but never [`EncodeError::NoScratch`].
    pub fn encode_tile_with(
        &mut self,
        scratch: &mut Scratch,
        options: impl Into<EncodeOptions>,
        raw: &[u8],
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let options = options.into();
        check_size(raw)?;
        if options.level().is_near_optimal() {
            self.encode_near_optimal(options, &mut scratch.0, raw, out)
        } else {
            self.encode(options, None, raw, out)
        }
    }

    /// Encodes at a level from 8 on, and a very regular tile at two other levels as well.
    ///
    /// Such a tile has few tokens, of many kinds that occur once. To be found, the cheapest path would have to know
    /// what each kind adds to the header, and how a match goes on behind the length that is looked at. A lazy search
    /// keeps to fewer kinds; one that enters only the ends of long matches comes upon farther ones that go on for
    /// longer.
    fn encode_near_optimal<P: Place>(
        &mut self,
        options: EncodeOptions,
        arrays: &mut Arrays<P>,
        raw: &[u8],
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let mut result = self.encode(options, Some(arrays.paths()), raw, out);
        let mut least = size_of_result(result);
        if least >= raw.len() / REGULAR {
            return result;
        }
        // The best so far is the last, or has been put aside.
        let mut kept = [0; TILE_SIZE / REGULAR];
        for level in [Level::THOROUGH_LAZY, Level::DEFAULT] {
            if level == options.level() {
                continue;
            }
            if let Ok(len) = result
                && len == least
            {
                kept[..len].copy_from_slice(&out[..len]);
            }
            result = self.encode(options.at(level), Some(arrays.paths()), raw, out);
            least = least.min(size_of_result(result));
        }
        let actual = out.len();
        match out.get_mut(..least) {
            _ if size_of_result(result) == least => result,
            None => Err(EncodeError::OutputTooSmall { needed: least, actual }),
            Some(out) => {
                out.copy_from_slice(&kept[..least]);
                Ok(least)
            }
        }
    }

    /// Encodes a tile of a size that has been checked.
    fn encode(
        &mut self,
        options: EncodeOptions,
        paths: Option<Paths<'_>>,
        raw: &[u8],
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let bound = tile_bound(raw.len());
        let actual = out.len();
        let (words, _) = out[..actual.min(bound)].as_chunks_mut();

        let needed = if let Some(parser) = options.level().parser() {
            let simd = self.simd();
            let tables = self.tables()?;
            tables.parse(parser, options, paths, raw)?;
            tables.write(options.coding(), simd, raw, words).min(bound)
        } else {
            bound
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

    #[cfg(feature = "alloc")]
    fn tables(&mut self) -> Result<&mut Tables, EncodeError> {
        let tables = self.tables.take().map_or_else(Tables::boxed, Ok)?;
        let [tables] = &mut **self.tables.insert(tables);
        Ok(tables)
    }

    #[cfg(not(feature = "alloc"))]
    const fn tables(&mut self) -> Result<&mut Tables, EncodeError> {
        Ok(&mut self.tables)
    }
}

/// What every level but 0 needs.
#[derive(Clone, Copy)]
struct Tables {
    window: Window,
    tokens: Tokens,
    chains: Chains,
}

impl Tables {
    const fn new() -> Self {
        Self { window: Window::new(), tokens: Tokens::new(), chains: Chains::new() }
    }

    /// Tables on the heap, without a way over the stack, which may be too small for them.
    #[cfg(feature = "alloc")]
    fn boxed() -> Result<alloc::boxed::Box<[Self; 1]>, EncodeError> {
        static EMPTY: [Tables; 1] = [Tables::new()];
        scratch::boxed(&EMPTY)
    }

    /// Makes tokens and blocks of the tile.
    fn parse(
        &mut self,
        parser: Parser,
        options: EncodeOptions,
        paths: Option<Paths<'_>>,
        raw: &[u8],
    ) -> Result<(), EncodeError> {
        let Self { window, tokens, chains } = self;
        window.load(raw);
        match parser {
            Parser::Fast => {
                fast::parse(chains.pairs(), window, tokens);
                split::join(tokens);
            }
            Parser::Lazy(effort) => {
                lazy::parse(chains, window, effort, tokens);
                split::join(tokens);
            }
            Parser::Optimal(effort) => {
                let mut paths = paths.ok_or(EncodeError::NoScratch)?;
                paths.parse(chains, window, effort, options, tokens);
            }
        }
        Ok(())
    }

    /// Writes the blocks, as far as they fit, and returns their size in bytes.
    fn write(&mut self, coding: Coding, simd: SimdLevel, raw: &[u8], words: &mut [[u8; WORD]]) -> usize {
        let (tokens, blocks) = self.tokens.parts();
        let mut lanes = LaneWriter::new(words);
        let (mut token, mut byte) = (0, 0);
        for block in blocks.iter() {
            EncodedBlock {
                raw: &raw[byte..block.raw_end],
                tokens: &tokens[token..block.tokens_end],
                histogram: &block.histogram,
                last: block.raw_end == raw.len(),
            }
            .write(coding, simd, &mut lanes);
            (token, byte) = (block.tokens_end, block.raw_end);
        }
        lanes.finish() * WORD
    }
}

/// A tile is very regular if it takes less than one byte for so many.
const REGULAR: usize = 8;

/// Bytes that a tile takes, whether or not there was room for them.
fn size_of_result(result: Result<usize, EncodeError>) -> usize {
    match result {
        Ok(size) | Err(EncodeError::OutputTooSmall { needed: size, .. }) => size,
        Err(_) => usize::MAX,
    }
}

fn check_size(raw: &[u8]) -> Result<(), EncodeError> {
    if raw.is_empty() || raw.len() > TILE_SIZE {
        return Err(EncodeError::RawSize { actual: raw.len() });
    }
    Ok(())
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
