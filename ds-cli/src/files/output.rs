//! What is written: a staged file, a device, standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Stdout, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::staged::Staged;
use crate::error::{Error, Result, quoted};

/// An open output. Nothing of it can be seen under its name until [`commit`](Self::commit).
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    sink: Sink,
    replace: bool,
}

#[derive(Debug)]
enum Sink {
    Stdout(Stdout),
    /// A device or a pipe, written straight.
    Special(File),
    Staged(Staged),
}

impl Output {
    /// Opens `path`, or standard output for `-`.
    ///
    /// # Errors
    ///
    /// An existing file without `force`, a directory, a terminal, or what the system reports.
    pub fn create(path: &Path, force: bool) -> Result<Self> {
        if path == Path::new("-") {
            let stdout = io::stdout();
            if stdout.is_terminal() {
                return Err(Error::usage("standard output is a terminal, and binary data would upset it")
                    .hint("redirect it, or name a file with -o"));
            }
            return Ok(Self { path: "standard output".into(), sink: Sink::Stdout(stdout), replace: false });
        }
        let sink = match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::system("write", path, io::Error::from(io::ErrorKind::IsADirectory))
                    .hint("name a file inside it"));
            }
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path);
                Sink::Special(file.map_err(|e| Error::system("open", path, e))?)
            }
            Ok(_) if !force => return Err(exists(path)),
            _ => Sink::Staged(stage(path)?),
        };
        Ok(Self { path: path.into(), sink, replace: force })
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory a spool file belongs in: where the output will be, else the system's place for such files.
    pub fn spool_dir(&self) -> PathBuf {
        match self.sink {
            Sink::Staged(_) => parent_of(&self.path).into(),
            _ => std::env::temp_dir(),
        }
    }

    /// Whether [`seek`](Self::seek) works.
    pub fn can_seek(&self) -> bool {
        matches!(self.sink, Sink::Staged(_))
    }

    /// Moves to `position` bytes from the start.
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn seek(&mut self, position: u64) -> Result<()> {
        match &mut self.sink {
            Sink::Staged(staged) => {
                let moved = staged.file().seek(SeekFrom::Start(position));
                moved.map(drop).map_err(|e| Error::system("write", &self.path, e))
            }
            _ => Err(Error::system("write", &self.path, io::Error::from(io::ErrorKind::NotSeekable))),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|e| self.error(e))
    }

    /// The error for a failed write.
    pub fn error(&self, error: io::Error) -> Error {
        match self.sink {
            Sink::Stdout(_) => Error::stdout(error),
            _ => Error::system("write", &self.path, error),
        }
    }

    /// Makes the output visible under its name.
    ///
    /// # Errors
    ///
    /// What the system reports, and a file that has come to exist meanwhile.
    pub fn commit(mut self) -> Result<()> {
        self.flush().map_err(|e| self.error(e))?;
        let Self { path, sink, replace } = self;
        match sink {
            Sink::Staged(staged) => staged.commit(replace).map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => exists(&path),
                _ => Error::system("create", &path, e),
            }),
            Sink::Stdout(_) | Sink::Special(_) => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.write(bytes),
            Sink::Special(file) => file.write(bytes),
            Sink::Staged(staged) => staged.file().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::Special(file) => file.flush(),
            Sink::Staged(staged) => staged.file().flush(),
        }
    }
}

fn stage(path: &Path) -> Result<Staged> {
    let name =
        path.file_name().ok_or_else(|| Error::usage(format!("{} does not name a file", quoted(path))))?;
    let dir = File::open(parent_of(path)).map_err(|e| Error::system("create", path, e))?;
    Staged::create(OwnedFd::from(dir), name).map_err(|e| Error::system("create", path, e))
}

/// The directory `path` lies in.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn exists(path: &Path) -> Error {
    Error::system("create", path, io::Error::from_raw_os_error(rustix::io::Errno::EXIST.raw_os_error()))
}
