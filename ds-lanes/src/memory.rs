//! Memory that shaders reach by address: ranges that the caller registers, and nothing else.

use crate::race::{Found, Shadow, Touch};

/// What a shader may do with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Read,
    /// Read and write it.
    Write,
}

/// Why memory cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    Outside,
    ReadOnly,
}

struct Range {
    start: u64,
    bytes: Vec<u8>,
    access: Access,
    shadow: Shadow,
}

/// Ranges of memory, far from each other.
#[derive(Default)]
pub struct Memory {
    ranges: Vec<Range>,
    end: u64,
}

/// Bytes between ranges that are nobody's.
const GAP: u64 = 1 << 20;

impl Memory {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a range, and tells where it begins: `past` bytes behind a multiple of 256.
    pub fn add(&mut self, bytes: Vec<u8>, access: Access, past: u64) -> u64 {
        let start = (self.end + GAP).next_multiple_of(256) + past;
        self.end = start + bytes.len() as u64;
        let shadow = Shadow::new(if access == Access::Write { bytes.len() } else { 0 });
        self.ranges.push(Range { start, bytes, access, shadow });
        start
    }

    /// The bytes of the range that begins there.
    ///
    /// # Panics
    /// None does.
    #[must_use]
    pub fn bytes(&self, start: u64) -> &[u8] {
        let range = self.ranges.iter().find(|range| range.start == start);
        &range.expect("a range that was added").bytes
    }

    /// Forgets who reached for what: a dispatch comes after the one before.
    pub(crate) fn forget(&mut self) {
        for range in &mut self.ranges {
            range.shadow.forget();
        }
    }

    fn find(&mut self, address: u64, bytes: u8, write: bool) -> Result<(&mut Range, usize), Unreachable> {
        // Ranges are in order.
        let at = self.ranges.partition_point(|range| range.start <= address);
        let range = at.checked_sub(1).map(|at| &mut self.ranges[at]).ok_or(Unreachable::Outside)?;
        let offset = (address - range.start) as usize;
        if offset + usize::from(bytes) > range.bytes.len() {
            return Err(Unreachable::Outside);
        }
        if write && range.access == Access::Read {
            return Err(Unreachable::ReadOnly);
        }
        Ok((range, offset))
    }

    /// The number there, and who wrote it without order.
    #[inline]
    pub(crate) fn load(
        &mut self,
        address: u64,
        bytes: u8,
        touch: &Touch,
    ) -> Result<(u64, Option<Found>), Unreachable> {
        let (range, at) = self.find(address, bytes, false)?;
        // What nobody writes, all may read.
        let is_fixed = range.access == Access::Read;
        let race = if is_fixed { None } else { range.shadow.read(at, bytes, touch) };
        Ok((load(&range.bytes, at, bytes), race))
    }

    /// The number there, which nobody is noted to have read.
    pub(crate) fn peek(&mut self, address: u64, bytes: u8) -> Result<u64, Unreachable> {
        let (range, at) = self.find(address, bytes, false)?;
        Ok(load(&range.bytes, at, bytes))
    }

    #[inline]
    pub(crate) fn store(
        &mut self,
        address: u64,
        bytes: u8,
        value: u64,
        touch: &Touch,
    ) -> Result<Option<Found>, Unreachable> {
        let (range, at) = self.find(address, bytes, true)?;
        let changed = store(&mut range.bytes, at, bytes, value);
        Ok(range.shadow.write(at, bytes, changed, touch))
    }
}

/// The number of so many bytes.
#[inline]
pub(crate) fn load(from: &[u8], at: usize, bytes: u8) -> u64 {
    let mut value = [0; 8];
    value[..usize::from(bytes)].copy_from_slice(&from[at..at + usize::from(bytes)]);
    u64::from_le_bytes(value)
}

/// Writes a number of so many bytes. Returns which of them have changed.
#[inline]
pub(crate) fn store(into: &mut [u8], at: usize, bytes: u8, value: u64) -> u8 {
    let value = value.to_le_bytes();
    let mut changed = 0;
    for (n, byte) in into[at..at + usize::from(bytes)].iter_mut().enumerate() {
        changed |= u8::from(*byte != value[n]) << n;
        *byte = value[n];
    }
    changed
}
