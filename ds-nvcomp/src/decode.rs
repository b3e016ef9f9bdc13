//! Tiles in device memory, decoded by nvCOMP into device memory.

use core::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use crate::device::{Context, Device, Memory, Moment};
use crate::library::{Alignments, Nvcomp, Options};
use crate::{Error, Timing};

/// Where a tile's payload lies in the input, and where its content goes in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Bytes of the input.
    pub payload: Range<usize>,
    /// Bytes of the output.
    pub content: Range<usize>,
}

/// Tiles that are decoded again and again, all in one call.
pub struct Decode {
    nvcomp: Nvcomp,
    context: Rc<Context>,
    tiles: usize,
    output: Memory,
    /// What is in the input, and does not change.
    _input: Memory,
    /// Addresses and sizes of payloads, then of contents.
    payloads: [Memory; 2],
    contents: [Memory; 2],
    /// What nvCOMP says it wrote, and how it went.
    written: Memory,
    statuses: Memory,
    temporary: Memory,
    moments: [Moment; 2],
}

/// A status that nvCOMP does not have: that of a tile it has not seen.
const UNTOUCHED: u8 = 0xFF;

impl Decode {
    pub(crate) fn new(device: &Device, packed: &[u8], output: usize, tiles: &[Tile]) -> Result<Self, Error> {
        let (nvcomp, context) = (&device.nvcomp, &device.context);
        context.enter()?;
        let input = Memory::of(context, packed)?;
        let output = Memory::new(context, output)?;
        let wanted = alignments(nvcomp)?;
        let is_in = |range: &Range<usize>, memory: &Memory, alignment: usize| {
            let start = memory.start as usize + range.start;
            range.start <= range.end && range.end <= memory.len() && start.is_multiple_of(alignment.max(1))
        };
        let lies_well = |tile: &Tile| {
            is_in(&tile.payload, &input, wanted.input) && is_in(&tile.content, &output, wanted.output)
        };
        if let Some(tile) = tiles.iter().position(|tile| !lies_well(tile)) {
            return Err(Error::Tile { tile });
        }
        let table = |of: fn(&Tile) -> &Range<usize>, start: u64| {
            let starts: Vec<u64> = tiles.iter().map(|tile| start + of(tile).start as u64).collect();
            let sizes: Vec<u64> = tiles.iter().map(|tile| of(tile).len() as u64).collect();
            Ok([Memory::of(context, &starts)?, Memory::of(context, &sizes)?])
        };
        let temporary = temporary_size(nvcomp, tiles)?;
        Ok(Self {
            nvcomp: nvcomp.clone(),
            context: Rc::clone(context),
            tiles: tiles.len(),
            payloads: table(|tile| &tile.payload, input.start)?,
            contents: table(|tile| &tile.content, output.start)?,
            output,
            _input: input,
            written: Memory::new(context, 8 * tiles.len())?,
            statuses: Memory::new(context, 4 * tiles.len())?,
            temporary: Memory::new(context, temporary)?,
            moments: [Moment::new(context)?, Moment::new(context)?],
        })
    }

    /// Decodes all tiles once. What came of it [`verdict`](Self::verdict) tells.
    ///
    /// # Errors
    /// A call that failed.
    pub fn run(&mut self) -> Result<Timing, Error> {
        self.statuses.fill(UNTOUCHED)?;
        // What was filled and copied before is over when this is.
        self.moments[0].record()?;
        self.moments[0].wait()?;
        self.context.enter()?;
        let [payloads, payload_sizes] = &self.payloads;
        let [contents, content_sizes] = &self.contents;
        let start = Instant::now();
        self.moments[0].record()?;
        // SAFETY: the tables are as long as is said and name memory that this holds, as was checked; the options are the header's
        // own; null is the default stream. What damaged tiles do on the device the caller answers for: see the crate.
        let code = unsafe {
            (self.nvcomp.functions.decompress)(
                payloads.start,
                payload_sizes.start,
                content_sizes.start,
                self.written.start,
                self.tiles,
                self.temporary.start,
                self.temporary.len(),
                contents.start,
                Options::DEFAULT,
                self.statuses.start,
                core::ptr::null_mut(),
            )
        };
        check(code, || "nvcompBatchedGdeflateDecompressAsync".to_owned())?;
        self.moments[1].record()?;
        self.moments[1].wait()?;
        let wall = start.elapsed();
        Ok(Timing { device: self.moments[1].since(&self.moments[0])?, wall })
    }

    /// What nvCOMP says about the tiles of the last run.
    ///
    /// # Errors
    /// [`Error::Nvcomp`] for the first tile that is not well; or a call that failed.
    pub fn verdict(&self) -> Result<(), Error> {
        let mut statuses = vec![0_u32; self.tiles];
        self.statuses.read(0, &mut statuses)?;
        let mut statuses = statuses.into_iter().enumerate();
        statuses.try_for_each(|(tile, status)| check(status, || format!("tile {tile}")))
    }

    /// Sets every byte of the output.
    ///
    /// # Errors
    /// A call that failed.
    pub fn poison(&mut self, byte: u8) -> Result<(), Error> {
        self.output.fill(byte)
    }

    /// Reads the output from an offset.
    ///
    /// # Errors
    /// A call that failed.
    ///
    /// # Panics
    /// If there are not as many bytes.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), Error> {
        self.output.read(offset, bytes)
    }
}

fn check(code: u32, what: impl FnOnce() -> String) -> Result<(), Error> {
    if code == 0 { Ok(()) } else { Err(Error::Nvcomp { what: what(), code }) }
}

fn alignments(nvcomp: &Nvcomp) -> Result<Alignments, Error> {
    let mut wanted = Alignments::default();
    // SAFETY: the alignments are written where they may be.
    let code = unsafe { (nvcomp.functions.alignments)(Options::DEFAULT, &raw mut wanted) };
    check(code, || "nvcompBatchedGdeflateDecompressGetRequiredAlignments".to_owned())?;
    Ok(wanted)
}

fn temporary_size(nvcomp: &Nvcomp, tiles: &[Tile]) -> Result<usize, Error> {
    let contents = tiles.iter().map(|tile| tile.content.len());
    let (largest, total) = (contents.clone().max().unwrap_or(0), contents.sum());
    let (mut size, stream) = (0, core::ptr::null_mut());
    let ask = nvcomp.functions.temporary_size;
    // SAFETY: the size is written where it may be; null is the default stream.
    let code = unsafe { ask(tiles.len(), largest, Options::DEFAULT, &raw mut size, total, stream) };
    check(code, || "nvcompBatchedGdeflateDecompressGetTempSize".to_owned())?;
    Ok(size)
}
