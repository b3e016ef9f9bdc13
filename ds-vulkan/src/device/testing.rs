//! A device for tests within the crate.

use super::{Device, DeviceOptions, PipelineCache};
use crate::error::OpenError;

/// A device; `None`, said aloud, where there is no Vulkan. `DS_REQUIRE_VULKAN=1` makes that a failure.
pub(crate) fn device() -> Option<Device> {
    match Device::open(&DeviceOptions::default().pipeline_cache(PipelineCache::Off)) {
        Ok(device) => Some(device),
        Err(error @ (OpenError::NoLoader(_) | OpenError::NoDevice)) => {
            assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "Vulkan is required here: {error}");
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
