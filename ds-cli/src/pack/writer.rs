//! Writing a pack front to back.

use std::io::{self, Write};

use twox_hash::XxHash3_64;

use super::error::{EntryProblem, PackError};
use super::index::check_order;
use super::layout::{
    self, ChunkRecord, EntryKind, EntryRecord, Footer, Geometry, HEADER_SIZE, MAX_INDEX, Method,
};
use super::name;

/// Writes a pack in one pass: no seeking, so the output may be a pipe.
///
/// Call [`begin`](Self::begin) for each entry in the order of [`name::compare`], then [`chunk`](Self::chunk) for
/// each chunk of its content, and [`finish`](Self::finish) at the end. What is kept in memory is the index alone.
/// A writer dropped before `finish` leaves a file that no reader takes for a pack.
#[derive(Debug)]
pub struct PackWriter<W> {
    out: W,
    geometry: Geometry,
    /// Bytes written.
    position: u64,
    entries: Vec<EntryRecord>,
    chunks: Vec<ChunkRecord>,
    names: String,
    /// Where the last entry's name begins in `names`.
    last_name: usize,
    /// Content the last entry still lacks.
    missing: u64,
}

impl<W: Write> PackWriter<W> {
    /// Begins a pack: writes the header.
    ///
    /// # Errors
    ///
    /// What `out` reports.
    pub fn new(mut out: W, geometry: Geometry) -> io::Result<Self> {
        out.write_all(&layout::header())?;
        Ok(Self {
            out,
            geometry,
            position: HEADER_SIZE as u64,
            entries: Vec::new(),
            chunks: Vec::new(),
            names: String::new(),
            last_name: 0,
            missing: 0,
        })
    }

    /// Begins an entry of `size` bytes of content.
    ///
    /// # Errors
    ///
    /// [`PackError::Entry`] where the name breaks a rule or does not sort after the one before, and
    /// [`PackError::IndexTooLarge`] when the index is full.
    ///
    /// # Panics
    ///
    /// If the entry before has not been given all its content, or a directory is given a size.
    pub fn begin(&mut self, name: &str, kind: EntryKind, size: u64) -> Result<(), PackError> {
        assert_eq!(self.missing, 0, "the entry before lacks content");
        assert!(kind == EntryKind::File || size == 0, "a directory has no content");
        let problem = match name::check(name.as_bytes()) {
            Err(e) => Some(EntryProblem::Name(e)),
            Ok(_) if self.entries.is_empty() => None,
            Ok(_) => check_order(&self.names[self.last_name..], name).err(),
        };
        if let Some(problem) = problem {
            return Err(PackError::Entry { entry: self.entries.len() as u32, name: name.into(), problem });
        }
        let chunks = size.div_ceil(self.geometry.chunk_size().into());
        let len = self.index_len()
            + (layout::ENTRY_SIZE + name.len()) as u64
            + chunks.saturating_mul(layout::CHUNK_SIZE as u64);
        if len > MAX_INDEX {
            return Err(PackError::IndexTooLarge { len });
        }
        self.entries.push(EntryRecord {
            size,
            name_len: name.len() as u16,
            kind: kind.to_u8(),
            reserved: [0; 5],
        });
        self.last_name = self.names.len();
        self.names.push_str(name);
        self.missing = size;
        Ok(())
    }

    /// Writes the next chunk of the entry begun last: `bytes` as they go into the file, and the checksum of the
    /// content they stand for.
    ///
    /// # Errors
    ///
    /// What the output reports.
    ///
    /// # Panics
    ///
    /// If the entry has all its content already.
    pub fn chunk(&mut self, method: Method, bytes: &[u8], checksum: u64) -> io::Result<()> {
        assert!(self.missing > 0, "the entry has all its content");
        self.pad()?;
        self.chunks.push(ChunkRecord {
            offset: self.position,
            checksum,
            packed_size: bytes.len() as u32,
            method: method.to_u8(),
            reserved: [0; 3],
        });
        self.missing -= self.missing.min(self.geometry.chunk_size().into());
        self.put(bytes)
    }

    /// Writes index and footer. Returns the output and the length of the pack in bytes.
    ///
    /// # Errors
    ///
    /// What the output reports.
    ///
    /// # Panics
    ///
    /// If the last entry has not been given all its content.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        assert_eq!(self.missing, 0, "the last entry lacks content");
        self.pad()?;
        let index_offset = self.position;
        let mut index = Vec::with_capacity(self.index_len() as usize);
        self.entries.iter().for_each(|record| index.extend_from_slice(&record.to_bytes()));
        self.chunks.iter().for_each(|record| index.extend_from_slice(&record.to_bytes()));
        index.extend_from_slice(self.names.as_bytes());
        self.put(&index)?;
        let footer = Footer {
            index_offset,
            index_len: index.len() as u64,
            index_checksum: XxHash3_64::oneshot(&index),
            entries: self.entries.len() as u32,
            chunks: self.chunks.len() as u32,
            geometry: self.geometry,
        };
        self.put(&footer.to_bytes())?;
        self.out.flush()?;
        Ok((self.out, self.position))
    }

    /// Bytes of the index as it stands.
    fn index_len(&self) -> u64 {
        (self.entries.len() * layout::ENTRY_SIZE + self.chunks.len() * layout::CHUNK_SIZE + self.names.len())
            as u64
    }

    /// Zeros up to the next aligned position.
    fn pad(&mut self) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while !self.position.is_multiple_of(self.geometry.align()) {
            let gap = self.position.next_multiple_of(self.geometry.align()) - self.position;
            self.put(&ZEROS[..gap.min(ZEROS.len() as u64) as usize])?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}
