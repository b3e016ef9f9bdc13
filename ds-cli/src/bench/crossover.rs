//! Who is sooner done with requests of which size, from packed bytes in host memory to content in device memory: the processor, which
//! decodes and has the result copied, or the device. Where the lines cross, `auto` should change from one to the other.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use ds_bench::gpu::Crossover;
use ds_bench::progress::Progress;
use ds_gdeflate::{CodecId, Level, compress};
use ds_runtime::vulkan::GpuBuffer;
use ds_runtime::{CodecKind, Path, Queue, Request};

use super::Scope;
use super::content::Class;
use super::gpu::{Gpu, by, failed};
use super::overhead::latency;
use super::samples::Samples;
use crate::error::Result;

/// Smallest and largest content of a request.
const SIZES: core::ops::RangeInclusive<u64> = 4 << 10..=4 << 20;
/// Requests in flight where there are many.
const MANY: usize = 32;
/// How long at least requests go first whose times do not count.
const WARM_UP: Duration = Duration::from_millis(200);

/// Measures every size that is no larger than a measurement is to be.
pub(super) fn measure(
    gpu: &Gpu,
    classes: &[Class],
    scope: &Scope,
    progress: &Progress,
) -> Result<Vec<Crossover>> {
    let (_runtime, cpu) = gpu.runtime(CodecKind::Cpu)?;
    let sizes = core::iter::successors(Some(*SIZES.start()), |size| Some(size * 2));
    let sizes = sizes.take_while(|size| size <= SIZES.end() && *size <= scope.size);
    let each = |size: u64| {
        progress.begin(format!("requests of {} KiB", size >> 10));
        one(gpu, &cpu, classes, size as usize, scope)
    };
    sizes.map(each).collect()
}

fn one(gpu: &Gpu, cpu: &Queue, classes: &[Class], size: usize, scope: &Scope) -> Result<Crossover> {
    let streams = classes.iter().map(|class| stream_of(class, size)).collect::<Result<Vec<_>>>()?;
    let depth = MANY.min(scope.samples);
    let places = depth.next_multiple_of(streams.len());
    let image: Vec<u8> = streams.iter().flat_map(|(_, content)| content).copied().collect();
    // A longer request tells as much in fewer samples.
    let count = (scope.samples / 5).min((64 << 20) / size).max(places);
    let output = gpu.buffer(size * places)?;
    let work = Work { streams: &streams, output: &output, size: size as u64, depth, places, count };
    let mut times = [[0.0; 2]; 2];
    let sides = [(cpu, Path::CODEC_CPU), (&gpu.queue, Path::CODEC_VULKAN)];
    for ((queue, path), [alone, busy]) in sides.into_iter().zip(&mut times) {
        gpu.poison(&output)?;
        *alone = work.alone(queue, path)?;
        gpu.compare(&output, &image, places / streams.len())?;
        // What comes after a comparison finds the device asleep: the first does not count.
        work.busy(queue, path)?;
        gpu.poison(&output)?;
        *busy = work.busy(queue, path)?;
        gpu.compare(&output, &image, places / streams.len())?;
    }
    let [[cpu_alone, cpu_busy], [gpu_alone, gpu_busy]] = times;
    Ok(Crossover { size: size as u64, cpu_alone, gpu_alone, cpu_busy, gpu_busy })
}

/// So many bytes of a class, as a stream.
fn stream_of(class: &Class, size: usize) -> Result<(Vec<u8>, Vec<u8>)> {
    let content = class.tiles.iter().flat_map(|tile| &tile.content).copied().cycle();
    let content: Vec<u8> = content.take(size).collect();
    let stream = compress(&content, Level::DEFAULT, CodecId::Reference).map_err(failed)?;
    Ok((stream, content))
}

/// Requests for one stream after the other.
struct Work<'a> {
    streams: &'a [(Vec<u8>, Vec<u8>)],
    output: &'a GpuBuffer,
    size: u64,
    /// Requests in flight, where there are many.
    depth: usize,
    /// Places in the output: no two requests in flight write to the same one. Each is always for the same stream.
    places: usize,
    /// Requests, as many as there are places at least.
    count: usize,
}

impl Work<'_> {
    /// The stream for a place.
    fn stream(&self, place: usize) -> Vec<u8> {
        self.streams[place % self.streams.len()].0.clone()
    }

    fn request(&self, place: usize, stream: Vec<u8>) -> Request {
        let start = place as u64 * self.size;
        let into = self.output.range(start..start + self.size);
        Request::from_memory(stream).gdeflate(self.size).into_device(into).tag(place as u64)
    }

    /// One at a time: the median.
    fn alone(&self, queue: &Queue, path: Path) -> Result<f64> {
        let mut samples = Samples::default();
        // A device that had nothing to do while the processor was measured takes its time to wake.
        let start = Instant::now();
        for place in (0..self.streams.len()).cycle() {
            latency(queue, path, self.request(place, self.stream(place)))?;
            if place + 1 == self.streams.len() && start.elapsed() > WARM_UP {
                break;
            }
        }
        for number in 0..self.count {
            let place = number % self.places;
            samples.push(latency(queue, path, self.request(place, self.stream(place)))?);
        }
        Ok(samples.median())
    }

    /// Many at a time: the time of all over their number.
    fn busy(&self, queue: &Queue, path: Path) -> Result<f64> {
        // A stream for each place, which requests take with them and bring back: copies of them would be timed as well.
        let mut streams: Vec<_> = (0..self.places).map(|place| self.stream(place)).collect();
        let mut free: VecDeque<_> = (0..self.places).collect();
        let (mut next, mut in_flight, start) = (0, 0, Instant::now());
        loop {
            while next < self.count && in_flight < self.depth {
                let Some(place) = free.pop_front() else { break };
                let stream = core::mem::take(&mut streams[place]);
                queue.post(self.request(place, stream)).map_err(failed)?;
                (next, in_flight) = (next + 1, in_flight + 1);
            }
            if in_flight == 0 {
                return Ok(start.elapsed().as_secs_f64() / self.count as f64);
            }
            queue.submit();
            let _ = queue.wait_any(None);
            for completion in queue.take_completed(in_flight) {
                in_flight -= 1;
                let completion = by(path, completion)?;
                let place = completion.tag as usize;
                streams[place] = completion.source;
                free.push_back(place);
            }
        }
    }
}
