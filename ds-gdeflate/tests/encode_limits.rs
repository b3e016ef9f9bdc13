//! Sizes: what the encoder promises about its output, and what it refuses.

mod encode_support;

use ds_gdeflate::{
    CodecId, Decoder, EncodeError, Encoder, Level, MAX_STREAM_SIZE, Scratch, TILE_SIZE, TileStream, compress,
    stream_bound, tile_bound,
};
use encode_support::{Random, asset_like, levels, stride};

#[test]
fn the_bound_is_the_stored_size() {
    let mut encoder = Encoder::new();
    let mut out = vec![0; tile_bound(TILE_SIZE)];
    let raw = Random::new(5).bytes(TILE_SIZE);
    let lens = (1..3000).chain((3000..TILE_SIZE).step_by(97)).chain(TILE_SIZE - 200..=TILE_SIZE);
    for len in lens {
        assert_eq!(
            encoder.encode_tile(Level::STORED, &raw[..len], &mut out),
            Ok(tile_bound(len)),
            "{len} bytes"
        );
    }
}

#[test]
fn noise_never_grows_beyond_the_bound() {
    let mut encoder = Encoder::new();
    let mut random = Random::new(6);
    let mut out = vec![0; tile_bound(TILE_SIZE)];
    for round in (0..200).step_by(stride(5)) {
        let len = if round % 4 == 0 { TILE_SIZE } else { 1 + random.below(TILE_SIZE) };
        let mut raw = random.bytes(len);
        // Nearly incompressible: a few bytes rarer, a few short matches. Where the cheapest block is a close call.
        for _ in 0..random.below(200) {
            let at = random.below(len);
            let end = len.min(at + 5);
            raw.copy_within(at / 2..at / 2 + (end - at), at);
        }
        for level in levels() {
            // The output is exactly the bound, so this would fail if the bound were exceeded.
            let size = encoder.encode_tile(level, &raw, &mut out[..tile_bound(len)]);
            assert!(size.is_ok(), "{len} bytes, level {level}: {size:?}");
        }
    }
}

#[test]
fn output_of_the_exact_size_is_enough_and_less_is_not() {
    let mut encoder = Encoder::new();
    let mut inputs = asset_like();
    inputs.push(("short", b"so short that lanes stay empty".to_vec()));
    inputs.push(("one byte", vec![9]));
    for (name, raw) in inputs {
        for level in levels() {
            let mut roomy = vec![0; tile_bound(raw.len())];
            let needed = encoder.encode_tile(level, &raw, &mut roomy).expect("there is room");
            let mut exact = vec![0; needed];
            assert_eq!(encoder.encode_tile(level, &raw, &mut exact), Ok(needed), "{name}, level {level}");
            assert!(exact == roomy[..needed], "{name}, level {level}: room changes the result");
            for actual in [needed - 1, needed - 4, needed / 2, 127, 3, 0] {
                let actual = actual.min(needed - 1);
                let error = encoder.encode_tile(level, &raw, &mut exact[..actual]);
                assert_eq!(
                    error,
                    Err(EncodeError::OutputTooSmall { needed, actual }),
                    "{name}, level {level}, room for {actual}"
                );
            }
        }
    }
}

#[test]
fn tiles_have_1_to_65536_bytes() {
    let mut encoder = Encoder::new();
    let mut out = vec![0; 2 * TILE_SIZE];
    for level in levels() {
        for actual in [0, TILE_SIZE + 1] {
            let raw = vec![0; actual];
            let error = encoder.encode_tile(level, &raw, &mut out).expect_err("not a tile");
            assert_eq!(error, EncodeError::RawSize { actual });
            assert_eq!(error.to_string(), format!("tile of {actual} bytes; a tile holds 1 to 65536"));
        }
    }
}

#[test]
fn the_same_tile_gives_the_same_bytes_whatever_came_before() {
    let mut used = Encoder::new();
    for level in levels() {
        for (name, raw) in asset_like() {
            let [mut first, mut second] = [vec![0; tile_bound(raw.len())], vec![1; tile_bound(raw.len())]];
            let len = used.encode_tile(level, &raw, &mut first);
            assert_eq!(len, Encoder::new().encode_tile(level, &raw, &mut second));
            let len = len.expect("there is room");
            assert!(first[..len] == second[..len], "{name}, level {level}");
        }
    }
}

#[test]
fn an_encoder_is_small_and_needs_little_stack() {
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let encode = || Encoder::new().encode_tile(Level::BEST_RATIO, &[1, 2, 3], &mut [0; 200]);
    let len = thread.spawn(encode).expect("a thread").join().expect("no overflow");
    assert_eq!(len, Ok(tile_bound(3)));
    assert!(size_of::<Encoder>() <= 128, "{} bytes", size_of::<Encoder>());
}

#[test]
fn memory_of_the_callers_does_as_well() {
    static SCRATCH: std::sync::Mutex<Scratch> = std::sync::Mutex::new(Scratch::new());
    let mut scratch = SCRATCH.lock().expect("nobody else has it");
    assert!(size_of::<Scratch>() <= 2500 * 1024, "{} bytes", size_of::<Scratch>());
    let mut encoder = Encoder::new();
    for (name, raw) in asset_like() {
        for level in levels() {
            let [mut one, mut other] = [vec![0; tile_bound(raw.len())], vec![0; tile_bound(raw.len())]];
            let len = encoder.encode_tile(level, &raw, &mut one).expect("there is room");
            assert_eq!(encoder.encode_tile_with(&mut scratch, level, &raw, &mut other), Ok(len));
            assert!(one[..len] == other[..len], "{name}, level {level}");
        }
    }
}

#[test]
fn whole_streams() {
    for (id, magic) in [(CodecId::Reference, [0x04, 0xFB]), (CodecId::DirectStorage, [0xFE, 0x01])] {
        for len in [0, 1, 1000, TILE_SIZE - 1, TILE_SIZE, TILE_SIZE + 1, 3 * TILE_SIZE, 200_001] {
            let raw: Vec<u8> = asset_like().into_iter().flat_map(|(_, raw)| raw).take(len).collect();
            for level in levels() {
                let stream = compress(&raw, level, id).expect("small enough");
                assert_eq!(stream[..2], magic);
                assert!(stream.len() as u64 <= stream_bound(len as u64).expect("small enough"));
                let tiles = TileStream::parse(&stream).expect("a stream");
                assert_eq!(tiles.consumed(), stream.len());
                let mut back = vec![0; len];
                assert_eq!(Decoder::boxed().decode_stream(&tiles, &mut back), Ok(len));
                assert!(back == raw, "{len} bytes, level {level}");
            }
        }
    }
}

#[test]
fn stream_bounds_at_the_limit() {
    let most = stream_bound(MAX_STREAM_SIZE).expect("the largest stream");
    assert_eq!(most, 8 + 65_535 * (4 + 65_672));
    assert_eq!(stream_bound(MAX_STREAM_SIZE + 1), None);
    assert_eq!(stream_bound(u64::MAX), None);
}
