//! Copies between host and device, and within the device.

use ds_core::{Done, Fault, Path};
use ds_engine::{CopyJob, HostBytes};

use super::{Means, Obstacle, Spot, Work};
use crate::engine::batch::{Batch, Part, Readback, Verdict};
use crate::engine::commands::BufferCopy;
use crate::memory::allocation::View;
use crate::pipeline::constants::CopyBytes;

/// Plans the next part, from `done` on. Gives back what is left.
pub(super) fn plan(
    means: &Means,
    batch: &mut Batch,
    job: CopyJob,
    done: u64,
) -> Result<Option<Work>, Obstacle> {
    let (whole, path) = (job.into.len(), Path::COPY_VULKAN);
    if job.from.len() != whole {
        return Err(Fault::Unsupported("a copy between places of different lengths").into());
    }
    if whole == 0 {
        batch.answer(job.id, Ok(Done::Moved(0)), path);
        return Ok(None);
    }
    let ends = (means.spot(job.from)?, means.spot(job.into)?);
    let (len, readback) = part(means, batch, ends, done, whole - done)?;
    let done = done + len;
    batch.bytes += len;
    let verdict = Verdict::Known(Ok(Done::Moved(whole)));
    batch.parts.push(Part { id: job.id, path, verdict, readback, last: done == whole });
    Ok((done < whole).then_some(Work::Copy { job, done, cancelled: false }))
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
    let (len, move_bytes) = match (from, into) {
        (Spot::Host(_), Spot::Host(_)) => {
            return Err(Fault::Unsupported("the vulkan engine copies to and from devices only").into());
        }
        (Spot::Host(from), into) => {
            let len = left.min(means.share());
            let bytes = from.part(start, len).unwrap_or(HostBytes::EMPTY);
            let View { buffer, offset, address } = means.host_source(bytes, batch)?;
            (
                len,
                between(Spot::Device { buffer, offset, address: Some(address), len }, into.from(start), len)?,
            )
        }
        (from, Spot::Host(into)) => {
            let len = left.min(means.share());
            let bytes = into.part(start, len).unwrap_or(HostBytes::EMPTY);
            let (View { buffer, offset, address }, then) = means.host_target(bytes)?;
            readback = then;
            (
                len,
                between(from.from(start), Spot::Device { buffer, offset, address: Some(address), len }, len)?,
            )
        }
        (from, into) => {
            let len = left.min(CopyBytes::MOST);
            refuse_overlap(from, into)?;
            (len, between(from.from(start), into.from(start), len)?)
        }
    };
    match move_bytes {
        Move::Command(copy) => batch.copies.push(copy),
        Move::Shader(copy) => batch.shader_copies.push(copy),
    }
    Ok((len, readback))
}

/// How bytes get from one place of the device to another.
enum Move {
    Command(BufferCopy),
    Shader(CopyBytes),
}

fn between(from: Spot, into: Spot, len: u64) -> Result<Move, Obstacle> {
    let (
        Spot::Device { buffer: from, offset: from_offset, address: source, .. },
        Spot::Device { buffer: into, offset: into_offset, address: destination, .. },
    ) = (from, into)
    else {
        return Err(Fault::Unsupported("the vulkan engine copies to and from devices only").into());
    };
    let is_buffer = |buffer| buffer != ash::vk::Buffer::null();
    match (source, destination) {
        _ if is_buffer(from) && is_buffer(into) => {
            Ok(Move::Command(BufferCopy { from: (from, from_offset), into: (into, into_offset), len }))
        }
        (Some(source), Some(destination)) => {
            // Parts are shorter than what fits: see `CopyBytes::MOST`.
            Ok(Move::Shader(CopyBytes { source, destination, len: len as u32, reserved: 0 }))
        }
        _ => Err(Fault::Unsupported(
            "a copy between a buffer without an address and an address without a buffer",
        )
        .into()),
    }
}

/// Copies of ours go in no order, so they must not run into themselves.
fn refuse_overlap(from: Spot, into: Spot) -> Result<(), Obstacle> {
    let (
        Spot::Device { buffer: a, offset: at, address: from, len },
        Spot::Device { buffer: b, offset: bt, address: into, .. },
    ) = (from, into)
    else {
        return Ok(());
    };
    let near = |a: u64, b: u64| a.abs_diff(b) < len;
    let by_buffer = a == b && a != ash::vk::Buffer::null() && near(at, bt);
    let by_address = from.zip(into).is_some_and(|(from, into)| near(from, into));
    if by_buffer || by_address {
        return Err(Fault::Unsupported("a copy between ranges that overlap").into());
    }
    Ok(())
}

impl Spot {
    /// The same place, from `start` on.
    fn from(self, start: u64) -> Self {
        match self {
            Self::Device { buffer, offset, address, len } => Self::Device {
                buffer,
                offset: offset + start,
                address: address.map(|address| address + start),
                len: len - start,
            },
            Self::Host(bytes) => Self::Host(bytes),
        }
    }
}
