//! Figure 2: what a submission costs, from submit until completion was seen, one at a time.

use core::time::Duration;
use std::time::Instant;

use ds_bench::gpu::Overhead;
use ds_gdeflate::{CodecId, Level, TILE_SIZE, compress};
use ds_runtime::vulkan::TimedDecode;
use ds_runtime::{Path, Queue, Request};

use super::Scope;
use super::content::Class;
use super::gpu::{Gpu, by, failed};
use super::samples::Samples;
use crate::error::Result;

/// Whose work is measured.
const BY: Path = Path::CODEC_VULKAN;

/// Measures an empty submission, and requests of no bytes and of one tile.
pub(super) fn measure(gpu: &Gpu, classes: &[Class], scope: &Scope) -> Result<Vec<Overhead>> {
    let content = one_tile(classes);
    let pack = |content: &[u8]| compress(content, Level::DEFAULT, CodecId::Reference).map_err(failed);
    let (nothing, stream) = (pack(&[])?, pack(&content)?);
    let (empty, packed) = (gpu.buffer(nothing.len())?, gpu.buffer(stream.len())?);
    gpu.put(&empty, &nothing)?;
    gpu.put(&packed, &stream)?;
    let output = gpu.poisoned(content.len())?;

    let mut decode = TimedDecode::new(&packed, &output, &[], scope.path).map_err(failed)?;
    let bare = row("empty submission, no queue", scope, || Ok(decode.run().map_err(failed)?.wall))?;
    let no_bytes = row("empty request, in device memory", scope, || {
        latency(&gpu.queue, BY, Request::from_device(&empty).gdeflate(0).into_device(output.range(0..0)))
    })?;
    let resident = row("64 KiB request, in device memory", scope, || {
        let request = Request::from_device(&packed).gdeflate(content.len() as u64);
        latency(&gpu.queue, BY, request.into_device(&output))
    })?;
    gpu.compare(&output, &content, 1)?;
    gpu.poison(&output)?;
    let uploaded = row("64 KiB request, from host memory", scope, || {
        let request = Request::from_memory(stream.clone()).gdeflate(content.len() as u64);
        latency(&gpu.queue, BY, request.into_device(&output))
    })?;
    gpu.compare(&output, &content, 1)?;
    Ok(vec![bare, no_bytes, resident, uploaded])
}

/// A tile of the first class's content.
fn one_tile(classes: &[Class]) -> Vec<u8> {
    let all = classes.iter().flat_map(|class| &class.tiles).flat_map(|tile| &tile.content);
    all.copied().cycle().take(TILE_SIZE).collect()
}

/// Measures one thing; the first few times do not count.
fn row(what: &str, scope: &Scope, mut once: impl FnMut() -> Result<Duration>) -> Result<Overhead> {
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
