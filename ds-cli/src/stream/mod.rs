//! Streaming chunks of a pack through the runtime's queue, verified: what `ds stream` and `ds demo` share.

mod pieces;
mod report;
mod vram;

use core::num::NonZeroUsize;
use core::ops::Range;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use ds_runtime::vulkan::{CallError, Device, DeviceChoice, DeviceOptions, VulkanConfig, VulkanEngine};
use ds_runtime::{
    BuildError, Builder, Completion, Error as RequestError, File, Queue, QueueOptions, Refusal, Request,
    Runtime, Selection, UringReport,
};

use self::pieces::{Cut, Partial, Piece};
use self::report::peak_memory;
use self::vram::Vram;
use crate::pack::{Chunk, Entry, Method, Pack, PackIndex};

pub use ds_runtime::{CodecKind, IoKind};
pub use report::{Fault, Latencies, Report, Stages, cpu_time};

/// Where content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Host memory; each chunk is verified as it arrives.
    Host,
    /// A device's memory, at most so many bytes of it at a time, and not fewer than a chunk has. What is there is verified when it is
    /// full, or all is there; that is not part of the time taken.
    Vram(u64),
}

/// How to stream.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which engine reads.
    pub io: IoKind,
    /// Which engine decodes.
    pub codec: CodecKind,
    /// Where content goes.
    pub target: Target,
    /// The device, for whatever needs one.
    pub device: DeviceChoice,
    /// How its engine is set up.
    pub vulkan: VulkanConfig,
    /// Whether to add up how long requests spend where.
    pub stage_times: bool,
    /// Requests in flight; [`Options::depth`] unless told.
    pub depth: Option<NonZeroUsize>,
    /// Most content asked for by one request, in bytes. Stored chunks are asked for in pieces of it; compressed chunks, which
    /// are decoded as a whole, are one request each, whatever this says.
    pub request_size: u32,
    /// Largest read asked of the engine at once, in bytes; at least 4096. Longer ones are cut.
    pub read_size: u64,
    /// Bytes of packed data in memory at once, on their way from the file to a decoder; [`Options::staging`] unless told.
    pub staging: Option<usize>,
    /// Whether to read past the page cache.
    pub direct: bool,
    /// Threads for reading and for decoding each. Unless told: for decoding one less than cores, since the thread that streams
    /// decodes with them; for reading one per core, or one per two if a ring reads what is not in memory.
    pub workers: Option<NonZeroUsize>,
}

impl Options {
    /// Most requests in flight: what a queue holds.
    pub const MAX_DEPTH: u32 = 1 << 20;
    /// [`Options::request_size`] unless told: no pack has larger chunks.
    pub const REQUEST_SIZE: u32 = 4 << 20;
    /// [`Options::read_size`] unless told.
    pub const READ_SIZE: u64 = 1 << 20;

    /// Requests in flight, unless told, where a device takes part: half of them are being read, and half make two dispatches.
    pub const DEVICE_DEPTH: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not 0");

    /// Whether a device is needed.
    pub fn needs_device(&self) -> bool {
        self.codec == CodecKind::Vulkan || self.target != Target::Host
    }

    /// Requests in flight: as told; where a device takes part [`DEVICE_DEPTH`](Self::DEVICE_DEPTH); or two for each worker, one being read
    /// and one being decoded. More of them would only push each other out of the cache, unless a disk has to be kept busy.
    pub fn depth(&self) -> NonZeroUsize {
        const FEWEST: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not 0");
        const FEWEST_DIRECT: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not 0");
        const EACH: NonZeroUsize = NonZeroUsize::new(2).expect("2 is not 0");
        let of_processor = || {
            self.workers.unwrap_or_else(cores).saturating_mul(EACH).max(if self.direct {
                FEWEST_DIRECT
            } else {
                FEWEST
            })
        };
        self.depth.unwrap_or_else(|| if self.needs_device() { Self::DEVICE_DEPTH } else { of_processor() })
    }

    /// Threads for reading, unless told: each more is one that takes turns with those that decode. What is in the page cache is
    /// copied several times as fast as it is decoded, and for what is not there `Auto` has a ring.
    fn readers(&self) -> NonZeroUsize {
        let each = if self.io == IoKind::Auto && !self.direct { 2 } else { 1 };
        NonZeroUsize::new(cores().get() / each).unwrap_or(NonZeroUsize::MIN)
    }

    /// Bytes of packed data in memory at once: as told, or as many as the runtime has; for a device eight times that, which takes many
    /// tiles at a time or leaves most of itself idle.
    pub fn staging(&self) -> usize {
        let times = if self.needs_device() { 8 } else { 1 };
        self.staging.unwrap_or(times * Builder::DEFAULT_STAGING)
    }

    /// A runtime with these engines, but for a device's.
    pub fn builder(&self) -> Builder {
        let builder = Runtime::builder().io(self.io).codec(self.codec).staging(self.staging());
        match self.workers {
            Some(workers) => builder.workers(workers).codec_workers(workers),
            // The thread that waits for completions decodes, too: one more would only take turns with it.
            None => builder
                .workers(self.readers())
                .codec_workers(NonZeroUsize::new(cores().get() - 1).unwrap_or(NonZeroUsize::MIN)),
        }
    }

    /// How many requests it takes to stream all of a pack.
    pub fn requests(&self, index: &PackIndex) -> u64 {
        index.chunks().map(|chunk| u64::from(Cut(self.request_size).count(&chunk))).sum()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            io: IoKind::Auto,
            codec: CodecKind::Auto,
            target: Target::Host,
            device: DeviceChoice::Auto,
            vulkan: VulkanConfig::default(),
            stage_times: false,
            depth: None,
            request_size: Self::REQUEST_SIZE,
            read_size: Self::READ_SIZE,
            staging: None,
            direct: false,
            workers: None,
        }
    }
}

/// How many threads the machine runs at once.
pub fn cores() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Why streaming came to no end.
#[derive(Debug)]
pub enum RunError {
    /// The pack's file.
    File(std::io::Error),
    /// Device memory for the content.
    Memory(CallError),
    /// Reading device memory back, or overwriting it.
    Request(RequestError),
}

impl core::fmt::Display for RunError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Memory(error) => write!(f, "no device memory for the content: {error}"),
            Self::Request(error) => write!(f, "device memory cannot be reached: {error}"),
        }
    }
}

impl core::error::Error for RunError {}

/// A runtime and a queue for streaming.
#[derive(Debug)]
pub struct Streamer {
    runtime: Runtime,
    queue: Queue,
    device: Option<Device>,
    /// Where content goes, if that is a device's memory.
    vram: Option<Vram>,
    depth: usize,
    direct: bool,
    cut: Cut,
    /// Buffers not in use; each has held a request's content.
    spare: Vec<Vec<u8>>,
}

impl Streamer {
    /// Starts the engines.
    ///
    /// # Errors
    ///
    /// A named engine is not available (there is no fallback), or the system refuses threads or memory.
    pub fn new(options: &Options) -> Result<Self, BuildError> {
        let device = options.needs_device().then(|| open(&options.device)).transpose()?;
        Self::on(device, options)
    }

    /// The same with a device that is open already.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn on(device: Option<Device>, options: &Options) -> Result<Self, BuildError> {
        let mut builder = options.builder();
        if let Some(device) = &device {
            let engine = VulkanEngine::new(device, options.vulkan.clone());
            builder = builder.device_engine(Arc::new(engine));
        }
        let runtime = builder.build()?;
        let depth = options.depth().get();
        let queue = QueueOptions::default()
            .name("stream")
            // Entries are submitted by hand, and a full queue is never wanted.
            .capacity(depth)
            .auto_submit(false)
            .chunk_size(options.read_size)
            .stage_times(options.stage_times)
            // Every failure is in the report.
            .error_hook(|_| {});
        let queue = runtime.queue(queue).map_err(|error| BuildError::Os {
            what: "the queue",
            source: std::io::Error::other(error.to_string()),
        })?;
        let vram = match options.target {
            Target::Host => None,
            Target::Vram(most) => device.clone().map(|device| Vram::new(device, most)),
        };
        Ok(Self {
            runtime,
            queue,
            device,
            vram,
            depth,
            direct: options.direct,
            cut: Cut(options.request_size),
            spare: Vec::new(),
        })
    }

    /// The engines in use.
    pub fn selection(&self) -> &Selection {
        self.runtime.selection()
    }

    /// The rings in use, and what they have.
    pub fn rings(&self) -> Option<UringReport> {
        self.runtime.uring()
    }

    /// The device in use.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Streams the chunks of these entries of `pack` and verifies each; `arrived` is told the bytes of each request that
    /// came, good or bad, and ends the run early by returning false. [`Report::ENOUGH_FAILED`] damaged chunks end it, too.
    ///
    /// # Errors
    ///
    /// The pack's descriptor cannot be duplicated, its file system has no way past the page cache, or there is no device memory. What is
    /// wrong with chunks is in the report.
    pub fn run<'a>(
        &mut self,
        pack: &'a Pack,
        entries: impl IntoIterator<Item = Entry<'a>>,
        mut arrived: impl FnMut(u64) -> bool,
    ) -> Result<Report, RunError> {
        let file = File::from(pack.file().try_clone().map_err(RunError::File)?);
        let direct = |file: File| file.direct().map_err(|refused| RunError::File(refused.source));
        let file = if self.direct { direct(file)? } else { file };
        let chunks = entries.into_iter().flat_map(|entry| entry.chunk_numbers().zip(entry.chunks()));
        let mut report = match self.vram {
            Some(_) => self.run_into_vram(&file, chunks, pack.index().raw_size(), &mut arrived)?,
            None => self.run_into_host(&file, chunks, &mut arrived),
        };
        report.peak_memory = peak_memory();
        Ok(report)
    }

    /// Streams these chunks, numbered, into buffers.
    fn run_into_host(
        &mut self,
        file: &File,
        chunks: impl Iterator<Item = (usize, Chunk)>,
        arrived: &mut impl FnMut(u64) -> bool,
    ) -> Report {
        let cut = self.cut;
        let mut pieces = chunks.flat_map(|(number, chunk)| {
            // The format counts chunks in 32 bits.
            cut.pieces(number as u32, &chunk).map(move |piece| (piece, chunk))
        });
        // The chunk of every request under way, by its tag.
        let mut in_flight = HashMap::<u64, Chunk>::new();
        let (mut report, mut partial) = (Report::default(), Partial::default());
        let paths_before = self.paths();
        let (start, cpu) = (Instant::now(), cpu_time());
        let mut going = true;
        loop {
            // A piece that came before its predecessor keeps its buffer. The predecessor was asked for first, so it is in
            // flight, and this cannot come to rest.
            while going && in_flight.len() + partial.kept() < self.depth {
                let Some((piece, chunk)) = pieces.next() else { break };
                report.requests += 1;
                let range = cut.range(piece, &chunk);
                let request = request(file, &chunk, &range).into_buffer(self.spare.pop().unwrap_or_default());
                let request = request.tag(piece.tag());
                match self.queue.post(request) {
                    Ok(_) => drop(in_flight.insert(piece.tag(), chunk)),
                    Err(rejected) => {
                        let fault = Err(Fault::Request(rejected.error));
                        let verdict =
                            partial.arrived(piece, (&chunk, cut), Vec::new(), fault, &mut self.spare);
                        report.verdict(piece.chunk, &chunk, verdict);
                        going = arrived(range.end - range.start) && going;
                    }
                }
            }
            if in_flight.is_empty() {
                break;
            }
            // Without a timeout it waits as long as it takes.
            let _ = self.queue.wait_any(None);
            for completion in self.queue.take_completed(in_flight.len()) {
                let piece = Piece::from_tag(completion.tag);
                let Some(chunk) = in_flight.remove(&completion.tag) else { continue };
                let range = cut.range(piece, &chunk);
                report.completed(&completion);
                let Completion { result, buffer, .. } = completion;
                let result = result.map_err(Fault::Request);
                let verdict = partial.arrived(piece, (&chunk, cut), buffer, result, &mut self.spare);
                report.verdict(piece.chunk, &chunk, verdict);
                going = arrived(range.end - range.start) && going;
            }
            if report.failed >= Report::ENOUGH_FAILED && going {
                (report.gave_up, going) = (true, false);
            }
        }
        report.wall = start.elapsed();
        report.cpu = cpu_time().saturating_sub(cpu);
        report.took_paths(&paths_before, self.paths());
        report
    }

    fn paths(&self) -> BTreeMap<String, u64> {
        self.queue.stats().paths().map(|(path, requests)| (path.to_string(), requests)).collect()
    }
}

/// The device that was asked for.
fn open(choice: &DeviceChoice) -> Result<Device, BuildError> {
    let refused = |error: ds_runtime::vulkan::OpenError| {
        BuildError::Unavailable(Refusal { engine: "vulkan", reason: error.to_string() })
    };
    Device::open(&DeviceOptions::default().choice(choice.clone())).map_err(refused)
}

/// What brings some of a chunk's content, or all of it.
fn request(file: &File, chunk: &Chunk, range: &Range<u64>) -> Request {
    match chunk.method {
        Method::Stored => Request::read(file, chunk.offset + range.start, range.end - range.start),
        Method::GDeflate => {
            let packed = Request::read(file, chunk.offset, chunk.packed_size.into());
            packed.gdeflate(chunk.raw_size.into())
        }
    }
}
