//! Copies between host and device, and within the device.

use ds_core::{Done, Fault, Path};
use ds_engine::CopyJob;

use super::{DeviceSpot, Means, Obstacle, Spot};
use crate::engine::batch::{Batch, Part, Readback, Verdict};
use crate::engine::commands::BufferCopy;
use crate::engine::lane::{Lane, lane};
use crate::pipeline::constants::CopyBytes;

/// Plans the next part, from `done` on. Gives back the job, and how much has been planned, if that is not all.
pub(super) fn plan(
    means: &Means,
    batch: &mut Batch,
    job: CopyJob,
    done: u64,
) -> Result<Option<(CopyJob, u64)>, Obstacle> {
    let (whole, path) = (job.into.len(), Path::COPY_VULKAN);
    if job.from.len() != whole {
        return Err(Fault::Unsupported("a copy between places of different lengths").into());
    }
    if whole == 0 {
        batch.answer(&job.into(), Ok(Done::Moved(0)));
        return Ok(None);
    }
    let ends = (means.spot(job.from, batch)?, means.spot(job.into, batch)?);
    let (len, readback) = part(means, batch, ends, done, whole - done)?;
    let done = done + len;
    batch.bytes += len;
    let verdict = Verdict::Known(Ok(Done::Moved(whole)));
    batch.parts.push(Part { id: job.id, path, verdict, readback, last: done == whole, content: 0 });
    Ok((done < whole).then_some((job, done)))
}

/// Plans the next part of a copy, of what is `left` of it from `start` on. Its length, and what the host is to do in the end.
fn part(
    means: &Means,
    batch: &mut Batch,
    (from, into): (Spot, Spot),
    start: u64,
    left: u64,
) -> Result<(u64, Option<Readback>), Obstacle> {
    let mut readback = None;
    let (len, from, into) = match seen(from, into) {
        (Spot::Host(_), Spot::Host(_)) => {
            return Err(Fault::Unsupported("the vulkan engine copies to and from devices only").into());
        }
        (Spot::Host(from), Spot::Device(into)) => {
            let len = left.min(means.copy_share(from));
            let view = means.host_source(from.part(start, len), batch)?;
            (len, DeviceSpot::of_host(view, len), into.from(start))
        }
        (Spot::Device(from), Spot::Host(into)) => {
            let len = left.min(means.copy_share(into));
            let (view, then) = means.host_target(into.part(start, len))?;
            readback = then;
            (len, from.from(start), DeviceSpot::of_host(view, len))
        }
        (Spot::Device(from), Spot::Device(into)) => {
            refuse_overlap(from, into)?;
            (left.min(CopyBytes::MOST), from.from(start), into.from(start))
        }
    };
    put(means, batch, from, into, len)?;
    Ok((len, readback))
}

/// Of two ends on the host those that the device sees count as its own.
fn seen(from: Spot, into: Spot) -> (Spot, Spot) {
    match (from, into) {
        (Spot::Host(a), Spot::Host(b)) => {
            (a.seen().map_or(from, Spot::Device), b.seen().map_or(into, Spot::Device))
        }
        ends => ends,
    }
}

/// Puts a copy into the batch: as a command where there are buffers, by a shader where there are addresses.
fn put(
    means: &Means,
    batch: &mut Batch,
    from: DeviceSpot,
    into: DeviceSpot,
    len: u64,
) -> Result<(), Obstacle> {
    let is_buffer = |spot: DeviceSpot| spot.buffer != ash::vk::Buffer::null();
    match (from.address, into.address) {
        _ if is_buffer(from) && is_buffer(into) => {
            let copies = match lane(means.separate, from.end, into.end) {
                Lane::Transfer => &mut batch.transfers,
                Lane::Main => &mut batch.copies,
            };
            copies.push(BufferCopy {
                from: (from.buffer, from.offset),
                into: (into.buffer, into.offset),
                len,
            });
        }
        (Some(source), Some(destination)) => {
            // Parts are shorter than what fits: see `CopyBytes::MOST`.
            let len = len as u32;
            batch.shader_copies.push(CopyBytes { source, destination, len, reserved: 0 });
        }
        _ => {
            let what = "a copy between a buffer without an address and an address without a buffer";
            return Err(Fault::Unsupported(what).into());
        }
    }
    Ok(())
}

/// Copies of ours go in no order, so they must not run into themselves.
fn refuse_overlap(from: DeviceSpot, into: DeviceSpot) -> Result<(), Obstacle> {
    let near = |a: u64, b: u64| a.abs_diff(b) < from.len;
    let is_same = from.buffer == into.buffer && from.buffer != ash::vk::Buffer::null();
    let by_buffer = is_same && near(from.offset, into.offset);
    let by_address = from.address.zip(into.address).is_some_and(|(from, into)| near(from, into));
    if by_buffer || by_address {
        return Err(Fault::Unsupported("a copy between ranges that overlap").into());
    }
    Ok(())
}
