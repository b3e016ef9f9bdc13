//! Streaming chunks of a pack through the runtime's queue, verified: what `ds stream` and `ds demo` share.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use ds_runtime::{
    BuildError, Completion, Error as RequestError, File, Queue, QueueOptions, Request, Runtime, Selection,
};
use rustix::time::{ClockId, clock_gettime};

use crate::pack::{Chunk, ChunkError, Method, Pack};

pub use ds_runtime::{CodecKind, IoKind};

/// How to stream.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which engine reads.
    pub io: IoKind,
    /// Which engine decodes.
    pub codec: CodecKind,
    /// Requests in flight. Each is one chunk of the pack, 4 MiB of content at most.
    pub depth: NonZeroUsize,
    /// Largest read asked of the engine at once, in bytes; at least 4096. Longer ones are cut.
    pub read_size: u64,
    /// Threads for reading and for decoding each; one per core unless told.
    pub workers: Option<NonZeroUsize>,
}

impl Options {
    /// [`Options::depth`] unless told.
    pub const DEPTH: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");
    /// [`Options::read_size`] unless told.
    pub const READ_SIZE: u64 = 1 << 20;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            io: IoKind::Auto,
            codec: CodecKind::Auto,
            depth: Self::DEPTH,
            read_size: Self::READ_SIZE,
            workers: None,
        }
    }
}

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
    /// Chunks asked for, each one request.
    pub requests: u64,
    /// Bytes of content that arrived and were verified.
    pub content: u64,
    /// Bytes read from the pack.
    pub read: u64,
    /// From the first request to the last completion.
    pub wall: Duration,
    /// Processor time of the whole process meanwhile, verifying included.
    pub cpu: Duration,
    /// From submit to completion, request by request.
    pub latency: Latencies,
    /// How many requests each path took part in, by the engines' own account.
    pub paths: BTreeMap<String, u64>,
    /// Number of the chunk and what was wrong with it: the first few, in the order they came.
    pub faults: Vec<(usize, Fault)>,
    /// How many chunks were wrong in all.
    pub failed: u64,
}

impl Report {
    const FAULTS_KEPT: usize = 16;

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

    fn record(&mut self, latency: Duration) {
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

/// A runtime and a queue for streaming.
#[derive(Debug)]
pub struct Streamer {
    runtime: Runtime,
    queue: Queue,
    depth: usize,
    /// Buffers not in use; each holds a chunk's content.
    spare: Vec<Vec<u8>>,
}

impl Streamer {
    /// Starts the engines.
    ///
    /// # Errors
    ///
    /// A named engine is not available (there is no fallback), or the system refuses threads or memory.
    pub fn new(options: &Options) -> Result<Self, BuildError> {
        let mut builder = Runtime::builder().io(options.io).codec(options.codec);
        if let Some(workers) = options.workers {
            builder = builder.workers(workers).codec_workers(workers);
        }
        let runtime = builder.build()?;
        let depth = options.depth.get();
        let queue = QueueOptions::default()
            .name("stream")
            // Entries are submitted by hand, and a full queue is never wanted.
            .capacity(depth)
            .auto_submit(false)
            .chunk_size(options.read_size)
            // Every failure is in the report.
            .error_hook(|_| {});
        let queue = runtime.queue(queue).map_err(|error| BuildError::Os {
            what: "the queue",
            source: std::io::Error::other(error.to_string()),
        })?;
        Ok(Self { runtime, queue, depth, spare: Vec::new() })
    }

    /// The engines in use.
    pub fn selection(&self) -> &Selection {
        self.runtime.selection()
    }

    /// Streams the chunks numbered `chunks` of `pack` and verifies each; `arrived` is told the bytes of each that came, good or
    /// bad, and ends the run early by returning false.
    ///
    /// # Errors
    ///
    /// The pack's descriptor cannot be duplicated. What is wrong with chunks is in the report.
    pub fn run(
        &mut self,
        pack: &Pack,
        chunks: impl IntoIterator<Item = usize>,
        mut arrived: impl FnMut(u64) -> bool,
    ) -> std::io::Result<Report> {
        let file = File::from(pack.file().try_clone()?);
        let all = pack.index().chunks();
        let mut chunks = chunks.into_iter().filter_map(|number| Some((number, all.get(number)?)));
        let mut report = Report::default();
        let paths_before = self.paths();
        let (start, cpu) = (Instant::now(), cpu_time());
        let (mut in_flight, mut going) = (0, true);
        loop {
            while going && in_flight < self.depth {
                let Some((number, chunk)) = chunks.next() else { break };
                report.requests += 1;
                let request = self.request(&file, number, chunk);
                match self.queue.post(request) {
                    Ok(_) => in_flight += 1,
                    Err(rejected) => {
                        self.spare.clear();
                        report.fault(number, Fault::Request(rejected.error));
                        going = arrived(chunk.raw_size.into()) && going;
                    }
                }
            }
            if in_flight == 0 {
                break;
            }
            // Without a timeout it waits as long as it takes.
            let _ = self.queue.wait_any(None);
            for completion in self.queue.take_completed(in_flight) {
                in_flight -= 1;
                // The tag is the chunk's number, and came from a `usize`.
                let number = completion.tag as usize;
                let size = all[number].raw_size;
                self.arrived(number, &all[number], completion, &mut report);
                going = arrived(size.into()) && going;
            }
        }
        report.wall = start.elapsed();
        report.cpu = cpu_time().saturating_sub(cpu);
        for (path, requests) in self.paths() {
            let new = requests - paths_before.get(&path).copied().unwrap_or_default();
            if new > 0 {
                report.paths.insert(path, new);
            }
        }
        Ok(report)
    }

    fn request(&mut self, file: &File, number: usize, chunk: &Chunk) -> Request {
        let request = Request::read(file, chunk.offset, chunk.packed_size.into());
        let request = match chunk.method {
            Method::Stored => request,
            Method::GDeflate => request.gdeflate(chunk.raw_size.into()),
        };
        request.tag(number as u64).into_buffer(self.spare.pop().unwrap_or_default())
    }

    fn arrived(&mut self, number: usize, chunk: &Chunk, completion: Completion, report: &mut Report) {
        report.read += completion.bytes.read;
        report.latency.record(completion.latency);
        let verdict = completion
            .result
            .map_err(Fault::Request)
            .and_then(|()| chunk.verify(&completion.buffer).map_err(Fault::Content));
        match verdict {
            Ok(()) => report.content += completion.bytes.delivered,
            Err(fault) => report.fault(number, fault),
        }
        self.spare.push(completion.buffer);
    }

    fn paths(&self) -> BTreeMap<String, u64> {
        self.queue.stats().paths().map(|(path, requests)| (path.to_string(), requests)).collect()
    }
}

/// Processor time of this process so far, all threads, user and kernel.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
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
