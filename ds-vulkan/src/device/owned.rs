//! A device of our own.

use core::num::NonZeroUsize;

use ash::vk;

use super::exits;
use super::info::{DeviceInfo, Supported};
use super::instance::Instance;
use super::messages::{Messages, Messenger};
use super::queues::{COMPUTE, MOST_COMPUTE, Queue, Queues, families};
use super::{DeviceOptions, Owned, Parts};
use crate::error::{CallError, OpenError};

pub(super) fn list() -> Result<Vec<DeviceInfo>, OpenError> {
    Ok(Instance::new(false)?.devices()?.1)
}

pub(super) fn open(options: &DeviceOptions) -> Result<Parts, OpenError> {
    let instance = Instance::new(options.validation)?;
    let (handles, infos) = instance.devices()?;
    let info = choose(options, &infos)?.clone();
    let physical = handles[info.index];
    let families = families(&instance.raw, physical);
    let compute = families.compute.ok_or(OpenError::NoDevice)?;
    // Without a queue for transfers the first one that computes has the uploads, and a second would wait for these.
    let usual = if families.transfer.is_some() { COMPUTE } else { 1 };
    let most = options.compute_queues.map_or(usual, NonZeroUsize::get).min(MOST_COMPUTE);
    let count = families.compute_count.min(most as u32);
    let decompression = options.driver_decompression;
    let wanted = [Some((compute, count)), families.transfer.map(|family| (family, 1))];
    let raw = create(&instance.raw, physical, &info, decompression, wanted)?;
    let queue = |family, number| {
        // SAFETY: the device was made with as many queues of these families.
        Queue::own(unsafe { raw.get_device_queue(family, number) }, family)
    };
    let compute: Vec<_> = (0..count).map(|number| queue(compute, number)).collect();
    let transfer = families.transfer.map_or_else(|| compute[0].clone(), |family| queue(family, 0));
    let messages = Messages::default();
    let messenger = match options.validation {
        true => Some(Messenger::new(&instance.entry, &instance.raw, &messages)),
        false => None,
    };
    let messenger = messenger.transpose().inspect_err(|_| {
        // SAFETY: made above, and nothing was made of it.
        exits::while_none_ends(|| unsafe { raw.destroy_device(None) });
    })?;
    let core_sync2 = info.api >= (1, 3, 0);
    Ok(Parts {
        entry: instance.entry.clone(),
        instance: instance.raw.clone(),
        physical,
        raw,
        info,
        queues: Queues { compute, transfer },
        core_sync2,
        decompression,
        owned: Some(Owned { messenger, instance }),
        messages,
        cache: options.cache.clone(),
    })
}

fn choose<'a>(options: &DeviceOptions, infos: &'a [DeviceInfo]) -> Result<&'a DeviceInfo, OpenError> {
    let found = || infos.iter().map(|info| info.name.clone()).collect();
    let choice = &options.choice;
    let info = choice
        .choose(infos)
        .ok_or_else(|| OpenError::NoSuchDevice { wanted: choice.to_string(), found: found() })?;
    let mut lacks = info.lacks.clone();
    if options.driver_decompression && !info.features.nv_memory_decompression {
        lacks.push("VK_NV_memory_decompression of GDeflate");
    }
    if lacks.is_empty() { Ok(info) } else { Err(OpenError::Unsuitable { device: info.name.clone(), lacks }) }
}

/// A device with so many queues of these families, and every feature that shaders of ours, or of the application's, may make use of.
fn create(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
    info: &DeviceInfo,
    decompression: bool,
    queues: [Option<(u32, u32)>; 2],
) -> Result<ash::Device, CallError> {
    let features = info.features;
    let is_1_3 = info.api >= (1, 3, 0);
    let flag = |on: bool| if on { vk::TRUE } else { vk::FALSE };
    let mut enabled = Supported::default();
    enabled.v11.storage_buffer16_bit_access = vk::TRUE;
    enabled.v12.buffer_device_address = vk::TRUE;
    enabled.v12.timeline_semaphore = vk::TRUE;
    enabled.v12.shader_int8 = vk::TRUE;
    enabled.v12.storage_buffer8_bit_access = vk::TRUE;
    enabled.v12.scalar_block_layout = flag(features.scalar_layout);
    enabled.v12.vulkan_memory_model = flag(features.memory_model);
    enabled.v12.vulkan_memory_model_device_scope = flag(features.memory_model);
    enabled.subgroup.subgroup_size_control = flag(features.subgroup_size_control);
    enabled.subgroup.compute_full_subgroups = flag(features.subgroup_size_control);
    enabled.sync2.synchronization2 = vk::TRUE;
    enabled.decompression.memory_decompression = flag(decompression);
    let mut chain = enabled.chain(features.subgroup_size_control, true, decompression);
    chain.features.shader_int64 = vk::TRUE;
    chain.features.shader_int16 = vk::TRUE;

    let mut extensions = Vec::new();
    if !is_1_3 {
        extensions.push(ash::khr::synchronization2::NAME.as_ptr());
        if features.subgroup_size_control {
            extensions.push(ash::ext::subgroup_size_control::NAME.as_ptr());
        }
    }
    if features.host_import.is_some() {
        extensions.push(ash::ext::external_memory_host::NAME.as_ptr());
    }
    if decompression {
        extensions.push(ash::nv::memory_decompression::NAME.as_ptr());
    }
    let priorities = [1.0; MOST_COMPUTE];
    let queues = queues.into_iter().flatten().map(|(family, count)| {
        let priorities = &priorities[..count as usize];
        vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(priorities)
    });
    let queues: Vec<_> = queues.collect();
    let create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .push_next(&mut chain);
    // SAFETY: the device was asked for everything that is switched on here; it is destroyed before the instance.
    let raw = unsafe { instance.create_device(physical, &create, None) };
    raw.map_err(CallError::of("making a device"))
}
