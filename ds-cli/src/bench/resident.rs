//! Figure 1: tiles in device memory, decoded there, by us and by the vendor's library. Both have the same tiles, laid out alike in
//! memory of their own, and take turns. Further ways of ours come after them, into the same memory.

use core::ops::Range;

use ds_bench::gpu::{Resident, Times};
use ds_bench::progress::Progress;
use ds_nvcomp::{Decode, Tile};
use ds_runtime::vulkan::{DecoderPath, GpuBuffer, TileSpan, TimedDecode};

use super::content::Class;
use super::gpu::{Gpu, compare, failed};
use super::layout::Layout;
use super::samples::Samples;
use super::{Scope, of_class};
use crate::error::{Error, Result};
use crate::poison::POISON;

/// Most rounds of a further way: some are slow.
const FEW: usize = 5;

/// Measures every class, by the way for any size of subgroups as well if that is wanted.
pub(super) fn measure(
    gpu: &Gpu,
    classes: &[Class],
    scope: &Scope,
    rival: Option<&ds_nvcomp::Device>,
    any: bool,
    progress: &Progress,
) -> Result<Vec<Resident>> {
    let each = |class: &Class| {
        progress.begin(&class.name);
        let row = of_class(class, one(gpu, class, scope, rival, any));
        progress.done();
        row
    };
    classes.iter().map(each).collect()
}

/// Bytes of content per second, of all classes together.
pub(super) fn rate_of_all(rows: &[Resident]) -> f64 {
    let seconds: f64 = rows.iter().map(|row| row.ours.seconds() / row.bytes as f64).sum();
    rows.len() as f64 / seconds
}

/// What the driver makes of one class's tiles: the same ones.
pub(super) fn by_driver(gpu: &Gpu, class: &Class, scope: &Scope) -> Result<Times> {
    let layout = Layout::new(class, scope.size);
    of_class(
        class,
        Memory::new(gpu, &layout).and_then(|memory| memory.further(gpu, scope, DecoderPath::Trusted)),
    )
}

fn one(
    gpu: &Gpu,
    class: &Class,
    scope: &Scope,
    rival: Option<&ds_nvcomp::Device>,
    any: bool,
) -> Result<Resident> {
    let layout = Layout::new(class, scope.size);
    let memory = Memory::new(gpu, &layout)?;
    let mut ours = memory.decode(scope.path)?;
    let mut theirs = rival.map(|rival| theirs(rival, &layout)).transpose()?;
    let (mut our_times, mut their_times) = (Turns::default(), Turns::default());
    for _ in 0..scope.rounds {
        // After the other's turn a device has to find its way back: only the second pass counts.
        ours.run().map_err(failed)?;
        let timing = ours.run().map_err(failed)?;
        our_times.push(timing.device, timing.wall);
        if let Some(theirs) = &mut theirs {
            theirs.run().map_err(failed)?;
            let timing = theirs.run().map_err(failed)?;
            their_times.push(Some(timing.device), timing.wall);
        }
    }
    ours.verdict().map_err(failed)?;
    gpu.compare(&memory.output, &layout.image, layout.copies)?;
    if let Some(theirs) = &theirs {
        let told = |error: Error| Error::new(error.kind(), format!("nvCOMP: {error}"));
        theirs.verdict().map_err(failed).map_err(told)?;
        let read =
            |offset, mut bytes: Vec<u8>| theirs.read(offset, &mut bytes).map_err(failed).map(|()| bytes);
        compare(&layout.image, layout.copies, read).map_err(told)?;
    }
    Ok(Resident {
        class: class.name.clone(),
        tiles: class.tiles.len(),
        copies: layout.copies,
        bytes: layout.content(),
        packed: layout.payloads(),
        ours: our_times.times(),
        rival: theirs.is_some().then(|| their_times.times()),
        any: any.then(|| memory.further(gpu, scope, DecoderPath::AnySize)).transpose()?,
        driver: None,
    })
}

/// Device memory with the tiles in it, and room for their content.
struct Memory<'a> {
    layout: &'a Layout,
    input: GpuBuffer,
    output: GpuBuffer,
    spans: Vec<TileSpan>,
}

impl<'a> Memory<'a> {
    fn new(gpu: &Gpu, layout: &'a Layout) -> Result<Self> {
        let input = gpu.buffer(layout.packed.len())?;
        gpu.put(&input, &layout.packed)?;
        let output = gpu.poisoned(layout.output())?;
        let span = |(payload, content): &(Range<usize>, Range<usize>)| TileSpan {
            payload: payload.start as u64..payload.end as u64,
            content: content.start as u64..content.end as u64,
        };
        Ok(Self { layout, input, output, spans: layout.tiles.iter().map(span).collect() })
    }

    fn decode(&self, path: DecoderPath) -> Result<TimedDecode> {
        TimedDecode::new(&self.input, &self.output, &self.spans, path).map_err(failed)
    }

    /// Measures a further way by itself, in few rounds, and looks at all that it wrote.
    fn further(&self, gpu: &Gpu, scope: &Scope, path: DecoderPath) -> Result<Times> {
        let (mut decode, mut turns) = (self.decode(path)?, Turns::default());
        gpu.poison(&self.output)?;
        // After the comparison before it a device has to find its way back.
        decode.run().map_err(failed)?;
        for _ in 0..scope.rounds.min(FEW) {
            let timing = decode.run().map_err(failed)?;
            turns.push(timing.device, timing.wall);
        }
        decode.verdict().map_err(failed)?;
        gpu.compare(&self.output, &self.layout.image, self.layout.copies)?;
        Ok(turns.times())
    }
}

fn theirs(rival: &ds_nvcomp::Device, layout: &Layout) -> Result<Decode> {
    let tiles: Vec<_> = layout
        .tiles
        .iter()
        .map(|(payload, content)| Tile { payload: payload.clone(), content: content.clone() })
        .collect();
    let mut decode = rival.decode(&layout.packed, layout.output(), &tiles).map_err(failed)?;
    decode.poison(POISON).map_err(failed)?;
    Ok(decode)
}

/// Times of one contestant, by both clocks.
#[derive(Default)]
struct Turns {
    device: Samples,
    wall: Samples,
}

impl Turns {
    fn push(&mut self, device: Option<core::time::Duration>, wall: core::time::Duration) {
        self.wall.push(wall);
        if let Some(device) = device {
            self.device.push(device);
        }
    }

    fn times(&self) -> Times {
        let device = |share| (self.device.len() > 0).then(|| self.device.quantile(share));
        Times { device: device(0.5), device_best: device(0.0), wall: self.wall.median() }
    }
}
