//! Decoding speed beside libdeflate's on DEFLATE: the same content in the same tiles of 64 KiB, both at level 9, one
//! thread.
//!
//! `DS_CORPUS` is as for the bench `decode`, and so is the way of measuring: the decoders take turns, all output is
//! checked, the median round counts.

#[path = "../../ds-gdeflate/benches/classes/mod.rs"]
mod classes;

use std::time::{Duration, Instant};

use ds_gdeflate::{Decoder, Encoder, Level, SimdLevel, TILE_SIZE, tile_bound};

const LEVEL: u8 = 9;
const ROUNDS: usize = 7;

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let rounds = if measuring { ROUNDS } else { 1 };
    let simd: Vec<_> = SimdLevel::available().collect();
    println!(
        "against {}, -O3 in a measurement, level {LEVEL}, {rounds} rounds; MB/s",
        ds_libdeflate::VERSION
    );
    print!("{:14} {:>7} {:>7} {:>7}", "", "DEFLATE", "ratio", "ours");
    simd.iter().for_each(|simd| print!("{simd:>8}  faster"));
    println!();
    let classes = classes::load(measuring);
    let mut means = vec![0.0; simd.len()];
    for (name, content) in &classes {
        let (theirs, ours) = (Tiles::deflate(content), Tiles::gdeflate(content));
        let (reference, times) = compare(&theirs, &ours, content, &simd, rounds);
        let speed = |time: Duration| content.len() as f64 / time.as_secs_f64() / 1e6;
        let ratio = |tiles: &Tiles| content.len() as f64 / tiles.packed() as f64;
        print!("{name:14} {:7.1} {:7.3} {:7.3}", speed(reference), ratio(&theirs), ratio(&ours));
        for (mean, time) in means.iter_mut().zip(times) {
            let faster = reference.as_secs_f64() / time.as_secs_f64();
            *mean += faster.ln() / classes.len() as f64;
            print!(" {:7.1} {faster:6.2}x", speed(time));
        }
        println!();
    }
    print!("{:38}", "geometric mean");
    means.iter().for_each(|mean| print!("{:15.2}x", mean.exp()));
    println!();
}

/// Compressed tiles.
struct Tiles(Vec<Vec<u8>>);

impl Tiles {
    fn deflate(content: &[u8]) -> Self {
        Self(content.chunks(TILE_SIZE).map(|tile| ds_libdeflate::encode_tile(LEVEL, tile)).collect())
    }

    fn gdeflate(content: &[u8]) -> Self {
        let mut encoder = Encoder::boxed();
        let level = Level::new(LEVEL).expect("a level");
        let encode = |tile: &[u8]| {
            let mut payload = vec![0; tile_bound(tile.len())];
            let size = encoder.encode_tile(level, tile, &mut payload).expect("room enough");
            payload.truncate(size);
            payload
        };
        Self(content.chunks(TILE_SIZE).map(encode).collect())
    }

    fn packed(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Has each tile decoded to its place.
    fn decode(&self, out: &mut [u8], mut decode: impl FnMut(&[u8], &mut [u8])) {
        for (payload, out) in self.0.iter().zip(out.chunks_mut(TILE_SIZE)) {
            decode(payload, out);
        }
    }
}

/// libdeflate's time, and ours at each level of instructions.
fn compare(
    theirs: &Tiles,
    ours: &Tiles,
    content: &[u8],
    simd: &[SimdLevel],
    rounds: usize,
) -> (Duration, Vec<Duration>) {
    let mut decoders: Vec<_> = simd.iter().map(|&level| Decoder::with_level(level)).collect();
    let mut rival = ds_libdeflate::Decoder::new();
    let mut out = vec![0xA5; content.len()];
    let mut rival_times = Vec::new();
    let mut times = vec![Vec::new(); simd.len()];
    let mut measure = |decode: &mut dyn FnMut(&mut [u8])| {
        out.fill(0xA5);
        let start = Instant::now();
        decode(&mut out);
        let time = start.elapsed();
        assert!(out == content, "the output is wrong");
        time
    };
    for _ in 0..rounds {
        for (decoder, times) in decoders.iter_mut().zip(&mut times) {
            times.push(measure(&mut |out| {
                ours.decode(out, |payload, out| decoder.decode_tile(payload, out).expect("a good tile"));
            }));
        }
        rival_times.push(measure(&mut |out| {
            theirs.decode(out, |payload, out| rival.decode_tile(payload, out));
        }));
    }
    (median(rival_times), times.into_iter().map(median).collect())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
