//! Encoding speed and ratio beside the reference's, class by class, one thread.
//!
//! `DS_CORPUS` names a folder of `.bin` files, one a class, of which 16 MiB each are read; without it, or in a test
//! run, a few generated tiles stand in. The two encoders take turns, round by round, and the median round counts.
//! `DS_LEVELS` lists the levels to compare (all that matter by default), `DS_STRIDE=n` takes every n-th tile only, for
//! a quick look, and `DS_ROUNDS` sets the number of rounds.
//! Tiles that the reference refuses are left out of both columns and counted.

mod classes;

use core::fmt;
use core::time::Duration;
use std::time::Instant;

use ds_gdeflate::{Encoder, Level, TILE_SIZE, tile_bound};

/// Levels compared unless asked otherwise.
const LEVELS: &str = "0,1,6,9,12";

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

    let mut times = [vec![], vec![]];
    for _ in 0..rounds {
        let start = Instant::now();
        for tile in &tiles {
            ours.encode_tile(level, tile, &mut out).expect("there is room");
        }
        times[0].push(start.elapsed());
        let start = Instant::now();
        for tile in &tiles {
            theirs.encode_tile(tile).expect("it did before");
        }
        times[1].push(start.elapsed());
    }
    let times = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    Comparison { raw: tiles.iter().map(|tile| tile.len()).sum(), sizes, times, refused }
}
