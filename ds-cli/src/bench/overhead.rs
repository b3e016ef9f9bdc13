//! Figure 2: what a submission costs, from submit until completion was seen, one at a time.

use core::time::Duration;
use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;

use ds_bench::gpu::Overhead;
use ds_gdeflate::{CodecId, Level, TILE_SIZE, TileStream, compress};
use ds_runtime::vulkan::{GpuBuffer, HostBuffer, TileSpan, TimedDecode};
use ds_runtime::{Path, Queue, Request};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::Scope;
use super::content::Class;
use super::gpu::{Gpu, by, failed};
use super::samples::Samples;
use crate::error::Result;

/// Measures an empty submission, and requests: of no bytes, of one tile's bytes as they are, and of one tile. Whoever waits keeps off
/// the processors that the device interrupts, but for a last row that shows what these are like.
pub(super) fn measure(gpu: &Gpu, classes: &[Class], scope: &Scope) -> Result<Vec<Overhead>> {
    let mut rows = alone(|| kept_off(gpu, classes, scope))?;
    let interrupted = gpu.device.info().interrupted_processors();
    let mine = sched_getaffinity(None).ok();
    if let Some(&processor) =
        interrupted.first().filter(|&&processor| mine.is_some_and(|mine| mine.is_set(processor)))
    {
        rows.push(alone(|| on(processor, gpu, classes, scope))?);
    }
    Ok(rows)
}

/// Does something on a thread of its own: that it may not run everywhere is not to hold for what is measured later, nor for the threads
/// of engines that are made for that.
fn alone<T: Send>(measured: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let measured = thread::scope(|threads| threads.spawn(measured).join());
    measured.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Rows of a thread that keeps off.
fn kept_off(gpu: &Gpu, classes: &[Class], scope: &Scope) -> Result<Vec<Overhead>> {
    // By then the device has shown whom it interrupts.
    gpu.wake()?;
    gpu.device.avoid_interrupts();
    let content = one_tile(classes);
    let ends = Ends::new(gpu, &content)?;
    let mut decode = TimedDecode::new(&ends.packed, &ends.output, &[], scope.path).map_err(failed)?;
    let mut rows =
        vec![row("empty submission, no queue", scope, None, || Ok(decode.run().map_err(failed)?.wall))?];
    let tile = ends.tile_alone(scope)?;
    for (what, path, make) in REQUESTS {
        gpu.poison(&ends.output)?;
        let device = if path == Path::CODEC_VULKAN && what != EMPTY { tile } else { None };
        rows.push(row(what, scope, device, || latency(&gpu.queue, path, make(&ends)))?);
        if what != EMPTY {
            gpu.compare(&ends.output, &content, 1)?;
        }
    }
    Ok(rows)
}

/// A row of a thread that is nowhere but on one processor.
fn on(processor: usize, gpu: &Gpu, classes: &[Class], scope: &Scope) -> Result<Overhead> {
    let ends = Ends::new(gpu, &one_tile(classes))?;
    let mut one = CpuSet::new();
    one.set(processor);
    sched_setaffinity(None, &one).map_err(failed)?;
    let request = || Request::from_device(&ends.raw).into_device(&ends.output);
    let row = row(INTERRUPTED, scope, None, || latency(&gpu.queue, Path::COPY_VULKAN, request()))?;
    gpu.compare(&ends.output, &ends.content, 1)?;
    Ok(row)
}

const EMPTY: &str = "empty request, in device memory";
const INTERRUPTED: &str = "64 KiB raw, within device memory, waited for where the device interrupts";

/// A kind of request: what it is called, who does its work, and one of it.
type Kind = (&'static str, Path, fn(&Ends) -> Request);

const REQUESTS: [Kind; 7] = [
    (EMPTY, Path::CODEC_VULKAN, |ends| {
        Request::from_device(&ends.nothing).gdeflate(0).into_device(ends.output.range(0..0))
    }),
    ("64 KiB raw, within device memory", Path::COPY_VULKAN, |ends| {
        Request::from_device(&ends.raw).into_device(&ends.output)
    }),
    ("64 KiB raw, pinned host memory", Path::COPY_VULKAN, |ends| {
        Request::from_device(&ends.raw_pinned).into_device(&ends.output)
    }),
    ("64 KiB raw, plain host memory", Path::COPY_VULKAN, |ends| {
        Request::from_memory(ends.content.clone()).into_device(&ends.output)
    }),
    ("64 KiB packed, in device memory", Path::CODEC_VULKAN, |ends| {
        Request::from_device(&ends.packed).gdeflate(ends.output.size()).into_device(&ends.output)
    }),
    ("64 KiB packed, pinned host memory", Path::CODEC_VULKAN, |ends| {
        Request::from_device(&ends.packed_pinned).gdeflate(ends.output.size()).into_device(&ends.output)
    }),
    ("64 KiB packed, plain host memory", Path::CODEC_VULKAN, |ends| {
        Request::from_memory(ends.stream.clone()).gdeflate(ends.output.size()).into_device(&ends.output)
    }),
];

/// Where bytes come from and go to.
struct Ends {
    content: Vec<u8>,
    stream: Vec<u8>,
    nothing: GpuBuffer,
    raw: GpuBuffer,
    packed: GpuBuffer,
    raw_pinned: HostBuffer,
    packed_pinned: HostBuffer,
    output: GpuBuffer,
}

impl Ends {
    fn new(gpu: &Gpu, content: &[u8]) -> Result<Self> {
        let pack = |content: &[u8]| compress(content, Level::DEFAULT, CodecId::Reference).map_err(failed);
        let (nothing, stream) = (&pack(&[])?, &pack(content)?);
        let put = |bytes: &[u8]| {
            let buffer = gpu.buffer(bytes.len())?;
            gpu.put(&buffer, bytes).map(|()| buffer)
        };
        let pinned = |bytes: &[u8]| {
            let mut buffer = HostBuffer::new(&gpu.device, bytes.len() as u64).map_err(failed)?;
            buffer.bytes().unwrap_or_default().copy_from_slice(bytes);
            Ok(buffer)
        };
        Ok(Self {
            nothing: put(nothing)?,
            raw: put(content)?,
            packed: put(stream)?,
            raw_pinned: pinned(content)?,
            packed_pinned: pinned(stream)?,
            output: gpu.poisoned(content.len())?,
            content: content.to_vec(),
            stream: stream.clone(),
        })
    }

    /// What the device takes to decode the tile alone, by its clock, if it has one.
    fn tile_alone(&self, scope: &Scope) -> Result<Option<f64>> {
        let payload = self.stream.len() as u64 - payload_len(&self.stream)?;
        let span = TileSpan { payload: payload..self.stream.len() as u64, content: 0..self.output.size() };
        let mut decode = TimedDecode::new(&self.packed, &self.output, &[span], scope.path).map_err(failed)?;
        let mut samples = Samples::default();
        for _ in 0..scope.samples.min(100) {
            let Some(device) = decode.run().map_err(failed)?.device else { return Ok(None) };
            samples.push(device);
        }
        decode.verdict().map_err(failed)?;
        Ok(Some(samples.median()))
    }
}

/// Bytes of the payload of a stream of one tile, with which it ends.
fn payload_len(stream: &[u8]) -> Result<u64> {
    let tiles = TileStream::parse(stream).map_err(failed)?;
    Ok(tiles.tiles().map(|tile| tile.payload().len() as u64).sum())
}

/// A tile of the first class's content.
fn one_tile(classes: &[Class]) -> Vec<u8> {
    let all = classes.iter().flat_map(|class| &class.tiles).flat_map(|tile| &tile.content);
    all.copied().cycle().take(TILE_SIZE).collect()
}

/// Measures one thing; the first few times do not count.
fn row(
    what: &str,
    scope: &Scope,
    device: Option<f64>,
    mut once: impl FnMut() -> Result<Duration>,
) -> Result<Overhead> {
    let mut samples = Samples::default();
    for _ in 0..scope.samples / 10 + 1 {
        once()?;
    }
    for _ in 0..scope.samples {
        samples.push(once()?);
    }
    Ok(Overhead {
        what: what.to_owned(),
        samples: samples.len(),
        p50: samples.median(),
        p99: samples.quantile(0.99),
        device,
    })
}

/// From submit until the completion is there, of what that engine did.
pub(super) fn latency(queue: &Queue, path: Path, request: Request) -> Result<Duration> {
    let ticket = queue.enqueue(request).map_err(failed)?;
    let start = Instant::now();
    queue.submit();
    let completion = ticket.wait();
    let time = start.elapsed();
    by(path, completion)?;
    Ok(time)
}
