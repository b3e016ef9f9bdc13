//! The runtime's staging memory, seen by the device where it lies.

use core::ptr::NonNull;

use ds_engine::HostBytes;

use super::allocation::{Allocation, View};
use crate::device::Device;

/// Host memory that the device reads and writes without a copy.
pub(crate) struct Import {
    memory: Allocation,
    host: usize,
}

impl Import {
    /// Imports memory, if the device can and the memory is aligned as it asks.
    ///
    /// # Safety
    /// The memory stays mapped where it is until this is dropped.
    pub(crate) unsafe fn new(device: &Device, host: NonNull<[u8]>) -> Option<Self> {
        let functions = device.inner.host_import.as_ref()?;
        let alignment = usize::try_from(device.inner.info.features.host_import?).ok()?;
        let start = host.addr().get();
        if host.is_empty() || !start.is_multiple_of(alignment) || !host.len().is_multiple_of(alignment) {
            return None;
        }
        // SAFETY: the caller vouches for the memory.
        match unsafe { Allocation::import(device, functions, host) } {
            Ok(memory) => Some(Self { memory, host: start }),
            Err(error) => {
                // Slower, and just as right: the bytes are copied first.
                log::debug!("staging memory is not imported: {error}");
                None
            }
        }
    }

    /// Where the device finds these bytes: in which buffer, at which offset, and at which address. `None` if they are not part of
    /// the import.
    pub(crate) fn find(&self, bytes: HostBytes) -> Option<View> {
        let start = bytes.as_ptr().addr().checked_sub(self.host)? as u64;
        let end = start.checked_add(bytes.len() as u64)?;
        let Allocation { buffer, address, size, .. } = self.memory;
        (end <= size).then(|| View { buffer, offset: start, address: address + start })
    }
}
