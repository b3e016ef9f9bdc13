//! Decoding speed beside the reference's, class by class, one thread, on tiles that the reference encoded.
//!
//! `DS_CORPUS` names a folder of `.bin` files, one a class, of which 16 MiB each are read; without it, or in a test
//! run, a few generated tiles stand in. First comes the comparison: the two decoders take turns, round by round, on
//! the same tiles, every byte of every round is checked, and the median round counts. Tiles that the reference
//! encoder refuses are left out and counted. Then criterion measures both once more, to keep a history.

mod classes;

use core::fmt;
use core::time::Duration;
use std::time::Instant;

use criterion::{Criterion, SamplingMode, Throughput};
use ds_gdeflate::{Decoder, TILE_SIZE};
use ds_reference::TileArena;

const LEVELS: [u8; 3] = [1, 9, 12];
const HISTORY_LEVEL: u8 = 9;
const ROUNDS: usize = 7;

fn main() {
    // Cargo passes --bench for a measurement; anything else only asks whether the bench still runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let classes = classes::load(measuring);
    let rounds = if measuring { ROUNDS } else { 1 };
    let mut history = Vec::new();

    println!("against {}, {rounds} rounds", ds_reference::VERSION);
    for level in LEVELS {
        println!("\nlevel {level:<9}  ratio    MB/s    ref.  faster  refused");
        let mut mean = 0.0;
        for (name, content) in &classes {
            let tiles = Tiles::encode(level, content);
            let result = compare(&tiles, rounds);
            println!("{name:14} {result}");
            mean += result.faster().ln() / classes.len() as f64;
            if level == HISTORY_LEVEL {
                history.push((name, tiles));
            }
        }
        println!("geometric mean {:23.2}x", mean.exp());
    }
    if measuring {
        keep_history(&history);
    }
}

/// Content and the tiles that the reference made of it.
struct Tiles {
    raw: Vec<u8>,
    payloads: TileArena,
    refused: usize,
}

impl Tiles {
    fn encode(level: u8, content: &[u8]) -> Self {
        let mut encoder = ds_reference::Encoder::new(level).expect("a level of the reference");
        let (mut raw, mut payloads, mut refused) = (Vec::new(), Vec::new(), 0);
        for tile in content.chunks(TILE_SIZE) {
            match encoder.encode_tile(tile) {
                Ok(payload) => {
                    raw.extend_from_slice(tile);
                    payloads.push(payload);
                }
                Err(ds_reference::Refused) => refused += 1,
            }
        }
        Self { raw, payloads: TileArena::new(payloads), refused }
    }

    /// Bytes of payload, and of the stream's table.
    fn packed(&self) -> usize {
        self.payloads.tiles().map(|tile| 4 + tile.payload().len()).sum()
    }

    fn decode(&self, decoder: &mut Decoder, out: &mut [u8]) {
        for (tile, out) in self.payloads.tiles().zip(out.chunks_mut(TILE_SIZE)) {
            decoder.decode_tile(tile.payload(), out).expect("a good tile");
        }
    }

    fn decode_by_reference(&self, decoder: &mut ds_reference::Decoder, out: &mut [u8]) {
        for (tile, out) in self.payloads.tiles().zip(out.chunks_mut(TILE_SIZE)) {
            decoder.decode_padded(tile, out).expect("a good tile");
        }
    }
}

/// One class at one level.
struct Comparison {
    raw: usize,
    packed: usize,
    times: [Duration; 2],
    refused: usize,
}

impl Comparison {
    fn faster(&self) -> f64 {
        self.times[1].as_secs_f64() / self.times[0].as_secs_f64()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.raw as f64 / self.packed as f64;
        let [speed, reference_speed] = self.times.map(|time| self.raw as f64 / time.as_secs_f64() / 1e6);
        let (faster, refused) = (self.faster(), self.refused);
        write!(f, "{ratio:7.3} {speed:7.1} {reference_speed:7.1} {faster:6.2}x {refused:8}")
    }
}

fn compare(tiles: &Tiles, rounds: usize) -> Comparison {
    let mut ours = Decoder::boxed();
    let mut theirs = ds_reference::Decoder::new();
    // Filled, so that no round pays for the first touch of a page.
    let mut out = vec![0xA5; tiles.raw.len()];
    let mut times = [vec![], vec![]];
    for _ in 0..rounds {
        let start = Instant::now();
        tiles.decode(&mut ours, &mut out);
        times[0].push(start.elapsed());
        assert!(out == tiles.raw, "our decoder's output is wrong");
        out.fill(0xA5);

        let start = Instant::now();
        tiles.decode_by_reference(&mut theirs, &mut out);
        times[1].push(start.elapsed());
        assert!(out == tiles.raw, "the reference decoder's output is wrong");
        out.fill(0xA5);
    }
    let times = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    Comparison { raw: tiles.raw.len(), packed: tiles.packed(), times, refused: tiles.refused }
}

/// Has criterion measure both decoders on every class, briefly.
fn keep_history(classes: &[(&String, Tiles)]) {
    let brief = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(2000));
    let mut criterion = brief.configure_from_args();
    for (name, tiles) in classes {
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Bytes(tiles.raw.len() as u64));
        let mut out = vec![0; tiles.raw.len()];
        let mut ours = Decoder::boxed();
        group.bench_function("ours", |bencher| bencher.iter(|| tiles.decode(&mut ours, &mut out)));
        let mut theirs = ds_reference::Decoder::new();
        group.bench_function("reference", |bencher| {
            bencher.iter(|| tiles.decode_by_reference(&mut theirs, &mut out));
        });
        group.finish();
    }
    criterion.final_summary();
}
