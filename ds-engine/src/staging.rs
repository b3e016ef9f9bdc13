//! A bounded pool of page-aligned memory, leased to requests.

use core::ptr::NonNull;
use std::fmt;

use ds_core::LeaseId;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::memory::HostBytes;
use crate::ranges::Ranges;

/// Leases start at multiples of this: a page, and what direct I/O and device import ask for at most.
const ALIGN: usize = 4096;

/// Why there is no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagingError {
    /// More than the whole pool.
    TooLarge {
        /// Bytes asked for.
        requested: u64,
        /// Bytes there are.
        size: usize,
    },
    /// Not now: other leases hold too much, or lie in the way. Try again after a release.
    Busy,
}

impl fmt::Display for StagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { requested, size } => {
                write!(f, "{requested} bytes of staging memory requested, the pool has {size}")
            }
            Self::Busy => f.write_str("staging memory is in use"),
        }
    }
}

impl core::error::Error for StagingError {}

#[derive(Clone, Copy, Debug)]
struct Lease {
    generation: u32,
    /// Its place and length in the pool, while it is held.
    range: Option<(usize, usize)>,
}

/// A bounded pool of host memory. One anonymous mapping, made once; pages cost nothing until first touched. First fit; when
/// every lease is back the pool is one piece again, so a lease that fits the pool at all always succeeds in the end.
#[derive(Debug)]
pub struct StagingPool {
    base: NonNull<u8>,
    size: usize,
    free: Ranges,
    leases: Vec<Lease>,
    vacant: Vec<u32>,
    used: usize,
    peak: usize,
    /// Whether a lease was refused since the last release.
    refused: bool,
}

// SAFETY: the pool owns its mapping; nothing about it is tied to a thread.
unsafe impl Send for StagingPool {}

impl StagingPool {
    /// A pool of at least `size` bytes, rounded up to whole pages; 0 makes a pool that refuses every lease.
    ///
    /// # Errors
    /// What the kernel says to the mapping, `ENOMEM` above all.
    pub fn new(size: usize) -> std::io::Result<Self> {
        let size = size
            .checked_next_multiple_of(ALIGN)
            .filter(|&size| isize::try_from(size).is_ok())
            .ok_or(std::io::ErrorKind::OutOfMemory)?;
        let base = if size == 0 {
            NonNull::dangling()
        } else {
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
            // SAFETY: a new private mapping at an address of the kernel's choice disturbs no other memory.
            let start = unsafe {
                mmap_anonymous(core::ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags)
            }?;
            // Fewer page faults where the kernel grants it; all is as well where it does not.
            // SAFETY: advice on the mapping just made, and none that changes its content.
            let _ = unsafe { madvise(start, size, Advice::LinuxHugepage) };
            NonNull::new(start.cast()).ok_or(std::io::ErrorKind::OutOfMemory)?
        };
        Ok(Self {
            base,
            size,
            free: Ranges::new(size),
            leases: Vec::new(),
            vacant: Vec::new(),
            used: 0,
            peak: 0,
            refused: false,
        })
    }

    /// Bytes there are.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Bytes leased now.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// The most bytes leased at once so far.
    #[must_use]
    pub const fn peak(&self) -> usize {
        self.peak
    }

    /// Where the pool's memory is, all of it: for engines that register it before they use it. It stays there as long as the
    /// pool lives. This lends no byte; [`bytes`](Self::bytes) does.
    #[must_use]
    pub const fn mapping(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base, self.size)
    }

    /// Leases `len` bytes, starting at a page border.
    ///
    /// # Errors
    /// [`StagingError::TooLarge`] for ever, [`StagingError::Busy`] for now.
    pub fn lease(&mut self, len: u64) -> Result<LeaseId, StagingError> {
        let wanted = usize::try_from(len)
            .ok()
            .map(|len| len.max(1))
            .and_then(|len| len.checked_next_multiple_of(ALIGN))
            .filter(|&wanted| wanted <= self.size)
            .ok_or(StagingError::TooLarge { requested: len, size: self.size })?;
        let Some(start) = self.free.take(wanted) else {
            self.refused = true;
            return Err(StagingError::Busy);
        };
        self.used += wanted;
        self.peak = self.peak.max(self.used);
        let range = Some((start, wanted));
        let index = if let Some(index) = self.vacant.pop() {
            self.leases[index as usize].range = range;
            index
        } else {
            self.leases.push(Lease { generation: 1, range });
            self.leases.len() as u32 - 1
        };
        Ok(LeaseId(u64::from(self.leases[index as usize].generation) << 32 | u64::from(index)))
    }

    /// The memory of a lease, zeroed or left by whoever had it before. `None` if the lease is not held.
    ///
    /// The caller owns the bytes until [`release`](Self::release).
    #[must_use]
    pub fn bytes(&self, lease: LeaseId) -> Option<HostBytes> {
        let (start, len) = self.find(lease)?;
        // SAFETY: the range lies in the mapping, which is initialised (anonymous pages are zero) and outlives the lease;
        // leases do not overlap, so the holder of this one is alone with it.
        let start = unsafe { self.base.as_ptr().add(start) };
        // SAFETY: as above.
        Some(unsafe { HostBytes::new(start, len) })
    }

    /// Takes a lease back. Returns whether anyone was refused since the last release and may want to try again.
    pub fn release(&mut self, lease: LeaseId) -> bool {
        let Some((start, len)) = self.find(lease) else { return false };
        let index = lease.0 as u32;
        let entry = &mut self.leases[index as usize];
        entry.range = None;
        entry.generation = entry.generation.checked_add(1).unwrap_or(1);
        self.vacant.push(index);
        self.used -= len;
        self.free.give_back(start, len);
        core::mem::take(&mut self.refused)
    }

    fn find(&self, lease: LeaseId) -> Option<(usize, usize)> {
        let entry = self.leases.get(lease.0 as u32 as usize)?;
        if u64::from(entry.generation) == lease.0 >> 32 { entry.range } else { None }
    }
}

impl Drop for StagingPool {
    fn drop(&mut self) {
        if self.size > 0 {
            // SAFETY: the mapping is the pool's own, and with the pool go all leases: its owner drops it only after every
            // job has been answered. A failure to unmap would leak, and there is nothing else to do about it.
            let _ = unsafe { munmap(self.base.as_ptr().cast(), self.size) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_aligned_disjoint_and_come_back() {
        let mut pool = StagingPool::new(40 << 10).unwrap();
        let sizes = [1, 4096, 8192, 5000, 10_000];
        let leases = sizes.map(|len| pool.lease(len).unwrap());
        assert_eq!(pool.used(), 36 << 10);
        for (n, &lease) in leases.iter().enumerate() {
            let bytes = pool.bytes(lease).unwrap();
            assert_eq!(bytes.as_ptr() as usize % ALIGN, 0);
            let start = bytes.as_ptr().addr() - pool.mapping().addr().get();
            assert!(start + bytes.len() <= pool.mapping().len());
            assert!(bytes.len() as u64 >= sizes[n]);
            // SAFETY: the lease is held and nobody else uses it.
            unsafe { bytes.as_mut_slice() }.fill(n as u8);
        }
        for (n, &lease) in leases.iter().enumerate() {
            // SAFETY: the lease is held and nobody else uses it.
            assert!(unsafe { pool.bytes(lease).unwrap().as_slice() }.iter().all(|&b| b == n as u8));
        }
        assert_eq!(pool.lease(8192), Err(StagingError::Busy));
        assert_eq!(pool.lease(40_961), Err(StagingError::TooLarge { requested: 40_961, size: 40 << 10 }));
        for lease in [leases[1], leases[3], leases[2], leases[0], leases[4]] {
            pool.release(lease);
            assert!(pool.bytes(lease).is_none());
        }
        assert_eq!((pool.used(), pool.free.pieces(), pool.peak()), (0, 1, 36 << 10));
        assert!(pool.lease(40 << 10).is_ok());
    }

    #[test]
    fn a_release_says_whether_someone_was_refused() {
        let mut pool = StagingPool::new(4096).unwrap();
        let lease = pool.lease(10).unwrap();
        assert_eq!(pool.lease(10), Err(StagingError::Busy));
        assert!(pool.release(lease));
        assert!(!pool.release(lease), "a stale lease is nothing");
        let lease = pool.lease(10).unwrap();
        assert!(!pool.release(lease));
    }

    #[test]
    fn an_empty_pool_and_an_impossible_one() {
        let mut pool = StagingPool::new(0).unwrap();
        assert_eq!(pool.lease(1), Err(StagingError::TooLarge { requested: 1, size: 0 }));
        assert!(StagingPool::new(usize::MAX).is_err());
        assert!(StagingPool::new(usize::MAX - 8191).is_err());
    }
}
