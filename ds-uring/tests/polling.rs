//! Transfers whose ends the device is polled for, and what becomes of them where it cannot be.

#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use common::{Log, Memory, file, id};
use ds_core::{Done, Fault, Path};
use ds_engine::{Alignment, Engine, FileRef, Finished, IoEngine, IoJob, IoOp, StartContext};
use ds_uring::{FakeFaults, Features, UringConfig, UringIo, probe};
use rustix::io::Errno;

const BLOCK: usize = 4096;
const BLOCKS: usize = 64;

/// A file, in whose blocks each byte is the block's number, and the same past the page cache, unless there is no such way.
fn files() -> Option<(tempfile::NamedTempFile, File)> {
    let plain = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..BLOCKS * BLOCK).map(|n| (n / BLOCK) as u8).collect();
    plain.as_file().write_all_at(&content, 0).unwrap();
    plain.as_file().sync_all().unwrap();
    let direct = File::options().read(true).write(true).custom_flags(libc::O_DIRECT).open(plain.path());
    match direct {
        Ok(direct) => Some((plain, direct)),
        Err(error) => {
            eprintln!("SKIPPED: the file system of temporary files has no direct I/O: {error}");
            None
        }
    }
}

fn run(engine: &UringIo, log: &Log, op: IoOp) -> Finished {
    loop {
        engine.submit(&mut vec![IoJob { id: id(0), op }]);
        let finished = log.wait(id(0));
        let again = matches!(finished.result, Err(Fault::Os(4 | 11)));
        // Only simulated ones are short here, and some file systems read whole blocks or nothing.
        let short = matches!(finished.result, Ok(Done::Moved(moved)) if (moved as usize) < op.len());
        if !again && !short {
            return finished;
        }
    }
}

/// What came of reads and writes of every kind.
struct Came {
    /// The paths of those past the page cache.
    past: Path,
    /// The paths of others.
    cached: Path,
    /// What the engine says it has, in the end.
    features: Features,
    log: Arc<Log>,
}

/// Reads and writes through an engine that is to poll.
fn paths(config: UringConfig) -> Option<Came> {
    let (plain, direct) = files()?;
    let (engine, log) = (UringIo::new(config), Arc::new(Log::default()));
    engine.start(&StartContext::new(log.clone())).unwrap();
    let cached = file(plain.as_file()).positional();
    // SAFETY: both are open until all jobs have been answered.
    let past: FileRef = unsafe { cached.direct(direct.as_fd(), Alignment::PAGE) };
    let memory = Memory::new((BLOCKS + 1) * BLOCK);
    let aligned = memory.lend().as_ptr().align_offset(BLOCK);
    let (mut of_past, mut of_cached) = (Path::NONE, Path::NONE);
    for n in 0..BLOCKS {
        // Straight, by a detour, and through the page cache.
        for (file, from) in [(past, aligned), (past, aligned + 1), (cached, aligned)] {
            let into = memory.part(from, BLOCK);
            let done = run(&engine, &log, IoOp::Read { file, offset: (n * BLOCK) as u64, into });
            assert_eq!(done.result, Ok(Done::Moved(BLOCK as u64)));
            assert_eq!(memory.bytes_of(from, BLOCK), [n as u8; BLOCK]);
            *(if file.is_direct() { &mut of_past } else { &mut of_cached }) |= done.path;
        }
    }
    let from = memory.part(aligned, BLOCK);
    of_past |= run(&engine, &log, IoOp::Write { file: past, offset: 0, from }).path;
    let synced = run(&engine, &log, IoOp::Sync { file: past, data_only: false });
    assert_eq!((synced.result, synced.path), (Ok(Done::Synced), Path::IO_URING));
    let into = memory.part(0, BLOCK);
    assert_eq!(run(&engine, &log, IoOp::Read { file: past, offset: 0, into }).result, Ok(Done::Moved(4096)));
    assert_eq!(memory.bytes_of(0, BLOCK), [BLOCKS as u8 - 1; BLOCK]);
    let features = engine.report().unwrap().features;
    engine.stop();
    Some(Came { past: of_past, cached: of_cached, features, log })
}

#[test]
fn this_machine_polls_or_goes_without_and_says_so() {
    let wanted = Features::DEFAULT | Features::IOPOLL;
    let Some(Came { past, cached, features, log }) = paths(UringConfig::default().features(wanted)) else {
        return;
    };
    assert!(!cached.contains(Path::IO_POLLED), "only what goes past the page cache can be");
    assert_eq!(features.contains(Features::IOPOLL), past.contains(Path::IO_POLLED), "what it has it uses");
    if past.contains(Path::IO_POLLED) {
        println!("the device is polled");
        assert_eq!(log.warnings(), []);
        return;
    }
    println!("the device cannot be polled");
    let [warning] = log.warnings()[..] else { panic!("{:?}", log.warnings()) };
    assert_eq!((warning.engine, warning.errno), ("uring", Errno::OPNOTSUPP.raw_os_error()));
    assert!(warning.what.contains("iopoll"), "{warning}");
}

#[test]
fn whether_it_can_is_found_out_by_a_read() {
    let granted = probe(Features::DEFAULT | Features::IOPOLL).unwrap().features;
    println!("a polled read of this program: {}", granted.contains(Features::IOPOLL));
    assert_eq!(granted - Features::IOPOLL, probe(Features::DEFAULT).unwrap().features);
}

#[test]
fn where_it_can_all_are_polled_that_go_past_the_page_cache() {
    let config = UringConfig::default().features(Features::DEFAULT | Features::IOPOLL);
    let Some(came) = paths(config.fake(FakeFaults::default())) else { return };
    let Came { past, cached, features, log } = came;
    assert!(past.contains(Path::IO_POLLED) && !cached.contains(Path::IO_POLLED));
    assert!(features.contains(Features::IOPOLL));
    assert_eq!(log.warnings(), []);
    let without = UringConfig::default().fake(FakeFaults::default());
    assert!(!paths(without).unwrap().past.contains(Path::IO_POLLED), "nobody asked for it");
}

#[test]
fn one_refusal_ends_it() {
    let config = UringConfig::default().features(Features::DEFAULT | Features::IOPOLL);
    // When threads meet is no seed's to say: of 130 transfers some are refused all the same, but the first may be.
    let kinds = |seed| [FakeFaults { seed, ..FakeFaults::default() }, FakeFaults::all(seed)];
    let mut polled_before = false;
    for faults in (0..4).flat_map(kinds).map(|faults| FakeFaults { unpollable: 40, ..faults }) {
        let Some(Came { past, features, log, .. }) = paths(config.fake(faults)) else { return };
        polled_before |= past.contains(Path::IO_POLLED);
        assert!(!features.contains(Features::IOPOLL), "it has been, but is no more: {faults:?}");
        assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
    }
    assert!(polled_before, "some went well before");
}
