//! Compute pipelines: made of our shaders, or of the application's, when first used; kept until the device goes.
//!
//! All have one layout: no descriptors, for shaders reach memory by address, and 128 bytes of push constants, as many as every
//! device has.
//!
//! 1. `shader`: code, and what is known of it; `shaders`: ours, written by `cargo xtask shaders`;
//! 2. `constants`: push constants, checked against the shaders when this crate is compiled;
//! 3. `store`: compiled pipelines on disk, for the next run.

pub(crate) mod constants;
pub(crate) mod shader;
pub(crate) mod shaders;
mod store;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ash::vk;

use self::shader::{Code, ShaderId};
use self::store::Store;
use crate::device::PipelineCache;
use crate::error::CallError;

/// Bytes of push constants that every device has.
pub(crate) const PUSH_CONSTANTS: u32 = 128;

/// A pipeline, by what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    shader: ShaderId,
    /// Specialisation constants: number 0, number 1, and so on.
    constants: Vec<u32>,
    /// The size of subgroups it insists on.
    subgroup: Option<u32>,
}

/// The pipelines of a device.
#[derive(Default)]
pub(crate) struct Pipelines {
    pub(crate) layout: vk::PipelineLayout,
    cache: vk::PipelineCache,
    store: Option<Store>,
    made: Mutex<HashMap<Key, vk::Pipeline>>,
}

impl Pipelines {
    pub(crate) fn new(
        device: &ash::Device,
        properties: &vk::PhysicalDeviceProperties,
        kept: &PipelineCache,
    ) -> Result<Self, CallError> {
        let store = Store::new(kept, properties);
        let known = store.as_ref().and_then(Store::load).unwrap_or_default();
        let create = vk::PipelineCacheCreateInfo::default().initial_data(&known);
        // SAFETY: the data is empty, or was written by this very driver for this device: the store has checked head and whole.
        let cache = unsafe { device.create_pipeline_cache(&create, None) };
        let cache = cache.map_err(CallError::of("making a pipeline cache"))?;
        let ranges = [vk::PushConstantRange {
            stage_flags: vk::ShaderStageFlags::COMPUTE,
            offset: 0,
            size: PUSH_CONSTANTS,
        }];
        let create = vk::PipelineLayoutCreateInfo::default().push_constant_ranges(&ranges);
        // SAFETY: the structure is complete.
        let layout = unsafe { device.create_pipeline_layout(&create, None) };
        let layout = layout.inspect_err(|_| {
            // SAFETY: made above, and used by nobody.
            unsafe { device.destroy_pipeline_cache(cache, None) };
        });
        Ok(Self {
            layout: layout.map_err(CallError::of("making a pipeline layout"))?,
            cache,
            store,
            made: Mutex::default(),
        })
    }

    /// The pipeline of this shader, with these specialisation constants.
    pub(crate) fn get(
        &self,
        device: &ash::Device,
        code: &Code<'_>,
        constants: &[u32],
        subgroup: Option<u32>,
    ) -> Result<vk::Pipeline, CallError> {
        let key = Key { shader: code.id, constants: constants.to_vec(), subgroup };
        let mut made = ds_engine::lock(&self.made);
        if let Some(&pipeline) = made.get(&key) {
            return Ok(pipeline);
        }
        // With the lock held: whoever wants the same one would only make it twice.
        let pipeline = self.make(device, code, &key)?;
        made.insert(key, pipeline);
        Ok(pipeline)
    }

    fn make(&self, device: &ash::Device, code: &Code<'_>, key: &Key) -> Result<vk::Pipeline, CallError> {
        let words = code.words();
        let create = vk::ShaderModuleCreateInfo::default().code(&words);
        // SAFETY: our shaders have been validated when they were built; for the application's it has vouched.
        let module = unsafe { device.create_shader_module(&create, None) };
        let module = module.map_err(CallError::of("making a shader module"))?;
        let entries: Vec<_> = (0..key.constants.len() as u32)
            .map(|n| vk::SpecializationMapEntry { constant_id: n, offset: n * 4, size: 4 })
            .collect();
        let data: Vec<u8> = key.constants.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let special = vk::SpecializationInfo::default().map_entries(&entries).data(&data);
        let mut required = vk::PipelineShaderStageRequiredSubgroupSizeCreateInfo::default()
            .required_subgroup_size(key.subgroup.unwrap_or(0));
        let mut stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(c"main")
            .specialization_info(&special);
        if key.subgroup.is_some() {
            stage = stage
                .flags(vk::PipelineShaderStageCreateFlags::REQUIRE_FULL_SUBGROUPS)
                .push_next(&mut required);
        }
        let create = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.layout)];
        // SAFETY: module, layout and cache are this device's; whoever asks for a size of subgroups has asked the device.
        let made = unsafe { device.create_compute_pipelines(self.cache, &create, None) };
        // SAFETY: a pipeline does not need its module once it is made.
        unsafe { device.destroy_shader_module(module, None) };
        match made {
            Ok(pipelines) => Ok(pipelines[0]),
            Err((_, result)) => Err(CallError { what: "making a pipeline", result }),
        }
    }

    /// Keeps for the next run what was compiled in this one, and destroys everything.
    pub(crate) fn destroy(&mut self, device: &ash::Device) {
        let made = self.made.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (Some(store), false) = (&self.store, made.is_empty()) {
            // SAFETY: the cache is alive.
            match unsafe { device.get_pipeline_cache_data(self.cache) } {
                Ok(data) => store.save(&data),
                Err(error) => log::debug!("compiled pipelines are not kept: {error}"),
            }
        }
        for (_, pipeline) in made.drain() {
            // SAFETY: the device is going: nothing is in flight that uses it.
            unsafe { device.destroy_pipeline(pipeline, None) };
        }
        // SAFETY: as above; null, where none was made, is allowed.
        unsafe { device.destroy_pipeline_layout(self.layout, None) };
        // SAFETY: as above.
        unsafe { device.destroy_pipeline_cache(self.cache, None) };
    }
}
