//! The file system of a path, and whether reads can bypass the page cache there.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fstatfs, openat, statx};
use serde_json::Value;

use super::Fact;
use crate::error::{Error, Result};
use crate::units;

pub(super) fn facts(path: &Path) -> Result<Vec<Fact>> {
    let file = File::open(path).map_err(|e| Error::system("open", path, e))?;
    let of_system = |e: io::Error| Error::system("inspect", path, e);
    let directory = file.metadata().map_err(of_system)?.is_dir();
    let system = fstatfs(&file).map_err(|e| of_system(e.into()))?;
    let free = system.f_bavail.saturating_mul(system.f_bsize as u64);
    let shown = path.canonicalize().unwrap_or_else(|_| path.into());
    Ok(vec![
        Fact::new("path", shown.display().to_string()),
        file_system(system.f_type as u32),
        Fact::shown("free", free, units::bytes(free)),
        direct_io(path, file, directory),
    ])
}

/// The name behind the number `statfs` gives.
fn file_system(magic: u32) -> Fact {
    let name = match magic {
        0xef53 => "ext4 (or ext2, ext3)",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0xca45_1a4e => "bcachefs",
        0xf2f5_2010 => "f2fs",
        0x2fc1_2fc1 => "zfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlayfs",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        0x0000_6969 => "nfs",
        0x7366_746e => "ntfs3",
        0x2011_bab0 => "exfat",
        0x7371_7368 => "squashfs",
        _ => return Fact::new("file_system", format!("unknown ({magic:#x})")),
    };
    Fact::new("file_system", name)
}

/// The kernel tells alignments for regular files only; for a directory a nameless file in it is asked.
fn direct_io(path: &Path, file: File, directory: bool) -> Fact {
    const KEY: &str = "direct_io";
    let file: OwnedFd = match directory {
        true => match openat(CWD, path, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR) {
            Ok(file) => file,
            Err(_) => return Fact::shown(KEY, Value::Null, "unknown: name a file there to find out"),
        },
        false => file.into(),
    };
    match statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(found) if found.stx_mask & StatxFlags::DIOALIGN.bits() == 0 => {
            Fact::shown(KEY, Value::Null, "unknown: this kernel or file system does not say (Linux 6.1)")
        }
        Ok(found) if found.stx_dio_offset_align == 0 => Fact::shown(KEY, false, "no"),
        Ok(found) => {
            let (memory, offset) = (found.stx_dio_mem_align, found.stx_dio_offset_align);
            let value = serde_json::json!({ "memory_alignment": memory, "offset_alignment": offset });
            Fact::shown(KEY, value, format!("yes: memory aligned to {memory} bytes, offsets to {offset}"))
        }
        Err(_) => Fact::new(KEY, Value::Null),
    }
}
