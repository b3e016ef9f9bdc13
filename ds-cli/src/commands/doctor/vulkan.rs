//! Vulkan devices, found by loading the loader and asking the drivers.

use ds_runtime::vulkan::{Device, DeviceInfo};
use serde_json::{Value, json};

use super::Fact;

pub(super) fn facts() -> Vec<Fact> {
    match Device::list() {
        Ok(devices) => {
            let (values, texts): (Vec<_>, Vec<_>) = devices.iter().map(device).unzip();
            // One below the other, where the first stands.
            let text = texts.join("\n                         ");
            vec![Fact::new("available", true), Fact::shown("devices", values, text)]
        }
        Err(error) => {
            let why = error.to_string();
            vec![Fact::shown("available", false, format!("no: {why}")), Fact::new("reason", why)]
        }
    }
}

fn device(info: &DeviceInfo) -> (Value, String) {
    let (major, minor, patch) = info.api;
    let features = info.features;
    let (least, most) = features.subgroup_sizes;
    let decoder = if features.has_lanes() { "32 lanes" } else { "any size" };
    let usable = info.lacks.is_empty();
    let interrupted = info.interrupted_processors();
    let value = json!({
        "index": info.index,
        "name": info.name,
        "kind": info.kind.to_string(),
        "uuid": info.uuid_text(),
        "driver": info.driver,
        "api": format!("{major}.{minor}.{patch}"),
        "pci": info.pci.map_or(Value::Null, |address| address.to_string().into()),
        "interrupted_processors": interrupted,
        "usable": usable,
        "lacks": info.lacks,
        "subgroup_size": features.subgroup_size,
        "subgroup_sizes": [least, most],
        "subgroup_size_control": features.subgroup_size_control,
        "decoder": decoder,
        "shares_memory": info.kind.shares_memory(),
        "memory_window": features.memory_window,
        "host_import_alignment": features.host_import.map_or(Value::Null, Value::from),
        "compute_queues": features.compute_queues,
        "transfer_queue": features.transfer_queue,
        "memory_model": features.memory_model,
        "scalar_layout": features.scalar_layout,
        "nv_memory_decompression": features.nv_memory_decompression,
    });
    let import = match features.host_import {
        Some(_) => "uses host memory where it lies",
        None => "host memory is copied",
    };
    let queue = if features.transfer_queue { "a queue for uploads" } else { "one queue for all" };
    let driver =
        if features.nv_memory_decompression { ", the driver decompresses (trusted data only)" } else { "" };
    let verdict = match usable {
        true if least == most => {
            format!("subgroups of {most}, decoder: {decoder}, {import}, {queue}{driver}")
        }
        true => format!("subgroups of {least} to {most}, decoder: {decoder}, {import}, {queue}{driver}"),
        false => format!("CANNOT BE USED: it lacks {}", info.lacks.join(", ")),
    };
    let place = info.pci.map_or(String::new(), |address| format!(", at {address}"));
    let busy = match interrupted.as_slice() {
        [] => String::new(),
        some => {
            let some: Vec<_> = some.iter().map(usize::to_string).collect();
            format!(", interrupts processor {}", some.join(", "))
        }
    };
    let text = format!(
        "{}: {} ({}), Vulkan {major}.{minor}.{patch}, {}, {}{place}; {verdict}{busy}",
        info.index,
        info.name,
        info.kind,
        info.driver,
        info.uuid_text()
    );
    (value, text)
}
