//! Devices: opened, borrowed, chosen; their memory; and nothing left behind.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use ds_vulkan::{Device, DeviceChoice, DeviceOptions, GpuBuffer, OpenError, PipelineCache};

use common::{assert_silent, device, open, options};

#[test]
fn a_device_comes_and_goes_without_a_trace() {
    let Some(device) = device() else { return };
    let info = device.info();
    assert!(info.lacks.is_empty() && !info.name.is_empty() && info.api >= (1, 2, 0));
    assert!(info.features.subgroup_size >= 1);
    let buffers: Vec<_> = [1, 4096, 5_000_001].map(|size| GpuBuffer::new(&device, size).unwrap()).into();
    for (n, buffer) in buffers.iter().enumerate() {
        assert!(buffer.address().is_some_and(|address| address != 0));
        assert!(buffers[..n].iter().all(|other| other.name() != buffer.name()));
    }
    drop(buffers);
    assert_silent(device);
}

#[test]
fn the_one_that_is_asked_for_is_opened_or_refused_by_name() {
    let Some(first) = device() else { return };
    let all = Device::list().unwrap();
    for (index, info) in all.iter().enumerate().filter(|(_, info)| info.lacks.is_empty()) {
        for choice in [DeviceChoice::Index(index), DeviceChoice::Uuid(info.uuid)] {
            let device = open(&options().choice(choice)).unwrap();
            assert_eq!(device.info(), info);
            assert_ne!(device.id(), first.id(), "each device has its own name");
        }
    }
    let nobody = DeviceOptions::default().choice(DeviceChoice::Name("no such device".into()));
    let Err(OpenError::NoSuchDevice { found, .. }) = Device::open(&nobody) else { panic!("it was found") };
    assert_eq!(found.len(), all.len());
}

#[test]
fn a_size_that_no_device_has_is_refused() {
    let Some(device) = device() else { return };
    let error = GpuBuffer::new(&device, 1 << 60).unwrap_err();
    assert!(!error.is_device_lost(), "{error}");
}

#[test]
fn compiled_pipelines_go_where_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = options().pipeline_cache(PipelineCache::Folder(folder.path().join("cache")));
    let Some(device) = open(&options) else { return };
    drop(device);
    assert!(!folder.path().join("cache").exists(), "nothing was compiled, so there is nothing to keep");
}
