//! An application with a Vulkan device of its own lends it: its handles, its queue's lock, a buffer.
//!
//! Run with `cargo run -p ds-runtime --features vulkan --example borrowed_device`.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use ds_runtime::vulkan::{BorrowedDevice, Device, GpuBuffer, PipelineCache, QueueLock, vk};
use ds_runtime::{CodecKind, QueueOptions, Request, Runtime};

/// What an application's renderer has.
struct Renderer {
    _entry: ash::Entry,
    instance: ash::Instance,
    physical: vk::PhysicalDevice,
    device: ash::Device,
    family: u32,
    queue: vk::Queue,
    queue_lock: Arc<Lock>,
    buffer: vk::Buffer,
    memory: vk::DeviceMemory,
}

/// The lock that the renderer takes for its own submissions, too.
#[derive(Default)]
struct Lock(Mutex<()>);

impl QueueLock for Lock {
    fn with_queue(&self, _queue: vk::Queue, submit: &mut dyn FnMut()) {
        let _held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        submit();
    }
}

const SIZE: u64 = 1 << 20;
const USAGE: vk::BufferUsageFlags = vk::BufferUsageFlags::from_raw(
    vk::BufferUsageFlags::STORAGE_BUFFER.as_raw()
        | vk::BufferUsageFlags::TRANSFER_SRC.as_raw()
        | vk::BufferUsageFlags::TRANSFER_DST.as_raw()
        | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS.as_raw(),
);

impl Renderer {
    /// Makes a device as a renderer would, with what streaming asks for switched on.
    fn new() -> Result<Option<Self>, Box<dyn Error>> {
        // SAFETY: the loader and the drivers are those that the system's owner has installed.
        let Ok(entry) = (unsafe { ash::Entry::load() }) else { return Ok(None) };
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the structure is complete.
        let Ok(instance) = (unsafe { entry.create_instance(&create, None) }) else { return Ok(None) };
        // SAFETY: the instance is alive.
        let Some(&physical) = unsafe { instance.enumerate_physical_devices() }?.first() else {
            return Ok(None);
        };
        // SAFETY: as above.
        let families = unsafe { instance.get_physical_device_queue_family_properties(physical) };
        let computes =
            |family: &vk::QueueFamilyProperties| family.queue_flags.contains(vk::QueueFlags::COMPUTE);
        let family = families.iter().position(computes).ok_or("no queue computes")? as u32;

        let mut v11 = vk::PhysicalDeviceVulkan11Features::default().storage_buffer16_bit_access(true);
        let mut v12 = vk::PhysicalDeviceVulkan12Features::default()
            .buffer_device_address(true)
            .timeline_semaphore(true)
            .shader_int8(true)
            .storage_buffer8_bit_access(true);
        let mut v13 = vk::PhysicalDeviceVulkan13Features::default().synchronization2(true);
        let core = vk::PhysicalDeviceFeatures::default().shader_int64(true).shader_int16(true);
        let priorities = [1.0];
        let queues =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&priorities)];
        let create = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_features(&core)
            .push_next(&mut v11)
            .push_next(&mut v12)
            .push_next(&mut v13);
        // SAFETY: the structure is complete; a device that lacks any of this refuses.
        let device = unsafe { instance.create_device(physical, &create, None) }?;
        // SAFETY: the device was made with a queue of this family.
        let queue = unsafe { device.get_device_queue(family, 0) };

        let create = vk::BufferCreateInfo::default().size(SIZE).usage(USAGE);
        // SAFETY: the structure is complete.
        let buffer = unsafe { device.create_buffer(&create, None) }?;
        // SAFETY: the buffer is the one just made.
        let needs = unsafe { device.get_buffer_memory_requirements(buffer) };
        let mut flags = vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
        let allocate = vk::MemoryAllocateInfo::default()
            .allocation_size(needs.size)
            .memory_type_index(needs.memory_type_bits.trailing_zeros())
            .push_next(&mut flags);
        // SAFETY: the structure is complete, and names a kind of memory that the buffer may have.
        let memory = unsafe { device.allocate_memory(&allocate, None) }?;
        // SAFETY: both are new, and fit.
        unsafe { device.bind_buffer_memory(buffer, memory, 0) }?;
        let queue_lock = Arc::default();
        Ok(Some(Self {
            _entry: entry,
            instance,
            physical,
            device,
            family,
            queue,
            queue_lock,
            buffer,
            memory,
        }))
    }

    /// The handles, lent.
    fn lend(&self) -> BorrowedDevice {
        let (instance, device) = (self.instance.handle(), self.device.handle());
        let compute = (self.queue, self.family);
        BorrowedDevice::new(instance, self.physical, device, vk::API_VERSION_1_3, compute)
            .queue_lock(Arc::clone(&self.queue_lock) as Arc<dyn QueueLock>)
            .pipeline_cache(PipelineCache::Off)
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        // SAFETY: whoever borrowed the device is gone, and nothing is in flight.
        unsafe { self.device.destroy_buffer(self.buffer, None) };
        // SAFETY: as above.
        unsafe { self.device.free_memory(self.memory, None) };
        // SAFETY: as above.
        unsafe { self.device.destroy_device(None) };
        // SAFETY: the device was all that was made of it.
        unsafe { self.instance.destroy_instance(None) };
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(renderer) = Renderer::new()? else {
        println!("SKIPPED: there is no Vulkan here");
        return Ok(());
    };
    let texture = b"texels ".repeat(5000);
    {
        // SAFETY: the handles are the renderer's, which outlives this block and everything made in it; it made the device with
        // what is required, and submits with this lock held.
        let device = unsafe { Device::borrow(renderer.lend()) }?;
        // SAFETY: as above; the buffer has memory, and its device has but one family.
        let buffer = unsafe { GpuBuffer::borrow(&device, renderer.buffer, SIZE, USAGE) };
        let runtime = Runtime::builder().codec(CodecKind::Vulkan).vulkan(&device).build()?;
        let queue = runtime.queue(QueueOptions::default())?;
        let packed =
            ds_gdeflate::compress(&texture, ds_gdeflate::Level::DEFAULT, ds_gdeflate::CodecId::default())?;
        let range = || buffer.range(4096..4096 + texture.len() as u64);
        let request = Request::from_memory(packed).gdeflate(texture.len() as u64).into_device(range());
        let done = queue.enqueue(request)?.wait().check()?;
        println!("{} bytes in the application's buffer, by {}", done.bytes.delivered, done.path);
        let back = queue.enqueue(Request::from_device(range()))?.wait().check()?;
        assert_eq!(back.buffer, texture);
    }
    // The renderer goes on with its device, and destroys it.
    Ok(())
}
