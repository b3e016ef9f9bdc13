//! Exact counts.

use core::time::Duration;

use crate::completion::{ByteCounts, StageTimes};
use crate::path::Path;

/// A histogram of latencies in powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    counts: [u64; Self::BUCKETS],
}

impl Latency {
    /// Number of buckets. Bucket `b` counts latencies of `2^b .. 2^(b+1)` nanoseconds, bucket 0 also those of 0.
    pub const BUCKETS: usize = 40;

    const fn new() -> Self {
        Self { counts: [0; Self::BUCKETS] }
    }

    fn record(&mut self, nanos: u64) {
        let bucket = nanos.max(1).ilog2() as usize;
        self.counts[bucket.min(Self::BUCKETS - 1)] += 1;
    }

    /// How many latencies fell into each bucket.
    #[must_use]
    pub const fn counts(&self) -> &[u64; Self::BUCKETS] {
        &self.counts
    }

    /// How many latencies there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// A latency that at least `fraction` (0 to 1) of all do not exceed: the upper end of the bucket where that share is
    /// reached. `None` without any.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<Duration> {
        let total = self.total();
        let mut seen = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += count;
            if count > 0 && seen as f64 >= fraction * total as f64 {
                return Some(Duration::from_nanos((2 << bucket) - 1));
            }
        }
        None
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// What a queue has done since it was made. All numbers are exact, and those of requests are counted when a request ends,
/// not when its completion is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Requests enqueued.
    pub enqueued: u64,
    /// Requests that ended well.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were cancelled.
    pub cancelled: u64,
    /// Markers that fired.
    pub notices: u64,
    /// Entries not yet submitted.
    pub unsubmitted: u32,
    /// Requests submitted and not ended.
    pub in_flight: u32,
    /// Requests ended whose completion nobody has taken.
    pub undelivered: u32,
    /// Bytes of requests that have begun and not ended: the larger of what they read and what they make.
    pub bytes_in_flight: u64,
    /// The byte counts of all ended requests.
    pub bytes: ByteCounts,
    /// Operations that were tried again after `EINTR`, `EAGAIN` or a short transfer.
    pub retries: u64,
    /// From submit to end.
    pub latency: Latency,
    /// Sums of the per-stage times, if [`Config::stage_times`](crate::Config::stage_times) asked for them.
    pub times: StageTimes,
    paths: [u64; Path::BITS],
}

impl Stats {
    pub(crate) const fn new() -> Self {
        Self {
            enqueued: 0,
            succeeded: 0,
            failed: 0,
            cancelled: 0,
            notices: 0,
            unsubmitted: 0,
            in_flight: 0,
            undelivered: 0,
            bytes_in_flight: 0,
            bytes: ByteCounts { read: 0, produced: 0, delivered: 0 },
            retries: 0,
            latency: Latency::new(),
            times: StageTimes {
                queued: Duration::ZERO,
                waiting: Duration::ZERO,
                reading: Duration::ZERO,
                decoding: Duration::ZERO,
                placing: Duration::ZERO,
            },
            paths: [0; Path::BITS],
        }
    }

    /// Requests that ended, in whatever way.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    /// How many ended requests each engine worked on, by the engine's own account; engines that did nothing are left out.
    pub fn paths(&self) -> impl Iterator<Item = (Path, u64)> {
        self.paths
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
            .map(|(bit, &count)| (Path::bit(bit), count))
    }

    /// Counts what an ended request did.
    pub(crate) fn record(
        &mut self,
        bytes: ByteCounts,
        path: Path,
        latency_nanos: u64,
        times: Option<StageTimes>,
    ) {
        self.bytes = self.bytes.plus(bytes);
        self.latency.record(latency_nanos);
        for bit in path.bits() {
            self.paths[bit] += 1;
        }
        if let Some(times) = times {
            self.times.queued += times.queued;
            self.times.waiting += times.waiting;
            self.times.reading += times.reading;
            self.times.decoding += times.decoding;
            self.times.placing += times.placing;
        }
    }
}
