//! The validated table of a pack's entries and chunks.

use core::cmp::Ordering;
use core::ops::Range;

use twox_hash::XxHash3_64;

use super::error::{ChunkProblem, EntryProblem, PackError};
use super::layout::{
    CHUNK_SIZE, ChunkRecord, ENTRY_SIZE, EntryKind, EntryRecord, FOOTER_SIZE, Footer, Geometry, HEADER_SIZE,
    Method,
};
use super::name;

/// What a pack holds, checked once: afterwards every name is safe, every range lies in the file, nothing overlaps.
///
/// Entries are sorted by [`name::compare`]; chunks lie in the file in the order of the entries they belong to.
///
/// What is kept is the index as it stands in the file, less than 1 % more, and records are read from it on demand.
#[derive(Clone, Debug)]
pub struct PackIndex {
    footer: Footer,
    /// The index, at `start`.
    bytes: Box<[u8]>,
    start: usize,
    /// Where the names and chunks of every [`STRIDE`]th entry begin, as no record tells.
    marks: Vec<Mark>,
    raw_size: u64,
    packed_size: u64,
}

/// Entries from one mark to the next: an entry takes up at least 17 bytes, so 8 for each mark are little.
const STRIDE: usize = 64;

/// Where the names and the chunks of an entry begin.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    name: u32,
    chunk: u32,
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
    number: usize,
    name: &'a str,
    kind: EntryKind,
    size: u64,
    chunks: Chunks<'a>,
    first_chunk: usize,
}

impl<'a> Entry<'a> {
    /// Its position in the index, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its name: a relative path that stays inside its directory.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// A file or an empty directory.
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes its chunks take up in the file, without padding.
    pub fn packed_size(&self) -> u64 {
        self.chunks().map(|chunk| u64::from(chunk.packed_size)).sum()
    }

    /// Its chunks, in the order of its content. All but the last hold [`Geometry::chunk_size`] bytes.
    pub fn chunks(&self) -> Chunks<'a> {
        self.chunks
    }

    /// Where its chunks are among those of the pack.
    pub fn chunk_numbers(&self) -> Range<usize> {
        self.first_chunk..self.first_chunk + self.chunks.len()
    }
}

/// Chunks of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    records: &'a [[u8; CHUNK_SIZE]],
    chunk_size: u32,
    /// Bytes of content of all of them.
    size: u64,
}

impl Chunks<'_> {
    /// The chunk at `number`, if there is one.
    pub fn get(&self, number: usize) -> Option<Chunk> {
        let mut chunks = *self;
        chunks.nth(number)
    }
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let (record, rest) = self.records.split_first()?;
        let raw_size = self.size.min(self.chunk_size.into()) as u32;
        (self.records, self.size) = (rest, self.size - u64::from(raw_size));
        let ChunkRecord { offset, checksum, packed_size, method, .. } = ChunkRecord::from_bytes(record);
        // What was parsed has no unknown methods.
        let method = Method::from_u8(method).unwrap_or(Method::Stored);
        Some(Chunk { offset, checksum, packed_size, raw_size, method })
    }

    fn nth(&mut self, number: usize) -> Option<Chunk> {
        let skipped = number.min(self.records.len());
        self.records = &self.records[skipped..];
        // All but the last hold a whole chunk's bytes.
        self.size = self.size.saturating_sub(skipped as u64 * u64::from(self.chunk_size));
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.records.len(), Some(self.records.len()))
    }
}

impl ExactSizeIterator for Chunks<'_> {}

/// Entries of a pack.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    tables: Tables<'a>,
    chunk_size: u32,
    number: usize,
    mark: Mark,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let record = EntryRecord::from_bytes(self.tables.entries.get(self.number)?);
        let first_chunk = self.mark.chunk as usize;
        let name = self.mark.name as usize..self.mark.name as usize + usize::from(record.name_len);
        let chunks = first_chunk..first_chunk + record.size.div_ceil(self.chunk_size.into()) as usize;
        self.mark = Mark { name: name.end as u32, chunk: chunks.end as u32 };
        let number = self.number;
        self.number += 1;
        Some(Entry {
            number,
            // What was parsed has UTF-8 names and known kinds.
            name: str::from_utf8(&self.tables.names[name]).unwrap_or_default(),
            kind: EntryKind::from_u8(record.kind).unwrap_or(EntryKind::File),
            size: record.size,
            chunks: Chunks {
                records: &self.tables.chunks[chunks],
                chunk_size: self.chunk_size,
                size: record.size,
            },
            first_chunk,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.tables.entries.len() - self.number;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl PackIndex {
    /// Reads the index of a pack of `file_len` bytes from `tail`, the last bytes of the file.
    ///
    /// `tail` must hold index and footer ([`Footer::tail_len`] bytes) and may hold more before them. It is kept, and with it
    /// less than 1 % more memory is taken, whatever it says.
    ///
    /// # Errors
    ///
    /// The first fault found, with the entry it belongs to.
    pub fn parse(tail: impl Into<Box<[u8]>>, file_len: u64) -> Result<Self, PackError> {
        let bytes = tail.into();
        let truncated = |needed: u64| PackError::Truncated { needed, actual: bytes.len() as u64 };
        let (rest, footer) =
            bytes.split_last_chunk::<FOOTER_SIZE>().ok_or_else(|| truncated(FOOTER_SIZE as u64))?;
        let footer = Footer::parse(footer, file_len)?;
        let start = usize::try_from(footer.index_len).ok().and_then(|len| rest.len().checked_sub(len));
        let start = start.ok_or_else(|| truncated(footer.tail_len()))?;
        let computed = XxHash3_64::oneshot(&rest[start..]);
        if computed != footer.index_checksum {
            return Err(PackError::IndexChecksum { stored: footer.index_checksum, computed });
        }
        let Parser { marks, raw_size, packed_size, .. } = Parser::new(&rest[start..], &footer)?.run()?;
        Ok(Self { footer, bytes, start, marks, raw_size, packed_size })
    }

    /// Alignment and chunk size.
    pub fn geometry(&self) -> Geometry {
        self.footer.geometry
    }

    /// Entries in the pack.
    pub fn len(&self) -> usize {
        self.footer.entries as usize
    }

    /// Whether the pack holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> usize {
        self.footer.chunks as usize
    }

    /// All chunks, in file order.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> {
        self.entries().flat_map(|entry| entry.chunks())
    }

    /// Bytes of content of all entries.
    pub fn raw_size(&self) -> u64 {
        self.raw_size
    }

    /// Bytes all chunks take up in the file, without padding.
    pub fn packed_size(&self) -> u64 {
        self.packed_size
    }

    /// Offset of the index in the file: where the content ends.
    pub fn index_offset(&self) -> u64 {
        self.footer.index_offset
    }

    /// The entry at `number`, if there is one.
    pub fn entry(&self, number: usize) -> Option<Entry<'_>> {
        self.entries_from(number / STRIDE).nth(number % STRIDE)
    }

    /// All entries, in order.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from(0)
    }

    /// The entry of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Entry<'_>> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry(middle)?;
            match name::compare(entry.name(), name) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(entry),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The entry that the chunk `number` of the pack belongs to.
    pub fn entry_of_chunk(&self, number: usize) -> Option<Entry<'_>> {
        let after = self.marks.partition_point(|mark| mark.chunk as usize <= number);
        self.entries_from(after.saturating_sub(1)).find(|entry| entry.chunk_numbers().contains(&number))
    }

    /// The entries from a mark on; none from a mark that is not there.
    fn entries_from(&self, mark: usize) -> Entries<'_> {
        let index = &self.bytes[self.start..self.bytes.len() - FOOTER_SIZE];
        // What was parsed has room for its records.
        let tables = Tables::split(index, &self.footer).unwrap_or_default();
        let (number, mark) = match self.marks.get(mark) {
            Some(at) => (mark * STRIDE, *at),
            None => (tables.entries.len(), Mark::default()),
        };
        Entries { tables, chunk_size: self.footer.geometry.chunk_size(), number, mark }
    }
}

/// An index's bytes, cut into its three tables.
#[derive(Clone, Copy, Debug, Default)]
struct Tables<'a> {
    entries: &'a [[u8; ENTRY_SIZE]],
    chunks: &'a [[u8; CHUNK_SIZE]],
    names: &'a [u8],
}

impl<'a> Tables<'a> {
    /// None where `bytes` are too few for the records.
    fn split(bytes: &'a [u8], footer: &Footer) -> Option<Self> {
        let (entries, rest) = bytes.split_at_checked(footer.entries as usize * ENTRY_SIZE)?;
        let (chunks, names) = rest.split_at_checked(footer.chunks as usize * CHUNK_SIZE)?;
        Some(Self { entries: entries.as_chunks().0, chunks: chunks.as_chunks().0, names })
    }
}

/// What of an index has been read so far.
struct Parser<'a> {
    footer: &'a Footer,
    tables: Tables<'a>,
    previous: Option<&'a str>,
    /// Where the entry that is read begins.
    at: Mark,
    marks: Vec<Mark>,
    raw_size: u64,
    packed_size: u64,
    /// Where the part of the file read so far ends.
    end: u64,
}

impl<'a> Parser<'a> {
    /// Allocates only after the counts have been found to fit into `bytes`.
    fn new(bytes: &'a [u8], footer: &'a Footer) -> Result<Self, PackError> {
        let Footer { entries, chunks, index_len, .. } = *footer;
        let tables = Tables::split(bytes, footer).ok_or(PackError::Counts { entries, chunks, index_len })?;
        Ok(Self {
            footer,
            tables,
            previous: None,
            at: Mark::default(),
            marks: Vec::with_capacity((entries as usize).div_ceil(STRIDE)),
            raw_size: 0,
            packed_size: 0,
            end: HEADER_SIZE as u64,
        })
    }

    fn run(mut self) -> Result<Self, PackError> {
        for (number, bytes) in self.tables.entries.iter().enumerate() {
            if number.is_multiple_of(STRIDE) {
                self.marks.push(self.at);
            }
            let record = EntryRecord::from_bytes(bytes);
            let names = self.names();
            self.entry(&record).map_err(|problem| PackError::Entry {
                entry: number as u32,
                name: String::from_utf8_lossy(names.get(..record.name_len.into()).unwrap_or(names))
                    .into_owned(),
                problem,
            })?;
        }
        let (chunks, names) = (self.chunks().len(), self.names().len());
        if chunks > 0 || names > 0 {
            return Err(PackError::Leftover { chunks: chunks as u32, name_bytes: names as u64 });
        }
        Ok(self)
    }

    /// Name bytes not yet read.
    fn names(&self) -> &'a [u8] {
        &self.tables.names[self.at.name as usize..]
    }

    /// Chunk records not yet read.
    fn chunks(&self) -> &'a [[u8; CHUNK_SIZE]] {
        &self.tables.chunks[self.at.chunk as usize..]
    }

    fn entry(&mut self, record: &EntryRecord) -> Result<(), EntryProblem> {
        let EntryRecord { size, name_len, kind, reserved } = *record;
        self.name(name_len)?;
        let kind = EntryKind::from_u8(kind).ok_or(EntryProblem::Kind { found: kind })?;
        if reserved != [0; 5] {
            return Err(EntryProblem::Reserved);
        }
        if kind == EntryKind::Directory && size != 0 {
            return Err(EntryProblem::DirectorySize { size });
        }
        let chunk_size = self.footer.geometry.chunk_size();
        let (needed, records) = (size.div_ceil(chunk_size.into()), self.chunks());
        let left = records.len() as u64;
        if needed > left {
            return Err(EntryProblem::TooFewChunks { needed, left });
        }
        let mut remaining = size;
        for bytes in &records[..needed as usize] {
            let raw_size = remaining.min(chunk_size.into()) as u32;
            remaining -= u64::from(raw_size);
            let chunk = self.at.chunk;
            self.chunk(&ChunkRecord::from_bytes(bytes), raw_size)
                .map_err(|problem| EntryProblem::Chunk { chunk, problem })?;
            self.at.chunk += 1;
        }
        // Sizes are bounded by the chunks there are, so their sum stays far below 2^64.
        self.raw_size += size;
        self.at.name += u32::from(name_len);
        Ok(())
    }

    fn name(&mut self, len: u16) -> Result<(), EntryProblem> {
        let names = self.names();
        let left = names.len() as u64;
        let bytes = names.get(..len.into()).ok_or(EntryProblem::NameOutside { len, left })?;
        let name = name::check(bytes).map_err(EntryProblem::Name)?;
        if let Some(previous) = self.previous {
            check_order(previous, name)?;
        }
        self.previous = Some(name);
        Ok(())
    }

    fn chunk(&mut self, record: &ChunkRecord, raw_size: u32) -> Result<(), ChunkProblem> {
        let ChunkRecord { offset, packed_size, method, reserved, .. } = *record;
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
        self.packed_size += u64::from(packed_size);
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
