//! Who is sooner done with requests of which size, from packed bytes in host memory to content in device memory: the processor, which
//! decodes and has the result copied, or the device. Where the lines cross, `auto` should change from one to the other.

use core::time::Duration;
use std::time::Instant;

use ds_bench::gpu::Crossover;
use ds_bench::progress::Progress;
use ds_gdeflate::{CodecId, Level, compress};
use ds_runtime::{CodecKind, Path, Queue, Request};

use super::Scope;
use super::content::Class;
use super::gpu::{Gpu, failed};
use super::overhead::latency;
use super::places::{Places, Plain, in_a_row};
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
    let contents = in_a_row(core::iter::repeat_n(size, places), 1);
    let work = Work { streams: &streams, places: Places { output: &output, contents }, depth, count };
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
    /// Each is always for the same stream.
    places: Places<'a>,
    /// Requests in flight, where there are many.
    depth: usize,
    /// Requests, as many as there are places at least.
    count: usize,
}

impl Work<'_> {
    /// The stream for a place.
    fn stream(&self, place: usize) -> Vec<u8> {
        self.streams[place % self.streams.len()].0.clone()
    }

    fn request(&self, place: usize) -> Request {
        self.places.decode(place, Request::from_memory(self.stream(place)))
    }

    /// One at a time: the median.
    fn alone(&self, queue: &Queue, path: Path) -> Result<f64> {
        let mut samples = Samples::default();
        // A device that had nothing to do while the processor was measured takes its time to wake.
        let start = Instant::now();
        for place in (0..self.streams.len()).cycle() {
            latency(queue, path, self.request(place))?;
            if place + 1 == self.streams.len() && start.elapsed() > WARM_UP {
                break;
            }
        }
        for number in 0..self.count {
            let place = number % self.places.contents.len();
            samples.push(latency(queue, path, self.request(place))?);
        }
        Ok(samples.median())
    }

    /// Many at a time: the time of all over their number.
    fn busy(&self, queue: &Queue, path: Path) -> Result<f64> {
        let streams = (0..self.places.contents.len()).map(|place| self.stream(place)).collect();
        let time = self.places.fill((queue, path), &mut Plain(streams), self.count, self.depth)?;
        Ok(time.as_secs_f64() / self.count as f64)
    }
}
