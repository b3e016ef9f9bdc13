//! Promises about memory: a small workspace for the decoder, and no allocation for each tile.

#[path = "../../ds-core/tests/allocations/mod.rs"]
mod allocations;
mod support;

use allocations::by_this_thread;
use ds_gdeflate::{Decoder, EncodeOptions, Encoder, Level, SimdLevel, TILE_SIZE, TileStream, tile_bound};

#[test]
fn a_workspace_is_at_most_32_kib() {
    let size = size_of::<Decoder>();
    println!("Decoder: {size} bytes");
    assert!(size <= 32 * 1024, "{size} bytes");
}

#[test]
fn decoding_allocates_nothing() {
    let vectors = support::vectors::committed();
    let longest = vectors.iter().map(|vector| vector.raw.len()).max().expect("there are vectors");
    let mut out = vec![0; longest];

    let before = by_this_thread();
    assert_ne!(before, 0, "the count works");
    for level in SimdLevel::available() {
        let mut decoder = Decoder::with_simd(level);
        for vector in &vectors {
            let stream = TileStream::parse(&vector.stream).expect("a good stream");
            assert_eq!(decoder.decode_stream(&stream, &mut out), Ok(vector.raw.len()));
            // Errors are values too.
            let tile = stream.tile(0).expect("no vector is empty");
            let payload = &tile.payload()[..tile.payload().len() / 8 * 4];
            assert!(decoder.decode_tile(payload, &mut out[..tile.uncompressed_size()]).is_err());
        }
    }
    assert_eq!(by_this_thread(), before);
}

#[test]
fn encoding_allocates_at_the_first_tile_and_the_first_near_optimal_one() {
    let vectors = support::vectors::committed();
    // A very regular tile, which goes through several parsers, and one that is stored.
    let noise: Vec<u8> = (0..TILE_SIZE as u32).map(|at| (at.wrapping_mul(0x9E37_79B1) >> 13) as u8).collect();
    let more = [vec![7; TILE_SIZE], noise];
    let contents = vectors.iter().map(|vector| &vector.raw[..]).chain(more.iter().map(|raw| &raw[..]));
    let tiles: Vec<&[u8]> = contents.flat_map(|raw| raw.chunks(TILE_SIZE)).collect();
    let mut out = vec![0; tile_bound(TILE_SIZE)];
    let mut encoder = Encoder::new();
    let mut encode_all = |level| {
        for friendly in [false, true] {
            let options = EncodeOptions::new(level).decoder_friendly(friendly);
            for tile in &tiles {
                encoder.encode_tile(options, tile, &mut out).expect("there is room");
                // Errors are values too.
                assert!(encoder.encode_tile(options, tile, &mut out[..4]).is_err());
                assert!(encoder.encode_tile(options, &[], &mut out).is_err());
            }
        }
    };
    let levels: Vec<Level> = (0..=12).filter_map(Level::new).collect();
    let none = by_this_thread();
    encode_all(levels[0]);
    assert_eq!(by_this_thread(), none, "level 0");
    encode_all(levels[1]);
    let before = by_this_thread();
    assert_eq!(before, none + 1, "the first tile");
    levels[1..8].iter().for_each(|&level| encode_all(level));
    assert_eq!(by_this_thread(), before, "levels 1 to 7");
    encode_all(levels[8]);
    let first = by_this_thread();
    assert_ne!(first, before, "the count works");
    levels[8..].iter().for_each(|&level| encode_all(level));
    assert_eq!(by_this_thread(), first, "levels 8 to 12");
}

#[test]
fn what_has_been_prepared_allocates_no_more() {
    for level in (0..=12).filter_map(Level::new) {
        let mut encoder = Encoder::new();
        let mut out = vec![0; tile_bound(TILE_SIZE)];
        encoder.prepare(level).expect("there is memory");
        let before = by_this_thread();
        encoder.prepare(level).expect("there is memory");
        encoder.encode_tile(level, &[7; TILE_SIZE], &mut out).expect("there is room");
        assert_eq!(by_this_thread(), before, "level {level}");
    }
}

#[test]
fn a_tile_that_is_refused_costs_no_memory() {
    let mut encoder = Encoder::new();
    let before = by_this_thread();
    assert!(encoder.encode_tile(Level::BEST_RATIO, &[], &mut []).is_err());
    assert_eq!(by_this_thread(), before);
}
