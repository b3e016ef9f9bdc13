//! Figure 3: packed data from host memory to device memory, decoded there, through the runtime's queue; beside what bus and decoder can
//! do by themselves. The host memory is such as the device sees, and any: the latter is copied by the processor first.

use core::ops::Range;

use ds_bench::gpu::{Resident, Upload};
use ds_bench::progress::Progress;
use ds_runtime::vulkan::{HostBuffer, TimedUpload};
use ds_runtime::{Completion, Path, Request};

use super::content::Class;
use super::gpu::{CAPACITY, Gpu, failed};
use super::places::{Places, Plain, Source, in_a_row};
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
    let contents = in_a_row(streams.iter().map(|(_, content)| content.len()), copies);
    let count = contents.len();
    let places = Places { output: &output, contents };
    let depth = scope.depth.unwrap_or(CAPACITY).min(count);
    let engine = (&gpu.queue, Path::CODEC_VULKAN);
    let mut sources: [Box<dyn Source>; 2] = [
        Box::new(Pinned::new(gpu, &streams, copies)?),
        Box::new(Plain(streams.iter().map(|(stream, _)| stream.clone()).cycle().take(count).collect())),
    ];
    let mut samples = [Samples::default(), Samples::default()];
    for _ in 0..scope.rounds.min(5) {
        for (source, samples) in sources.iter_mut().zip(&mut samples) {
            let mut pass = || places.fill(engine, &mut **source, count * scope.passes, depth);
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
