//! GDeflate as every codec engine sees it: which tiles of a request a step is to decode, and errors in the words of `ds-core`.
//!
//! # Positions in errors
//!
//! A [`Corrupt`] from here gives its `position` in bytes. If the container is at fault, that is the place of the offending field
//! from the start of the stream, or the place where the stream ends too soon. If a tile is at fault, it is how much of the
//! tile's payload had been dealt to the lanes by then.

mod corrupt;

use core::ops::Range;

use ds_core::{Corrupt, CorruptReason, DecodeStep};
use ds_gdeflate::{Header, StreamError, TILE_SIZE, TileTable};

pub use corrupt::{from_kind, from_stream, from_tile};

/// Each step checks the whole table again, for steps share nothing. A long table is therefore worked off in steps of this
/// fraction of it, or the checks would add up to the square of its length.
const STEPS_PER_STREAM: usize = 256;

/// What a step comes to.
#[derive(Clone, Debug)]
pub enum Plan<'a> {
    /// Nothing to decode: this is the answer.
    Answer(DecodeStep),
    /// These tiles are complete.
    Tiles(Tiles<'a>),
}

/// Tiles that are complete, one at least.
#[derive(Clone, Debug)]
pub struct Tiles<'a> {
    table: TileTable<'a>,
    tiles: Range<usize>,
    /// Length of the stream.
    whole: u64,
}

impl Tiles<'_> {
    /// Their numbers in the stream.
    #[must_use]
    pub fn numbers(&self) -> Range<usize> {
        self.tiles.clone()
    }

    /// Where a tile's payload lies in the stream: within what has arrived.
    #[must_use]
    pub fn payload(&self, tile: usize) -> Range<u64> {
        self.table.compressed_range(tile)
    }

    /// Where a tile's content lies in the output: within it.
    #[must_use]
    pub fn content(&self, tile: usize) -> Range<u64> {
        self.table.uncompressed_range(tile)
    }

    /// What to answer when all tiles before `next` are decoded.
    #[must_use]
    pub fn answer(&self, next: usize) -> DecodeStep {
        answer(&self.table, self.whole, next)
    }
}

/// Plans the next step of a request: the tiles from its `cursor` on, which counts tiles, that lie in the `prefix` of the stream
/// that has arrived; at most `most` of them. `whole` is the length of the stream, `output` that of its content. Verdicts on
/// header and table do not depend on how much has arrived.
///
/// # Errors
/// What is wrong with the container.
pub fn plan(prefix: &[u8], whole: u64, output: u64, cursor: u64, most: usize) -> Result<Plan<'_>, Corrupt> {
    let waiting = |wants: usize| {
        Plan::Answer(DecodeStep { cursor: 0, produced: 0, wants: wants as u64, finished: false })
    };
    let have = |wanted: usize| whole >= wanted as u64;
    // What there is not fits into memory only if what there is does.
    let actual = usize::try_from(whole).unwrap_or(usize::MAX);
    if !have(Header::SIZE) {
        return Err(from_stream(StreamError::HeaderTruncated { expected: Header::SIZE, actual }));
    }
    if prefix.len() < Header::SIZE {
        return Ok(waiting(Header::SIZE));
    }
    let header = Header::parse(prefix).map_err(from_stream)?;
    if header.uncompressed_size() != output {
        return Err(size_mismatch(output, header.uncompressed_size()));
    }
    let table_end = header.table_end();
    if !have(table_end) {
        return Err(from_stream(StreamError::TableTruncated { expected: table_end, actual }));
    }
    if prefix.len() < table_end {
        return Ok(waiting(table_end));
    }
    let table = TileTable::parse(prefix, whole).map_err(from_stream)?;
    let first = usize::try_from(cursor).map_or(table.len(), |cursor| cursor.min(table.len()));
    let candidates = first..table.len().min(first.saturating_add(most));
    let here = |&tile: &usize| table.compressed_range(tile).end <= prefix.len() as u64;
    let end = first + candidates.take_while(here).count();
    if first == end {
        return Ok(Plan::Answer(answer(&table, whole, first)));
    }
    Ok(Plan::Tiles(Tiles { table, tiles: first..end, whole }))
}

/// A stream that says it makes another number of bytes than was asked for.
#[must_use]
pub const fn size_mismatch(expected: u64, actual: u64) -> Corrupt {
    Corrupt { reason: CorruptReason::Size, tile: None, position: 4, expected, actual }
}

fn answer(table: &TileTable<'_>, whole: u64, next: usize) -> DecodeStep {
    let tiles = table.len();
    let finished = next == tiles;
    let produced = if finished { table.header().uncompressed_size() } else { (next * TILE_SIZE) as u64 };
    let stride = 1 + tiles / STEPS_PER_STREAM;
    let wants = if finished { whole } else { table.compressed_range(tiles.min(next + stride) - 1).end };
    DecodeStep { cursor: next as u64, produced, wants, finished }
}
