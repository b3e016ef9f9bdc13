//! Figure 3: packed data from host memory to device memory, decoded there, through the runtime's queue; beside what bus and decoder can
//! do by themselves. The host memory is such as the device sees, and any: the latter is copied by the processor first.

use core::ops::Range;

use ds_bench::gpu::{FEWER_ROUNDS, Resident, Upload};
use ds_bench::progress::Progress;
use ds_runtime::vulkan::{GpuBuffer, HostBuffer, TimedUpload};
use ds_runtime::{Completion, Path, Queue, Request};

use super::beside::{self, Beside, directly};
use super::content::Class;
use super::gpu::{CAPACITY, Gpu, failed};
use super::places::{Places, Plain, Source, in_a_row};
use super::samples::Samples;
use super::{Scope, of_class};
use crate::assets::random::Random;
use crate::error::Result;

/// Content of a request.
const REQUEST: usize = 1 << 20;
/// Most rounds of a further way: some are slow.
const FEW: usize = 2;
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

/// Measures every class; where it takes part also with packed bytes written into the device's memory by the processor.
pub(super) fn measure(
    gpu: &Gpu,
    classes: &[Class],
    scope: &Scope,
    (bus, resident): (f64, &[Resident]),
    beside: &mut Beside,
    progress: &Progress,
) -> Result<Vec<Upload>> {
    let mut each = |(class, resident): (&Class, &Resident)| {
        progress.begin(&class.name);
        let row = of_class(class, one(gpu, class, scope, (bus, resident.rate(&resident.ours)), beside));
        progress.done();
        row
    };
    let mut rows: Vec<_> = classes.iter().zip(resident).map(&mut each).collect::<Result<_>>()?;
    if beside.direct.is_err() {
        rows.iter_mut().for_each(|row| (row.direct_pinned, row.direct_plain) = (None, None));
    }
    Ok(rows)
}

fn one(
    gpu: &Gpu,
    class: &Class,
    scope: &Scope,
    (bus, decode): (f64, f64),
    beside: &mut Beside,
) -> Result<Upload> {
    let work = Work::new(gpu, class, scope)?;
    let sources = &mut work.sources(gpu)?;
    let rounds = scope.rounds.min(FEWER_ROUNDS);
    let [pinned, plain] = work.measure(gpu, (&gpu.queue, Path::CODEC_VULKAN), sources, rounds)?;
    let direct = match beside.direct {
        Ok(()) => {
            let measured = gpu.engine(&directly(&gpu.config)).and_then(|(_runtime, queue)| {
                work.measure(gpu, (&queue, Path::CODEC_VULKAN), sources, rounds.min(FEW))
            });
            beside.of_direct(measured)?
        }
        Err(_) => None,
    };
    let packed: usize = work.streams.iter().map(|(stream, _)| stream.len()).sum();
    let times = work.copies * scope.passes;
    Ok(Upload {
        class: class.name.clone(),
        bytes: (work.image.len() * times) as u64,
        packed: (packed * times) as u64,
        request: REQUEST.min(work.image.len()) as u64,
        depth: work.depth,
        pinned,
        plain,
        direct_pinned: direct.map(|[pinned, _]| pinned),
        direct_plain: direct.map(|[_, plain]| plain),
        driver: None,
        bus,
        decode,
    })
}

/// How long it takes where the driver decodes, from memory that the device sees: all of it, or it is an error.
pub(super) fn by_driver(gpu: &Gpu, class: &Class, scope: &Scope) -> Result<f64> {
    let measured = || {
        let (_runtime, queue) = gpu.engine(&beside::by_driver(&gpu.config))?;
        let work = Work::new(gpu, class, scope)?;
        let pinned: Box<dyn Source> = Box::new(Pinned::new(gpu, &work.streams, work.copies)?);
        let path = Path::CODEC_VULKAN | Path::DRIVER_DECOMPRESSION;
        work.measure(gpu, (&queue, path), &mut [pinned], scope.rounds.min(FEW)).map(|[pinned]| pinned)
    };
    of_class(class, measured())
}

/// What is decoded, and where to.
struct Work {
    streams: Vec<(Vec<u8>, Vec<u8>)>,
    /// The content of all of them, and how often the output has room for it.
    image: Vec<u8>,
    copies: usize,
    output: GpuBuffer,
    /// Requests for one time that is taken, and how many are in flight.
    count: usize,
    depth: usize,
}

impl Work {
    fn new(gpu: &Gpu, class: &Class, scope: &Scope) -> Result<Self> {
        let streams = class.streams(REQUEST)?;
        let image: Vec<u8> = streams.iter().flat_map(|(_, content)| content).copied().collect();
        let copies = (scope.size as usize / image.len()).max(1);
        let output = gpu.poisoned(image.len() * copies)?;
        let places = streams.len() * copies;
        let depth = scope.depth.unwrap_or(CAPACITY).min(places);
        Ok(Self { streams, image, copies, output, count: places * scope.passes, depth })
    }

    /// From memory that the device sees, and from any.
    fn sources(&self, gpu: &Gpu) -> Result<[Box<dyn Source>; 2]> {
        let plain = self.streams.iter().map(|(stream, _)| stream.clone()).cycle();
        Ok([
            Box::new(Pinned::new(gpu, &self.streams, self.copies)?),
            Box::new(Plain(plain.take(self.streams.len() * self.copies).collect())),
        ])
    }

    /// Has it decoded from each of these by turns, and tells the median for each.
    fn measure<const N: usize>(
        &self,
        gpu: &Gpu,
        engine: (&Queue, Path),
        sources: &mut [Box<dyn Source>; N],
        rounds: usize,
    ) -> Result<[f64; N]> {
        let contents = in_a_row(self.streams.iter().map(|(_, content)| content.len()), self.copies);
        let places = Places { output: &self.output, contents };
        let mut samples: [_; N] = core::array::from_fn(|_| Samples::default());
        for _ in 0..rounds {
            for (source, samples) in sources.iter_mut().zip(&mut samples) {
                let mut pass = || places.fill(engine, &mut **source, self.count, self.depth);
                // While the host compares a device idles, and its clock takes some time to come back: the first does not count.
                pass()?;
                gpu.poison(&self.output)?;
                samples.push(pass()?);
                gpu.compare(&self.output, &self.image, self.copies)?;
            }
        }
        Ok(samples.map(|samples| samples.median()))
    }
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
