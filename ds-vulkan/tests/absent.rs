//! Machines without a loader, and without a driver: no device, and the reason in one sentence. The program starts itself again for each.

use std::fs;
use std::process::Command;

use ds_vulkan::{Device, DeviceOptions, OpenError};

const CHILD: &str = "DS_TEST_ABSENT";

/// Runs the test of that name again, on a machine that is as these variables make it. Returns whether this is that process.
fn alone(name: &str, variables: &[(&str, &str)]) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let own = std::env::current_exe().unwrap();
    let mut again = Command::new(own);
    let output = again.args(["--exact", name]).env(CHILD, "1").envs(variables.iter().copied()).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    false
}

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
