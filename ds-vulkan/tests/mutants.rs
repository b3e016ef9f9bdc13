//! Damaged streams: the device accepts what the processor accepts, makes the same bytes, and refuses the rest for the same reason.

mod common;
#[path = "common/damage.rs"]
mod damage;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use std::collections::BTreeMap;

use ds_core::{Corrupt, CorruptReason, Fault, Transform};
use ds_engine::gdeflate::{from_stream, from_tile, size_mismatch};
use ds_engine::{CodecEngine, Place};
use ds_gdeflate::{Decoder, Header, TileStream};
use ds_vulkan::{DecoderPath, VulkanConfig};

use common::bench::{Bench, at, host, with_engine};
use damage::{Kind, Random, most_content, mutant, seeds};
use jobs::{Memory, text};

/// Streams in one go.
const ROUND: usize = 250;

/// How many: `DS_MUTANTS`, or as many as take half a minute on a device of software; fewer with `DS_TEST_QUICK=1`. Of ten, seven have their payload damaged, two
/// header or table, and one is damaged anywhere and in device memory, where only the device sees it.
fn wanted() -> usize {
    let wished = std::env::var("DS_MUTANTS").ok().and_then(|n| n.parse().ok());
    let quick = std::env::var_os("DS_TEST_QUICK").is_some_and(|value| value != "0");
    wished.unwrap_or(if quick { 1000 } else { 10_000 })
}

/// What the processor says: the content, or why there is none.
fn expected(stream: &[u8], len: usize) -> Result<Vec<u8>, Corrupt> {
    // Before the table: how long that is to be depends on the size.
    if let Ok(header) = Header::parse(stream)
        && header.uncompressed_size() != len as u64
    {
        return Err(size_mismatch(len as u64, header.uncompressed_size()));
    }
    let parsed = TileStream::parse(stream).map_err(from_stream)?;
    let (mut decoder, mut output) = (Decoder::new(), vec![0; len]);
    for tile in parsed.tiles() {
        let range = tile.uncompressed_range();
        let output = &mut output[range.start as usize..range.end as usize];
        decoder.decode_tile(tile.payload(), output).map_err(|error| from_tile(tile.index(), error))?;
    }
    Ok(output)
}

/// Whether the device's verdict is the processor's. Where the device alone sees a stream it has no numbers; and of a container with
/// several faults it may name another one, for it looks at all tiles at once.
fn agree(kind: Kind, device: Corrupt, processor: Corrupt) -> bool {
    use CorruptReason::{Header, Size, Table, Truncated};
    let container = |reason| matches!(reason, Header | Size | Table | Truncated);
    match kind {
        Kind::Payload | Kind::Container => device == processor,
        Kind::Resident => {
            let same = (device.reason, device.tile) == (processor.reason, processor.tile);
            same || container(device.reason) && container(processor.reason)
        }
    }
}

fn compare(bench: &Bench, kind: Kind, streams: &[(Vec<u8>, usize)], seen: &mut BTreeMap<String, usize>) {
    const GUARD: usize = 64;
    let sources: Vec<_> = streams.iter().map(|(stream, _)| Memory::of(stream)).collect();
    // In device memory one behind the other, at all alignments.
    let packed = bench.buffer(streams.iter().map(|(stream, _)| stream.len() as u64 + 1).sum());
    let mut offset = 0;
    let places: Vec<_> = streams
        .iter()
        .map(|(stream, _)| {
            let place = at(&packed, offset, stream.len() as u64);
            if kind == Kind::Resident && !stream.is_empty() {
                bench.put(&packed, offset, stream);
            }
            offset += stream.len() as u64 + 1;
            place
        })
        .collect();
    // One behind the other in one buffer: what runs over spoils a neighbour, or a guard.
    let stride = streams.iter().map(|(_, len)| len).max().unwrap_or(&0) + GUARD;
    let whole = bench.buffer((stride * streams.len() + GUARD) as u64);
    bench.put(&whole, 0, &vec![0xEE; whole.size() as usize]);
    let place = |n: usize| -> Place { at(&whole, (GUARD + n * stride) as u64, streams[n].1 as u64) };
    let jobs: Vec<_> = (0..streams.len())
        .map(|n| {
            let from = if kind == Kind::Resident { places[n] } else { host(sources[n].lend()) };
            bench.job(Transform::GDeflate, from, place(n))
        })
        .collect();
    bench.engine.submit(&mut jobs.clone());
    let results: Vec<_> = jobs.into_iter().map(|job| bench.answer(job)).collect();
    let all = bench.get(&whole, 0, whole.size() as usize);
    for (n, (result, (stream, len))) in results.into_iter().zip(streams).enumerate() {
        let start = GUARD + n * stride;
        let (guard, output) = (&all[start - GUARD..start], &all[start..start + len]);
        assert!(
            guard.iter().all(|&byte| byte == 0xEE),
            "bytes before stream {n} were written: {stream:02x?}"
        );
        let reason = match (expected(stream, *len), result) {
            (Ok(content), Ok(step)) => {
                assert!(step.finished && output == content, "other bytes: {stream:02x?}");
                "accepted".to_owned()
            }
            (Err(expected), Err(Fault::Corrupt(corrupt))) => {
                assert!(
                    agree(kind, corrupt, expected),
                    "the processor says {expected}, the device {corrupt}: {stream:02x?}"
                );
                format!("{:?}", corrupt.reason)
            }
            (expected, result) => {
                panic!("the processor says {expected:?}, the device {result:?}: {stream:02x?}")
            }
        };
        *seen.entry(reason).or_default() += 1;
        // What lies behind a shorter one is a guard as well.
        assert!(all[start + len..start + stride].iter().all(|&byte| byte == 0xEE), "bytes behind stream {n}");
    }
}

/// So many mutants of a kind.
fn run(bench: &Bench, kind: Kind, mut left: usize) {
    let (seeds, mut random, mut seen) = (seeds(text), Random(1), BTreeMap::new());
    let wanted = left;
    while left > 0 {
        let round = left.min(ROUND);
        let streams: Vec<_> = (0..round)
            .map(|_| {
                let seed = &seeds[random.next(seeds.len())];
                let len = TileStream::parse(seed).unwrap().uncompressed_size();
                (mutant(&mut random, seed, kind), len as usize)
            })
            .collect();
        compare(bench, kind, &streams, &mut seen);
        left -= round;
    }
    println!("{wanted} of {kind:?}: {seen:?}");
    assert!(wanted < 100 || seen.len() > 2, "{seen:?}");
}

#[test]
fn device_and_processor_agree_on_damaged_streams() {
    for path in [DecoderPath::Auto, DecoderPath::AnySize] {
        with_engine(VulkanConfig::default().decoder_path(path), |bench| {
            println!("{path:?} on {}, up to {} bytes:", bench.device.info().name, most_content());
            let wanted = wanted();
            for (kind, tenths) in [(Kind::Payload, 7), (Kind::Container, 2), (Kind::Resident, 1)] {
                run(bench, kind, wanted * tenths / 10);
            }
        });
        // On devices without subgroups of 32 both ways are the same.
        let same = common::device().is_none_or(|device| {
            let (least, most) = device.info().features.subgroup_sizes;
            !(least..=most).contains(&32)
        });
        if same {
            break;
        }
    }
}
