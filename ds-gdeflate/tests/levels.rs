//! Every level of instructions gives the same bytes and the same verdicts, within its buffers.

mod support;

use std::collections::BTreeMap;

use ds_gdeflate::{
    Decoder, EncodeError, Encoder, Level, SimdLevel, TILE_SIZE, TileError, TileStream, tile_bound,
};
use support::guarded::{Edge, Guarded};
use support::random::Random;
use support::writer::Symbol::{self, End, Literal, Match};
use support::writer::{Prefix, TileWriter};
use support::{short, vectors};

#[test]
fn a_machine_has_the_levels_it_claims() {
    let names: Vec<_> = SimdLevel::available().map(SimdLevel::name).collect();
    println!("{names:?}");
    let claimed = claimed();
    assert_eq!(names, claimed);
    assert_eq!(SimdLevel::detect().name(), *claimed.last().expect("at least one"));
    assert_eq!(SimdLevel::available().next(), Some(SimdLevel::SCALAR));
    assert_eq!(format!("{:>8}", SimdLevel::SCALAR), "  scalar");
}

/// The levels that the machine's own answer calls for, slowest first.
fn claimed() -> Vec<&'static str> {
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt");
        let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        let levels = [Some("scalar"), avx2.then_some("avx2"), (avx2 && avx512).then_some("avx512")];
        levels.into_iter().flatten().collect()
    }
    #[cfg(all(feature = "simd", target_arch = "aarch64", target_endian = "little"))]
    {
        let neon = std::arch::is_aarch64_feature_detected!("neon");
        [Some("scalar"), neon.then_some("neon")].into_iter().flatten().collect()
    }
    #[cfg(not(all(
        feature = "simd",
        any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))
    )))]
    vec!["scalar"]
}

#[test]
fn codecs_keep_to_their_level() {
    for level in SimdLevel::available() {
        assert_eq!(Decoder::with_simd(level).simd(), level);
        assert_eq!(Encoder::with_simd(level).simd(), level);
    }
    assert_eq!(Decoder::new().simd(), SimdLevel::detect());
    assert_eq!(Encoder::new().simd(), SimdLevel::detect());
}

/// Decodes tiles at every level, out of and into memory whose neighbours must not be touched.
struct Bench {
    payload: Guarded,
    out: Guarded,
    decoders: Vec<Decoder>,
    expected: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        Self {
            payload: Guarded::new(128 * 1024),
            out: Guarded::new(65_536),
            decoders: SimdLevel::available().map(Decoder::with_simd).collect(),
            expected: vec![0; 65_536],
        }
    }

    /// What the careful decoder makes of a tile, after all levels have made the same of it.
    fn decode(&mut self, payload: &[u8], len: usize) -> Result<&[u8], TileError> {
        let expected = &mut self.expected[..len];
        let verdict = self.decoders[0].inspect_tile(payload, expected).map(drop);
        for decoder in &mut self.decoders {
            for edge in [Edge::Start, Edge::End] {
                let guarded = self.payload.slice(edge, payload.len());
                guarded.copy_from_slice(payload);
                let out = self.out.slice(edge, len);
                out.fill(0xA5);
                let level = decoder.simd();
                assert_eq!(decoder.decode_tile(guarded, out), verdict, "{level}");
                assert!(verdict.is_err() || out == expected, "{level} decodes to something else");
            }
        }
        verdict.map(|()| &*expected)
    }
}

#[test]
fn vectors_decode_beside_forbidden_memory() {
    let mut bench = Bench::new();
    for vector in vectors::committed() {
        for tile in TileStream::parse(&vector.stream).expect("a good stream").tiles() {
            let len = tile.uncompressed_size();
            let range = tile.uncompressed_range();
            let content = &vector.raw[range.start as usize..range.end as usize];
            assert!(bench.decode(tile.payload(), len) == Ok(content), "{}", vector.name);
            // Cut anywhere, and into an output of the wrong size.
            for part in 1..8 {
                let cut = tile.payload().len() / 4 * part / 8 * 4;
                assert!(bench.decode(&tile.payload()[..cut], len).is_err(), "{}, {cut} bytes", vector.name);
            }
            for len in [len - 1, len.saturating_sub(40), len / 2, (len + 1).min(65_536)] {
                if len != 0 && len != content.len() {
                    assert!(bench.decode(tile.payload(), len).is_err(), "{}, {len} bytes", vector.name);
                }
            }
        }
    }
}

/// A literal/length code in which some codewords are longer than a table's first level takes, whichever they are.
fn deep_litlen(random: &mut Random) -> Prefix {
    let mut lengths = vec![0; 286];
    let mut symbols: Vec<usize> = (0..286).collect();
    for at in (1..symbols.len()).rev() {
        symbols.swap(at, random.below(at + 1));
    }
    for (place, symbol) in symbols.into_iter().enumerate() {
        lengths[symbol] = match place {
            0..16 => 5,
            16..266 => 9,
            266..275 => 10,
            275..279 => 11,
            279..282 => 12,
            282 => 13,
            283 => 14,
            _ => 15,
        };
    }
    Prefix(lengths)
}

/// Symbols for `len` bytes, give or take a match, with lengths and distances of all kinds.
fn random_symbols(random: &mut Random, len: usize, matches: usize) -> (Vec<Symbol>, usize) {
    let mut symbols = Vec::new();
    let mut at = 0;
    while at < len {
        let distance_symbol = [0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 25][random.below(12)];
        let extra_bits = (distance_symbol / 2_usize).saturating_sub(1);
        let extra = random.below(1 << extra_bits);
        let base = if distance_symbol < 4 {
            distance_symbol + 1
        } else {
            1 + ((2 + distance_symbol % 2) << extra_bits)
        };
        if random.below(100) < matches && base + extra <= at {
            let (length_symbol, len) = [(257, 3), (258, 4), (260, 6), (264, 10), (284, 227)][random.below(5)];
            let length_extra = if length_symbol == 284 { random.below(32) } else { 0 };
            symbols.push(Match {
                length: (length_symbol, length_extra as u32),
                distance: (distance_symbol, extra as u32),
            });
            at += len + length_extra;
        } else {
            symbols.push(Literal(random.next() as u8));
            at += 1;
        }
    }
    symbols.push(End);
    (symbols, at)
}

#[test]
fn random_symbols_decode_alike() {
    let mut random = Random::new(0x1E7E15);
    let mut bench = Bench::new();
    let mut verdicts = BTreeMap::new();
    for round in 0..120 {
        let matches = [0, 5, 30, 70, 100][round % 5];
        let len = 1 + random.below(4000);
        let (symbols, len) = random_symbols(&mut random, len, matches);
        let mut tile = TileWriter::new();
        if round % 3 == 0 {
            tile.fixed(true, &symbols);
        } else {
            tile.dynamic(true, &deep_litlen(&mut random), &Prefix(vec![5; 32]), &symbols);
        }
        let mut payload = tile.payload();
        bench.decode(&payload, len).expect("a good tile");
        for _ in 0..20 {
            let bit = random.below(8 * payload.len());
            payload[bit / 8] ^= 1 << (bit % 8);
            let verdict = bench.decode(&payload, len).map_or_else(|error| error.kind.name(), |_| "accepted");
            *verdicts.entry(verdict).or_insert(0) += 1;
            payload[bit / 8] ^= 1 << (bit % 8);
        }
    }
    println!("flipped bits: {verdicts:#?}");
    assert!(verdicts["accepted"] > 100 && verdicts.len() > 5, "{verdicts:?}");
}

#[test]
fn small_tiles_of_short_blocks_decode_alike() {
    let mut random = Random::new(0x5407);
    let mut bench = Bench::new();
    let mut verdicts = BTreeMap::new();
    for round in 0..800 {
        let most = [8, 40, 140, 600, 1100, 4096][round % 6];
        let len = 1 + random.below(most);
        let mut payload = short::tile(&mut random, len);
        let content = bench.decode(&payload, len).expect("a sound tile").to_vec();
        for level in SimdLevel::available() {
            // As by a workspace that has seen nothing yet.
            let mut out = vec![0x5A; len];
            Decoder::with_simd(level).decode_tile(&payload, &mut out).expect("a sound tile");
            assert!(out == content, "{level}: depends on what was before");
        }
        for _ in 0..20 {
            let bit = random.below(8 * payload.len());
            payload[bit / 8] ^= 1 << (bit % 8);
            let verdict = bench.decode(&payload, len).map_or_else(|error| error.kind.name(), |_| "accepted");
            *verdicts.entry(verdict).or_insert(0) += 1;
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        let cut = 4 * random.below(payload.len() / 4);
        bench.decode(&payload[..cut], len).expect_err("a tile needs all its words");
        for other in [len - 1, len + 1, len / 2] {
            if (1..=65_536).contains(&other) && other != len {
                bench.decode(&payload, other).expect_err("a tile is as long as it is");
            }
        }
    }
    println!("flipped bits: {verdicts:#?}");
    assert!(verdicts["accepted"] > 1000 && verdicts.len() > 10, "{verdicts:?}");
}

#[test]
fn distances_may_reach_the_start_and_no_farther() {
    let mut bench = Bench::new();
    for literals in 1..150 {
        let x = vec![Literal(b'x'); literals];
        // Distances of 1 to 4 have no extra bits; from there on two symbols share a number of them.
        for distance in [literals, literals + 1] {
            let symbol = (0..32)
                .rev()
                .find(|symbol| distance_base(*symbol) <= distance)
                .expect("symbol 0 is distance 1");
            let extra = (distance - distance_base(symbol)) as u32;
            let copy = Match { length: (257, 0), distance: (symbol, extra) };
            let symbols = [x.clone(), vec![copy], vec![Literal(b'y'); 100], vec![End]].concat();
            let mut tile = TileWriter::new();
            tile.fixed(true, &symbols);
            let verdict = bench.decode(&tile.payload(), literals + 103);
            assert_eq!(verdict.is_ok(), distance == literals, "{literals} literals, distance {distance}");
        }
    }
}

fn distance_base(symbol: usize) -> usize {
    if symbol < 4 { symbol + 1 } else { 1 + ((2 + symbol % 2) << (symbol / 2 - 1)) }
}

#[test]
fn what_is_encoded_decodes_at_every_period() {
    let mut random = Random::new(0x9E210D);
    let mut bench = Bench::new();
    let mut encoder = Encoder::new();
    let mut payload = vec![0; tile_bound(65_536)];
    for period in (1..70).chain([255, 256, 257, 4096, 65_536]) {
        let pattern = random.bytes(period);
        for (len, noise) in [(65_536, 0), (10_000, 40), (777, 7), (33 + period.min(500), 0)] {
            let mut raw: Vec<u8> = pattern.iter().copied().cycle().take(len).collect();
            for _ in 0..len * noise / 1000 {
                raw[random.below(len)] = random.next() as u8;
            }
            let size = encoder.encode_tile(Level::DEFAULT, &raw, &mut payload).expect("room enough");
            assert!(bench.decode(&payload[..size], len) == Ok(&raw), "period {period}, {len} bytes");
        }
    }
}

/// Tokens of every kind close together: literals, matches of few and of thousands of bytes, near and far.
fn patchwork(random: &mut Random) -> Vec<u8> {
    let start = 40 + random.below(2000);
    let mut raw = random.bytes(start);
    while raw.len() < TILE_SIZE {
        let len = [1, 4, 7, 40, 258, 259, 300, 5000][random.below(8)].min(TILE_SIZE - raw.len());
        if random.below(3) == 0 {
            raw.extend(random.bytes(len.min(20)));
        } else {
            let farthest = [8, 1000, raw.len()][random.below(3)].min(raw.len());
            let distance = 1 + random.below(farthest);
            (0..len).for_each(|_| raw.push(raw[raw.len() - distance]));
        }
    }
    raw
}

#[test]
fn all_encode_alike_into_any_room() {
    let mut random = Random::new(0xE9C0DE);
    let mut encoders: Vec<_> = SimdLevel::available().map(Encoder::with_simd).collect();
    let mut bench = Bench::new();
    let mut room = Guarded::new(tile_bound(TILE_SIZE));
    for _ in 0..24 {
        let raw = patchwork(&mut random);
        for level in [Level::FASTEST, Level::new(6).expect("a level")] {
            let mut payload = vec![0; tile_bound(TILE_SIZE)];
            let size = encoders[0].encode_tile(level, &raw, &mut payload).expect("room enough");
            for encoder in &mut encoders {
                let simd = encoder.simd();
                // Words without room are counted, not written.
                for len in [0, 100, size / 2, size - 1, size, size + 60] {
                    let out = room.slice(Edge::End, len.min(tile_bound(TILE_SIZE)));
                    let actual = out.len();
                    let expected = match actual {
                        _ if actual < size => Err(EncodeError::OutputTooSmall { needed: size, actual }),
                        _ => Ok(size),
                    };
                    assert_eq!(encoder.encode_tile(level, &raw, out), expected, "{simd}, level {level}");
                    assert!(
                        actual < size || out[..size] == payload[..size],
                        "{simd}, level {level}: other bytes"
                    );
                }
            }
            assert!(bench.decode(&payload[..size], raw.len()) == Ok(&raw), "level {level}");
        }
    }
}
