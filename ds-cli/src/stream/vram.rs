//! Into a device's memory, a window of it at a time: fill it, then read it back and verify.
//!
//! Reading back is what a program with its content on a device does not do, so only filling is timed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ds_runtime::vulkan::{Device, GpuBuffer};
use ds_runtime::{Completion, File, Request};

use super::pieces::Piece;
use super::report::{Fault, Report, cpu_time};
use super::{RunError, Streamer};
use crate::pack::Chunk;
use crate::poison::overwrite;

/// A chunk, and where in the window its content goes.
struct Placed {
    number: usize,
    chunk: Chunk,
    start: u64,
}

/// Device memory that is filled again and again.
#[derive(Debug)]
pub(super) struct Vram {
    pub(super) device: Device,
    /// Most bytes that it may have.
    most: u64,
    buffer: Option<GpuBuffer>,
}

impl Vram {
    pub(super) const fn new(device: Device, most: u64) -> Self {
        Self { device, most, buffer: None }
    }

    /// As much of it as there can be use for.
    fn window(&mut self, wanted: u64) -> Result<GpuBuffer, RunError> {
        let wanted = wanted.min(self.most).max(1);
        match &self.buffer {
            Some(buffer) if buffer.size() >= wanted => Ok(buffer.clone()),
            _ => {
                // The old one goes first: both at once might be too much.
                self.buffer = None;
                let buffer = GpuBuffer::new(&self.device, wanted).map_err(RunError::Memory)?;
                Ok(self.buffer.insert(buffer).clone())
            }
        }
    }
}

impl Streamer {
    /// Streams these chunks, numbered, into device memory.
    pub(super) fn run_into_vram(
        &mut self,
        file: &File,
        chunks: impl Iterator<Item = (usize, Chunk)>,
        content: u64,
        arrived: &mut impl FnMut(u64) -> bool,
    ) -> Result<Report, RunError> {
        let Some(vram) = &mut self.vram else { return Ok(Report::default()) };
        let window = vram.window(content)?;
        let (mut chunks, mut report, mut going) = (chunks.peekable(), Report::default(), true);
        let mut verifying = Duration::ZERO;
        while going && chunks.peek().is_some() {
            let (mut placed, mut end) = (Vec::new(), 0);
            while let Some((number, chunk)) = chunks
                .next_if(|(_, chunk)| placed.is_empty() || end + u64::from(chunk.raw_size) <= window.size())
            {
                placed.push(Placed { number, chunk, start: end });
                end += u64::from(chunk.raw_size);
            }
            overwrite(&window, end, |request| self.done(request))?;
            let paths_before = self.paths();
            let (start, cpu) = (Instant::now(), cpu_time());
            let failed = self.fill(file, &window, &placed, &mut report, &mut |bytes| {
                going = arrived(bytes) && going;
                going
            });
            report.wall += start.elapsed();
            report.cpu += cpu_time().saturating_sub(cpu);
            report.took_paths(&paths_before, self.paths());
            let start = Instant::now();
            self.verify(&window, placed, failed, &mut report)?;
            verifying += start.elapsed();
            if report.failed >= Report::ENOUGH_FAILED && going {
                (report.gave_up, going) = (true, false);
            }
        }
        report.verifying = Some(verifying);
        Ok(report)
    }

    /// One request, by itself.
    fn done(&self, request: Request) -> Result<Completion, RunError> {
        let ticket = self.queue.enqueue(request).map_err(|rejected| RunError::Request(rejected.error))?;
        self.queue.submit();
        ticket.wait().check().map_err(RunError::Request)
    }

    /// Has every chunk come to its place. Returns those that did not, with the reason.
    fn fill(
        &mut self,
        file: &File,
        window: &GpuBuffer,
        placed: &[Placed],
        report: &mut Report,
        arrived: &mut impl FnMut(u64) -> bool,
    ) -> Vec<(usize, Fault)> {
        let cut = self.cut;
        let mut pieces = placed.iter().enumerate().flat_map(|(index, placed)| {
            // As many as have room in a window; the format counts chunks in 32 bits.
            cut.pieces(index as u32, &placed.chunk).map(move |piece| (piece, placed))
        });
        let (mut in_flight, mut going, mut failed) = (0, true, Vec::new());
        loop {
            while going && in_flight < self.depth {
                let Some((piece, Placed { chunk, start, .. })) = pieces.next() else { break };
                report.requests += 1;
                let range = cut.range(piece, chunk);
                let into = window.range(start + range.start..start + range.end);
                let request = super::request(file, chunk, &range).into_device(into).tag(piece.tag());
                match self.queue.post(request) {
                    Ok(_) => in_flight += 1,
                    Err(rejected) => {
                        failed.push((piece.chunk as usize, Fault::Request(rejected.error)));
                        going = arrived(range.end - range.start) && going;
                    }
                }
            }
            if in_flight == 0 {
                return failed;
            }
            // Without a timeout it waits as long as it takes.
            let _ = self.queue.wait_any(None);
            for completion in self.queue.take_completed(in_flight) {
                in_flight -= 1;
                let piece = Piece::from_tag(completion.tag);
                let range = cut.range(piece, &placed[piece.chunk as usize].chunk);
                report.completed(&completion);
                if let Err(error) = completion.result {
                    failed.push((piece.chunk as usize, Fault::Request(error)));
                }
                going = arrived(range.end - range.start) && going;
            }
        }
    }

    /// Reads back what is there, and compares checksums.
    fn verify(
        &mut self,
        window: &GpuBuffer,
        placed: Vec<Placed>,
        failed: Vec<(usize, Fault)>,
        report: &mut Report,
    ) -> Result<(), RunError> {
        let mut bad: BTreeMap<_, _> = failed.into_iter().rev().collect();
        let mut under_way = VecDeque::new();
        let mut chunks = placed.into_iter().enumerate();
        loop {
            while under_way.len() < self.depth {
                let Some((index, placed)) = chunks.next() else { break };
                if let Some(fault) = bad.remove(&index) {
                    report.verdict(placed.number as u32, &placed.chunk, Some(Err(fault)));
                    continue;
                }
                let end = placed.start + u64::from(placed.chunk.raw_size);
                let request = Request::from_device(window.range(placed.start..end));
                let request = request.into_buffer(self.spare.pop().unwrap_or_default());
                let ticket =
                    self.queue.enqueue(request).map_err(|rejected| RunError::Request(rejected.error))?;
                under_way.push_back((placed, ticket));
            }
            self.queue.submit();
            let Some((placed, ticket)) = under_way.pop_front() else { return Ok(()) };
            let back = ticket.wait().check().map_err(RunError::Request)?;
            let verdict = placed.chunk.verify(&back.buffer).map_err(Fault::Content);
            report.verdict(placed.number as u32, &placed.chunk, Some(verdict));
            self.spare.push(back.buffer);
        }
    }
}
