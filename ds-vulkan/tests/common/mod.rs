//! What the tests of devices share.
#![allow(dead_code, reason = "each test program uses some of it")]

pub(crate) mod bench;

use ds_vulkan::{Device, DeviceOptions, Messages, OpenError, PipelineCache};

/// A device that the validation layer watches; `None`, said aloud, where there is no Vulkan. `DS_REQUIRE_VULKAN=1` makes that a
/// failure, as in continuous integration. `DS_VULKAN_DEVICE` chooses the device.
pub(crate) fn device() -> Option<Device> {
    open(&options())
}

/// As [`device`], with these options.
pub(crate) fn open(options: &DeviceOptions) -> Option<Device> {
    let opened = match Device::open(options) {
        Err(OpenError::NoValidation) => {
            eprintln!("NOT VALIDATED: the validation layer is not installed");
            Device::open(&options.clone().validation(false))
        }
        opened => opened,
    };
    match opened {
        Ok(device) => Some(device),
        Err(error @ (OpenError::NoLoader(_) | OpenError::NoDevice)) => {
            assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "Vulkan is required here: {error}");
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn options() -> DeviceOptions {
    let choice = std::env::var("DS_VULKAN_DEVICE").unwrap_or_else(|_| "auto".to_owned());
    let Ok(choice) = choice.parse();
    DeviceOptions::default().choice(choice).validation(true).pipeline_cache(PipelineCache::Off)
}

/// Fails if the validation layer has said anything, after the device is gone: then it tells of leaks as well.
pub(crate) fn assert_silent(device: Device) {
    let messages: Messages = device.messages().clone();
    drop(device);
    assert!(messages.is_empty(), "the validation layer says:\n{}", messages.all().join("\n"));
}
