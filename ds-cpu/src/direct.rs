//! Transfers past the page cache, through aligned memory where the caller's is not.

use core::cell::RefCell;
use std::os::fd::BorrowedFd;

use ds_engine::{Alignment, StagingPool};
use rustix::io::Errno;

/// Aligned memory of each thread that needs some. What is longer is transferred in part.
const SCRATCH: usize = 1 << 20;

thread_local! {
    static POOL: RefCell<Option<StagingPool>> = const { RefCell::new(None) };
}

/// Reads at `offset`. Returns how many bytes.
pub(crate) fn read(
    fd: BorrowedFd<'_>,
    alignment: Alignment,
    into: &mut [u8],
    offset: u64,
) -> Result<usize, Errno> {
    if alignment.fits_range(offset, into.len() as u64) && alignment.fits_memory(into.as_ptr()) {
        return rustix::io::pread(fd, into, offset);
    }
    let len = into.len().min(SCRATCH - alignment.offset() as usize) as u64;
    let (start, len) = alignment.around(offset, len).ok_or(Errno::INVAL)?;
    with_scratch(len, |scratch| {
        let moved = rustix::io::pread(fd, &mut *scratch, start)?;
        let found = scratch.get((offset - start) as usize..moved).unwrap_or_default();
        let wanted = found.len().min(into.len());
        into[..wanted].copy_from_slice(&found[..wanted]);
        Ok(wanted)
    })
}

/// Writes whole blocks at `offset`. Returns how many bytes.
pub(crate) fn write(
    fd: BorrowedFd<'_>,
    alignment: Alignment,
    from: &[u8],
    offset: u64,
) -> Result<usize, Errno> {
    if alignment.fits_memory(from.as_ptr()) {
        return rustix::io::pwrite(fd, from, offset);
    }
    let part = &from[..from.len().min(SCRATCH)];
    with_scratch(part.len() as u64, |scratch| {
        scratch.copy_from_slice(part);
        rustix::io::pwrite(fd, &*scratch, offset)
    })
}

/// Lends the thread's aligned memory, so much of it.
fn with_scratch<T>(len: u64, run: impl FnOnce(&mut [u8]) -> Result<T, Errno>) -> Result<T, Errno> {
    POOL.with_borrow_mut(|pool| {
        let pool = match pool {
            Some(pool) => pool,
            None => pool.insert(StagingPool::new(SCRATCH).map_err(|_| Errno::NOMEM)?),
        };
        let lease = pool.lease(len).map_err(|_| Errno::NOMEM)?;
        let bytes = pool.bytes(lease).and_then(|bytes| bytes.part(0, len)).ok_or(Errno::NOMEM)?;
        // SAFETY: the lease is held until after this, and nobody else has it.
        let result = run(unsafe { bytes.as_mut_slice() });
        pool.release(lease);
        result
    })
}
