//! What this process's threads work: CPU time of each, by name. The kernel brings it up to date at each of its ticks, some milliseconds.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// CPU time of all threads, from some moment on.
pub(super) struct Threads {
    start: Instant,
    before: BTreeMap<u64, Duration>,
}

impl Threads {
    /// From now on.
    pub(super) fn now() -> Self {
        let start = Instant::now();
        Self { start, before: all().map(|(number, _, time)| (number, time)).collect() }
    }

    /// Cores that the threads of each name have had on average since then. Those that have ended are not there.
    pub(super) fn cores(&self) -> BTreeMap<String, f64> {
        let now: Vec<_> = all().collect();
        let wall = self.start.elapsed().as_secs_f64();
        let mut cores = BTreeMap::new();
        for (number, name, time) in now {
            let before = self.before.get(&number).copied().unwrap_or_default();
            *cores.entry(name).or_insert(0.0) += time.saturating_sub(before).as_secs_f64() / wall;
        }
        cores
    }
}

/// Number, name and CPU time of each thread that the kernel tells of.
fn all() -> impl Iterator<Item = (u64, String, Duration)> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(|thread| {
        let number = thread.file_name().to_str()?.parse().ok()?;
        let (name, time) = of(&thread.path())?;
        Some((number, name, time))
    })
}

/// Name and CPU time of the thread with that folder.
fn of(thread: &Path) -> Option<(String, Duration)> {
    let name = fs::read_to_string(thread.join("comm")).ok()?;
    // Nanoseconds on a core come first: Documentation/scheduler/sched-stats.rst.
    let times = fs::read_to_string(thread.join("schedstat")).ok()?;
    let nanos = times.split_whitespace().next()?.parse().ok()?;
    Some((name.trim_end().to_owned(), Duration::from_nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_works_is_told_from_who_sleeps() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel();
        let sleep = move || {
            begin.send(()).unwrap();
            stopped.recv()
        };
        let sleeper = std::thread::Builder::new().name("sleeper".into()).spawn(sleep);
        // A thread takes its name when it begins.
        begun.recv().unwrap();
        let worker = || {
            let (threads, start) = (Threads::now(), Instant::now());
            while start.elapsed() < Duration::from_millis(100) {
                core::hint::spin_loop();
            }
            threads.cores()
        };
        let cores = std::thread::Builder::new().name("worker".into()).spawn(worker).unwrap().join().unwrap();
        drop(stop);
        let _ = sleeper.unwrap().join();
        assert!(cores["sleeper"] < cores["worker"], "{cores:?}");
    }
}
