//! How a job goes to the kernel: straight, by a detour through aligned memory, or not at all.

use core::ptr::NonNull;
use std::os::fd::AsRawFd;

use ds_core::{Done, Fault, LeaseId};
use ds_engine::{Alignment, FileRef, HostBytes, IoOp, StagingError, StagingPool, has_positions};
use rustix::io::Errno;

use crate::ring::{Op, Target};

/// Aligned memory that a job's bytes go through.
#[derive(Debug)]
pub(crate) struct Detour {
    lease: LeaseId,
    /// Bytes read before the first one wanted.
    head: usize,
}

/// What to do with a job.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Submit this.
    Go(Op, Option<Detour>),
    /// Answer this: the kernel need not be asked.
    Answer(Fault),
    /// Try again when another job has given aligned memory back.
    Wait,
}

/// Aligned memory for jobs whose own is not.
#[derive(Debug)]
pub(crate) struct Hangar {
    pool: StagingPool,
}

impl Hangar {
    /// Bytes of aligned memory per ring: enough for a deep queue of small reads or a few large ones. Costs nothing until it is
    /// used.
    const SIZE: usize = 16 << 20;
    /// The most that one job gets. It is answered as a short transfer then, and asked for again from there.
    const SHARE: u64 = 2 << 20;

    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { pool: StagingPool::new(Self::SIZE)? })
    }

    /// Where the aligned memory is, all of it, for the kernel to know.
    pub(crate) const fn mapping(&self) -> NonNull<[u8]> {
        self.pool.mapping()
    }

    /// Decides how a job goes to the kernel.
    pub(crate) fn plan(&mut self, op: &IoOp) -> Plan {
        match *op {
            IoOp::Read { file, offset, into } => self.plan_read(file, offset, into),
            IoOp::Write { file, offset, from } => self.plan_write(file, offset, from),
            IoOp::Sync { file, data_only } => Plan::Go(Op::Sync { file: plain(file), data_only }, None),
        }
    }

    fn plan_read(&mut self, file: FileRef, offset: u64, into: HostBytes) -> Plan {
        if let Some(fault) = refusal(file, offset) {
            return Plan::Answer(fault);
        }
        let (target, alignment) = match straight_read(file, offset, into) {
            Ok(op) => return Plan::Go(op, None),
            Err(unaligned) => unaligned,
        };
        let len = (into.len() as u64).min(Self::SHARE - u64::from(alignment.offset()));
        let Some((start, len)) = alignment.around(offset, len) else {
            return Plan::Answer(Fault::Os(Errno::INVAL.raw_os_error()));
        };
        let head = (offset - start) as usize;
        self.lease(len).map_or_else(
            |refused| refused,
            |(lease, bytes)| {
                Plan::Go(Op::Read { file: target, offset: start, into: bytes }, Some(Detour { lease, head }))
            },
        )
    }

    fn plan_write(&mut self, file: FileRef, offset: u64, from: HostBytes) -> Plan {
        if let Some(fault) = refusal(file, offset) {
            return Plan::Answer(fault);
        }
        let Some((target, alignment)) = direct(file) else {
            return Plan::Go(Op::Write { file: plain(file), offset, from }, None);
        };
        if !alignment.fits_range(offset, from.len() as u64) {
            // To write part of a block is to read, change and write the whole, which others may be writing as well.
            return Plan::Answer(Fault::Unsupported("a write past the page cache of parts of blocks"));
        }
        if alignment.fits_memory(from.as_ptr()) {
            return Plan::Go(Op::Write { file: target, offset, from }, None);
        }
        let len = (from.len() as u64).min(Self::SHARE);
        self.lease(len).map_or_else(
            |refused| refused,
            |(lease, bytes)| {
                copy(from, bytes);
                Plan::Go(Op::Write { file: target, offset, from: bytes }, Some(Detour { lease, head: 0 }))
            },
        )
    }

    /// So much aligned memory, or what to do without.
    fn lease(&mut self, len: u64) -> Result<(LeaseId, HostBytes), Plan> {
        let lease = self.pool.lease(len).map_err(|error| match error {
            StagingError::Busy => Plan::Wait,
            StagingError::TooLarge { .. } => Plan::Answer(Fault::OutOfMemory),
        })?;
        let bytes = self.pool.bytes(lease).and_then(|bytes| bytes.part(0, len));
        Ok((lease, bytes.unwrap_or(HostBytes::EMPTY)))
    }

    /// The outcome of a job for which the kernel moved so many bytes. What went by a detour arrives now.
    pub(crate) fn arrive(&mut self, op: &IoOp, detour: Option<Detour>, moved: u64) -> Done {
        match (op, detour) {
            (IoOp::Sync { .. }, _) => Done::Synced,
            (_, None) => Done::Moved(moved),
            (IoOp::Read { into, .. }, Some(detour)) => {
                // Less than the head comes only where the file ends before what is wanted.
                let wanted = moved.saturating_sub(detour.head as u64).min(into.len() as u64);
                let found = self.pool.bytes(detour.lease);
                let found = found.and_then(|bytes| bytes.part(detour.head as u64, wanted));
                copy(found.unwrap_or(HostBytes::EMPTY), *into);
                self.pool.release(detour.lease);
                Done::Moved(wanted)
            }
            (IoOp::Write { .. }, Some(detour)) => {
                self.pool.release(detour.lease);
                Done::Moved(moved)
            }
        }
    }

    /// Takes back the memory of a job that came to nothing.
    pub(crate) fn abandon(&mut self, detour: Option<Detour>) {
        if let Some(detour) = detour {
            self.pool.release(detour.lease);
        }
    }
}

/// Copies as many bytes as both have, from a job's memory to the hangar's or back.
fn copy(from: HostBytes, into: HostBytes) {
    let len = from.len().min(into.len()) as u64;
    let (Some(from), Some(into)) = (from.part(0, len), into.part(0, len)) else { return };
    // SAFETY: one of the two is a job's that has not been answered, the other is leased to that job, and the kernel does not
    // have them now: nobody writes these.
    let from = unsafe { from.as_slice() };
    // SAFETY: as above: nobody else reads or writes these.
    let into = unsafe { into.as_mut_slice() };
    into.copy_from_slice(from);
}

/// How a read goes to the kernel that needs no detour. Says nothing of whether the kernel will do it.
pub(crate) fn straight(op: &IoOp) -> Option<Op> {
    match *op {
        IoOp::Read { file, offset, into } => straight_read(file, offset, into).ok(),
        IoOp::Write { .. } | IoOp::Sync { .. } => None,
    }
}

/// How a read of what the page cache has goes to the kernel, if it is one that may be there and cannot wait for anything.
pub(crate) fn cached(op: &IoOp) -> Option<Op> {
    match *op {
        IoOp::Read { file, offset, into } if !file.is_direct() && file.is_positional() => {
            let file = plain(file);
            i64::try_from(offset).is_ok().then_some(Op::ReadCached { file, offset, into })
        }
        _ => None,
    }
}

/// As [`straight`]; if it does need a detour, says from where, and what must be aligned how.
fn straight_read(file: FileRef, offset: u64, into: HostBytes) -> Result<Op, (Target, Alignment)> {
    let Some((target, alignment)) = direct(file) else {
        return Ok(Op::Read { file: plain(file), offset, into });
    };
    if alignment.fits_range(offset, into.len() as u64) && alignment.fits_memory(into.as_ptr()) {
        Ok(Op::Read { file: target, offset, into })
    } else {
        Err((target, alignment))
    }
}

/// What the kernel would not refuse, but positional system calls do.
fn refusal(file: FileRef, offset: u64) -> Option<Fault> {
    if offset > i64::MAX as u64 {
        // To a ring -1 means "wherever the file's own position is".
        return Some(Fault::Os(Errno::INVAL.raw_os_error()));
    }
    if file.is_positional() {
        return None;
    }
    // SAFETY: the job has not been answered, so the descriptor is open.
    let fd = unsafe { file.as_fd() };
    // A ring would read a pipe from wherever it is, and wait for it.
    (!has_positions(fd)).then_some(Fault::Os(Errno::SPIPE.raw_os_error()))
}

fn plain(file: FileRef) -> Target {
    // SAFETY: the job has not been answered, so the descriptor is open.
    let fd = unsafe { file.as_fd() }.as_raw_fd();
    Target { fd, known_as: file.known_as(), direct: false }
}

fn direct(file: FileRef) -> Option<(Target, Alignment)> {
    // SAFETY: the job has not been answered, so the descriptor is open.
    let (fd, alignment) = unsafe { file.as_direct_fd() }?;
    // The same file, open for the second time.
    let known_as = file.known_as().map(|number| number | 1 << 63);
    Some((Target { fd: fd.as_raw_fd(), known_as, direct: true }, alignment))
}
