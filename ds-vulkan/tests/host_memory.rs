//! Host memory that the device sees: it moves and decodes as any other does, and its owner and a request never have it at once.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::num::NonZeroUsize;

use ds_core::{Done, Fault, Location, Transform};
use ds_engine::{DeviceRange, Place};
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::{HostBuffer, VulkanConfig};

use common::bench::{Bench, at, host, with_both_kinds};
use common::{assert_silent, device};
use jobs::{Memory, text};

/// What a job for a range names. It is good as long as the range is there.
fn place(range: &DeviceRange) -> Place {
    match range.location() {
        Location::Device { device, handle, offset, len } => Place::Device { device, handle, offset, len },
        other => panic!("{other:?} is not on a device"),
    }
}

fn filled(bench: &Bench, bytes: &[u8]) -> HostBuffer {
    let mut buffer = HostBuffer::new(&bench.device, bytes.len() as u64).unwrap();
    buffer.bytes().unwrap().copy_from_slice(bytes);
    buffer
}

#[test]
fn its_owner_has_it_or_requests_do() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        let bytes = text(5000);
        let (mut buffer, target) = (filled(bench, &bytes), bench.buffer(5000));
        let (first, second) = (buffer.range(0..5000), buffer.range(5000..6000));
        let named = place(&first);
        assert!(buffer.bytes().is_none(), "two ranges are kept");
        assert_eq!(bench.copy(named, at(&target, 0, 5000)), Ok(Done::Moved(5000)));
        assert!(second.check().is_err() && first.check().is_ok());
        drop(second);
        assert!(buffer.bytes().is_none(), "one is");
        drop(first);
        assert!(buffer.bytes().is_some_and(|held| *held == bytes), "none is, and no job has it");
        // A name alone is no right to the memory: its owner might be writing.
        let refused = bench.copy(named, at(&target, 0, 5000));
        assert!(matches!(refused, Err(Fault::Unsupported(_))), "{refused:?}");
        // A range keeps the memory, whatever becomes of the buffer.
        let last = DeviceRange::from(&buffer);
        drop(buffer);
        assert_eq!(bench.copy(place(&last), at(&target, 0, 5000)), Ok(Done::Moved(5000)));
        drop(last);
        let refused = bench.copy(named, at(&target, 0, 5000));
        assert!(matches!(refused, Err(Fault::Unsupported(_))), "{refused:?}");
    });
}

#[test]
fn bytes_move_to_and_from_it() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        const LEN: usize = 300_000;
        let bytes = text(LEN);
        let (memory, plain) = (bench.buffer(LEN as u64), Memory::new(LEN));
        let (source, mut target) = (filled(bench, &bytes), filled(bench, &[0; LEN]));
        let (from, into) = (source.range(7..LEN as u64), target.range(7..LEN as u64));
        let (len, moved) = (LEN as u64 - 7, Ok(Done::Moved(LEN as u64 - 7)));
        let part = |memory: &Memory| host(memory.part(7, LEN - 7));
        assert_eq!(bench.copy(place(&from), at(&memory, 1, len)), moved);
        assert_eq!(bench.copy(at(&memory, 1, len), place(&into)), moved);
        assert_eq!(bench.copy(place(&into), part(&plain)), moved, "from one host memory to another");
        assert!(plain.bytes()[7..] == bytes[7..]);
        drop(into);
        target.bytes().unwrap().fill(0);
        let into = target.range(7..LEN as u64);
        assert_eq!(bench.copy(part(&plain), place(&into)), moved);
        assert_eq!(bench.copy(place(&from), place(&into)), moved);
        let (a, b) = (target.range(0..1000), target.range(999..1999));
        let overlapping = bench.copy(place(&a), place(&b));
        assert!(matches!(overlapping, Err(Fault::Unsupported(_))), "{overlapping:?}");
        drop((into, a, b));
        let held = target.bytes().unwrap();
        assert!(held[..7] == [0; 7] && held[7..] == bytes[7..]);
    });
}

#[test]
fn streams_decode_from_it_and_into_it() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        const LEN: u64 = 150_000;
        let bytes = text(LEN as usize);
        let stream = compress(&bytes, Level::FASTEST, CodecId::default()).unwrap();
        let shifted = [&[9; 5][..], &stream].concat();
        let (source, mut target) = (filled(bench, &shifted), filled(bench, &[0; LEN as usize + 3]));
        let (from, into) = (source.range(5..shifted.len() as u64), target.range(3..LEN + 3));
        let (memory, plain) = (bench.buffer(LEN), Memory::new(LEN as usize));
        for into in [place(&into), at(&memory, 0, LEN), host(plain.lend())] {
            assert_eq!(bench.transform(Transform::GDeflate, place(&from), into), Ok(LEN), "{into:?}");
        }
        drop(into);
        assert!(target.bytes().unwrap()[3..] == bytes && plain.bytes() == bytes);
        assert!(bench.get(&memory, 0, LEN as usize) == bytes);
    });
}

/// With blocks of the least size, a stream whose payloads fill several shares of one goes in one submission all the same.
#[test]
fn a_stream_of_several_shares_is_one_step() {
    let config = VulkanConfig::default().device_memory(0, NonZeroUsize::new(2).unwrap());
    let mut random = 1_u32;
    let noise = core::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as u8
    });
    let bytes: Vec<u8> = noise.take(9 << 16).collect();
    let stream = compress(&bytes, Level::FASTEST, CodecId::default()).unwrap();
    assert!(stream.len() > VulkanConfig::MIN_BLOCK / 2);
    with_both_kinds(&config, |bench| {
        let (source, memory) = (filled(bench, &stream), bench.buffer(bytes.len() as u64));
        let from = DeviceRange::from(&source);
        let job = bench.job(Transform::GDeflate, place(&from), at(&memory, 0, bytes.len() as u64));
        let step = bench.step(job).unwrap();
        assert!(step.finished, "{step:?}");
        assert!(bench.get(&memory, 0, bytes.len()) == bytes);
    });
}

#[test]
fn nothing_is_left_of_it() {
    let Some(device) = device() else { return };
    let mut buffer = HostBuffer::new(&device, 1).unwrap();
    assert_eq!((buffer.size(), buffer.bytes().map(|bytes| bytes.len())), (1, Some(1)));
    assert_eq!(buffer.device(), &device);
    let range = DeviceRange::from(&buffer);
    drop(buffer);
    drop(range);
    assert!(HostBuffer::new(&device, 1 << 60).is_err());
    assert_silent(device);
}

/// Streams one behind the other, some with a gap between, go to the device in few copies; each decodes as it would alone, and a damaged
/// one harms no other.
#[test]
fn neighbours_are_decoded_one_by_one() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        const EACH: usize = 3000;
        const COUNT: usize = 24;
        let all = text(EACH * COUNT);
        let (mut packed, mut ranges) = (Vec::new(), Vec::new());
        for (n, content) in all.chunks(EACH).enumerate() {
            let mut stream = compress(content, Level::FASTEST, CodecId::default()).unwrap();
            if n == 7 {
                stream[30..60].fill(0xFF);
            }
            // None, one that leaves words where they are, one that does not, and one that is too wide.
            packed.resize(packed.len() + [0, 0, 4, 3, 5000][n % 5], 0xFF);
            ranges.push(packed.len() as u64..(packed.len() + stream.len()) as u64);
            packed.extend(stream);
        }
        let (source, plain) = (filled(bench, &packed), Memory::of(&packed));
        for pinned in [true, false] {
            let memory = bench.buffer(all.len() as u64);
            bench.put(&memory, 0, &vec![0; all.len()]);
            let held: Vec<_> = ranges.iter().map(|range| source.range(range.clone())).collect();
            let from = |n: usize| match pinned {
                true => place(&held[n]),
                false => {
                    host(plain.part(ranges[n].start as usize, (ranges[n].end - ranges[n].start) as usize))
                }
            };
            let into = |n: usize| at(&memory, (n * EACH) as u64, EACH as u64);
            let jobs: Vec<_> = (0..COUNT).map(|n| bench.job(Transform::GDeflate, from(n), into(n))).collect();
            ds_engine::CodecEngine::submit(&bench.engine, &mut jobs.clone());
            for (n, job) in jobs.into_iter().enumerate() {
                let answer = bench.answer(job);
                assert_eq!(answer.is_ok_and(|step| step.finished), n != 7, "{n}: {answer:?}");
            }
            for (n, content) in all.chunks(EACH).enumerate().filter(|(n, _)| *n != 7) {
                assert!(bench.get(&memory, (n * EACH) as u64, EACH) == content, "{n}, pinned: {pinned}");
            }
        }
    });
}
