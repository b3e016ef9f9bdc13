//! Decoding and copying by themselves: the same bytes and verdicts as through the engine, and spans that are checked.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;

use common::bench::{Bench, with_engine};
use ds_core::{CorruptReason, Fault};
use ds_gdeflate::{CodecId, Level, TileStream, compress};
use ds_vulkan::{DecoderPath, GpuBuffer, TileSpan, TimedDecode, TimedError, TimedUpload, VulkanConfig};

const POISON: u8 = 0xA5;
/// Bytes after each tile's content that nobody may write.
const GUARD: u64 = 32;

fn content() -> Vec<u8> {
    (0..70_000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect()
}

/// Tiles in device memory, with gaps between their contents, and where they lie.
fn tiles(bench: &Bench, content: &[u8]) -> (GpuBuffer, GpuBuffer, Vec<TileSpan>) {
    let stream = compress(content, Level::FASTEST, CodecId::Reference).unwrap();
    let (mut packed, mut spans, mut at) = (Vec::new(), Vec::new(), 0);
    for tile in TileStream::parse(&stream).unwrap().tiles() {
        let start = packed.len() as u64;
        packed.extend_from_slice(tile.payload());
        let end = at + tile.uncompressed_size() as u64;
        spans.push(TileSpan { payload: start..packed.len() as u64, content: at..end });
        at = end + GUARD;
        packed.resize(packed.len().next_multiple_of(16), 0);
    }
    let (input, output) = (bench.buffer(packed.len() as u64), bench.buffer(at));
    bench.put(&input, 0, &packed);
    bench.put(&output, 0, &vec![POISON; at as usize]);
    (input, output, spans)
}

#[test]
fn tiles_are_decoded_where_they_belong_and_nowhere_else() {
    with_engine(VulkanConfig::default(), |bench| {
        let content = content();
        let (input, output, spans) = tiles(bench, &content);
        for path in [DecoderPath::Auto, DecoderPath::AnySize] {
            bench.put(&output, 0, &vec![POISON; output.size() as usize]);
            let mut decode = TimedDecode::new(&input, &output, &spans, path).unwrap();
            assert!(
                matches!(decode.verdict(), Err(TimedError::Tile { tile: 0, .. })),
                "nothing is decoded yet"
            );
            let timing = decode.run().unwrap();
            assert!(timing.device.is_none_or(|device| device <= timing.wall));
            assert_eq!(decode.verdict(), Ok(()));
            let guard = [POISON; GUARD as usize];
            let expected: Vec<_> = content.chunks(65_536).flat_map(|tile| [tile, &guard].concat()).collect();
            assert!(bench.get(&output, 0, output.size() as usize) == expected);
        }
    });
}

#[test]
fn a_damaged_tile_is_named_with_its_reason() {
    with_engine(VulkanConfig::default(), |bench| {
        let (input, output, mut spans) = tiles(bench, &content());
        spans[1].payload.end -= 64;
        let mut decode = TimedDecode::new(&input, &output, &spans, DecoderPath::Auto).unwrap();
        decode.run().unwrap();
        match decode.verdict() {
            Err(TimedError::Tile { tile: 1, fault: Fault::Corrupt(corrupt) }) => {
                assert_eq!(corrupt.reason, CorruptReason::Truncated);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_driver_decodes_only_where_it_was_switched_on() {
    with_engine(VulkanConfig::default(), |bench| {
        let (input, output, spans) = tiles(bench, &content());
        let refused = TimedDecode::new(&input, &output, &spans, DecoderPath::Trusted).err();
        assert_eq!(refused, Some(TimedError::NoDriver));
        let mut fast = TimedDecode::new(&input, &output, &spans, DecoderPath::Auto).unwrap();
        fast.run().unwrap();
        assert_eq!(fast.verdict(), Ok(()));
    });
}

#[test]
fn spans_outside_of_buffers_are_refused() {
    with_engine(VulkanConfig::default(), |bench| {
        let (input, output) = (bench.buffer(64), bench.buffer(128));
        let refused = |payload, content| {
            let spans = [TileSpan { payload: 0..64, content: 0..128 }, TileSpan { payload, content }];
            TimedDecode::new(&input, &output, &spans, DecoderPath::Auto).err()
        };
        assert_eq!(refused(0..64, 0..128), None);
        let lies_wrong = |payload: [u64; 2], content: [u64; 2]| {
            let error = refused(payload[0]..payload[1], content[0]..content[1]);
            assert_eq!(error, Some(TimedError::Span { tile: 1 }), "{payload:?}, {content:?}");
        };
        lies_wrong([0, 65], [0, 1]);
        lies_wrong([60, 68], [0, 1]);
        lies_wrong([2, 64], [0, 1]);
        lies_wrong([8, 4], [0, 1]);
        lies_wrong([4, 64], [100, 129]);
        lies_wrong([0, 4], [9, 1]);
        let refused = TimedUpload::new(&input, &[0; 65]).err();
        assert_eq!(refused, Some(TimedError::TooLong { len: 65, room: 64 }));
    });
}

#[test]
fn an_upload_brings_its_bytes_and_nothing_is_timed_as_well() {
    with_engine(VulkanConfig::default(), |bench| {
        let (content, buffer) = (content(), bench.buffer(80_000));
        bench.put(&buffer, 0, &[POISON; 80_000]);
        TimedUpload::new(&buffer, &content).unwrap().run().unwrap();
        let got = bench.get(&buffer, 0, 80_000);
        assert!(got[..content.len()] == content && got[content.len()..].iter().all(|byte| *byte == POISON));

        let mut nothing = TimedDecode::new(&buffer, &buffer, &[], DecoderPath::Auto).unwrap();
        nothing.run().unwrap();
        assert_eq!(nothing.verdict(), Ok(()));
        TimedUpload::new(&buffer, &[]).unwrap().run().unwrap();
        assert!(bench.get(&buffer, 0, 80_000) == got);
    });
}
