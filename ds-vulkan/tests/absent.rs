//! Machines without a loader, and without a driver: no device, and the reason in one sentence. The program starts itself again for each.

#[path = "../../ds-uring/tests/alone/mod.rs"]
mod alone;

use std::fs;

use alone::alone;
use ds_vulkan::{Device, DeviceOptions, OpenError};

/// What opening a device and listing all of them come to.
fn refusals() -> [OpenError; 2] {
    let opened = Device::open(&DeviceOptions::default()).map(drop);
    [opened.unwrap_err(), Device::list().map(drop).unwrap_err()]
}

#[test]
fn without_a_loader_there_is_no_device() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["libvulkan.so.1", "libvulkan.so"] {
        fs::write(folder.path().join(name), "no library at all").unwrap();
    }
    let place = folder.path().to_str().unwrap();
    if !alone("without_a_loader_there_is_no_device", &[("LD_LIBRARY_PATH", place)]) {
        return;
    }
    for refused in refusals() {
        assert!(matches!(refused, OpenError::NoLoader(_)), "{refused:?}");
        assert!(refused.to_string().starts_with("there is no Vulkan loader (libvulkan.so.1): "), "{refused}");
    }
}

#[test]
fn without_a_driver_there_is_no_device() {
    let nowhere = [("VK_ICD_FILENAMES", "/nowhere"), ("VK_DRIVER_FILES", "/nowhere")];
    if !alone("without_a_driver_there_is_no_device", &nowhere) {
        return;
    }
    for refused in refusals() {
        // Where there is no loader either, that is the reason.
        assert!(matches!(refused, OpenError::NoDevice | OpenError::NoLoader(_)), "{refused:?}");
    }
}
