//! The layer that all tests rely on to say nothing does speak: of what is left behind, and of what is in no order.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use ash::vk;
use ds_vulkan::{Device, GpuBuffer, Messages};

/// A device that the layer looks at, and its functions; `None`, said aloud, where there is no device or no layer.
fn watched() -> Option<(Device, ash::Device)> {
    let device = match Device::open(&common::options()) {
        Err(ds_vulkan::OpenError::NoValidation) => {
            eprintln!("SKIPPED: the validation layer is not installed");
            return None;
        }
        _ => common::device()?,
    };
    let handles = device.lend();
    // SAFETY: the loader is the one that the device came by.
    let entry = unsafe { ash::Entry::load() }.unwrap();
    // SAFETY: the handle is the device's instance, and both outlive what is made here.
    let instance = unsafe { ash::Instance::load(entry.static_fn(), handles.instance) };
    // SAFETY: as above.
    let raw = unsafe { ash::Device::load(instance.fp_v1_0(), handles.device) };
    Some((device, raw))
}

fn assert_says(messages: &Messages, what: &str) {
    let all = messages.all();
    assert!(all.iter().any(|message| message.contains(what)), "nothing of {what} in {all:#?}");
}

#[test]
fn it_tells_of_what_outlives_its_device() {
    let Some((device, raw)) = watched() else { return };
    let messages = device.messages().clone();
    let create = vk::BufferCreateInfo::default().size(64).usage(vk::BufferUsageFlags::TRANSFER_DST);
    // SAFETY: the structure is complete.
    unsafe { raw.create_buffer(&create, None) }.unwrap();
    assert!(messages.is_empty(), "{:?}", messages.all());
    drop(device);
    assert_says(&messages, "VkBuffer");
}

#[test]
fn it_tells_of_writes_in_no_order() {
    let Some((device, raw)) = watched() else { return };
    let (messages, family) = (device.messages().clone(), device.lend().compute.1);
    let buffer = GpuBuffer::new(&device, 4096).unwrap();
    let create = vk::CommandPoolCreateInfo::default().queue_family_index(family);
    // SAFETY: the structure is complete, and names a family that the device has queues of.
    let pool = unsafe { raw.create_command_pool(&create, None) }.unwrap();
    for ordered in [true, false] {
        let allocate = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
        // SAFETY: the pool is the one just made.
        let commands = unsafe { raw.allocate_command_buffers(&allocate) }.unwrap()[0];
        // SAFETY: the command buffer is new.
        unsafe { raw.begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default()) }.unwrap();
        // SAFETY: it is being recorded, and the buffer is as long.
        unsafe { raw.cmd_fill_buffer(commands, buffer.raw(), 0, 4096, 1) };
        if ordered {
            let writes = vk::AccessFlags::TRANSFER_WRITE;
            let barrier = vk::MemoryBarrier::default().src_access_mask(writes).dst_access_mask(writes);
            let (stage, none) = (vk::PipelineStageFlags::TRANSFER, vk::DependencyFlags::empty());
            // SAFETY: as above.
            unsafe { raw.cmd_pipeline_barrier(commands, stage, stage, none, &[barrier], &[], &[]) };
        }
        // SAFETY: as above. It is never submitted.
        unsafe { raw.cmd_fill_buffer(commands, buffer.raw(), 0, 4096, 2) };
        // SAFETY: it is being recorded.
        unsafe { raw.end_command_buffer(commands) }.unwrap();
        assert_eq!(messages.is_empty(), ordered, "{:?}", messages.all());
    }
    assert_says(&messages, "SYNC-HAZARD-WRITE-AFTER-WRITE");
    // SAFETY: nothing was submitted.
    unsafe { raw.destroy_command_pool(pool, None) };
}
