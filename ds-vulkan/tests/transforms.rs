//! Transforms: GDeflate, the demonstration, the application's own shaders; from host and device, into both.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use core::num::{NonZeroU32, NonZeroUsize};

use ds_core::{Corrupt, CorruptReason, DecodeStep, Fault, Transform};
use ds_engine::{CodecEngine, CodecJob, Place};
use ds_gdeflate::{CodecId, Level, compress};
use ds_vulkan::{ComputeTransform, DecoderPath, GpuBuffer, Upload, VulkanConfig, vk};

use common::bench::{Bench, at, host, with_both_kinds, with_engine};
use jobs::{Memory, text};

fn packed(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, Level::FASTEST, CodecId::default()).unwrap()
}

/// Bytes that are packed to about as many.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A place for output with other bytes before and behind it, and what it holds.
enum Target {
    Host(Memory),
    Buffer(GpuBuffer, GpuBuffer),
}

const GUARD: usize = 4099;

impl Target {
    fn host(len: usize) -> Self {
        Self::Host(Memory::new(len + 2 * GUARD))
    }

    /// With an address, or without.
    fn device(bench: &Bench, len: usize, addressed: bool) -> Self {
        let buffer = bench.buffer((len + 2 * GUARD) as u64);
        bench.put(&buffer, 0, &vec![0xEE; len + 2 * GUARD]);
        let transfers = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
        let view = match addressed {
            true => buffer.clone(),
            // SAFETY: the buffer is kept beside it.
            false => unsafe { GpuBuffer::borrow(buffer.device(), buffer.raw(), buffer.size(), transfers) },
        };
        Self::Buffer(buffer, view)
    }

    fn place(&self, len: usize) -> Place {
        match self {
            Self::Host(memory) => host(memory.part(GUARD, len)),
            Self::Buffer(_, view) => at(view, GUARD as u64, len as u64),
        }
    }

    /// What is there, once the guards have been seen to be untouched.
    fn bytes(&self, bench: &Bench, len: usize) -> Vec<u8> {
        let all = match self {
            Self::Host(memory) => memory.bytes(),
            Self::Buffer(buffer, _) => bench.get(buffer, 0, len + 2 * GUARD),
        };
        let guards = all[..GUARD].iter().chain(&all[GUARD + len..]);
        assert!(guards.copied().all(|byte| byte == 0xEE), "bytes beside the output were written");
        all[GUARD..][..len].to_vec()
    }
}

/// Every source and every target.
fn everywhere(
    bench: &Bench,
    transform: Transform,
    input: &[u8],
    len: usize,
    check: impl Fn(Result<u64, Fault>, Vec<u8>, &str),
) {
    let source = Memory::of(input);
    let resident = bench.buffer(input.len().max(1) as u64 + 3);
    bench.put(&resident, 3, input);
    for (from_name, from) in [("host", host(source.lend())), ("device", at(&resident, 3, input.len() as u64))]
    {
        for (into_name, target) in [
            ("host", Target::host(len)),
            ("device", Target::device(bench, len, true)),
            ("device without address", Target::device(bench, len, false)),
        ] {
            let result = bench.transform(transform, from, target.place(len));
            check(result, target.bytes(bench, len), &format!("{from_name} to {into_name}"));
        }
    }
}

#[test]
fn streams_of_every_size_decode_everywhere() {
    for path in [DecoderPath::Auto, DecoderPath::AnySize] {
        with_both_kinds(&VulkanConfig::default().decoder_path(path), |bench| {
            for len in [0, 1, 65_535, 65_536, 65_537, 150_000] {
                let bytes = text(len);
                everywhere(bench, Transform::GDeflate, &packed(&bytes), len, |result, output, ends| {
                    assert_eq!(result, Ok(len as u64), "{len} bytes, {ends}");
                    assert!(output == bytes, "{len} bytes, {ends}");
                });
            }
        });
    }
}

/// Written by the host to where shaders read, as on a card with a window on its memory; by way of other memory where there is none.
#[test]
fn packed_bytes_go_straight_to_the_devices_memory() {
    let one = NonZeroUsize::MIN;
    for config in [VulkanConfig::default(), VulkanConfig::default().staging(0, one).device_memory(0, one)] {
        with_both_kinds(&config.upload(Upload::Direct), |bench| {
            let bytes = text(150_000);
            everywhere(bench, Transform::GDeflate, &packed(&bytes), bytes.len(), |result, output, ends| {
                assert_eq!(result, Ok(150_000), "{ends}");
                assert!(output == bytes, "{ends}");
            });
        });
    }
}

#[test]
fn which_way_packed_bytes_take_is_told() {
    let Some(device) = common::device() else { return };
    let card = VulkanConfig::default().as_card(true);
    let direct = card.clone().upload(Upload::Direct);
    assert!(!card.uploads_directly(&device), "it was not asked for");
    if device.info().kind == ds_vulkan::DeviceKind::Software {
        assert!(direct.uploads_directly(&device), "all of its memory is a window");
        assert!(!direct.as_card(false).uploads_directly(&device), "there is but one memory");
    }
    common::assert_silent(device);
}

#[test]
fn a_stream_decodes_as_it_arrives() {
    with_engine(VulkanConfig::default(), |bench| {
        let bytes = text(400_000);
        let stream = packed(&bytes);
        let (source, target) = (Memory::new(stream.len()), Target::device(bench, bytes.len(), true));
        let (mut arrived, mut cursor, mut steps) = (0, 0, 0);
        loop {
            let job = CodecJob {
                available: arrived as u64,
                cursor,
                ..bench.job(Transform::GDeflate, host(source.lend()), target.place(bytes.len()))
            };
            let DecodeStep { cursor: next, wants, finished, .. } = bench.step(job).unwrap();
            (cursor, steps) = (next, steps + 1);
            if finished {
                break;
            }
            assert!(wants as usize > arrived && wants as usize <= stream.len(), "it wants what there is");
            source.put(arrived, &stream[arrived..wants as usize]);
            arrived = wants as usize;
        }
        assert!(steps > 5, "{steps} steps");
        assert!(target.bytes(bench, bytes.len()) == bytes);
    });
}

/// In whatever order the engine has the device decode them: by the host's tables, by the device's, and by both.
#[test]
fn many_streams_go_in_one_submission() {
    const DAMAGED: usize = 62;
    for residents_of_two in 0..=2 {
        with_engine(VulkanConfig::default(), |bench| {
            let contents: Vec<_> = (0..100).map(|n| noise(1000 + 37 * n)).collect();
            let stream = |n: usize| {
                let mut stream = packed(&contents[n]);
                if n == DAMAGED {
                    // A type of block that there is not.
                    stream[12..16].fill(0xFF);
                }
                Memory::of(&stream)
            };
            let sources: Vec<_> = (0..contents.len()).map(stream).collect();
            let targets: Vec<_> =
                contents.iter().map(|bytes| Target::device(bench, bytes.len(), true)).collect();
            let residents: Vec<_> = sources
                .iter()
                .map(|source| {
                    let stream = source.bytes();
                    let buffer = bench.buffer(stream.len() as u64);
                    bench.put(&buffer, 0, &stream);
                    buffer
                })
                .collect();
            let jobs: Vec<_> = (0..contents.len())
                .map(|n| {
                    let from = match n % 2 < residents_of_two {
                        true => at(&residents[n], 0, residents[n].size()),
                        false => host(sources[n].lend()),
                    };
                    bench.job(Transform::GDeflate, from, targets[n].place(contents[n].len()))
                })
                .collect();
            bench.engine.submit(&mut jobs.clone());
            for (n, job) in jobs.into_iter().enumerate() {
                let answer = bench.answer(job);
                let output = targets[n].bytes(bench, contents[n].len());
                match answer {
                    Ok(step) => assert!(step.finished && output == contents[n], "stream {n}"),
                    Err(fault) => {
                        assert!(matches!(fault, Fault::Corrupt(Corrupt { tile: Some(0), .. })), "{fault:?}");
                    }
                }
                assert_eq!(answer.is_err(), n == DAMAGED, "stream {n}");
            }
        });
    }
}

#[test]
fn one_bad_stream_beside_good_ones_harms_only_itself() {
    with_engine(VulkanConfig::default(), |bench| {
        let bytes = text(3000);
        let good = packed(&bytes);
        let mut bad = good.clone();
        bad[40..60].fill(0xFF);
        let (sources, targets): (Vec<_>, Vec<_>) = (0..9)
            .map(|n| (Memory::of(if n % 3 == 1 { &bad } else { &good }), Target::device(bench, 3000, true)))
            .unzip();
        let ends = sources.iter().zip(&targets);
        let jobs: Vec<_> = ends
            .map(|(source, target)| bench.job(Transform::GDeflate, host(source.lend()), target.place(3000)))
            .collect();
        bench.engine.submit(&mut jobs.clone());
        for (n, (job, target)) in jobs.into_iter().zip(&targets).enumerate() {
            let result = bench.answer(job);
            let output = target.bytes(bench, 3000);
            if n % 3 == 1 {
                assert!(matches!(result, Err(Fault::Corrupt(Corrupt { tile: Some(0), .. }))), "{result:?}");
            } else {
                assert!(result.unwrap().finished && output == bytes);
            }
        }
    });
}

/// What the host checks in streams it sees, a pass on the device checks in those it does not.
#[test]
fn containers_that_contradict_themselves_are_refused_by_host_and_device() {
    with_engine(VulkanConfig::default(), |bench| {
        let len = 150_000;
        let good = packed(&text(len));
        let changed = |at: usize, to: &[u8]| {
            let mut stream = good.clone();
            stream[at..at + to.len()].copy_from_slice(to);
            stream
        };
        use CorruptReason as Reason;
        let cases = [
            (changed(0, &[5]), Reason::Header, None),
            (changed(1, &[0]), Reason::Header, None),
            (changed(2, &[9, 0]), Reason::Size, None),
            (changed(2, &[0, 0]), Reason::Header, None),
            (changed(4, &[0]), Reason::Header, None),
            (changed(7, &[0xFF]), Reason::Header, None),
            (changed(12, &[2, 0, 0, 0]), Reason::Table, Some(0..=1)),
            (changed(12, &[0, 0, 0, 0]), Reason::Table, Some(0..=1)),
            (changed(16, &[0, 0, 0, 0]), Reason::Table, Some(1..=2)),
            (changed(8, &[0, 0, 0, 0x40]), Reason::Table, Some(2..=2)),
            (good[..7].to_vec(), Reason::Truncated, None),
            (good[..19].to_vec(), Reason::Truncated, None),
        ];
        for (stream, reason, tiles) in cases {
            everywhere(bench, Transform::GDeflate, &stream, len, |result, _, ends| {
                let Err(Fault::Corrupt(corrupt)) = result else { panic!("{reason:?}, {ends}: {result:?}") };
                assert_eq!(corrupt.reason, reason, "{ends}: {corrupt}");
                match (&tiles, corrupt.tile) {
                    (None, None) => {}
                    (Some(tiles), Some(tile)) => assert!(tiles.contains(&tile), "{ends}: {corrupt}"),
                    _ => panic!("{ends}: {corrupt}"),
                }
            });
        }
        // Tiles that reach past the end.
        everywhere(bench, Transform::GDeflate, &good[..good.len() - 4], len, |result, _, ends| {
            assert!(
                matches!(result, Err(Fault::Corrupt(Corrupt { reason: Reason::Truncated, .. }))),
                "{ends}"
            );
        });
        // Another size than the request's.
        everywhere(bench, Transform::GDeflate, &good, len - 1, |result, _, ends| {
            assert!(matches!(result, Err(Fault::Corrupt(Corrupt { reason: Reason::Size, .. }))), "{ends}");
        });
    });
}

#[test]
fn letters_become_upper_case_everywhere() {
    with_both_kinds(&VulkanConfig::default(), |bench| {
        for len in [0, 1, 15, 16, 1023, 1024, 1025, 70_001] {
            let bytes = text(len);
            everywhere(bench, Transform::FakeUppercase, &bytes, len, |result, output, ends| {
                assert_eq!(result, Ok(len as u64), "{len} bytes, {ends}");
                assert!(output == bytes.to_ascii_uppercase(), "{len} bytes, {ends}");
            });
        }
        everywhere(bench, Transform::FakeUppercase, b"abc", 4, |result, output, ends| {
            assert!(matches!(result, Err(Fault::Corrupt(_))), "{ends}");
            assert_eq!(output, [0xEE; 4], "{ends}");
        });
    });
}

#[test]
fn an_applications_shader_is_a_transform() {
    let spirv = include_bytes!("../shaders/spirv/uppercase.spv");
    let (place, each) = (tempfile::NamedTempFile::new().unwrap(), NonZeroU32::new(1024).unwrap());
    std::fs::write(place.path(), spirv).unwrap();
    // SAFETY: one of our own, validated, which keeps to the interface.
    let upper = unsafe { ComputeTransform::from_spirv(spirv, each) }.unwrap();
    // SAFETY: the same one.
    let of_file = unsafe { ComputeTransform::from_file(place.path(), each) }.unwrap();
    with_engine(VulkanConfig::default().transform(7, upper).transform(9, of_file), |bench| {
        assert!(bench.engine.supports(Transform::Custom(7)) && !bench.engine.supports(Transform::Custom(8)));
        everywhere(bench, Transform::Custom(9), b"of a file", 9, |result, output, ends| {
            assert_eq!((result, &output[..]), (Ok(9), &b"OF A FILE"[..]), "{ends}");
        });
        let bytes = text(10_001);
        everywhere(bench, Transform::Custom(7), &bytes, 10_001, |result, output, ends| {
            assert_eq!(result, Ok(10_001), "{ends}");
            assert!(output == bytes.to_ascii_uppercase(), "{ends}");
        });
        // It refuses other lengths, with a number of its own.
        everywhere(bench, Transform::Custom(7), &bytes, 10_000, |result, _, ends| {
            let Err(Fault::Corrupt(corrupt)) = result else { panic!("{ends}: {result:?}") };
            assert_eq!((corrupt.reason, corrupt.actual), (CorruptReason::Custom, 1), "{ends}");
        });
        everywhere(bench, Transform::Custom(8), &bytes, 10_001, |result, _, ends| {
            assert!(matches!(result, Err(Fault::Unsupported(_))), "{ends}");
        });
    });
}

/// Steps as small as the smallest blocks make them.
#[test]
fn streams_larger_than_all_memory_decode_in_steps() {
    let one = NonZeroUsize::MIN;
    let config = VulkanConfig::default().staging(0, one).device_memory(0, one).import(false);
    with_both_kinds(&config, |bench| {
        let len = 600_000;
        let bytes: Vec<_> = text(len).iter().map(|byte| byte & 1).collect();
        everywhere(bench, Transform::GDeflate, &packed(&bytes), len, |result, output, ends| {
            assert_eq!(result, Ok(len as u64), "{ends}");
            assert!(output == bytes, "{ends}");
        });
    });
}
