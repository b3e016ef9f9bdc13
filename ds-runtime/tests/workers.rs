//! As many threads as were asked for, under the names that `top -H` shows. A program of its own: it counts its process's threads.

use std::fs;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use ds_runtime::{IoKind, Runtime};

/// The names of threads that read and write, in order.
fn readers() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let names = names.map(|name| name.trim().to_owned());
    let mut readers: Vec<_> =
        names.filter(|name| name.starts_with("ds-io-") || name.starts_with("ds-uring-")).collect();
    readers.sort();
    readers
}

/// A thread gives itself its name, after it has been started; and is listed for a moment after it has ended.
fn assert_readers(expected: &[&str]) {
    let end = Instant::now() + Duration::from_secs(30);
    while readers() != expected {
        assert!(Instant::now() < end, "{:?}, and not {expected:?}", readers());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn workers_are_threads_of_a_pool_or_rings() {
    let three = NonZeroUsize::new(3).unwrap();
    for (io, expected) in [
        (IoKind::Cpu, ["ds-io-0", "ds-io-1", "ds-io-2"].as_slice()),
        (IoKind::Uring, &["ds-uring-0", "ds-uring-1", "ds-uring-2"]),
        // One ring behind the pool.
        (IoKind::Auto, &["ds-io-0", "ds-io-1", "ds-io-2", "ds-uring-0"]),
    ] {
        let runtime = Runtime::builder().io(io).workers(three).build().unwrap();
        assert_readers(expected);
        drop(runtime);
        assert_readers(&[]);
    }
}
