//! What one submission is made of, and what is to be answered when it is over.

use core::ptr::NonNull;

use ash::vk;
use ds_core::{DecodeStep, Done, Fault, Path};
use ds_engine::{Finished, HostBytes, JobId};

use super::arena::Arena;
use super::commands::{BufferCopy, Commands, scope};
use super::plan::Work;
use super::slot::{Slot, Words};
use crate::error::CallError;
use crate::gdeflate::trusted::Region;
use crate::gdeflate::{self, Decoder, HostStream, StreamTable, Tile, UNTOUCHED};
use crate::memory::allocation::View;
use crate::memory::host_buffer::Hold;
use crate::memory::pool::Piece;
use crate::pipeline::constants::{CopyBytes, Whole};

/// Copies, dispatches and answers, in no order yet. Used again from submission to submission, so that its vectors grow no more.
#[derive(Default)]
pub(crate) struct Batch {
    /// Into our own memory, for shaders, on the queue for transfers.
    pub(crate) uploads: Vec<BufferCopy>,
    /// Between places as they are, on the queue for transfers.
    pub(crate) transfers: Vec<BufferCopy>,
    /// Between places as they are.
    pub(crate) copies: Vec<BufferCopy>,
    /// The same by a shader, where there is an address and no buffer.
    pub(crate) shader_copies: Vec<CopyBytes>,
    /// Of what shaders have made, to where it is wanted.
    pub(crate) results: Vec<BufferCopy>,
    /// Passes over tables; each fills some of `tiles`.
    pub(crate) tables: Vec<StreamTable>,
    pub(crate) tiles: Vec<Tile>,
    /// Tiles that the driver decodes, and nobody hears how.
    pub(crate) regions: Vec<Region>,
    /// Transforms of whole inputs: pipeline, constants, workgroups.
    pub(crate) wholes: Vec<(vk::Pipeline, Whole, u32)>,
    /// What further words are to hold beforehand.
    pub(crate) words: Vec<u32>,
    /// Memory that is in use until the submission is over.
    pub(crate) pieces: Vec<Piece>,
    /// Those of them that host bytes are copied to, and that packed bytes are uploaded to.
    pub(crate) staged: Arena,
    pub(crate) packed: Arena,
    /// The application's, likewise.
    pub(crate) holds: Vec<Hold>,
    pub(crate) parts: Vec<Part>,
    /// Bytes moved or made.
    pub(crate) bytes: u64,
    /// Bytes that the thread which plans has copied.
    pub(crate) copied: u64,
    /// Bytes that are uploaded for shaders.
    pub(crate) uploaded: u64,
    /// The last submission that has an earlier part of a job that is in this one.
    pub(crate) behind: u64,
}

/// How much is in a batch.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    uploads: usize,
    /// The length of the last of them.
    last_upload: u64,
    transfers: usize,
    copies: usize,
    shader_copies: usize,
    results: usize,
    tables: usize,
    tiles: usize,
    regions: usize,
    wholes: usize,
    words: usize,
    pieces: usize,
    holds: usize,
    parts: usize,
    staged: Arena,
    packed: Arena,
    bytes: u64,
    copied: u64,
    uploaded: u64,
}

/// A job's part in a submission.
pub(crate) struct Part {
    pub(crate) id: JobId,
    pub(crate) path: Path,
    pub(crate) verdict: Verdict,
    /// What is to be copied to the application's memory, if all is well.
    pub(crate) readback: Option<Readback>,
    /// Whether the job is answered with this; if not, later parts answer it.
    pub(crate) last: bool,
    /// Bytes of output of the transform that is answered with this.
    pub(crate) content: u64,
}

/// Bytes on their way to the application's memory.
pub(crate) struct Readback {
    pub(crate) from: Piece,
    pub(crate) into: HostBytes,
}

/// How to see what came of it.
pub(crate) enum Verdict {
    /// It is known.
    Known(Result<Done, Fault>),
    /// A status word of each tile tells, of `at` and those behind it in the batch, and one of the stream if only the device sees it.
    Tiles { at: usize, count: usize, first: usize, stream: Stream, good: DecodeStep },
    /// One word tells: 0, or the number that a transform refused its input with.
    Word { word: usize, good: DecodeStep },
}

/// Who knows what of a stream.
pub(crate) enum Stream {
    /// The host has seen header and table.
    Host(HostStream),
    /// The device has; this word tells what it thinks of them.
    Device(usize),
}

impl Batch {
    /// How much is in it now.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            uploads: self.uploads.len(),
            last_upload: self.uploads.last().map_or(0, |copy| copy.len),
            transfers: self.transfers.len(),
            copies: self.copies.len(),
            shader_copies: self.shader_copies.len(),
            results: self.results.len(),
            tables: self.tables.len(),
            tiles: self.tiles.len(),
            regions: self.regions.len(),
            wholes: self.wholes.len(),
            words: self.words.len(),
            pieces: self.pieces.len(),
            holds: self.holds.len(),
            parts: self.parts.len(),
            staged: self.staged,
            packed: self.packed,
            bytes: self.bytes,
            copied: self.copied,
            uploaded: self.uploaded,
        }
    }

    /// Takes out what has been put in since; its memory goes back to the pools.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.uploads.truncate(mark.uploads);
        if let Some(last) = self.uploads.last_mut() {
            last.len = mark.last_upload;
        }
        self.transfers.truncate(mark.transfers);
        self.copies.truncate(mark.copies);
        self.shader_copies.truncate(mark.shader_copies);
        self.results.truncate(mark.results);
        self.tables.truncate(mark.tables);
        self.tiles.truncate(mark.tiles);
        self.regions.truncate(mark.regions);
        self.wholes.truncate(mark.wholes);
        self.words.truncate(mark.words);
        self.pieces.truncate(mark.pieces);
        self.holds.truncate(mark.holds);
        self.parts.truncate(mark.parts);
        (self.staged, self.packed) = (mark.staged, mark.packed);
        (self.bytes, self.copied, self.uploaded) = (mark.bytes, mark.copied, mark.uploaded);
    }

    /// Takes out everything; its memory goes back to the pools. The device is through with it.
    pub(crate) fn clear(&mut self) {
        self.back_to(Self::default().mark());
        self.behind = 0;
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Has the last upload go on to `len` more bytes that lie `between` bytes behind it on the host, at most, if there is room behind it
    /// on the device. Returns their address.
    pub(crate) fn lengthen_upload(&mut self, from: View, len: u64, between: u64) -> Option<u64> {
        let last = self.uploads.last_mut().filter(|last| last.from.0 == from.buffer)?;
        let gap = from.offset.checked_sub(last.from.1 + last.len).filter(|&gap| gap <= between)?;
        let piece = self.pieces.get(self.packed.piece)?.view();
        if (piece.buffer, piece.offset + self.packed.used) != (last.into.0, last.into.1 + last.len) {
            return None;
        }
        let start = self.packed.follow(gap, len)?;
        last.len += gap + len;
        Some(piece.from(start).address)
    }

    /// Answers a job without the device.
    pub(crate) fn answer(&mut self, work: &Work, result: Result<Done, Fault>) {
        self.parts.push(Part {
            id: work.id(),
            path: work.path(),
            verdict: Verdict::Known(result),
            readback: None,
            last: true,
            content: work.content(),
        });
    }

    /// Bytes of output of the transforms that are answered with this.
    pub(crate) fn content(&self) -> u64 {
        self.parts.iter().map(|part| part.content).sum()
    }

    /// A word that shaders write, which holds `before` until then. Its place and address.
    pub(crate) fn word(&mut self, slot: &Slot, before: u32) -> Option<(usize, u64)> {
        let at = slot.further_word(self.words.len())?;
        self.words.push(before);
        Some(at)
    }

    /// Room for so many tiles more.
    pub(crate) const fn room_for_tiles(&self) -> usize {
        Slot::TILES - self.tiles.len()
    }

    /// Records everything, for the queue for transfers and for the one that computes. Returns which of the two have anything to do.
    pub(crate) fn record(&self, slot: &mut Slot, pipelines: &Pipelines) -> Result<Recorded, CallError> {
        slot.reserve_scratch(self.tiles.len())?;
        // Passes over tables write to the places they were told.
        slot.write_tiles(&self.tiles, !self.tables.is_empty());
        slot.write_words(self.tiles.len(), UNTOUCHED, &self.words);
        let recorded = self.lanes();
        if recorded.transfer {
            slot.transfer.begin()?;
            self.record_transfer(&mut slot.transfer);
        }
        if recorded.main {
            let dispatch = gdeflate::Dispatch {
                tiles: slot.tiles_address(),
                status: slot.words_address(),
                scratch: slot.scratch_address(),
                tile_count: self.tiles.len() as u32,
                reserved: 0,
            };
            slot.main.begin()?;
            self.record_main(&mut slot.main, pipelines, &dispatch);
        }
        Ok(recorded)
    }

    const fn lanes(&self) -> Recorded {
        let idle = self.copies.is_empty()
            && self.shader_copies.is_empty()
            && self.tiles.is_empty()
            && self.regions.is_empty()
            && self.wholes.is_empty()
            && self.tables.is_empty();
        Recorded { transfer: !self.uploads.is_empty() || !self.transfers.is_empty(), main: !idle }
    }

    fn record_transfer(&self, transfer: &mut Commands) {
        transfer.barrier(scope::ALL, scope::ALL);
        // Shaders wait for uploads: these go first.
        transfer.copy(&self.uploads);
        transfer.copy(&self.transfers);
        if !self.transfers.is_empty() {
            transfer.barrier(scope::COPY_WRITE, scope::HOST_READ);
        }
    }

    fn record_main(&self, main: &mut Commands, pipelines: &Pipelines, dispatch: &gdeflate::Dispatch) {
        main.barrier(scope::ALL, scope::ALL);
        main.copy(&self.copies);
        for table in &self.tables {
            main.dispatch(pipelines.table, table, table.workgroups());
        }
        if !self.tables.is_empty() {
            main.barrier(scope::SHADER_WRITE, scope::SHADER_READ);
        }
        if dispatch.tile_count > 0 {
            let groups = pipelines.decoder.workgroups(dispatch.tile_count);
            main.dispatch(pipelines.decoder.pipeline, dispatch, groups);
        }
        if !self.regions.is_empty() {
            main.decompress(&self.regions);
            main.barrier(scope::ALL, scope::both(scope::COPY_READ, scope::HOST_READ));
        }
        for (pipeline, whole, groups) in &self.wholes {
            main.dispatch(*pipeline, whole, *groups);
        }
        for copy in &self.shader_copies {
            main.dispatch(pipelines.copy, copy, CopyBytes::workgroups(copy.len));
        }
        if !self.results.is_empty() {
            main.barrier(scope::SHADER_WRITE, scope::COPY_READ);
            main.copy(&self.results);
        }
        main.barrier(scope::both(scope::SHADER_WRITE, scope::COPY_WRITE), scope::HOST_READ);
    }
}

/// Which queues have anything to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    pub(crate) transfer: bool,
    pub(crate) main: bool,
}

/// The pipelines that every batch may use.
pub(crate) struct Pipelines {
    pub(crate) decoder: Decoder,
    pub(crate) table: vk::Pipeline,
    pub(crate) copy: vk::Pipeline,
    pub(crate) uppercase: vk::Pipeline,
}

impl Part {
    /// What to answer, if this answers the job. The submission is over; its words are these.
    pub(crate) fn finish(self, fault: Option<Fault>, words: &Words<'_>) -> Option<Finished> {
        let result = match fault {
            // What was known beforehand stays true.
            Some(fault) if !matches!(self.verdict, Verdict::Known(Err(_))) => Err(fault),
            _ => self.verdict.see(words),
        };
        if let (Ok(_), Some(Readback { from, into })) = (&result, &self.readback)
            && let Some(mapped) = from.mapped()
        {
            copy_out(mapped, *into);
        }
        self.last.then_some(Finished { id: self.id, result, path: self.path })
    }
}

/// Copies to the application's memory what the device has left for it.
fn copy_out(from: NonNull<u8>, into: HostBytes) {
    // SAFETY: the job has not been answered, so the memory is there and is ours alone; the piece is as long, and the device is
    // through with it. They do not overlap: one is the driver's, the other the application's.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), into.as_ptr(), into.len()) };
}

impl Verdict {
    fn see(self, words: &Words<'_>) -> Result<Done, Fault> {
        match self {
            Self::Known(result) => result,
            Self::Tiles { at, count, first, stream, good } => {
                if let Stream::Device(word) = stream {
                    gdeflate::stream_verdict(words.further(word))?;
                }
                let refused =
                    (0..count).find_map(|n| gdeflate::verdict(first + n, words.of_tile(at + n)).err());
                match (refused, stream) {
                    (None, _) => Ok(Done::Decoded(good)),
                    (Some(fault), Stream::Host(stream)) => Err(stream.explain(fault)),
                    (Some(fault), Stream::Device(_)) => Err(fault),
                }
            }
            Self::Word { word, good } => match words.further(word) {
                0 => Ok(Done::Decoded(good)),
                number => Err(Fault::Corrupt(ds_core::Corrupt {
                    reason: ds_core::CorruptReason::Custom,
                    tile: None,
                    position: 0,
                    expected: 0,
                    actual: number.into(),
                })),
            },
        }
    }
}
