//! Good tiles of all kinds, by every way through the GDeflate shader, whatever turns its lanes take.

mod common;
#[allow(dead_code, reason = "tiles that are made by hand, and vectors, are used")]
#[path = "../../ds-gdeflate/tests/support"]
mod support {
    pub(crate) mod vectors;
    pub(crate) mod worst;
    pub(crate) mod writer;
}

use std::path::Path;

use common::{ANY_SIZE, Tile, WIDE, check, schedules, text, tiles, ways};
use ds_gdeflate::{CodecId, Level, compress};
use ds_lanes::Schedule;
use support::worst::worst;

fn pack(content: &[u8], level: Level) -> Vec<Tile> {
    tiles(&compress(content, level, CodecId::default()).unwrap())
}

/// What the shader has ways of its own for.
fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let noise = |len: u32| (0..len).map(|i| (i.wrapping_mul(0x9E37_79B9).rotate_left(i % 31) >> 11) as u8);
    let period = |of: usize| noise(of as u32).collect::<Vec<_>>().into_iter().cycle().take(3000).collect();
    let near_and_far = noise(200).chain([b'-'; 90]).chain(noise(200)).chain(noise(7).cycle().take(300));
    vec![
        ("one byte", vec![b'x']),
        ("three bytes", b"xyz".to_vec()),
        ("text", text(3000)),
        ("noise", noise(2500).collect()),
        ("few letters", noise(3000).map(|byte| b'a' + byte % 3).collect()),
        ("many zeros", vec![0; 5000]),
        ("distance 2", period(2)),
        ("distance 3", period(3)),
        ("distance 31", period(31)),
        ("distance 127", period(127)),
        ("distance 130", period(130)),
        ("all lengths of codewords", (0..14).flat_map(|n| vec![n; 1 << n.min(11)]).collect()),
        ("near and far", near_and_far.collect()),
    ]
}

#[test]
fn streams_of_our_encoder_at_several_levels() {
    let mut seed = 0;
    for (name, content) in contents() {
        for level in [Level::STORED, Level::FASTEST, Level::DEFAULT, Level::BEST_RATIO] {
            let name = format!("{name}, level {}", level.number());
            let tile = &pack(&content, level)[0];
            // Several at once, at all alignments.
            let tiles: Vec<_> =
                (0..4).map(|past| Tile { past: [past, 3 - (past + seed) % 4], ..tile.clone() }).collect();
            for (n, way) in ways().enumerate() {
                check(&name, way, schedules(seed)[(seed as usize + n) % 3], &tiles);
            }
            seed += 1;
        }
    }
}

/// Those of `ds-vulkan/tests/timed.rs`: a whole tile of what compresses badly, a part of one, and one that ends too soon.
#[test]
fn the_stream_of_a_test_that_did_not_end() {
    let content: Vec<_> = (0..70_000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
    let mut tiles = tiles(&compress(&content, Level::FASTEST, CodecId::Reference).unwrap());
    let cut = tiles[1].payload.len() - 64;
    tiles.push(Tile { payload: tiles[1].payload[..cut].to_vec(), ..tiles[1].clone() });
    for (seed, way) in (0..).zip(ways()) {
        for schedule in [Schedule::Lockstep, schedules(seed)[1 + seed as usize % 2]] {
            assert_eq!(check("timed", way, schedule, &tiles), [0, 0, 3]);
        }
    }
}

#[test]
fn whole_tiles() {
    let len = 65_536_u32;
    let noise: Vec<_> =
        (0..len).map(|i| (i.wrapping_mul(0x9E37_79B9).rotate_left(i % 31) >> 11) as u8).collect();
    let letters: Vec<_> = noise.iter().map(|byte| b'a' + byte % 5).collect();
    for (seed, (name, content)) in (0..).zip([
        ("noise", noise),
        ("letters", letters),
        ("text", text(65_536)),
        ("zeros", vec![0; 65_536]),
    ]) {
        let tiles = pack(&content, Level::FASTEST);
        for schedule in schedules(seed) {
            check(name, WIDE[0], schedule, &tiles);
        }
        check(name, ANY_SIZE[seed as usize % 4], Schedule::Lockstep, &tiles);
    }
}

#[test]
fn tiles_that_are_all_headers() {
    let (mut seed, mut count) = (0, 0);
    for len in [512, 64] {
        for worst in worst(len).into_iter().filter(|worst| worst.payload.len() <= 20_000) {
            let tiles = [Tile { payload: worst.payload, len: worst.len, past: [0, 1] }];
            check(worst.name, WIDE[0], schedules(seed)[seed as usize % 3], &tiles);
            check(worst.name, ANY_SIZE[seed as usize % 4], schedules(seed)[(seed as usize + 1) % 3], &tiles);
            (seed, count) = (seed + 1, count + 1);
        }
    }
    assert!(count > 20, "{count} tiles");
}

#[test]
fn streams_of_other_encoders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ds-gdeflate/tests/vectors");
    let vectors = support::vectors::read(&folder).expect("the repository has its vectors");
    for (seed, vector) in (0..).zip(&vectors) {
        let (name, tiles) = (&vector.name, tiles(&vector.stream));
        check(name, WIDE[seed as usize % 3], Schedule::Lockstep, &tiles);
        if vector.raw.len() <= 21_000 {
            for schedule in schedules(seed) {
                check(name, WIDE[0], schedule, &tiles);
                check(name, ANY_SIZE[seed as usize % 4], schedule, &tiles);
            }
        }
    }
    assert!(vectors.len() > 70, "{}", vectors.len());
}
