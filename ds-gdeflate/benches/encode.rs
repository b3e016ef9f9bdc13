//! Encoding speed and size beside the reference's, class by class, one thread.
//!
//! The two encoders take turns, round by round, a round goes over all tiles, and the fastest round of each tile counts. Both
//! outputs are decoded by both decoders and compared with the content. Tiles that the reference refuses are left out of both columns and counted.
//! `ds_bench::settings` lists the variables of the environment that choose what is measured; levels are all if not
//! said, and `DS_STRIDE=8` is enough for a look. `DS_FRIENDLY=1` measures instead what decoder-friendly tiles cost in
//! size and gain in decoding speed, with our decoder.

use core::iter::zip;
use core::time::Duration;
use std::time::Instant;

use ds_bench::classes::{self, Class};
use ds_bench::progress::Progress;
use ds_bench::results::{self, Bench, Encode, Rival, Run, geometric_mean};
use ds_bench::settings::Settings;
use ds_gdeflate::{Decoder, EncodeOptions, Encoder, Level, SimdLevel, TILE_SIZE, tile_bound};

const LEVELS: [u8; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const ROUNDS: usize = 5;

fn main() {
    let settings = Settings::from_env(&LEVELS, ROUNDS);
    let classes = classes::load(&settings);
    let levels: Vec<_> =
        settings.levels.iter().map(|&number| Level::new(number).expect("levels are 0 to 12")).collect();
    if std::env::var_os("DS_FRIENDLY").is_some() {
        levels.iter().for_each(|&level| weigh_friendliness(level, &classes, settings.rounds));
        return;
    }

    let rival = Rival { version: ds_reference::VERSION.into(), flags: ds_reference::FLAGS.into() };
    let simd = settings.choose_simd(SimdLevel::available(), SimdLevel::name).pop();
    let simd = simd.expect("a level of instructions");
    println!("{simd} against {}, {}, {} rounds", rival.version, rival.flags, settings.rounds);
    let progress = Progress::new("encode", levels.len() * classes.len());
    let mut bench = Bench { rival, rounds: settings.rounds, decode: vec![], encode: vec![], threads: vec![] };
    for level in levels {
        progress.line(format!("\nlevel {level:<9}  ratio    ref.  smaller    MB/s    ref.  faster  refused"));
        let before = bench.encode.len();
        for Class { name, content } in &classes {
            progress.begin(format!("level {level}, {name}"));
            let row = compare(level, simd, name, content, settings.rounds);
            if row.bytes == 0 {
                progress.line(format!("{name:14} LEFT OUT: the reference refused all of it"));
            } else {
                progress.line(show(&row));
                bench.encode.push(row);
            }
            progress.done();
        }
        let rows = &bench.encode[before..];
        let size = geometric_mean(rows.iter().map(Encode::relative_size));
        let faster = geometric_mean(rows.iter().map(Encode::faster));
        progress.line(format!("geometric mean {:+23.2}% {faster:23.2}x", 100.0 * (1.0 - size)));
    }
    drop(progress);
    results::write(&bench, settings.json.as_deref());
}

fn show(row: &Encode) -> String {
    let bytes = row.bytes as f64;
    let [ratio, reference_ratio] = [row.ours, row.rival].map(|run| bytes / run.packed as f64);
    let [speed, reference_speed] = [row.ours, row.rival].map(|run| bytes / run.seconds / 1e6);
    let smaller = 100.0 * (1.0 - row.relative_size());
    format!(
        "{:14} {ratio:7.4} {reference_ratio:7.4} {smaller:+7.2}% {speed:7.1} {reference_speed:7.1} {:6.2}x {:8}",
        row.class,
        row.faster(),
        row.refused
    )
}

fn compare(level: Level, simd: SimdLevel, class: &str, content: &[u8], rounds: usize) -> Encode {
    let mut ours = Encoder::with_simd(simd);
    let mut theirs = ds_reference::Encoder::new(level.number()).expect("a level of the reference");
    let mut out = vec![0; tile_bound(TILE_SIZE)];
    let tiles: Vec<_> = content.chunks(TILE_SIZE).collect();
    let mut our_times = vec![Duration::MAX; tiles.len()];
    let mut their_times = our_times.clone();
    let (mut our_payloads, mut their_payloads) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for (tile, best) in zip(&tiles, &mut our_times) {
            let start = Instant::now();
            let len = ours.encode_tile(level, tile, &mut out).expect("there is room");
            *best = start.elapsed().min(*best);
            if round == 0 {
                our_payloads.push(out[..len].to_vec());
            }
        }
        for (tile, best) in zip(&tiles, &mut their_times) {
            let start = Instant::now();
            let encoded = theirs.encode_borrowed(tile);
            *best = start.elapsed().min(*best);
            if round == 0 {
                their_payloads.push(encoded.map(<[u8]>::to_vec));
            }
        }
    }

    let mut referee = Referee::new();
    let nothing = Run { packed: 0, seconds: 0.0 };
    let mut row = Encode {
        level: level.number(),
        class: class.into(),
        bytes: 0,
        refused: 0,
        rival: nothing,
        ours: nothing,
    };
    for (index, tile) in tiles.iter().enumerate() {
        let Ok(reference) = &their_payloads[index] else {
            row.refused += 1;
            continue;
        };
        row.bytes += tile.len() as u64;
        let runs = [
            (&mut row.ours, &our_payloads[index], our_times[index]),
            (&mut row.rival, reference, their_times[index]),
        ];
        for (run, payload, time) in runs {
            referee.judge(payload, tile);
            // Every tile takes an entry of 4 bytes in the stream's table.
            run.packed += 4 + payload.len() as u64;
            run.seconds += time.as_secs_f64();
        }
    }
    row
}

/// Both decoders, to say whether a payload is right.
struct Referee {
    ours: Decoder,
    theirs: ds_reference::Decoder,
    out: Vec<u8>,
}

impl Referee {
    fn new() -> Self {
        Self { ours: Decoder::new(), theirs: ds_reference::Decoder::new(), out: vec![0; TILE_SIZE] }
    }

    fn judge(&mut self, payload: &[u8], tile: &[u8]) {
        let out = &mut self.out[..tile.len()];
        out.fill(0xA5);
        self.ours.decode_tile(payload, out).expect("a good tile");
        assert!(*out == *tile, "the payload holds something else");
        out.fill(0xA5);
        self.theirs.decode_tile(payload, out).expect("a good tile");
        assert!(*out == *tile, "the payload holds something else for the reference");
    }
}

/// Prints how much larger, and how much faster to decode, decoder-friendly tiles are.
fn weigh_friendliness(level: Level, classes: &[Class], rounds: usize) {
    println!("\nlevel {level:<9}  larger  decoded at  friendly  faster");
    let mut logs = [0.0; 2];
    for Class { name, content } in classes {
        let tiles: Vec<&[u8]> = content.chunks(TILE_SIZE).collect();
        let payloads = [false, true].map(|friendly| {
            let options = EncodeOptions::new(level).decoder_friendly(friendly);
            let mut encoder = Encoder::new();
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
