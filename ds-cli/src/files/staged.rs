//! A file that has no name until it is complete.

use core::sync::atomic::{AtomicU32, Ordering};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, fchmod, linkat, openat, renameat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::signals::{self, Registration};

/// A file being written in the directory it will live in.
///
/// Where the file system can (`O_TMPFILE`), it has no name at all, so that even a killed process leaves nothing
/// behind. Elsewhere it has a name beginning with `.ds-` and is removed on drop, and by signals.
#[derive(Debug)]
pub struct Staged {
    dir: Arc<OwnedFd>,
    name: OsString,
    file: File,
    temporary: Option<Temporary>,
}

/// Files are made as any program makes them: the umask decides.
const MODE: Mode = Mode::from_raw_mode(0o666);

/// Of a file that is replaced, who may read, write and run it is kept.
const PERMISSIONS: Mode = Mode::from_raw_mode(0o777);

impl Staged {
    /// Begins a file that is to be `name` (one component) in `dir`.
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn create(dir: OwnedFd, name: &OsStr) -> io::Result<Self> {
        let dir = Arc::new(dir);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let nameless = match Path::new("/proc/self/fd").exists() {
            true => openat(&dir, ".", flags | OFlags::TMPFILE, MODE),
            false => Err(Errno::OPNOTSUPP), // a nameless file gets its name through /proc
        };
        let (file, temporary) = match nameless {
            Ok(fd) => (fd, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let (fd, temporary) = Temporary::make(&dir, |temporary| {
                    openat(&dir, temporary, flags | OFlags::CREATE | OFlags::EXCL, MODE)
                })?;
                (fd, Some(temporary))
            }
            Err(e) => return Err(e.into()),
        };
        Ok(Self { dir, name: name.into(), file: file.into(), temporary })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name. With `replace` a file of that name is replaced in one step, and its permissions are
    /// kept; without, it is an error.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, or what the system reports. The file is gone then.
    pub fn commit(mut self, replace: bool) -> io::Result<()> {
        if replace {
            self.replaces()?;
            // A link cannot replace a name, a rename can.
            let temporary = self.temporary()?;
            renameat(&self.dir, temporary.name(), &self.dir, &self.name)?;
            temporary.leave();
            return Ok(());
        }
        match self.temporary.take() {
            None => Ok(self.link(&self.name)?),
            Some(temporary) => Ok(self.rename_to_unused(temporary)?),
        }
    }

    /// Whether there is a file of the name already, whose permissions are then taken over.
    ///
    /// # Errors
    ///
    /// `IsADirectory`, or what the system reports.
    pub fn replaces(&self) -> io::Result<bool> {
        let old = match statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            old => old?,
        };
        match FileType::from_raw_mode(old.st_mode) {
            FileType::Directory => return Err(Errno::ISDIR.into()),
            FileType::RegularFile => fchmod(&self.file, Mode::from_raw_mode(old.st_mode) & PERMISSIONS)?,
            _ => {}
        }
        Ok(true)
    }

    /// Leaves the file under a temporary name in its directory: the caller's to rename or remove.
    ///
    /// # Errors
    ///
    /// What the system reports. The file is gone then.
    pub fn park(mut self) -> io::Result<OsString> {
        Ok(self.temporary()?.leave())
    }

    /// The temporary name, given to the file now if it has none.
    fn temporary(&mut self) -> rustix::io::Result<Temporary> {
        match self.temporary.take() {
            Some(temporary) => Ok(temporary),
            None => Ok(Temporary::make(&self.dir, |temporary| self.link(temporary))?.1),
        }
    }

    fn link(&self, name: &OsStr) -> rustix::io::Result<()> {
        let source = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
        linkat(CWD, source, &self.dir, name, AtFlags::SYMLINK_FOLLOW)
    }

    fn rename_to_unused(&self, temporary: Temporary) -> rustix::io::Result<()> {
        let (dir, from) = (&self.dir, temporary.name());
        match renameat_with(dir, from, dir, &self.name, RenameFlags::NOREPLACE) {
            // Some file systems cannot rename without replacing; a second link can do the same.
            Err(Errno::INVAL | Errno::NOSYS) => linkat(dir, from, dir, &self.name, AtFlags::empty()),
            renamed => {
                renamed?;
                temporary.leave();
                Ok(())
            }
        }
    }
}

/// A name no other process uses, nor another file of this one. The file goes with it on drop, and by signals.
#[derive(Debug)]
struct Temporary {
    dir: Arc<OwnedFd>,
    name: Option<OsString>,
    _registration: Registration,
}

impl Temporary {
    /// Has `make` make a file of a name in `dir`.
    fn make<T>(
        dir: &Arc<OwnedFd>,
        make: impl FnOnce(&OsStr) -> rustix::io::Result<T>,
    ) -> rustix::io::Result<(T, Self)> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = OsString::from(format!(".ds-{}-{number}.part", std::process::id()));
        let _hold = signals::hold();
        let made = make(&name)?;
        let registration = signals::on_signal({
            let (dir, name) = (dir.clone(), name.clone());
            move || remove(&dir, &name)
        });
        Ok((made, Self { dir: dir.clone(), name: Some(name), _registration: registration }))
    }

    fn name(&self) -> &OsStr {
        self.name.as_deref().unwrap_or_default()
    }

    /// Whatever has this name now stays.
    fn leave(mut self) -> OsString {
        self.name.take().unwrap_or_default()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            remove(&self.dir, name);
        }
    }
}

fn remove(dir: &OwnedFd, name: &OsStr) {
    // Nobody is left to tell; the name says whose leftover it is.
    let _ = unlinkat(dir, name, AtFlags::empty());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn staged(dir: &Path, named: bool) -> Staged {
        let fd: OwnedFd = File::open(dir).unwrap().into();
        let mut staged = Staged::create(fd, OsStr::new("target")).unwrap();
        if named && staged.temporary.is_none() {
            staged.temporary = Some(staged.temporary().unwrap());
        }
        staged.file().write_all(b"new").unwrap();
        staged
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        for named in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            drop(staged(dir.path(), named));
            assert!(names(dir.path()).is_empty());

            staged(dir.path(), named).commit(false).unwrap();
            assert_eq!(fs::read(dir.path().join("target")).unwrap(), b"new");

            fs::write(dir.path().join("target"), "old").unwrap();
            let error = staged(dir.path(), named).commit(false).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(dir.path().join("target")).unwrap(), b"old");

            staged(dir.path(), named).commit(true).unwrap();
            assert_eq!(fs::read(dir.path().join("target")).unwrap(), b"new");
            assert_eq!(names(dir.path()), ["target"]);
        }
    }
}
