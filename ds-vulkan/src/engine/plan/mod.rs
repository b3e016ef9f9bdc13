//! From jobs to what a submission does: where bytes come from, where they go, and how much of it this time.
//!
//! Nothing is done that does not fit: what a plan that finds no memory has put into the batch is taken out again, and the job waits.

mod codec;
mod copy;

use core::ptr::NonNull;
use std::sync::Arc;

use ash::vk;
use ds_core::{Fault, Path, Transform};
use ds_engine::{CodecJob, CopyJob, HostBytes, JobId, Place};

use super::arena::Arena;
use super::batch::{Batch, Pipelines, Readback};
use super::commands::BufferCopy;
use super::config::{DecoderPath, VulkanConfig};
use super::flight::Flight;
use super::lane::End;
use crate::device::Device;
use crate::error::CallError;
use crate::memory::allocation::View;
use crate::memory::import::Import;
use crate::memory::pool::{Piece, Pool};
use crate::memory::registry::Object;
use crate::memory::types::Purpose;

/// A job, and how far it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// A copy, of which so many bytes have been planned, the last of them in that submission.
    Copy { job: CopyJob, done: u64, last: u64, cancelled: bool },
    /// A step of a transform.
    Step { job: CodecJob, cancelled: bool },
}

impl From<CopyJob> for Work {
    fn from(job: CopyJob) -> Self {
        Self::Copy { job, done: 0, last: 0, cancelled: false }
    }
}

impl From<CodecJob> for Work {
    fn from(job: CodecJob) -> Self {
        Self::Step { job, cancelled: false }
    }
}

impl Work {
    pub(crate) const fn id(&self) -> JobId {
        match self {
            Self::Copy { job, .. } => job.id,
            Self::Step { job, .. } => job.id,
        }
    }

    /// Bytes of output, if it is a step of a transform.
    pub(crate) const fn content(&self) -> u64 {
        match self {
            Self::Copy { .. } => 0,
            Self::Step { job, .. } => job.into.len(),
        }
    }

    /// Has it answered as cancelled when its turn comes. What of it has been submitted goes on.
    pub(crate) const fn cancel(&mut self) {
        match self {
            Self::Copy { cancelled, .. } | Self::Step { cancelled, .. } => *cancelled = true,
        }
    }

    /// The bit that goes into its answer.
    pub(crate) fn path(&self) -> Path {
        match self {
            Self::Copy { .. } => Path::COPY_VULKAN,
            Self::Step { job: CodecJob { transform: Transform::Custom(_), .. }, .. } => {
                Path::CODEC_VULKAN | Path::CODEC_CUSTOM
            }
            Self::Step { .. } => Path::CODEC_VULKAN,
        }
    }

    /// The last submission that has a part of it, or 0.
    const fn last(&self) -> u64 {
        match self {
            Self::Copy { last, .. } => *last,
            Self::Step { .. } => 0,
        }
    }

    const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Copy { cancelled: true, .. } | Self::Step { cancelled: true, .. })
    }
}

/// What planning came to.
pub(crate) enum Planned {
    /// All of it is in the batch.
    All,
    /// Some is; the rest goes on later.
    Some(Work),
    /// There is no room for any of it now.
    None(Work),
}

/// Why a plan has to wait or cannot be.
enum Obstacle {
    NoRoom,
    Fault(Fault),
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<CallError> for Obstacle {
    fn from(error: CallError) -> Self {
        Self::Fault(fault_of(error))
    }
}

/// What a call that failed means for the job it was for.
pub(crate) fn fault_of(error: CallError) -> Fault {
    if error.is_device_lost() {
        Fault::DeviceLost
    } else if error.is_out_of_memory() {
        Fault::OutOfMemory
    } else {
        log::error!("{error}");
        Fault::Unsupported("the device's driver refused: see the log")
    }
}

/// Memory and pipelines that plans draw on.
pub(crate) struct Means {
    device: Device,
    config: VulkanConfig,
    pub(crate) pipelines: Pipelines,
    /// The runtime's staging memory, seen by the device.
    import: Option<Import>,
    uploads: Arc<Pool>,
    readbacks: Arc<Pool>,
    memory: Arc<Pool>,
    /// The device's memory that the host writes, if it is to.
    direct: Option<Arc<Pool>>,
    /// The most bytes that a submission uploads for shaders, a third of the memory for that: of a large stream one part is uploaded while
    /// another is decoded, and a third is planned.
    pub(crate) most_uploaded: u64,
    /// Whether shaders may as well read and write what the host sees: there is but one memory.
    unified: bool,
    /// Whether transfers have a queue of their own.
    separate: bool,
    /// Whether the driver decodes what it can.
    trusted: bool,
}

/// The most bytes of one copy that takes no memory of ours: others are to have their turn.
const COPY: u64 = 64 << 20;

/// Most bytes that are uploaded for nothing, so that two copies are one: a stream's header and table.
const MOST_BETWEEN: u64 = 4 << 10;

/// The address of no bytes.
const NOWHERE: u64 = 0;

/// Where a job's bytes are, on this device.
#[derive(Clone, Copy)]
enum Spot {
    Host(HostSpot),
    Device(DeviceSpot),
}

/// Bytes that the host has, and where the device finds them if it sees them as they lie.
#[derive(Clone, Copy)]
struct HostSpot {
    bytes: HostBytes,
    view: Option<View>,
}

impl HostSpot {
    /// `len` of these bytes, from `start` on, or none if they are not all inside.
    fn part(self, start: u64, len: u64) -> Self {
        match self.bytes.part(start, len) {
            Some(bytes) => Self { bytes, view: self.view.map(|view| view.from(start)) },
            None => Self { bytes: HostBytes::EMPTY, view: None },
        }
    }

    /// What the device sees of them, if it does.
    fn seen(self) -> Option<DeviceSpot> {
        self.view.map(|view| DeviceSpot::of_host(view, self.bytes.len() as u64))
    }
}

/// Bytes that the device has, or has a view of.
#[derive(Clone, Copy)]
struct DeviceSpot {
    /// Null where there is an address only.
    buffer: vk::Buffer,
    offset: u64,
    /// None where there is a buffer only.
    address: Option<u64>,
    len: u64,
    end: End,
}

impl DeviceSpot {
    /// `len` bytes of host memory.
    const fn of_host(View { buffer, offset, address }: View, len: u64) -> Self {
        Self { buffer, offset, address: Some(address), len, end: End::Host }
    }

    /// The same bytes, from `start` on.
    fn from(self, start: u64) -> Self {
        Self {
            offset: self.offset + start,
            address: self.address.map(|address| address + start),
            len: self.len - start,
            ..self
        }
    }
}

/// Whether transfers have a queue of their own.
pub(crate) fn is_separate(device: &Device, config: &VulkanConfig) -> bool {
    let queues = &device.inner.queues;
    config.as_card || queues.transfer.raw != queues.main().raw
}

impl Means {
    /// # Safety
    /// The staging memory stays mapped where it is until this is dropped.
    pub(crate) unsafe fn new(
        device: &Device,
        config: VulkanConfig,
        pipelines: Pipelines,
        staging: NonNull<[u8]>,
    ) -> Self {
        let pool =
            |purpose, block, blocks: core::num::NonZeroUsize| Pool::new(device, purpose, block, blocks.get());
        let staged = |purpose| pool(purpose, config.staging_block, config.staging_blocks);
        // SAFETY: the caller vouches for the memory.
        let import = if config.import { unsafe { Import::new(device, staging) } } else { None };
        Self {
            uploads: staged(Purpose::Upload),
            readbacks: staged(Purpose::Readback),
            memory: pool(Purpose::Device, config.device_block, config.device_blocks),
            direct: config
                .uploads_directly(device)
                .then(|| pool(Purpose::Direct, config.device_block, config.device_blocks)),
            import,
            unified: config.is_unified(device),
            trusted: config.path == DecoderPath::Trusted,
            most_uploaded: (config.device_block as u64).saturating_mul(config.device_blocks.get() as u64) / 3,
            separate: is_separate(device, &config),
            pipelines,
            device: device.clone(),
            config,
        }
    }

    /// Plans a job.
    pub(crate) fn plan(&self, flight: &mut Flight, work: Work) -> Planned {
        let Flight { slot, batch, value, .. } = flight;
        let mark = batch.mark();
        let planned = match work {
            _ if self.device.is_lost() => Err(Obstacle::Fault(Fault::DeviceLost)),
            _ if work.is_cancelled() => Err(Obstacle::Fault(Fault::Cancelled)),
            Work::Copy { job, done, .. } => copy::plan(self, batch, job, done),
            Work::Step { job, .. } => codec::plan(self, batch, slot, job).map(|()| None),
        };
        if !matches!(planned, Err(Obstacle::NoRoom)) && work.last() < *value {
            // It is not answered before what of it was submitted earlier is over.
            batch.behind = batch.behind.max(work.last());
        }
        match planned {
            Ok(None) => Planned::All,
            Ok(Some((job, done))) => Planned::Some(Work::Copy { job, done, last: *value, cancelled: false }),
            Err(Obstacle::NoRoom) => {
                batch.back_to(mark);
                Planned::None(work)
            }
            Err(Obstacle::Fault(fault)) => {
                batch.back_to(mark);
                batch.answer(&work, Err(fault));
                Planned::All
            }
        }
    }

    /// The most bytes that one plan has of either memory at once: a quarter of a block, so that what an idle engine has is always enough.
    pub(crate) fn share(&self) -> u64 {
        self.uploads.longest().min(self.memory.longest()) / 4
    }

    /// The most bytes that one plan copies to or from there.
    fn copy_share(&self, host: HostSpot) -> u64 {
        if host.view.is_some() { COPY } else { self.share() }
    }

    /// The most bytes that one plan has shaders read from there at once.
    fn input_share(&self, from: HostSpot) -> u64 {
        match from.view {
            Some(_) if self.unified => u64::MAX,
            Some(_) if self.direct.is_none() => self.memory.longest() / 4,
            _ => self.share(),
        }
    }

    /// The most bytes that one plan has shaders write there.
    fn output_share(&self, into: Spot) -> u64 {
        match into {
            Spot::Device(DeviceSpot { address: Some(_), .. }) => u64::MAX,
            _ => self.share().min(self.readbacks.longest() / 4),
        }
    }

    fn spot(&self, place: Place, batch: &mut Batch) -> Result<Spot, Fault> {
        match place {
            Place::Host(bytes) => Ok(Spot::Host(HostSpot { bytes, view: self.imported(bytes) })),
            Place::Device { device, handle, offset, len } if device == self.device.id() => {
                let gone = Fault::Unsupported("a device buffer that is not there any more");
                self.named(self.device.inner.buffers.find(handle).ok_or(gone)?, offset, len, batch)
            }
            Place::Device { .. } => Err(Fault::Unsupported("memory of another device")),
        }
    }

    /// A range of something that has a name.
    fn named(&self, object: Object, offset: u64, len: u64, batch: &mut Batch) -> Result<Spot, Fault> {
        let outside = Fault::Unsupported("a range outside of the device buffer");
        let known = match object {
            Object::Device(known) => known,
            Object::Host(memory) => {
                let unlent = Fault::Unsupported("host memory that no request has");
                let hold = memory.hold().ok_or(unlent)?;
                let (bytes, view) = hold.part(offset, len).ok_or(outside)?;
                batch.holds.push(hold);
                return Ok(Spot::Host(HostSpot { bytes, view: Some(view) }));
            }
        };
        if offset.checked_add(len).is_none_or(|end| end > known.size) {
            return Err(outside);
        }
        let address = known.address.map(|address| address + offset);
        let end = End::Device { shared: known.shared };
        Ok(Spot::Device(DeviceSpot { buffer: known.buffer, offset, address, len, end }))
    }

    fn piece(&self, pool: &Arc<Pool>, len: u64) -> Result<Piece, Obstacle> {
        pool.take(len)?.ok_or(Obstacle::NoRoom)
    }

    /// Takes memory of one of the batch's arenas, and says where in its piece that begins. When one is full there is another.
    fn take(
        &self,
        pool: &Arc<Pool>,
        arena: impl Fn(&mut Batch) -> &mut Arena,
        len: u64,
        batch: &mut Batch,
    ) -> Result<u64, Obstacle> {
        if let Some(start) = arena(batch).take(len) {
            return Ok(start);
        }
        let chunk = Arena::CHUNK.min(self.share()).max(len);
        let piece = match pool.take(chunk)? {
            Some(piece) => piece,
            None => self.piece(pool, len)?,
        };
        *arena(batch) = Arena { piece: batch.pieces.len(), used: len, len: piece.len() as u64 };
        batch.pieces.push(piece);
        Ok(0)
    }

    /// Copies host bytes to where the device sees them: into a piece, from `start` on.
    fn fill(&self, bytes: HostBytes, piece: &Piece, start: u64, copied: &mut u64) {
        *copied += bytes.len() as u64;
        let into = piece.mapped().filter(|_| start + bytes.len() as u64 <= piece.len() as u64);
        debug_assert!(into.is_some());
        if let Some(mapped) = into {
            // SAFETY: the piece is longer than that.
            let into = unsafe { mapped.add(start as usize) };
            // SAFETY: the job has not been answered and these bytes have arrived, so they are there and nobody writes them; the
            // piece has room for them, is ours alone there, and not the application's memory.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), into.as_ptr(), bytes.len()) };
        }
    }

    /// Where the device finds these host bytes: in place, or in a copy, which then belongs to the batch.
    fn host_source(&self, HostSpot { bytes, view }: HostSpot, batch: &mut Batch) -> Result<View, Obstacle> {
        if let Some(view) = view {
            return Ok(view);
        }
        let len = bytes.len() as u64;
        let start = self.take(&self.uploads, |batch| &mut batch.staged, len, batch)?;
        let piece = &batch.pieces[batch.staged.piece];
        self.fill(bytes, piece, start, &mut batch.copied);
        Ok(piece.view().from(start))
    }

    /// Where the device can write what is to go to these host bytes: in place, or elsewhere, to be read back.
    fn host_target(&self, HostSpot { bytes, view }: HostSpot) -> Result<(View, Option<Readback>), Obstacle> {
        if let Some(view) = view {
            return Ok((view, None));
        }
        let piece = self.piece(&self.readbacks, bytes.len() as u64)?;
        Ok((piece.view(), Some(Readback { from: piece, into: bytes })))
    }

    fn imported(&self, bytes: HostBytes) -> Option<View> {
        self.import.as_ref().and_then(|import| import.find(bytes))
    }

    /// Brings `len` bytes of a source, from `start` on, to where shaders read them well, and says where that is.
    fn shader_input(
        &self,
        source: HostSpot,
        start: u64,
        len: u64,
        batch: &mut Batch,
    ) -> Result<u64, Obstacle> {
        let from = source.part(start, len);
        if from.bytes.is_empty() {
            return Ok(NOWHERE);
        }
        if let Some(direct) = &self.direct {
            let piece = self.piece(direct, len)?;
            self.fill(from.bytes, &piece, 0, &mut batch.copied);
            let View { address, .. } = piece.view();
            batch.pieces.push(piece);
            return Ok(address);
        }
        let host = self.host_source(from, batch)?;
        if self.unified {
            return Ok(host.address);
        }
        batch.uploaded += len;
        // What the job has before, or in a copy of ours lies between.
        let between = if from.view.is_some() { start } else { Arena::ALIGN };
        if let Some(address) = batch.lengthen_upload(host, len, between.min(MOST_BETWEEN)) {
            return Ok(address);
        }
        let start = self.take(&self.memory, |batch| &mut batch.packed, len, batch)?;
        let View { buffer, offset, address } = batch.pieces[batch.packed.piece].view().from(start);
        batch.uploads.push(BufferCopy { from: (host.buffer, host.offset), into: (buffer, offset), len });
        Ok(address)
    }

    /// Where shaders write `len` bytes that belong at `start` of a place. What it takes the device to bring them there is in the
    /// batch, and what it takes the host comes with the address.
    fn shader_output(
        &self,
        into: Spot,
        start: u64,
        len: u64,
        batch: &mut Batch,
    ) -> Result<(u64, Option<Readback>), Obstacle> {
        if len == 0 {
            return Ok((NOWHERE, None));
        }
        let (into, readback) = match into {
            Spot::Device(DeviceSpot { address: Some(address), .. }) => return Ok((address + start, None)),
            Spot::Device(spot) => ((spot.buffer, spot.offset + start), None),
            Spot::Host(spot) => {
                let (host, readback) = self.host_target(spot.part(start, len))?;
                if self.unified {
                    return Ok((host.address, readback));
                }
                ((host.buffer, host.offset), readback)
            }
        };
        let piece = self.piece(&self.memory, len)?;
        let View { buffer, offset, address } = piece.view();
        batch.results.push(BufferCopy { from: (buffer, offset), into, len });
        batch.pieces.push(piece);
        Ok((address, readback))
    }
}
