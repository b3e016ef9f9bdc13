//! From a packed file into device memory: read, decoded on the way, checked.
//!
//! Run with `cargo run -p ds-runtime --features vulkan --example gpu_read`.

use std::io::Write;

use ds_runtime::vulkan::{Device, DeviceOptions, GpuBuffer};
use ds_runtime::{CodecKind, File, QueueOptions, Request, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = match Device::open(&DeviceOptions::default()) {
        Ok(device) => device,
        Err(error) => {
            println!("SKIPPED: {error}");
            return Ok(());
        }
    };
    println!("on {}", device.info().name);

    let mesh = b"vertices and indices ".repeat(2000);
    let packed = ds_gdeflate::compress(&mesh, ds_gdeflate::Level::DEFAULT, ds_gdeflate::CodecId::default())?;
    let mut file = tempfile::tempfile()?;
    file.write_all(&packed)?;
    let file = File::from(file);

    // readme:gpu
    // Named, so that the device decodes even if it is one of software; `Auto` would leave that to the processor.
    let runtime = Runtime::builder().codec(CodecKind::Vulkan).vulkan(&device).build()?;
    let queue = runtime.queue(QueueOptions::default())?;
    let buffer = GpuBuffer::new(&device, mesh.len() as u64)?;
    let request = Request::read(&file, 0, packed.len() as u64).gdeflate(mesh.len() as u64);
    let done = queue.enqueue(request.into_device(&buffer))?.wait().check()?;
    println!("{} bytes became {} on the device, by {}", done.bytes.read, done.bytes.delivered, done.path);
    // /readme:gpu

    // A renderer would use `buffer.raw()` now, or its address. This one looks whether all is there.
    let back = queue.enqueue(Request::from_device(&buffer))?.wait().check()?;
    assert_eq!(back.buffer, mesh);
    Ok(())
}
