//! What streaming did.

use core::time::Duration;
use std::collections::BTreeMap;

use ds_runtime::{Completion, Error as RequestError};
use rustix::time::{ClockId, clock_gettime};

use crate::pack::{Chunk, ChunkError};

/// What is wrong with one chunk.
#[derive(Debug)]
pub enum Fault {
    /// The queue's request failed.
    Request(RequestError),
    /// It arrived, and is not what was packed.
    Content(ChunkError),
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Content(error) => error.fmt(f),
        }
    }
}

/// What streaming did.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests: one a chunk, or one a piece of it.
    pub requests: u64,
    /// Bytes of content that arrived and were verified.
    pub content: u64,
    /// Bytes read from the pack.
    pub read: u64,
    /// From the first request to the last completion.
    pub wall: Duration,
    /// Processor time of the whole process meanwhile, verifying included, unless that was done apart.
    pub cpu: Duration,
    /// How long it took to read device memory back and verify it, which is in none of the other times.
    pub verifying: Option<Duration>,
    /// Where requests spent their time, if that was to be told.
    pub stages: Option<Stages>,
    /// The most memory the whole process ever had resident, in bytes. Zero where the system does not tell.
    pub peak_memory: u64,
    /// From submit to completion, request by request.
    pub latency: Latencies,
    /// How many requests each path took part in, by the engines' own account.
    pub paths: BTreeMap<String, u64>,
    /// Number of the chunk and what was wrong with it: the first few, in the order they came.
    pub faults: Vec<(usize, Fault)>,
    /// How many chunks were wrong in all.
    pub failed: u64,
    /// So many were wrong that the rest was left.
    pub gave_up: bool,
}

/// Where requests spent their time, all of them added up. Many are under way at once, so this is more than passes by the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// From submit to the first operation.
    pub waiting: Duration,
    /// From there to the last byte read.
    pub reading: Duration,
    /// From there to the last byte decoded.
    pub decoding: Duration,
    /// From there to the end.
    pub placing: Duration,
}

impl Report {
    const FAULTS_KEPT: usize = 16;

    /// Damaged chunks after which there is nothing to learn from more of them.
    pub const ENOUGH_FAILED: u64 = 1000;

    /// Counts what a request did, well or not.
    pub(super) fn completed(&mut self, completion: &Completion) {
        self.read += completion.bytes.read;
        self.latency.record(completion.latency);
        if let Some(times) = completion.times {
            let stages = self.stages.get_or_insert_default();
            stages.waiting += times.waiting;
            stages.reading += times.reading;
            stages.decoding += times.decoding;
            stages.placing += times.placing;
        }
    }

    /// Counts the requests that took part in each path since then.
    pub(super) fn took_paths(&mut self, before: &BTreeMap<String, u64>, now: BTreeMap<String, u64>) {
        for (path, requests) in now {
            let new = requests - before.get(&path).copied().unwrap_or_default();
            if new > 0 {
                *self.paths.entry(path).or_default() += new;
            }
        }
    }

    /// Counts a chunk whose last piece has arrived.
    pub(super) fn verdict(&mut self, number: u32, chunk: &Chunk, verdict: Option<Result<(), Fault>>) {
        match verdict {
            None => {}
            Some(Ok(())) => self.content += u64::from(chunk.raw_size),
            Some(Err(fault)) => self.fault(number as usize, fault),
        }
    }

    fn fault(&mut self, chunk: usize, fault: Fault) {
        self.failed += 1;
        if self.faults.len() < Self::FAULTS_KEPT {
            self.faults.push((chunk, fault));
        }
    }
}

/// A histogram of latencies: sixteen buckets per power of two of nanoseconds, so quantiles are right within 7 %.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    counts: BTreeMap<u16, u64>,
    total: u64,
    max: Duration,
}

impl Latencies {
    const FRACTION_BITS: u32 = 4;

    pub(super) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1 << Self::FRACTION_BITS);
        let exponent = nanos.ilog2();
        let fraction = (nanos >> (exponent - Self::FRACTION_BITS)) & ((1 << Self::FRACTION_BITS) - 1);
        let bucket = (exponent << Self::FRACTION_BITS) as u16 | fraction as u16;
        *self.counts.entry(bucket).or_default() += 1;
        self.total += 1;
        self.max = self.max.max(latency);
    }

    /// The latency that this share (0 to 1) of requests did not exceed. Zero without any.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut seen = 0;
        for (&bucket, &count) in &self.counts {
            seen += count;
            if seen as f64 >= share * self.total as f64 {
                let exponent = u32::from(bucket) >> Self::FRACTION_BITS;
                let fraction = u64::from(bucket) & ((1 << Self::FRACTION_BITS) - 1);
                let unit = exponent - Self::FRACTION_BITS;
                let end = ((1 << Self::FRACTION_BITS) + fraction + 1) << unit;
                return Duration::from_nanos(end).min(self.max);
            }
        }
        self.max
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.max
    }
}

/// Processor time of this process so far, all threads, user and kernel.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The most memory this process ever had resident, in bytes.
pub(super) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_sixteenth() {
        let mut latencies = Latencies::default();
        for micros in 1..=1000 {
            latencies.record(Duration::from_micros(micros));
        }
        for (share, micros) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let found = latencies.quantile(share).as_secs_f64() * 1e6;
            assert!((found / micros - 1.0).abs() < 0.07, "{share}: {found}");
        }
        assert_eq!(latencies.quantile(1.0), Duration::from_millis(1));
        assert_eq!(Latencies::default().quantile(0.5), Duration::ZERO);
    }
}
