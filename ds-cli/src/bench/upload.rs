//! Figure 3: packed data from host memory to device memory, decoded there, through the runtime's queue; beside what bus and decoder can
//! do by themselves.

use core::time::Duration;
use std::time::Instant;

use ds_bench::gpu::{Resident, Upload};
use ds_bench::progress::Progress;
use ds_runtime::vulkan::{GpuBuffer, TimedUpload};
use ds_runtime::{Path, Queue, Request};

use super::content::Class;
use super::gpu::{Gpu, by, failed};
use super::samples::Samples;
use super::{Scope, of_class};
use crate::assets::random::Random;
use crate::error::Result;

/// Content of a request.
const REQUEST: usize = 1 << 20;
/// Bytes of the copy that tells what the bus can do.
const COPY: u64 = 256 << 20;

/// What the bus copies per second, from memory that the device reads to its own, in one copy.
pub(super) fn bus(gpu: &Gpu, scope: &Scope) -> Result<f64> {
    let mut random = Random::new(1);
    let some: Vec<u8> = (0..1 << 16).map(|_| random.draw() as u8).collect();
    let bytes = some.repeat((COPY.min(scope.size) >> 16).max(1) as usize);
    let buffer = gpu.poisoned(bytes.len())?;
    let mut upload = TimedUpload::new(&buffer, &bytes).map_err(failed)?;
    let mut samples = Samples::default();
    for _ in 0..scope.rounds + 1 {
        samples.push(upload.run().map_err(failed)?.wall);
    }
    gpu.compare(&buffer, &bytes, 1)?;
    Ok(bytes.len() as f64 / samples.median())
}

/// Measures every class.
pub(super) fn measure(
    gpu: &Gpu,
    classes: &[Class],
    scope: &Scope,
    bus: f64,
    resident: &[Resident],
    progress: &Progress,
) -> Result<Vec<Upload>> {
    let each = |(class, resident): (&Class, &Resident)| {
        progress.begin(&class.name);
        let row = of_class(class, one(gpu, class, scope, bus, resident.rate(&resident.ours)));
        progress.done();
        row
    };
    classes.iter().zip(resident).map(each).collect()
}

fn one(gpu: &Gpu, class: &Class, scope: &Scope, bus: f64, decode: f64) -> Result<Upload> {
    let streams = class.streams(REQUEST)?;
    let image: Vec<u8> = streams.iter().flat_map(|(_, content)| content).copied().collect();
    let copies = (scope.size as usize / image.len()).max(1);
    let output = gpu.poisoned(image.len() * copies)?;
    let packed: usize = streams.iter().map(|(stream, _)| stream.len()).sum();
    let mut samples = Samples::default();
    let mut buffers = Buffers::new(&streams, scope.depth);
    // The first round finds memory that nobody has touched.
    pass(&gpu.queue, &output, &mut buffers, copies, scope.depth)?;
    for _ in 0..scope.rounds.min(5) {
        gpu.poison(&output)?;
        samples.push(pass(&gpu.queue, &output, &mut buffers, copies, scope.depth)?);
        gpu.compare(&output, &image, copies)?;
    }
    Ok(Upload {
        class: class.name.clone(),
        bytes: (image.len() * copies) as u64,
        packed: (packed * copies) as u64,
        request: REQUEST.min(image.len()) as u64,
        depth: scope.depth,
        seconds: samples.median(),
        bus,
        decode,
    })
}

/// Streams that requests take with them and bring back: of each as many as may be under way.
struct Buffers {
    spare: Vec<Vec<Vec<u8>>>,
    contents: Vec<u64>,
}

impl Buffers {
    fn new(streams: &[(Vec<u8>, Vec<u8>)], depth: usize) -> Self {
        let each = depth.div_ceil(streams.len()) + 1;
        Self {
            spare: streams.iter().map(|(stream, _)| vec![stream.clone(); each]).collect(),
            contents: streams.iter().map(|(_, content)| content.len() as u64).collect(),
        }
    }

    fn take(&mut self, index: usize) -> Vec<u8> {
        let spare = &mut self.spare[index];
        // Completions come in any order: the last one is copied rather than given away.
        if spare.len() > 1 { spare.pop().unwrap_or_default() } else { spare[0].clone() }
    }
}

/// Decodes all streams, so many times, to places of their own.
fn pass(
    queue: &Queue,
    output: &GpuBuffer,
    buffers: &mut Buffers,
    copies: usize,
    depth: usize,
) -> Result<Duration> {
    let count = buffers.contents.len();
    let (mut next, mut at, mut in_flight) = (0, 0, 0);
    let start = Instant::now();
    loop {
        while in_flight < depth && next < copies * count {
            let index = next % count;
            let end = at + buffers.contents[index];
            let request = Request::from_memory(buffers.take(index)).gdeflate(end - at);
            let request = request.into_device(output.range(at..end)).tag(index as u64);
            queue.post(request).map_err(failed)?;
            (next, at, in_flight) = (next + 1, end, in_flight + 1);
        }
        if in_flight == 0 {
            return Ok(start.elapsed());
        }
        queue.submit();
        let _ = queue.wait_any(None);
        for completion in queue.take_completed(in_flight) {
            in_flight -= 1;
            let completion = by(Path::CODEC_VULKAN, completion)?;
            buffers.spare[completion.tag as usize].push(completion.source);
        }
    }
}
