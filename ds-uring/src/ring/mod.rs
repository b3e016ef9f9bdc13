//! A submission queue and a completion queue: what the engine needs of them, and who provides it.

mod files;
pub(crate) mod kernel;
pub(crate) mod message;
mod polled;

#[cfg(any(test, feature = "__faults"))]
pub(crate) mod fake;

use core::num::NonZeroU64;
use core::ptr::NonNull;
use std::os::fd::RawFd;

use ds_core::Path;
use ds_engine::HostBytes;
use io_uring::cqueue;
use rustix::io::Errno;

use crate::features::Features;

/// An operation to submit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sqe {
    /// Comes back with the completion.
    pub(crate) token: u64,
    pub(crate) op: Op,
}

/// A file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) fd: RawFd,
    /// A number that this open file has, and no other that there ever was: descriptors are used again.
    pub(crate) known_as: Option<NonZeroU64>,
    /// Whether transfers go past the page cache.
    pub(crate) direct: bool,
}

/// A kind of operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Read {
        file: Target,
        offset: u64,
        into: HostBytes,
    },
    /// Read what the page cache has, and wait for nothing: `EAGAIN` if that is nothing.
    ReadCached {
        file: Target,
        offset: u64,
        into: HostBytes,
    },
    Write {
        file: Target,
        offset: u64,
        from: HostBytes,
    },
    Sync {
        file: Target,
        data_only: bool,
    },
    /// Read into several pieces of memory, one after the other.
    ReadPieces {
        file: Target,
        offset: u64,
        /// The first of so many.
        into: NonNull<libc::iovec>,
        count: u32,
    },
    /// Have the operation with this token end soon.
    Cancel {
        token: u64,
    },
    /// Read the eight bytes of an eventfd, once it is set.
    Bell {
        fd: RawFd,
        into: NonNull<u64>,
    },
}

/// What came of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cqe {
    /// The operation's.
    pub(crate) token: u64,
    /// A count, or what the kernel said.
    pub(crate) result: Result<u32, Errno>,
}

/// The submission queue has no room: enter the kernel first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full;

/// A ring, used by one thread.
pub(crate) trait Ring {
    /// Puts an operation into the submission queue. Returns what to add to the path of its outcome: which of the features it uses.
    ///
    /// # Errors
    /// [`Full`], and nothing has changed.
    ///
    /// # Safety
    /// Once this has returned `Ok`, and until the operation's completion has been taken: what it names is open and allocated;
    /// nobody else touches what it writes, and nobody writes what it reads.
    unsafe fn push(&mut self, sqe: Sqe) -> Result<Path, Full>;

    /// Makes no more use of one of the features that [`push`](Self::push) tells of: a file has turned out not to be for it.
    fn go_without(&mut self, feature: Features);

    /// Submits what is in the submission queue, or as much of it as the kernel takes now, and then waits until there are so
    /// many completions, or until something else comes up.
    ///
    /// # Errors
    /// What the kernel says. Nothing is lost: what was not submitted is still in the queue.
    fn enter(&mut self, want: u32) -> Result<(), Errno>;

    /// How many completions there are to take.
    fn ready(&mut self) -> usize;

    /// Takes the completions there are, so many at most, oldest first.
    fn reap(&mut self, into: &mut Vec<Cqe>, most: usize);
}

fn cqe_of(cqe: &cqueue::Entry) -> Cqe {
    let result = u32::try_from(cqe.result()).map_err(|_| Errno::from_raw_os_error(-cqe.result()));
    Cqe { token: cqe.user_data(), result }
}

/// What the kernel said; something, if it said nothing that has a number.
fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
