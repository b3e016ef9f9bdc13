//! Machines that forbid, run out, or stop. Each test changes its whole process, and so has one of its own.

mod alone;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;
mod forbid;

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;

use alone::alone;
use common::{Log, Memory, file, id};
use ds_core::{Done, Fault};
use ds_engine::{Engine, IoEngine, IoJob, IoOp, StartContext, StartError};
use ds_uring::{Features, UringConfig, UringIo, probe};
use forbid::forbid;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

fn start() -> Result<(UringIo, Arc<Log>), StartError> {
    let (engine, log) = (UringIo::new(UringConfig::default()), Arc::new(Log::default()));
    engine.start(&StartContext::new(log.clone()))?;
    Ok((engine, log))
}

#[test]
fn where_it_is_forbidden_it_says_so_in_one_sentence() {
    if !alone("where_it_is_forbidden_it_says_so_in_one_sentence", &[]) {
        return;
    }
    forbid();
    for refused in [probe(Features::DEFAULT).map(drop), start().map(drop)] {
        let StartError::Os { what, source } = refused.unwrap_err() else { panic!("it is the kernel's") };
        assert_eq!(source.raw_os_error(), Some(libc::EPERM));
        assert!(what.starts_with("io_uring, which "), "{what}");
    }
}

#[test]
fn out_of_descriptors_it_does_not_start_and_what_runs_goes_on() {
    if !alone("out_of_descriptors_it_does_not_start_and_what_runs_goes_on", &[]) {
        return;
    }
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(&[9; 100], 0).unwrap();
    let (engine, log) = start().unwrap();
    setrlimit(Resource::Nofile, Rlimit { current: Some(200), maximum: Some(200) }).unwrap();
    let mut hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    for spare in 0..4 {
        match start() {
            Ok(_) => assert!(spare >= 2, "an engine has an eventfd and a ring"),
            Err(StartError::Os { source, .. }) => {
                assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
                assert!(spare < 2);
            }
            Err(error) => panic!("{error}"),
        }
        let memory = Memory::new(100);
        engine.submit(&mut vec![IoJob {
            id: id(spare),
            op: IoOp::Read { file: file(&real), offset: 0, into: memory.lend() },
        }]);
        assert_eq!(log.wait(id(spare)).result, Ok(Done::Moved(100)));
        drop(hoard.pop());
    }
}

#[test]
fn with_too_little_locked_memory_it_goes_without_registered_buffers() {
    if !alone("with_too_little_locked_memory_it_goes_without_registered_buffers", &[]) {
        return;
    }
    setrlimit(Resource::Memlock, Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) }).unwrap();
    // Who may lock as much as they like are not held to the limit.
    let nothing = rustix::thread::CapabilitySet::empty();
    let none =
        rustix::thread::CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
    rustix::thread::set_capabilities(None, none).unwrap();
    let (real, log, memory) = (tempfile::tempfile().unwrap(), Arc::new(Log::default()), Memory::new(100));
    real.write_all_at(&[9; 100], 0).unwrap();
    let wanted = Features::DEFAULT | Features::FIXED_BUFFERS | Features::FIXED_FILES;
    // Several rings, and one warning.
    let rings = NonZeroUsize::new(2).unwrap();
    let engine = UringIo::new(UringConfig::default().rings(rings).features(wanted));
    engine.start(&StartContext::new(log.clone())).unwrap();
    let granted = engine.report().unwrap().features;
    assert!(
        !granted.contains(Features::FIXED_BUFFERS) && granted.contains(Features::FIXED_FILES),
        "{granted}"
    );
    let [warning] = log.warnings()[..] else { panic!("{:?}", log.warnings()) };
    assert_eq!((warning.engine, warning.errno), ("uring", Errno::NOMEM.raw_os_error()));
    assert!(warning.what.contains("fixed_buffers"), "{warning}");
    let op = IoOp::Read { file: file(&real), offset: 0, into: memory.lend() };
    engine.submit(&mut vec![IoJob { id: id(0), op }]);
    assert_eq!(log.wait(id(0)).result, Ok(Done::Moved(100)));
}

#[test]
fn a_full_disk_takes_what_it_can_and_says_so() {
    if !alone("a_full_disk_takes_what_it_can_and_says_so", &[]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let size = c"size=64k";
    let flags = rustix::mount::MountFlags::empty();
    if let Err(errno) = rustix::mount::mount(c"none", place.path(), c"tmpfs", flags, size) {
        eprintln!("SKIPPED: this test may not mount a small file system: {errno}");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let full = std::fs::File::create_new(place.path().join("file")).unwrap();
        let (engine, log) = start().unwrap();
        let memory = Memory::new(256 << 10);
        let mut written = 0;
        let end = loop {
            let from = memory.part(written as usize, (256 << 10) - written as usize);
            let op = IoOp::Write { file: file(&full), offset: written, from };
            engine.submit(&mut vec![IoJob { id: id(written), op }]);
            match log.wait(id(written)).result {
                Ok(Done::Moved(moved)) if moved > 0 => written += moved,
                end => break end,
            }
        };
        assert_eq!(end, Err(Fault::Os(Errno::NOSPC.raw_os_error())));
        assert!((1..=64 << 10).contains(&written), "{written}");
        engine.stop();
    });
    rustix::mount::unmount(place.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    result.unwrap();
}

#[test]
fn a_file_grows_to_the_limit_and_no_further() {
    const LIMIT: u64 = 100_000;
    if !alone("a_file_grows_to_the_limit_and_no_further", &[]) {
        return;
    }
    // As with any write: whoever does not ignore the signal is ended by it.
    // SAFETY: ignoring a signal runs no code of ours.
    assert_ne!(unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) }, libc::SIG_ERR);
    setrlimit(Resource::Fsize, Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) }).unwrap();
    let (engine, log) = start().unwrap();
    let (real, memory) = (tempfile::tempfile().unwrap(), Memory::new(1 << 16));
    let write = |offset| {
        let op = IoOp::Write { file: file(&real), offset, from: memory.lend() };
        engine.submit(&mut vec![IoJob { id: id(offset), op }]);
        log.wait(id(offset)).result
    };
    assert_eq!(write(0), Ok(Done::Moved(1 << 16)));
    assert_eq!(write(1 << 16), Ok(Done::Moved(LIMIT - (1 << 16))));
    for beyond in [LIMIT, LIMIT + 1, 1 << 40] {
        assert_eq!(write(beyond), Err(Fault::Os(Errno::FBIG.raw_os_error())), "{beyond}");
    }
    assert_eq!(real.metadata().unwrap().len(), LIMIT);
    assert_eq!(write(1), Ok(Done::Moved(1 << 16)), "within it all is well");
}

/// While its bytes are being read, a file is cut off and grows again: every read gets as much as is there, and no more.
#[test]
fn a_file_that_is_truncated_while_it_is_read() {
    const BLOCK: usize = 512;
    const BLOCKS: usize = 256;
    let real = tempfile::tempfile().unwrap();
    let content = vec![9; BLOCK * BLOCKS];
    real.write_all_at(&content, 0).unwrap();
    let (engine, log) = start().unwrap();
    let over = AtomicBool::new(false);
    let mut short = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut len = 0;
            while !over.load(Ordering::Relaxed) {
                len = (len + 12_345) % content.len();
                real.set_len(len as u64).unwrap();
                real.write_all_at(&content[len..], len as u64).unwrap();
            }
        });
        let memory = Memory::new(BLOCK * BLOCKS);
        for round in 0..300 {
            let place = |n| if round % 2 == 0 { n } else { BLOCKS - 1 - n };
            let mut jobs = (0..BLOCKS)
                .map(|n| {
                    let into = memory.part(place(n) * BLOCK, BLOCK);
                    let op = IoOp::Read { file: file(&real).positional(), offset: (n * BLOCK) as u64, into };
                    IoJob { id: id(n as u64), op }
                })
                .collect();
            engine.submit(&mut jobs);
            for n in 0..BLOCKS {
                let result = log.wait(id(n as u64)).result;
                let Ok(Done::Moved(moved)) = result else { panic!("{result:?}") };
                let moved = moved as usize;
                short += usize::from(moved < BLOCK);
                // A hole that is being filled reads as zeroes.
                let bytes = memory.bytes_of(place(n) * BLOCK, moved);
                assert!(bytes.iter().all(|&byte| byte == 9 || byte == 0), "read {n} of round {round}");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    println!("{short} reads found the file cut off");
}

#[test]
fn a_process_that_is_stopped_and_goes_on_loses_nothing() {
    const JOBS: u64 = 20_000;
    if !alone("a_process_that_is_stopped_and_goes_on_loses_nothing", &[]) {
        return;
    }
    let me = std::process::id();
    let script = format!(
        "for n in 1 2 3 4 5 6 7 8; do kill -STOP {me}; sleep 0.01; kill -CONT {me}; sleep 0.01; done"
    );
    let mut rough = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let real = tempfile::tempfile().unwrap();
    real.write_all_at(&[9; 1 << 16], 0).unwrap();
    let (engine, log) = start().unwrap();
    let memory = Memory::new(1 << 16);
    let mut done = 0;
    while rough.try_wait().unwrap().is_none() || done == 0 {
        let mut jobs = (0..JOBS / 100)
            .map(|n| {
                let into = memory.part(n as usize * 100, 100);
                IoJob { id: id(n), op: IoOp::Read { file: file(&real), offset: n, into } }
            })
            .collect();
        engine.submit(&mut jobs);
        for n in 0..JOBS / 100 {
            assert_eq!(log.wait(id(n)).result, Ok(Done::Moved(100)));
        }
        done += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(rough.wait().unwrap().success());
}
