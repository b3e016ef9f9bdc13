//! Writing below a directory without ever leaving it.
//!
//! The kernel resolves every path with `openat2`: beneath the root and through no symbolic link. A pack cannot make
//! us write elsewhere, and neither can somebody who swaps a directory for a link while we work.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat2, unlinkat};
use rustix::io::Errno;

use super::staged::Staged;

/// A directory that files are made below, and a record of what was made, to undo it.
#[derive(Debug)]
pub struct Confined {
    root: OwnedFd,
    created: Vec<Created>,
}

#[derive(Debug)]
enum Created {
    File(PathBuf),
    Directory(PathBuf),
}

/// A kernel asked to resolve beneath a directory that is being renamed says "try again"; it need not be patient for
/// ever.
const RESOLVE_TRIES: u32 = 64;

impl Confined {
    /// Works below the open directory `root`.
    pub fn new(root: OwnedFd) -> Self {
        Self { root, created: Vec::new() }
    }

    /// Begins the file `path`, making the directories it lies in.
    ///
    /// # Errors
    ///
    /// What the system reports: `CrossesDevices` (`EXDEV`) for a path that leads outside, `FilesystemLoop` (`ELOOP`)
    /// for one with a symbolic link in it.
    pub fn create(&mut self, path: &Path) -> io::Result<Staged> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let dir = match path.parent() {
            Some(parent) if parent != Path::new("") => self.directory(parent)?,
            _ => self.root.try_clone()?,
        };
        Staged::create(dir, name)
    }

    /// Gives a file its name and remembers it.
    ///
    /// # Errors
    ///
    /// What [`Staged::commit`] reports.
    pub fn commit(&mut self, staged: Staged, path: &Path, replace: bool) -> io::Result<()> {
        staged.commit(replace)?;
        self.created.push(Created::File(path.into()));
        Ok(())
    }

    /// Opens the directory `path`, making it and those it lies in where they are missing.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub fn directory(&mut self, path: &Path) -> io::Result<OwnedFd> {
        match self.open(path) {
            Err(Errno::NOENT) => {}
            other => return Ok(other?),
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => self.directory(parent)?,
            _ => self.root.try_clone()?,
        };
        match mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => self.created.push(Created::Directory(path.into())),
            Err(Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(self.open(path)?)
    }

    /// Removes what was made, as far as possible, newest first. Directories that others have put files into stay.
    pub fn undo(&mut self) {
        while let Some(created) = self.created.pop() {
            let (path, flags) = match &created {
                Created::File(path) => (path, AtFlags::empty()),
                Created::Directory(path) => (path, AtFlags::REMOVEDIR),
            };
            let parent = match path.parent() {
                Some(parent) if parent != Path::new("") => self.open(parent),
                _ => self.root.try_clone().map_err(|_| Errno::MFILE),
            };
            if let Ok(parent) = parent {
                let _ = unlinkat(parent, path.file_name().unwrap_or_default(), flags);
            }
        }
    }

    fn open(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let mut tries = RESOLVE_TRIES;
        loop {
            match openat2(&self.root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries > 0 => tries -= 1,
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn confined(dir: &Path) -> Confined {
        Confined::new(File::open(dir).unwrap().into())
    }

    #[test]
    fn paths_that_lead_outside_are_refused_by_the_kernel() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir(&root).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink(&root, root.join("self")).unwrap();
        let mut confined = confined(&root);
        for path in ["../x/y", "up/x", "/tmp/x", "self/x"] {
            let error = confined.create(Path::new(path)).unwrap_err().raw_os_error().unwrap();
            assert!([Errno::XDEV, Errno::LOOP].map(|e| e.raw_os_error()).contains(&error), "{path}: {error}");
        }
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }

    #[test]
    fn undo_leaves_what_was_there_before() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("old")).unwrap();
        let mut confined = confined(root.path());
        for path in ["a/b/c", "a/d", "old/e", "f"] {
            let staged = confined.create(Path::new(path)).unwrap();
            staged.file().write_all(b"x").unwrap();
            confined.commit(staged, Path::new(path), false).unwrap();
        }
        assert_eq!(fs::read(root.path().join("a/b/c")).unwrap(), b"x");
        confined.undo();
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["old"]);
        assert_eq!(fs::read_dir(root.path().join("old")).unwrap().count(), 0);
    }
}
