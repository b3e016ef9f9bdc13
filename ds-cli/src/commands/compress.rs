//! `ds compress`: a file becomes a GDeflate tile stream.
//!
//! A stream begins with a table of its tiles' sizes, which are known only at the end. Where the input's size is known
//! and the output can seek, room is left for the table; otherwise the tiles wait in an unlinked temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use ds_gdeflate::{CodecId, Encoder, Header, Level, MAX_STREAM_SIZE, TILE_SIZE, tile_bound, write_table};

use crate::error::{Error, Result, quoted};
use crate::files::input::{Input, changed};
use crate::files::output::Output;
use crate::pipeline::{self, Ends};
use crate::progress::Progress;
use crate::units;

/// Content of one job: enough tiles that handing it over costs nothing beside encoding it.
const JOB_SIZE: usize = 16 * TILE_SIZE;

/// How to compress.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How hard to try.
    pub level: Level,
    /// Which identifier the stream carries.
    pub codec_id: CodecId,
    /// Worker threads.
    pub threads: usize,
    /// Replace an existing output.
    pub force: bool,
    /// No progress bar.
    pub quiet: bool,
}

/// Bytes in and out of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of content.
    pub raw: u64,
    /// Bytes of the packed form.
    pub packed: u64,
}

impl Totals {
    /// How many times smaller the packed form is: less than 1 where it is larger.
    pub fn ratio(&self) -> String {
        units::ratio(self.raw, self.packed)
    }
}

/// Compresses `input` into `output`; `-` stands for the standard streams.
///
/// # Errors
///
/// What the system reports; an input that is too large or changes meanwhile.
pub fn run(input: &Path, output: &Path, options: &Options) -> Result<Totals> {
    let mut input = Input::open(input)?;
    let expected = input.size();
    if expected.is_some_and(|size| size > MAX_STREAM_SIZE) {
        return Err(too_large(input.path()));
    }
    let mut output = Output::create(output, options.force)?;
    let progress = Progress::bytes("compressing", expected, options.quiet);
    let totals = match expected {
        Some(size) if output.can_seek() => in_place(&mut input, &mut output, size, options, &progress)?,
        _ => spooled(&mut input, &mut output, options, &progress)?,
    };
    input.check_unchanged(totals.raw)?;
    output.commit()?;
    Ok(totals)
}

/// Tiles go where they belong, the table into the room left for it.
fn in_place(
    input: &mut Input,
    output: &mut Output,
    size: u64,
    options: &Options,
    progress: &Progress,
) -> Result<Totals> {
    let Some(header) = Header::for_size(options.codec_id, size) else { return Err(too_large(input.path())) };
    output.seek(header.table_end() as u64)?;
    let tiles = Tiles::new(input, options, progress, |bytes| output.put(bytes));
    let (raw, payloads) = tiles.run()?;
    if raw != size {
        return Err(changed(input.path()));
    }
    let table = table(options.codec_id, raw, &payloads, input.path())?;
    output.seek(0)?;
    output.put(&table)?;
    Ok(Totals { raw, packed: packed_size(&table, &payloads) })
}

/// Tiles wait in a temporary file until the table has been written.
fn spooled(input: &mut Input, output: &mut Output, options: &Options, progress: &Progress) -> Result<Totals> {
    let dir = output.spool_dir();
    let failed =
        |e| Error::system("write a temporary file in", &dir, e).hint("TMPDIR names another place for it");
    let mut spool = tempfile::tempfile_in(&dir).map_err(failed)?;
    let (raw, payloads) =
        Tiles::new(input, options, progress, |b| spool.write_all(b).map_err(failed)).run()?;
    let table = table(options.codec_id, raw, &payloads, input.path())?;
    output.put(&table)?;
    spool.rewind().map_err(failed)?;
    copy(&mut spool, output, failed)?;
    Ok(Totals { raw, packed: packed_size(&table, &payloads) })
}

/// Copies all of `spool`, telling apart whose fault an error is.
fn copy(spool: &mut File, output: &mut Output, failed: impl Fn(io::Error) -> Error) -> Result<()> {
    let mut buffer = vec![0; JOB_SIZE];
    loop {
        match spool.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => output.put(&buffer[..n])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

/// Header and tile table.
fn table(id: CodecId, raw: u64, payloads: &[u32], path: &Path) -> Result<Vec<u8>> {
    let header = Header::for_size(id, raw).ok_or_else(|| too_large(path))?;
    let mut table = vec![0; header.table_end()];
    // Near the limit, content that does not compress makes tiles that reach past the table's 32 bits.
    write_table(id, raw, payloads.iter().map(|size| *size as usize), &mut table)
        .map_err(|_| too_large(path))?;
    Ok(table)
}

fn packed_size(table: &[u8], payloads: &[u32]) -> u64 {
    table.len() as u64 + payloads.iter().map(|size| u64::from(*size)).sum::<u64>()
}

fn too_large(path: &Path) -> Error {
    Error::usage(format!(
        "{} does not fit into one tile stream, which holds {MAX_STREAM_SIZE} bytes",
        quoted(path)
    ))
    .hint("`ds pack` takes files of any size: put it into a directory and pack that")
}

/// The encoding pipeline: the input in, payloads out in order.
struct Tiles<'a, S> {
    input: &'a mut Input,
    sink: S,
    options: &'a Options,
    progress: &'a Progress,
    raw: u64,
    payloads: Vec<u32>,
    spare: Vec<Job>,
    ended: bool,
}

/// Up to [`JOB_SIZE`] bytes of content, and the payloads made of them, back to back.
struct Job {
    raw: Vec<u8>,
    packed: Vec<u8>,
    payloads: Vec<u32>,
}

impl<'a, S: FnMut(&[u8]) -> Result<()>> Tiles<'a, S> {
    fn new(input: &'a mut Input, options: &'a Options, progress: &'a Progress, sink: S) -> Self {
        let (payloads, spare) = (Vec::new(), Vec::new());
        Self { input, sink, options, progress, raw: 0, payloads, spare, ended: false }
    }

    /// Encodes the whole input. Returns its size and the size of every payload.
    fn run(mut self) -> Result<(u64, Vec<u32>)> {
        let Options { level, threads, .. } = *self.options;
        pipeline::run(threads, &mut self, || {
            let mut encoder = Encoder::new();
            encoder.prepare(level).map_err(|_| io::ErrorKind::OutOfMemory)?;
            Ok(move |job: &mut Job| job.encode(&mut encoder, level))
        })?;
        Ok((self.raw, self.payloads))
    }
}

impl<S: FnMut(&[u8]) -> Result<()>> Ends for Tiles<'_, S> {
    type Job = Job;
    type Error = Error;

    fn next(&mut self) -> Result<Option<Job>> {
        if self.ended {
            return Ok(None);
        }
        let mut job = self.spare.pop().unwrap_or_else(Job::new);
        job.packed.clear();
        job.raw.resize(JOB_SIZE, 0);
        let len = self.input.read_up_to(&mut job.raw)?;
        job.raw.truncate(len);
        job.packed.reserve(len.div_ceil(TILE_SIZE) * tile_bound(TILE_SIZE));
        self.raw += len as u64;
        self.ended = len < JOB_SIZE;
        if self.raw > MAX_STREAM_SIZE {
            return Err(too_large(self.input.path()));
        }
        Ok((len > 0).then_some(job))
    }

    fn done(&mut self, job: Job) -> Result<()> {
        (self.sink)(&job.packed)?;
        self.payloads.extend_from_slice(&job.payloads);
        self.progress.advance(job.raw.len() as u64);
        self.spare.push(job);
        Ok(())
    }
}

impl Job {
    fn new() -> Self {
        Self { raw: Vec::new(), packed: Vec::new(), payloads: Vec::new() }
    }

    fn encode(&mut self, encoder: &mut Encoder, level: Level) {
        self.payloads.clear();
        for raw in self.raw.chunks(TILE_SIZE) {
            let start = self.packed.len();
            self.packed.resize(start + tile_bound(raw.len()), 0);
            let size = encoder
                .encode_tile(level, raw, &mut self.packed[start..])
                .expect("a tile never outgrows its bound");
            self.packed.truncate(start + size);
            self.payloads.push(size as u32);
        }
    }
}
