//! Decoding speed beside libdeflate's on DEFLATE: the same content in the same tiles of 64 KiB, each from the encoder that goes
//! with the decoder, at the same level, one thread.
//!
//! The way of measuring is that of the bench `decode` of `ds-gdeflate`: the decoders take turns, all output is checked, the fastest
//! round of each tile counts. `ds_bench::settings` lists the variables of the environment; the level is 9 if not said.

use core::fmt::Write as _;
use core::iter::zip;

use ds_bench::classes::{self, Class};
use ds_bench::progress::Progress;
use ds_bench::results::{self, Bench, Decode, Rival, Run, Simd, geometric_mean};
use ds_bench::settings::Settings;
use ds_bench::timing::Fastest;
use ds_gdeflate::{Decoder, Encoder, Level, SimdLevel, TILE_SIZE, tile_bound};

const LEVELS: [u8; 1] = [9];
const ROUNDS: usize = 7;

fn main() {
    let settings = Settings::from_env(&LEVELS, ROUNDS);
    let classes = classes::load(&settings);
    let simd = settings.choose_simd(SimdLevel::available(), SimdLevel::name);
    let rival = Rival { version: ds_libdeflate::VERSION.into(), flags: ds_libdeflate::FLAGS.into() };
    println!("against {}, {}, {} rounds; MB/s", rival.version, rival.flags, settings.rounds);

    let progress = Progress::new("deflate", settings.levels.len() * classes.len());
    let mut bench = Bench { rival, rounds: settings.rounds, decode: vec![], encode: vec![], threads: vec![] };
    for &level in &settings.levels {
        let names: String = simd.iter().map(|simd| format!("{simd:>8}  faster")).collect();
        progress.line(format!("\nlevel {level:<8} {:>7} {:>7} {:>7}{names}", "DEFLATE", "ratio", "ours"));
        let before = bench.decode.len();
        for Class { name, content } in &classes {
            progress.begin(format!("level {level}, {name}"));
            let row = compare(level, name, content, &simd, settings.rounds);
            progress.line(show(&row));
            bench.decode.push(row);
            progress.done();
        }
        let rows = &bench.decode[before..];
        let mean = |index| geometric_mean(rows.iter().filter_map(|row| row.faster().nth(index)));
        let means: String = (0..simd.len()).map(|index| format!("{:15.2}x", mean(index))).collect();
        progress.line(format!("{:38}{means}", "geometric mean"));
    }
    drop(progress);
    results::write(&bench, settings.json.as_deref());
}

fn show(row: &Decode) -> String {
    let speed = |run: Run| row.bytes as f64 / run.seconds / 1e6;
    let ratio = |run: Run| row.bytes as f64 / run.packed as f64;
    let ours = row.ours[0].run;
    let mut line =
        format!("{:14} {:7.1} {:7.3} {:7.3}", row.class, speed(row.rival), ratio(row.rival), ratio(ours));
    for (ours, faster) in zip(&row.ours, row.faster()) {
        write!(line, " {:7.1} {faster:6.2}x", speed(ours.run)).expect("strings have room");
    }
    line
}

/// Compressed tiles.
struct Tiles(Vec<Vec<u8>>);

impl Tiles {
    fn deflate(level: u8, content: &[u8]) -> Self {
        Self(content.chunks(TILE_SIZE).map(|tile| ds_libdeflate::encode_tile(level, tile)).collect())
    }

    fn gdeflate(level: u8, content: &[u8]) -> Self {
        let mut encoder = Encoder::new();
        let level = Level::new(level).expect("a level");
        let encode = |tile: &[u8]| {
            let mut payload = vec![0; tile_bound(tile.len())];
            let size = encoder.encode_tile(level, tile, &mut payload).expect("room enough");
            payload.truncate(size);
            payload
        };
        Self(content.chunks(TILE_SIZE).map(encode).collect())
    }

    /// Bytes of payload, and of a table as a tile stream has it.
    fn packed(&self) -> u64 {
        self.0.iter().map(|payload| 4 + payload.len() as u64).sum()
    }
}

fn compare(level: u8, class: &str, content: &[u8], simd: &[SimdLevel], rounds: usize) -> Decode {
    let (theirs, ours) = (Tiles::deflate(level, content), Tiles::gdeflate(level, content));
    let mut decoders: Vec<_> = simd.iter().map(|&level| Decoder::with_simd(level)).collect();
    let mut rival = ds_libdeflate::Decoder::new();
    let mut out = vec![0; content.len()];
    let mut their_time = Fastest::new(content);
    let mut our_times = vec![their_time.clone(); simd.len()];
    for _ in 0..rounds {
        for (decoder, time) in zip(&mut decoders, &mut our_times) {
            time.round(content, &mut out, |tile, out| {
                decoder.decode_tile(&ours.0[tile], out).expect("a good tile");
            });
        }
        their_time.round(content, &mut out, |tile, out| rival.decode_tile(&theirs.0[tile], out));
    }
    let run = |tiles: &Tiles, time: &Fastest| Run { packed: tiles.packed(), seconds: time.seconds() };
    let our_runs =
        zip(simd, &our_times).map(|(simd, time)| Simd { simd: simd.name().into(), run: run(&ours, time) });
    Decode {
        level,
        class: class.into(),
        bytes: content.len() as u64,
        refused: 0,
        ours: our_runs.collect(),
        rival: run(&theirs, &their_time),
    }
}
