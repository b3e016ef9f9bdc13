//! An event: set by any thread, heard by the ring's.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// A counter of the kernel's that a read takes, or waits for.
#[derive(Debug)]
pub(crate) struct Event(OwnedFd);

impl Event {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC)?))
    }

    pub(crate) fn set(&self) {
        // Refused only if it has been set some 2^64 times unheard, and then it is set already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// The descriptor to read from.
    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
