//! Streams from two other encoders in seven modes decode to what they were made from.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use ds_gdeflate::{CodecId, Decoder, SimdLevel, TileStream};
use support::vectors::{self, Vector};

/// Decodes a vector every way there is; returns its number of tiles.
fn check(decoder: &mut Decoder, vector: &Vector) -> usize {
    let Vector { name, stream, raw } = vector;
    let parsed = TileStream::parse(stream).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(parsed.table().header().codec_id(), CodecId::Reference, "{name}");
    assert_eq!(parsed.uncompressed_size(), raw.len() as u64, "{name}");
    assert_eq!(parsed.consumed(), stream.len(), "{name}");

    for tile in parsed.tiles() {
        let range = tile.uncompressed_range();
        let expected = &raw[range.start as usize..range.end as usize];
        let mut out = vec![0xA5; tile.uncompressed_size()];
        let verdict = decoder.decode_tile(tile.payload(), &mut out);
        assert_eq!(verdict, Ok(()), "{name}, tile {}", tile.index());
        assert!(out == expected, "{name}, tile {} decodes to something else", tile.index());
    }

    check_whole(decoder, &parsed, vector);
    // The same tiles as DirectStorage's runtime labels them.
    let mut relabelled = stream.clone();
    relabelled[..2].copy_from_slice(&[0xFE, 0x01]);
    let relabelled = TileStream::parse(&relabelled).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(relabelled.table().header().codec_id(), CodecId::DirectStorage, "{name}");
    check_whole(decoder, &relabelled, vector);
    parsed.table().len()
}

fn check_whole(decoder: &mut Decoder, stream: &TileStream<'_>, Vector { name, raw, .. }: &Vector) {
    // Room behind the content must stay untouched.
    let mut out = vec![0xA5; raw.len() + 100];
    assert_eq!(decoder.decode_stream(stream, &mut out), Ok(raw.len()), "{name}");
    assert!(out[..raw.len()] == raw[..], "{name} decodes to something else");
    assert!(out[raw.len()..].iter().all(|&byte| byte == 0xA5), "{name}: wrote behind the content");
}

/// Checks all at every level and prints how many there were of each encoder.
fn check_all(vectors: &[Vector]) {
    for level in SimdLevel::available() {
        println!("{level}:");
        check_all_with(Decoder::with_simd(level), vectors);
    }
}

fn check_all_with(mut decoder: Decoder, vectors: &[Vector]) {
    let mut encoders = BTreeMap::<&str, (usize, usize)>::new();
    for vector in vectors {
        let tiles = check(&mut decoder, vector);
        let (streams, all_tiles) = encoders.entry(vector.encoder()).or_default();
        *streams += 1;
        *all_tiles += tiles;
    }
    for (encoder, (streams, tiles)) in encoders {
        println!("{encoder}: {streams} streams, {tiles} tiles");
    }
}

#[test]
fn committed_vectors_decode() {
    let vectors = vectors::committed();
    let encoders: BTreeSet<_> = vectors.iter().map(Vector::encoder).collect();
    assert_eq!(encoders, BTreeSet::from(["gpu0", "gpu1", "gpu5", "ref0", "ref1", "ref12", "ref6"]));
    assert!(vectors.len() >= 80, "only {} vectors", vectors.len());
    check_all(&vectors);
}

#[test]
fn shared_vectors_decode() {
    let folder = vectors::shared_folder();
    match vectors::read(&folder) {
        Some(vectors) => {
            assert!(!vectors.is_empty(), "{} holds no vectors", folder.display());
            check_all(&vectors);
        }
        None => {
            eprintln!("NOT RUN: there is no {}, so only the committed vectors were checked", folder.display())
        }
    }
}
