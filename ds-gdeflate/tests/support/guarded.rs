//! Memory between pages that must not be touched.

use core::ptr;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

/// As large as pages get on the machines that tests run on.
const PAGE: usize = 64 * 1024;

/// Which end of a slice lies at the edge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edge {
    Start,
    End,
}

/// Zeroed memory; an access right before or behind it ends the program.
pub(crate) struct Guarded {
    mapping: *mut u8,
    len: usize,
}

impl Guarded {
    /// At least `len` bytes.
    pub(crate) fn new(len: usize) -> Self {
        let len = len.next_multiple_of(PAGE);
        // SAFETY: a new mapping overlaps no other.
        let mapping =
            unsafe { mmap_anonymous(ptr::null_mut(), len + 2 * PAGE, ProtFlags::empty(), MapFlags::PRIVATE) };
        let mapping = mapping.expect("address space").cast::<u8>();
        // SAFETY: the mapping goes on behind its first page.
        let start = unsafe { mapping.add(PAGE) };
        // SAFETY: within the mapping, which nobody else knows.
        unsafe { mprotect(start.cast(), len, MprotectFlags::READ | MprotectFlags::WRITE) }.expect("memory");
        Self { mapping, len }
    }

    /// `len` bytes at an edge.
    pub(crate) fn slice(&mut self, edge: Edge, len: usize) -> &mut [u8] {
        let before = match edge {
            Edge::Start => PAGE,
            Edge::End => PAGE + self.len.checked_sub(len).expect("no more than there are"),
        };
        assert!(len <= self.len);
        // SAFETY: behind the first page are `self.len` bytes.
        let start = unsafe { self.mapping.add(before) };
        // SAFETY: readable, writable and initialised; borrowed from `self`.
        unsafe { core::slice::from_raw_parts_mut(start, len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; every slice is gone.
        unsafe { munmap(self.mapping.cast(), self.len + 2 * PAGE) }.expect("it is mapped");
    }
}
