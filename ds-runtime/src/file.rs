//! Files as requests know them: owned, shared, kept open while anything is in flight.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl};

/// An open file. Cloning it is cheap, and it stays open until the last clone and the last request that names it are gone. Its
/// descriptor's flags are never changed.
#[derive(Clone)]
pub struct File {
    inner: Arc<Inner>,
}

struct Inner {
    fd: OwnedFd,
    path: Option<PathBuf>,
    readable: bool,
    writable: bool,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`OpenError`], with the path and what the kernel said.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let opened = std::fs::File::open(path);
        let file = opened.map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(Self::wrap(file.into(), Some(path.to_owned())))
    }

    /// Creates a file for reading and writing, or empties the one there is.
    ///
    /// # Errors
    /// [`OpenError`], with the path and what the kernel said.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let opened =
            std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
        let file = opened.map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(Self::wrap(file.into(), Some(path.to_owned())))
    }

    fn wrap(fd: OwnedFd, path: Option<PathBuf>) -> Self {
        // A descriptor that does not even tell its flags will tell more when it is used.
        let flags = fcntl_getfl(&fd).unwrap_or(OFlags::RDWR);
        let mode = flags & OFlags::ACCMODE;
        let inner = Inner {
            fd,
            path,
            readable: mode == OFlags::RDONLY || mode == OFlags::RDWR,
            writable: mode == OFlags::WRONLY || mode == OFlags::RDWR,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The path it was opened by, if it was opened here.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Its size in bytes now.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn size(&self) -> std::io::Result<u64> {
        Ok(u64::try_from(rustix::fs::fstat(self)?.st_size).unwrap_or(0))
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.inner.readable
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.inner.writable
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> Self {
        Self::wrap(file.into(), None)
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> Self {
        Self::wrap(fd, None)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("fd", &self.inner.fd)
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

/// A file that could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open {}: {}", self.path.display(), self.source)
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.source)
    }
}
