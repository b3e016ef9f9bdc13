//! Steps of transforms.

use ds_core::{Corrupt, CorruptReason, DecodeStep, Done, Fault, Path, Transform};
use ds_engine::CodecJob;
use ds_engine::gdeflate::{Plan, Tiles, plan as next_step};
use ds_gdeflate::TILE_SIZE;

use super::{DeviceSpot, HostSpot, Means, Obstacle, Spot, Work};
use crate::engine::batch::{Batch, Part, Readback, Stream, Verdict};
use crate::engine::slot::Slot;
use crate::gdeflate::trusted::region;
use crate::gdeflate::{HostStream, StreamTable, Tile};
use crate::pipeline::constants::Whole;
use crate::pipeline::shaders;

/// The most bytes that a transform of whole inputs reads or writes at once.
const MOST: u64 = 32 << 20;

/// Plans a step.
pub(super) fn plan(means: &Means, batch: &mut Batch, slot: &Slot, job: CodecJob) -> Result<(), Obstacle> {
    let (from, into) = (means.spot(job.from, batch)?, means.spot(job.into, batch)?);
    let step = match (job.transform, from) {
        (Transform::GDeflate, Spot::Host(from)) => gdeflate(means, batch, &job, from, into),
        (Transform::GDeflate, from) => resident(means, batch, slot, &job, from, into),
        (Transform::FakeUppercase, from) => uppercase(means, batch, slot, &job, from, into),
        (Transform::Custom(number), from) => custom(means, batch, slot, &job, number, from, into),
        (Transform::None, _) => Err(Fault::Unsupported("a codec step without a transform").into()),
    }?;
    let work = Work::from(job);
    let (readback, verdict, beside) = match step {
        Step::Answer(step) => {
            batch.answer(&work, Ok(Done::Decoded(step)));
            return Ok(());
        }
        Step::Part(readback, verdict) => (readback, verdict, Path::NONE),
        Step::Trusted(readback, step) => {
            (readback, Verdict::Known(Ok(Done::Decoded(step))), Path::DRIVER_DECOMPRESSION)
        }
    };
    let (id, path, content) = (work.id(), work.path() | beside, work.content());
    batch.parts.push(Part { id, path, verdict, readback, last: true, content });
    Ok(())
}

/// What a step came to.
enum Step {
    /// Nothing to do.
    Answer(DecodeStep),
    /// The batch has it. What is left for the host to do, and how to see what came of it.
    Part(Option<Readback>, Verdict),
    /// The same, of tiles that the driver decodes.
    Trusted(Option<Readback>, DecodeStep),
}

/// A step of a stream that the host sees: as many tiles as there is memory for.
fn gdeflate(
    means: &Means,
    batch: &mut Batch,
    job: &CodecJob,
    from: HostSpot,
    into: Spot,
) -> Result<Step, Obstacle> {
    let whole = from.bytes.len() as u64;
    let arrived = from.part(0, job.available.min(whole)).bytes;
    // SAFETY: the job has not been answered, and these bytes have arrived, so nobody writes them.
    let prefix = unsafe { arrived.as_slice() };
    let tiles = match next_step(prefix, whole, job.into.len(), job.cursor, Slot::TILES) {
        Ok(Plan::Answer(step)) => return Ok(Step::Answer(step)),
        Ok(Plan::Tiles(tiles)) => tiles,
        Err(corrupt) => return Err(Fault::Corrupt(corrupt).into()),
    };
    let numbers = tiles.numbers();
    let at = batch.tiles.len();
    let mut made = share(means, batch, &tiles, numbers.start, from, into)?;
    // A quarter of a block at a time, for as long as there are any and the host need not bring the output together.
    while !made.trusted
        && made.readback.is_none()
        && made.end < numbers.end
        && batch.uploaded < means.most_uploaded
    {
        let mark = batch.mark();
        match share(means, batch, &tiles, made.end, from, into) {
            Ok(more) if !more.trusted => made = more,
            Ok(_) | Err(Obstacle::NoRoom) => {
                batch.back_to(mark);
                break;
            }
            Err(fault) => return Err(fault),
        }
    }
    let good = tiles.answer(made.end);
    if made.trusted {
        return Ok(Step::Trusted(made.readback, good));
    }
    let verdict = Verdict::Tiles {
        at,
        count: made.end - numbers.start,
        first: numbers.start,
        stream: Stream::Host(HostStream { prefix: arrived, whole, content: job.into.len() }),
        good,
    };
    Ok(Step::Part(made.readback, verdict))
}

/// Tiles in a row whose payloads lie in one piece of memory.
struct Share {
    /// The tile behind them.
    end: usize,
    readback: Option<Readback>,
    /// Whether the driver decodes them.
    trusted: bool,
}

/// Puts the tiles from `start` on into the batch, as many as fit into a share of the memory.
fn share(
    means: &Means,
    batch: &mut Batch,
    tiles: &Tiles<'_>,
    start: usize,
    from: HostSpot,
    into: Spot,
) -> Result<Share, Obstacle> {
    let most = (means.input_share(from), means.output_share(into));
    let end = fitting(tiles, start, most, batch.room_for_tiles());
    if start == end {
        return Err(Obstacle::NoRoom);
    }
    let (payload_start, content_start) = (tiles.payload(start).start, tiles.content(start).start);
    let payload = tiles.payload(end - 1).end - payload_start;
    let content = tiles.content(end - 1).end - content_start;
    let source = means.shader_input(from, payload_start, payload, batch)?;
    let (destination, readback) = means.shader_output(into, content_start, content, batch)?;
    let made = (start..end).map(|tile| {
        let (payload, content) = (tiles.payload(tile), tiles.content(tile));
        // Both fit: a payload is 128 KiB at most, and a tile 64.
        Tile::new(
            source + (payload.start - payload_start),
            (payload.end - payload.start) as u32,
            destination + (content.start - content_start),
            (content.end - content.start) as u32,
        )
    });
    batch.bytes += content;
    let trusted = means.trusted && made.clone().all(|tile| region(&tile).is_some());
    if trusted {
        batch.regions.extend(made.filter_map(|tile| region(&tile)));
    } else {
        batch.tiles.extend(made);
    }
    Ok(Share { end, readback, trusted })
}

/// Where the tiles from `start` on end whose payloads and contents are no longer than this, and which there is room for.
fn fitting(tiles: &Tiles<'_>, start: usize, (payloads, contents): (u64, u64), room: usize) -> usize {
    let (payload, content) = (tiles.payload(start).start, tiles.content(start).start);
    let fits = |&tile: &usize| {
        tiles.payload(tile).end - payload <= payloads && tiles.content(tile).end - content <= contents
    };
    start + (start..tiles.numbers().end).take(room).take_while(fits).count()
}

/// A step of a stream that only the device sees.
fn resident(
    means: &Means,
    batch: &mut Batch,
    slot: &Slot,
    job: &CodecJob,
    from: Spot,
    into: Spot,
) -> Result<Step, Obstacle> {
    let Spot::Device(DeviceSpot { address, len: stream_len, .. }) = from else {
        return Err(Fault::Unsupported("a stream in no device's memory").into());
    };
    let stream = address.ok_or(Fault::Unsupported("a stream in a buffer without a device address"))?;
    let whole = job.into.len();
    let tiles = whole.div_ceil(TILE_SIZE as u64);
    let first = job.cursor.min(tiles);
    let room = (batch.room_for_tiles() as u64).min(means.output_share(into) / TILE_SIZE as u64);
    let count = (tiles - first).min(room);
    if count == 0 && tiles > 0 {
        return Err(Obstacle::NoRoom);
    }
    let start = first * TILE_SIZE as u64;
    let end = whole.min((first + count) * TILE_SIZE as u64);
    let (output, readback) = means.shader_output(into, start, end - start, batch)?;
    let (word, verdict) = batch.word(slot, u32::MAX).ok_or(Obstacle::NoRoom)?;
    let at = batch.tiles.len();
    batch.tables.push(StreamTable {
        stream,
        // Where the first tile of all would go: the pass adds what lies before its own.
        destination: output.wrapping_sub(start),
        tiles: slot.tiles_address() + at as u64 * Tile::SIZE,
        verdict,
        stream_len,
        destination_len: whole,
        // There are 65535 tiles at most, for any other size is none that a header can tell.
        first: u32::try_from(first).unwrap_or(u32::MAX),
        count: count as u32,
    });
    let empty = Tile::new(stream, 0, output, 0);
    batch.tiles.extend(core::iter::repeat_n(empty, count as usize));
    batch.bytes += end - start;
    let next = first + count;
    let good = DecodeStep { cursor: next, produced: end, wants: stream_len, finished: next == tiles };
    let (count, first, stream) = (count as usize, first as usize, Stream::Device(word));
    let verdict = Verdict::Tiles { at, count, first, stream, good };
    Ok(Step::Part(readback, verdict))
}

/// As much as has arrived and fits.
fn uppercase(
    means: &Means,
    batch: &mut Batch,
    slot: &Slot,
    job: &CodecJob,
    from: Spot,
    into: Spot,
) -> Result<Step, Obstacle> {
    let (whole, output) = (job.from.len(), job.into.len());
    if whole != output {
        let (expected, actual) = (output, whole);
        let corrupt = Corrupt { reason: CorruptReason::Size, tile: None, position: 0, expected, actual };
        return Err(Fault::Corrupt(corrupt).into());
    }
    let start = job.cursor.min(whole);
    let end = job.available.min(whole).min(start + MOST.min(means.share())).max(start);
    let good = DecodeStep { cursor: end, produced: end, wants: whole.min(end + 1), finished: end == whole };
    if start == end {
        return Ok(Step::Answer(good));
    }
    let groups = ((end - start) as u32).div_ceil(shaders::UPPERCASE.local_size[0] * 16);
    let whole = Dispatch { from, into, source: start..end, destination: start..end, groups, good };
    whole.plan(means, batch, slot, means.pipelines.uppercase)
}

/// All of it, once it has arrived.
fn custom(
    means: &Means,
    batch: &mut Batch,
    slot: &Slot,
    job: &CodecJob,
    number: u8,
    from: Spot,
    into: Spot,
) -> Result<Step, Obstacle> {
    let transform = means.config.find_transform(number);
    let transform =
        transform.ok_or(Fault::Unsupported("no shader is registered for this custom transform"))?;
    let (whole, output) = (job.from.len(), job.into.len());
    if job.available < whole {
        return Ok(Step::Answer(DecodeStep { cursor: 0, produced: 0, wants: whole, finished: false }));
    }
    if whole.max(output) > MOST.min(means.share()) {
        return Err(Fault::Unsupported("more bytes than a custom shader is given: see VulkanConfig").into());
    }
    let inner = &means.device.inner;
    let pipeline = inner.pipelines.get(inner.raw(), &transform.code(), &[], None)?;
    let groups = (output as u32).div_ceil(transform.bytes_per_workgroup()).max(1);
    if groups > inner.limits.max_compute_work_group_count[0] {
        return Err(Fault::Unsupported("more workgroups than the device starts at once").into());
    }
    let good = DecodeStep { cursor: whole, produced: output, wants: whole, finished: true };
    let whole = Dispatch { from, into, source: 0..whole, destination: 0..output, groups, good };
    whole.plan(means, batch, slot, pipeline)
}

/// A dispatch that reads one range and writes another.
struct Dispatch {
    from: Spot,
    into: Spot,
    source: core::ops::Range<u64>,
    destination: core::ops::Range<u64>,
    groups: u32,
    good: DecodeStep,
}

impl Dispatch {
    fn plan(
        self,
        means: &Means,
        batch: &mut Batch,
        slot: &Slot,
        pipeline: ash::vk::Pipeline,
    ) -> Result<Step, Obstacle> {
        let (source_len, destination_len) =
            (self.source.end - self.source.start, self.destination.end - self.destination.start);
        let source = match self.from {
            Spot::Host(from) => means.shader_input(from, self.source.start, source_len, batch)?,
            Spot::Device(DeviceSpot { address: Some(address), .. }) => address + self.source.start,
            Spot::Device(_) => {
                return Err(Fault::Unsupported("input in a buffer without a device address").into());
            }
        };
        let (destination, readback) =
            means.shader_output(self.into, self.destination.start, destination_len, batch)?;
        let (word, status) = batch.word(slot, 0).ok_or(Obstacle::NoRoom)?;
        // Lengths are limited to what 32 bits count.
        let constants = Whole {
            source,
            destination,
            status,
            source_len: source_len as u32,
            destination_len: destination_len as u32,
        };
        batch.wholes.push((pipeline, constants, self.groups));
        batch.bytes += destination_len;
        Ok(Step::Part(readback, Verdict::Word { word, good: self.good }))
    }
}
