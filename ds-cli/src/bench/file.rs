//! Figure 4: a pack in the page cache, to device memory, decoded by the device, and beside it by the processor; and what each stage can
//! do by itself.

use core::num::NonZeroUsize;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::BufWriter;
use std::path::Path;

use ds_bench::gpu::{Bounds, FEWER_ROUNDS, File as Figure, How, Stages, Way};
use ds_runtime::vulkan::VulkanConfig;
use ds_runtime::{
    CodecKind, Completion, File, IoKind, Path as RuntimePath, QueueOptions, Request, UringFeatures,
};

use super::Scope;
use super::beside::{self, Beside, directly};
use super::content::{class_of, is_wanted};
use super::flow::{Requests, keep};
use super::gpu::{Gpu, failed};
use super::threads::Threads;
use crate::commands::{open_pack, read_error, stream};
use crate::error::{Error, Result};
use crate::pack::{Chunk, Entry, EntryKind, Method, Pack, PackWriter};
use crate::stream::{Options, Report, RunError, Streamer, Target};

/// Who decodes, how, and into which memory.
#[derive(Clone, Copy)]
struct Kind {
    codec: CodecKind,
    name: &'static str,
    vram: bool,
    how: Option<How>,
}

impl Kind {
    const DEVICE: Self = Self { codec: CodecKind::Vulkan, name: "vulkan", vram: true, how: None };
    const DIRECT: Self = Self { how: Some(How::Direct), ..Self::DEVICE };
    const DRIVER: Self = Self { how: Some(How::Driver), ..Self::DEVICE };
    const AUTO_READ: Self = Self { how: Some(How::AutoRead), ..Self::DEVICE };
    const PROCESSOR: Self = Self { codec: CodecKind::Cpu, name: "cpu", ..Self::DEVICE };
    const HOST: Self = Self { vram: false, ..Self::PROCESSOR };

    fn config(self, gpu: &Gpu) -> VulkanConfig {
        match self.how {
            None | Some(How::AutoRead) => gpu.config.clone(),
            Some(How::Direct) => directly(&gpu.config),
            Some(How::Driver) => beside::by_driver(&gpu.config),
        }
    }
}

/// The pack, and how it is read.
pub(super) struct Setup<'a> {
    gpu: &'a Gpu,
    path: &'a Path,
    pack: Pack,
    rounds: usize,
    depth: usize,
    staging: Option<usize>,
    io: IoKind,
}

impl<'a> Setup<'a> {
    pub(super) fn new(gpu: &'a Gpu, path: &'a Path, scope: &Scope) -> Result<Self> {
        let has_ring = ds_runtime::probe_uring(UringFeatures::DEFAULT).is_ok();
        Ok(Self {
            gpu,
            path,
            pack: open_pack(path)?,
            rounds: scope.rounds.min(FEWER_ROUNDS),
            depth: scope.depth.unwrap_or(Options::DEVICE_DEPTH.get()),
            staging: scope.staging,
            io: if has_ring { IoKind::Uring } else { IoKind::Cpu },
        })
    }

    fn options(&self, kind: Kind) -> Options {
        Options {
            io: if kind.how == Some(How::AutoRead) { IoKind::Auto } else { self.io },
            codec: kind.codec,
            target: if kind.vram { Target::Vram(self.pack.index().raw_size()) } else { Target::Host },
            vulkan: kind.config(self.gpu),
            stage_times: true,
            depth: NonZeroUsize::new(self.depth),
            staging: self.staging,
            ..Options::default()
        }
    }

    /// Measures these one after the other, for each has a device's memory for all the content; and tells which engine read.
    fn ways(&self, kinds: &[Kind]) -> Result<(String, Vec<Way>)> {
        let mut io = String::new();
        let ways = kinds.iter().map(|&kind| {
            let options = self.options(kind);
            stream::check_staging(self.path, &self.pack, &options)?;
            let mut streamer = Streamer::on(Some(self.gpu.device.clone()), &options).map_err(failed)?;
            // The first round brings the file into the page cache, and maps memory.
            self.round(&mut streamer, kind)?;
            let rounds: Result<Vec<_>> = (0..self.rounds).map(|_| self.round(&mut streamer, kind)).collect();
            if io.is_empty() {
                streamer.selection().io.clone_into(&mut io);
            }
            Ok(way(kind, rounds?))
        });
        let ways: Result<Vec<_>> = ways.collect();
        Ok((io, ways?))
    }

    /// Streams all of the pack once. Returns what came of it, and what each thread had of the processor.
    fn round(&self, streamer: &mut Streamer, kind: Kind) -> Result<(Report, BTreeMap<String, f64>)> {
        self.gpu.wake()?;
        let threads = Threads::now();
        let report = streamer.run(&self.pack, self.pack.index().entries(), |_| true);
        let cores = threads.cores();
        let report = report.map_err(|error| match error {
            RunError::Memory(_) => {
                failed(error).hint("a smaller --size takes less device memory, four times as much here")
            }
            error => stream::run_error(self.path, error),
        })?;
        stream::verdict(self.path, &self.pack, &report)?;
        check_codec(kind, &report)?;
        Ok((report, cores))
    }

    /// The way by which the driver decodes.
    pub(super) fn by_driver(&self) -> Result<Vec<Way>> {
        self.ways(&[Kind::DRIVER]).map(|(_, ways)| ways)
    }

    /// Measures; `alone` is what bus and decoder do by themselves, in bytes of packed data and of content per second. Packed bytes that
    /// the processor writes into the device's memory are measured as well where that takes part.
    pub(super) fn measure(&self, alone: (f64, f64), beside: &mut Beside) -> Result<Figure> {
        let Self { pack, depth, .. } = self;
        let (bytes, packed) = (pack.index().raw_size(), pack.index().packed_size());
        let (io, mut ways) = self.ways(&[Kind::DEVICE, Kind::PROCESSOR, Kind::HOST, Kind::AUTO_READ])?;
        if beside.direct.is_ok()
            && let Some((_, direct)) = beside.of_direct(self.ways(&[Kind::DIRECT]))?
        {
            ways.extend(direct);
        }
        let ratio = bytes as f64 / packed.max(1) as f64;
        let read = read_alone(pack, self.path, self.rounds, *depth, &self.options(Kind::HOST))?;
        // What is stored as it is needs no decoder.
        let coded = pack.index().chunks().filter(|chunk| chunk.method == Method::GDeflate);
        let coded: u64 = coded.map(|chunk| u64::from(chunk.raw_size)).sum();
        let decode = alone.1 * bytes as f64 / coded.max(1) as f64;
        let bounds = Bounds { read: read * ratio, bus: alone.0 * ratio, decode };
        Ok(Figure { bytes, packed, io, depth: *depth, ways, bounds })
    }
}

/// A figure must not be another engine's: every request that was decoded was decoded by this one, and all of it as was to be.
fn check_codec(kind: Kind, report: &Report) -> Result<()> {
    let own = format!("codec:{}", kind.name);
    if let Some(other) = report.paths.keys().find(|path| path.starts_with("codec:") && **path != own) {
        return Err(failed(format_args!("{own} was to be measured, and {other} did some of the work")));
    }
    let count = |path: &str| report.paths.get(path).copied().unwrap_or_default();
    let (all, driver) = (count(&own), count(&RuntimePath::DRIVER_DECOMPRESSION.to_string()));
    match kind.how {
        Some(How::Driver) if driver < all => Err(failed(format_args!(
            "the driver was to be measured, and decoded {driver} requests of {all}; the shader did the others"
        ))),
        _ => Ok(()),
    }
}

/// The median of some rounds.
fn way(kind: Kind, mut reports: Vec<(Report, BTreeMap<String, f64>)>) -> Way {
    reports.sort_by_key(|(report, _)| report.wall);
    let (report, threads) = reports.swap_remove(reports.len() / 2);
    let (stages, requests) = (report.stages.unwrap_or_default(), report.requests.max(1) as f64);
    let mean = |time: core::time::Duration| time.as_secs_f64() / requests;
    Way {
        codec: kind.name.to_owned(),
        target: if kind.vram { "vram" } else { "host" }.to_owned(),
        how: kind.how,
        seconds: report.wall.as_secs_f64(),
        cpu: report.cpu.as_secs_f64(),
        paths: report.paths,
        stages: Stages {
            waiting: mean(stages.waiting),
            reading: mean(stages.reading),
            decoding: mean(stages.decoding),
            placing: mean(stages.placing),
        },
        threads,
    }
}

/// Writes a pack that holds another's files of these classes again and again, at least once, until there are so many bytes of content.
pub(super) fn lengthen(
    (pack, path): (&Pack, &Path),
    longer: &Path,
    wanted: &[String],
    size: u64,
) -> Result<()> {
    let system = |error| Error::system("write to", longer, error);
    let file = fs::File::create(longer).map_err(system)?;
    let mut writer = PackWriter::new(BufWriter::new(file), pack.index().geometry()).map_err(system)?;
    let is_meant =
        |entry: &Entry<'_>| entry.kind() == EntryKind::File && is_wanted(class_of(entry.name()), wanted);
    let entries: Vec<_> = pack.index().entries().filter(is_meant).collect();
    let once: u64 = entries.iter().map(Entry::size).sum();
    let copies = (size / once.max(1)).max(1);
    let mut packed = Vec::new();
    for copy in 0..copies {
        for entry in &entries {
            let name = format!("{copy:09}/{}", entry.name());
            writer.begin(&name, entry.kind(), entry.size()).map_err(failed)?;
            for chunk in entry.chunks() {
                pack.read_chunk(&chunk, &mut packed).map_err(|error| read_error(path, error))?;
                writer.chunk(chunk.method, &packed, chunk.checksum).map_err(system)?;
            }
        }
    }
    writer.finish().map(drop).map_err(system)
}

/// Bytes per second of the same reads with nothing done to what comes.
fn read_alone(pack: &Pack, path: &Path, rounds: usize, depth: usize, options: &Options) -> Result<f64> {
    let runtime = options.builder().build().map_err(failed)?;
    let how = QueueOptions::default().name("read").capacity(depth).auto_submit(false);
    let queue = runtime.queue(how.chunk_size(options.read_size)).map_err(failed)?;
    let file = File::from(pack.file().try_clone().map_err(|error| Error::system("read", path, error))?);
    let (mut best, mut spare) = (f64::INFINITY, HashMap::new());
    for _ in 0..=rounds {
        let mut reads = Reads { file: &file, chunks: pack.index().chunks(), spare: &mut spare };
        best = keep(&queue, depth, &mut reads)?.as_secs_f64().min(best);
    }
    Ok(pack.index().packed_size() as f64 / best)
}

/// Reads of chunks as they lie there.
struct Reads<'a, I> {
    file: &'a File,
    chunks: I,
    /// Buffers not in use, by their length: one of the length that is wanted is not even touched before it is read into.
    spare: &'a mut HashMap<usize, Vec<Vec<u8>>>,
}

impl<I: Iterator<Item = Chunk>> Requests for Reads<'_, I> {
    fn next(&mut self) -> Option<Request> {
        let chunk = self.chunks.next()?;
        let request = Request::read(self.file, chunk.offset, chunk.packed_size.into());
        let fitting = self.spare.get_mut(&(chunk.packed_size as usize)).and_then(Vec::pop);
        Some(request.into_buffer(fitting.unwrap_or_default()))
    }

    fn ended(&mut self, completion: Completion) -> Result<()> {
        let buffer = completion.check().map_err(failed)?.buffer;
        self.spare.entry(buffer.len()).or_default().push(buffer);
        Ok(())
    }
}
