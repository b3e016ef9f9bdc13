//! Decoding speed beside the reference's, class by class, one thread, on tiles that the reference encoded; and how much
//! faster two threads are than one.
//!
//! The decoders take turns, round by round, on the same tiles, every byte of every round is checked, and the fastest round
//! of each tile counts. Tiles that the reference encoder refuses are left out and counted. In the end criterion measures all
//! once more, to keep a history, unless the results are written to a file. `ds_bench::settings` lists the variables
//! of the environment that choose what is measured; levels are 1, 9 and 12 if not said.

use core::fmt::Write as _;
use core::iter::zip;
use core::time::Duration;
use std::sync::Mutex;

use criterion::{Criterion, SamplingMode, Throughput};
use ds_bench::classes::{self, Class};
use ds_bench::progress::Progress;
use ds_bench::results::{self, Bench, Decode, Rival, Run, Simd, Threads, geometric_mean};
use ds_bench::settings::Settings;
use ds_bench::timing::{Fastest, checked};
use ds_gdeflate::{Decoder, SimdLevel, TILE_SIZE};
use ds_reference::{PaddedTile, TileArena};

/// The levels that DirectStorage knows.
const LEVELS: [u8; 3] = [1, 9, 12];
/// The level whose tiles two threads decode, and criterion.
const MAIN_LEVEL: u8 = 9;
const THREADS: usize = 2;
/// Times that several threads decode all tiles in one measurement: starting them must not count.
const PASSES: usize = 8;
const ROUNDS: usize = 7;

fn main() {
    let settings = Settings::from_env(&LEVELS, ROUNDS);
    let classes = classes::load(&settings);
    let simd = settings.choose_simd(SimdLevel::available(), SimdLevel::name);
    let fastest = *simd.last().expect("one level at least");
    let rival = Rival { version: ds_reference::VERSION.into(), flags: ds_reference::FLAGS.into() };
    println!("against {}, {}, {} rounds; MB/s", rival.version, rival.flags, settings.rounds);

    let progress = Progress::new("decode", settings.levels.len() * classes.len());
    let mut bench = Bench { rival, rounds: settings.rounds, decode: vec![], encode: vec![], threads: vec![] };
    let mut history = Vec::new();
    for &level in &settings.levels {
        let names: String = simd.iter().map(|simd| format!("{simd:>8}  faster")).collect();
        progress.line(format!("\nlevel {level:<9}  ratio    ref.{names}  refused"));
        let before = bench.decode.len();
        for Class { name, content } in &classes {
            progress.begin(format!("level {level}, {name}"));
            let tiles = Tiles::encode(level, content);
            if tiles.raw.is_empty() {
                progress.line(format!("{name:14} LEFT OUT: the reference refused all of it"));
                progress.done();
                continue;
            }
            let row = tiles.compare(level, name, &simd, settings.rounds);
            progress.line(show(&row));
            bench.decode.push(row);
            if level == MAIN_LEVEL {
                bench.threads.push(tiles.scale(name, fastest, settings.rounds));
                history.push((name, tiles));
            }
            progress.done();
        }
        progress.line(show_means(&bench.decode[before..]));
    }
    if !bench.threads.is_empty() {
        progress.line(format!("\n{THREADS} threads, level {MAIN_LEVEL}, {fastest}"));
        for row in &bench.threads {
            progress.line(format!("{:14} {:6.2}x", row.class, row.faster()));
        }
        let mean = geometric_mean(bench.threads.iter().map(Threads::faster));
        progress.line(format!("geometric mean {mean:6.2}x"));
    }
    drop(progress);
    results::write(&bench, settings.json.as_deref());
    if settings.measuring && settings.json.is_none() {
        keep_history(&history, &simd);
    }
}

fn show(row: &Decode) -> String {
    let ratio = row.bytes as f64 / row.rival.packed as f64;
    let speed = |run: Run| row.bytes as f64 / run.seconds / 1e6;
    let mut line = format!("{:14} {ratio:7.3} {:7.1}", row.class, speed(row.rival));
    for (ours, faster) in zip(&row.ours, row.faster()) {
        write!(line, " {:7.1} {faster:6.2}x", speed(ours.run)).expect("strings have room");
    }
    write!(line, " {:8}", row.refused).expect("strings have room");
    line
}

fn show_means(rows: &[Decode]) -> String {
    let simd = rows.first().map_or(0, |row| row.ours.len());
    let mean = |index| geometric_mean(rows.iter().filter_map(|row| row.faster().nth(index)));
    let means: String = (0..simd).map(|index| format!("{:15.2}x", mean(index))).collect();
    format!("{:30}{means}", "geometric mean")
}

/// Content and the tiles that the reference made of it.
struct Tiles {
    raw: Vec<u8>,
    payloads: TileArena,
    refused: u64,
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

    /// The tiles, each with its place in `out`.
    fn places<'a>(
        &'a self,
        out: &'a mut [u8],
    ) -> impl Iterator<Item = (PaddedTile<'a>, &'a mut [u8])> + Send {
        zip(self.payloads.tiles(), out.chunks_mut(TILE_SIZE))
    }

    fn decode(&self, decoder: &mut Decoder, out: &mut [u8]) {
        for (tile, out) in self.places(out) {
            decoder.decode_tile(tile.payload(), out).expect("a good tile");
        }
    }

    fn decode_by_reference(&self, decoder: &mut ds_reference::Decoder, out: &mut [u8]) {
        for (tile, out) in self.places(out) {
            decoder.decode_padded(tile, out).expect("a good tile");
        }
    }

    /// Each of `decoders` on a thread, this thread for the first; whichever is free takes the next tile, until `out` is full of
    /// copies of the content.
    fn decode_on_threads(&self, decoders: &mut [Decoder], out: &mut [u8]) {
        let places = Mutex::new(out.chunks_mut(self.raw.len()).flat_map(|out| self.places(out)));
        let next = || places.lock().expect("no thread panics with the lock").next();
        let work = |decoder: &mut Decoder| {
            while let Some((tile, out)) = next() {
                decoder.decode_tile(tile.payload(), out).expect("a good tile");
            }
        };
        let (first, others) = decoders.split_first_mut().expect("one thread at least");
        std::thread::scope(|scope| {
            for decoder in others {
                scope.spawn(|| work(decoder));
            }
            work(first);
        });
    }

    fn compare(&self, level: u8, class: &str, simd: &[SimdLevel], rounds: usize) -> Decode {
        let mut decoders: Vec<_> = simd.iter().map(|&level| Decoder::with_simd(level)).collect();
        let mut reference = ds_reference::Decoder::new();
        let tiles: Vec<_> = self.payloads.tiles().collect();
        let mut out = vec![0; self.raw.len()];
        let mut their_time = Fastest::new(&self.raw);
        let mut our_times = vec![their_time.clone(); decoders.len()];
        for _ in 0..rounds {
            for (decoder, time) in zip(&mut decoders, &mut our_times) {
                time.round(&self.raw, &mut out, |tile, out| {
                    decoder.decode_tile(tiles[tile].payload(), out).expect("a good tile");
                });
            }
            their_time.round(&self.raw, &mut out, |tile, out| {
                reference.decode_padded(tiles[tile], out).expect("a good tile");
            });
        }
        let packed = tiles.iter().map(|tile| 4 + tile.payload().len() as u64).sum();
        let run = |time: &Fastest| Run { packed, seconds: time.seconds() };
        let ours =
            zip(simd, &our_times).map(|(simd, time)| Simd { simd: simd.name().into(), run: run(time) });
        Decode {
            level,
            class: class.into(),
            bytes: self.raw.len() as u64,
            refused: self.refused,
            ours: ours.collect(),
            rival: run(&their_time),
        }
    }

    fn scale(&self, class: &str, simd: SimdLevel, rounds: usize) -> Threads {
        let mut decoders = vec![Decoder::with_simd(simd); THREADS];
        let content = self.raw.repeat(PASSES);
        let mut out = vec![0; content.len()];
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..rounds {
            for (fastest, threads) in zip(&mut fastest, [1, THREADS]) {
                let decode = |out: &mut [u8]| self.decode_on_threads(&mut decoders[..threads], out);
                *fastest = checked(&content, &mut out, decode).min(*fastest);
            }
        }
        let [one, several] = fastest.map(|time| time.as_secs_f64());
        let (class, simd) = (class.into(), simd.name().into());
        Threads { level: MAIN_LEVEL, class, simd, threads: THREADS, one, several }
    }
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
            let mut ours = Decoder::with_simd(level);
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
