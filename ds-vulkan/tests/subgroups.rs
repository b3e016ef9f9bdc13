//! Subgroups of every size that the device of software can have: this program starts itself again with each.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use std::process::Command;

use ds_core::Transform;
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::VulkanConfig;

use common::bench::{at, host, with_engine};
use jobs::{Memory, text};

/// What Mesa's llvmpipe takes the width of its vectors from, in bits; a lane has 32.
const WIDTH: &str = "LP_NATIVE_VECTOR_WIDTH";
/// Tells a program that it is the one started again: how many lanes to find.
const LANES: &str = "DS_TEST_LANES";

/// Decodes a good stream and a damaged one, with whatever subgroups there are.
fn decode() -> Option<u32> {
    let mut lanes = None;
    with_engine(VulkanConfig::default(), |bench| {
        let bytes = text(70_000);
        let stream = compress(&bytes, Level::FASTEST, CodecId::default()).unwrap();
        let mut damaged = stream.clone();
        damaged[40..60].fill(0xFF);
        let (good, bad) = (Memory::of(&stream), Memory::of(&damaged));
        let buffer = bench.buffer(70_000);
        let whole = at(&buffer, 0, 70_000);
        assert!(bench.transform(Transform::GDeflate, host(bad.lend()), whole).is_err());
        assert_eq!(bench.transform(Transform::GDeflate, host(good.lend()), whole), Ok(70_000));
        assert!(bench.get(&buffer, 0, 70_000) == bytes);
        lanes = Some(bench.device.info().features.subgroup_size);
    });
    lanes
}

#[test]
fn every_size_of_subgroups_decodes_the_same() {
    let lanes = decode();
    if let Ok(wanted) = std::env::var(LANES) {
        assert_eq!(lanes.map(|lanes| lanes.to_string()), Some(wanted));
        return;
    }
    let Some(lanes) = lanes else { return };
    println!("{lanes} lanes");
    for lanes in [2, 4, 16] {
        let me = std::env::current_exe().unwrap();
        let again = Command::new(me)
            .args(["--exact", "every_size_of_subgroups_decodes_the_same"])
            .env(WIDTH, (32 * lanes).to_string())
            .env(LANES, lanes.to_string())
            // Another device has the subgroups that it has.
            .env("DS_VULKAN_DEVICE", "llvmpipe")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout) + String::from_utf8_lossy(&again.stderr);
        if said.contains("no Vulkan device is") {
            eprintln!("SKIPPED: there is no llvmpipe, whose subgroups can be chosen");
            return;
        }
        assert!(again.status.success(), "{lanes} lanes: {said}");
        println!("{lanes} lanes");
    }
}
