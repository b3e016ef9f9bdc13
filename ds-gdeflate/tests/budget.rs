//! What decoding takes is bounded by what there is to decode: every block costs a tile bits, and there are only so many.
//!
//! Time is no matter for a test; `cargo bench -p ds-gdeflate --bench worst` measures it on the same tiles.

mod support;

use ds_gdeflate::{Decoder, MAX_TILE_PAYLOAD, SimdLevel, TILE_SIZE, TileErrorKind, max_dynamic_blocks};
use support::worst::worst;

/// The fewest bits of a block: type and final bit, and a static code's end.
const LEAST_BITS: usize = 3 + 7;

/// The fewest bits of a block with codes of its own: type and final bit, three counts, and four lengths of the code-length
/// code. Blocks that are any good have more.
const LEAST_DYNAMIC_BITS: usize = 3 + 14 + 4 * 3;

#[test]
fn the_worst_tiles_are_what_they_are_made_to_be() {
    for tile in worst() {
        let mut expected = vec![0; tile.len];
        let report = Decoder::new().inspect_tile(&tile.payload, &mut expected).expect(tile.name);
        println!(
            "{:44} {:6} bytes, {:6} blocks, {:5} dynamic",
            tile.name,
            tile.payload.len(),
            tile.blocks,
            tile.dynamic
        );
        assert_eq!(report.blocks(), tile.blocks as u64 + 1, "{}", tile.name);
        assert_eq!(report.dynamic_blocks, tile.dynamic as u64, "{}", tile.name);
        assert_eq!(report.content(), tile.len as u64, "{}", tile.name);
        assert!(tile.payload.len() <= MAX_TILE_PAYLOAD, "{}", tile.name);

        for level in SimdLevel::available() {
            let mut out = vec![0xA5; tile.len];
            assert_eq!(
                Decoder::with_level(level).decode_tile(&tile.payload, &mut out),
                Ok(()),
                "{}: {level}",
                tile.name
            );
            assert!(out == expected, "{}: {level} decodes to something else", tile.name);
        }
    }
}

#[test]
fn every_block_costs_bits() {
    // Nor are the tiles far from the most blocks that there can be: else they would not be the worst.
    let bits = 8 * MAX_TILE_PAYLOAD;
    let worst = worst();
    for tile in &worst {
        let bits = 8 * tile.payload.len();
        assert!(tile.blocks * LEAST_BITS <= bits, "{}", tile.name);
        assert!(tile.dynamic * LEAST_DYNAMIC_BITS <= bits, "{}", tile.name);
    }
    let most_blocks = worst.iter().map(|tile| tile.blocks).max().expect("there are tiles");
    assert!(most_blocks * LEAST_BITS * 100 > bits * 99, "{most_blocks} blocks");
    let most_dynamic = worst.iter().map(|tile| tile.dynamic).max();
    assert_eq!(most_dynamic, Some(max_dynamic_blocks(TILE_SIZE)));
}

#[test]
fn decoding_ends_where_the_payload_does() {
    for tile in worst() {
        // Whatever else is declared: not a word more is dealt than there is.
        for part in 1..8 {
            let cut = tile.payload.len() / 4 * part / 8 * 4;
            for level in SimdLevel::available() {
                let mut out = vec![0; 65_536];
                let error = Decoder::with_level(level)
                    .decode_tile(&tile.payload[..cut], &mut out)
                    .expect_err(tile.name);
                assert_eq!(
                    (error.kind, error.input),
                    (TileErrorKind::Truncated, cut),
                    "{}: {level}",
                    tile.name
                );
            }
        }
    }
}
