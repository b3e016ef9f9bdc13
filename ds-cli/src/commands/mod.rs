//! The commands, one module each.

use core::fmt;
use std::io;
use std::path::Path;

use crate::error::{Error, Result, quoted};
use crate::files::input::open_file;
use crate::pack::{OpenError, Pack, PackError};

pub mod bench;
pub mod compress;
pub mod decompress;
pub mod demo;
pub mod doctor;
pub mod inspect;
pub mod list;
pub mod pack;
pub mod stream;
pub mod unpack;

/// The error for the chunk `number` of the entry `name`.
pub(crate) fn chunk_error(path: &Path, name: &str, number: usize, problem: impl fmt::Display) -> Error {
    Error::data(path, format_args!("entry {name:?}, chunk {number}: {problem}"))
        .hint("the pack is damaged: copy it again from where it came from")
}

/// The error for a chunk that could not be read.
pub(crate) fn read_error(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        // The index says that all chunks lie in the file as it was when it was opened.
        io::ErrorKind::UnexpectedEof => Error::data(path, "it was cut short while it was being read")
            .hint("wait until whatever writes it is done, or copy it again from where it came from"),
        _ => Error::system("read", path, error),
    }
}

/// Opens a pack, with advice where it is none.
pub(crate) fn open_pack(path: &Path) -> Result<Pack> {
    let no_file = |what: &str| {
        Error::usage(format!("{what} is not a file, and a pack is read from its end"))
            .hint("save the pack to a file and name that")
    };
    if path == Path::new("-") {
        return Err(no_file("standard input (-)"));
    }
    let file = open_file(path)?;
    if !file.metadata().map_err(|e| Error::system("inspect", path, e))?.is_file() {
        return Err(no_file(&quoted(path)));
    }
    Pack::open(file).map_err(|e| match e {
        OpenError::Io(e) => Error::system("read", path, e),
        OpenError::Pack(e) => {
            let hint = match e {
                PackError::NotAPack { .. } => {
                    "packs are made with `ds pack`; a tile stream is read with `ds decompress`"
                }
                PackError::UnsupportedVersion { .. } => "a newer version of this program can read it",
                PackError::NoFooter { .. } | PackError::Truncated { .. } => {
                    "the file was cut short: copy it again from where it came from"
                }
                _ => "the pack is damaged: copy it again from where it came from",
            };
            Error::data(path, e).hint(hint)
        }
    })
}
