//! Encoding speed and ratio beside the reference's, class by class, one thread.
//!
//! `DS_CORPUS` names a folder of `.bin` files, one a class, of which 16 MiB each are read; without it, or in a test
//! run, a few generated tiles stand in. The two encoders take turns, tile by tile, and the fastest round of each tile
//! counts.
//! `DS_LEVELS` lists the levels to compare (all by default), `DS_STRIDE=n` takes every n-th tile only, for
//! a quick look, and `DS_ROUNDS` sets the number of rounds.
//! Tiles that the reference refuses are left out of both columns and counted. `DS_FRIENDLY=1` measures instead what
//! decoder-friendly tiles cost in size and gain in decoding speed, with our decoder.

mod classes;

use core::fmt;
use core::time::Duration;
use std::time::Instant;

use ds_gdeflate::{Decoder, EncodeOptions, Encoder, Level, TILE_SIZE, tile_bound};

/// Levels compared unless asked otherwise.
const LEVELS: &str = "0,1,2,3,4,5,6,7,8,9,10,11,12";

fn main() {
    // Cargo passes --bench for a measurement; anything else only asks whether the bench still runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let classes = classes::load(measuring);
    let rounds = if measuring { setting("DS_ROUNDS").unwrap_or(5) } else { 1 };
    let stride = setting("DS_STRIDE").unwrap_or(1);
    let levels = std::env::var("DS_LEVELS").unwrap_or_else(|_| LEVELS.into());
    let levels = levels.split(',').map(|number| {
        number.parse().ok().and_then(Level::new).expect("DS_LEVELS is a list of levels, 0 to 12, with commas")
    });

    if setting("DS_FRIENDLY").is_some() {
        levels.for_each(|level| weigh_friendliness(level, &classes, stride, rounds));
        return;
    }
    println!("against {}, {rounds} rounds", ds_reference::VERSION);
    for level in levels {
        println!("\nlevel {level:<9}  ratio    ref.  smaller    MB/s    ref.  faster  refused");
        let mut results = Vec::new();
        for (name, content) in &classes {
            let result = compare(level, content.chunks(TILE_SIZE).step_by(stride), rounds);
            println!("{name:14} {result}");
            results.push(result);
        }
        let mean = |value: fn(&Comparison) -> f64| {
            (results.iter().map(|result| value(result).ln()).sum::<f64>() / results.len() as f64).exp()
        };
        let smaller = 100.0 * (mean(Comparison::smaller) - 1.0);
        println!("geometric mean {smaller:+23.2}% {:23.2}x", mean(Comparison::faster));
    }
}

/// Prints how much larger, and how much faster to decode, decoder-friendly tiles are.
fn weigh_friendliness(level: Level, classes: &[(String, Vec<u8>)], stride: usize, rounds: usize) {
    println!("\nlevel {level:<9}  larger  decoded at  friendly  faster");
    let mut logs = [0.0; 2];
    for (name, content) in classes {
        let tiles: Vec<&[u8]> = content.chunks(TILE_SIZE).step_by(stride).collect();
        let payloads = [false, true].map(|friendly| {
            let options = EncodeOptions::new(level).decoder_friendly(friendly);
            let mut encoder = Encoder::boxed();
            let mut encode = |tile: &&[u8]| {
                let mut payload = vec![0; tile_bound(tile.len())];
                let len = encoder.encode_tile(options, tile, &mut payload).expect("there is room");
                payload.truncate(len);
                payload
            };
            tiles.iter().map(&mut encode).collect::<Vec<_>>()
        });
        let mut decoder = Decoder::boxed();
        let mut out = vec![0; TILE_SIZE];
        // What a tile takes when nothing disturbs: the differences are small.
        let mut totals = [Duration::ZERO; 2];
        for (index, tile) in tiles.iter().enumerate() {
            let mut best = [Duration::MAX; 2];
            for _ in 0..rounds {
                for (payloads, best) in payloads.iter().zip(&mut best) {
                    let start = Instant::now();
                    decoder.decode_tile(&payloads[index], &mut out[..tile.len()]).expect("what we wrote");
                    *best = start.elapsed().min(*best);
                }
            }
            totals.iter_mut().zip(best).for_each(|(total, best)| *total += best);
        }
        let [plain, friendly] = totals.map(|time| time.as_secs_f64());
        let [size, friendly_size] =
            payloads.map(|payloads| payloads.iter().map(|payload| 4 + payload.len()).sum::<usize>() as f64);
        let raw = tiles.iter().map(|tile| tile.len()).sum::<usize>() as f64 / 1e6;
        let (larger, faster) = (friendly_size / size, plain / friendly);
        logs[0] += larger.ln();
        logs[1] += faster.ln();
        let [plain, friendly] = [plain, friendly].map(|time| raw / time);
        println!("{name:14} {:+8.2}% {plain:11.0} {friendly:9.0} {faster:6.3}x", 100.0 * (larger - 1.0));
    }
    let [larger, faster] = logs.map(|log| (log / classes.len() as f64).exp());
    println!("geometric mean {:+8.2}% {faster:28.3}x", 100.0 * (larger - 1.0));
}

/// A number from the environment.
fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// One class at one level.
struct Comparison {
    raw: usize,
    sizes: [usize; 2],
    times: [Duration; 2],
    refused: usize,
}

impl Comparison {
    fn smaller(&self) -> f64 {
        self.sizes[1] as f64 / self.sizes[0] as f64
    }

    fn faster(&self) -> f64 {
        self.times[1].as_secs_f64() / self.times[0].as_secs_f64()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.raw as f64;
        let [ratio, reference_ratio] = self.sizes.map(|size| raw / size as f64);
        let [speed, reference_speed] = self.times.map(|time| raw / time.as_secs_f64() / 1e6);
        let smaller = 100.0 * (self.smaller() - 1.0);
        let (faster, refused) = (self.faster(), self.refused);
        write!(
            f,
            "{ratio:7.4} {reference_ratio:7.4} {smaller:+7.2}% \
             {speed:7.1} {reference_speed:7.1} {faster:6.2}x {refused:8}"
        )
    }
}

fn compare<'a>(level: Level, content: impl Iterator<Item = &'a [u8]>, rounds: usize) -> Comparison {
    let mut ours = Encoder::boxed();
    let mut theirs = ds_reference::Encoder::new(level.number()).expect("a level of the reference");
    let mut out = vec![0; tile_bound(TILE_SIZE)];

    // Every tile takes an entry of 4 bytes in the stream's table.
    let mut sizes = [0; 2];
    let mut refused = 0;
    let mut tiles = Vec::new();
    for tile in content {
        if let Ok(payload) = theirs.encode_tile(tile) {
            sizes[0] += 4 + ours.encode_tile(level, tile, &mut out).expect("there is room");
            sizes[1] += 4 + payload.len();
            tiles.push(tile);
        } else {
            refused += 1;
        }
    }

    // The fastest round of each tile counts: what it takes when nothing disturbs.
    let mut times = [Duration::ZERO; 2];
    for tile in &tiles {
        let mut best = [Duration::MAX; 2];
        for _ in 0..rounds {
            let start = Instant::now();
            ours.encode_tile(level, tile, &mut out).expect("there is room");
            best[0] = start.elapsed().min(best[0]);
            let start = Instant::now();
            theirs.encode_tile(tile).expect("it did before");
            best[1] = start.elapsed().min(best[1]);
        }
        times.iter_mut().zip(best).for_each(|(total, best)| *total += best);
    }
    Comparison { raw: tiles.iter().map(|tile| tile.len()).sum(), sizes, times, refused }
}
