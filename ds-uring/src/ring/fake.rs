//! A ring that does the work by system calls, in an order and with mishaps that a seed chooses.
//!
//! It is as legal and as nasty as a ring can be: it takes few submissions at once and not always all of them, finishes them in
//! any order, late and short, loses races against cancellations or wins them, and refuses to be entered while completions
//! wait. Everything an engine must cope with happens within the first few hundred operations.

use core::ptr::NonNull;
use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use ds_core::Path;

use super::{Cqe, Full, Op, Ring, Sqe, errno_of};
use crate::features::Features;

/// How often what goes wrong, each out of 256 times, and the seed of the choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeFaults {
    /// Seed of the choice.
    pub seed: u64,
    /// Transfers that move only some of their bytes.
    pub short: u8,
    /// Operations answered `EINTR`.
    pub interrupted: u8,
    /// Operations answered `EAGAIN`.
    pub try_again: u8,
    /// Visits to the kernel refused: with `EINTR`, with `EAGAIN`, or with `EBUSY` while completions wait.
    pub refused: u8,
    /// Visits that submit only some of what there is.
    pub partial: u8,
    /// Transfers to be polled for whose file cannot be.
    pub unpollable: u8,
}

impl FakeFaults {
    /// Much of everything.
    #[must_use]
    pub const fn all(seed: u64) -> Self {
        Self { seed, short: 50, interrupted: 20, try_again: 10, refused: 40, partial: 60, unpollable: 3 }
    }
}

/// Entries of the submission queue: few, so that it is full often.
const ENTRIES: usize = 5;
/// Completions from which on a visit may be refused for want of room.
const CROWDED: usize = 3;

/// A simulated ring.
pub(crate) struct FakeRing {
    faults: FakeFaults,
    /// Whether transfers past the page cache are to be polled for.
    polls: bool,
    random: u64,
    /// Each with what was said of it when it was pushed.
    submitted: VecDeque<(Sqe, Path)>,
    /// In the kernel's hands, so to say.
    pending: Vec<(Sqe, Path)>,
    completed: VecDeque<Cqe>,
}

// SAFETY: what submissions point to may be used by whichever thread has the ring: that is what `Ring::push` asks for.
unsafe impl Send for FakeRing {}

impl FakeRing {
    pub(crate) const fn new(faults: FakeFaults, features: Features) -> Self {
        Self {
            faults,
            polls: features.contains(Features::IOPOLL),
            random: faults.seed,
            submitted: VecDeque::new(),
            pending: Vec::new(),
            completed: VecDeque::new(),
        }
    }

    /// The next number of the splitmix64 sequence.
    const fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    const fn happens(&mut self, share: u8) -> bool {
        (self.draw() & 0xFF) < share as u64
    }

    const fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    fn complete(&mut self, token: u64, result: Result<u32, Errno>) {
        self.completed.push_back(Cqe { token, result });
    }

    fn submit(&mut self) {
        let mut count = self.submitted.len();
        if count > 1 && self.happens(self.faults.partial) {
            count = 1 + self.below(count - 1);
        }
        for _ in 0..count {
            let Some((sqe, path)) = self.submitted.pop_front() else { return };
            match sqe.op {
                Op::Cancel { token } => self.cancel(sqe.token, token),
                _ => self.pending.push((sqe, path)),
            }
        }
    }

    fn cancel(&mut self, token: u64, target: u64) {
        let result = match self.pending.iter().position(|(sqe, _)| sqe.token == target) {
            None => Err(Errno::NOENT),
            // Too late, as for a transfer that the device has.
            Some(_) if self.draw() & 1 == 0 => Err(Errno::ALREADY),
            Some(place) => {
                self.pending.swap_remove(place);
                self.complete(target, Err(Errno::CANCELED));
                Ok(0)
            }
        };
        self.complete(token, result);
    }

    /// Does one pending operation, if there is one that need not wait for anything.
    fn perform_one(&mut self) -> bool {
        let ready: Vec<usize> =
            (0..self.pending.len()).filter(|&n| is_ready(&self.pending[n].0.op, Some(0))).collect();
        if ready.is_empty() {
            return false;
        }
        let place = ready[self.below(ready.len())];
        let (sqe, path) = self.pending.swap_remove(place);
        let result = self.perform(sqe.op, path);
        self.complete(sqe.token, result);
        true
    }

    fn perform(&mut self, op: Op, path: Path) -> Result<u32, Errno> {
        if path.contains(Path::IO_POLLED) && self.happens(self.faults.unpollable) {
            return Err(Errno::OPNOTSUPP);
        }
        if !matches!(op, Op::Bell { .. }) {
            if self.happens(self.faults.interrupted) {
                return Err(Errno::INTR);
            }
            if self.happens(self.faults.try_again) {
                return Err(Errno::AGAIN);
            }
        }
        let moved = run(op)?;
        let moved = if self.happens(self.faults.short) { self.shorten(&op, moved) } else { moved };
        Ok(u32::try_from(moved).unwrap_or(u32::MAX))
    }

    /// Fewer bytes, but some, and whole blocks of a transfer of whole blocks: past the page cache nothing but a file's end
    /// cuts a block. A read that says so has written more than it says, which is what the memory is there for.
    const fn shorten(&mut self, op: &Op, moved: usize) -> usize {
        let whole_blocks = match *op {
            Op::Read { offset, into: bytes, .. }
            | Op::ReadCached { offset, into: bytes, .. }
            | Op::Write { offset, from: bytes, .. } => (offset | bytes.len() as u64).is_multiple_of(512),
            Op::ReadPieces { offset, .. } => (offset | moved as u64).is_multiple_of(512),
            _ => false,
        };
        let block = if whole_blocks { 512 } else { 1 };
        let blocks = moved / block;
        if blocks < 2 { moved } else { (1 + self.below(blocks - 1)) * block }
    }
}

/// Whether an operation moves bytes past the page cache.
const fn is_direct(op: &Op) -> bool {
    match op {
        Op::Read { file, .. } | Op::ReadPieces { file, .. } | Op::Write { file, .. } => file.direct,
        Op::ReadCached { .. } | Op::Sync { .. } | Op::Cancel { .. } | Op::Bell { .. } => false,
    }
}

/// Whether an operation can be done now, or within so many milliseconds; or ever.
fn is_ready(op: &Op, wait: Option<i64>) -> bool {
    let Op::Bell { fd, .. } = *op else { return true };
    // SAFETY: whoever submitted it keeps it open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let wait = wait.map(|millis| rustix::time::Timespec { tv_sec: 0, tv_nsec: millis * 1_000_000 });
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], wait.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Reads into so many pieces of memory.
///
/// # Safety
/// They are named there, and each is memory that nobody else touches.
unsafe fn read(fd: RawFd, offset: u64, into: NonNull<libc::iovec>, count: u32) -> Result<usize, Errno> {
    // SAFETY: the caller's promise, passed on.
    let moved = unsafe { libc::preadv(fd, into.as_ptr(), count as i32, offset as i64) };
    usize::try_from(moved).map_err(|_| errno_of(&std::io::Error::last_os_error()))
}

/// Does what an operation says.
fn run(op: Op) -> Result<usize, Errno> {
    // SAFETY: whoever submitted it keeps it open.
    let borrow = |fd| unsafe { BorrowedFd::borrow_raw(fd) };
    match op {
        Op::Read { file, offset, into } | Op::ReadCached { file, offset, into } => {
            let piece = libc::iovec { iov_base: into.as_ptr().cast(), iov_len: into.len() };
            // SAFETY: `push` asks for memory that is there and that nobody else touches. It may be several jobs', in a row.
            unsafe { read(file.fd, offset, NonNull::from(&piece), 1) }
        }
        Op::ReadPieces { file, offset, into, count } => {
            // SAFETY: `push` asks for pieces that are named there, of memory that is there and that nobody else touches.
            unsafe { read(file.fd, offset, into, count) }
        }
        Op::Write { file, offset, from } => {
            // SAFETY: `push` asks for memory that is there and that nobody writes.
            let from = unsafe { from.as_slice() };
            rustix::io::pwrite(borrow(file.fd), from, offset)
        }
        Op::Sync { file, data_only: true } => rustix::fs::fdatasync(borrow(file.fd)).map(|()| 0),
        Op::Sync { file, data_only: false } => rustix::fs::fsync(borrow(file.fd)).map(|()| 0),
        Op::Bell { fd, .. } => rustix::io::read(borrow(fd), &mut [0_u8; 8]),
        Op::Cancel { .. } => Ok(0),
    }
}

impl Ring for FakeRing {
    unsafe fn push(&mut self, sqe: Sqe) -> Result<Path, Full> {
        if self.submitted.len() == ENTRIES {
            return Err(Full);
        }
        let path = if self.polls && is_direct(&sqe.op) { Path::IO_POLLED } else { Path::NONE };
        self.submitted.push_back((sqe, path));
        Ok(path)
    }

    fn go_without(&mut self, feature: Features) {
        self.polls &= feature != Features::IOPOLL;
    }

    fn enter(&mut self, want: u32) -> Result<(), Errno> {
        if self.happens(self.faults.refused) {
            return Err(match self.draw() % 3 {
                0 => Errno::INTR,
                1 => Errno::AGAIN,
                _ if self.completed.len() >= CROWDED => Errno::BUSY,
                _ => return Ok(()),
            });
        }
        self.submit();
        if !self.submitted.is_empty() {
            // The kernel does not wait either when it could not take everything.
            return Ok(());
        }
        let more = self.below(self.pending.len() + 1);
        for _ in 0..more {
            self.perform_one();
        }
        while (self.completed.len() as u32) < want && !self.perform_one() {
            // Nothing but the bell is left to wait for.
            for (sqe, _) in &self.pending {
                is_ready(&sqe.op, None);
            }
        }
        Ok(())
    }

    fn ready(&mut self) -> usize {
        self.completed.len()
    }

    fn reap(&mut self, into: &mut Vec<Cqe>, most: usize) {
        into.extend(self.completed.drain(..most.min(self.completed.len())));
    }
}
