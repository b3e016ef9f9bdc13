//! A directory for files that nobody is to find afterwards.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::signals::{self, Registration};

/// A temporary directory, removed with all that is in it when this is dropped, and when a signal ends the program.
#[derive(Debug)]
pub struct Scratch {
    // Goes first: from then on the directory is removed by its own destructor.
    registration: Registration,
    dir: TempDir,
}

impl Scratch {
    /// Makes one where temporary files go.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let _hold = signals::hold();
        let dir = tempfile::Builder::new().prefix(prefix).tempdir()?;
        let path = dir.path().to_owned();
        Ok(Self { registration: signals::on_signal(move || remove(&path)), dir })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn close(self) -> io::Result<()> {
        drop(self.registration);
        self.dir.close()
    }
}

/// Removes the directory while other threads may be writing into it still, so once may not be enough.
fn remove(dir: &Path) {
    for _ in 0..8 {
        if fs::remove_dir_all(dir).is_err() && !dir.exists() {
            break;
        }
    }
}
