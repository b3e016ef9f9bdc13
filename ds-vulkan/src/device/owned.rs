//! An instance and a device of our own.

use core::ffi::CStr;

use ash::vk;

use super::info::{DeviceInfo, Supported, inspect};
use super::messages::{Messages, Messenger};
use super::queues::{MOST_COMPUTE, Queue, Queues, families};
use super::{DeviceOptions, Owned, Parts};
use crate::error::{CallError, OpenError};

const LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// An instance, destroyed when dropped unless [taken](Self::take).
struct Fresh {
    entry: ash::Entry,
    instance: Option<ash::Instance>,
}

impl Fresh {
    fn new(validation: bool) -> Result<Self, OpenError> {
        // SAFETY: loading the loader runs its initialisers, and later drivers: code that the system's owner has installed.
        let entry = unsafe { ash::Entry::load() };
        let entry = entry.map_err(|error| OpenError::NoLoader(error.to_string()))?;
        if validation {
            // SAFETY: the entry was loaded.
            let layers = unsafe { entry.enumerate_instance_layer_properties() };
            let layers = layers.map_err(CallError::of("listing layers"))?;
            if !layers.iter().any(|layer| layer.layer_name_as_c_str() == Ok(LAYER)) {
                return Err(OpenError::NoValidation);
            }
        }
        let application =
            vk::ApplicationInfo::default().engine_name(c"ds-runtime").api_version(vk::API_VERSION_1_3);
        let layers = [LAYER.as_ptr()];
        let extensions = [ash::ext::debug_utils::NAME.as_ptr(), ash::ext::validation_features::NAME.as_ptr()];
        let enabled = [vk::ValidationFeatureEnableEXT::SYNCHRONIZATION_VALIDATION];
        let mut features = vk::ValidationFeaturesEXT::default().enabled_validation_features(&enabled);
        let mut create = vk::InstanceCreateInfo::default().application_info(&application);
        if validation {
            create = create
                .enabled_layer_names(&layers)
                .enabled_extension_names(&extensions)
                .push_next(&mut features);
        }
        // SAFETY: the structures name what exists; the instance is destroyed before the entry goes.
        let instance = unsafe { entry.create_instance(&create, None) };
        let instance = instance.map_err(|result| match result {
            // What the loader says where there is no driver at all.
            vk::Result::ERROR_INCOMPATIBLE_DRIVER => OpenError::NoDevice,
            result => CallError { what: "making an instance", result }.into(),
        })?;
        Ok(Self { entry, instance: Some(instance) })
    }

    fn instance(&self) -> &ash::Instance {
        self.instance.as_ref().expect("it is taken last")
    }

    fn take(mut self) -> (ash::Entry, ash::Instance) {
        (self.entry.clone(), self.instance.take().expect("it is taken once"))
    }

    fn devices(&self) -> Result<(Vec<vk::PhysicalDevice>, Vec<DeviceInfo>), OpenError> {
        // SAFETY: the instance is alive.
        let handles = unsafe { self.instance().enumerate_physical_devices() };
        let handles = handles.map_err(CallError::of("listing devices"))?;
        if handles.is_empty() {
            return Err(OpenError::NoDevice);
        }
        let inspect = |(index, &physical)| {
            let mut info = inspect(self.instance(), physical, index)?;
            if families(self.instance(), physical).compute.is_none() {
                info.lacks.push("a queue that computes");
            }
            Ok(info)
        };
        let infos: Result<_, CallError> = handles.iter().enumerate().map(inspect).collect();
        Ok((handles, infos?))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            // SAFETY: nothing was made of it that is still there.
            unsafe { instance.destroy_instance(None) };
        }
    }
}

pub(super) fn list() -> Result<Vec<DeviceInfo>, OpenError> {
    Ok(Fresh::new(false)?.devices()?.1)
}

pub(super) fn open(options: &DeviceOptions) -> Result<Parts, OpenError> {
    let fresh = Fresh::new(options.validation)?;
    let (handles, infos) = fresh.devices()?;
    let info = choose(options, &infos)?.clone();
    let physical = handles[info.index];
    let families = families(fresh.instance(), physical);
    let compute = families.compute.ok_or(OpenError::NoDevice)?;
    let most = options.compute_queues.map_or(1, |most| most.get().min(MOST_COMPUTE));
    let count = families.compute_count.min(most as u32);
    let decompression = options.driver_decompression;
    let wanted = [Some((compute, count)), families.transfer.map(|family| (family, 1))];
    let raw = create(fresh.instance(), physical, &info, decompression, wanted)?;
    let queue = |family, number| {
        // SAFETY: the device was made with as many queues of these families.
        Queue::own(unsafe { raw.get_device_queue(family, number) }, family)
    };
    let compute: Vec<_> = (0..count).map(|number| queue(compute, number)).collect();
    let transfer = families.transfer.map_or_else(|| compute[0].clone(), |family| queue(family, 0));
    let messages = Messages::default();
    let messenger = match options.validation {
        true => Some(Messenger::new(&fresh.entry, fresh.instance(), &messages)),
        false => None,
    };
    let messenger = messenger.transpose().inspect_err(|_| {
        // SAFETY: made above, and nothing was made of it.
        unsafe { raw.destroy_device(None) };
    })?;
    let core_sync2 = info.api >= (1, 3, 0);
    let (entry, instance) = fresh.take();
    Ok(Parts {
        entry,
        instance,
        physical,
        raw,
        info,
        queues: Queues { compute, transfer },
        core_sync2,
        decompression,
        owned: Some(Owned { messenger }),
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
