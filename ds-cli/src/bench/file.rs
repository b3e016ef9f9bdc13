//! Figure 4: a pack in the page cache, to device memory, decoded by the device, and beside it by the processor; and what each stage can
//! do by itself.

use core::num::NonZeroUsize;
use std::collections::HashMap;
use std::fs;
use std::io::BufWriter;
use std::path::Path;

use ds_bench::gpu::{Bounds, File as Figure, Stages, Way};
use ds_runtime::{CodecKind, Completion, File, IoKind, QueueOptions, Request, Runtime, UringFeatures};

use super::Scope;
use super::content::{class_of, is_wanted};
use super::flow::{Requests, keep};
use super::gpu::{Gpu, failed};
use crate::commands::{open_pack, read_error, stream};
use crate::error::{Error, Result};
use crate::pack::{Chunk, Entry, EntryKind, Method, Pack, PackWriter};
use crate::stream::{Options, Report, Streamer, Target};

/// Who decodes, and into which memory.
const WAYS: [(CodecKind, &str, bool); 3] =
    [(CodecKind::Vulkan, "vulkan", true), (CodecKind::Cpu, "cpu", true), (CodecKind::Cpu, "cpu", false)];

/// Requests in flight unless told: more than the runtime's staging memory has room for at once.
const DEPTH: usize = 128;

/// Measures; `alone` is what bus and decoder do by themselves, in bytes of packed data and of content per second.
pub(super) fn measure(gpu: &Gpu, path: &Path, scope: &Scope, alone: (f64, f64)) -> Result<Figure> {
    let pack = open_pack(path)?;
    let (bytes, packed) = (pack.index().raw_size(), pack.index().packed_size());
    let depth = scope.depth.unwrap_or(DEPTH);
    let io =
        if ds_runtime::probe_uring(UringFeatures::DEFAULT).is_ok() { IoKind::Uring } else { IoKind::Cpu };
    let options = |codec, vram: bool| Options {
        io,
        codec,
        target: if vram { Target::Vram(bytes) } else { Target::Host },
        stage_times: true,
        depth: NonZeroUsize::new(depth),
        ..Options::default()
    };
    let start =
        |(codec, _, vram)| Streamer::on(Some(gpu.device.clone()), &options(codec, vram)).map_err(failed);
    let mut streamers = WAYS.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    let mut reports = WAYS.map(|_| Vec::new());
    // The first round brings the file into the page cache, and maps memory.
    for round in 0..=scope.rounds.min(5) {
        for ((streamer, reports), (_, codec, _)) in streamers.iter_mut().zip(&mut reports).zip(WAYS) {
            gpu.wake()?;
            let report = streamer.run(&pack, pack.index().entries(), |_| true);
            let report = report.map_err(|error| stream::run_error(path, error))?;
            stream::verdict(path, &pack, &report)?;
            check_codec(codec, &report)?;
            if round > 0 {
                reports.push(report);
            }
        }
    }
    let io = streamers[0].selection().io.to_owned();
    let ways = WAYS.into_iter().zip(reports).map(|((_, codec, vram), reports)| way(codec, vram, reports));
    let (ways, ratio) = (ways.collect(), bytes as f64 / packed.max(1) as f64);
    let read = read_alone(&pack, path, scope, depth, &options(CodecKind::Cpu, false))?;
    // What is stored as it is needs no decoder.
    let coded = pack.index().chunks().filter(|chunk| chunk.method == Method::GDeflate);
    let coded: u64 = coded.map(|chunk| u64::from(chunk.raw_size)).sum();
    let decode = alone.1 * bytes as f64 / coded.max(1) as f64;
    let bounds = Bounds { read: read * ratio, bus: alone.0 * ratio, decode };
    Ok(Figure { bytes, packed, io, depth, ways, bounds })
}

/// A figure must not be another engine's: every request that was decoded was decoded by this one.
fn check_codec(codec: &str, report: &Report) -> Result<()> {
    let own = format!("codec:{codec}");
    match report.paths.keys().find(|path| path.starts_with("codec:") && **path != own) {
        Some(other) => {
            Err(failed(format_args!("{own} was to be measured, and {other} did some of the work")))
        }
        None => Ok(()),
    }
}

/// The median of some rounds.
fn way(codec: &str, vram: bool, mut reports: Vec<Report>) -> Way {
    reports.sort_by_key(|report| report.wall);
    let report = reports.swap_remove(reports.len() / 2);
    let (stages, requests) = (report.stages.unwrap_or_default(), report.requests.max(1) as f64);
    let mean = |time: core::time::Duration| time.as_secs_f64() / requests;
    Way {
        codec: codec.to_owned(),
        target: if vram { "vram" } else { "host" }.to_owned(),
        seconds: report.wall.as_secs_f64(),
        cpu: report.cpu.as_secs_f64(),
        paths: report.paths,
        stages: Stages {
            waiting: mean(stages.waiting),
            reading: mean(stages.reading),
            decoding: mean(stages.decoding),
            placing: mean(stages.placing),
        },
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
fn read_alone(pack: &Pack, path: &Path, scope: &Scope, depth: usize, options: &Options) -> Result<f64> {
    let runtime = Runtime::builder().io(options.io).codec(CodecKind::Cpu).build().map_err(failed)?;
    let how = QueueOptions::default().name("read").capacity(depth).auto_submit(false);
    let queue = runtime.queue(how.chunk_size(options.read_size)).map_err(failed)?;
    let file = File::from(pack.file().try_clone().map_err(|error| Error::system("read", path, error))?);
    let (mut best, mut spare) = (f64::INFINITY, HashMap::new());
    for _ in 0..=scope.rounds.min(5) {
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
