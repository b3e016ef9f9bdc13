//! The suite with a Vulkan device that decodes; and requests to and from its memory.
//!
//! Without Vulkan each test says so aloud and passes; `DS_REQUIRE_VULKAN=1` makes that a failure.

#[macro_use]
#[path = "suite/every_engine.rs"]
mod every_engine;
mod suite;

use core::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use ds_runtime::{
    Choice, CodecKind, Completion, Corrupt, ErrorKind, File, IoKind, Misuse, Path, Queue, QueueOptions,
    Request, Runtime,
};
use ds_vulkan::device::testing;
use ds_vulkan::{Device, GpuBuffer, HostBuffer, VulkanConfig, VulkanEngine};

use suite::{content, file_of, packed, queue_of};

/// A device of software decodes about 1 MB/s: see `suite::decoded`.
const DECODER_SLOWNESS: usize = 64;

/// Bytes of staging memory, where there is to be little.
const STAGING: usize = 64 << 10;

fn open() -> Option<Device> {
    testing::open(&testing::options())
}

/// One device for all tests: several runtimes at once have engines on it.
static DEVICE: LazyLock<Option<Device>> = LazyLock::new(open);

/// Whether there is a device; says so aloud if not.
fn is_here() -> bool {
    if DEVICE.is_none() {
        eprintln!("SKIPPED: there is no Vulkan device here");
    }
    DEVICE.is_some()
}

fn device() -> &'static Device {
    DEVICE.as_ref().expect("tests ask first")
}

fn engine(config: VulkanConfig) -> Arc<VulkanEngine> {
    Arc::new(VulkanEngine::new(device(), config))
}

fn runtime(io: IoKind, codec: CodecKind) -> Runtime {
    let builder = Runtime::builder().io(io).codec(codec);
    builder.device_engine(engine(VulkanConfig::default())).build().unwrap()
}

fn cpu_and_vulkan() -> Runtime {
    runtime(IoKind::Cpu, CodecKind::Vulkan)
}

fn uring_and_vulkan() -> Runtime {
    runtime(IoKind::Uring, CodecKind::Vulkan)
}

every_engine! { cpu_and_vulkan uring_and_vulkan }

/// Runs a test with a queue for each way to read, if there is a device; the validation layer must have nothing to say.
fn with_queues(codec: CodecKind, test: impl Fn(&Queue)) {
    if !is_here() {
        return;
    }
    for io in [IoKind::Cpu, IoKind::Uring] {
        let queue = queue_of(&runtime(io, codec), QueueOptions::default());
        test(&queue);
    }
    assert_silent();
}

fn assert_silent() {
    let messages = device().messages();
    assert!(messages.is_empty(), "the validation layer says:\n{}", messages.all().join("\n"));
}

fn buffer(len: usize) -> GpuBuffer {
    GpuBuffer::new(device(), len as u64).unwrap()
}

fn done(queue: &Queue, request: Request) -> Completion {
    queue.enqueue(request).unwrap().wait().check().unwrap()
}

/// What a buffer holds.
fn get(queue: &Queue, buffer: &GpuBuffer) -> Vec<u8> {
    done(queue, Request::from_device(buffer)).buffer
}

fn put(queue: &Queue, buffer: &GpuBuffer, bytes: &[u8]) {
    done(queue, Request::from_memory(bytes.to_vec()).into_device(buffer));
}

#[test]
fn every_source_reaches_the_device() {
    with_queues(CodecKind::Vulkan, |queue| {
        let bytes = content(150_000, 1);
        let stream = packed(&bytes);
        let (raw, file) = (file_of(&bytes), file_of(&stream));
        let resident = buffer(stream.len());
        put(queue, &resident, &stream);
        let (len, size) = (stream.len() as u64, bytes.len() as u64);
        let target = buffer(bytes.len() + 20);
        let range = || target.range(10..10 + size);
        for (name, request, path) in [
            ("file", Request::read(&raw, 0, size), Path::COPY_VULKAN),
            ("memory", Request::from_memory(bytes.clone()), Path::COPY_VULKAN),
            ("packed file", Request::read(&file, 0, len).gdeflate(size), Path::CODEC_VULKAN),
            ("packed memory", Request::from_memory(stream.clone()).gdeflate(size), Path::CODEC_VULKAN),
            ("packed on the device", Request::from_device(&resident).gdeflate(size), Path::CODEC_VULKAN),
        ] {
            put(queue, &target, &vec![0xEE; bytes.len() + 20]);
            let completion = done(queue, request.into_device(range()));
            assert!(completion.buffer.is_empty(), "{name}: the result is not on the host");
            assert_eq!((completion.bytes.produced, completion.bytes.delivered), (size, size), "{name}");
            assert!(completion.path.contains(path), "{name}: {}", completion.path);
            assert!(!completion.path.contains(Path::CODEC_CPU), "{name}: {}", completion.path);
            let all = get(queue, &target);
            assert!(all[10..][..bytes.len()] == bytes, "{name}");
            assert!(all[..10].iter().chain(&all[10 + bytes.len()..]).all(|&byte| byte == 0xEE), "{name}");
        }
    });
}

/// Whoever decodes: host memory that the device sees is an end of requests as device memory is, and its owner's again afterwards.
#[test]
fn host_memory_that_the_device_sees_is_a_source_and_a_destination() {
    for codec in [CodecKind::Vulkan, CodecKind::Cpu, CodecKind::Auto] {
        with_queues(codec, |queue| {
            let bytes = content(150_000, 13);
            let (stream, size) = (packed(&bytes), bytes.len() as u64);
            let mut from = HostBuffer::new(device(), stream.len() as u64).unwrap();
            from.bytes().unwrap().copy_from_slice(&stream);
            let mut into = HostBuffer::new(device(), size + 20).unwrap();
            let target = buffer(bytes.len());
            let request = Request::from_device(&from).gdeflate(size).into_device(&target);
            let ticket = queue.enqueue(request).unwrap();
            assert!(from.bytes().is_none(), "a request has it");
            let completion = ticket.wait().check().unwrap();
            let by_cpu = codec == CodecKind::Cpu;
            assert!(by_cpu == completion.path.contains(Path::CODEC_CPU) || codec == CodecKind::Auto);
            assert!(from.bytes().is_some_and(|held| *held == stream), "it has ended");
            assert!(get(queue, &target) == bytes);
            assert!(done(queue, Request::from_device(&from).gdeflate(size)).buffer == bytes);

            into.bytes().unwrap().fill(0xEE);
            for (name, request) in [
                ("device", Request::from_device(&target)),
                ("file", Request::read(&file_of(&bytes), 0, size)),
                ("memory", Request::from_memory(bytes.clone())),
                ("packed", Request::from_memory(stream.clone()).gdeflate(size)),
            ] {
                done(queue, request.into_device(into.range(10..10 + size)));
                let held = into.bytes().unwrap();
                assert!(held[10..][..bytes.len()] == bytes, "{name}");
                assert!(held[..10].iter().chain(&held[10 + bytes.len()..]).all(|&byte| byte == 0xEE));
                held[10..][..bytes.len()].fill(0);
            }
            let file = file_of(&[]);
            done(queue, Request::write_from_device(&file, 0, &from));
            assert!(done(queue, Request::read(&file, 0, stream.len() as u64)).buffer == stream);
        });
    }
}

#[test]
fn device_memory_reaches_files_and_other_device_memory() {
    with_queues(CodecKind::Auto, |queue| {
        let bytes = content(200_000, 2);
        let (from, into) = (buffer(bytes.len()), buffer(bytes.len()));
        put(queue, &from, &bytes);
        let copied = done(queue, Request::from_device(&from).into_device(&into));
        assert_eq!(copied.path, Path::COPY_VULKAN);
        assert!(get(queue, &into) == bytes);

        let file = file_of(&[0xEE; 100]);
        let written = done(queue, Request::write_from_device(&file, 50, into.range(1000..200_000)));
        assert!(written.path.contains(Path::COPY_VULKAN) && written.bytes.delivered == 199_000);
        let back = done(queue, Request::read(&file, 0, 199_050)).buffer;
        assert!(back[..50] == [0xEE; 50] && back[50..] == bytes[1000..]);

        let upper = done(queue, Request::from_device(&from).uppercase());
        assert!(upper.buffer == bytes.to_ascii_uppercase());
    });
}

/// A request that comes alone is sooner decoded by the processor: then `Auto` brings the result there.
#[test]
fn auto_decodes_where_it_is_faster_and_names_are_obeyed() {
    if !is_here() {
        return;
    }
    let (small, large) = (content(1000, 3), content(100_000, 4));
    for codec in [CodecKind::Auto, CodecKind::Cpu, CodecKind::Vulkan] {
        let runtime = runtime(IoKind::Cpu, codec);
        let queue = queue_of(&runtime, QueueOptions::default());
        let decode = |bytes: &[u8]| Request::from_memory(packed(bytes)).gdeflate(bytes.len() as u64);
        let mut by_device = false;
        for bytes in [&small, &large] {
            let target = buffer(bytes.len());
            let host = done(&queue, decode(bytes));
            let on_device = done(&queue, decode(bytes).into_device(&target));
            assert!(host.buffer == *bytes && get(&queue, &target) == *bytes);
            let is_gpu = |path: Path| path.contains(Path::CODEC_VULKAN);
            // Alone either is small: any processor is through with it before any device.
            let expected = (codec == CodecKind::Vulkan, codec == CodecKind::Vulkan);
            let ran = (is_gpu(host.path), is_gpu(on_device.path));
            assert_eq!(ran, expected, "{codec:?}: {}", on_device.path);
            by_device |= ran.0 || ran.1;
        }
        let name = match codec {
            CodecKind::Auto => "cpu+vulkan",
            CodecKind::Vulkan => "vulkan",
            _ => "cpu",
        };
        assert_eq!(runtime.selection().codec, name);
        let ran: Vec<_> = queue.stats().paths().map(|(path, _)| path.to_string()).collect();
        assert_eq!(ran.iter().any(|path| path == "codec:vulkan"), by_device, "{ran:?}");
        // Each decoding has its reason; copies have none.
        let choices = queue.choices();
        assert_eq!(choices.iter().map(|(_, count)| count).sum::<u64>(), 4, "{choices:?}");
        let named = choices.of(Choice::HostNamed) + choices.of(Choice::DeviceNamed);
        assert_eq!(
            (named, choices.of(Choice::HostMemory)),
            if codec == CodecKind::Auto { (0, 2) } else { (4, 0) }
        );
    }
    assert_silent();
}

#[test]
fn requests_that_cannot_fit_are_refused_at_once() {
    with_queues(CodecKind::Auto, |queue| {
        let target = buffer(100);
        let kind = |request: Request| queue.enqueue(request).map(drop).unwrap_err().error.kind;
        let outside = Misuse::RangeOutside { offset: 50, len: 51, size: 100 };
        assert_eq!(
            kind(Request::from_memory(vec![0; 51]).into_device(target.range(50..101))),
            ErrorKind::Invalid(outside)
        );
        assert_eq!(kind(Request::from_device(target.range(50..101))), ErrorKind::Invalid(outside));
        let mismatch = Misuse::SizeMismatch { source: 99, destination: 100 };
        assert_eq!(
            kind(Request::from_memory(vec![0; 99]).into_device(&target)),
            ErrorKind::Invalid(mismatch)
        );
        let size = Misuse::UncompressedSize { expected: 100, actual: 101 };
        assert_eq!(
            kind(Request::from_memory(vec![0; 9]).gdeflate(101).into_device(&target)),
            ErrorKind::Invalid(size)
        );
    });
}

#[test]
fn damaged_streams_to_the_device_are_corrupt() {
    with_queues(CodecKind::Vulkan, |queue| {
        let bytes = content(5000, 5);
        let mut stream = packed(&bytes);
        stream[30..60].fill(0xFF);
        let target = buffer(bytes.len());
        let request =
            Request::read(&file_of(&stream), 0, stream.len() as u64).gdeflate(5000).into_device(&target);
        let failed = queue.enqueue(request).unwrap().wait();
        let kind = failed.result.unwrap_err().kind;
        assert!(matches!(kind, ErrorKind::Corrupt(Corrupt { tile: Some(0), .. })), "{kind:?}");
        assert_eq!(failed.bytes.delivered, 0);
    });
}

/// A buffer whose last handle is dropped while a request names it stays until that has ended.
#[test]
fn requests_keep_their_buffers() {
    with_queues(CodecKind::Vulkan, |queue| {
        let bytes = content(40_000, 6);
        let tickets: Vec<_> = (0..8)
            .map(|_| {
                let request =
                    Request::from_memory(packed(&bytes)).gdeflate(40_000).into_device(&buffer(40_000));
                queue.enqueue(request).unwrap()
            })
            .collect();
        queue.submit();
        for ticket in tickets {
            ticket.wait().check().unwrap();
        }
    });
}

#[test]
fn a_hundred_callers_at_once() {
    with_queues(CodecKind::Vulkan, |queue| {
        let bytes = content(3000, 7);
        let stream = packed(&bytes);
        let file = file_of(&stream);
        std::thread::scope(|scope| {
            for caller in 0..100 {
                let (bytes, stream, file) = (&bytes, &stream, &file);
                scope.spawn(move || {
                    let target = buffer(3000);
                    let request = Request::read(file, 0, stream.len() as u64).gdeflate(3000);
                    done(queue, request.into_device(&target));
                    assert!(get(queue, &target) == *bytes, "caller {caller}");
                });
            }
        });
    });
}

#[test]
fn cancelled_requests_end_once_and_free_their_memory() {
    with_queues(CodecKind::Vulkan, |queue| {
        let bytes = content(6000, 8);
        let target = buffer(6000);
        for _ in 0..3 {
            let request = || Request::from_memory(packed(&bytes)).gdeflate(6000).into_device(&target);
            let tickets: Vec<_> = (0..10).map(|_| queue.enqueue(request()).unwrap()).collect();
            queue.submit();
            let cancelled = queue.cancel_all();
            let ended: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait()).collect();
            let ends = ended.iter().filter(|end| end.is_cancelled()).count();
            assert!(ends <= cancelled as usize);
            assert!(ended.iter().all(|end| end.is_cancelled() || end.result.is_ok()));
        }
        // All is as before.
        done(queue, Request::from_memory(packed(&bytes)).gdeflate(6000).into_device(&target));
        assert!(get(queue, &target) == bytes);
    });
}

/// Every request in flight fails once, and the processor goes on.
#[test]
fn a_lost_device_fails_what_it_has_and_leaves_the_runtime_usable() {
    let Some(device) = open() else { return };
    let engine = VulkanEngine::new(&device, VulkanConfig::default());
    let runtime = Runtime::builder().codec(CodecKind::Auto).device_engine(Arc::new(engine)).build().unwrap();
    let queue = queue_of(&runtime, QueueOptions::default());
    let bytes = content(2 << 20, 9);
    let target = GpuBuffer::new(&device, bytes.len() as u64).unwrap();
    let request = || Request::from_memory(bytes.clone()).into_device(&target);
    queue.enqueue(request()).unwrap().wait().check().unwrap();
    let tickets: Vec<_> = (0..50).map(|_| queue.enqueue(request()).unwrap()).collect();
    queue.submit();
    device.lose();
    let ends: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait().result).collect();
    assert!(
        ends.iter().all(|end| end.is_ok_and(|()| true) || end.unwrap_err().kind == ErrorKind::DeviceLost)
    );
    let later = queue.enqueue(request()).unwrap().wait();
    assert_eq!(later.result.unwrap_err().kind, ErrorKind::DeviceLost);
    let small = &bytes[..10_000];
    let host = done(&queue, Request::from_memory(packed(small)).gdeflate(10_000));
    assert!(host.buffer == small && host.path.contains(Path::CODEC_CPU));
    assert!(device.is_lost());
}

#[test]
fn two_runtimes_share_a_device() {
    if !is_here() {
        return;
    }
    let bytes = content(20_000, 10);
    let shared = buffer(20_000);
    let queues = [IoKind::Cpu, IoKind::Uring]
        .map(|io| queue_of(&runtime(io, CodecKind::Vulkan), QueueOptions::default()));
    std::thread::scope(|scope| {
        for queue in &queues {
            let bytes = &bytes;
            scope.spawn(move || {
                for _ in 0..5 {
                    let own = buffer(20_000);
                    done(queue, Request::from_memory(packed(bytes)).gdeflate(20_000).into_device(&own));
                    assert!(get(queue, &own) == *bytes);
                }
            });
        }
    });
    let [first, second] = &queues;
    put(first, &shared, &bytes);
    assert!(get(second, &shared) == bytes, "what one has put there the other finds");
    assert_silent();
}

/// Sixteen times the staging memory there is, up and down, and the engine's own blocks of the least size.
#[test]
fn raw_requests_may_be_larger_than_all_staging_memory() {
    if !is_here() {
        return;
    }
    let one = NonZeroUsize::MIN;
    for (io, import) in [(IoKind::Cpu, true), (IoKind::Uring, true), (IoKind::Cpu, false)] {
        let engine = engine(VulkanConfig::default().staging(0, one).device_memory(0, one).import(import));
        let builder = Runtime::builder().io(io).staging(STAGING).device_engine(engine);
        let queue = queue_of(&builder.build().unwrap(), QueueOptions::default());
        let bytes = content(16 * STAGING + 1234, 12);
        let (source, target) = (file_of(&bytes), buffer(bytes.len()));
        let size = bytes.len() as u64;
        let read = done(&queue, Request::read(&source, 0, size).into_device(&target));
        assert_eq!((read.bytes.read, read.bytes.delivered), (size, size));
        assert!(read.path.contains(Path::COPY_VULKAN), "{}", read.path);
        assert!(get(&queue, &target) == bytes);
        let file = file_of(&[]);
        let written = done(&queue, Request::write_from_device(&file, 0, &target));
        assert_eq!(written.bytes.delivered, size);
        assert!(done(&queue, Request::read(&file, 0, size)).buffer == bytes);
        // Beyond the end of the file: nothing is delivered, and the memory comes back.
        let beyond = queue.enqueue(Request::read(&source, 10, size).into_device(&target)).unwrap().wait();
        let kind = beyond.result.unwrap_err().kind;
        assert_eq!(kind, ErrorKind::EndOfFile { requested: size, got: size - 10 });
        // Cancelled in the midst of it.
        for _ in 0..5 {
            let ticket = queue.enqueue(Request::read(&source, 0, size).into_device(&target)).unwrap();
            queue.submit();
            queue.cancel_all();
            let ended = ticket.wait();
            assert!(ended.is_cancelled() || ended.result.is_ok(), "{:?}", ended.result);
        }
        done(&queue, Request::read(&source, 0, size).into_device(&target));
    }
    assert_silent();
}

/// A file of a device's memory: there and back through the page cache and past it.
#[test]
fn direct_files_reach_the_device() {
    with_queues(CodecKind::Vulkan, |queue| {
        let bytes = content(100_000, 11);
        let file: File = file_of(&bytes);
        let Ok(direct) = file.direct() else {
            eprintln!("SKIPPED: no direct I/O on this file system");
            return;
        };
        let target = buffer(60_000);
        done(queue, Request::read(&direct, 1234, 60_000).into_device(&target));
        assert!(get(queue, &target) == bytes[1234..61_234]);
    });
}
