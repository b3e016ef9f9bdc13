//! Transforms and copies: whole and in steps, right and wrong, on any number of workers.

mod common;

use core::cell::RefCell;
use core::num::NonZeroUsize;
use std::sync::Arc;

use common::{Log, Memory, id, text};
use ds_core::{Corrupt, CorruptReason, DecodeStep, DeviceId, Done, Fault, Path, Transform};
use ds_cpu::{CpuCodec, CpuEngine};
use ds_engine::{
    CodecEngine, CodecJob, CopyEngine, CopyJob, CustomDecoder, CustomError, Engine, Place, StartContext,
};
use ds_gdeflate::{CodecId, Header, Level, TILE_SIZE, TileTable, compress};

trait Decoding: CodecEngine + CopyEngine {}
impl<E: CodecEngine + CopyEngine> Decoding for E {}

/// A panic's payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

fn decoders() -> Vec<(u8, Arc<dyn CustomDecoder>)> {
    let reverse = |input: &[u8], output: &mut [u8]| {
        if input.len() != output.len() {
            return Err(CustomError(4711));
        }
        output.copy_from_slice(input);
        output.reverse();
        Ok(())
    };
    let panics = |_: &[u8], _: &mut [u8]| -> Result<(), CustomError> { panic!("as the test wants") };
    let bomb = |_: &[u8], _: &mut [u8]| -> Result<(), CustomError> { std::panic::panic_any(Bomb) };
    vec![(3, Arc::new(reverse)), (9, Arc::new(panics)), (10, Arc::new(bomb))]
}

fn on_each_engine(workers: usize, test: impl Fn(&dyn Decoding, &Arc<Log>)) {
    let workers = NonZeroUsize::new(workers).unwrap();
    let engines: [Box<dyn Decoding>; 2] =
        [Box::new(CpuCodec::new(workers, decoders())), Box::new(CpuEngine::shared(workers, decoders()))];
    for engine in engines {
        let log = Arc::new(Log::default());
        engine.start(&StartContext::new(log.clone())).unwrap();
        test(&*engine, &log);
        engine.stop();
        assert_eq!(log.len(), 0, "outcomes nobody asked for");
    }
}

fn job(transform: Transform, from: &Memory, into: &Memory) -> CodecJob {
    let (from, into) = (Place::Host(from.lend()), Place::Host(into.lend()));
    CodecJob { id: id(5), transform, from, available: from.len(), cursor: 0, into }
}

fn step(engine: &dyn Decoding, log: &Log, job: CodecJob) -> Result<DecodeStep, Fault> {
    engine.submit(&mut vec![job]);
    let finished = log.wait(job.id);
    let path = if let Transform::Custom(_) = job.transform { Path::CODEC_CUSTOM } else { Path::CODEC_CPU };
    assert_eq!(finished.path, path);
    finished.result.map(|done| match done {
        Done::Decoded(step) => step,
        other => panic!("{other:?} is no answer to a codec job"),
    })
}

/// Asks again until it is finished, all input being there, as the queue does.
fn whole(engine: &dyn Decoding, log: &Log, mut job: CodecJob) -> Result<u64, Fault> {
    loop {
        let step = step(engine, log, job)?;
        if step.finished {
            return Ok(step.produced);
        }
        assert!(step.cursor > job.cursor, "no progress: {step:?}");
        assert!(step.wants <= job.from.len());
        job.cursor = step.cursor;
    }
}

/// The input arrives `stride` bytes at a time; the engine is asked only when what it wants is there.
fn as_it_arrives(
    engine: &dyn Decoding,
    log: &Log,
    transform: Transform,
    (input, output): (&[u8], &Memory),
    stride: usize,
) -> Result<u64, Fault> {
    let memory = Memory::new(input.len());
    let mut job = job(transform, &memory, output);
    let (mut arrived, mut wants) = (0, 1);
    loop {
        let more = stride.min(input.len() - arrived);
        memory.put(arrived, &input[arrived..arrived + more]);
        arrived += more;
        job.available = arrived as u64;
        if job.available < wants && arrived < input.len() {
            continue;
        }
        let before = (job.cursor, arrived);
        let step = step(engine, log, job)?;
        if step.finished {
            return Ok(step.produced);
        }
        assert!(step.wants <= input.len() as u64, "{step:?}");
        assert!(step.wants > job.available || step.cursor > before.0, "no progress: {step:?}");
        job.cursor = step.cursor;
        wants = step.wants;
    }
}

fn corrupt(reason: CorruptReason, tile: Option<u32>, position: u64, expected: u64, actual: u64) -> Fault {
    Fault::Corrupt(Corrupt { reason, tile, position, expected, actual })
}

fn packed(raw: &[u8]) -> Vec<u8> {
    compress(raw, Level::FASTEST, CodecId::Reference).unwrap()
}

/// Where a tile's payload begins in a stream.
fn payload(stream: &[u8], tile: usize) -> usize {
    TileTable::parse(stream, stream.len() as u64).unwrap().compressed_range(tile).start as usize
}

#[test]
fn supports_what_it_says() {
    on_each_engine(1, |engine, _| {
        assert_eq!((engine.name(), CodecEngine::path(engine)), ("cpu", Path::CODEC_CPU));
        assert_eq!(CopyEngine::path(engine), Path::COPY_HOST);
        for (transform, supported) in [
            (Transform::None, false),
            (Transform::GDeflate, true),
            (Transform::FakeUppercase, true),
            (Transform::Custom(3), true),
            (Transform::Custom(4), false),
        ] {
            assert_eq!(engine.supports(transform), supported, "{transform:?}");
        }
    });
}

#[test]
fn streams_of_all_sizes_decode_on_any_number_of_workers() {
    for workers in [1, 2, 8] {
        on_each_engine(workers, |engine, log| {
            for len in [0, 1, 100, TILE_SIZE - 1, TILE_SIZE, TILE_SIZE + 1, 40 * TILE_SIZE + 77] {
                let raw = text(len);
                let (from, into) = (Memory::of(&packed(&raw)), Memory::new(len));
                assert_eq!(whole(engine, log, job(Transform::GDeflate, &from, &into)), Ok(len as u64));
                assert!(into.bytes() == raw, "{len} bytes on {workers} workers");
            }
        });
    }
}

#[test]
fn a_stream_of_more_tiles_than_one_step_takes_decodes() {
    // 1 500 tiles, the last one short. Zeros encode quickly.
    let raw = vec![0; 1499 * TILE_SIZE + 9];
    let stream = packed(&raw);
    let (from, into) = (Memory::of(&stream), Memory::new(raw.len()));
    on_each_engine(3, |engine, log| {
        let first = step(engine, log, job(Transform::GDeflate, &from, &into)).unwrap();
        assert_eq!((first.cursor, first.finished), (1024, false));
        assert_eq!(
            first.wants,
            payload(&stream, 1024 + 6) as u64,
            "few steps for a long table, and so six tiles more"
        );
        assert_eq!(whole(engine, log, job(Transform::GDeflate, &from, &into)), Ok(raw.len() as u64));
        assert!(into.bytes() == raw);
    });
}

#[test]
fn a_stream_decodes_as_it_arrives_and_needs_only_what_has() {
    let raw = text(5 * TILE_SIZE + 123);
    let stream = packed(&raw);
    on_each_engine(2, |engine, log| {
        for stride in [1, 4093, 8191, 65_537, stream.len()] {
            let into = Memory::new(raw.len());
            let produced = as_it_arrives(engine, log, Transform::GDeflate, (&stream, &into), stride);
            assert_eq!(produced, Ok(raw.len() as u64), "{stride}");
            assert!(into.bytes() == raw, "{stride}");
        }
    });
}

#[test]
fn steps_say_what_they_want() {
    let raw = text(2 * TILE_SIZE);
    let stream = packed(&raw);
    let (table_end, second) = (16, payload(&stream, 1) as u64);
    let (from, into) = (Memory::of(&stream), Memory::new(raw.len()));
    on_each_engine(2, |engine, log| {
        let at = |available, cursor| {
            let job = CodecJob { available, cursor, ..job(Transform::GDeflate, &from, &into) };
            let step = step(engine, log, job).unwrap();
            (step.cursor, step.produced, step.wants, step.finished)
        };
        assert_eq!(at(0, 0), (0, 0, 8, false));
        assert_eq!(at(7, 0), (0, 0, 8, false));
        assert_eq!(at(8, 0), (0, 0, table_end, false));
        assert_eq!(at(table_end, 0), (0, 0, second, false));
        assert_eq!(at(second - 1, 0), (0, 0, second, false));
        assert_eq!(at(second, 0), (1, TILE_SIZE as u64, stream.len() as u64, false));
        let all = (2, raw.len() as u64, stream.len() as u64, true);
        assert_eq!(at(stream.len() as u64, 1), all);
        assert_eq!(at(u64::MAX, u64::MAX), all, "a cursor behind the end is the end");
    });
}

#[test]
fn bytes_behind_the_last_tile_are_ignored() {
    let raw = text(1000);
    let mut stream = packed(&raw);
    stream.extend_from_slice(b"something else");
    let (from, into) = (Memory::of(&stream), Memory::new(raw.len()));
    on_each_engine(1, |engine, log| {
        assert_eq!(whole(engine, log, job(Transform::GDeflate, &from, &into)), Ok(1000));
    });
}

#[test]
fn bad_containers_are_told_apart_and_no_later_than_they_can_be() {
    let good = packed(&text(3 * TILE_SIZE));
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let size = 3 * TILE_SIZE as u64;
    let len = good.len() as u64;
    let second = u32::from_le_bytes(*good[12..].first_chunk().unwrap());
    let cases = [
        (Vec::new(), corrupt(CorruptReason::Truncated, None, 0, 8, 0)),
        (good[..7].to_vec(), corrupt(CorruptReason::Truncated, None, 7, 8, 7)),
        (good[..19].to_vec(), corrupt(CorruptReason::Truncated, None, 19, 20, 19)),
        (good[..good.len() - 1].to_vec(), corrupt(CorruptReason::Truncated, None, len - 1, len, len - 1)),
        (with(0, b"PK"), corrupt(CorruptReason::Header, None, 0, 0x04, u64::from(b'P'))),
        (with(1, &[0]), corrupt(CorruptReason::Header, None, 1, 0xFB, 0)),
        (with(2, &[4]), corrupt(CorruptReason::Size, None, 4, size, size + TILE_SIZE as u64)),
        (with(2, &[0]), corrupt(CorruptReason::Size, None, 4, size, 0)),
        (with(12, &[0; 4]), corrupt(CorruptReason::Table, Some(1), 12, 4, 0)),
        (
            with(12, &[9]),
            corrupt(
                CorruptReason::Table,
                Some(1),
                12,
                u64::from(second & !0xFF | 8),
                u64::from(second & !0xFF | 9),
            ),
        ),
        (with(8, &[0xFF; 4]), corrupt(CorruptReason::Table, Some(2), 8, 0xFFFF_FFFC, 0xFFFF_FFFF)),
    ];
    on_each_engine(2, |engine, log| {
        for (n, (stream, fault)) in cases.iter().enumerate() {
            let into = Memory::new(size as usize);
            let from = Memory::of(stream);
            let job = job(Transform::GDeflate, &from, &into);
            assert_eq!(whole(engine, log, job), Err(*fault), "case {n}");
            for stride in [3, 1001] {
                if !stream.is_empty() {
                    let stepwise = as_it_arrives(engine, log, Transform::GDeflate, (stream, &into), stride);
                    assert_eq!(stepwise, Err(*fault), "case {n}, {stride} bytes at a time");
                }
            }
        }
    });
}

#[test]
fn the_lowest_bad_tile_is_reported_whoever_finds_it_first() {
    let raw = text(30 * TILE_SIZE);
    let good = packed(&raw);
    for lowest in [0, 7, 19, 29] {
        let mut stream = good.clone();
        for tile in lowest..30 {
            // Every lane's first word: the tile begins with a block of type 3.
            let start = payload(&good, tile);
            stream[start..start + 128].fill(0xFF);
        }
        let position = RefCell::new(None);
        for workers in [1, 2, 8] {
            on_each_engine(workers, |engine, log| {
                for _ in 0..5 {
                    let (from, into) = (Memory::of(&stream), Memory::new(raw.len()));
                    let fault = whole(engine, log, job(Transform::GDeflate, &from, &into)).unwrap_err();
                    let Fault::Corrupt(corrupt) = fault else { panic!("{fault:?}") };
                    let (reason, tile) = (CorruptReason::BlockType, Some(lowest as u32));
                    assert_eq!((corrupt.reason, corrupt.tile), (reason, tile));
                    assert_eq!(*position.borrow_mut().get_or_insert(corrupt.position), corrupt.position);
                    let stepwise = as_it_arrives(engine, log, Transform::GDeflate, (&stream, &into), 100_003);
                    assert_eq!(stepwise, Err(fault));
                }
            });
        }
    }
}

#[test]
fn flipped_bits_never_hang_or_answer_twice() {
    let raw = text(3 * TILE_SIZE);
    let good = packed(&raw);
    on_each_engine(2, |engine, log| {
        let into = Memory::new(raw.len());
        let mut refused = 0;
        for n in 0..400_usize {
            let mut stream = good.clone();
            let bit = n.wrapping_mul(0x9E37_79B9) % (stream.len() * 8);
            stream[bit / 8] ^= 1 << (bit % 8);
            let from = Memory::of(&stream);
            match whole(engine, log, job(Transform::GDeflate, &from, &into)) {
                Ok(produced) => assert_eq!(produced, raw.len() as u64),
                Err(Fault::Corrupt(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(refused > 0);
    });
}

#[test]
fn many_requests_at_once_are_each_answered_once_and_right() {
    let sizes = [10, TILE_SIZE, 3 * TILE_SIZE + 5, 20 * TILE_SIZE];
    let raws = sizes.map(text);
    let streams = [0, 1, 2, 3].map(|n: usize| Memory::of(&packed(&raws[n])));
    for workers in [1, 2, 8] {
        on_each_engine(workers, |engine, log| {
            let outputs: Vec<Memory> = (0..200).map(|n| Memory::new(sizes[n % 4])).collect();
            std::thread::scope(|scope| {
                for (thread, outputs) in outputs.chunks(50).enumerate() {
                    let streams = &streams;
                    scope.spawn(move || {
                        let mut jobs = Vec::new();
                        for (n, into) in outputs.iter().enumerate() {
                            let number = thread * 50 + n;
                            let job = job(Transform::GDeflate, &streams[number % 4], into);
                            jobs.push(CodecJob { id: id(number as u64), ..job });
                            if n % 5 == 0 {
                                engine.submit(&mut jobs);
                                engine.drive(&**log, None);
                            }
                        }
                        engine.submit(&mut jobs);
                    });
                }
            });
            for (n, output) in outputs.iter().enumerate() {
                let Ok(Done::Decoded(step)) = log.wait(id(n as u64)).result else { panic!("{n} failed") };
                assert_eq!((step.finished, step.produced), (true, sizes[n % 4] as u64));
                assert!(output.bytes() == raws[n % 4], "{n}");
            }
        });
    }
}

#[test]
fn a_driving_thread_decodes_alone_if_need_be() {
    let raw = text(40 * TILE_SIZE);
    let (from, into) = (Memory::of(&packed(&raw)), Memory::new(raw.len()));
    let engine = CpuCodec::new(NonZeroUsize::new(4).unwrap(), Vec::new());
    let log = Log::default();
    CodecEngine::submit(&engine, &mut vec![job(Transform::GDeflate, &from, &into)]);
    let mut turns = 0;
    while Engine::drive(&engine, &log, None) {
        turns += 1;
    }
    assert!(turns >= 3, "one turn does 16 tiles at most");
    assert_eq!(log.wait(id(5)).path, Path::CODEC_CPU | Path::INLINE);
    assert!(into.bytes() == raw);
}

#[test]
fn uppercase_is_done_as_it_arrives() {
    let raw: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let wanted: Vec<u8> = raw.iter().map(u8::to_ascii_uppercase).collect();
    on_each_engine(2, |engine, log| {
        for stride in [1_000_001, raw.len()] {
            let into = Memory::new(raw.len());
            let produced = as_it_arrives(engine, log, Transform::FakeUppercase, (&raw, &into), stride);
            assert_eq!(produced, Ok(raw.len() as u64));
            assert!(into.bytes() == wanted);
        }
        let (nothing, some) = (Memory::new(0), Memory::new(1));
        assert_eq!(whole(engine, log, job(Transform::FakeUppercase, &nothing, &Memory::new(0))), Ok(0));
        let mismatch = whole(engine, log, job(Transform::FakeUppercase, &nothing, &some));
        assert_eq!(mismatch, Err(corrupt(CorruptReason::Size, None, 0, 1, 0)));
    });
}

#[test]
fn custom_decoders_get_the_whole_input_and_may_fail() {
    let from = Memory::of(b"stressed");
    on_each_engine(1, |engine, log| {
        let into = Memory::new(8);
        let early = CodecJob { available: 3, ..job(Transform::Custom(3), &from, &into) };
        let waits = DecodeStep { cursor: 0, produced: 0, wants: 8, finished: false };
        assert_eq!(step(engine, log, early), Ok(waits));
        assert_eq!(whole(engine, log, job(Transform::Custom(3), &from, &into)), Ok(8));
        assert_eq!(into.bytes(), b"desserts");
        let refused = whole(engine, log, job(Transform::Custom(3), &from, &Memory::new(7)));
        assert_eq!(refused, Err(corrupt(CorruptReason::Custom, None, 0, 0, 4711)));
        for panics in [9, 10] {
            let panicked = whole(engine, log, job(Transform::Custom(panics), &from, &into));
            assert_eq!(panicked, Err(Fault::Unsupported("the application's decoder panicked")));
        }
        let unknown = whole(engine, log, job(Transform::Custom(4), &from, &into));
        assert!(matches!(unknown, Err(Fault::Unsupported(_))));
        assert_eq!(whole(engine, log, job(Transform::Custom(3), &from, &into)), Ok(8), "all goes on");
    });
}

#[test]
fn what_it_cannot_reach_or_compute_is_unsupported() {
    let host = Memory::new(16);
    let device = Place::Device { device: DeviceId(1), handle: 2, offset: 0, len: 16 };
    on_each_engine(1, |engine, log| {
        let base = job(Transform::GDeflate, &host, &host);
        for job in [
            CodecJob { from: device, ..base },
            CodecJob { into: device, ..base },
            CodecJob { transform: Transform::None, ..base },
        ] {
            assert!(matches!(step(engine, log, job), Err(Fault::Unsupported(_))));
        }
        for (from, into) in [
            (device, Place::Host(host.lend())),
            (Place::Host(host.lend()), device),
            (Place::Host(host.part(0, 4)), Place::Host(host.part(8, 5))),
        ] {
            engine.submit_copies(&mut vec![CopyJob { id: id(5), from, into }]);
            assert!(matches!(log.wait(id(5)).result, Err(Fault::Unsupported(_))));
        }
    });
}

#[test]
fn copies_of_all_sizes_arrive() {
    on_each_engine(2, |engine, log| {
        let sizes = [0, 1, 4096, 16_385, 1 << 20, (5 << 20) + 1];
        let pairs: Vec<_> = sizes.iter().map(|&len| (Memory::of(&text(len)), Memory::new(len))).collect();
        let mut jobs = pairs
            .iter()
            .zip(0..)
            .map(|((from, into), n)| CopyJob {
                id: id(n),
                from: Place::Host(from.lend()),
                into: Place::Host(into.lend()),
            })
            .collect();
        engine.submit_copies(&mut jobs);
        for ((from, into), n) in pairs.iter().zip(0..) {
            let finished = log.wait(id(n));
            assert_eq!(finished.result, Ok(Done::Moved(sizes[n as usize] as u64)));
            assert_eq!(finished.path, Path::COPY_HOST);
            assert!(from.bytes() == into.bytes());
        }
    });
}

#[test]
fn a_step_still_queued_can_be_cancelled() {
    let raw = text(100);
    let (from, into) = (Memory::of(&packed(&raw)), Memory::new(raw.len()));
    let engine = CpuCodec::new(NonZeroUsize::MIN, Vec::new());
    let log = Arc::new(Log::default());
    CodecEngine::submit(&engine, &mut vec![job(Transform::GDeflate, &from, &into)]);
    Engine::cancel(&engine, id(5));
    engine.start(&StartContext::new(log.clone())).unwrap();
    let finished = log.wait(id(5));
    assert_eq!((finished.result, finished.path), (Err(Fault::Cancelled), Path::NONE));
    assert_eq!(into.bytes(), vec![0xEE; 100], "nothing was written");
}

const _: () = assert!(Header::SIZE == 8, "the numbers above count on it");
