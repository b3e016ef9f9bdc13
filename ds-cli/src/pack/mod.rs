//! The pack: many assets in one file, each chunk its own GDeflate tile stream.
//!
//! In the order a reader meets them:
//!
//! - [`layout`]: the bytes: header, footer and the fixed-size records of the index.
//! - [`name`]: what an entry may be called.
//! - [`index`]: [`PackIndex`], the validated table of entries and chunks.
//! - [`reader`]: [`Pack`], an open pack file.
//! - [`writer`]: [`PackWriter`], which writes a pack front to back.
//! - [`error`]: [`PackError`], everything that can be wrong with a pack.
//!
//! The format is described in `docs/pack-format.md`.

pub mod error;
pub mod index;
pub mod layout;
pub mod name;
pub mod reader;
pub mod writer;

pub use error::{ChunkProblem, EntryProblem, PackError};
pub use index::{Chunk, Chunks, Entries, Entry, PackIndex};
pub use layout::{EntryKind, Geometry, Method};
pub use name::NameError;
pub use reader::{ChunkError, OpenError, Pack};
pub use writer::PackWriter;
