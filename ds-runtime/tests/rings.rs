//! A runtime tells what rings it has, and what they have.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path as FilePath;
use std::sync::Arc;

use ds_runtime::{
    File, IoKind, Path, QueueOptions, Request, Runtime, UringConfig, UringFeatures, probe_uring,
};
use ds_uring::UringIo;

fn runtime(io: IoKind, config: UringConfig) -> Runtime {
    Runtime::builder().io(io).uring(config).error_hook(|_| {}).build().unwrap()
}

/// Reads from a new file there, by the ring: what paths they came by, of each how many.
fn read(runtime: &Runtime, folder: &FilePath) -> Option<Vec<(Path, u64)>> {
    let mut file = match tempfile::tempfile_in(folder) {
        Ok(file) => file,
        Err(error) => {
            eprintln!("SKIPPED: no files in {}: {error}", folder.display());
            return None;
        }
    };
    file.write_all(&[7; 8192]).unwrap();
    let (file, queue) = (File::from(file), runtime.queue(QueueOptions::default()).unwrap());
    for n in 0..8 {
        // Submitted before anybody waits: so the ring's thread reads.
        let ticket = queue.enqueue(Request::read(&file, n * 512, 512)).unwrap();
        queue.submit();
        assert_eq!(ticket.wait().check().unwrap().buffer, [7; 512]);
    }
    Some(queue.stats().paths().collect())
}

fn count(paths: &[(Path, u64)], path: Path) -> u64 {
    paths.iter().find(|(known, _)| *known == path).map_or(0, |&(_, count)| count)
}

#[test]
fn who_has_rings_says_so_and_who_has_none_says_that() {
    let three = NonZeroUsize::new(3).unwrap();
    let config = UringConfig::default().depth(three);
    let rings = runtime(IoKind::Uring, config.rings(three)).uring().unwrap();
    assert_eq!((rings.rings, rings.depth), (three, three));
    assert_eq!(rings.features, probe_uring(UringFeatures::DEFAULT).unwrap().features);
    let behind = runtime(IoKind::Auto, config);
    assert_eq!(behind.selection().io, "cpu+uring");
    assert_eq!(behind.uring().unwrap().depth, three);
    assert_eq!(runtime(IoKind::Cpu, config).uring(), None);
    // Whoever brings an engine has it at hand.
    let own = Arc::new(UringIo::new(config));
    let bringing = Runtime::builder().io_engine(Arc::clone(&own) as _).build().unwrap();
    assert_eq!(bringing.uring(), None);
    assert_eq!(own.report().unwrap().depth, three);
}

#[test]
fn what_is_left_out_is_not_had() {
    for kernel in [UringFeatures::LINUX_5_15, UringFeatures::LINUX_6_1, UringFeatures::LINUX_6_6] {
        let wanted = kernel.and(UringFeatures::DEFAULT);
        let granted = runtime(IoKind::Uring, UringConfig::default().features(wanted)).uring().unwrap();
        assert!(wanted.contains(granted.features), "{}", granted.features);
        assert!(granted.features.contains(UringFeatures::JOINED_READS), "that takes no kernel");
    }
}

/// A thread of the kernel's that takes submissions shows, in what the rings have and in what requests went by.
#[test]
fn polling_for_submissions_is_in_report_and_statistics() {
    let wanted = UringFeatures::DEFAULT | UringFeatures::SQPOLL;
    for (wanted, polls) in [(wanted, true), (UringFeatures::DEFAULT, false)] {
        let wanted = wanted - UringFeatures::INLINE_READS;
        let runtime = runtime(IoKind::Uring, UringConfig::default().features(wanted));
        let has = runtime.uring().unwrap().features.contains(UringFeatures::SQPOLL);
        assert!(polls || !has);
        if polls && !has {
            eprintln!("SKIPPED: this kernel polls for no submissions");
        }
        let paths = read(&runtime, &std::env::temp_dir()).unwrap();
        assert_eq!(count(&paths, Path::IO_URING), 8, "{paths:?}");
        assert_eq!(count(&paths, Path::IO_SQPOLL), if has { 8 } else { 0 }, "{paths:?}");
    }
}

/// Not what the kernel said once, but what is so: some file systems do not read in passing.
#[test]
fn what_turns_out_not_to_work_is_not_had_any_more() {
    let wanted = UringFeatures::DEFAULT | UringFeatures::UNCACHED;
    for folder in [std::env::temp_dir(), "/dev/shm".into()] {
        let runtime = runtime(IoKind::Uring, UringConfig::default().features(wanted));
        assert!(runtime.uring().unwrap().features.contains(UringFeatures::UNCACHED), "nobody has tried");
        let Some(paths) = read(&runtime, &folder) else { continue };
        let uncached = count(&paths, Path::IO_UNCACHED);
        let still = runtime.uring().unwrap().features.contains(UringFeatures::UNCACHED);
        println!("{}: {uncached} of 8 read in passing", folder.display());
        assert_eq!(still, uncached == 8, "{paths:?}");
    }
}
