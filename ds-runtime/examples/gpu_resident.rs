//! Packed assets that stay in device memory, unpacked there when they are wanted: no byte of them passes the processor again.
//!
//! Run with `cargo run -p ds-runtime --features vulkan --example gpu_resident`.

use ds_runtime::vulkan::{Device, DeviceOptions, GpuBuffer};
use ds_runtime::{CodecKind, Path, QueueOptions, Request, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = match Device::open(&DeviceOptions::default()) {
        Ok(device) => device,
        Err(error) => {
            println!("SKIPPED: {error}");
            return Ok(());
        }
    };
    let runtime = Runtime::builder().codec(CodecKind::Vulkan).vulkan(&device).build()?;
    let queue = runtime.queue(QueueOptions::default())?;

    // All levels, packed, go to the device once.
    let levels: Vec<_> = (1..=3).map(|n| format!("all of level {n}, ").repeat(1000).into_bytes()).collect();
    let mut resident = Vec::new();
    for level in &levels {
        let packed =
            ds_gdeflate::compress(level, ds_gdeflate::Level::DEFAULT, ds_gdeflate::CodecId::default())?;
        let buffer = GpuBuffer::new(&device, packed.len() as u64)?;
        queue.enqueue(Request::from_memory(packed).into_device(&buffer))?.wait().check()?;
        resident.push(buffer);
    }
    // Whichever is played is unpacked, over the one before.
    let scene = GpuBuffer::new(&device, levels.iter().map(Vec::len).max().unwrap_or(0) as u64)?;
    for (packed, level) in resident.iter().zip(&levels) {
        let len = level.len() as u64;
        let request = Request::from_device(packed).gdeflate(len).into_device(scene.range(0..len));
        let done = queue.enqueue(request)?.wait().check()?;
        assert_eq!(done.path, Path::CODEC_VULKAN, "nobody else touched it");
        println!("{} bytes became {len} within the device", packed.size());
        let back = queue.enqueue(Request::from_device(scene.range(0..len)))?.wait().check()?;
        assert_eq!(back.buffer, *level);
    }
    Ok(())
}
