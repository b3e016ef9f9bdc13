//! What the tests of devices share.
#![allow(dead_code, reason = "each test program uses some of it")]

pub(crate) mod bench;

use ds_vulkan::device::testing;
use ds_vulkan::{Device, Messages};

pub(crate) use testing::{open, options};

/// A device that the validation layer watches, if there is any.
pub(crate) fn device() -> Option<Device> {
    open(&options())
}

/// Fails if the validation layer has said anything, after the device is gone: then it tells of leaks as well.
pub(crate) fn assert_silent(device: Device) {
    let messages: Messages = device.messages().clone();
    drop(device);
    assert!(messages.is_empty(), "the validation layer says:\n{}", messages.all().join("\n"));
}
