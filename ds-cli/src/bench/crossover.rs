//! Who is sooner done with requests of which size, from packed bytes in host memory to content in device memory: the processor, which
//! decodes and has the result copied, or the device. Where the lines cross, `auto` should change from one to the other: whom it has
//! chosen, and what that took, is beside them.

use core::time::Duration;
use std::collections::BTreeMap;

use ds_bench::gpu::{Auto, Crossover, FEWER_ROUNDS};
use ds_bench::progress::Progress;
use ds_gdeflate::{CodecId, Level, TILE_SIZE, TileStream, compress};
use ds_runtime::{CodecKind, Path, Processor, Queue, Request};

use super::Scope;
use super::content::{self, Class, Tile};
use super::gpu::{Gpu, failed, for_a_while};
use super::overhead::latency;
use super::places::{Places, Plain, in_a_row};
use super::samples::Samples;
use crate::error::Result;

/// Smallest and largest content of a request: the processor's result lies in staging memory on its way, which is 32 MiB unless told.
const SIZES: core::ops::RangeInclusive<u64> = 4 << 10..=16 << 20;
/// Requests in flight where there are many, unless their content is more than a measurement's.
const MANY: usize = 32;
/// Fewest of them.
const FEW: usize = 2;
/// How long at least requests go first whose times do not count: a device that had nothing to do takes its time to wake, and has been
/// seen to stand still for 20 ms soon after.
const WARM_UP: Duration = Duration::from_millis(200);

/// Measures every size that is no larger than a measurement is to be.
pub(super) fn measure(
    gpu: &Gpu,
    classes: &[Class],
    scope: &Scope,
    progress: &Progress,
) -> Result<Vec<Crossover>> {
    let (_runtime, cpu) = gpu.runtime(CodecKind::Cpu)?;
    let (_runtime, auto) = gpu.runtime(CodecKind::Auto)?;
    let sizes = core::iter::successors(Some(*SIZES.start()), |size| Some(size * 2));
    let sizes = sizes.take_while(|size| size <= SIZES.end() && *size <= scope.size);
    let each = |size: u64| {
        progress.begin(format!("requests of {} KiB", size >> 10));
        one(gpu, [&cpu, &gpu.queue, &auto], classes, size as usize, scope)
    };
    sizes.map(each).collect()
}

fn one(gpu: &Gpu, queues: [&Queue; 3], classes: &[Class], size: usize, scope: &Scope) -> Result<Crossover> {
    let streams = classes.iter().map(|class| stream_of(class, size)).collect::<Result<Vec<_>>>()?;
    let depth = MANY.min(scope.samples).min(scope.size as usize / size).max(FEW);
    let places = depth.next_multiple_of(streams.len());
    let image: Vec<u8> = streams.iter().flat_map(|(_, content)| content).copied().collect();
    // A longer request tells as much in fewer samples.
    let count = (scope.samples / 5).min((64 << 20) / size).max(places);
    let output = gpu.buffer(size * places)?;
    let contents = in_a_row(core::iter::repeat_n(size, places), 1);
    let work = Work { streams: &streams, places: Places { output: &output, contents }, depth, count };
    let measure = |queue, path| -> Result<[Auto; 2]> {
        gpu.poison(&output)?;
        let alone = work.alone(queue, path)?;
        gpu.compare(&output, &image, places / streams.len())?;
        let busy = work.busy(gpu, queue, path, scope.rounds.min(FEWER_ROUNDS))?;
        gpu.compare(&output, &image, places / streams.len())?;
        Ok([alone, busy])
    };
    let [cpu, device, auto] = queues;
    let [cpu_alone, cpu_busy] = measure(cpu, Path::CODEC_CPU)?;
    let [gpu_alone, gpu_busy] = measure(device, Path::CODEC_VULKAN)?;
    // Whomever it chooses.
    let [auto_alone, auto_busy] = measure(auto, Path::NONE)?;
    Ok(Crossover {
        size: size as u64,
        depth: Some(depth),
        cpu_alone: cpu_alone.seconds,
        gpu_alone: gpu_alone.seconds,
        auto_alone: Some(auto_alone),
        cpu_busy: cpu_busy.seconds,
        gpu_busy: gpu_busy.seconds,
        auto_busy: Some(auto_busy),
    })
}

/// What a queue chose while it was measured.
fn chosen(queue: &Queue, measure: impl FnOnce() -> Result<f64>) -> Result<Auto> {
    let before = queue.choices();
    let seconds = measure()?;
    let after = queue.choices();
    let mut auto = Auto { seconds, requests: 0, device: 0, choices: BTreeMap::new() };
    for (choice, count) in after.iter() {
        let count = count - before.of(choice);
        if count > 0 {
            auto.requests += count;
            auto.device += if choice.processor() == Processor::Device { count } else { 0 };
            auto.choices.insert(choice.to_string(), count);
        }
    }
    Ok(auto)
}

/// So many bytes of a class, as a stream. Where there are fewer, they come again and again.
fn stream_of(class: &Class, size: usize) -> Result<(Vec<u8>, Vec<u8>)> {
    let all = || class.tiles.iter().flat_map(|tile| &tile.content).copied();
    let (content, once): (Vec<u8>, _) = (all().cycle().take(size).collect(), all().count());
    // Whole tiles that come again are compressed once.
    let period = if once.is_multiple_of(TILE_SIZE) { once.min(size) } else { size };
    let stream = compress(&content[..period], Level::DEFAULT, CodecId::Reference).map_err(failed)?;
    if period == size {
        return Ok((stream, content));
    }
    let tiles = TileStream::parse(&stream).map_err(failed)?;
    let tiles = tiles
        .tiles()
        .zip(content.chunks(TILE_SIZE))
        .map(|(tile, content)| Tile { payload: tile.payload().to_vec(), content: content.to_vec() });
    let tiles: Vec<_> = tiles.collect();
    let again: Vec<_> = tiles.iter().cycle().take(size / TILE_SIZE).collect();
    content::stream_of(&again)
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
    fn alone(&self, queue: &Queue, path: Path) -> Result<Auto> {
        for_a_while(WARM_UP, || {
            let mut each = 0..self.streams.len();
            each.try_for_each(|place| latency(queue, path, self.request(place)).map(drop))
        })?;
        chosen(queue, || {
            let mut samples = Samples::default();
            for number in 0..self.count {
                let place = number % self.places.contents.len();
                samples.push(latency(queue, path, self.request(place))?);
            }
            Ok(samples.median())
        })
    }

    /// Many at a time: the median of the time of all, over their number.
    fn busy(&self, gpu: &Gpu, queue: &Queue, path: Path, rounds: usize) -> Result<Auto> {
        let mut streams = Plain((0..self.places.contents.len()).map(|place| self.stream(place)).collect());
        let mut pass = || self.places.fill((queue, path), &mut streams, self.count, self.depth);
        for_a_while(WARM_UP, || pass().map(drop))?;
        chosen(queue, || {
            let mut samples = Samples::default();
            for _ in 0..rounds {
                gpu.poison(self.places.output)?;
                samples.push(pass()?);
            }
            Ok(samples.median() / self.count as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_comes_again_is_what_would_be_compressed_at_once() {
        let tile = |byte: u8, len| Tile {
            payload: Vec::new(),
            content: [&[byte; 9][..], &vec![7; len - 9]].concat(),
        };
        let class = |tiles| Class { name: "c".into(), tiles };
        for (class, size) in [
            (class(vec![tile(1, TILE_SIZE), tile(2, TILE_SIZE)]), 8 * TILE_SIZE),
            (class(vec![tile(1, TILE_SIZE), tile(2, TILE_SIZE)]), TILE_SIZE / 2),
            (class(vec![tile(1, TILE_SIZE), tile(2, 1000)]), 4 * TILE_SIZE),
        ] {
            let (stream, content) = stream_of(&class, size).unwrap();
            let all: Vec<u8> =
                class.tiles.iter().flat_map(|tile| tile.content.clone()).cycle().take(size).collect();
            assert!(content == all);
            assert!(stream == compress(&all, Level::DEFAULT, CodecId::Reference).unwrap());
        }
    }
}
