//! Everything that can be wrong with a pack.

use core::fmt;

use super::layout::{HEADER_SIZE, MAX_CHUNK_LOG2, MAX_INDEX, MIN_ALIGN_LOG2, MIN_CHUNK_LOG2, VERSION};
use super::name::NameError;

/// Why a file is not a pack this version can read.
///
/// Every fault is found before anything is allocated for it or read from the place it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackError {
    /// The file, or the part of it that was given, is too short.
    Truncated {
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// The file does not begin as a pack does.
    NotAPack {
        /// Its first bytes.
        found: [u8; 8],
    },
    /// The file does not end as a pack does: it was cut, or something was appended.
    NoFooter {
        /// Its last bytes.
        found: [u8; 8],
    },
    /// A version this program does not know.
    UnsupportedVersion {
        /// The version in the file.
        found: u16,
    },
    /// A reserved field of the header or the footer is not zero.
    Reserved {
        /// Byte position in the header (from the file's start) or the footer (from its own start).
        at: usize,
    },
    /// The footer's checksum is wrong.
    FooterChecksum {
        /// What the footer says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// The index's checksum is wrong.
    IndexChecksum {
        /// What the footer says.
        stored: u64,
        /// What the index's bytes give.
        computed: u64,
    },
    /// An alignment outside the format's limits.
    Alignment {
        /// Its logarithm to base 2.
        log2: u8,
    },
    /// A chunk size outside the format's limits.
    ChunkSize {
        /// Its logarithm to base 2.
        log2: u8,
    },
    /// The index does not lie, aligned, between the header and the footer.
    IndexRange {
        /// Offset of the index in the file.
        offset: u64,
        /// Bytes of the index.
        len: u64,
        /// Bytes of the file.
        file_len: u64,
    },
    /// The index is larger than the format allows.
    IndexTooLarge {
        /// Bytes of the index.
        len: u64,
    },
    /// The counts of entries and chunks do not fit into the index.
    Counts {
        /// Entries declared.
        entries: u32,
        /// Chunks declared.
        chunks: u32,
        /// Bytes of the index.
        index_len: u64,
    },
    /// The entries do not use the chunks or name bytes there are.
    Leftover {
        /// Chunk records that belong to no entry.
        chunks: u32,
        /// Name bytes that belong to no entry.
        name_bytes: u64,
    },
    /// An entry is wrong.
    Entry {
        /// Its number, from 0.
        entry: u32,
        /// Its name, as far as it can be shown.
        name: String,
        /// What is wrong.
        problem: EntryProblem,
    },
}

/// What is wrong with one entry of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryProblem {
    /// Its name breaks a rule.
    Name(NameError),
    /// Its name runs past the index.
    NameOutside {
        /// Bytes of the name.
        len: u16,
        /// Name bytes left in the index.
        left: u64,
    },
    /// Its kind is unknown.
    Kind {
        /// The kind in the file.
        found: u8,
    },
    /// A reserved field is not zero.
    Reserved,
    /// The same name as the entry before.
    Duplicate,
    /// A name that sorts before that of the entry before.
    Order {
        /// The name before.
        previous: String,
    },
    /// It lies inside another entry.
    Inside {
        /// The name of the other entry.
        parent: String,
    },
    /// A directory with content.
    DirectorySize {
        /// Its size in bytes.
        size: u64,
    },
    /// Its size needs more chunks than there are.
    TooFewChunks {
        /// Chunks its size asks for.
        needed: u64,
        /// Chunk records left.
        left: u64,
    },
    /// One of its chunks is wrong.
    Chunk {
        /// The chunk's number within the pack, from 0.
        chunk: u32,
        /// What is wrong.
        problem: ChunkProblem,
    },
}

/// What is wrong with one chunk of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkProblem {
    /// Its method is unknown.
    Method {
        /// The method in the file.
        found: u8,
    },
    /// A reserved field is not zero.
    Reserved,
    /// Its packed size does not suit its method.
    Size {
        /// Bytes in the file.
        packed: u32,
        /// Bytes of content.
        raw: u32,
    },
    /// Its offset is not a multiple of the pack's alignment.
    Misaligned {
        /// Offset in the file.
        offset: u64,
        /// The alignment in bytes.
        align: u64,
    },
    /// It begins before the chunk before it, or the header, ends.
    Overlap {
        /// Offset in the file.
        offset: u64,
        /// Where the part before ends.
        previous_end: u64,
    },
    /// It runs into the index.
    Outside {
        /// Offset in the file.
        offset: u64,
        /// Bytes in the file.
        packed: u32,
        /// Where the index begins.
        limit: u64,
    },
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, actual } => {
                write!(f, "too short for a pack: {needed} bytes are needed, {actual} are there")
            }
            Self::NotAPack { found } => write!(f, "not a pack: it begins with {found:02x?}"),
            Self::NoFooter { found } => {
                write!(
                    f,
                    "the pack is cut short or has a tail: it ends with {found:02x?} instead of a footer"
                )
            }
            Self::UnsupportedVersion { found } => {
                write!(f, "pack version {found}: this program reads version {VERSION}")
            }
            Self::Reserved { at } => write!(f, "reserved byte {at} of the header or footer is not zero"),
            Self::FooterChecksum { stored, computed } => {
                write!(f, "the footer is damaged: checksum {stored:016x} stored, {computed:016x} computed")
            }
            Self::IndexChecksum { stored, computed } => {
                write!(f, "the index is damaged: checksum {stored:016x} stored, {computed:016x} computed")
            }
            Self::Alignment { log2 } => {
                write!(f, "alignment 2^{log2} bytes: the least is 2^{MIN_ALIGN_LOG2}, the most 2^16")
            }
            Self::ChunkSize { log2 } => {
                write!(
                    f,
                    "chunk size 2^{log2} bytes: the least is 2^{MIN_CHUNK_LOG2}, the most 2^{MAX_CHUNK_LOG2}"
                )
            }
            Self::IndexRange { offset, len, file_len } => write!(
                f,
                "the index of {len} bytes at {offset} does not lie between header ({HEADER_SIZE} bytes) and footer \
                 of a file of {file_len} bytes, or is not aligned"
            ),
            Self::IndexTooLarge { len } => write!(f, "the index has {len} bytes, {MAX_INDEX} are allowed"),
            Self::Counts { entries, chunks, index_len } => {
                write!(
                    f,
                    "{entries} entries and {chunks} chunks do not fit into an index of {index_len} bytes"
                )
            }
            Self::Leftover { chunks, name_bytes } => {
                write!(
                    f,
                    "{chunks} chunk records and {name_bytes} name bytes of the index belong to no entry"
                )
            }
            Self::Entry { entry, name, problem } => write!(f, "entry {entry} ({name:?}): {problem}"),
        }
    }
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(e) => e.fmt(f),
            Self::NameOutside { len, left } => write!(f, "a name of {len} bytes where {left} are left"),
            Self::Kind { found } => write!(f, "unknown kind {found}"),
            Self::Reserved => write!(f, "a reserved field is not zero"),
            Self::Duplicate => write!(f, "the name occurs twice"),
            Self::Order { previous } => write!(f, "the name does not sort after {previous:?}"),
            Self::Inside { parent } => write!(f, "the name lies inside the entry {parent:?}"),
            Self::DirectorySize { size } => write!(f, "a directory with {size} bytes of content"),
            Self::TooFewChunks { needed, left } => {
                write!(f, "its size needs {needed} chunks, {left} are left")
            }
            Self::Chunk { chunk, problem } => write!(f, "chunk {chunk}: {problem}"),
        }
    }
}

impl fmt::Display for ChunkProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { found } => write!(f, "unknown method {found}"),
            Self::Reserved => write!(f, "a reserved field is not zero"),
            Self::Size { packed, raw } => {
                write!(f, "{packed} bytes in the file for {raw} bytes of content do not suit its method")
            }
            Self::Misaligned { offset, align } => write!(f, "offset {offset} is not a multiple of {align}"),
            Self::Overlap { offset, previous_end } => {
                write!(f, "offset {offset} overlaps the part before, which ends at {previous_end}")
            }
            Self::Outside { offset, packed, limit } => {
                write!(f, "{packed} bytes at {offset} run past {limit}, where the index begins")
            }
        }
    }
}

impl core::error::Error for PackError {}
impl core::error::Error for EntryProblem {}
impl core::error::Error for ChunkProblem {}
