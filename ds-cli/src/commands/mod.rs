//! The commands, one module each.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files::input::open_file;
use crate::pack::{OpenError, Pack, PackError};

pub mod compress;
pub mod decompress;
pub mod demo;
pub mod doctor;
pub mod inspect;
pub mod list;
pub mod pack;
pub mod stream;
pub mod unpack;

/// Opens a pack, with advice where it is none.
fn open_pack(path: &Path) -> Result<Pack> {
    Pack::open(open_file(path)?).map_err(|e| match e {
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
