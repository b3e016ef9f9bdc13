//! What `inspect_tile` counts is what tiles hold.

mod support;

use ds_gdeflate::{Decoder, SimdLevel, TileReport, TileStream};
use support::vectors;
use support::writer::Symbol::{End, Literal, Match};
use support::writer::{Prefix, TileWriter};

#[test]
fn every_part_of_a_tile_is_counted() {
    let mut tile = TileWriter::new();
    tile.stored(false, 5, b"three");
    // Length symbol 257 is 3 bytes, 265 with an extra bit 11 or 12; distance symbol 4 with an extra bit 5 or 6.
    let near = Match { length: (257, 0), distance: (0, 0) };
    let far = Match { length: (265, 1), distance: (4, 1) };
    tile.fixed(false, &[Literal(b'a'), far, Literal(b'b'), near, End]);
    let litlen = Prefix::of(257, &[(usize::from(b'c'), 1), (256, 1)]);
    tile.dynamic(true, &litlen, &Prefix::of(1, &[]), &[Literal(b'c'), End]);

    let mut out = [0; 5 + 1 + 12 + 1 + 3 + 1];
    let reports = SimdLevel::available()
        .map(|level| Decoder::with_simd(level).inspect_tile(&tile.payload(), &mut out).expect("a good tile"));
    let reports: Vec<_> = reports.collect();
    let report = reports[0];
    assert!(reports.iter().all(|other| *other == report));
    assert_eq!(&out, b"threeathreeathreeabbbbc");
    assert_eq!((report.stored_blocks, report.static_blocks, report.dynamic_blocks), (1, 1, 1));
    assert_eq!((report.stored_bytes, report.literals), (5, 3));
    assert_eq!((report.matches, report.matched_bytes), (2, 15));
    assert_eq!((report.longest_match, report.farthest_match), (12, 6));
    assert_eq!((report.blocks(), report.content()), (3, 23));
}

#[test]
fn reports_add_up_to_the_content() {
    let mut decoder = Decoder::new();
    let mut out = vec![0; 65_536];
    let mut sum = TileReport::default();
    let mut bytes = 0;
    for vector in vectors::committed() {
        for tile in TileStream::parse(&vector.stream).expect("a good stream").tiles() {
            let out = &mut out[..tile.uncompressed_size()];
            let report = decoder.inspect_tile(tile.payload(), out).expect("a good tile");
            let range = tile.uncompressed_range();
            assert!(*out == vector.raw[range.start as usize..range.end as usize], "{}", vector.name);
            assert_eq!(report.content(), out.len() as u64, "{}", vector.name);
            bytes += report.content();
            sum += report;
        }
    }
    assert_eq!(sum.content(), bytes);
    // Between them the encoders use all the format has.
    assert!(sum.stored_blocks > 0 && sum.static_blocks > 0 && sum.dynamic_blocks > 0, "{sum:?}");
    println!("{sum:#?}");
}

#[test]
fn a_bad_tile_is_refused_as_when_decoded() {
    let mut out = [0; 10];
    for level in SimdLevel::available() {
        let mut decoder = Decoder::with_simd(level);
        let error = decoder.inspect_tile(&[0xFF; 200], &mut out).expect_err("block type 3");
        assert_eq!(decoder.decode_tile(&[0xFF; 200], &mut out), Err(error));
    }
}
