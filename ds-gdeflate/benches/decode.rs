//! Decoding speed beside the reference's, class by class, one thread, on tiles that the reference encoded.
//!
//! `DS_CORPUS` names a folder of `.bin` files, one a class, of which 16 MiB each are read; without it, or in a test
//! run, a few generated tiles stand in. First comes the comparison: the decoders take turns, round by round, on
//! the same tiles, every byte of every round is checked, and the median round counts. Tiles that the reference
//! encoder refuses are left out and counted. Then criterion measures all once more, to keep a history.
//!
//! Where time would mean nothing, under an emulator, instructions are counted instead: `DS_INSTRUCTIONS` names the file in which
//! the plugin `count_instructions.c` keeps their number. One round of it, as every round counts the same.
//!
//! `DS_SIMD` lists the levels of instructions to measure, all that the machine has if it is not set; `DS_LEVELS` the
//! levels of the encoder, 1, 9 and 12 if not.

mod classes;

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;
use std::time::Instant;

use criterion::{Criterion, SamplingMode, Throughput};
use ds_gdeflate::{Decoder, SimdLevel, TILE_SIZE};
use ds_reference::TileArena;

const LEVELS: [u8; 3] = [1, 9, 12];
const HISTORY_LEVEL: u8 = 9;
const ROUNDS: usize = 7;

fn main() {
    // Cargo passes --bench for a measurement; anything else only asks whether the bench still runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let classes = classes::load(measuring);
    let clock = Clock::from_env();
    let rounds = if measuring && matches!(clock, Clock::Time(_)) { ROUNDS } else { 1 };
    let simd = simd_levels();
    let mut history = Vec::new();

    println!("against {}, {}, {rounds} rounds; {clock}", ds_reference::VERSION, ds_reference::FLAGS);
    for level in levels() {
        print!("\nlevel {level:<9}  ratio    ref.");
        simd.iter().for_each(|simd| print!("{simd:>8}  faster"));
        println!("  refused");
        let mut means = vec![0.0; simd.len()];
        for (name, content) in &classes {
            let tiles = Tiles::encode(level, content);
            let result = compare(&tiles, &simd, &clock, rounds);
            println!("{name:14} {result}");
            for (mean, faster) in means.iter_mut().zip(result.faster()) {
                *mean += faster.ln() / classes.len() as f64;
            }
            if level == HISTORY_LEVEL {
                history.push((name, tiles));
            }
        }
        print!("{:30}", "geometric mean");
        means.iter().for_each(|mean| print!("{:15.2}x", mean.exp()));
        println!();
    }
    if measuring && matches!(clock, Clock::Time(_)) {
        keep_history(&history, &simd);
    }
}

/// The encoder's levels that `DS_LEVELS` lists, or the three that DirectStorage knows.
fn levels() -> Vec<u8> {
    let Ok(list) = std::env::var("DS_LEVELS") else { return LEVELS.to_vec() };
    list.split(',').map(|level| level.trim().parse().expect("DS_LEVELS lists levels")).collect()
}

/// The levels of instructions that `DS_SIMD` lists, or all.
fn simd_levels() -> Vec<SimdLevel> {
    let Ok(list) = std::env::var("DS_SIMD") else { return SimdLevel::available().collect() };
    let by_name = |name: &str| SimdLevel::available().find(|level| level.name() == name.trim());
    list.split(',').map(|name| by_name(name).expect("DS_SIMD lists levels of this machine")).collect()
}

/// What is measured.
enum Clock {
    /// Time, since then.
    Time(Instant),
    /// The number of instructions in this file: as many nanoseconds.
    Instructions(PathBuf),
}

impl Clock {
    fn from_env() -> Self {
        let file = std::env::var_os("DS_INSTRUCTIONS");
        file.map_or_else(|| Self::Time(Instant::now()), |file| Self::Instructions(file.into()))
    }

    fn now(&self) -> Duration {
        match self {
            Self::Time(start) => start.elapsed(),
            Self::Instructions(file) => {
                let count = std::fs::read(file).ok().and_then(|count| count.try_into().ok());
                Duration::from_nanos(u64::from_ne_bytes(
                    count.expect("DS_INSTRUCTIONS names a file of 8 bytes"),
                ))
            }
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time(_) => "MB/s",
            Self::Instructions(_) => "MB in 10^9 instructions",
        })
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
    /// The reference's time.
    reference: Duration,
    /// Our times, one for each level of instructions.
    ours: Vec<Duration>,
    refused: usize,
}

impl Comparison {
    /// How many times as fast we are, at each level of instructions.
    fn faster(&self) -> impl Iterator<Item = f64> {
        self.ours.iter().map(|ours| self.reference.as_secs_f64() / ours.as_secs_f64())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.raw as f64 / self.packed as f64;
        let speed = |time: Duration| self.raw as f64 / time.as_secs_f64() / 1e6;
        write!(f, "{ratio:7.3} {:7.1}", speed(self.reference))?;
        for (&ours, faster) in self.ours.iter().zip(self.faster()) {
            write!(f, " {:7.1} {faster:6.2}x", speed(ours))?;
        }
        write!(f, " {:8}", self.refused)
    }
}

fn compare(tiles: &Tiles, simd: &[SimdLevel], clock: &Clock, rounds: usize) -> Comparison {
    let mut decoders: Vec<_> = simd.iter().map(|&level| Decoder::with_level(level)).collect();
    let mut reference = ds_reference::Decoder::new();
    // Filled, so that no round pays for the first touch of a page.
    let mut out = vec![0xA5; tiles.raw.len()];
    let mut reference_times = Vec::new();
    let mut times = vec![Vec::new(); decoders.len()];
    for _ in 0..rounds {
        for (decoder, times) in decoders.iter_mut().zip(&mut times) {
            times.push(measure(tiles, &mut out, clock, |out| tiles.decode(decoder, out)));
        }
        reference_times
            .push(measure(tiles, &mut out, clock, |out| tiles.decode_by_reference(&mut reference, out)));
    }
    Comparison {
        raw: tiles.raw.len(),
        packed: tiles.packed(),
        reference: median(reference_times),
        ours: times.into_iter().map(median).collect(),
        refused: tiles.refused,
    }
}

/// Measures one round, and checks its output.
fn measure(tiles: &Tiles, out: &mut [u8], clock: &Clock, decode: impl FnOnce(&mut [u8])) -> Duration {
    out.fill(0xA5);
    let start = clock.now();
    decode(out);
    let time = clock.now() - start;
    assert!(*out == tiles.raw, "the output is wrong");
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Has criterion measure all decoders on every class, briefly.
fn keep_history(classes: &[(&String, Tiles)], simd: &[SimdLevel]) {
    let brief = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(2000));
    let mut criterion = brief.configure_from_args();
    for (name, tiles) in classes {
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Bytes(tiles.raw.len() as u64));
        let mut out = vec![0; tiles.raw.len()];
        for &level in simd {
            let mut ours = Decoder::with_level(level);
            group.bench_function(level.name(), |bencher| bencher.iter(|| tiles.decode(&mut ours, &mut out)));
        }
        let mut theirs = ds_reference::Decoder::new();
        group.bench_function("reference", |bencher| {
            bencher.iter(|| tiles.decode_by_reference(&mut theirs, &mut out));
        });
        group.finish();
    }
    criterion.final_summary();
}
