//! `ds unpack`: a pack becomes the directory it was.
//!
//! Every file is written without a name and gets it when its last checksum has been found right, so what can be seen
//! is always whole. Files that were there before are replaced at the very end. On failure what was made is removed again.

use std::io::{self, Write};
use std::path::Path;

use ds_gdeflate::Decoder;
use rustix::io::Errno;

use super::{chunk_error, open_pack, read_error};
use crate::error::{Error, Result, quoted};
use crate::files::confined::Confined;
use crate::files::staged::Staged;
use crate::pack::{Chunk, ChunkError, Entry, EntryKind, Pack};
use crate::pipeline::{self, Ends};
use crate::progress::Progress;

/// How to unpack.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Worker threads.
    pub threads: usize,
    /// Replace existing files.
    pub force: bool,
    /// No progress bar.
    pub quiet: bool,
}

/// Unpacks `pack` into the directory `dir`, which is made where it is missing. Returns how many bytes of content.
///
/// # Errors
///
/// What the system reports; a pack that is damaged; existing files without `force`.
pub fn run(pack: &Path, dir: &Path, options: &Options) -> Result<u64> {
    let open = open_pack(pack)?;
    let mut confined = Confined::open(dir).map_err(|e| Error::system("create", dir, e))?;
    write(&open, pack, dir, &mut confined, options)?;
    confined.finish().map_err(|(path, e)| Error::system("replace", &dir.join(path), e))?;
    Ok(open.index().raw_size())
}

fn write(pack: &Pack, path: &Path, dir: &Path, confined: &mut Confined, options: &Options) -> Result<()> {
    let progress = Progress::bytes("unpacking", Some(pack.index().raw_size()), options.quiet);
    let mut entries = Entries {
        pack,
        path,
        dir,
        confined,
        replace: options.force,
        progress: &progress,
        entry: 0,
        chunk: 0,
        writing: None,
        spare: Vec::new(),
    };
    pipeline::run(options.threads, &mut entries, || {
        let mut decoder = Decoder::boxed();
        Ok(move |job: &mut Job| job.unpack(&mut decoder))
    })
}

/// The unpacking pipeline: chunks in, files out.
struct Entries<'a> {
    pack: &'a Pack,
    path: &'a Path,
    dir: &'a Path,
    confined: &'a mut Confined,
    replace: bool,
    progress: &'a Progress,
    /// The entry and the chunk of it that come next.
    entry: usize,
    chunk: usize,
    writing: Option<Staged>,
    spare: Vec<Job>,
}

/// One chunk, or an entry that has none.
#[derive(Default)]
struct Job {
    entry: usize,
    /// The chunk's number within its entry, and its place.
    chunk: Option<(usize, Chunk)>,
    packed: Vec<u8>,
    raw: Vec<u8>,
    failure: Option<ChunkError>,
}

impl Ends for Entries<'_> {
    type Job = Job;
    type Error = Error;

    fn next(&mut self) -> Result<Option<Job>> {
        let Some(entry) = self.pack.index().entry(self.entry) else { return Ok(None) };
        let mut job = self.spare.pop().unwrap_or_default();
        job.entry = self.entry;
        job.chunk = entry.chunks().get(self.chunk).map(|chunk| (self.chunk, chunk));
        if let Some((_, chunk)) = &job.chunk {
            self.pack.read_chunk(chunk, &mut job.packed).map_err(|e| read_error(self.path, e))?;
            job.raw.resize(chunk.raw_size as usize, 0);
        }
        self.chunk += 1;
        if self.chunk >= entry.chunks().len() {
            (self.entry, self.chunk) = (self.entry + 1, 0);
        }
        Ok(Some(job))
    }

    fn done(&mut self, job: Job) -> Result<()> {
        let pack = self.pack;
        let Some(entry) = pack.index().entry(job.entry) else { return Ok(()) };
        if let (Some((chunk, _)), Some(e)) = (&job.chunk, &job.failure) {
            return Err(chunk_error(self.path, entry.name(), *chunk, e));
        }
        if entry.kind() == EntryKind::Directory {
            let made = self.confined.directory(entry.name().as_ref());
            made.map_err(|e| self.error(entry, e))?;
            self.spare.push(job);
            return Ok(());
        }
        let staged = match self.writing.take() {
            Some(staged) => staged,
            None => self.confined.create(entry.name().as_ref()).map_err(|e| self.error(entry, e))?,
        };
        let last = match job.chunk {
            Some((number, chunk)) => {
                staged.file().write_all(&job.raw).map_err(|e| self.error(entry, e))?;
                self.progress.advance(chunk.raw_size.into());
                number + 1 == entry.chunks().len()
            }
            None => true,
        };
        if last {
            let committed = self.confined.commit(staged, entry.name().as_ref(), self.replace);
            committed.map_err(|e| self.error(entry, e))?;
        } else {
            self.writing = Some(staged);
        }
        self.spare.push(job);
        Ok(())
    }
}

impl Entries<'_> {
    fn error(&self, entry: Entry<'_>, error: io::Error) -> Error {
        let path = self.dir.join(entry.name());
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        let result = Error::system("create", &path, error);
        match errno {
            Some(Errno::LOOP | Errno::XDEV) => result.hint(format!(
                "a symbolic link leads out of {}: unpack into a new directory",
                quoted(self.dir)
            )),
            Some(Errno::NOSYS) => {
                result.hint("unpacking needs openat2: Linux 5.6, and a sandbox that lets it through")
            }
            _ => result,
        }
    }
}

impl Job {
    fn unpack(&mut self, decoder: &mut Decoder) {
        if let Some((_, chunk)) = &self.chunk {
            self.failure = chunk.unpack(decoder, &self.packed, &mut self.raw).err();
        }
    }
}
