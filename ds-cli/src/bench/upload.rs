//! Figure 3: packed data from host memory to device memory, decoded there, through the runtime's queue; beside what bus and decoder can
//! do by themselves. The host memory is such as the device sees, and any: the latter is copied by the processor first.

use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use ds_bench::gpu::{Resident, Upload};
use ds_bench::progress::Progress;
use ds_runtime::vulkan::{GpuBuffer, HostBuffer, TimedUpload};
use ds_runtime::{Completion, Path, Queue, Request};

use super::content::Class;
use super::gpu::{CAPACITY, Gpu, by, failed};
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
    let places = Places::new(&streams, copies);
    let count = places.contents.len();
    let depth = scope.depth.unwrap_or(CAPACITY).min(count);
    let output = gpu.poisoned(image.len() * copies)?;
    let mut sources: [Box<dyn Source>; 2] = [
        Box::new(Pinned::new(gpu, &streams, copies)?),
        Box::new(Plain(streams.iter().map(|(stream, _)| stream.clone()).cycle().take(count).collect())),
    ];
    let mut samples = [Samples::default(), Samples::default()];
    for _ in 0..scope.rounds.min(5) {
        for (source, samples) in sources.iter_mut().zip(&mut samples) {
            let mut pass = || places.pass(&gpu.queue, &output, &mut **source, scope.passes, depth);
            // While the host compares a device idles, and its clock takes some time to come back: the first does not count.
            pass()?;
            gpu.poison(&output)?;
            samples.push(pass()?);
            gpu.compare(&output, &image, copies)?;
        }
    }
    let packed: usize = streams.iter().map(|(stream, _)| stream.len()).sum();
    let times = copies * scope.passes;
    Ok(Upload {
        class: class.name.clone(),
        bytes: (image.len() * times) as u64,
        packed: (packed * times) as u64,
        request: REQUEST.min(image.len()) as u64,
        depth,
        pinned: samples[0].median(),
        plain: samples[1].median(),
        bus,
        decode,
    })
}

/// Where requests find their streams: one of its own for each place in the output.
trait Source {
    /// A request for the stream of a place.
    fn request(&mut self, place: usize) -> Request;

    /// That request has ended.
    fn give_back(&mut self, place: usize, completion: Completion);
}

/// In memory that the device sees.
struct Pinned {
    memory: HostBuffer,
    streams: Vec<Range<u64>>,
}

impl Pinned {
    fn new(gpu: &Gpu, streams: &[(Vec<u8>, Vec<u8>)], copies: usize) -> Result<Self> {
        let packed: Vec<u8> = streams.iter().flat_map(|(stream, _)| stream).copied().collect();
        let mut memory = HostBuffer::new(&gpu.device, (packed.len() * copies) as u64)
            .map_err(|error| failed(error).hint("a smaller --size takes less memory"))?;
        let bytes = memory.bytes().unwrap_or_default();
        bytes.chunks_exact_mut(packed.len()).for_each(|copy| copy.copy_from_slice(&packed));
        Ok(Self { memory, streams: in_a_row(streams.iter().map(|(stream, _)| stream.len()), copies) })
    }
}

impl Source for Pinned {
    fn request(&mut self, place: usize) -> Request {
        Request::from_device(self.memory.range(self.streams[place].clone()))
    }

    fn give_back(&mut self, _place: usize, _completion: Completion) {}
}

/// In vectors, which requests take with them and bring back.
struct Plain(Vec<Vec<u8>>);

impl Source for Plain {
    fn request(&mut self, place: usize) -> Request {
        Request::from_memory(core::mem::take(&mut self.0[place]))
    }

    fn give_back(&mut self, place: usize, completion: Completion) {
        self.0[place] = completion.source;
    }
}

/// Where in the output the content of each request goes.
struct Places {
    contents: Vec<Range<u64>>,
}

impl Places {
    fn new(streams: &[(Vec<u8>, Vec<u8>)], copies: usize) -> Self {
        Self { contents: in_a_row(streams.iter().map(|(_, content)| content.len()), copies) }
    }

    /// Decodes everything so many times. No two requests in flight have the same place.
    fn pass(
        &self,
        queue: &Queue,
        output: &GpuBuffer,
        source: &mut dyn Source,
        passes: usize,
        depth: usize,
    ) -> Result<Duration> {
        let mut free: VecDeque<_> = (0..self.contents.len()).collect();
        let (mut left, mut in_flight) = (self.contents.len() * passes, 0);
        let start = Instant::now();
        loop {
            while in_flight < depth && left > 0 {
                let Some(place) = free.pop_front() else { break };
                let Range { start, end } = self.contents[place];
                let request = source.request(place).gdeflate(end - start);
                let request = request.into_device(output.range(start..end)).tag(place as u64);
                queue.post(request).map_err(failed)?;
                (left, in_flight) = (left - 1, in_flight + 1);
            }
            if in_flight == 0 {
                return Ok(start.elapsed());
            }
            queue.submit();
            let _ = queue.wait_any(None);
            for completion in queue.take_completed(in_flight) {
                let completion = by(Path::CODEC_VULKAN, completion)?;
                let place = completion.tag as usize;
                source.give_back(place, completion);
                free.push_back(place);
                in_flight -= 1;
            }
        }
    }
}

/// Ranges of these lengths, one behind the other, so many times.
fn in_a_row(lengths: impl ExactSizeIterator<Item = usize> + Clone, copies: usize) -> Vec<Range<u64>> {
    let (count, mut end) = (lengths.len() * copies, 0);
    let ranges = lengths.cycle().take(count).map(|len| {
        let start = end;
        end += len as u64;
        start..end
    });
    ranges.collect()
}
