//! What the encoder writes, our decoder and the reference's read back.

mod encode_support;

use ds_gdeflate::{EncodeOptions, Level, TILE_SIZE, tile_bound};
use encode_support::{Judge, LAZY, Random, SOME_LEVELS, asset_like, levels, periodic, stride};
use proptest::prelude::*;

#[test]
fn short_tiles() {
    let mut judge = Judge::new();
    let mut random = Random::new(11);
    for len in (1..=300).step_by(stride(7)) {
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
    for period in short.chain(far).step_by(stride(5)) {
        judge.check_some_levels(&periodic(period, TILE_SIZE), &format!("period {period}"));
    }
}

/// Noise whose first bytes come again at the given distance, where nothing else repeats.
#[test]
fn far_matches_are_found_and_read() {
    let mut judge = Judge::new();
    for distance in (32_700..65_500).step_by(101 * stride(5)).chain(65_500..=65_535) {
        let mut raw = Random::new(distance as u64).bytes(TILE_SIZE);
        let len = TILE_SIZE - distance;
        raw.copy_within(..len, distance);
        judge.check(Level::FASTEST, &raw, &format!("distance {distance}"));
        for level in [LAZY, Level::DEFAULT] {
            let size = judge.check(level, &raw, &format!("distance {distance}"));
            assert!(
                size + len < tile_bound(TILE_SIZE) + 400,
                "distance {distance}, level {level}: {len} bytes were not matched"
            );
        }
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
fn every_level_is_at_least_as_small_as_the_one_below() {
    let mut judge = Judge::new();
    let mut totals = [0; 13];
    for (name, raw) in asset_like() {
        let mut before = usize::MAX;
        for (total, level) in totals.iter_mut().zip(levels()) {
            let size = judge.check(level, &raw, name);
            // No promise for a single tile, and the most regular ones are small anyway.
            assert!(
                size <= before.saturating_add(before / 8 + 64),
                "{name}: level {level} takes {size}, after {before}"
            );
            before = size;
            *total += size;
        }
    }
    assert!(totals.is_sorted_by(|lower, higher| lower >= higher), "{totals:?}");
}

#[test]
fn decoder_friendly_tiles_are_read_and_hardly_larger() {
    let mut judge = Judge::new();
    for (name, raw) in asset_like() {
        for level in levels() {
            let size = judge.check(level, &raw, name);
            let friendly = judge.check(EncodeOptions::new(level).decoder_friendly(true), &raw, name);
            assert!(friendly <= size + size / 20 + 64, "{name}, level {level}: {friendly} after {size}");
        }
    }
}

/// A texture in which every 4 KiB have bytes that no others have, and the same structure.
#[test]
fn blocks_do_not_hold_on_to_what_they_began_with() {
    let gradient: Vec<u8> =
        (0..128_u8).flat_map(|y| (0..128).flat_map(move |x| [y * 2, x * 2, 0, 255])).collect();
    let mut judge = Judge::new();
    let mut size = |level| judge.check(Level::new(level).expect("a level"), &gradient, "gradient");
    let lazy = size(7);
    for level in 8..=12 {
        assert!(size(level) <= lazy, "level {level}: {} after {lazy}", size(level));
    }
}

/// Few tokens, and of many kinds that occur once: what prices know least of.
#[test]
fn runs_of_two_values_are_no_larger_at_the_near_optimal_levels() {
    let mut judge = Judge::new();
    for longest in [50, 500, 2000] {
        let mut random = Random::new(longest as u64);
        let mut raw = Vec::new();
        while raw.len() < TILE_SIZE {
            let byte = if raw.last() == Some(&7) { 200 } else { 7 };
            raw.extend(core::iter::repeat_n(byte, 1 + random.below(longest)));
        }
        raw.truncate(TILE_SIZE);
        let name = format!("runs of up to {longest}");
        let mut size = |level| judge.check(Level::new(level).expect("a level"), &raw, &name);
        let lazy = size(7);
        for level in 8..=12 {
            let size = size(level);
            // Codes are plain at level 8.
            assert!(size <= lazy + lazy / 100, "{name}, level {level}: {size} after {lazy}");
        }
    }
}

#[test]
fn levels_have_numbers_and_names() {
    assert_eq!(levels().map(Level::number).collect::<Vec<_>>(), (0..=12).collect::<Vec<_>>());
    assert_eq!(Level::new(13), None);
    let named = [Level::STORED, Level::FASTEST, Level::DEFAULT, Level::BEST_RATIO];
    assert_eq!(named.map(Level::number), [0, 1, 9, 12]);
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
    #![proptest_config(ProptestConfig { cases: 256 / stride(8) as u32, ..ProptestConfig::default() })]

    #[test]
    fn anything(pieces in pieces(), friendly: bool) {
        let raw = assemble(&pieces);
        let mut judge = Judge::new();
        for level in SOME_LEVELS {
            judge.check(EncodeOptions::new(level).decoder_friendly(friendly), &raw, "assembled");
        }
    }
}
