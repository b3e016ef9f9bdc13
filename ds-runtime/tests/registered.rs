//! One memory for all: the runtime's staging pool, registered with a ring and imported by a Vulkan device, read past the page cache and
//! decoded from where it lies.

use std::sync::Arc;

use ds_gdeflate::{CodecId, Level, compress};
use ds_runtime::{
    CodecKind, File, IoKind, Path, Queue, QueueOptions, Request, Runtime, UringConfig, UringFeatures,
    probe_uring,
};
use ds_vulkan::device::testing;
use ds_vulkan::{Device, GpuBuffer, VulkanConfig, VulkanEngine};

/// A queue whose ring knows the staging memory, if the kernel lets it.
fn queue(device: &Device) -> Option<Queue> {
    let wanted = UringFeatures::DEFAULT | UringFeatures::FIXED_BUFFERS | UringFeatures::FIXED_FILES;
    if !probe_uring(wanted).unwrap().features.contains(wanted) {
        eprintln!("SKIPPED: this process may not lock as much memory as is to be registered");
        return None;
    }
    let engine = VulkanEngine::new(device, VulkanConfig::default());
    let builder = Runtime::builder().io(IoKind::Uring).uring(UringConfig::default().features(wanted));
    let builder = builder.codec(CodecKind::Vulkan).device_engine(Arc::new(engine));
    let queue = builder.build().unwrap().queue(QueueOptions::default()).unwrap();
    Some(queue)
}

#[test]
fn staging_memory_serves_ring_and_device_at_once() {
    let Some(device) = testing::open(&testing::options()) else { return };
    if device.info().features.host_import.is_none() {
        eprintln!("SKIPPED: this device takes no host memory where it lies");
        return;
    }
    let Some(queue) = queue(&device) else { return };
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8 ^ (n >> 9) as u8).collect();
    let packed = compress(&bytes, Level::FASTEST, CodecId::default()).unwrap();
    // The stream does not begin where a block does; what lies before it does.
    let real = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(real.path(), [&bytes[..8192], &[9; 777], &packed].concat()).unwrap();
    let plain = File::from(std::fs::File::options().read(true).write(true).open(real.path()).unwrap());
    let Ok(direct) = plain.direct() else {
        eprintln!("SKIPPED: no direct I/O on the file system of temporary files");
        return;
    };
    let done = |request| queue.enqueue(request).unwrap().wait().check().unwrap();
    let buffer = GpuBuffer::new(&device, bytes.len() as u64).unwrap();
    let held = |len: u64| done(Request::from_device(buffer.range(0..len))).buffer;
    let registered = Path::IO_URING | Path::IO_FIXED_BUFFER | Path::IO_FIXED_FILE;
    // What the page cache has need not be the ring's thread's, which is the one that memory is registered for.
    for (file, registered) in [(&plain, Path::IO_URING), (&direct, registered)] {
        let raw = done(Request::read(file, 0, 8192).into_device(buffer.range(0..8192)));
        assert!(raw.path.contains(registered | Path::COPY_VULKAN), "{}", raw.path);
        assert!(held(8192) == bytes[..8192]);

        let request = Request::read(file, 8192 + 777, packed.len() as u64).gdeflate(bytes.len() as u64);
        let decoded = done(request.into_device(&buffer));
        assert!(decoded.path.contains(registered | Path::CODEC_VULKAN), "{}", decoded.path);
        assert!(held(bytes.len() as u64) == bytes);

        let written = done(Request::write_from_device(file, 0, buffer.range(4096..12_288)));
        assert!(written.path.contains(registered | Path::COPY_VULKAN), "{}", written.path);
        assert!(done(Request::read(&plain, 0, 8192)).buffer == bytes[4096..12_288]);
        done(Request::write(&plain, 0, bytes[..8192].to_vec()));
    }
}
