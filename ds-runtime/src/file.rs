//! Files as requests know them: owned, shared, kept open while anything is in flight.

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ds_engine::{Alignment, FileRef, has_positions};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fcntl_getfl, openat, statx};
use rustix::io::Errno;

/// An open file. Cloning it is cheap, and it stays open until the last clone and the last request that names it are gone. Its
/// descriptor's flags are never changed.
///
/// Any descriptor can be one. But requests read and write at positions, which pipes, sockets, terminals, eventfds and their like
/// do not have: those are refused as [`Misuse::NoPositions`](crate::Misuse::NoPositions) when they are enqueued, whichever engine
/// it would be.
#[derive(Clone)]
pub struct File {
    inner: Arc<Inner>,
    direct: Option<Arc<Direct>>,
}

struct Inner {
    fd: OwnedFd,
    path: Option<PathBuf>,
    readable: bool,
    writable: bool,
    /// Whether it has positions: see [`has_positions`].
    positional: bool,
    /// As no other file in this process is or was.
    number: NonZeroU64,
}

/// The next file's number.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The way past the page cache.
#[derive(Debug)]
struct Direct {
    fd: OwnedFd,
    alignment: Alignment,
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
        let positional = has_positions(fd.as_fd());
        let inner = Inner {
            fd,
            positional,
            // It never comes round to 0.
            number: NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MIN),
            path,
            readable: mode == OFlags::RDONLY || mode == OFlags::RDWR,
            writable: mode == OFlags::WRONLY || mode == OFlags::RDWR,
        };
        Self { inner: Arc::new(inner), direct: None }
    }

    /// The same file, read and written past the page cache (`O_DIRECT`), through a second descriptor: this one's flags stay as
    /// they are. Good for data that is read once, or that is larger than memory; data that is in the page cache is read from
    /// the disk all the same.
    ///
    /// Reads may begin and end anywhere and have any memory: where the device wants alignment, engines read more and copy.
    /// Writes must begin and end at multiples of [`direct_alignment`](Self::direct_alignment): to change part of a block, the
    /// rest of it would have to be read and written back, while others may be writing it.
    ///
    /// # Errors
    /// [`OpenError`]: the file system has no such way, or does not let the file be opened again.
    pub fn direct(&self) -> Result<Self, OpenError> {
        let fd = self.as_fd().as_raw_fd();
        let name = PathBuf::from(format!("/proc/self/fd/{fd}"));
        let refused =
            |errno: Errno| OpenError { path: self.path().unwrap_or(&name).to_owned(), source: errno.into() };
        let mode = fcntl_getfl(self).map_err(refused)? & OFlags::ACCMODE;
        let flags = mode | OFlags::DIRECT | OFlags::CLOEXEC;
        let fd = openat(CWD, &name, flags, Mode::empty()).map_err(refused)?;
        let alignment = alignment_of(&fd).map_err(refused)?;
        Ok(Self { inner: Arc::clone(&self.inner), direct: Some(Arc::new(Direct { fd, alignment })) })
    }

    /// For a file made by [`direct`](Self::direct): what the offsets and lengths of writes must be multiples of, in bytes, and
    /// what those of reads had better be.
    #[must_use]
    pub fn direct_alignment(&self) -> Option<u64> {
        self.direct.as_ref().map(|direct| direct.alignment.offset().into())
    }

    /// Whether a write of so many bytes there is one that must be refused.
    pub(crate) fn splits_blocks(&self, offset: u64, len: u64) -> Option<u64> {
        let alignment = self.direct.as_ref()?.alignment;
        (!alignment.fits_range(offset, len)).then(|| alignment.offset().into())
    }

    /// The file, for a job.
    ///
    /// # Safety
    /// This handle, or a clone of it, is kept until the outcome of the job has been delivered.
    pub(crate) unsafe fn lend(&self) -> FileRef {
        // SAFETY: the handle keeps the descriptor open.
        let file = unsafe { FileRef::new(self.as_fd()) }.called(self.inner.number);
        let file = if self.inner.positional { file.positional() } else { file };
        match &self.direct {
            // SAFETY: the handle keeps this one open as well.
            Some(direct) => unsafe { file.direct(direct.fd.as_fd(), direct.alignment) },
            None => file,
        }
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

    pub(crate) fn has_positions(&self) -> bool {
        self.inner.positional
    }
}

/// What transfers of a file that was opened with `O_DIRECT` must be aligned to.
fn alignment_of(fd: &OwnedFd) -> Result<Alignment, Errno> {
    let found = statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)?;
    if found.stx_mask & StatxFlags::DIOALIGN.bits() == 0 {
        // Linux before 6.1, or a file system that does not say.
        return Ok(Alignment::PAGE);
    }
    // Zeroes mean that this file cannot be read so, although it could be opened.
    Alignment::new(found.stx_dio_mem_align, found.stx_dio_offset_align).ok_or(Errno::OPNOTSUPP)
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
            .field("direct", &self.direct)
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
