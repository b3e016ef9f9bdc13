//! Copies: every kind of end, every length, whatever fits and whatever does not.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::num::NonZeroUsize;

use ds_core::{DeviceId, Done, Fault};
use ds_engine::{CopyEngine, CopyJob, Place};
use ds_vulkan::{GpuBuffer, VulkanConfig, vk};

use common::bench::{Bench, at, host, with_both_kinds, with_engine};
use jobs::{Memory, id, text};

/// Ways in which the same memory can be named.
fn views(buffer: &GpuBuffer) -> Vec<(&'static str, GpuBuffer)> {
    let (device, raw, size) = (buffer.device(), buffer.raw(), buffer.size());
    let transfers = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    // SAFETY: the buffer outlives its views in every test, and is shared with all families.
    let borrowed = unsafe { GpuBuffer::borrow(device, raw, size, transfers) };
    // SAFETY: as above.
    let shared = unsafe { GpuBuffer::borrow_shared(device, raw, size, transfers) };
    // SAFETY: as above.
    let by_address = unsafe { GpuBuffer::from_address(device, buffer.address().unwrap(), size) };
    vec![
        ("ours", buffer.clone()),
        ("borrowed, without address", borrowed),
        ("shared, without address", shared),
        ("by address", by_address),
    ]
}

#[test]
fn bytes_come_back_by_any_name_at_any_offset() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        let size = 300_000;
        let buffer = bench.buffer(size);
        let all = text(size as usize);
        for (name, view) in views(&buffer) {
            for (offset, len) in [(0, 1), (1, 4095), (4096, 4096), (13, 100_003), (0, 300_000), (299_999, 1)]
            {
                bench.put(&buffer, 0, &vec![0xEE; size as usize]);
                let bytes = &all[..len];
                bench.put(&view, offset, bytes);
                assert!(bench.get(&view, offset, len) == bytes, "{name}: {len} bytes at {offset}");
                // Nothing beside them was touched.
                let whole = bench.get(&buffer, 0, size as usize);
                let (start, end) = (offset as usize, offset as usize + len);
                assert!(whole[..start].iter().chain(&whole[end..]).all(|&byte| byte == 0xEE), "{name}");
            }
        }
    });
}

#[test]
fn staging_memory_is_used_where_it_lies_or_copied() {
    for import in [true, false] {
        let run = |bench: &Bench| {
            let mut staging = ds_engine::StagingPool::new(0).unwrap();
            assert!(staging.lease(1).is_err());
            let bytes = text(50_000);
            let buffer = bench.buffer(50_000);
            let mapping = bench.staging.mapping();
            // SAFETY: the bench keeps the mapping, nobody else has a lease of it, and no job is given these bytes while they are
            // looked at.
            let whole = unsafe { ds_engine::HostBytes::new(mapping.cast().as_ptr(), mapping.len()) };
            let (source, target) = (whole.part(4096, 50_000).unwrap(), whole.part(1 << 20, 50_000).unwrap());
            // SAFETY: as above.
            unsafe { source.as_mut_slice() }.copy_from_slice(&bytes);
            assert_eq!(bench.copy(host(source), at(&buffer, 0, 50_000)), Ok(Done::Moved(50_000)));
            assert_eq!(bench.copy(at(&buffer, 0, 50_000), host(target)), Ok(Done::Moved(50_000)));
            // SAFETY: as above.
            assert!(unsafe { target.as_slice() } == bytes, "imported: {import}");
        };
        with_both_kinds(&VulkanConfig::default().import(import), run);
    }
}

#[test]
fn copies_within_the_device() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        let bytes = text(200_000);
        let (a, b) = (bench.buffer(200_000), bench.buffer(200_000));
        bench.put(&a, 0, &bytes);
        for (from_name, from) in views(&a) {
            for (into_name, into) in views(&b) {
                bench.put(&b, 0, &[0; 200_000]);
                let copied = bench.copy(at(&from, 7, 150_000), at(&into, 33, 150_000));
                if from_name.contains("without") && into_name.contains("by")
                    || from_name.contains("by") && into_name.contains("without")
                {
                    assert!(matches!(copied, Err(Fault::Unsupported(_))), "{from_name} to {into_name}");
                } else {
                    assert_eq!(copied, Ok(Done::Moved(150_000)), "{from_name} to {into_name}");
                    assert!(bench.get(&b, 33, 150_000) == bytes[7..150_007], "{from_name} to {into_name}");
                }
            }
        }
        for (name, view) in views(&a) {
            let overlapping = bench.copy(at(&view, 0, 1000), at(&view, 999, 1000));
            assert!(matches!(overlapping, Err(Fault::Unsupported(_))), "{name}");
            assert_eq!(
                bench.copy(at(&view, 0, 1000), at(&view, 1000, 1000)),
                Ok(Done::Moved(1000)),
                "{name}"
            );
        }
    });
}

#[test]
fn what_cannot_be_is_refused() {
    with_engine(VulkanConfig::default(), |bench| {
        let (memory, buffer) = (Memory::new(100), bench.buffer(100));
        let gone = at(&bench.buffer(100), 0, 100);
        let stranger =
            Place::Device { device: DeviceId(u32::MAX), handle: buffer.name(), offset: 0, len: 100 };
        for (from, into) in [
            (host(memory.lend()), host(memory.lend())),
            (host(memory.lend()), at(&buffer, 0, 99)),
            (host(memory.lend()), at(&buffer, 1, 100)),
            (host(memory.lend()), at(&buffer, u64::MAX, 100)),
            (host(memory.lend()), gone),
            (host(memory.lend()), stranger),
            (at(&buffer, 50, 100), host(memory.lend())),
        ] {
            let result = bench.copy(from, into);
            assert!(matches!(result, Err(Fault::Unsupported(_))), "{from:?} to {into:?}: {result:?}");
        }
        assert_eq!(bench.copy(host(memory.part(0, 0)), at(&buffer, 100, 0)), Ok(Done::Moved(0)));
    });
}

/// One block of the least size for everything, and a hundred copies, each larger than that.
#[test]
fn little_staging_carries_any_load() {
    let one = NonZeroUsize::MIN;
    let config = VulkanConfig::default().staging(0, one).device_memory(0, one).import(false);
    with_both_kinds(&config, |bench| {
        let len = 3 << 20;
        let bytes = text(len);
        let source = Memory::of(&bytes);
        let buffers: Vec<_> = (0..20).map(|_| bench.buffer(len as u64)).collect();
        let targets: Vec<_> = (0..20).map(|_| Memory::new(len)).collect();
        let whole = |buffer| at(buffer, 0, len as u64);
        let mut up = buffers.iter().zip(1000..).map(|(buffer, n)| CopyJob {
            id: id(n),
            from: host(source.lend()),
            into: whole(buffer),
        });
        bench.engine.submit_copies(&mut up.by_ref().collect());
        for n in 1000..1020 {
            assert_eq!(bench.log.wait(id(n)).result, Ok(Done::Moved(len as u64)));
        }
        let down = buffers.iter().zip(&targets).zip(2000..).map(|((buffer, target), n)| CopyJob {
            id: id(n),
            from: whole(buffer),
            into: host(target.lend()),
        });
        bench.engine.submit_copies(&mut down.collect());
        for (n, target) in (2000..2020).zip(&targets) {
            assert_eq!(bench.log.wait(id(n)).result, Ok(Done::Moved(len as u64)));
            assert!(target.bytes() == bytes);
        }
    });
}
