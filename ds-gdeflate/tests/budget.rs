//! What decoding takes is bounded by what there is to decode: every block costs a tile bits, and there are only so many.
//!
//! Time is no matter for a test; `cargo bench -p ds-gdeflate --bench worst` measures it on the same tiles.

mod support;

use ds_gdeflate::{
    Decoder, Encoder, Level, MAX_TILE_PAYLOAD, SimdLevel, TILE_SIZE, TileErrorKind, max_dynamic_blocks,
    tile_bound,
};
use support::worst::{SIZES, worst};

/// The fewest bits of a block: type and final bit, and a static code's end.
const LEAST_BITS: usize = 3 + 7;

/// The fewest bits of a block with codes of its own: type and final bit, three counts, and four lengths of the code-length
/// code. Blocks that are any good have more.
const LEAST_DYNAMIC_BITS: usize = 3 + 14 + 4 * 3;

#[test]
fn the_worst_tiles_are_what_they_are_made_to_be() {
    for tile in SIZES.into_iter().flat_map(worst) {
        let mut expected = vec![0; tile.len];
        let report = Decoder::new().inspect_tile(&tile.payload, &mut expected).expect(tile.name);
        println!(
            "{:44} {:6} bytes for {:5}, {:6} blocks, {:5} dynamic",
            tile.name,
            tile.payload.len(),
            tile.len,
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
                Decoder::with_simd(level).decode_tile(&tile.payload, &mut out),
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
    for size in SIZES {
        let worst = worst(size);
        for tile in &worst {
            let bits = 8 * tile.payload.len();
            assert!(tile.blocks * LEAST_BITS <= bits, "{}", tile.name);
            assert!(tile.dynamic * LEAST_DYNAMIC_BITS <= bits, "{}", tile.name);
        }
        let most_blocks = worst.iter().map(|tile| tile.blocks).max().expect("there are tiles");
        assert!(most_blocks * LEAST_BITS * 100 > bits * 99, "{most_blocks} blocks for {size} bytes");
        let most_dynamic = worst.iter().map(|tile| tile.dynamic).max();
        assert_eq!(most_dynamic, Some(max_dynamic_blocks(size)), "for {size} bytes");
    }
}

#[test]
fn decoding_ends_where_the_payload_does() {
    for tile in SIZES.into_iter().flat_map(worst) {
        // Whatever else is declared: not a word more is dealt than there is.
        for part in 1..8 {
            let cut = tile.payload.len() / 4 * part / 8 * 4;
            for level in SimdLevel::available() {
                let mut out = vec![0; 65_536];
                let error = Decoder::with_simd(level)
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

#[test]
fn our_encoder_stays_far_below_the_limit() {
    // Content that changes its character every 1024 bytes or every 1000: little is worth more blocks.
    let mut random = 1_u32;
    let mut content = |piece: usize| -> Vec<u8> {
        let byte = |at: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (at / piece % 4 * 64) as u8 | (random >> 28) as u8
        };
        (0..TILE_SIZE).map(byte).collect()
    };
    let contents = [content(1024), content(1000)];
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let (mut payload, mut out) = (vec![0; tile_bound(TILE_SIZE)], vec![0; TILE_SIZE]);
    let mut most = 0;
    for size in (1..5).map(|size| size * 128).chain((2..9).map(|size| size * 511)).chain([16_384, TILE_SIZE])
    {
        for content in &contents {
            for level in [Level::FASTEST, Level::DEFAULT, Level::BEST_RATIO] {
                let len =
                    encoder.encode_tile(level, &content[..size], &mut payload).expect("the bound is enough");
                let report = decoder.inspect_tile(&payload[..len], &mut out[..size]).expect("a sound tile");
                let blocks = report.dynamic_blocks as usize;
                assert!(blocks <= 1 + max_dynamic_blocks(size) / 2, "{size} bytes, {level}: {blocks} blocks");
                most = most.max(blocks);
            }
        }
    }
    assert!(most > 32, "{most} blocks: this content is not worth many");
}
