//! `ds inspect`: how a tile stream or a pack is made up.

use core::fmt;
use core::hash::Hasher;
use core::ops::AddAssign;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ds_gdeflate::{Decoder, TILE_SIZE, TileError, TileReport, TileTable};
use serde_json::{Value, json};
use twox_hash::XxHash3_64;

use super::decompress::{not_a_stream, read_table};
use super::{chunk_error, open_pack, read_error};
use crate::error::{Error, Result};
use crate::files::input::{Input, changed};
use crate::pack::layout::HEADER_MAGIC;
use crate::pack::{Chunk, ChunkError, Entry, Method, Pack};
use crate::pipeline::{self, Ends};
use crate::progress::Progress;
use crate::units;

/// Tiles of one job.
const JOB_TILES: usize = 16;

/// Prints what the tile stream or pack `file` is made of.
///
/// # Errors
///
/// What the system reports; a file that is neither, or is damaged.
pub fn run(file: &Path, json: bool, threads: usize, quiet: bool) -> Result<()> {
    let mut input = Input::open(file)?;
    let prefix = read_table(&mut input)?;
    let is_pack = prefix.starts_with(&HEADER_MAGIC);
    let report = if is_pack {
        inspect_pack(file, &open_pack(file)?, threads, quiet)?
    } else {
        inspect_stream(&mut input, &prefix, threads, quiet)?
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if json { writeln!(out, "{:#}", report.json()) } else { report.write(&mut out) };
    written.and_then(|()| out.flush()).map_err(Error::stdout)
}

fn inspect_stream(input: &mut Input, prefix: &[u8], threads: usize, quiet: bool) -> Result<Report> {
    let table =
        TileTable::parse(prefix, input.size().unwrap_or(u64::MAX)).map_err(|e| not_a_stream(input, e))?;
    let header = *table.header();
    let id = header.codec_id();
    let codec_id = format!("{:02X} {:02X} ({id})", id.byte(), !id.byte());
    let facts = vec![("kind", "tile stream".into()), ("codec_id", codec_id.into())];
    let (size, packed) = (header.uncompressed_size(), table.stream_end());
    let progress = Progress::bytes("inspecting", Some(size), quiet);
    let mut tiles =
        Walk { source: Tiles { input, table, next: 0 }, progress: &progress, tally: Tally::default() };
    pipeline::run(threads, &mut tiles, worker)?;
    Ok(Report { facts, size, packed, tally: tiles.tally })
}

fn inspect_pack(path: &Path, pack: &Pack, threads: usize, quiet: bool) -> Result<Report> {
    let index = pack.index();
    let stored = index.chunks().filter(|chunk| chunk.method == Method::Stored);
    let facts = vec![
        ("kind", "pack".into()),
        ("entries", index.len().into()),
        ("chunks", index.chunk_count().into()),
        ("chunks_stored", stored.count().into()),
        ("chunks_sound", index.chunk_count().into()),
        ("chunk_size", index.geometry().chunk_size().into()),
        ("alignment", index.geometry().align().into()),
    ];
    let progress = Progress::bytes("inspecting", Some(index.raw_size()), quiet);
    let entries = index
        .entries()
        .flat_map(|entry| entry.chunks().enumerate().map(move |(number, chunk)| (entry, number, chunk)));
    let source = Chunks { pack, path, chunks: entries };
    let mut chunks = Walk { source, progress: &progress, tally: Tally::default() };
    pipeline::run(threads, &mut chunks, worker)?;
    Ok(Report { facts, size: index.raw_size(), packed: pack.file_len(), tally: chunks.tally })
}

/// Gives out payloads of tiles.
trait Source {
    /// Fills `job`, or says that there are no more.
    fn fill(&mut self, job: &mut Job) -> Result<bool>;

    /// The error for what a job found.
    fn error(&self, job: &Job, fault: Fault) -> Error;
}

/// Tiles of a stream.
struct Tiles<'a> {
    input: &'a mut Input,
    table: TileTable<'a>,
    next: usize,
}

impl Source for Tiles<'_> {
    fn fill(&mut self, job: &mut Job) -> Result<bool> {
        job.first = self.next;
        self.next = self.table.len().min(self.next + JOB_TILES);
        job.sizes.clear();
        job.sizes.extend((job.first..self.next).map(|tile| sizes(&self.table, tile)));
        let size = job.sizes.iter().map(|(packed, _)| packed).sum();
        job.packed.resize(size, 0);
        if self.input.read_up_to(&mut job.packed)? < size {
            return Err(changed(self.input.path()));
        }
        Ok(job.first < self.next)
    }

    fn error(&self, _: &Job, fault: Fault) -> Error {
        Error::data(self.input.path(), fault)
            .hint("the file is damaged: copy it again from where it came from")
    }
}

/// Chunks of a pack: those that are tile streams, and those that are stored.
struct Chunks<'a, I> {
    pack: &'a Pack,
    path: &'a Path,
    chunks: I,
}

impl<'a, I: Iterator<Item = (Entry<'a>, usize, Chunk)>> Source for Chunks<'a, I> {
    fn fill(&mut self, job: &mut Job) -> Result<bool> {
        let Some((entry, number, chunk)) = self.chunks.next() else { return Ok(false) };
        self.pack.read_chunk(&chunk, &mut job.packed).map_err(|e| read_error(self.path, e))?;
        job.chunk = Some((Place { entry: entry.number(), chunk: number }, chunk));
        if chunk.method == Method::Stored {
            return Ok(true);
        }
        let table = TileTable::parse(&job.packed, job.packed.len() as u64)
            .map_err(|e| chunk_error(self.path, entry.name(), number, e))?;
        chunk
            .check_stream(table.header().uncompressed_size(), table.stream_end())
            .map_err(|e| chunk_error(self.path, entry.name(), number, e))?;
        job.sizes.extend((0..table.len()).map(|tile| sizes(&table, tile)));
        job.skip = table.header().table_end();
        Ok(true)
    }

    fn error(&self, job: &Job, fault: Fault) -> Error {
        let Some((place, _)) = job.chunk else { return Error::data(self.path, fault) };
        let name = self.pack.index().entry(place.entry).map_or("?", |entry| entry.name());
        chunk_error(self.path, name, place.chunk, fault)
    }
}

/// What is wrong with a job's tiles or chunk.
enum Fault {
    Tile(usize, TileError),
    Chunk(ChunkError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tile(tile, error) => write!(f, "tile {tile}: {error}"),
            Self::Chunk(error) => error.fmt(f),
        }
    }
}

/// Bytes of a tile's payload and of its content.
fn sizes(table: &TileTable<'_>, tile: usize) -> (usize, usize) {
    let (packed, raw) = (table.compressed_range(tile), table.uncompressed_range(tile));
    ((packed.end - packed.start) as usize, (raw.end - raw.start) as usize)
}

/// The inspecting pipeline: payloads in, counts out.
struct Walk<'a, S> {
    source: S,
    progress: &'a Progress,
    tally: Tally,
}

/// Some tiles in a row, and what was counted in them.
#[derive(Default)]
struct Job {
    packed: Vec<u8>,
    /// Bytes of `packed` before the first payload.
    skip: usize,
    /// Size of each tile's payload and content.
    sizes: Vec<(usize, usize)>,
    /// The chunk of a pack that this is.
    chunk: Option<(Place, Chunk)>,
    first: usize,
    tally: Tally,
    failure: Option<Fault>,
}

/// Numbers of an entry, and of a chunk in it.
#[derive(Clone, Copy)]
struct Place {
    entry: usize,
    chunk: usize,
}

impl<S: Source> Ends for Walk<'_, S> {
    type Job = Job;
    type Error = Error;

    fn next(&mut self) -> Result<Option<Job>> {
        let mut job = Job::default();
        Ok(self.source.fill(&mut job)?.then_some(job))
    }

    fn done(&mut self, mut job: Job) -> Result<()> {
        if let Some(fault) = job.failure.take() {
            return Err(self.source.error(&job, fault));
        }
        self.progress.advance(job.chunk.map_or(job.tally.raw, |(_, chunk)| chunk.raw_size.into()));
        self.tally += job.tally;
        Ok(())
    }
}

fn worker() -> io::Result<impl FnMut(&mut Job)> {
    let mut walker = Walker { decoder: Decoder::boxed(), content: vec![0; TILE_SIZE] };
    Ok(move |job: &mut Job| job.failure = walker.examine(job).err())
}

/// Decodes tiles for the sake of what can be learnt from them.
struct Walker {
    decoder: Box<Decoder>,
    content: Vec<u8>,
}

impl Walker {
    fn examine(&mut self, job: &mut Job) -> Result<(), Fault> {
        if let Some((_, chunk)) = &job.chunk
            && chunk.method == Method::Stored
        {
            return chunk.verify(&job.packed).map_err(Fault::Chunk);
        }
        let (mut hasher, mut at) = (XxHash3_64::new(), job.skip);
        for (i, (packed, raw)) in job.sizes.iter().enumerate() {
            let tally = self.walk(&job.packed[at..at + packed], *raw);
            job.tally += tally.map_err(|e| Fault::Tile(job.first + i, e))?;
            hasher.write(&self.content[..*raw]);
            at += packed;
        }
        match &job.chunk {
            Some((_, chunk)) => chunk.check(hasher.finish()).map_err(Fault::Chunk),
            None => Ok(()),
        }
    }

    fn walk(&mut self, payload: &[u8], raw: usize) -> Result<Tally, TileError> {
        let made_of = self.decoder.inspect_tile(payload, &mut self.content[..raw])?;
        let (raw_size, packed) = (raw as u64, payload.len() as u64);
        let mut tally = Tally { tiles: 1, raw: raw_size, packed, made_of, ..Tally::default() };
        tally.sizes[(10 * payload.len() / raw).min(Tally::BARS - 1)] = 1;
        Ok(tally)
    }
}

/// What was counted.
#[derive(Default)]
struct Tally {
    tiles: u64,
    raw: u64,
    packed: u64,
    made_of: TileReport,
    /// Tiles by payload, in tenths of their content; the last is for all that are larger than it.
    sizes: [u64; Self::BARS],
}

impl Tally {
    const BARS: usize = 11;
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.tiles += other.tiles;
        self.raw += other.raw;
        self.packed += other.packed;
        self.made_of += other.made_of;
        self.sizes.iter_mut().zip(other.sizes).for_each(|(sum, n)| *sum += n);
    }
}

/// Everything there is to print.
struct Report {
    facts: Vec<(&'static str, Value)>,
    size: u64,
    packed: u64,
    tally: Tally,
}

impl Report {
    fn json(&self) -> Value {
        let Tally { tiles, raw, packed, made_of, sizes } = &self.tally;
        let mut object: serde_json::Map<_, _> =
            self.facts.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let rest = json!({
            "size": self.size,
            "packed_size": self.packed,
            "tiles": tiles,
            "tile_content": raw,
            "tile_payload": packed,
            "blocks": {
                "stored": made_of.stored_blocks,
                "static": made_of.static_blocks,
                "dynamic": made_of.dynamic_blocks,
            },
            "stored_bytes": made_of.stored_bytes,
            "literals": made_of.literals,
            "matches": made_of.matches,
            "matched_bytes": made_of.matched_bytes,
            "longest_match": made_of.longest_match,
            "farthest_match": made_of.farthest_match,
            "tiles_by_tenth_of_content": sizes,
        });
        if let Value::Object(rest) = rest {
            object.extend(rest);
        }
        Value::Object(object)
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (key, value) in &self.facts {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "{:<14} {text}", key.replace('_', " "))?;
        }
        let Tally { tiles, raw, packed, made_of, sizes } = &self.tally;
        writeln!(out, "{:<14} {} ({} bytes)", "content", units::bytes(self.size), self.size)?;
        writeln!(out, "{:<14} {} ({} bytes)", "packed", units::bytes(self.packed), self.packed)?;
        writeln!(out, "{:<14} {}", "ratio", units::ratio(self.size, self.packed))?;
        writeln!(out, "{:<14} {tiles}, every one sound, ratio {}", "tiles", units::ratio(*raw, *packed))?;
        if *tiles == 0 {
            return Ok(());
        }
        let TileReport { stored_blocks, static_blocks, dynamic_blocks, .. } = made_of;
        let blocks = format!("{stored_blocks} stored, {static_blocks} static, {dynamic_blocks} dynamic");
        writeln!(out, "{:<14} {} ({blocks})", "blocks", made_of.blocks())?;
        let share = |bytes: u64| format!("{:.1} %", 100.0 * bytes as f64 / made_of.content().max(1) as f64);
        let matched = format!("{}, {} of the content", made_of.matches, share(made_of.matched_bytes));
        let reach = format!("longest {}, farthest {}", made_of.longest_match, made_of.farthest_match);
        writeln!(out, "{:<14} {matched} ({reach})", "matches")?;
        writeln!(out, "{:<14} {}, {} of the content", "literals", made_of.literals, share(made_of.literals))?;
        writeln!(out, "\ntiles by payload, in percent of their content")?;
        let most = sizes.iter().max().copied().unwrap_or(1).max(1);
        for (tenth, count) in sizes.iter().enumerate() {
            let range = match tenth {
                10 => "  >= 100".to_owned(),
                _ => format!("{:>3} -{:>3}", 10 * tenth, 10 * tenth + 10),
            };
            // Rounded up: a bar is empty only where nothing was counted.
            let bar = "#".repeat((40 * count).div_ceil(most) as usize);
            writeln!(out, "{range:>9} {count:>8} {bar}")?;
        }
        Ok(())
    }
}
