//! Instances of our own, of which one is kept for good.
//!
//! A driver goes from memory with the last instance, and not every driver bears that. NVIDIA's 580.159.04 hangs in
//! `vkCreateInstance` when it has come and gone some thirty times, and in `vkDestroyDevice` if other threads that have used it end
//! meanwhile. Neither is seen while an instance is there, so the first one that is given back stays until the process ends.

use core::ffi::CStr;
use std::sync::OnceLock;

use ash::vk;

use super::exits;
use super::info::{DeviceInfo, inspect};
use super::queues::families;
use crate::error::{CallError, OpenError};

const LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// The one that is kept, and the loader. Nobody uses it.
static KEPT: OnceLock<(ash::Entry, ash::Instance)> = OnceLock::new();

/// An instance. When it is dropped, nothing that was made of it is there any more.
pub(super) struct Instance {
    pub(super) entry: ash::Entry,
    pub(super) raw: ash::Instance,
    validation: bool,
}

impl Instance {
    /// One, with the validation layer if that is asked for.
    pub(super) fn new(validation: bool) -> Result<Self, OpenError> {
        exits::note();
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
            if KEPT.get().is_none() {
                // The layer is to say what is left over, so its instances are not kept.
                drop(Self::new(false)?);
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
        let raw = unsafe { entry.create_instance(&create, None) };
        let raw = raw.map_err(|result| match result {
            // What the loader says where there is no driver at all.
            vk::Result::ERROR_INCOMPATIBLE_DRIVER => OpenError::NoDevice,
            result => CallError { what: "making an instance", result }.into(),
        })?;
        Ok(Self { entry, raw, validation })
    }

    /// The devices that there are, at least one.
    pub(super) fn devices(&self) -> Result<(Vec<vk::PhysicalDevice>, Vec<DeviceInfo>), OpenError> {
        // SAFETY: the instance is alive.
        let handles = unsafe { self.raw.enumerate_physical_devices() };
        let handles = handles.map_err(CallError::of("listing devices"))?;
        if handles.is_empty() {
            return Err(OpenError::NoDevice);
        }
        let inspect = |(index, &physical)| {
            let mut info = inspect(&self.raw, physical, index)?;
            if families(&self.raw, physical).compute.is_none() {
                info.lacks.push("a queue that computes");
            }
            Ok(info)
        };
        let infos: Result<_, CallError> = handles.iter().enumerate().map(inspect).collect();
        Ok((handles, infos?))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if !self.validation && KEPT.set((self.entry.clone(), self.raw.clone())).is_ok() {
            return;
        }
        // SAFETY: nothing that was made of it is there any more.
        unsafe { self.raw.destroy_instance(None) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing;

    #[test]
    fn one_is_kept_so_that_drivers_stay_in_memory() {
        let Some(device) = testing::device() else { return };
        drop(device);
        let kept = || KEPT.get().map(|(_, instance)| instance.handle());
        let first = kept();
        assert!(first.is_some());
        let Some(device) = testing::open(&testing::options()) else { return };
        drop(device);
        assert_eq!(kept(), first, "there is one, however many come and go");
    }
}
