//! One buffer with memory of its own.

use core::ptr::NonNull;

use ash::vk;

use super::types::Purpose;
use crate::device::Device;
use crate::error::CallError;

/// A buffer, the memory behind it, its address on the device, and on the host if that can see it. Freed when dropped: whoever
/// drops it knows that the device is through with it.
pub(crate) struct Allocation {
    device: Device,
    pub(crate) buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    pub(crate) size: u64,
    pub(crate) address: u64,
    /// Where the host sees it, all of it.
    pub(crate) mapped: Option<NonNull<u8>>,
}

/// Where a device finds some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) buffer: vk::Buffer,
    pub(crate) offset: u64,
    pub(crate) address: u64,
}

impl View {
    /// What lies `bytes` behind it.
    pub(crate) const fn from(self, bytes: u64) -> Self {
        Self { buffer: self.buffer, offset: self.offset + bytes, address: self.address + bytes }
    }
}

// SAFETY: handles and addresses; the memory they name goes with this object, and nothing about it is tied to a thread.
unsafe impl Send for Allocation {}
// SAFETY: as above; nothing here writes through the pointer.
unsafe impl Sync for Allocation {}

/// What our own buffers may be used for.
const USAGE: vk::BufferUsageFlags = vk::BufferUsageFlags::from_raw(
    vk::BufferUsageFlags::STORAGE_BUFFER.as_raw()
        | vk::BufferUsageFlags::TRANSFER_SRC.as_raw()
        | vk::BufferUsageFlags::TRANSFER_DST.as_raw()
        | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS.as_raw(),
);

impl Allocation {
    /// `size` bytes, 1 at least.
    pub(crate) fn new(
        device: &Device,
        size: u64,
        usage: vk::BufferUsageFlags,
        purpose: Purpose,
    ) -> Result<Self, CallError> {
        let mut made = Self::buffer_only(device, size, usage, false)?;
        let raw = device.inner.raw();
        // SAFETY: the buffer is the one just made.
        let needs = unsafe { raw.get_buffer_memory_requirements(made.buffer) };
        let kind = made.kind(needs.memory_type_bits, purpose)?;
        let mut flags = vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
        let allocate = vk::MemoryAllocateInfo::default()
            .allocation_size(needs.size)
            .memory_type_index(kind)
            .push_next(&mut flags);
        made.bind(&allocate)?;
        if purpose != Purpose::Device {
            // SAFETY: the memory is of a kind that the host can see, and is not mapped yet.
            let mapped =
                unsafe { raw.map_memory(made.memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty()) };
            made.mapped = NonNull::new(mapped.map_err(CallError::of("mapping memory"))?.cast());
        }
        Ok(made)
    }

    /// The device's view of host memory.
    ///
    /// # Safety
    /// The memory stays mapped where it is until this is dropped.
    pub(crate) unsafe fn import(
        device: &Device,
        functions: &ash::ext::external_memory_host::Device,
        host: NonNull<[u8]>,
    ) -> Result<Self, CallError> {
        let mut made = Self::buffer_only(device, host.len() as u64, vk::BufferUsageFlags::empty(), true)?;
        let raw = device.inner.raw();
        let start = host.cast().as_ptr();
        let mut properties = vk::MemoryHostPointerPropertiesEXT::default();
        // SAFETY: the extension is on, and the address is that of memory which is there.
        let asked = unsafe {
            (functions.fp().get_memory_host_pointer_properties_ext)(
                raw.handle(),
                HOST_MEMORY,
                start,
                &mut properties,
            )
        };
        asked.result().map_err(CallError::of("asking about host memory"))?;
        // SAFETY: the buffer is the one just made.
        let needs = unsafe { raw.get_buffer_memory_requirements(made.buffer) };
        let kind = made.kind(needs.memory_type_bits & properties.memory_type_bits, Purpose::Upload)?;
        let mut flags = vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
        let mut import =
            vk::ImportMemoryHostPointerInfoEXT::default().handle_type(HOST_MEMORY).host_pointer(start);
        let allocate = vk::MemoryAllocateInfo::default()
            .allocation_size(host.len() as u64)
            .memory_type_index(kind)
            .push_next(&mut flags)
            .push_next(&mut import);
        made.bind(&allocate)?;
        Ok(made)
    }

    fn buffer_only(
        device: &Device,
        size: u64,
        usage: vk::BufferUsageFlags,
        imported: bool,
    ) -> Result<Self, CallError> {
        let families = device.inner.queues.families();
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(HOST_MEMORY);
        let mut create = vk::BufferCreateInfo::default().size(size.max(1)).usage(USAGE | usage);
        if families.len() > 1 {
            create = create.sharing_mode(vk::SharingMode::CONCURRENT).queue_family_indices(&families);
        }
        if imported {
            create = create.push_next(&mut external);
        }
        // SAFETY: the structure is complete, and names families and extensions that the device was made with.
        let buffer = unsafe { device.inner.raw().create_buffer(&create, None) };
        Ok(Self {
            device: device.clone(),
            buffer: buffer.map_err(CallError::of("making a buffer"))?,
            memory: vk::DeviceMemory::null(),
            size,
            address: 0,
            mapped: None,
        })
    }

    fn kind(&self, allowed: u32, purpose: Purpose) -> Result<u32, CallError> {
        let found = self.device.inner.memory.find(allowed, purpose);
        let none = vk::Result::ERROR_FEATURE_NOT_PRESENT;
        found.ok_or(none).map_err(CallError::of("finding memory for a buffer"))
    }

    fn bind(&mut self, allocate: &vk::MemoryAllocateInfo<'_>) -> Result<(), CallError> {
        let raw = self.device.inner.raw();
        // SAFETY: the structure is complete; what is imported is the caller's promise.
        let memory = unsafe { raw.allocate_memory(allocate, None) };
        self.memory = memory.map_err(CallError::of("allocating memory"))?;
        // SAFETY: both are new, and the memory is as large as the buffer asked for.
        let bound = unsafe { raw.bind_buffer_memory(self.buffer, self.memory, 0) };
        bound.map_err(CallError::of("binding memory"))?;
        let info = vk::BufferDeviceAddressInfo::default().buffer(self.buffer);
        // SAFETY: the buffer has memory, and a usage that gives it an address.
        self.address = unsafe { raw.get_buffer_device_address(&info) };
        Ok(())
    }
}

const HOST_MEMORY: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;

impl Drop for Allocation {
    fn drop(&mut self) {
        let raw = self.device.inner.raw();
        // SAFETY: it is ours, and the device is through with it: see the type.
        unsafe { raw.destroy_buffer(self.buffer, None) };
        // SAFETY: nothing is bound to it any more; null is allowed, and memory that is mapped is unmapped with this.
        unsafe { raw.free_memory(self.memory, None) };
    }
}
