//! An empty page cache.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Has the kernel forget what it keeps of files, of this one all: what of it has changed is written back first, or it would stay.
///
/// # Errors
/// What the kernel says; to anybody but root, that they may not.
pub(super) fn empty_page_cache(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    fs::write("/proc/sys/vm/drop_caches", "1")
}
