//! Writing below a directory without ever leaving it.
//!
//! The kernel resolves every path with `openat2`: beneath the root and through no symbolic link. A pack cannot make
//! us write elsewhere, and neither can somebody who swaps a directory for a link while we work.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, ResolveFlags, mkdirat, openat2, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::staged::Staged;
use crate::signals::{self, Registration};

/// A directory that files are made below, all of them or none: until [`finish`](Self::finish), no file that was there
/// before is touched, and what was made goes again on drop and by signals.
#[derive(Debug)]
pub struct Confined {
    journal: Arc<Mutex<Journal>>,
    _registration: Registration,
}

/// The directory, and what was made in it.
#[derive(Debug)]
struct Journal {
    root: OwnedFd,
    /// The root's path, if it was made as well.
    made_root: Option<PathBuf>,
    made: Vec<Made>,
}

#[derive(Debug)]
enum Made {
    File(PathBuf),
    Directory(PathBuf),
    /// A file that is complete, under a temporary name in the directory of the file it will replace.
    Waiting {
        path: PathBuf,
        temporary: OsString,
    },
    /// A file in the place of an old one, which has the temporary name.
    Exchanged {
        path: PathBuf,
        temporary: OsString,
    },
}

/// A kernel asked to resolve beneath a directory that is being renamed says "try again"; it need not be patient for
/// ever.
const RESOLVE_TRIES: u32 = 64;

impl Confined {
    /// Works below the directory `root`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn open(root: &Path) -> io::Result<Self> {
        let _hold = signals::hold();
        let made_root = match fs::create_dir(root) {
            Ok(()) => Some(root.to_owned()),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => None,
            Err(e) => return Err(e),
        };
        let journal = Journal { root: File::open(root)?.into(), made_root, made: Vec::new() };
        let journal = Arc::new(Mutex::new(journal));
        let registration = signals::on_signal({
            let journal = journal.clone();
            move || lock(&journal).undo()
        });
        Ok(Self { journal, _registration: registration })
    }

    /// Begins the file `path`, making the directories it lies in.
    ///
    /// # Errors
    ///
    /// What the system reports: `CrossesDevices` (`EXDEV`) for a path that leads outside, `FilesystemLoop` (`ELOOP`)
    /// for one with a symbolic link in it.
    pub fn create(&mut self, path: &Path) -> io::Result<Staged> {
        let _hold = signals::hold();
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let dir = lock(&self.journal).parent(path)?;
        Staged::create(dir, name)
    }

    /// Gives a complete file its name. With `replace`, one that replaces another waits for [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// What [`Staged::commit`] reports.
    pub fn commit(&mut self, staged: Staged, path: &Path, replace: bool) -> io::Result<()> {
        let _hold = signals::hold();
        let made = if replace && staged.replaces()? {
            Made::Waiting { path: path.into(), temporary: staged.park()? }
        } else {
            staged.commit(false)?;
            Made::File(path.into())
        };
        lock(&self.journal).made.push(made);
        Ok(())
    }

    /// Makes the directory `path`, and those it lies in, where they are missing.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub fn directory(&mut self, path: &Path) -> io::Result<()> {
        let _hold = signals::hold();
        lock(&self.journal).directory(path).map(drop)
    }

    /// Puts the files that replace others in their places. What was made stays from now on.
    ///
    /// # Errors
    ///
    /// The file that could not be replaced, and what the system reports. All is as it was before then.
    pub fn finish(self) -> Result<(), (PathBuf, io::Error)> {
        let _hold = signals::hold();
        lock(&self.journal).finish()
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        let _hold = signals::hold();
        lock(&self.journal).undo();
    }
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Opens the directory `path` lies in, making it where it is missing.
    fn parent(&mut self, path: &Path) -> io::Result<OwnedFd> {
        match path.parent() {
            Some(parent) if parent != Path::new("") => self.directory(parent),
            _ => self.root.try_clone(),
        }
    }

    fn directory(&mut self, path: &Path) -> io::Result<OwnedFd> {
        match self.open(path) {
            Err(Errno::NOENT) => {}
            other => return Ok(other?),
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let parent = self.parent(path)?;
        match mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => self.made.push(Made::Directory(path.into())),
            Err(Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(self.open(path)?)
    }

    fn finish(&mut self) -> Result<(), (PathBuf, io::Error)> {
        for number in 0..self.made.len() {
            if let Made::Waiting { path, temporary } = &self.made[number] {
                self.made[number] =
                    self.replace(path, temporary).map_err(|error| (path.clone(), error.into()))?;
            }
        }
        self.made_root = None;
        for made in core::mem::take(&mut self.made) {
            if let Made::Exchanged { path, temporary } = made {
                let _ = self.inside(&path, |dir, _| unlinkat(dir, &temporary, AtFlags::empty()));
            }
        }
        Ok(())
    }

    /// Puts the file that waits for it in the place of `path`.
    fn replace(&self, path: &Path, temporary: &OsStr) -> rustix::io::Result<Made> {
        self.inside(path, |dir, name| {
            match renameat_with(dir, temporary, dir, name, RenameFlags::EXCHANGE) {
                Ok(()) => Ok(Made::Exchanged { path: path.into(), temporary: temporary.into() }),
                // The old file has gone meanwhile.
                Err(Errno::NOENT) => {
                    renameat(dir, temporary, dir, name)?;
                    Ok(Made::File(path.into()))
                }
                Err(Errno::INVAL | Errno::NOSYS) => {
                    let temporary = exchange_in_steps(dir, temporary, name)?;
                    Ok(Made::Exchanged { path: path.into(), temporary })
                }
                Err(e) => Err(e),
            }
        })
    }

    /// Removes what was made, as far as possible, newest first. Directories that others have put files into stay.
    fn undo(&mut self) {
        while let Some(made) = self.made.pop() {
            let file = AtFlags::empty();
            // What fails here has been removed by somebody else, or is not ours any more.
            let _ = match &made {
                Made::File(path) => self.inside(path, |dir, name| unlinkat(dir, name, file)),
                Made::Directory(path) => {
                    self.inside(path, |dir, name| unlinkat(dir, name, AtFlags::REMOVEDIR))
                }
                Made::Waiting { path, temporary } => {
                    self.inside(path, |dir, _| unlinkat(dir, temporary, file))
                }
                Made::Exchanged { path, temporary } => {
                    self.inside(path, |dir, name| renameat(dir, temporary, dir, name))
                }
            };
        }
        if let Some(root) = self.made_root.take() {
            let _ = fs::remove_dir(root);
        }
    }

    /// Does something to a file: the directory it lies in, which must be there, and its name.
    fn inside<T>(
        &self,
        path: &Path,
        act: impl FnOnce(&OwnedFd, &OsStr) -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        let name = path.file_name().unwrap_or_default();
        match path.parent() {
            Some(parent) if parent != Path::new("") => act(&self.open(parent)?, name),
            _ => act(&self.root, name),
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

/// Puts a file in the place of another on a file system that cannot exchange two names. Returns the old file's new name.
fn exchange_in_steps(dir: &OwnedFd, temporary: &OsStr, name: &OsStr) -> rustix::io::Result<OsString> {
    let mut old = temporary.to_owned();
    old.push(".old");
    renameat(dir, name, dir, &old)?;
    if let Err(e) = renameat(dir, temporary, dir, name) {
        renameat(dir, &old, dir, name)?;
        return Err(e);
    }
    Ok(old)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(confined: &mut Confined, path: &str, replace: bool) -> io::Result<()> {
        let staged = confined.create(Path::new(path))?;
        staged.file().write_all(b"new")?;
        confined.commit(staged, Path::new(path), replace)
    }

    fn names(dir: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn paths_that_lead_outside_are_refused_by_the_kernel() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir(&root).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink(&root, root.join("self")).unwrap();
        let mut confined = Confined::open(&root).unwrap();
        for path in ["../x/y", "up/x", "/tmp/x", "self/x"] {
            let error = confined.create(Path::new(path)).unwrap_err().raw_os_error().unwrap();
            assert!([Errno::XDEV, Errno::LOOP].map(|e| e.raw_os_error()).contains(&error), "{path}: {error}");
        }
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_finished_leaves_what_was_there_before() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("old")).unwrap();
        for path in ["g", "old/h"] {
            fs::write(root.path().join(path), "precious").unwrap();
        }
        let mut confined = Confined::open(root.path()).unwrap();
        for path in ["a/b/c", "a/d", "old/e", "f", "g", "old/h"] {
            put(&mut confined, path, true).unwrap();
        }
        assert_eq!(fs::read(root.path().join("a/b/c")).unwrap(), b"new");
        assert_eq!(fs::read(root.path().join("g")).unwrap(), b"precious");
        drop(confined);
        assert_eq!(
            (names(root.path()), names(&root.path().join("old"))),
            (vec!["g".into(), "old".into()], vec!["h".into()])
        );
        for path in ["g", "old/h"] {
            assert_eq!(fs::read(root.path().join(path)).unwrap(), b"precious");
        }
    }

    #[test]
    fn files_are_replaced_at_the_end_all_or_none() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        for path in [&a, &b] {
            fs::write(path, "old").unwrap();
        }
        let mut confined = Confined::open(root.path()).unwrap();
        put(&mut confined, "a", true).unwrap();
        put(&mut confined, "b", true).unwrap();
        assert_eq!(fs::read(&a).unwrap(), b"old");
        // Its directory is not what it was, so the last cannot be replaced.
        put(&mut confined, "c/d", true).unwrap();
        fs::write(root.path().join("c/e"), "old").unwrap();
        put(&mut confined, "c/e", true).unwrap();
        fs::rename(root.path().join("c"), root.path().join("moved")).unwrap();
        let (path, error) = confined.finish().unwrap_err();
        assert_eq!((path, error.kind()), ("c/e".into(), io::ErrorKind::NotFound));
        assert_eq!(fs::read(&a).unwrap(), b"old");

        let mut confined = Confined::open(root.path()).unwrap();
        put(&mut confined, "a", true).unwrap();
        put(&mut confined, "b", true).unwrap();
        confined.finish().unwrap();
        assert_eq!((fs::read(&a).unwrap(), fs::read(&b).unwrap()), (b"new".to_vec(), b"new".to_vec()));
        assert_eq!(names(root.path()), ["a", "b", "moved"]);
    }

    #[test]
    fn names_are_exchanged_in_steps_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let dir: OwnedFd = File::open(root.path()).unwrap().into();
        fs::write(root.path().join("a"), "old").unwrap();
        let exchange = || exchange_in_steps(&dir, OsStr::new("temporary"), OsStr::new("a"));
        assert_eq!(exchange().unwrap_err(), Errno::NOENT);
        assert_eq!(
            (names(root.path()), fs::read(root.path().join("a")).unwrap()),
            (vec!["a".into()], b"old".to_vec())
        );
        fs::write(root.path().join("temporary"), "new").unwrap();
        assert_eq!(exchange().unwrap(), "temporary.old");
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"new");
        assert_eq!(names(root.path()), ["a", "temporary.old"]);
    }

    #[test]
    fn a_root_that_was_made_goes_again() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        let mut confined = Confined::open(&root).unwrap();
        put(&mut confined, "a/b", false).unwrap();
        drop(confined);
        assert!(names(outer.path()).is_empty());
        let mut confined = Confined::open(&root).unwrap();
        put(&mut confined, "a/b", false).unwrap();
        confined.finish().unwrap();
        assert_eq!(names(&root), ["a"]);
    }
}
