//! Buffers compressed and decompressed on several threads: the same bytes as on one, and the same errors.
#![cfg(feature = "cpu")]

use core::num::NonZeroUsize;

use ds_gdeflate::{CodecId, DecodeError, EncodeError, EncodeOptions, Level, TILE_SIZE, TileStream};
use ds_runtime::CompressionCodec;

fn codec(threads: usize) -> CompressionCodec {
    CompressionCodec::new(NonZeroUsize::new(threads).unwrap())
}

/// Tiles that differ in kind: text, zeros, noise.
fn content(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..len)
        .map(|i| match (i / TILE_SIZE) % 3 {
            0 => b"the quick brown fox jumps over the lazy dog "[(i * i / 7) % 44],
            1 => 0,
            _ => {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_le_bytes()[3]
            }
        })
        .collect()
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    for len in [0, 1, TILE_SIZE - 1, TILE_SIZE, TILE_SIZE + 1, 10 * TILE_SIZE + 77] {
        let raw = content(len);
        for options in [
            EncodeOptions::new(Level::STORED),
            EncodeOptions::new(Level::FASTEST),
            EncodeOptions::new(Level::DEFAULT).decoder_friendly(true),
            EncodeOptions::new(Level::BEST_RATIO),
        ] {
            let expected = ds_gdeflate::compress(&raw, options, CodecId::default()).unwrap();
            for threads in [1, 2, 3, 16] {
                let mut codec = codec(threads);
                // The second time in memory that the first has used.
                for _ in 0..2 {
                    assert_eq!(
                        codec.compress(&raw, options).unwrap(),
                        expected,
                        "{len} bytes, {threads} threads"
                    );
                    assert_eq!(codec.decompress(&expected).unwrap(), raw, "{len} bytes, {threads} threads");
                }
            }
        }
    }
}

#[test]
fn streams_of_others_and_larger_memory_are_fine() {
    let raw = content(3 * TILE_SIZE);
    let packed = ds_gdeflate::compress(&raw, Level::FASTEST, CodecId::DirectStorage).unwrap();
    assert_eq!(codec(2).id(CodecId::DirectStorage).compress(&raw, Level::FASTEST).unwrap(), packed);
    let mut out = vec![0xA5; raw.len() + 100];
    assert_eq!(codec(2).decompress_into(&packed, &mut out).unwrap(), raw.len());
    assert_eq!(out[..raw.len()], raw);
    assert!(out[raw.len()..].iter().all(|&byte| byte == 0xA5), "nothing behind the content is touched");
}

#[test]
fn too_little_memory_is_refused_with_what_is_needed() {
    let raw = content(2 * TILE_SIZE + 5);
    let needed = CompressionCodec::bound(raw.len()).unwrap();
    let mut out = vec![0; needed - 1];
    let refused = codec(2).compress_into(&raw, Level::FASTEST, &mut out);
    assert_eq!(refused, Err(EncodeError::OutputTooSmall { needed, actual: needed - 1 }));

    let packed = codec(2).compress(&raw, Level::FASTEST).unwrap();
    let refused = codec(2).decompress_into(&packed, &mut out[..raw.len() - 1]);
    let (expected, actual) = (raw.len() as u64, raw.len() as u64 - 1);
    assert_eq!(refused, Err(DecodeError::OutputSize { expected, actual }));
    assert!(matches!(codec(2).decompress(b"not a stream"), Err(DecodeError::Stream(_))));
    assert_eq!(CompressionCodec::bound(usize::MAX), None);
}

/// Whoever finds a bad tile first, the error names the first bad tile.
#[test]
fn of_several_bad_tiles_the_first_is_named() {
    let raw = content(40 * TILE_SIZE);
    let mut packed = codec(1).compress(&raw, Level::FASTEST).unwrap();
    let payloads: Vec<_> = {
        let stream = TileStream::parse(&packed).unwrap();
        (0..stream.tiles().len()).map(|tile| stream.table().compressed_range(tile)).collect()
    };
    for bad in [39, 23, 22, 21, 17] {
        // A block of the kind that does not exist.
        packed[payloads[bad].start as usize] |= 0b110;
        for threads in [1, 2, 7] {
            for _ in 0..10 {
                let error = codec(threads).decompress(&packed).unwrap_err();
                assert!(matches!(error, DecodeError::Tile { tile, .. } if tile == bad), "{error:?}");
            }
        }
    }
}
