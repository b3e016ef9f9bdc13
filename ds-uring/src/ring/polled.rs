//! A second ring of the kernel's, for transfers past the page cache whose ends the device is polled for.
//!
//! A ring is polled as a whole, and such a ring takes nothing but reads and writes of files that can be: no bell, no sync, no
//! cancellation. So it stands beside the other one, of the same thread.

use io_uring::{IoUring, cqueue, squeue};
use rustix::io::Errno;

use super::{Cqe, cqe_of, errno_of};
use crate::config::UringConfig;
use crate::features::Features;

pub(super) struct Polled {
    ring: IoUring<squeue::Entry, cqueue::Entry>,
    /// Entries whose completions have not been taken.
    outstanding: usize,
}

impl Polled {
    /// Makes one, with what it can use of the features that the other ring was granted.
    pub(super) fn new(config: &UringConfig, features: Features) -> std::io::Result<Self> {
        let entries = config.depth.get().next_power_of_two() as u32;
        let mut builder = IoUring::builder();
        builder.dontfork().setup_clamp().setup_iopoll();
        if features.contains(Features::SUBMIT_ALL) {
            builder.setup_submit_all();
        }
        if features.contains(Features::SINGLE_ISSUER) {
            builder.setup_single_issuer();
        }
        Ok(Self { ring: builder.build(entries)?, outstanding: 0 })
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.outstanding == 0
    }

    /// Puts an entry into the submission queue. Returns whether there was room.
    ///
    /// # Safety
    /// That of [`Ring::push`](super::Ring::push).
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: the caller vouches for what the entry names.
        let pushed = unsafe { self.ring.submission().push(entry) }.is_ok();
        self.outstanding += usize::from(pushed);
        pushed
    }

    /// Submits, and has the device polled: once, or until there are so many completions.
    pub(super) fn enter(&self, want: u32) -> Result<(), Errno> {
        self.ring.submit_and_wait(want as usize).map(drop).map_err(|error| errno_of(&error))
    }

    pub(super) fn ready(&mut self) -> usize {
        self.ring.completion().len()
    }

    pub(super) fn reap(&mut self, into: &mut Vec<Cqe>, most: usize) {
        let before = into.len();
        into.extend(self.ring.completion().take(most).map(|cqe| cqe_of(&cqe)));
        self.outstanding -= into.len() - before;
    }
}
