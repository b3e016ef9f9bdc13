//! What the page cache has of the file when a run begins: all of it, or nothing.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

/// Has the kernel forget what it keeps of files, of this one all: what of it has changed is written back first, or it would stay.
///
/// # Errors
/// What the kernel says; to anybody but root, that they may not.
pub(super) fn empty(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    fs::write("/proc/sys/vm/drop_caches", "1")
}

/// Reads the file from end to end. Once is not enough for all runs: kernels that reclaim what seems idle (DAMON) do not count reads.
///
/// # Errors
/// What the kernel says.
pub(super) fn fill(file: &Path) -> io::Result<()> {
    io::copy(&mut BufReader::with_capacity(1 << 20, File::open(file)?), &mut io::sink()).map(|_| ())
}
