//! What a run of schedules met, to show that the simulation goes where it should.

use core::fmt;

macro_rules! buckets {
    ($($name:ident: $least:expr, $words:expr;)+) => {
        /// Something a schedule can meet.
        #[derive(Clone, Copy)]
        pub(crate) enum Bucket { $($name),+ }

        /// How often to meet it at least in 100 000 schedules, and its name.
        const BUCKETS: &[(u64, &str)] = &[$(($least, $words)),+];
    };
}

buckets! {
    Schedules: 0, "schedules";
    Enqueued: 100_000, "requests enqueued";
    Raw: 10_000, "  raw file reads";
    Decoded: 10_000, "  with a transform";
    Written: 10_000, "  writes";
    Synced: 10_000, "  syncs";
    OnDevice: 10_000, "  from or to a device";
    Empty: 10_000, "  of no bytes";
    FarOffset: 1_000, "  at offsets near 2^63";
    Linked: 10_000, "  after another request";
    WithDeadline: 10_000, "  with a deadline";
    Succeeded: 100_000, "requests that succeeded";
    ShortSuccess: 1_000, "  short of the file's end, allowed";
    FailedIo: 10_000, "failed: I/O";
    FailedEof: 1_000, "failed: end of file";
    FailedWriteZero: 1, "failed: write makes no progress";
    FailedMemory: 1_000, "failed: out of memory";
    FailedCorrupt: 1_000, "failed: corrupt data";
    FailedDevice: 1_000, "failed: device lost";
    FailedTimeout: 1_000, "failed: timed out";
    FailedEngine: 1_000, "failed: engine broke its contract";
    CancelledQueued: 10_000, "cancelled before submit";
    CancelledWaiting: 1_000, "cancelled before the first operation";
    CancelledFlying: 1_000, "cancelled with operations flying";
    CancelledBetween: 1_000, "cancelled between operations";
    CancelledByLink: 1_000, "cancelled because the earlier request ended badly";
    Hurried: 10_000, "operations asked to hurry";
    Refused: 10_000, "enqueues refused: queue full";
    RefusedClosed: 1_000, "enqueues refused: closed";
    RefusedInvalid: 1_000, "enqueues refused: invalid";
    RefusedTooLarge: 1_000, "enqueues refused: too large";
    Status: 10_000, "status entries fired";
    StatusFailed: 1_000, "  with a failure";
    StatusReordered: 100, "  whose first failure was not the first in time";
    Signal: 10_000, "signal entries fired";
    Event: 10_000, "event entries fired";
    AutoSubmit: 10_000, "automatic submits";
    Operations: 1_000_000, "operations";
    Short: 10_000, "short transfers";
    Interrupted: 10_000, "operations interrupted";
    TryAgain: 10_000, "operations to try again later";
    Busy: 1_000, "leases refused: busy";
    Relayed: 10_000, "pieces copied between staging and a device";
    Steps: 10_000, "unfinished decoding steps";
    Leases: 10_000, "leases granted";
    Stale: 10_000, "outcomes of no outstanding operation refused";
    CloseBusy: 1_000, "closes with operations flying";
    CloseIdle: 1_000, "closes of an idle queue";
    ErrorRecords: 1_000, "error records with failures taken";
    HeldBack: 10_000, "polls with no room for transfers";
    MostFlying: 32, "most operations of a queue flying at once";
    LongestWait: 10, "longest wait of a ready queue, in picks";
}

/// Counts per bucket.
pub(crate) struct Met([u64; BUCKETS.len()]);

impl Met {
    pub(crate) const fn new() -> Self {
        Self([0; BUCKETS.len()])
    }

    pub(crate) const fn add(&mut self, bucket: Bucket) {
        self.0[bucket as usize] += 1;
    }

    pub(crate) fn most(&mut self, bucket: Bucket, value: u64) {
        let count = &mut self.0[bucket as usize];
        *count = (*count).max(value);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, (count, more)) in self.0.iter_mut().zip(other.0).enumerate() {
            if bucket >= Bucket::MostFlying as usize { *count = (*count).max(more) } else { *count += more }
        }
    }

    /// Buckets met less often than they should have been.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let schedules = self.0[Bucket::Schedules as usize];
        BUCKETS
            .iter()
            .zip(self.0)
            .filter(|&(&(least, _), count)| count < (least * schedules.min(100_000)).div_ceil(100_000))
            .map(|(&(_, words), _)| words)
            .collect()
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((_, words), count) in BUCKETS.iter().zip(self.0) {
            writeln!(f, "{count:>12}  {words}")?;
        }
        Ok(())
    }
}
