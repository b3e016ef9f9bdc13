//! An open pack file.

use core::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use ds_gdeflate::{DecodeError, Decoder, TileStream};
use twox_hash::XxHash3_64;

use super::error::PackError;
use super::index::{Chunk, PackIndex};
use super::layout::{self, FOOTER_SIZE, Footer, HEADER_SIZE, Method};

/// Why a chunk's content could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChunkError {
    /// The buffer for the packed bytes or the content has the wrong size.
    BufferSize {
        /// Bytes it must have.
        expected: u32,
        /// Bytes it has.
        actual: usize,
    },
    /// The chunk is no sound tile stream.
    Decode(DecodeError),
    /// The tile stream does not hold as many bytes as the index says, or ends before the chunk does.
    StreamSize {
        /// Bytes of content the index says.
        expected: u32,
        /// Bytes of content the stream says.
        actual: u64,
        /// Bytes of the chunk the stream takes up.
        consumed: u64,
        /// Bytes of the chunk.
        packed: u32,
    },
    /// The content is not what was packed.
    Checksum {
        /// What the index says.
        stored: u64,
        /// What the content gives.
        computed: u64,
    },
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferSize { expected, actual } => {
                write!(f, "a buffer of {actual} bytes where {expected} are due")
            }
            Self::Decode(e) => e.fmt(f),
            Self::StreamSize { expected, actual, consumed, packed } => write!(
                f,
                "a stream of {consumed} bytes giving {actual} in a chunk of {packed} bytes giving {expected}"
            ),
            Self::Checksum { stored, computed } => {
                write!(f, "wrong checksum: {stored:016x} stored, {computed:016x} computed")
            }
        }
    }
}

impl core::error::Error for ChunkError {}

impl Chunk {
    /// Unpacks the chunk's bytes and verifies its checksum.
    ///
    /// On failure `content` holds unspecified bytes.
    ///
    /// # Errors
    ///
    /// Any fault of `packed`; [`ChunkError::BufferSize`] if a slice does not have the size the chunk says.
    pub fn unpack(&self, decoder: &mut Decoder, packed: &[u8], content: &mut [u8]) -> Result<(), ChunkError> {
        check_size(self.packed_size, packed.len())?;
        check_size(self.raw_size, content.len())?;
        match self.method {
            Method::Stored => content.copy_from_slice(packed),
            Method::GDeflate => self.decode(decoder, packed, content)?,
        }
        self.verify(content)
    }

    /// Compares the checksum of `content` with the one in the index.
    ///
    /// # Errors
    ///
    /// [`ChunkError::Checksum`].
    pub fn verify(&self, content: &[u8]) -> Result<(), ChunkError> {
        self.check(XxHash3_64::oneshot(content))
    }

    /// Compares a checksum of the content with the one in the index.
    ///
    /// # Errors
    ///
    /// [`ChunkError::Checksum`].
    pub fn check(&self, computed: u64) -> Result<(), ChunkError> {
        if computed == self.checksum {
            Ok(())
        } else {
            Err(ChunkError::Checksum { stored: self.checksum, computed })
        }
    }

    /// Compares what its tile stream says of itself with what the index says: bytes of content, and of the stream.
    ///
    /// # Errors
    ///
    /// [`ChunkError::StreamSize`].
    pub fn check_stream(&self, actual: u64, consumed: u64) -> Result<(), ChunkError> {
        let (expected, packed) = (self.raw_size, self.packed_size);
        if (actual, consumed) == (expected.into(), packed.into()) {
            Ok(())
        } else {
            Err(ChunkError::StreamSize { expected, actual, consumed, packed })
        }
    }

    fn decode(&self, decoder: &mut Decoder, packed: &[u8], content: &mut [u8]) -> Result<(), ChunkError> {
        let stream = TileStream::parse(packed).map_err(|e| ChunkError::Decode(e.into()))?;
        self.check_stream(stream.uncompressed_size(), stream.consumed() as u64)?;
        decoder.decode_stream(&stream, content).map(drop).map_err(ChunkError::Decode)
    }
}

fn check_size(expected: u32, actual: usize) -> Result<(), ChunkError> {
    if actual == expected as usize { Ok(()) } else { Err(ChunkError::BufferSize { expected, actual }) }
}

/// Why a pack could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The file could not be read.
    Io(io::Error),
    /// The file is not a sound pack.
    Pack(PackError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => e.fmt(f),
            Self::Pack(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PackError> for OpenError {
    fn from(error: PackError) -> Self {
        Self::Pack(error)
    }
}

/// An open pack: its file and its validated index.
#[derive(Debug)]
pub struct Pack {
    file: File,
    file_len: u64,
    index: PackIndex,
}

impl Pack {
    /// Reads header, footer and index of `file`. Content is not touched.
    ///
    /// # Errors
    ///
    /// What reading reports, or the first fault of the pack.
    pub fn open(file: File) -> Result<Self, OpenError> {
        let file_len = file.metadata()?.len();
        let least = (HEADER_SIZE + FOOTER_SIZE) as u64;
        let mut header = [0; HEADER_SIZE];
        if file_len >= HEADER_SIZE as u64 {
            file.read_exact_at(&mut header, 0)?;
            layout::check_header(&header)?;
        }
        if file_len < least {
            return Err(PackError::Truncated { needed: least, actual: file_len }.into());
        }
        let mut footer = [0; FOOTER_SIZE];
        file.read_exact_at(&mut footer, file_len - FOOTER_SIZE as u64)?;
        let footer = Footer::parse(&footer, file_len)?;
        let mut tail = vec![0; footer.tail_len() as usize];
        file.read_exact_at(&mut tail, footer.index_offset)?;
        let index = PackIndex::parse(tail, file_len)?;
        Ok(Self { file, file_len, index })
    }

    /// The validated index.
    pub fn index(&self) -> &PackIndex {
        &self.index
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Bytes of the file.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Reads the packed bytes of `chunk` into `packed`, which is resized to hold exactly them.
    ///
    /// # Errors
    ///
    /// What reading reports; `UnexpectedEof` if the file has been cut since it was opened.
    pub fn read_chunk(&self, chunk: &Chunk, packed: &mut Vec<u8>) -> io::Result<()> {
        packed.resize(chunk.packed_size as usize, 0);
        self.file.read_exact_at(packed, chunk.offset)
    }
}
