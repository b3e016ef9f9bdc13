//! What wakes a ring's thread: an eventfd that the ring always has a read of under way.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::doorbell::Doorbell;
use crate::ring::Op;

/// Both ends of the wire.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) door: Doorbell,
    event: OwnedFd,
}

impl Bell {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { door: Doorbell::new(), event: eventfd(0, EventfdFlags::CLOEXEC)? })
    }

    /// Wakes the thread if it sleeps. For whoever has left it a message.
    pub(crate) fn ring(&self) {
        if self.door.must_ring() {
            self.strike();
        }
    }

    /// Wakes the thread, or keeps it from its next sleep.
    pub(crate) fn strike(&self) {
        // Refused only if it has been struck some 2^64 times unheard, and then it is set already.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }
}

/// Where the kernel writes how often it rang.
#[derive(Debug)]
pub(crate) struct Count(Box<UnsafeCell<u64>>);

impl Count {
    pub(crate) fn new() -> Self {
        Self(Box::new(UnsafeCell::new(0)))
    }

    /// The read to have under way.
    pub(crate) fn listen(&self, bell: &Bell) -> Op {
        // `UnsafeCell` inside a box has an address, and it is not null.
        let into = NonNull::new(self.0.get()).expect("a box is somewhere");
        Op::Bell { fd: bell.event.as_raw_fd(), into }
    }
}

// SAFETY: nobody reads or writes the number but the kernel.
unsafe impl Send for Count {}
