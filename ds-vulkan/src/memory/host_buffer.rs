//! Host memory that a device copies to and from as it lies.

use core::fmt;
use core::ops::Range;
use std::sync::{Arc, Mutex};

use ash::vk;
use ds_engine::{DeviceRange, HostBytes};

use super::allocation::{Allocation, View};
use super::types::Purpose;
use crate::device::Device;
use crate::error::CallError;

/// Host memory that the device reads and writes where it lies, so that requests from there are not copied by the processor first: pinned
/// by the driver, cached, and seen by the host as any other.
///
/// Requests name it as they name device memory ([`DeviceRange`]); only that processor and device both see it. While a request has it,
/// or a range for one is kept, the program does not: [`bytes`](Self::bytes) gives nothing then.
///
/// ```no_run
/// use ds_vulkan::{Device, DeviceOptions, GpuBuffer, HostBuffer};
///
/// let device = Device::open(&DeviceOptions::default())?;
/// let (mut packed, mesh) = (HostBuffer::new(&device, 1 << 20)?, GpuBuffer::new(&device, 4 << 20)?);
/// if let Some(bytes) = packed.bytes() {
///     bytes.fill(0); // What is to be decoded.
/// }
/// // `Request::from_device(packed.range(0..700_000)).gdeflate(mesh.size()).into_device(&mesh)`
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HostBuffer {
    named: Arc<Named>,
}

/// The memory, for as long as something can name it.
struct Named {
    device: Device,
    name: u64,
    memory: Arc<HostMemory>,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.device.inner.buffers.remove(self.name);
    }
}

/// The memory, and how many may use it beside its owner.
pub(crate) struct HostMemory {
    memory: Allocation,
    users: Mutex<usize>,
}

/// One that may use the memory; its owner does not meanwhile.
pub(crate) struct Hold(Arc<HostMemory>);

impl Drop for Hold {
    fn drop(&mut self) {
        *ds_engine::lock(&self.0.users) -= 1;
    }
}

/// What a range for a request keeps.
struct Lent {
    _hold: Hold,
    _named: Arc<Named>,
}

impl HostMemory {
    /// Number of bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.memory.size
    }

    /// Uses it, as long as somebody whom its owner lent it to does: nobody uses it who was not lent it.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Hold> {
        let mut users = ds_engine::lock(&self.users);
        if *users == 0 {
            return None;
        }
        *users += 1;
        Some(Hold(Arc::clone(self)))
    }
}

impl Hold {
    /// Some of the bytes, for host and device; `None` if they are not all inside. They are good as long as this is there.
    pub(crate) fn part(&self, offset: u64, len: u64) -> Option<(HostBytes, View)> {
        let Allocation { buffer, address, size, mapped, .. } = self.0.memory;
        let start = mapped?;
        // SAFETY: the memory is mapped, as long, and stays while `self` does; the owner neither reads nor writes it meanwhile.
        let all = unsafe { HostBytes::new(start.as_ptr(), usize::try_from(size).ok()?) };
        let view = View { buffer, offset, address: address.checked_add(offset)? };
        Some((all.part(offset, len)?, view))
    }
}

impl HostBuffer {
    /// Allocates `size` bytes. They hold whatever the driver left there.
    ///
    /// # Errors
    /// What the driver says; see [`CallError::is_out_of_memory`]. Memory of this kind is scarcer than the host's at large.
    pub fn new(device: &Device, size: u64) -> Result<Self, CallError> {
        let memory = Allocation::new(device, size, vk::BufferUsageFlags::empty(), Purpose::Readback)?;
        let memory = Arc::new(HostMemory { memory, users: Mutex::new(0) });
        let name = device.inner.buffers.add(Arc::clone(&memory));
        Ok(Self { named: Arc::new(Named { device: device.clone(), name, memory }) })
    }

    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.named.memory.size()
    }

    /// The device that sees it.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.named.device
    }

    /// The bytes. `None` while a [range](Self::range) of them is kept, by a request or otherwise.
    pub fn bytes(&mut self) -> Option<&mut [u8]> {
        let HostMemory { memory, users } = &*self.named.memory;
        if *ds_engine::lock(users) > 0 {
            return None;
        }
        let (start, len) = (memory.mapped?, usize::try_from(memory.size).ok()?);
        // SAFETY: the memory is mapped, as long, and there as long as `self`. Nobody uses it now, and nobody comes to use it while it
        // is borrowed: those who may are counted, only `range` makes the first, and that borrows `self` as well. What fresh
        // mappings hold they do hold.
        Some(unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), len) })
    }

    /// Part of it, for a request; [`DeviceRange::from`] makes one of all of it.
    #[must_use]
    pub fn range(&self, range: Range<u64>) -> DeviceRange {
        let Named { device, name, memory } = &*self.named;
        *ds_engine::lock(&memory.users) += 1;
        let lent = Lent { _hold: Hold(Arc::clone(memory)), _named: Arc::clone(&self.named) };
        let len = range.end.saturating_sub(range.start);
        DeviceRange::new(device.id(), *name, self.size(), (range.start, len), Arc::new(lent))
    }
}

impl From<&HostBuffer> for DeviceRange {
    fn from(buffer: &HostBuffer) -> Self {
        buffer.range(0..buffer.size())
    }
}

impl fmt::Debug for HostBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuffer")
            .field("device", &self.device().id())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
