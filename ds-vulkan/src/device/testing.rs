//! A device for this project's own tests.

use super::faults::Faults;
use super::{Device, DeviceOptions, PipelineCache, owned};
use crate::error::OpenError;

/// How tests open a device: the validation layer looks on, and nothing is left in a cache. `DS_VULKAN_DEVICE` chooses the device.
pub fn options() -> DeviceOptions {
    let choice = std::env::var("DS_VULKAN_DEVICE").unwrap_or_else(|_| "auto".to_owned());
    let Ok(choice) = choice.parse();
    DeviceOptions::default().choice(choice).validation(true).pipeline_cache(PipelineCache::Off)
}

/// A device; `None`, said aloud, where there is no Vulkan. Without the validation layer, also said aloud, it is opened all the same.
///
/// # Panics
/// If there is none and `DS_REQUIRE_VULKAN` is set, as in continuous integration; or if there is one that cannot be opened.
pub fn open(options: &DeviceOptions) -> Option<Device> {
    open_by(options, Device::open)
}

/// The same, of which functions can be made to fail.
///
/// # Panics
/// As [`open`].
pub fn open_faulty(options: &DeviceOptions) -> Option<(Device, Faults)> {
    open_by(options, |options| {
        let mut parts = owned::open(options)?;
        let faults = Faults::arm(&mut parts);
        Ok((Device::assemble(parts)?, faults))
    })
}

fn open_by<T>(options: &DeviceOptions, open: impl Fn(&DeviceOptions) -> Result<T, OpenError>) -> Option<T> {
    let opened = match open(options) {
        Err(OpenError::NoValidation) => {
            eprintln!("NOT VALIDATED: the validation layer is not installed");
            open(&options.clone().validation(false))
        }
        opened => opened,
    };
    match opened {
        Ok(opened) => Some(opened),
        Err(error @ (OpenError::NoLoader(_) | OpenError::NoDevice)) => {
            assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "Vulkan is required here: {error}");
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The same, with nobody looking on: the crate's unit tests are about other things.
#[cfg(test)]
pub(crate) fn device() -> Option<Device> {
    open(&options().validation(false))
}
