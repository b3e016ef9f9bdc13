//! `ds pack`: a directory becomes a pack.

use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ds_gdeflate::{CodecId, Encoder, Level, StreamWriter, TILE_SIZE, stream_bound};
use rustix::fs::{FileType, OFlags, fstat};
use twox_hash::XxHash3_64;

use crate::error::{Error, Kind, Result, quoted};
use crate::files::input::{Stamp, changed};
use crate::files::output::{Output, parent_of};
use crate::pack::name;
use crate::pack::{EntryKind, Geometry, Method, PackWriter};
use crate::pipeline::{self, Ends};
use crate::progress::Progress;

/// How to pack.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How hard to compress.
    pub level: Level,
    /// Worker threads.
    pub threads: usize,
    /// Alignment and chunk size.
    pub geometry: Geometry,
    /// Leave out symbolic links and special files instead of refusing them.
    pub skip_special: bool,
    /// Replace an existing output.
    pub force: bool,
    /// No progress bar, no warnings.
    pub quiet: bool,
}

/// What a pack came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files in it.
    pub files: u64,
    /// Empty directories in it.
    pub directories: u64,
    /// Bytes of content.
    pub raw: u64,
    /// Bytes of the pack, index and padding included.
    pub packed: u64,
    /// Chunks, and how many of them did not compress.
    pub chunks: u64,
    /// Chunks stored as they are.
    pub stored: u64,
    /// Links and special files left out.
    pub skipped: u64,
}

/// Packs the directory `dir` into `output`; `-` stands for standard output.
///
/// # Errors
///
/// What the system reports; links and special files, names a pack cannot hold, files that change meanwhile.
pub fn run(dir: &Path, output: &Path, options: &Options) -> Result<Summary> {
    refuse_output_inside(dir, output)?;
    let mut walk =
        Walk { root: dir, output: standard_output(output), found: Vec::new(), special: Vec::new() };
    walk.visit(dir, "")?;
    let Walk { mut found, special, .. } = walk;
    match special.first() {
        Some(path) if !options.skip_special => {
            return Err(Error::new(
                Kind::System,
                format!("{} is neither a file nor a directory, and a pack holds nothing else", quoted(path)),
            )
            .hint("remove it, or give --skip-special to leave such things out"));
        }
        _ => {}
    }
    if !options.quiet {
        special.iter().for_each(|path| eprintln!("ds: warning: {} left out", quoted(path)));
    }
    found.sort_by(|a, b| name::compare(&a.name, &b.name));

    let mut output = Output::create(output, options.force)?;
    let total = found.iter().map(|f| f.size).sum();
    let progress = Progress::bytes("packing", Some(total), options.quiet);
    let writer = PackWriter::new(&mut output, options.geometry);
    let mut ends = match writer {
        Ok(writer) => Chunks {
            found: found.iter(),
            current: None,
            writer,
            geometry: options.geometry,
            progress: &progress,
            summary: Summary { skipped: special.len() as u64, ..Summary::default() },
            spare: Vec::new(),
        },
        Err(e) => return Err(output.error(e)),
    };
    let packed = pipeline::run(options.threads, &mut ends, || {
        let mut encoder = Encoder::new();
        // Very regular tiles are encoded at other levels as well, which need no more.
        encoder.prepare(options.level).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(move |job: &mut Job| job.encode(&mut encoder, options.level))
    });
    let Chunks { writer, mut summary, .. } = ends;
    let finished = packed.and_then(|()| writer.finish().map(|(_, len)| len).map_err(Failure::Write));
    match finished {
        Ok(len) => summary.packed = len,
        Err(Failure::Cli(e)) => return Err(e),
        Err(Failure::Write(e)) => return Err(output.error(e)),
    }
    drop(progress);
    output.commit()?;
    Ok(summary)
}

/// A pack written into the directory it is made of would hold the pack before it.
fn refuse_output_inside(dir: &Path, output: &Path) -> Result<()> {
    let root = dir.canonicalize().map_err(|e| Error::system("open", dir, e))?;
    if !root.is_dir() {
        return Err(Error::system("read", dir, io::Error::from(io::ErrorKind::NotADirectory))
            .hint("a single file becomes a tile stream with `ds compress`"));
    }
    match parent_of(output).canonicalize() {
        Ok(parent) if output != Path::new("-") && parent.starts_with(&root) => {
            Err(output_inside(quoted(output), dir))
        }
        _ => Ok(()),
    }
}

fn output_inside(output: impl fmt::Display, dir: &Path) -> Error {
    Error::usage(format!("{output} lies inside {}, the directory to be packed", quoted(dir)))
        .hint("write the pack somewhere else")
}

/// Device and inode of the file that standard output goes to, if the output does.
fn standard_output(output: &Path) -> Option<(u64, u64)> {
    let stat = (output == Path::new("-")).then(|| fstat(io::stdout()).ok()).flatten()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some((stat.st_dev, stat.st_ino))
}

/// Something to be packed.
struct Found {
    name: String,
    path: PathBuf,
    kind: EntryKind,
    /// Bytes it had when it was found: for the progress bar only.
    size: u64,
}

/// A walk over a directory tree.
struct Walk<'a> {
    root: &'a Path,
    /// Device and inode of the output, where it has no name.
    output: Option<(u64, u64)>,
    found: Vec<Found>,
    special: Vec<PathBuf>,
}

impl Walk<'_> {
    /// Visits the directory `path`, whose name in the pack is `prefix` (empty for the root).
    fn visit(&mut self, path: &Path, prefix: &str) -> Result<()> {
        let mut empty = true;
        for entry in fs::read_dir(path).map_err(|e| Error::system("read", path, e))? {
            let entry = entry.map_err(|e| Error::system("read", path, e))?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(|e| Error::system("inspect", &path, e))?;
            if self.output == Some((metadata.dev(), metadata.ino())) {
                return Err(output_inside(
                    format_args!("standard output, which is {},", quoted(&path)),
                    self.root,
                ));
            }
            if !metadata.is_file() && !metadata.is_dir() {
                self.special.push(path);
                continue;
            }
            empty = false;
            let own = entry.file_name();
            let own = own.to_str().ok_or_else(|| unnameable(&path, "the name is not UTF-8"))?;
            let name = if prefix.is_empty() { own.to_owned() } else { format!("{prefix}/{own}") };
            name::check(name.as_bytes()).map_err(|e| unnameable(&path, e))?;
            if metadata.is_dir() {
                self.visit(&path, &name)?;
            } else {
                self.found.push(Found { name, path, kind: EntryKind::File, size: metadata.len() });
            }
        }
        if empty && path != self.root {
            let (name, path) = (prefix.to_owned(), path.to_owned());
            self.found.push(Found { name, path, kind: EntryKind::Directory, size: 0 });
        }
        Ok(())
    }
}

fn unnameable(path: &Path, problem: impl core::fmt::Display) -> Error {
    Error::new(Kind::System, format!("{} cannot be packed: {problem}", quoted(path))).hint("rename it")
}

/// What ends packing early.
enum Failure {
    /// An error that is complete.
    Cli(Error),
    /// The output refused bytes; only the output knows its name.
    Write(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Cli(error)
    }
}

/// The packing pipeline: files in, chunk by chunk; chunks out.
struct Chunks<'a> {
    found: core::slice::Iter<'a, Found>,
    current: Option<Reading<'a>>,
    writer: PackWriter<&'a mut Output>,
    geometry: Geometry,
    progress: &'a Progress,
    summary: Summary,
    spare: Vec<Job>,
}

/// A file being read.
struct Reading<'a> {
    found: &'a Found,
    file: File,
    stamp: Stamp,
    left: u64,
}

/// One chunk, or an entry that has none.
#[derive(Default)]
struct Job {
    /// Name, kind and size of the entry this chunk is the first of.
    begins: Option<(String, EntryKind, u64)>,
    raw: Vec<u8>,
    packed: Vec<u8>,
    method: Option<Method>,
    checksum: u64,
}

impl Ends for Chunks<'_> {
    type Job = Job;
    type Error = Failure;

    fn next(&mut self) -> Result<Option<Job>, Failure> {
        let mut job = self.spare.pop().unwrap_or_default();
        job.begins = None;
        job.raw.clear();
        if self.current.is_none() {
            let Some(found) = self.found.next() else { return Ok(None) };
            let reading = match found.kind {
                EntryKind::File => Some(Reading::open(found)?),
                EntryKind::Directory => None,
            };
            job.begins = Some((found.name.clone(), found.kind, reading.as_ref().map_or(0, |r| r.left)));
            self.current = reading;
        }
        if let Some(reading) = &mut self.current {
            reading.fill(&mut job.raw, self.geometry.chunk_size())?;
            if reading.left == 0 {
                reading.check_end()?;
                self.current = None;
            }
            job.packed.clear();
            job.packed.reserve(stream_bound(job.raw.len() as u64).unwrap_or(0) as usize);
        }
        Ok(Some(job))
    }

    fn done(&mut self, mut job: Job) -> Result<(), Failure> {
        if let Some((name, kind, size)) = job.begins.take() {
            self.writer.begin(&name, kind, size).map_err(|e| {
                Error::new(Kind::System, format!("cannot pack {name:?}: {e}"))
                    .hint("make two packs of it, or raise --chunk if it is small")
            })?;
            match kind {
                EntryKind::File => self.summary.files += 1,
                EntryKind::Directory => self.summary.directories += 1,
            }
        }
        if let Some(method) = job.method.take() {
            let bytes = match method {
                Method::Stored => &job.raw,
                Method::GDeflate => &job.packed,
            };
            self.writer.chunk(method, bytes, job.checksum).map_err(Failure::Write)?;
            self.summary.chunks += 1;
            self.summary.stored += u64::from(method == Method::Stored);
            self.summary.raw += job.raw.len() as u64;
            self.progress.advance(job.raw.len() as u64);
        }
        self.spare.push(job);
        Ok(())
    }
}

impl<'a> Reading<'a> {
    /// Opens a file that was no link when it was found, and must be none now.
    fn open(found: &'a Found) -> Result<Self> {
        let path = &found.path;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = file.map_err(|e| Error::system("open", path, e))?;
        let metadata = file.metadata().map_err(|e| Error::system("inspect", path, e))?;
        if !metadata.is_file() {
            return Err(changed(path));
        }
        let stamp = Stamp::of(&metadata);
        Ok(Self { found, file, stamp, left: stamp.len() })
    }

    /// Reads the next chunk, whole.
    fn fill(&mut self, raw: &mut Vec<u8>, chunk_size: u32) -> Result<()> {
        let size = self.left.min(chunk_size.into());
        raw.reserve_exact(size as usize);
        let read = (&mut self.file).take(size).read_to_end(raw);
        let read = read.map_err(|e| Error::system("read", &self.found.path, e))?;
        if read as u64 != size {
            return Err(changed(&self.found.path));
        }
        self.left -= size;
        Ok(())
    }

    /// The file must end here, and be what it was.
    fn check_end(&mut self) -> Result<()> {
        let path = &self.found.path;
        let more = (&mut self.file).take(1).read_to_end(&mut Vec::new());
        let metadata = self.file.metadata().map_err(|e| Error::system("inspect", path, e))?;
        match more.map_err(|e| Error::system("read", path, e))? {
            0 if self.stamp == Stamp::of(&metadata) => Ok(()),
            _ => Err(changed(path)),
        }
    }
}

impl Job {
    fn encode(&mut self, encoder: &mut Encoder, level: Level) {
        if self.raw.is_empty() {
            return;
        }
        self.checksum = XxHash3_64::oneshot(&self.raw);
        // Uncompressed tiles are always larger than what they hold.
        let smaller = level != Level::STORED && self.compress(encoder, level);
        self.method = Some(if smaller { Method::GDeflate } else { Method::Stored });
    }

    /// Makes `packed` the tile stream of `raw`. Says whether it is the smaller of the two.
    fn compress(&mut self, encoder: &mut Encoder, level: Level) -> bool {
        const FITS: &str = "a chunk fits into a stream, and the buffer is as large as any stream of it";
        let size = self.raw.len() as u64;
        self.packed.resize(stream_bound(size).expect(FITS) as usize, 0);
        let mut writer = StreamWriter::new(&mut self.packed, CodecId::Reference, size).expect(FITS);
        for raw in self.raw.chunks(TILE_SIZE) {
            let len = encoder.encode_tile(level, raw, writer.room()).expect(FITS);
            writer.commit(len).expect(FITS);
        }
        let len = writer.finish().expect(FITS);
        self.packed.truncate(len);
        len < self.raw.len()
    }
}
