//! The validated table of a pack's entries and chunks.

use core::cmp::Ordering;
use core::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::error::{ChunkProblem, EntryProblem, PackError};
use super::layout::{
    CHUNK_SIZE, ChunkRecord, ENTRY_SIZE, EntryKind, EntryRecord, FOOTER_SIZE, Footer, Geometry, HEADER_SIZE,
    Method,
};
use super::name;

/// What a pack holds, checked once: afterwards every name is safe, every range lies in the file, nothing overlaps.
///
/// Entries are sorted by [`name::compare`]; chunks lie in the file in the order of the entries they belong to.
#[derive(Clone, Debug)]
pub struct PackIndex {
    geometry: Geometry,
    index_offset: u64,
    names: String,
    entries: Vec<Slot>,
    chunks: Vec<Chunk>,
    raw_size: u64,
}

/// An entry as it is kept: ranges instead of references.
#[derive(Clone, Debug)]
struct Slot {
    name: Range<u32>,
    chunks: Range<u32>,
    size: u64,
    kind: EntryKind,
}

/// One chunk: a range of the file and the piece of an entry it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Offset in the file, a multiple of the pack's alignment.
    pub offset: u64,
    /// XXH3-64 of the content.
    pub checksum: u64,
    /// Bytes in the file; never more than `raw_size`.
    pub packed_size: u32,
    /// Bytes of content; at least 1 and never more than 4 MiB.
    pub raw_size: u32,
    /// How the content is packed.
    pub method: Method,
}

/// One entry: a file or an empty directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    index: &'a PackIndex,
    slot: &'a Slot,
    number: usize,
}

impl<'a> Entry<'a> {
    /// Its position in the index, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its name: a relative path that stays inside its directory.
    pub fn name(&self) -> &'a str {
        &self.index.names[self.slot.name.start as usize..self.slot.name.end as usize]
    }

    /// A file or an empty directory.
    pub fn kind(&self) -> EntryKind {
        self.slot.kind
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.slot.size
    }

    /// Bytes its chunks take up in the file, without padding.
    pub fn packed_size(&self) -> u64 {
        self.chunks().iter().map(|chunk| u64::from(chunk.packed_size)).sum()
    }

    /// Its chunks, in the order of its content. All but the last hold [`Geometry::chunk_size`] bytes.
    pub fn chunks(&self) -> &'a [Chunk] {
        &self.index.chunks[self.chunk_numbers()]
    }

    /// Where its chunks are among [`PackIndex::chunks`].
    pub fn chunk_numbers(&self) -> Range<usize> {
        self.slot.chunks.start as usize..self.slot.chunks.end as usize
    }
}

impl PackIndex {
    /// Reads the index of a pack of `file_len` bytes from `tail`, the last bytes of the file.
    ///
    /// `tail` must hold index and footer ([`Footer::tail_len`] bytes) and may hold more before them. Time and memory
    /// are bounded by the length of `tail`, whatever it says.
    ///
    /// # Errors
    ///
    /// The first fault found, with the entry it belongs to.
    pub fn parse(tail: &[u8], file_len: u64) -> Result<Self, PackError> {
        let truncated = |needed: u64| PackError::Truncated { needed, actual: tail.len() as u64 };
        let (rest, footer) =
            tail.split_last_chunk::<FOOTER_SIZE>().ok_or_else(|| truncated(FOOTER_SIZE as u64))?;
        let footer = Footer::parse(footer, file_len)?;
        let start = usize::try_from(footer.index_len).ok().and_then(|len| rest.len().checked_sub(len));
        let bytes = &rest[start.ok_or_else(|| truncated(footer.tail_len()))?..];
        let computed = xxh3_64(bytes);
        if computed != footer.index_checksum {
            return Err(PackError::IndexChecksum { stored: footer.index_checksum, computed });
        }
        Parser::new(bytes, &footer)?.run()
    }

    /// Alignment and chunk size.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Entries in the pack.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the pack holds nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All chunks, in file order.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Bytes of content of all entries.
    pub fn raw_size(&self) -> u64 {
        self.raw_size
    }

    /// Bytes all chunks take up in the file, without padding.
    pub fn packed_size(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.packed_size)).sum()
    }

    /// Offset of the index in the file: where the content ends.
    pub fn index_offset(&self) -> u64 {
        self.index_offset
    }

    /// The entry at `number`, if there is one.
    pub fn entry(&self, number: usize) -> Option<Entry<'_>> {
        self.entries.get(number).map(|slot| Entry { index: self, slot, number })
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.entries.iter().enumerate().map(|(number, slot)| Entry { index: self, slot, number })
    }

    /// The entry of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Entry<'_>> {
        let name_of = |slot: &Slot| &self.names[slot.name.start as usize..slot.name.end as usize];
        let found = self.entries.binary_search_by(|slot| name::compare(name_of(slot), name));
        found.ok().and_then(|number| self.entry(number))
    }
}

/// The index's bytes, cut into its three tables, and what has been read so far.
struct Parser<'a> {
    footer: &'a Footer,
    entry_records: &'a [[u8; ENTRY_SIZE]],
    /// Chunk records not yet read.
    chunk_records: &'a [[u8; CHUNK_SIZE]],
    /// Name bytes not yet read.
    name_bytes: &'a [u8],
    previous: Option<&'a str>,
    names: String,
    entries: Vec<Slot>,
    chunks: Vec<Chunk>,
    raw_size: u64,
    /// Where the part of the file read so far ends.
    end: u64,
}

impl<'a> Parser<'a> {
    /// Allocates only after the counts have been found to fit into `bytes`.
    fn new(bytes: &'a [u8], footer: &'a Footer) -> Result<Self, PackError> {
        let Footer { entries, chunks, index_len, .. } = *footer;
        let counts = PackError::Counts { entries, chunks, index_len };
        let (entry_bytes, rest) =
            bytes.split_at_checked(entries as usize * ENTRY_SIZE).ok_or_else(|| counts.clone())?;
        let (chunk_bytes, name_bytes) = rest.split_at_checked(chunks as usize * CHUNK_SIZE).ok_or(counts)?;
        Ok(Self {
            footer,
            entry_records: entry_bytes.as_chunks().0,
            chunk_records: chunk_bytes.as_chunks().0,
            name_bytes,
            previous: None,
            names: String::with_capacity(name_bytes.len()),
            entries: Vec::with_capacity(entries as usize),
            chunks: Vec::with_capacity(chunks as usize),
            raw_size: 0,
            end: HEADER_SIZE as u64,
        })
    }

    fn run(mut self) -> Result<PackIndex, PackError> {
        for (number, bytes) in self.entry_records.iter().enumerate() {
            let record = EntryRecord::from_bytes(bytes);
            let shown = self.name_bytes.get(..record.name_len.into()).unwrap_or(self.name_bytes);
            self.entry(&record).map_err(|problem| PackError::Entry {
                entry: number as u32,
                name: String::from_utf8_lossy(shown).into_owned(),
                problem,
            })?;
        }
        if !self.chunk_records.is_empty() || !self.name_bytes.is_empty() {
            let chunks = self.chunk_records.len() as u32;
            return Err(PackError::Leftover { chunks, name_bytes: self.name_bytes.len() as u64 });
        }
        Ok(PackIndex {
            geometry: self.footer.geometry,
            index_offset: self.footer.index_offset,
            names: self.names,
            entries: self.entries,
            chunks: self.chunks,
            raw_size: self.raw_size,
        })
    }

    fn entry(&mut self, record: &EntryRecord) -> Result<(), EntryProblem> {
        let EntryRecord { size, name_len, kind, reserved } = *record;
        let name = self.name(name_len)?;
        let kind = EntryKind::from_u8(kind).ok_or(EntryProblem::Kind { found: kind })?;
        if reserved != [0; 5] {
            return Err(EntryProblem::Reserved);
        }
        if kind == EntryKind::Directory && size != 0 {
            return Err(EntryProblem::DirectorySize { size });
        }
        let chunk_size = self.footer.geometry.chunk_size();
        let needed = size.div_ceil(chunk_size.into());
        let left = self.chunk_records.len() as u64;
        if needed > left {
            return Err(EntryProblem::TooFewChunks { needed, left });
        }
        let (records, rest) = self.chunk_records.split_at(needed as usize);
        self.chunk_records = rest;
        let first = self.chunks.len() as u32;
        let mut remaining = size;
        for bytes in records {
            let raw_size = remaining.min(chunk_size.into()) as u32;
            remaining -= u64::from(raw_size);
            let chunk = self.chunks.len() as u32;
            self.chunk(&ChunkRecord::from_bytes(bytes), raw_size)
                .map_err(|problem| EntryProblem::Chunk { chunk, problem })?;
        }
        // Sizes are bounded by the chunks there are, so their sum stays far below 2^64.
        self.raw_size += size;
        let start = self.names.len() as u32;
        self.names.push_str(name);
        self.entries.push(Slot {
            name: start..self.names.len() as u32,
            chunks: first..self.chunks.len() as u32,
            size,
            kind,
        });
        Ok(())
    }

    fn name(&mut self, len: u16) -> Result<&'a str, EntryProblem> {
        let left = self.name_bytes.len() as u64;
        let (bytes, rest) =
            self.name_bytes.split_at_checked(len.into()).ok_or(EntryProblem::NameOutside { len, left })?;
        let name = name::check(bytes).map_err(EntryProblem::Name)?;
        if let Some(previous) = self.previous {
            check_order(previous, name)?;
        }
        self.name_bytes = rest;
        self.previous = Some(name);
        Ok(name)
    }

    fn chunk(&mut self, record: &ChunkRecord, raw_size: u32) -> Result<(), ChunkProblem> {
        let ChunkRecord { offset, checksum, packed_size, method, reserved } = *record;
        let method = Method::from_u8(method).ok_or(ChunkProblem::Method { found: method })?;
        if reserved != [0; 3] {
            return Err(ChunkProblem::Reserved);
        }
        let fits = match method {
            Method::Stored => packed_size == raw_size,
            Method::GDeflate => (1..raw_size).contains(&packed_size),
        };
        if !fits {
            return Err(ChunkProblem::Size { packed: packed_size, raw: raw_size });
        }
        let align = self.footer.geometry.align();
        if !offset.is_multiple_of(align) {
            return Err(ChunkProblem::Misaligned { offset, align });
        }
        if offset < self.end {
            return Err(ChunkProblem::Overlap { offset, previous_end: self.end });
        }
        let limit = self.footer.index_offset;
        match offset.checked_add(packed_size.into()) {
            Some(end) if end <= limit => self.end = end,
            _ => return Err(ChunkProblem::Outside { offset, packed: packed_size, limit }),
        }
        self.chunks.push(Chunk { offset, checksum, packed_size, raw_size, method });
        Ok(())
    }
}

/// Checks that an entry may follow another.
///
/// # Errors
///
/// [`EntryProblem::Duplicate`], [`EntryProblem::Order`] or [`EntryProblem::Inside`].
pub(super) fn check_order(previous: &str, name: &str) -> Result<(), EntryProblem> {
    match name::compare(previous, name) {
        Ordering::Less if name::is_inside(name, previous) => {
            Err(EntryProblem::Inside { parent: previous.into() })
        }
        Ordering::Less => Ok(()),
        Ordering::Equal => Err(EntryProblem::Duplicate),
        Ordering::Greater => Err(EntryProblem::Order { previous: previous.into() }),
    }
}
