//! `ds decompress`: a GDeflate tile stream becomes the file it was.
//!
//! Input and output are passed over once, front to back, so both may be pipes.

use std::path::Path;

use ds_gdeflate::{Decoder, Header, StreamError, TILE_SIZE, TileError, TileTable};

use super::compress::Totals;
use crate::error::{Error, Result, quoted};
use crate::files::input::{Input, changed};
use crate::files::output::Output;
use crate::pipeline::{self, Ends};
use crate::progress::Progress;
use crate::units;

/// Tiles of one job.
const JOB_TILES: usize = 16;

/// How to decompress.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Worker threads.
    pub threads: usize,
    /// Replace an existing output.
    pub force: bool,
    /// No progress bar, no warnings.
    pub quiet: bool,
}

/// Decompresses `input` into `output`; `-` stands for the standard streams.
///
/// # Errors
///
/// What the system reports; a stream that is damaged or cut short.
pub fn run(input: &Path, output: &Path, options: &Options) -> Result<Totals> {
    let mut input = Input::open(input)?;
    let prefix = read_table(&mut input)?;
    let table =
        TileTable::parse(&prefix, input.size().unwrap_or(u64::MAX)).map_err(|e| not_a_stream(&input, e))?;
    let totals = Totals { raw: table.header().uncompressed_size(), packed: table.stream_end() };
    let mut output = Output::create(output, options.force)?;
    let progress = Progress::bytes("decompressing", Some(totals.raw), options.quiet);
    let mut ends = Tiles {
        input: &mut input,
        output: &mut output,
        table,
        progress: &progress,
        next: 0,
        spare: Vec::new(),
    };
    pipeline::run(options.threads, &mut ends, || {
        let mut decoder = Decoder::boxed();
        Ok(move |job: &mut Job| job.decode(&mut decoder))
    })?;
    match input.size() {
        None if input.has_more()? => warn_of_tail(&input, None, options.quiet),
        Some(len) if len > totals.packed => warn_of_tail(&input, Some(len - totals.packed), options.quiet),
        _ => {}
    }
    if let Some(len) = input.size() {
        input.check_unchanged(len)?;
    }
    output.commit()?;
    Ok(totals)
}

/// Reads header and table. Anything wrong with them is left for [`TileTable::parse`] to find.
pub(super) fn read_table(input: &mut Input) -> Result<Vec<u8>> {
    let mut prefix = vec![0; Header::SIZE];
    let len = input.read_up_to(&mut prefix)?;
    prefix.truncate(len);
    if let Ok(header) = Header::parse(&prefix) {
        prefix.resize(header.table_end(), 0);
        let len = Header::SIZE + input.read_up_to(&mut prefix[Header::SIZE..])?;
        prefix.truncate(len);
    }
    Ok(prefix)
}

pub(super) fn not_a_stream(input: &Input, error: StreamError) -> Error {
    let hint = match error {
        StreamError::UnknownCodec { .. } | StreamError::HeaderTruncated { .. } => {
            "this is no GDeflate tile stream; packs are read with `ds unpack`"
        }
        StreamError::TableTruncated { .. } | StreamError::PayloadTruncated { .. } => {
            "the file was cut short: copy it again from where it came from"
        }
        _ => "the file is damaged: copy it again from where it came from",
    };
    Error::data(input.path(), error).hint(hint)
}

fn warn_of_tail(input: &Input, len: Option<u64>, quiet: bool) {
    if !quiet {
        let what = len.map_or_else(|| "bytes".into(), |len| units::count(len, "byte"));
        eprintln!("ds: warning: {}: {what} after the end of the stream ignored", quoted(input.path()));
    }
}

/// The decoding pipeline: payloads in, content out.
struct Tiles<'a> {
    input: &'a mut Input,
    output: &'a mut Output,
    table: TileTable<'a>,
    progress: &'a Progress,
    next: usize,
    spare: Vec<Job>,
}

/// Some tiles in a row: their payloads back to back, and the content made of them.
#[derive(Default)]
struct Job {
    packed: Vec<u8>,
    raw: Vec<u8>,
    /// Size of each tile's payload and content.
    sizes: Vec<(usize, usize)>,
    first: usize,
    failure: Option<(usize, TileError)>,
}

impl Ends for Tiles<'_> {
    type Job = Job;
    type Error = Error;

    fn next(&mut self) -> Result<Option<Job>> {
        if self.next == self.table.len() {
            return Ok(None);
        }
        let mut job = self.spare.pop().unwrap_or_default();
        job.first = self.next;
        self.next = self.table.len().min(self.next + JOB_TILES);
        job.sizes.clear();
        for tile in job.first..self.next {
            let (packed, raw) = (self.table.compressed_range(tile), self.table.uncompressed_range(tile));
            job.sizes.push(((packed.end - packed.start) as usize, (raw.end - raw.start) as usize));
        }
        let size = job.sizes.iter().map(|(packed, _)| packed).sum();
        job.packed.resize(size, 0);
        job.raw.resize(job.sizes.len() * TILE_SIZE, 0);
        if self.input.read_up_to(&mut job.packed)? < size {
            return Err(match self.input.size() {
                Some(_) => changed(self.input.path()),
                None => Error::data(
                    self.input.path(),
                    format_args!("the stream ends before its tile {}", self.next - 1),
                )
                .hint("whatever wrote it stopped early: look at its messages"),
            });
        }
        Ok(Some(job))
    }

    fn done(&mut self, job: Job) -> Result<()> {
        if let Some((tile, error)) = job.failure {
            return Err(Error::data(self.input.path(), format_args!("tile {tile}: {error}"))
                .hint("the file is damaged: copy it again from where it came from"));
        }
        self.output.put(&job.raw)?;
        self.progress.advance(job.raw.len() as u64);
        self.spare.push(job);
        Ok(())
    }
}

impl Job {
    fn decode(&mut self, decoder: &mut Decoder) {
        let (mut from, mut to) = (0, 0);
        for (i, (packed, raw)) in self.sizes.iter().enumerate() {
            let payload = &self.packed[from..from + packed];
            if let Err(error) = decoder.decode_tile(payload, &mut self.raw[to..to + raw]) {
                self.failure = Some((self.first + i, error));
                return;
            }
            from += packed;
            to += raw;
        }
        self.raw.truncate(to);
    }
}
