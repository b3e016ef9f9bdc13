//! The bytes of a pack: header, footer and the fixed-size records of the index.
//!
//! All integers are little-endian. What is read here is checked for its own sake only (magic, version, reserved
//! fields); how the parts fit together is [`super::index`]'s business.

use twox_hash::XxHash3_64;

use super::error::PackError;

/// First eight bytes of a pack. The high bit, the line end and the control-Z reveal a transfer in text mode.
pub const HEADER_MAGIC: [u8; 8] = *b"\x89DSPAK\n\x1a";

/// Last eight bytes of a pack.
pub const FOOTER_MAGIC: [u8; 8] = *b"\x1a\nKAPSD\x89";

/// The version this program writes and reads.
pub const VERSION: u16 = 1;

/// Bytes of the header: magic, version, six reserved bytes.
pub const HEADER_SIZE: usize = 16;

/// Bytes of the footer.
pub const FOOTER_SIZE: usize = 64;

/// Bytes of one entry record.
pub const ENTRY_SIZE: usize = 16;

/// Bytes of one chunk record.
pub const CHUNK_SIZE: usize = 24;

/// Largest index in bytes. It is held in memory whole, so this bounds what a hostile footer can ask for.
pub const MAX_INDEX: u64 = 256 << 20;

/// Least alignment, as a power of two: what the header takes up, and what a GPU upload likes.
pub const MIN_ALIGN_LOG2: u8 = 4;

/// Largest alignment, as a power of two.
pub const MAX_ALIGN_LOG2: u8 = 16;

/// Least chunk size, as a power of two: one tile.
pub const MIN_CHUNK_LOG2: u8 = 16;

/// Largest chunk size, as a power of two: 4 MiB.
pub const MAX_CHUNK_LOG2: u8 = 22;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file, empty or not.
    File,
    /// An empty directory. Other directories follow from the names of what lies in them.
    Directory,
}

impl EntryKind {
    /// The kind with this number, if there is one.
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::File),
            1 => Some(Self::Directory),
            _ => None,
        }
    }

    /// Its number in the file.
    pub const fn to_u8(self) -> u8 {
        match self {
            Self::File => 0,
            Self::Directory => 1,
        }
    }
}

/// How a chunk's content lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored,
    /// As a GDeflate tile stream.
    GDeflate,
}

impl Method {
    /// The method with this number, if there is one.
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Stored),
            1 => Some(Self::GDeflate),
            _ => None,
        }
    }

    /// Its number in the file.
    pub const fn to_u8(self) -> u8 {
        match self {
            Self::Stored => 0,
            Self::GDeflate => 1,
        }
    }
}

/// The two sizes that shape a pack, both powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    align_log2: u8,
    chunk_log2: u8,
}

impl Geometry {
    /// Chunks aligned to 16 bytes, of 1 MiB each: a few of them under way fit into a cache, their index is 24 millionths of
    /// their size.
    pub const DEFAULT: Self = Self { align_log2: MIN_ALIGN_LOG2, chunk_log2: 20 };

    /// A geometry from the logarithms (to base 2) of the alignment and the chunk size.
    ///
    /// # Errors
    ///
    /// [`PackError::Alignment`] or [`PackError::ChunkSize`] outside the format's limits.
    pub const fn from_log2(align_log2: u8, chunk_log2: u8) -> Result<Self, PackError> {
        if align_log2 < MIN_ALIGN_LOG2 || align_log2 > MAX_ALIGN_LOG2 {
            return Err(PackError::Alignment { log2: align_log2 });
        }
        if chunk_log2 < MIN_CHUNK_LOG2 || chunk_log2 > MAX_CHUNK_LOG2 {
            return Err(PackError::ChunkSize { log2: chunk_log2 });
        }
        Ok(Self { align_log2, chunk_log2 })
    }

    /// Every chunk, and the index, begins at a multiple of this many bytes.
    pub const fn align(self) -> u64 {
        1 << self.align_log2
    }

    /// Bytes of content in every chunk of an entry but the last.
    pub const fn chunk_size(self) -> u32 {
        1 << self.chunk_log2
    }
}

impl Default for Geometry {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The header of a pack.
pub fn header() -> [u8; HEADER_SIZE] {
    let mut bytes = [0; HEADER_SIZE];
    bytes[..8].copy_from_slice(&HEADER_MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// Checks a header.
///
/// # Errors
///
/// [`PackError::NotAPack`], [`PackError::UnsupportedVersion`] or [`PackError::Reserved`].
pub fn check_header(bytes: &[u8; HEADER_SIZE]) -> Result<(), PackError> {
    let found: [u8; 8] = array(bytes, 0);
    if found != HEADER_MAGIC {
        return Err(PackError::NotAPack { found });
    }
    check_version(u16::from_le_bytes(array(bytes, 8)))?;
    check_reserved(bytes, 10..HEADER_SIZE)
}

/// The end of a pack, which tells where its index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Offset of the index in the file.
    pub index_offset: u64,
    /// Bytes of the index.
    pub index_len: u64,
    /// XXH3-64 of the index.
    pub index_checksum: u64,
    /// Entry records in the index.
    pub entries: u32,
    /// Chunk records in the index.
    pub chunks: u32,
    /// Alignment and chunk size.
    pub geometry: Geometry,
}

/// The footer's checksum covers the bytes before it.
const FOOTER_CHECKSUM_AT: usize = 48;

impl Footer {
    /// Reads a footer and checks what can be checked without the index.
    ///
    /// # Errors
    ///
    /// Any fault of the footer itself, and of the place it gives for the index in a file of `file_len` bytes.
    pub fn parse(bytes: &[u8; FOOTER_SIZE], file_len: u64) -> Result<Self, PackError> {
        let found: [u8; 8] = array(bytes, 56);
        if found != FOOTER_MAGIC {
            return Err(PackError::NoFooter { found });
        }
        check_version(u16::from_le_bytes(array(bytes, 32)))?;
        let stored = u64::from_le_bytes(array(bytes, FOOTER_CHECKSUM_AT));
        let computed = XxHash3_64::oneshot(&bytes[..FOOTER_CHECKSUM_AT]);
        if stored != computed {
            return Err(PackError::FooterChecksum { stored, computed });
        }
        check_reserved(bytes, 36..FOOTER_CHECKSUM_AT)?;
        let footer = Self {
            index_offset: u64::from_le_bytes(array(bytes, 0)),
            index_len: u64::from_le_bytes(array(bytes, 8)),
            index_checksum: u64::from_le_bytes(array(bytes, 16)),
            entries: u32::from_le_bytes(array(bytes, 24)),
            chunks: u32::from_le_bytes(array(bytes, 28)),
            geometry: Geometry::from_log2(bytes[34], bytes[35])?,
        };
        footer.check_place(file_len)?;
        Ok(footer)
    }

    /// The index must fill the space up to the footer exactly, and hold the records it is said to hold.
    fn check_place(&self, file_len: u64) -> Result<(), PackError> {
        let Self { index_offset: offset, index_len: len, .. } = *self;
        let end = offset.checked_add(len).and_then(|end| end.checked_add(FOOTER_SIZE as u64));
        if end != Some(file_len)
            || offset < HEADER_SIZE as u64
            || !offset.is_multiple_of(self.geometry.align())
        {
            return Err(PackError::IndexRange { offset, len, file_len });
        }
        if len > MAX_INDEX {
            return Err(PackError::IndexTooLarge { len });
        }
        if self.records_len() > len {
            return Err(PackError::Counts { entries: self.entries, chunks: self.chunks, index_len: len });
        }
        Ok(())
    }

    /// Bytes of the index before the names.
    pub fn records_len(&self) -> u64 {
        u64::from(self.entries) * ENTRY_SIZE as u64 + u64::from(self.chunks) * CHUNK_SIZE as u64
    }

    /// Bytes of index and footer together: what must be read from the end of the file.
    pub fn tail_len(&self) -> u64 {
        self.index_len + FOOTER_SIZE as u64
    }

    /// The footer's bytes.
    pub fn to_bytes(&self) -> [u8; FOOTER_SIZE] {
        let mut bytes = [0; FOOTER_SIZE];
        bytes[..8].copy_from_slice(&self.index_offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.index_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.index_checksum.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.entries.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.chunks.to_le_bytes());
        bytes[32..34].copy_from_slice(&VERSION.to_le_bytes());
        bytes[34] = self.geometry.align_log2;
        bytes[35] = self.geometry.chunk_log2;
        let checksum = XxHash3_64::oneshot(&bytes[..FOOTER_CHECKSUM_AT]);
        bytes[FOOTER_CHECKSUM_AT..56].copy_from_slice(&checksum.to_le_bytes());
        bytes[56..].copy_from_slice(&FOOTER_MAGIC);
        bytes
    }
}

/// An entry's record, as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRecord {
    /// Bytes of content.
    pub size: u64,
    /// Bytes of the name.
    pub name_len: u16,
    /// Number of the kind.
    pub kind: u8,
    /// Must be zero.
    pub reserved: [u8; 5],
}

impl EntryRecord {
    /// Reads a record.
    pub fn from_bytes(bytes: &[u8; ENTRY_SIZE]) -> Self {
        Self {
            size: u64::from_le_bytes(array(bytes, 0)),
            name_len: u16::from_le_bytes(array(bytes, 8)),
            kind: bytes[10],
            reserved: array(bytes, 11),
        }
    }

    /// The record's bytes.
    pub fn to_bytes(&self) -> [u8; ENTRY_SIZE] {
        let mut bytes = [0; ENTRY_SIZE];
        bytes[..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.name_len.to_le_bytes());
        bytes[10] = self.kind;
        bytes[11..].copy_from_slice(&self.reserved);
        bytes
    }
}

/// A chunk's record, as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRecord {
    /// Offset in the file.
    pub offset: u64,
    /// XXH3-64 of the content.
    pub checksum: u64,
    /// Bytes in the file.
    pub packed_size: u32,
    /// Number of the method.
    pub method: u8,
    /// Must be zero.
    pub reserved: [u8; 3],
}

impl ChunkRecord {
    /// Reads a record.
    pub fn from_bytes(bytes: &[u8; CHUNK_SIZE]) -> Self {
        Self {
            offset: u64::from_le_bytes(array(bytes, 0)),
            checksum: u64::from_le_bytes(array(bytes, 8)),
            packed_size: u32::from_le_bytes(array(bytes, 16)),
            method: bytes[20],
            reserved: array(bytes, 21),
        }
    }

    /// The record's bytes.
    pub fn to_bytes(&self) -> [u8; CHUNK_SIZE] {
        let mut bytes = [0; CHUNK_SIZE];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.packed_size.to_le_bytes());
        bytes[20] = self.method;
        bytes[21..].copy_from_slice(&self.reserved);
        bytes
    }
}

/// `N` bytes of a longer array. Callers pass constant positions inside it.
fn array<const N: usize, const M: usize>(bytes: &[u8; M], at: usize) -> [u8; N] {
    core::array::from_fn(|i| bytes[at + i])
}

fn check_version(found: u16) -> Result<(), PackError> {
    if found == VERSION { Ok(()) } else { Err(PackError::UnsupportedVersion { found }) }
}

fn check_reserved(bytes: &[u8], range: core::ops::Range<usize>) -> Result<(), PackError> {
    match range.clone().find(|at| bytes[*at] != 0) {
        None => Ok(()),
        Some(at) => Err(PackError::Reserved { at }),
    }
}
