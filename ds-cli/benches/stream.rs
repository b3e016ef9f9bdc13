//! How much of the codec's speed is left in a whole stream: a pack from the page cache through the runtime's queue, read,
//! decoded and verified (what `ds stream` does), beside the codec alone on the same tiles, from memory into memory that is
//! used again and again. Both on as many threads as the machine runs at once; they take turns, and each one's fastest round counts.
//!
//! `ds_bench::settings` lists the variables of the environment; the level is 9 if not said.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs;
use std::time::Instant;

use ds_bench::classes;
use ds_bench::progress::Progress;
use ds_bench::results::{self, Streaming};
use ds_bench::settings::Settings;
use ds_cli::commands::pack;
use ds_cli::pack::{Geometry, Method, Pack};
use ds_cli::stream::{Options, Streamer, cores, cpu_time};
use ds_gdeflate::{Decoder, Level, TileStream};

const LEVELS: [u8; 1] = [9];
const ROUNDS: usize = 45;
/// Times that the pack is streamed in one measurement: starting threads must not count.
const PASSES: usize = 8;

fn main() {
    let settings = Settings::from_env(&LEVELS, ROUNDS);
    let folder = tempfile::tempdir().expect("a folder for the pack");
    let threads = cores().get();
    let progress = Progress::new("stream", settings.levels.len() * (1 + settings.rounds));
    for &level in &settings.levels {
        progress.begin(format!("packing at level {level}"));
        let pack = make_pack(&settings, folder.path(), level, threads);
        progress.done();
        let row = compare(&pack, level, threads, &settings, &progress);
        progress.line(format!(
            "level {level}, {threads} threads: codec alone {:.0} MB/s, whole stream {:.0} MB/s: {:.1} %; CPU time {:.2} times the codec's",
            row.speed(row.codec),
            row.speed(row.stream),
            100.0 * row.share(),
            row.stream_cpu / row.codec_cpu,
        ));
        results::write(&row, settings.json.as_deref());
    }
}

/// A pack of all classes.
fn make_pack(settings: &Settings, folder: &std::path::Path, level: u8, threads: usize) -> Pack {
    let (assets, packed) = (folder.join("assets"), folder.join("assets.dspak"));
    fs::create_dir_all(&assets).expect("a folder for the content");
    for class in classes::load(settings) {
        fs::write(assets.join(class.name), class.content).expect("room for the content");
    }
    let options = pack::Options {
        level: Level::new(level).expect("a level"),
        threads,
        geometry: Geometry::DEFAULT,
        skip_special: false,
        force: true,
        quiet: true,
    };
    pack::run(&assets, &packed, &options).unwrap_or_else(|error| panic!("{error}"));
    let file = fs::File::open(&packed).expect("the pack that was just written");
    Pack::open(file).unwrap_or_else(|error| panic!("{error}"))
}

fn compare(pack: &Pack, level: u8, threads: usize, settings: &Settings, progress: &Progress) -> Streaming {
    let chunks: Vec<_> = pack
        .index()
        .chunks()
        .map(|chunk| {
            let mut packed = Vec::new();
            pack.read_chunk(&chunk, &mut packed).expect("the pack that was just written");
            (chunk, packed)
        })
        .collect();
    let mut decoders: Vec<_> = (0..threads).map(|_| (Decoder::boxed(), vec![0; 4 << 20])).collect();
    let passes = if settings.measuring { PASSES } else { 1 };
    let (mut codec, mut stream) = ([f64::INFINITY; 2], [f64::INFINITY; 2]);
    for round in 0..settings.rounds {
        progress.begin(format!("level {level}, round {round}"));
        let next = AtomicUsize::new(0);
        let took = timed(|| {
            std::thread::scope(|scope| {
                for (decoder, out) in &mut decoders {
                    let (next, chunks) = (&next, &chunks);
                    scope.spawn(move || {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= chunks.len() * passes {
                                return;
                            }
                            let (chunk, packed) = &chunks[number % chunks.len()];
                            let out = &mut out[..chunk.raw_size as usize];
                            match chunk.method {
                                Method::Stored => out.copy_from_slice(packed),
                                Method::GDeflate => {
                                    let tiles = TileStream::parse(packed).expect("a good stream");
                                    decoder.decode_stream(&tiles, out).expect("good tiles");
                                }
                            }
                        }
                    });
                }
            });
        });
        codec = fastest(codec, took);

        let mut streamer = Streamer::new(&Options::default()).unwrap_or_else(|error| panic!("{error}"));
        let entries = (0..passes).flat_map(|_| pack.index().entries());
        let report = streamer.run(pack, entries, |_| true).expect("the pack can be read");
        assert_eq!(report.failed, 0, "every checksum is right");
        assert_eq!(report.content, pack.index().raw_size() * passes as u64, "all of it came");
        stream = fastest(stream, [report.wall, report.cpu].map(|time| time.as_secs_f64()));
        progress.done();
    }
    // Both decoded the same: what the stream gave was verified, and so is what the codec alone gives.
    for (chunk, packed) in &chunks {
        let (decoder, out) = &mut decoders[0];
        let out = &mut out[..chunk.raw_size as usize];
        chunk.unpack(decoder, packed, out).unwrap_or_else(|error| panic!("{error}"));
    }
    Streaming {
        level,
        threads,
        rounds: settings.rounds,
        bytes: pack.index().raw_size() * passes as u64,
        packed: pack.index().packed_size() * passes as u64,
        codec: codec[0],
        codec_cpu: codec[1],
        stream: stream[0],
        stream_cpu: stream[1],
    }
}

/// What takes less time counts, with the CPU time that it took.
fn fastest(old: [f64; 2], new: [f64; 2]) -> [f64; 2] {
    if new[0] < old[0] { new } else { old }
}

/// Wall and CPU time, in seconds.
fn timed(work: impl FnOnce()) -> [f64; 2] {
    let (start, cpu) = (Instant::now(), cpu_time());
    work();
    [start.elapsed(), cpu_time().saturating_sub(cpu)].map(|time| time.as_secs_f64())
}
