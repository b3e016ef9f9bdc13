//! Decoding alone: tiles from device memory into device memory, in one dispatch, or by the driver.

use core::ops::Range;

use ash::vk;

use super::work::Work;
use super::{TimedError, Timing};
use crate::device::Device;
use crate::engine::commands::{BufferCopy, Commands, scope};
use crate::engine::config::DecoderPath;
use crate::error::CallError;
use crate::gdeflate::trusted::{Region, region};
use crate::gdeflate::{self, Decoder, Tile, UNTOUCHED, scratch_bytes, verdict};
use crate::memory::allocation::Allocation;
use crate::memory::gpu_buffer::GpuBuffer;
use crate::memory::types::Purpose;

/// Where a tile's payload lies in the input buffer, and where its content goes in the output buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileSpan {
    /// Bytes of the input buffer; they begin at a multiple of 4.
    pub payload: Range<u64>,
    /// Bytes of the output buffer.
    pub content: Range<u64>,
}

/// Tiles that are decoded again and again, all in one dispatch of the shader, or in one command of the driver's.
pub struct TimedDecode {
    work: Work,
    decoder: Tiles,
    /// What the tiles lie in.
    buffers: [GpuBuffer; 2],
}

/// The tiles, as whoever decodes them wants to have them.
enum Tiles {
    Shader(Shader),
    /// The driver.
    Driver(Vec<Region>),
}

/// Descriptors and status words lie in device memory, and are brought there and back outside of the time that is measured.
struct Shader {
    decoder: Decoder,
    tiles: usize,
    /// Descriptors, then a status word for each: as they are before a run, and where the shader has them.
    before: Allocation,
    table: Allocation,
    /// Status words after a run.
    statuses: Allocation,
    scratch: Allocation,
}

impl TimedDecode {
    /// Prepares to decode these tiles. Without any, what is timed is the submission itself.
    ///
    /// By [`DecoderPath::Trusted`] the driver decodes them, in device memory as they are, which an engine never has it do: it reports
    /// no errors. The device was opened for that.
    ///
    /// Where two tiles' content overlaps, some mixture of it will be there.
    ///
    /// # Errors
    /// [`TimedError`]: a tile that lies elsewhere, too many of them, no such driver, or what it says.
    pub fn new(
        input: &GpuBuffer,
        output: &GpuBuffer,
        spans: &[TileSpan],
        path: DecoderPath,
    ) -> Result<Self, TimedError> {
        let device = output.device();
        let tiles = descriptors(input, output, spans)?;
        let decoder = match path {
            DecoderPath::Trusted => Tiles::Driver(regions(device, &tiles)?),
            _ => Tiles::Shader(Shader::new(device, &tiles, path)?),
        };
        let work = Work::new(device, device.inner.queues.main())?;
        let mut this = Self { work, decoder, buffers: [input.clone(), output.clone()] };
        this.reset()?;
        Ok(this)
    }

    /// Has the shader find its descriptors, and no status words.
    fn reset(&mut self) -> Result<(), CallError> {
        match &self.decoder {
            Tiles::Shader(shader) if shader.tiles > 0 => {
                let (before, table) = (&shader.before, &shader.table);
                let all = BufferCopy { from: (before.buffer, 0), into: (table.buffer, 0), len: table.size };
                self.work.run(|commands| commands.copy(&[all]))
            }
            _ => Ok(()),
        }
    }

    /// Its device.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.buffers[1].device()
    }

    /// Decodes all tiles once. What came of it [`verdict`](Self::verdict) tells.
    ///
    /// # Errors
    /// What the driver says.
    pub fn run(&mut self) -> Result<Timing, CallError> {
        self.reset()?;
        match &self.decoder {
            Tiles::Shader(shader) => self.work.time(|commands| shader.record(commands)),
            Tiles::Driver(regions) => self.work.time(|commands| {
                if !regions.is_empty() {
                    commands.decompress(regions);
                }
            }),
        }
    }

    /// What the last run made of the tiles, as far as it is told: the shader has a word for each, the driver none at all.
    ///
    /// # Errors
    /// [`TimedError::Tile`]: what is wrong with the first tile that is not well; or what the driver says.
    pub fn verdict(&mut self) -> Result<(), TimedError> {
        match &self.decoder {
            Tiles::Shader(shader) => shader.verdict(&mut self.work),
            Tiles::Driver(_) => Ok(()),
        }
    }
}

impl Shader {
    fn new(device: &Device, tiles: &[Tile], path: DecoderPath) -> Result<Self, TimedError> {
        let decoder = Decoder::new(device, path)?;
        let most = device.inner.limits.max_compute_work_group_count[0];
        if u32::try_from(tiles.len()).is_ok_and(|tiles| decoder.workgroups(tiles) > most)
            || tiles.len() > u32::MAX as usize
        {
            return Err(TimedError::TooManyTiles { tiles: tiles.len(), most });
        }
        let new = |size, purpose| Allocation::new(device, size, vk::BufferUsageFlags::empty(), purpose);
        let (table_len, words_len) = (table_len(tiles.len()), words_len(tiles.len()));
        let mut before = new(table_len + words_len, Purpose::Upload)?;
        fill(&mut before, tiles);
        Ok(Self {
            decoder,
            tiles: tiles.len(),
            before,
            table: new(table_len + words_len, Purpose::Device)?,
            statuses: new(words_len, Purpose::Readback)?,
            scratch: new(scratch_bytes(tiles.len() as u32), Purpose::Device)?,
        })
    }

    fn record(&self, commands: &mut Commands) {
        let count = self.tiles as u32;
        let dispatch = gdeflate::Dispatch {
            tiles: self.table.address,
            status: self.table.address + table_len(self.tiles),
            scratch: self.scratch.address,
            tile_count: count,
            reserved: 0,
        };
        if count > 0 {
            commands.dispatch(self.decoder.pipeline, &dispatch, self.decoder.workgroups(count));
        }
    }

    fn verdict(&self, work: &mut Work) -> Result<(), TimedError> {
        if self.tiles == 0 {
            return Ok(());
        }
        let words = BufferCopy {
            from: (self.table.buffer, table_len(self.tiles)),
            into: (self.statuses.buffer, 0),
            len: words_len(self.tiles),
        };
        work.run(|commands| {
            commands.copy(&[words]);
            commands.barrier(scope::COPY_WRITE, scope::HOST_READ);
        })?;
        let Some(start) = self.statuses.mapped else { return Ok(()) };
        // SAFETY: the memory holds a word for each tile, is mapped and aligned as drivers align mappings, and was just written by the
        // device, which is through with it.
        let words = unsafe { core::slice::from_raw_parts(start.cast::<u32>().as_ptr(), self.tiles) };
        let verdict = |(tile, &word)| verdict(tile, word).map_err(|fault| TimedError::Tile { tile, fault });
        words.iter().enumerate().try_for_each(verdict)
    }
}

/// The tiles as the driver takes them.
fn regions(device: &Device, tiles: &[Tile]) -> Result<Vec<Region>, TimedError> {
    if device.inner.decompression.is_none() {
        return Err(TimedError::NoDriver);
    }
    let taken = |(tile, span)| region(span).ok_or(TimedError::Span { tile });
    tiles.iter().enumerate().map(taken).collect()
}

const fn table_len(tiles: usize) -> u64 {
    tiles as u64 * Tile::SIZE
}

const fn words_len(tiles: usize) -> u64 {
    tiles as u64 * 4
}

/// Checks where tiles lie, and says it as the shader reads it.
fn descriptors(input: &GpuBuffer, output: &GpuBuffer, spans: &[TileSpan]) -> Result<Vec<Tile>, TimedError> {
    let (Some(from), Some(into), true) =
        (input.address(), output.address(), input.device() == output.device())
    else {
        return Err(TimedError::Buffer);
    };
    let len = |range: &Range<u64>, size: u64| {
        let len = range.end.checked_sub(range.start).filter(|_| range.end <= size)?;
        u32::try_from(len).ok()
    };
    let tile = |(tile, TileSpan { payload, content }): (usize, &TileSpan)| {
        let lens = len(payload, input.size()).zip(len(content, output.size()));
        match lens.filter(|_| (from + payload.start).is_multiple_of(4)) {
            Some((source_len, destination_len)) => {
                Ok(Tile::new(from + payload.start, source_len, into + content.start, destination_len))
            }
            None => Err(TimedError::Span { tile }),
        }
    };
    spans.iter().enumerate().map(tile).collect()
}

/// Writes descriptors and untouched status words.
fn fill(before: &mut Allocation, tiles: &[Tile]) {
    let Some(start) = before.mapped else { return };
    // SAFETY: the memory has room for as many and for their words, is mapped and aligned as drivers align mappings, and the device
    // does not know it yet.
    unsafe { core::ptr::copy_nonoverlapping(tiles.as_ptr(), start.cast().as_ptr(), tiles.len()) };
    // SAFETY: as above: the words follow.
    let words = unsafe { start.add(table_len(tiles.len()) as usize) };
    // SAFETY: as above.
    unsafe { core::slice::from_raw_parts_mut(words.cast::<u32>().as_ptr(), tiles.len()) }.fill(UNTOUCHED);
}
