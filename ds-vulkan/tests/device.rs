//! Devices: opened, borrowed, chosen; their memory; and nothing left behind.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use ds_core::Transform;
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::{
    BorrowedDevice, DecoderPath, Device, DeviceChoice, DeviceOptions, GpuBuffer, OpenError, PipelineCache,
    QueueLock, VulkanConfig, vk,
};

use common::bench::Bench;
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

/// The driver's own decompression is had only where it is asked for twice: of the device, and of the engine. What it decodes is
/// `tests/trusted.rs`'s.
#[test]
fn trusted_data_is_for_devices_that_were_opened_for_it() {
    use ds_engine::{Engine, StartContext, StartError};
    let Some(plain) = device() else { return };
    let engine = |device| {
        ds_vulkan::VulkanEngine::new(device, VulkanConfig::default().decoder_path(DecoderPath::Trusted))
    };
    let refused = engine(&plain).start(&StartContext::new(Arc::new(jobs::Log::default())));
    let Err(StartError::Device(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("lacks VK_NV_memory_decompression"), "{why}");

    let wanting = options().driver_decompression(true);
    if !plain.info().features.nv_memory_decompression {
        let Err(OpenError::Unsuitable { lacks, .. }) = Device::open(&wanting) else {
            panic!("it was opened")
        };
        assert!(lacks.iter().any(|what| what.contains("VK_NV_memory_decompression")), "{lacks:?}");
        return assert_silent(plain);
    }
    let trusting = open(&wanting).unwrap();
    assert_eq!(trusting.info(), plain.info());
    assert_silent(trusting);
    assert_silent(plain);
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

/// Has a stream decoded into a buffer, and looks at it.
fn decode(bench: &Bench) {
    let bytes = jobs::text(3000);
    let source = jobs::Memory::of(&compress(&bytes, Level::FASTEST, CodecId::default()).unwrap());
    let buffer = bench.buffer(3000);
    let (from, into) = (common::bench::host(source.lend()), common::bench::at(&buffer, 0, 3000));
    assert_eq!(bench.transform(Transform::GDeflate, from, into), Ok(3000));
    assert!(bench.get(&buffer, 0, 3000) == bytes);
}

#[test]
fn a_lent_device_works_under_its_owners_lock_and_is_not_destroyed() {
    struct Counting(Arc<dyn QueueLock>, AtomicUsize);
    impl QueueLock for Counting {
        fn with_queue(&self, queue: vk::Queue, submit: &mut dyn FnMut()) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.with_queue(queue, submit);
        }
    }
    let Some(owner) = device() else { return };
    let lent = owner.lend();
    let lent_queues = 1 + lent.more_compute.len() as u32;
    let lock = Arc::new(Counting(lent.queue_lock.unwrap(), AtomicUsize::new(0)));
    let handles =
        BorrowedDevice::new(lent.instance, lent.physical, lent.device, lent.api_version, lent.compute)
            .more_compute(lent.more_compute)
            .transfer(lent.transfer)
            .queue_lock(lock.clone())
            .features(lent.features)
            .pipeline_cache(PipelineCache::Off);
    // SAFETY: the handles are those of `owner`, which is dropped last, with its features; and its own lock is taken.
    let borrowed = unsafe { Device::borrow(handles) }.unwrap();
    assert_eq!(borrowed.info().name, owner.info().name);
    assert_eq!(borrowed.info().features.subgroup_sizes, owner.info().features.subgroup_sizes);
    assert_eq!(borrowed.info().features.compute_queues, lent_queues);
    assert_ne!(borrowed, owner);
    // Both are used at once.
    let (first, second) =
        (Bench::new(&owner, VulkanConfig::default()), Bench::new(&borrowed, VulkanConfig::default()));
    for _ in 0..3 {
        decode(&first);
        decode(&second);
    }
    assert!(lock.1.load(Ordering::Relaxed) >= 6, "each submission takes the lock");
    second.end();
    drop(borrowed);
    decode(&first);
    first.end();
    assert_silent(owner);
}

#[test]
fn an_old_instance_is_refused_and_so_is_a_queue_whose_lock_does_not_call() {
    struct Deaf;
    impl QueueLock for Deaf {
        fn with_queue(&self, _: vk::Queue, _: &mut dyn FnMut()) {}
    }
    let Some(owner) = device() else { return };
    let mut handles = owner.lend();
    handles.api_version = vk::API_VERSION_1_1;
    // SAFETY: the handles are those of `owner`, which is dropped last.
    let refused = unsafe { Device::borrow(handles) };
    assert!(matches!(refused, Err(OpenError::Unsuitable { lacks, .. }) if lacks.len() == 1));
    let mut handles = owner.lend();
    handles.queue_lock = Some(Arc::new(Deaf));
    // SAFETY: as above; nothing is ever submitted.
    let borrowed = unsafe { Device::borrow(handles) }.unwrap();
    let bench = Bench::new(&borrowed, VulkanConfig::default());
    let (buffer, memory) = (bench.buffer(10), jobs::Memory::new(10));
    let result = bench.copy(common::bench::host(memory.lend()), common::bench::at(&buffer, 0, 10));
    assert!(matches!(result, Err(ds_core::Fault::Unsupported(_))), "{result:?}");
    drop(buffer);
    bench.end();
    drop(borrowed);
    assert_silent(owner);
}

#[test]
fn several_devices_and_engines_at_once() {
    let devices: Vec<_> = (0..3).map_while(|_| device()).collect();
    std::thread::scope(|scope| {
        for device in &devices {
            for _ in 0..2 {
                scope.spawn(|| {
                    let bench = Bench::new(device, VulkanConfig::default());
                    decode(&bench);
                    bench.end();
                });
            }
        }
    });
    devices.into_iter().for_each(assert_silent);
}

#[test]
fn an_engine_is_started_once_and_answers_what_it_has_when_stopped() {
    use ds_engine::{CopyEngine, CopyJob, Engine, StartContext, StartError};
    let Some(device) = device() else { return };
    let bench = Bench::new(&device, VulkanConfig::default());
    let again = bench.engine.start(&StartContext::new(bench.log.clone()));
    assert!(matches!(again, Err(StartError::AlreadyUsed)));
    let (source, buffer) = (jobs::Memory::new(100_000), bench.buffer(100_000));
    let job = |n: u64| CopyJob {
        id: jobs::id(1000 + n),
        from: common::bench::host(source.part(n as usize * 500, 500)),
        into: common::bench::at(&buffer, n * 500, 500),
    };
    bench.engine.submit_copies(&mut (0..200).map(job).collect());
    (0..200).step_by(2).for_each(|n| bench.engine.cancel(jobs::id(1000 + n)));
    bench.engine.stop();
    bench.engine.stop();
    assert_eq!(bench.log.len(), 200, "every job has its answer");
    for n in 0..200 {
        let result = bench.log.wait(jobs::id(1000 + n)).result;
        assert!(result.is_ok() || n % 2 == 0 && result == Err(ds_core::Fault::Cancelled), "{n}: {result:?}");
    }
    drop(buffer);
    bench.end();
    assert_silent(device);
}

#[test]
fn compiled_pipelines_are_kept_for_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let options = options().pipeline_cache(PipelineCache::Folder(folder.path().to_owned()));
    for _ in 0..2 {
        let Some(device) = open(&options) else { return };
        let bench = Bench::new(&device, VulkanConfig::default());
        decode(&bench);
        bench.end();
        assert_silent(device);
        let kept = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(kept, 1, "one file for one device");
    }
}
