//! How much slower the decoder is on tiles made to be slow, per byte of payload and content, at every level of instructions.
//!
//! What is normal are the classes of the decoding bench (`DS_CORPUS`, or a few generated tiles), encoded by our encoder at its
//! default level; a class each in turn, and their mean, for tiles of full size. Small tiles, which have to spread what any tile costs
//! over fewer bytes, are compared with their like as well: the same classes, so many bytes of each tile. Every tile is decoded a few
//! times, and the fastest counts. Last for each level come the slowest tiles of each size.

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/support/worst.rs"]
mod worst;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/support/writer.rs"]
mod writer;

use core::time::Duration;
use std::time::Instant;

use ds_bench::classes;
use ds_bench::results::geometric_mean;
use ds_bench::settings::Settings;
use ds_gdeflate::{Decoder, Encoder, Level, SimdLevel, TILE_SIZE, tile_bound};
use worst::Worst;

/// What the project promises: no tile is as many times slower than a normal one of full size.
const PROMISE: f64 = 20.0;

/// Tiles of a class that are measured, evenly spaced.
const SAMPLE: usize = 32;

struct Tile {
    payload: Vec<u8>,
    len: usize,
}

impl Tile {
    fn bytes(&self) -> usize {
        self.payload.len() + self.len
    }
}

fn main() {
    let settings = Settings::from_env(&[], 15);
    let times = settings.rounds;
    let classes = classes::load(&settings);
    let normal_of = |size: usize| -> Vec<_> {
        classes.iter().map(|class| (&class.name, encode(&class.content, size))).collect()
    };
    let sizes = worst::SIZES.map(|size| (size, normal_of(size), worst::worst(size)));

    for level in settings.choose_simd(SimdLevel::available(), SimdLevel::name) {
        let mut full = None;
        let mut slowest = Vec::new();
        for (size, classes, worst) in &sizes {
            let normal: Vec<_> = classes.iter().map(|(_, tiles)| nanos_a_byte(level, tiles, times)).collect();
            let mean = geometric_mean(normal.iter().copied());
            let full = *full.get_or_insert(mean);
            println!(
                "\n{level}, {size} bytes: normal is {mean:.3} ns a byte of payload and content, the mean of"
            );
            for ((name, _), nanos) in classes.iter().zip(&normal) {
                println!("{name:44} {nanos:25.3} ns {:6.2}x", nanos / mean);
            }
            let mut most = Slowest { size: *size, nanos: 0.0, name: "", full, mean };
            for Worst { name, payload, len, blocks, .. } in worst {
                let nanos = nanos_a_byte(level, &[Tile { payload: payload.clone(), len: *len }], times);
                println!(
                    "{name:44} {blocks:7} blocks {nanos:10.3} ns {:6.2}x, {:6.2}x a full tile's",
                    nanos / mean,
                    nanos / full
                );
                if nanos > most.nanos {
                    most = Slowest { nanos, name, ..most };
                }
            }
            slowest.push(most);
        }
        println!("\n{level}: times as slow as a normal tile of full size, and of the same:");
        for Slowest { size, nanos, name, full, mean } in &slowest {
            println!("{size:7} bytes {:7.2} {:7.2}   {name}", nanos / full, nanos / mean);
        }
        let most = slowest.iter().map(|most| most.nanos / most.full).fold(0.0, f64::max);
        let verdict = match settings.corpus {
            None => "no verdict, as a few generated tiles are not what is normal",
            Some(_) if most < PROMISE => "as promised",
            Some(_) => "MORE THAN PROMISED",
        };
        println!("{level}: the slowest is {most:.1} times slower than normal: {verdict} ({PROMISE})");
    }
}

/// The slowest tile of some size.
struct Slowest {
    size: usize,
    nanos: f64,
    name: &'static str,
    /// Nanoseconds a byte of normal tiles of full size.
    full: f64,
    /// The same of tiles of this size.
    mean: f64,
}

/// Up to `size` bytes each of a few tiles' content, encoded.
fn encode(content: &[u8], size: usize) -> Vec<Tile> {
    let mut encoder = Encoder::new();
    let tiles = content.chunks(TILE_SIZE);
    let step = (tiles.len() / SAMPLE).max(1);
    let encode = |raw: &[u8]| {
        let raw = &raw[..raw.len().min(size)];
        let mut payload = vec![0; tile_bound(raw.len())];
        let len = encoder.encode_tile(Level::DEFAULT, raw, &mut payload).expect("the bound is enough");
        payload.truncate(len);
        Tile { payload, len: raw.len() }
    };
    tiles.step_by(step).map(encode).collect()
}

/// Nanoseconds for each byte of payload and content, each tile at its best of `times`.
fn nanos_a_byte(level: SimdLevel, tiles: &[Tile], times: usize) -> f64 {
    let mut decoder = Decoder::with_simd(level);
    let mut out = vec![0; TILE_SIZE];
    let mut best = vec![Duration::MAX; tiles.len()];
    for _ in 0..times {
        for (best, tile) in best.iter_mut().zip(tiles) {
            let begun = Instant::now();
            decoder.decode_tile(&tile.payload, &mut out[..tile.len]).expect("a sound tile");
            *best = begun.elapsed().min(*best);
        }
    }
    let bytes: usize = tiles.iter().map(Tile::bytes).sum();
    best.iter().sum::<Duration>().as_secs_f64() * 1e9 / bytes as f64
}
