//! Buffers that requests read from and write to.

use core::any::Any;
use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use ash::vk;
use ds_engine::DeviceRange;

use super::allocation::Allocation;
use super::registry::Known;
use super::types::Purpose;
use crate::device::Device;
use crate::error::CallError;

/// Device memory that requests read from or write to: ours, or the application's. Cloning it is cheap; it stays there until the
/// last clone and the last request that names it are gone.
///
/// What it holds is nobody's but the application's business: two requests that write the same bytes at once leave some mixture
/// there. A new one holds whatever was there before.
#[derive(Clone)]
pub struct GpuBuffer {
    inner: Arc<Inner>,
}

struct Inner {
    device: Device,
    name: u64,
    known: Known,
    /// Ours, if it is ours.
    _memory: Option<Allocation>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.device.inner.buffers.remove(self.name);
    }
}

impl GpuBuffer {
    /// Allocates `size` bytes of the device's own memory, to be used as a storage, uniform, vertex, index or indirect buffer, by
    /// address, and in copies; by queues of any of the device's families that this crate was given.
    ///
    /// # Errors
    /// What the driver says; see [`CallError::is_out_of_memory`].
    pub fn new(device: &Device, size: u64) -> Result<Self, CallError> {
        let usage = vk::BufferUsageFlags::VERTEX_BUFFER
            | vk::BufferUsageFlags::INDEX_BUFFER
            | vk::BufferUsageFlags::UNIFORM_BUFFER
            | vk::BufferUsageFlags::INDIRECT_BUFFER;
        let memory = Allocation::new(device, size, usage, Purpose::Device)?;
        let known = Known { buffer: memory.buffer, size, address: Some(memory.address), shared: true };
        Ok(Self::register(device, known, Some(memory)))
    }

    /// Names a buffer of the application's; it is not destroyed with this.
    ///
    /// `usage` is what the buffer was made for. Copies to and from it need `TRANSFER_DST` and `TRANSFER_SRC`; with
    /// `SHADER_DEVICE_ADDRESS` shaders write to it directly, without it they write elsewhere and their output is copied.
    ///
    /// # Safety
    /// * The buffer is one of this device, of that size and usage, has memory, and outlives this, its clones and every request
    ///   that names it.
    /// * It is shared with the family of the device's compute queue ([`vk::SharingMode::CONCURRENT`]), or belongs to it while a
    ///   request that names it is in flight.
    pub unsafe fn borrow(
        device: &Device,
        buffer: vk::Buffer,
        size: u64,
        usage: vk::BufferUsageFlags,
    ) -> Self {
        let families = &device.inner.queues;
        let shared = families.transfer.family == families.main().family;
        // SAFETY: the caller's promise is the one asked for, and where there are two families more is not claimed.
        unsafe { Self::borrow_any(device, buffer, size, usage, shared) }
    }

    /// As [`borrow`](Self::borrow), for a buffer that the transfer queue may use as well: copies between it and host memory are made
    /// there, while the other queue computes.
    ///
    /// # Safety
    /// As [`borrow`](Self::borrow), and the buffer is shared ([`vk::SharingMode::CONCURRENT`]) between the families of the device's
    /// two queues, if they are not the same.
    pub unsafe fn borrow_shared(
        device: &Device,
        buffer: vk::Buffer,
        size: u64,
        usage: vk::BufferUsageFlags,
    ) -> Self {
        // SAFETY: the caller vouches for the buffer, and that it is shared.
        unsafe { Self::borrow_any(device, buffer, size, usage, true) }
    }

    /// # Safety
    /// As [`borrow`](Self::borrow), or, if it is shared, as [`borrow_shared`](Self::borrow_shared).
    unsafe fn borrow_any(
        device: &Device,
        buffer: vk::Buffer,
        size: u64,
        usage: vk::BufferUsageFlags,
        shared: bool,
    ) -> Self {
        let address = usage.contains(vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS).then(|| {
            let info = vk::BufferDeviceAddressInfo::default().buffer(buffer);
            // SAFETY: the caller vouches for the buffer, and that it was made to have an address.
            unsafe { device.inner.raw().get_buffer_device_address(&info) }
        });
        Self::register(device, Known { buffer, size, address, shared }, None)
    }

    /// Names memory of the application's by its device address. Shaders of ours do all copies to and from it.
    ///
    /// # Safety
    /// As [`borrow`](Self::borrow), for the buffer that the `size` bytes at this address are part of.
    #[must_use]
    pub unsafe fn from_address(device: &Device, address: u64, size: u64) -> Self {
        let known = Known { buffer: vk::Buffer::null(), size, address: Some(address), shared: false };
        Self::register(device, known, None)
    }

    fn register(device: &Device, known: Known, memory: Option<Allocation>) -> Self {
        let name = device.inner.buffers.add(known);
        Self { inner: Arc::new(Inner { device: device.clone(), name, known, _memory: memory }) }
    }

    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.inner.known.size
    }

    /// Part of it, for a request; [`DeviceRange::from`] makes one of all of it.
    #[must_use]
    pub fn range(&self, range: Range<u64>) -> DeviceRange {
        let len = range.end.saturating_sub(range.start);
        let keeps: Arc<dyn Any + Send + Sync> = Arc::<Inner>::clone(&self.inner);
        DeviceRange::new(self.inner.device.id(), self.inner.name, self.size(), (range.start, len), keeps)
    }

    /// The buffer's handle; null if it was named by its address.
    #[must_use]
    pub fn raw(&self) -> vk::Buffer {
        self.inner.known.buffer
    }

    /// Where it is on the device; `None` for a borrowed one that was made to have no address.
    #[must_use]
    pub fn address(&self) -> Option<u64> {
        self.inner.known.address
    }

    /// The device it belongs to.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// What requests call it.
    #[must_use]
    pub fn name(&self) -> u64 {
        self.inner.name
    }
}

impl From<&GpuBuffer> for DeviceRange {
    fn from(buffer: &GpuBuffer) -> Self {
        buffer.range(0..buffer.size())
    }
}

impl fmt::Debug for GpuBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuBuffer")
            .field("device", &self.inner.device.id())
            .field("size", &self.size())
            .field("raw", &self.raw())
            .finish_non_exhaustive()
    }
}
