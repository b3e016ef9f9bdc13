//! What the encoder writes, our decoder and the reference's read back.

mod encode_support;

use ds_gdeflate::{Encoder, Level, TILE_SIZE, tile_bound};
use encode_support::{Judge, REAL_LEVELS, Random, asset_like, periodic};
use proptest::prelude::*;

#[test]
fn short_tiles() {
    let mut judge = Judge::new();
    let mut random = Random::new(11);
    for len in 1..=300 {
        judge.check_all_levels(&random.bytes(len), "random");
        judge.check_all_levels(&vec![0; len], "zeros");
        let text: Vec<u8> = b"lane by lane, ".iter().copied().cycle().take(len).collect();
        judge.check_all_levels(&text, "text");
    }
}

#[test]
fn asset_like_tiles_whole_and_cut() {
    let mut judge = Judge::new();
    for (name, raw) in asset_like() {
        for len in [raw.len(), 65_535, 65_534, 65_533, 40_000, 4097, 4096, 4095] {
            judge.check_all_levels(&raw[..len.min(raw.len())], name);
        }
    }
}

#[test]
fn constant_tiles_of_every_kind_of_length() {
    let mut judge = Judge::new();
    // Around the longest match of a short symbol, of a token, and of a tile.
    for len in
        [257, 258, 259, 260, 261, 516, 517, 518, 519, 65_278, 65_279, 65_280, 65_281, 65_535, TILE_SIZE]
    {
        for byte in [0, 0xFF] {
            judge.check_all_levels(&vec![byte; len], "constant");
        }
    }
}

#[test]
fn periodic_tiles() {
    let mut judge = Judge::new();
    let short = (1..=64).chain(255..=259).chain([511, 512, 513, 4095, 4096, 4097]);
    let far =
        (32_766..=32_770).chain([40_000, 49_151, 49_152, 49_153, 49_154, 60_000]).chain(65_520..=65_535);
    for period in short.chain(far) {
        judge.check_all_levels(&periodic(period, TILE_SIZE), &format!("period {period}"));
    }
}

/// Noise whose first bytes come again at the given distance, where nothing else repeats.
#[test]
fn far_matches_are_found_and_read() {
    let mut judge = Judge::new();
    for distance in (32_700..65_500).step_by(101).chain(65_500..=65_535) {
        let mut raw = Random::new(distance as u64).bytes(TILE_SIZE);
        let len = TILE_SIZE - distance;
        raw.copy_within(..len, distance);
        judge.check(Level::FAST, &raw, &format!("distance {distance}"));
        let size = judge.check(Level::DEFAULT, &raw, &format!("distance {distance}"));
        assert!(
            size + len < tile_bound(TILE_SIZE) + 400,
            "distance {distance}: {len} bytes were not matched"
        );
    }
}

#[test]
fn every_number_of_distance_symbols() {
    let mut judge = Judge::new();
    // No match at all, and matches of a single distance: the codes that decoders are touchiest about.
    let noise: Vec<u8> = (0..=255).collect();
    judge.check_all_levels(&noise, "no distance");
    let mut one = vec![b'a'; 3000];
    one.extend(0..=255);
    judge.check_all_levels(&one, "one distance");
    for distances in 1..12 {
        let mut raw = Random::new(distances).bytes(9000).iter().map(|byte| byte & 63).collect::<Vec<_>>();
        for index in 0..distances as usize {
            let at = 4000 + index * 400;
            raw.copy_within(at - (3 << index)..at - (3 << index) + 30, at);
        }
        judge.check_all_levels(&raw, "few distances");
    }
}

#[test]
fn other_levels_run_the_nearest_real_one() {
    let mut encoder = Encoder::boxed();
    let (_, raw) = asset_like().pop().expect("a list of inputs");
    let mut encode = |level| {
        let mut out = vec![0; tile_bound(raw.len())];
        let len = encoder.encode_tile(level, &raw, &mut out).expect("there is room");
        out.truncate(len);
        out
    };
    for number in 0..=12 {
        let level = Level::new(number).expect("a level");
        assert!(REAL_LEVELS.contains(&level.implemented()), "level {number}");
        assert_eq!(level.implemented().implemented(), level.implemented());
        assert!(encode(level) == encode(level.implemented()), "level {number}");
    }
    assert_eq!(Level::new(13), None);
}

/// A run of bytes to append to a tile under construction.
#[derive(Clone, Debug)]
enum Piece {
    Noise { len: usize, mask: u8, seed: u64 },
    Run { len: usize, byte: u8 },
    Copy { len: usize, distance: usize },
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let len = prop_oneof![8 => 1..40_usize, 3 => 1..600_usize, 1 => 1..30_000_usize];
    let noise = (len.clone(), any::<u8>(), any::<u64>());
    let copy = (len.clone(), 1..65_536_usize);
    prop::collection::vec(
        prop_oneof![
            3 => noise.prop_map(|(len, mask, seed)| Piece::Noise { len, mask, seed }),
            1 => (len, any::<u8>()).prop_map(|(len, byte)| Piece::Run { len, byte }),
            4 => copy.prop_map(|(len, distance)| Piece::Copy { len, distance }),
        ],
        1..200,
    )
}

fn assemble(pieces: &[Piece]) -> Vec<u8> {
    let mut raw = Vec::new();
    for piece in pieces {
        match *piece {
            Piece::Noise { len, mask, seed } => {
                raw.extend(Random::new(seed).bytes(len).iter().map(|byte| byte & mask));
            }
            Piece::Run { len, byte } => raw.extend(core::iter::repeat_n(byte, len)),
            Piece::Copy { len, distance } => {
                for _ in 0..len {
                    let from = raw.len().checked_sub(distance);
                    raw.push(from.map_or(0, |from| raw[from]));
                }
            }
        }
    }
    raw.truncate(TILE_SIZE);
    raw
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn anything(pieces in pieces()) {
        let raw = assemble(&pieces);
        Judge::new().check_all_levels(&raw, "assembled");
    }
}
