//! Host bytes and file descriptors, lent to an engine for one job.

use core::num::NonZeroU64;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use ds_core::DeviceId;
use rustix::io::Errno;

use crate::direct::Alignment;

/// A range of host memory, by address. Plain data: copying it copies no bytes and lends nothing by itself.
///
/// Whoever dereferences it relies on the promise made in [`HostBytes::new`].
#[derive(Clone, Copy, Debug)]
pub struct HostBytes {
    start: *mut u8,
    len: usize,
}

// SAFETY: an address and a length; dereferencing is unsafe and governed by the promise of `new`, which speaks of all threads.
unsafe impl Send for HostBytes {}
// SAFETY: as above; no method touches the bytes without the caller's own proof.
unsafe impl Sync for HostBytes {}

impl HostBytes {
    /// No bytes.
    pub const EMPTY: Self = Self { start: core::ptr::dangling_mut(), len: 0 };

    /// Names `len` bytes at `start`.
    ///
    /// # Safety
    /// From now until the outcome of the job it is put into has been delivered: the bytes are allocated and initialised; if
    /// the job writes them, nobody else reads or writes them; if the job reads them, nobody writes them.
    #[must_use]
    pub const unsafe fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len }
    }

    /// Address of the first byte.
    #[must_use]
    pub const fn as_ptr(self) -> *mut u8 {
        self.start
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// `len` of these bytes, from `offset`. `None` if they are not all inside.
    #[must_use]
    pub fn part(self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len)?;
        if end > self.len as u64 {
            return None;
        }
        // Both fit into `usize`: they are at most `self.len`.
        Some(Self { start: self.start.wrapping_add(offset as usize), len: len as usize })
    }

    /// The bytes, to read.
    ///
    /// # Safety
    /// The promise of [`new`](Self::new) holds for `'a`, and nobody writes the bytes during `'a`.
    #[must_use]
    pub const unsafe fn as_slice<'a>(self) -> &'a [u8] {
        // SAFETY: the caller vouches for the bytes; an empty range has a dangling, aligned address.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }

    /// The bytes, to write.
    ///
    /// # Safety
    /// The promise of [`new`](Self::new) holds for `'a`, and nobody else reads or writes the bytes during `'a`.
    #[must_use]
    pub const unsafe fn as_mut_slice<'a>(self) -> &'a mut [u8] {
        // SAFETY: the caller vouches for the bytes; an empty range has a dangling, aligned address.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

/// Where a job's bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// In host memory.
    Host(HostBytes),
    /// In an object of a device.
    Device {
        /// Which device.
        device: DeviceId,
        /// Which of its objects.
        handle: u64,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
}

impl Place {
    /// The host memory, if it is that.
    #[must_use]
    pub const fn host(self) -> Option<HostBytes> {
        match self {
            Self::Host(bytes) => Some(bytes),
            Self::Device { .. } => None,
        }
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(self) -> u64 {
        match self {
            Self::Host(bytes) => bytes.len() as u64,
            Self::Device { len, .. } => len,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// An open file, by descriptor. Plain data: the descriptor is not closed with it.
///
/// Beside the descriptor it carries what its owner has found out about the file once, so that no engine has to ask the kernel
/// for every job.
#[derive(Clone, Copy, Debug)]
pub struct FileRef {
    fd: RawFd,
    positional: bool,
    known_as: Option<NonZeroU64>,
    direct: Option<(RawFd, Alignment)>,
}

impl FileRef {
    /// Names an open file.
    ///
    /// # Safety
    /// The descriptor stays open from now until the outcome of the job it is put into has been delivered.
    #[must_use]
    pub unsafe fn new(fd: BorrowedFd<'_>) -> Self {
        Self { fd: fd.as_raw_fd(), positional: false, known_as: None, direct: None }
    }

    /// The same file, known to [have positions](has_positions).
    #[must_use]
    pub const fn positional(self) -> Self {
        Self { positional: true, ..self }
    }

    /// The same file, with a number below 2^63 that no other file in this process has or ever had. An engine may keep what it has
    /// found out about the file under that number, and the file open; a descriptor's number names another file some day.
    #[must_use]
    pub const fn called(self, number: NonZeroU64) -> Self {
        Self { known_as: Some(number), ..self }
    }

    /// The file's number, if it has one.
    #[must_use]
    pub const fn known_as(self) -> Option<NonZeroU64> {
        self.known_as
    }

    /// The same file, to be read and written past the page cache, through a second descriptor for it that is open for that.
    ///
    /// # Safety
    /// As in [`new`](Self::new), for the second descriptor.
    #[must_use]
    pub unsafe fn direct(self, fd: BorrowedFd<'_>, alignment: Alignment) -> Self {
        Self { direct: Some((fd.as_raw_fd(), alignment)), ..self }
    }

    /// The descriptor.
    ///
    /// # Safety
    /// The promise of [`new`](Self::new) holds for `'a`.
    #[must_use]
    pub const unsafe fn as_fd<'a>(self) -> BorrowedFd<'a> {
        // SAFETY: the caller vouches that the descriptor is open for `'a`; it came from a `BorrowedFd`, so it is not -1.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// The descriptor for transfers past the page cache, and what they must be aligned to, if that is how this file is to be
    /// read and written. Its whole ranges are: an engine that is asked for an unaligned read reads more and copies; an
    /// unaligned write it refuses.
    ///
    /// # Safety
    /// The promise of [`direct`](Self::direct) holds for `'a`.
    #[must_use]
    pub const unsafe fn as_direct_fd<'a>(self) -> Option<(BorrowedFd<'a>, Alignment)> {
        match self.direct {
            // SAFETY: the caller vouches that the descriptor is open for `'a`; it came from a `BorrowedFd`, so it is not -1.
            Some((fd, alignment)) => Some((unsafe { BorrowedFd::borrow_raw(fd) }, alignment)),
            None => None,
        }
    }

    /// Whether the file is to be read and written past the page cache.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        self.direct.is_some()
    }

    /// Whether the file is known to have positions. If not, it may have them all the same.
    #[must_use]
    pub const fn is_positional(self) -> bool {
        self.positional
    }
}

/// Whether positional reads and writes are for this file. They are not for pipes, sockets, terminals, eventfds, timers and the
/// like, to which `pread` and `pwrite` say `ESPIPE`; a ring would take whatever comes next from them, and wait for it.
///
/// A descriptor that is good for nothing has positions as far as this says: what is wrong with it is told when it is used.
#[must_use]
pub fn has_positions(fd: BorrowedFd<'_>) -> bool {
    // Not `lseek`, which pretends for an eventfd. A read into no memory never comes to the file's own code: it cannot wait, and
    // takes nothing away.
    rustix::io::preadv(fd, &mut [], 0) != Err(Errno::SPIPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_inside_or_nothing() {
        let mut memory = [7_u8; 10];
        // SAFETY: the array outlives every use here and only `bytes` touches it.
        let bytes = unsafe { HostBytes::new(memory.as_mut_ptr(), memory.len()) };
        assert_eq!(bytes.part(2, 8).map(HostBytes::len), Some(8));
        assert_eq!(bytes.part(10, 0).map(HostBytes::len), Some(0));
        assert!(bytes.part(3, 8).is_none());
        assert!(bytes.part(u64::MAX, 2).is_none());
        // SAFETY: as above.
        assert_eq!(unsafe { bytes.part(9, 1).unwrap().as_slice() }, [7]);
    }
}
