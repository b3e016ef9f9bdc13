//! What is read, and noticing when it changes meanwhile.

use std::fs::{File, Metadata};
use std::io::{self, Read, Stdin};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// An open input: a file, a pipe, or standard input for the argument `-`.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    source: Source,
    stamp: Option<Stamp>,
}

#[derive(Debug)]
enum Source {
    Stdin(Stdin),
    File(File),
}

impl Input {
    /// Opens `path`, or standard input for `-`.
    ///
    /// # Errors
    ///
    /// What the system reports; directories are refused.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let source = Source::Stdin(io::stdin());
            return Ok(Self { path: "standard input".into(), source, stamp: None });
        }
        let file = open_file(path)?;
        let metadata = file.metadata().map_err(|e| Error::system("inspect", path, e))?;
        let stamp = metadata.is_file().then(|| Stamp::of(&metadata));
        Ok(Self { path: path.into(), source: Source::File(file), stamp })
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in the input, where that is known beforehand.
    ///
    /// Files that say 0 may be of the kind that is made up as it is read (`/proc`), so 0 counts as unknown.
    pub fn size(&self) -> Option<u64> {
        self.stamp.map(|stamp| stamp.len).filter(|len| *len > 0)
    }

    /// Fills `buffer` as far as the input goes; less than a full buffer means the end was reached.
    ///
    /// # Errors
    ///
    /// What reading reports.
    pub fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::system("read", &self.path, e)),
            }
        }
        Ok(filled)
    }

    /// Whether anything is left to read. Consumes a byte if so.
    ///
    /// # Errors
    ///
    /// What reading reports.
    pub fn has_more(&mut self) -> Result<bool> {
        Ok(self.read_up_to(&mut [0])? == 1)
    }

    /// Fails if a regular file is not what it was when it was opened, or did not give the bytes it promised.
    ///
    /// # Errors
    ///
    /// [`Kind::System`], saying that the file changed.
    pub fn check_unchanged(&self, bytes_read: u64) -> Result<()> {
        let (Source::File(file), Some(stamp)) = (&self.source, self.stamp) else { return Ok(()) };
        let metadata = file.metadata().map_err(|e| Error::system("inspect", &self.path, e))?;
        let honest = stamp.len == 0 || stamp.len == bytes_read;
        if honest && stamp == Stamp::of(&metadata) { Ok(()) } else { Err(changed(&self.path)) }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Stdin(stdin) => stdin.read(buffer),
            Source::File(file) => file.read(buffer),
        }
    }
}

/// Opens a file for reading and refuses directories, which open and then fail oddly.
///
/// # Errors
///
/// What the system reports.
pub fn open_file(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|e| Error::system("open", path, e))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Err(Error::system("read", path, io::Error::from(io::ErrorKind::IsADirectory))
                .hint("for a directory with its files there is `ds pack`"))
        }
        Ok(_) => Ok(file),
        Err(e) => Err(Error::system("inspect", path, e)),
    }
}

/// What tells whether a file was changed: size and times, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of a file.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The error for a file that changed while it was read.
pub fn changed(path: &Path) -> Error {
    Error::new(Kind::System, format!("{} changed while it was being read", crate::error::quoted(path)))
        .hint("wait until whatever writes it is done, then run the command again")
}
