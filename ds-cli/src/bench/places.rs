//! Places in device memory that packed data is decoded to, again and again.

use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;

use ds_runtime::vulkan::GpuBuffer;
use ds_runtime::{Completion, Path, Queue, Request};

use super::flow::{Requests, keep};
use super::gpu::by;
use crate::error::Result;

/// Where requests find their streams: one of its own for each place.
pub(super) trait Source {
    /// A request for the stream of a place.
    fn request(&mut self, place: usize) -> Request;

    /// That request has ended.
    fn give_back(&mut self, place: usize, completion: Completion);
}

/// In vectors, which requests take with them and bring back: copies of them would be timed as well.
pub(super) struct Plain(pub(super) Vec<Vec<u8>>);

impl Source for Plain {
    fn request(&mut self, place: usize) -> Request {
        Request::from_memory(core::mem::take(&mut self.0[place]))
    }

    fn give_back(&mut self, place: usize, completion: Completion) {
        self.0[place] = completion.source;
    }
}

/// Where content goes.
pub(super) struct Places<'a> {
    pub(super) output: &'a GpuBuffer,
    /// What each place has of that.
    pub(super) contents: Vec<Range<u64>>,
}

impl Places<'_> {
    /// Decodes so often, to one place after the other, with so many requests in flight; no two of them have the same place. It has to
    /// be that engine which decodes. Returns how long all of it took.
    pub(super) fn fill(
        &self,
        (queue, path): (&Queue, Path),
        source: &mut dyn Source,
        count: usize,
        depth: usize,
    ) -> Result<Duration> {
        let free = (0..self.contents.len()).collect();
        keep(queue, depth, &mut Filling { places: self, source, path, free, left: count })
    }

    /// A request for that place, from the memory that this one names.
    pub(super) fn decode(&self, place: usize, from: Request) -> Request {
        let Range { start, end } = self.contents[place];
        from.gdeflate(end - start).into_device(self.output.range(start..end)).tag(place as u64)
    }
}

/// Places that are being filled.
struct Filling<'a> {
    places: &'a Places<'a>,
    source: &'a mut dyn Source,
    path: Path,
    /// Places that no request in flight has.
    free: VecDeque<usize>,
    left: usize,
}

impl Requests for Filling<'_> {
    fn next(&mut self) -> Option<Request> {
        let left = self.left.checked_sub(1)?;
        let place = self.free.pop_front()?;
        self.left = left;
        Some(self.places.decode(place, self.source.request(place)))
    }

    fn ended(&mut self, completion: Completion) -> Result<()> {
        let completion = by(self.path, completion)?;
        let place = completion.tag as usize;
        self.source.give_back(place, completion);
        self.free.push_back(place);
        Ok(())
    }
}

/// Ranges of these lengths, one behind the other, so many times.
pub(super) fn in_a_row(
    lengths: impl ExactSizeIterator<Item = usize> + Clone,
    copies: usize,
) -> Vec<Range<u64>> {
    let (count, mut end) = (lengths.len() * copies, 0);
    let ranges = lengths.cycle().take(count).map(|len| {
        let start = end;
        end += len as u64;
        start..end
    });
    ranges.collect()
}
