//! What the driver decodes by itself (`VK_NV_memory_decompression`): the same bytes as the shader, nothing beside them, and the shader where
//! the driver does not take a tile.
//!
//! On a device whose driver does not decompress each test says `SKIPPED`, and looks at nothing.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;
#[allow(dead_code, reason = "only those of one folder are read")]
#[path = "../../ds-gdeflate/tests/support/vectors.rs"]
mod vectors;

use std::path::PathBuf;

use ds_core::{Done, Fault, Path, Transform};
use ds_engine::{CodecEngine, CodecJob, HostBytes};
use ds_gdeflate::{CodecId, Level, TILE_SIZE, TileStream, compress};
use ds_vulkan::{DecoderPath, Device, GpuBuffer, TileSpan, TimedDecode, TimedError, VulkanConfig};

use common::bench::{Bench, at, host};
use common::{assert_silent, device, open, options};
use jobs::{Memory, text};

const POISON: u8 = 0xA5;
/// Bytes around each output that nobody may write. An odd number of them, so that outputs begin and end anywhere.
const GUARD: u64 = 33;

/// A device that was opened for it, if its driver decompresses.
fn trusting() -> Option<Device> {
    let plain = device()?;
    let (info, has) = (plain.info().clone(), plain.info().features.nv_memory_decompression);
    assert_silent(plain);
    if !has {
        eprintln!("SKIPPED: {} has no VK_NV_memory_decompression of GDeflate: NOTHING IS TESTED", info.name);
        return None;
    }
    let device = open(&options().driver_decompression(true))?;
    assert_eq!(device.info().uuid, info.uuid);
    Some(device)
}

/// Runs a test with an engine that has the driver decode what it takes.
fn with_driver(test: impl FnOnce(&Bench)) {
    let Some(device) = trusting() else { return };
    let bench = Bench::new(&device, VulkanConfig::default().decoder_path(DecoderPath::Trusted));
    test(&bench);
    bench.end();
    assert_silent(device);
}

/// Streams in host memory, and where their contents go.
struct Streams {
    /// Each with its content.
    streams: Vec<(Memory, Vec<u8>)>,
    offsets: Vec<u64>,
    output: GpuBuffer,
}

impl Streams {
    /// Each goes to an offset of its own, which is that many bytes behind a multiple of four.
    fn new(bench: &Bench, streams: Vec<(Memory, Vec<u8>)>, beyond: impl Fn(usize) -> u64) -> Self {
        let (mut offsets, mut end) = (Vec::new(), 0);
        for (n, (_, content)) in streams.iter().enumerate() {
            let start = (end + GUARD).next_multiple_of(4) + beyond(n);
            offsets.push(start);
            end = start + content.len() as u64;
        }
        let output = bench.buffer(end + GUARD);
        bench.put(&output, 0, &vec![POISON; output.size() as usize]);
        Self { streams, offsets, output }
    }

    fn job(&self, bench: &Bench, n: usize) -> CodecJob {
        let (stream, content) = &self.streams[n];
        let lent: HostBytes = stream.lend();
        bench.job(Transform::GDeflate, host(lent), at(&self.output, self.offsets[n], content.len() as u64))
    }

    /// Has all of them decoded, submitted together, and compares every byte, those between included. `wanted` says of each whether the
    /// driver is to have done it.
    fn check(&self, bench: &Bench, wanted: impl Fn(usize) -> bool) {
        let mut jobs: Vec<_> = (0..self.streams.len()).map(|n| (n, self.job(bench, n), Path::NONE)).collect();
        while !jobs.is_empty() {
            bench.engine.submit(&mut jobs.iter().map(|(_, job, _)| *job).collect());
            jobs.retain_mut(|(n, job, taken)| {
                let finished = bench.log.wait(job.id);
                *taken |= finished.path;
                let Ok(Done::Decoded(step)) = finished.result else { panic!("{n}: {:?}", finished.result) };
                if step.finished {
                    assert_eq!(taken.contains(Path::DRIVER_DECOMPRESSION), wanted(*n), "{n}: {taken}");
                } else {
                    *job = CodecJob { cursor: step.cursor, ..self.job(bench, *n) };
                }
                !step.finished
            });
        }
        let mut expected = vec![POISON; self.output.size() as usize];
        for (offset, (_, content)) in self.offsets.iter().zip(&self.streams) {
            expected[*offset as usize..][..content.len()].copy_from_slice(content);
        }
        let got = bench.get(&self.output, 0, expected.len());
        let wrong = got.iter().zip(&expected).position(|(got, expected)| got != expected);
        assert_eq!(wrong, None, "the first byte that is wrong");
    }
}

fn packed(content: &[u8], level: Level) -> (Memory, Vec<u8>) {
    (Memory::of(&compress(content, level, CodecId::default()).unwrap()), content.to_vec())
}

#[test]
fn streams_of_other_encoders_decode_by_the_driver() {
    let there = concat!(env!("CARGO_MANIFEST_DIR"), "/../ds-gdeflate/tests/vectors");
    let folder = std::env::var_os("DS_VECTORS").map_or_else(|| there.into(), PathBuf::from);
    let vectors = vectors::read(&folder).expect("there are vectors: see DS_VECTORS");
    assert!(vectors.len() >= 7);
    with_driver(|bench| {
        for some in vectors.chunks(16) {
            let streams = || some.iter().map(|vector| (Memory::of(&vector.stream), vector.raw.to_vec()));
            let is_whole = |n: usize| !some[n].raw.is_empty();
            Streams::new(bench, streams().collect(), |_| 0).check(bench, is_whole);
            // Where the driver does not take them.
            Streams::new(bench, streams().collect(), |n| 1 + n as u64 % 3).check(bench, |_| false);
        }
    });
}

#[test]
fn many_tiles_at_once_of_every_length_and_wherever_they_go() {
    with_driver(|bench| {
        let text = text(8 * TILE_SIZE);
        let lens = [1, 3, 4, 1000, TILE_SIZE - 1, TILE_SIZE, TILE_SIZE + 1, 8 * TILE_SIZE];
        let once = lens.map(|len| packed(&text[text.len() - len..], Level::DEFAULT));
        // 1200 tiles, 4 of 5 streams for the driver.
        let all = (0..80).flat_map(|_| &once);
        let all = all.map(|(stream, content)| (Memory::of(&stream.bytes()), content.clone())).collect();
        let beyond = |n: usize| if n % 5 == 4 { 1 + n as u64 % 3 } else { 0 };
        Streams::new(bench, all, beyond).check(bench, |n| n % 5 != 4);
    });
}

#[test]
fn headers_and_tables_are_checked_as_ever() {
    with_driver(|bench| {
        let content = text(100_000);
        let stream = compress(&content, Level::FASTEST, CodecId::default()).unwrap();
        let buffer = bench.buffer(100_000);
        for at_byte in [0, 1, 2, 4] {
            let mut broken = stream.clone();
            broken[at_byte] ^= 0x55;
            let broken = Memory::of(&broken);
            let (from, into) = (host(broken.lend()), at(&buffer, 0, 100_000));
            let refused = bench.transform(Transform::GDeflate, from, into);
            assert!(matches!(refused, Err(Fault::Corrupt(_))), "byte {at_byte}: {refused:?}");
        }
    });
}

/// Bytes that do not become shorter are in blocks of their own kind, and the highest level has blocks of all kinds.
#[test]
fn every_kind_of_block_decodes() {
    with_driver(|bench| {
        let noise = |len: usize| -> Vec<u8> {
            let mut state = 1_u64;
            let mut draw = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            (0..len).map(|_| draw()).collect()
        };
        let contents =
            [noise(150_000), vec![7; 200_000], [noise(50_000), text(90_000)].concat(), text(300_000)];
        let streams = contents.iter().flat_map(|content| {
            [Level::FASTEST, Level::DEFAULT, Level::BEST_RATIO].map(|level| packed(content, level))
        });
        Streams::new(bench, streams.collect(), |_| 0).check(bench, |_| true);
    });
}

#[test]
fn tiles_in_device_memory_decode_when_they_are_timed() {
    with_driver(|bench| {
        let content = text(40 * TILE_SIZE + 1001);
        let stream = compress(&content, Level::DEFAULT, CodecId::default()).unwrap();
        let (mut packed, mut spans, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (tile, content) in TileStream::parse(&stream).unwrap().tiles().zip(content.chunks(TILE_SIZE)) {
            let (from, into) = (packed.len() as u64, expected.len() as u64);
            packed.extend_from_slice(tile.payload());
            spans.push(TileSpan {
                payload: from..packed.len() as u64,
                content: into..into + content.len() as u64,
            });
            expected.extend_from_slice(content);
            packed.resize(packed.len().next_multiple_of(16), 0);
            expected.resize((expected.len() + GUARD as usize).next_multiple_of(4), POISON);
        }
        let (input, output) = (bench.buffer(packed.len() as u64), bench.buffer(expected.len() as u64));
        bench.put(&input, 0, &packed);
        let mut decode = TimedDecode::new(&input, &output, &spans, DecoderPath::Trusted).unwrap();
        for _ in 0..2 {
            bench.put(&output, 0, &vec![POISON; expected.len()]);
            let timing = decode.run().unwrap();
            assert!(timing.device.is_none_or(|device| device <= timing.wall));
            assert_eq!(decode.verdict(), Ok(()), "it tells nothing");
            assert!(bench.get(&output, 0, expected.len()) == expected);
        }
        let refused = |payload, content| {
            let spans = [spans[0].clone(), TileSpan { payload, content }];
            TimedDecode::new(&input, &output, &spans, DecoderPath::Trusted).err()
        };
        assert_eq!(refused(0..64, 0..64), None);
        for (payload, content) in
            [(0..64, 2..64), (2..64, 0..64), (0..64, 0..65_537), (0..0, 0..64), (0..64, 4..4)]
        {
            assert_eq!(refused(payload, content), Some(TimedError::Span { tile: 1 }));
        }
        let mut nothing = TimedDecode::new(&input, &output, &[], DecoderPath::Trusted).unwrap();
        nothing.run().unwrap();
    });
}
