//! Containers that lie: each is refused with the error that says so, and its numbers.

use ds_gdeflate::{
    DecodeError, Decoder, Header, MAX_TILE_PAYLOAD, SimdLevel, StreamError, TILE_SIZE, TileStream, TileTable,
};

mod support;

/// A container as its fields would have it: whatever they are.
#[derive(Clone, Debug)]
struct Container {
    id: [u8; 2],
    tiles: u16,
    size_index: u32,
    last: u32,
    reserved: u32,
    table: Vec<u32>,
    payload: usize,
}

impl Container {
    /// Three tiles of 128, 132 and 136 bytes, the last of 1000 bytes of content.
    fn good() -> Self {
        Self {
            id: [0x04, 0xFB],
            tiles: 3,
            size_index: 1,
            last: 1000,
            reserved: 0,
            table: vec![136, 128, 260],
            payload: 396,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let fields = self.size_index | self.last << 2 | self.reserved << 20;
        let mut bytes = self.id.to_vec();
        bytes.extend(self.tiles.to_le_bytes());
        bytes.extend(fields.to_le_bytes());
        bytes.extend(self.table.iter().flat_map(|entry| entry.to_le_bytes()));
        bytes.resize(bytes.len() + self.payload, 0);
        bytes
    }
}

/// The error that the good container gets with one thing changed.
#[track_caller]
fn refused(change: impl FnOnce(&mut Container)) -> StreamError {
    let mut container = Container::good();
    change(&mut container);
    let bytes = container.bytes();
    let error = TileStream::parse(&bytes).expect_err("the container lies");
    // All that is wrong with a container shows in its header, its table and its length.
    let prefix = &bytes[..bytes.len() - container.payload];
    assert_eq!(TileTable::parse(prefix, bytes.len() as u64).expect_err("the same lie"), error);
    assert!(!error.to_string().is_empty());
    error
}

#[test]
fn hostile_containers_start_from_a_good_one() {
    let bytes = Container::good().bytes();
    let stream = TileStream::parse(&bytes).expect("nothing is wrong with it");
    assert_eq!(stream.uncompressed_size(), 2 * 65_536 + 1000);
    assert_eq!(stream.consumed(), bytes.len());
    let sizes: Vec<_> = stream.tiles().map(|tile| (tile.payload().len(), tile.uncompressed_size())).collect();
    assert_eq!(sizes, [(128, 65_536), (132, 65_536), (136, 1000)]);
    assert!(stream.tile(3).is_none());
}

#[test]
fn hostile_ends_at_every_length_are_told() {
    let bytes = Container::good().bytes();
    let table_end = Header::SIZE + 3 * 4;
    for actual in 0..bytes.len() {
        let expected = match actual {
            0..Header::SIZE => StreamError::HeaderTruncated { expected: Header::SIZE, actual },
            _ if actual < table_end => StreamError::TableTruncated { expected: table_end, actual },
            _ => StreamError::PayloadTruncated { expected: bytes.len() as u64, actual: actual as u64 },
        };
        assert_eq!(TileStream::parse(&bytes[..actual]).expect_err("cut short"), expected);
    }
}

#[test]
fn hostile_codec_ids_are_refused() {
    for id in 0..=0xFF {
        let good = [[0x04, 0xFB], [0xFE, 0x01]];
        for check in [!id, id, 0xFB, 0x01] {
            if !good.contains(&[id, check]) {
                assert_eq!(refused(|bad| bad.id = [id, check]), StreamError::UnknownCodec { id, check });
            }
        }
    }
}

#[test]
fn hostile_header_fields_are_refused() {
    for actual in [0, 2, 3] {
        let error = refused(|bad| bad.size_index = u32::from(actual));
        assert_eq!(error, StreamError::TileSizeIndex { actual });
    }
    for bit in 0..12 {
        let actual = 1 << bit;
        let error = refused(|bad| bad.reserved = u32::from(actual));
        assert_eq!(error, StreamError::ReservedBits { actual });
    }
    for actual in [65_536, 65_537, 0x3_FFFF] {
        assert_eq!(refused(|bad| bad.last = actual), StreamError::LastTileSize { actual });
    }
    let error = refused(|bad| {
        bad.tiles = 0;
        bad.table.clear();
    });
    assert_eq!(error, StreamError::LastTileWithoutTiles { actual: 1000 });
}

#[test]
fn hostile_tile_counts_are_refused() {
    // More tiles than the stream could have a table for.
    let error = refused(|bad| {
        bad.tiles = u16::MAX;
        bad.payload = 0;
    });
    assert_eq!(error, StreamError::TableTruncated { expected: 8 + 4 * 65_535, actual: 20 });
    // As many as it has bytes for: zeros do not rise.
    let error = refused(|bad| {
        bad.tiles = 4;
        bad.table.push(0);
    });
    assert_eq!(error, StreamError::OffsetNotRising { tile: 3, offset: 0, previous: 260 });
}

#[test]
fn hostile_offsets_are_refused() {
    let not_rising = |tile, offset, previous| StreamError::OffsetNotRising { tile, offset, previous };
    assert_eq!(refused(|bad| bad.table[1] = 0), not_rising(1, 0, 0));
    assert_eq!(refused(|bad| bad.table[2] = 128), not_rising(2, 128, 128));
    assert_eq!(refused(|bad| bad.table[2] = 124), not_rising(2, 124, 128));
    for off in 1..4 {
        let offset = 128 + off;
        assert_eq!(refused(|bad| bad.table[1] = offset), StreamError::OffsetMisaligned { tile: 1, offset });
        let size = 136 - off;
        assert_eq!(refused(|bad| bad.table[0] = size), StreamError::SizeMisaligned { tile: 2, size });
    }
}

#[test]
fn hostile_payloads_are_refused() {
    // Past the end by one word.
    let end = |expected| StreamError::PayloadTruncated { expected, actual: 416 };
    assert_eq!(refused(|bad| bad.table[0] = 140), end(420));
    assert_eq!(refused(|bad| bad.table[2] = 264), end(420));
    // Over the cap, whether or not the stream is long enough.
    let most = MAX_TILE_PAYLOAD as u32;
    for payload in [396, 2 * MAX_TILE_PAYLOAD] {
        let error = refused(|bad| (bad.table[0], bad.payload) = (most + 4, payload));
        assert_eq!(error, StreamError::PayloadTooLarge { tile: 2, size: most + 4 });
        let error = refused(|bad| (bad.table[1], bad.table[2], bad.payload) = (most + 4, most + 8, payload));
        assert_eq!(error, StreamError::PayloadTooLarge { tile: 0, size: most + 4 });
    }
    // The largest numbers there are: sums must not wrap round.
    let size = u32::MAX - 3;
    assert_eq!(refused(|bad| bad.table[0] = size), StreamError::PayloadTooLarge { tile: 2, size });
    let size = u32::MAX - 3 - 128;
    assert_eq!(refused(|bad| bad.table[2] = size + 128), StreamError::PayloadTooLarge { tile: 1, size });
}

#[test]
fn hostile_table_of_the_most_tiles_does_not_wrap_round() {
    // Offsets up to 4 GiB less 4, in a stream that claims to be as long as may be.
    let step = 65_540;
    let tiles = 65_000;
    let mut table: Vec<u32> = (0..tiles).map(|tile| tile * step).collect();
    table[0] = MAX_TILE_PAYLOAD as u32;
    let container = Container { tiles: tiles as u16, last: 0, table, payload: 0, ..Container::good() };
    let bytes = container.bytes();
    let end = u64::from((tiles - 1) * step) + MAX_TILE_PAYLOAD as u64 + bytes.len() as u64;
    let parsed = TileTable::parse(&bytes, u64::MAX).expect("all offsets are good");
    assert_eq!(parsed.stream_end(), end);
    assert_eq!(parsed.header().uncompressed_size(), u64::from(tiles) * 65_536);
    assert!(TileTable::parse(&bytes, end).is_ok());
    let error = TileTable::parse(&bytes, end - 1).expect_err("a byte is missing");
    assert_eq!(error, StreamError::PayloadTruncated { expected: end, actual: end - 1 });
}

#[test]
fn hostile_or_not_trailing_bytes_are_no_part_of_a_stream() {
    let mut bytes = Container::good().bytes();
    let len = bytes.len();
    bytes.extend(b"the next one");
    assert_eq!(TileStream::parse(&bytes).expect("a good stream").consumed(), len);

    let mut empty = vec![0xFE, 0x01, 0, 0, 1, 0, 0, 0];
    empty.extend(b"trailing");
    let stream = TileStream::parse(&empty).expect("an empty stream");
    assert_eq!((stream.consumed(), stream.uncompressed_size(), stream.tiles().len()), (8, 0, 0));
    assert_eq!(Decoder::new().decode_stream(&stream, &mut []), Ok(0));
}

#[test]
fn hostile_tables_are_judged_before_payloads_arrive() {
    let bytes = Container::good().bytes();
    let table = TileTable::parse(&bytes[..20], 416).expect("header and table are enough");
    assert_eq!(table.len(), 3);
    assert_eq!(table.stream_end(), 416);
    let ranges: Vec<_> = (0..3).map(|tile| table.compressed_range(tile)).collect();
    assert_eq!(ranges, [20..148, 148..280, 280..416]);
    assert_eq!(table.uncompressed_range(2), 131_072..132_072);
    let error = TileTable::parse(&bytes[..20], 415).expect_err("a byte is missing");
    assert_eq!(error, StreamError::PayloadTruncated { expected: 416, actual: 415 });
}

#[test]
fn hostile_outputs_that_are_too_small_are_refused_before_decoding() {
    let bytes = Container::good().bytes();
    let stream = TileStream::parse(&bytes).expect("the container is good");
    let mut out = vec![0xA5; 132_071];
    let error = Decoder::new().decode_stream(&stream, &mut out).expect_err("a byte is missing");
    assert_eq!(error, DecodeError::OutputSize { expected: 132_072, actual: 132_071 });
    assert!(out.iter().all(|&byte| byte == 0xA5));
}

#[test]
fn a_tile_is_decoded_to_the_start_of_an_output_that_is_large_enough() {
    let vector = support::vectors::committed().into_iter().find(|vector| vector.name == "period_33.ref1");
    let vector = vector.expect("it is there");
    let stream = TileStream::parse(&vector.stream).expect("good");
    let (tile, raw) = stream.tiles().zip(vector.raw.chunks(TILE_SIZE)).last().expect("it has tiles");
    assert_eq!(tile.uncompressed_size(), raw.len());
    let mut out = vec![0xA5; TILE_SIZE];
    assert_eq!(Decoder::new().decode(tile, &mut out), Ok(raw.len()));
    assert_eq!(out[..raw.len()], *raw);
    assert!(raw.len() < TILE_SIZE && out[raw.len()..].iter().all(|&byte| byte == 0xA5));

    let (expected, actual) = (raw.len() as u64, raw.len() as u64 - 1);
    let error = Decoder::new().decode(tile, &mut out[..raw.len() - 1]);
    assert_eq!(error, Err(DecodeError::OutputSize { expected, actual }));
}

#[test]
fn hostile_tiles_are_told_by_number() {
    let vector = support::vectors::committed().into_iter().find(|vector| vector.name == "period_33.ref1");
    let mut bytes = vector.expect("it is there").stream;
    let payload = TileTable::parse(&bytes, bytes.len() as u64).expect("good").compressed_range(1);
    // Block type 3 in the second tile.
    bytes[payload.start as usize] |= 0b110;
    let stream = TileStream::parse(&bytes).expect("the container is good");
    for level in SimdLevel::available() {
        let mut decoder = Decoder::with_simd(level);
        let error = decoder.decode_stream(&stream, &mut vec![0; 70_000]).expect_err("a tile is not");
        let DecodeError::Tile { tile: 1, error: inner } = error else { panic!("{error:?}") };
        assert_eq!(inner.kind, ds_gdeflate::TileErrorKind::BlockType);
        assert_eq!(error.to_string(), format!("tile 1: {inner}"));
    }
}

#[test]
fn hostile_random_bytes_are_no_stream() {
    let mut random = support::random::Random::new(5);
    for _ in 0..20_000 {
        let len = random.below(64);
        let mut bytes = random.bytes(len);
        if let Some(start) = bytes.first_chunk_mut() {
            // Past the first checks.
            *start = [0x04, 0xFB, (random.next() % 4) as u8, 0, 1];
        }
        if let Ok(stream) = TileStream::parse(&bytes) {
            assert!(stream.consumed() <= len);
            assert!(stream.tiles().all(|tile| tile.payload().len() <= len));
        }
    }
}
