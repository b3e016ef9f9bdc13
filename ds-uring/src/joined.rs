//! Neighbours joined: reads that wait together and go on where the last one ends become one operation of the ring.
//!
//! Each stays a job of its own. What the operation moves belongs to the first, then to the second, and so on; those it does not
//! come to, because it failed, was cancelled for the sake of one of them, or fell short before their first byte, are begun again
//! by themselves, so that each has its own answer, and an error the one it belongs to.

use core::ptr::NonNull;

use ds_engine::{HostBytes, IoOp};

use crate::direct::straight;
use crate::ring::{Op, Target};

/// Jobs that one operation does at most.
pub(crate) const MOST_PARTS: usize = 16;
/// Bytes that one operation moves at most: beyond, there is little to save, and the first one's answer has to wait for the last
/// one's bytes.
const MOST_BYTES: usize = 256 << 10;

/// Where an operation's bytes go: in so many pieces of memory.
#[derive(Debug)]
pub(crate) struct Pieces {
    vectors: [libc::iovec; MOST_PARTS],
    len: usize,
}

// SAFETY: addresses and lengths, which nobody reads or writes through but the kernel, on behalf of jobs that say where they may go.
unsafe impl Send for Pieces {}

impl Pieces {
    pub(crate) const fn new() -> Self {
        Self { vectors: [libc::iovec { iov_base: core::ptr::null_mut(), iov_len: 0 }; MOST_PARTS], len: 0 }
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a job's memory: as a piece of its own, unless the last one ends where this one begins.
    ///
    /// # Panics
    /// If there are [`MOST_PARTS`] pieces already.
    pub(crate) fn push(&mut self, bytes: HostBytes) {
        if let Some(last) = self.vectors[..self.len].last_mut()
            && last.iov_base.addr() + last.iov_len == bytes.as_ptr().addr()
        {
            // The kernel will come here by the address of the bytes before, which may be another allocation's.
            bytes.as_ptr().expose_provenance();
            last.iov_len += bytes.len();
            return;
        }
        self.vectors[self.len] = libc::iovec { iov_base: bytes.as_ptr().cast(), iov_len: bytes.len() };
        self.len += 1;
    }

    /// A read into all of them. It names this list, unless they are all one.
    pub(crate) fn read(&self, file: Target, offset: u64) -> Op {
        match self.vectors[..self.len] {
            [all] => {
                // SAFETY: every byte is a job's that has promised as much of it, until it is answered itself, which all jobs of an
                // operation are together. One thing the whole is not: a range that this address may be dereferenced for, which is
                // the first job's alone. Nobody does; the kernel has it, and writes at addresses that were exposed.
                let into = unsafe { HostBytes::new(all.iov_base.cast(), all.iov_len) };
                Op::Read { file, offset, into }
            }
            _ => {
                let into = NonNull::from(&self.vectors).cast();
                Op::ReadPieces { file, offset, into, count: self.len as u32 }
            }
        }
    }
}

/// A read that others may follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    file: Target,
    start: u64,
    first: HostBytes,
    end: u64,
    bytes: usize,
    parts: usize,
}

impl Run {
    /// A run of one, if that is a read that goes straight to the kernel.
    pub(crate) const fn of(op: &Op) -> Option<Self> {
        match *op {
            Op::Read { file, offset, into } if !into.is_empty() && into.len() < MOST_BYTES => {
                let end = offset + into.len() as u64;
                Some(Self { file, start: offset, first: into, end, bytes: into.len(), parts: 1 })
            }
            _ => None,
        }
    }

    /// The memory of the one it began with.
    pub(crate) const fn first(&self) -> HostBytes {
        self.first
    }

    /// The read of all of it, into these pieces.
    pub(crate) fn read(&self, pieces: &Pieces) -> Op {
        pieces.read(self.file, self.start)
    }

    /// Takes this one in, if it goes on where the run ends and is not too much. Returns its memory then.
    pub(crate) fn take(&mut self, next: &IoOp) -> Option<HostBytes> {
        let IoOp::Read { file, offset, into } = *next else { return None };
        if offset != self.end
            || self.parts == MOST_PARTS
            || into.is_empty()
            || self.bytes + into.len() > MOST_BYTES
            || !file.is_positional()
        {
            return None;
        }
        // Descriptors of jobs that have not been answered are open: the same number is the same file.
        let Some(Op::Read { file, .. }) = straight(next) else { return None };
        if (file.fd, file.direct) != (self.file.fd, self.file.direct) {
            return None;
        }
        self.end = self.end.checked_add(into.len() as u64).filter(|&end| end <= i64::MAX as u64)?;
        self.bytes += into.len();
        self.parts += 1;
        Some(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ds_engine::{Alignment, FileRef};
    use std::os::fd::AsFd;

    fn bytes(start: usize, len: usize) -> HostBytes {
        // SAFETY: nobody looks at what is there.
        unsafe { HostBytes::new(core::ptr::without_provenance_mut(start), len) }
    }

    fn file() -> FileRef {
        // SAFETY: no job is made of it.
        unsafe { FileRef::new(std::io::stdin().as_fd()) }.positional()
    }

    fn read(file: FileRef, offset: u64, len: usize) -> IoOp {
        IoOp::Read { file, offset, into: bytes(4096, len) }
    }

    fn run(op: &IoOp) -> Option<Run> {
        Run::of(&straight(op)?)
    }

    #[test]
    fn only_neighbours_follow_and_no_more_than_there_may_be() {
        let first = run(&read(file(), 100, 50)).unwrap();
        let takes = |op: &IoOp| { first }.take(op).is_some();
        assert!(takes(&read(file(), 150, 1)));
        for offset in [0, 100, 149, 151, u64::MAX] {
            assert!(!takes(&read(file(), offset, 50)), "{offset}");
        }
        assert!(!takes(&read(file(), 150, 0)) && !takes(&read(file(), 150, MOST_BYTES - 49)));
        assert!(takes(&read(file(), 150, MOST_BYTES - 50)));
        assert!(!takes(&IoOp::Write { file: file(), offset: 150, from: bytes(0, 9) }));
        // SAFETY: no job is made of it.
        let other = unsafe { FileRef::new(std::io::stderr().as_fd()) };
        assert!(!takes(&read(other.positional(), 150, 9)) && !takes(&read(other, 150, 9)));
        // SAFETY: as above.
        let direct = unsafe { file().direct(std::io::stdin().as_fd(), Alignment::new(1, 1).unwrap()) };
        assert!(!takes(&read(direct, 150, 9)), "it goes past the page cache");
        let mut long = first;
        let taken = (1..).take_while(|n| long.take(&read(file(), 100 + n * 50, 50)).is_some());
        assert_eq!(taken.count() + 1, MOST_PARTS);
        let mut last = run(&read(file(), i64::MAX as u64 - 10, 5)).unwrap();
        assert!(last.take(&read(file(), i64::MAX as u64 - 5, 6)).is_none(), "there are no such offsets");
    }

    #[test]
    fn what_begins_a_run_is_a_short_read_that_goes_straight() {
        assert!(run(&read(file(), 0, 0)).is_none() && run(&read(file(), 0, MOST_BYTES)).is_none());
        let file = Target { fd: 0, known_as: None, direct: false };
        assert!(Run::of(&Op::Write { file, offset: 0, from: bytes(0, 9) }).is_none());
    }

    #[test]
    fn memory_in_a_row_is_one_piece() {
        let mut pieces = Pieces::new();
        for (start, len) in [(1000, 24), (1024, 6), (4000, 5), (3995, 5), (4000, 1)] {
            pieces.push(bytes(start, len));
        }
        let named = |pieces: &Pieces| {
            pieces.vectors[..pieces.len].iter().map(|v| (v.iov_base.addr(), v.iov_len)).collect::<Vec<_>>()
        };
        assert_eq!(named(&pieces), [(1000, 30), (4000, 5), (3995, 6)]);
        let file = Target { fd: 0, known_as: None, direct: false };
        assert!(matches!(pieces.read(file, 7), Op::ReadPieces { offset: 7, count: 3, .. }));
        pieces.clear();
        pieces.push(bytes(1000, 24));
        pieces.push(bytes(1024, 6));
        let Op::Read { offset: 7, into, .. } = pieces.read(file, 7) else { panic!("it is one piece") };
        assert_eq!((into.as_ptr().addr(), into.len()), (1000, 30));
    }
}
