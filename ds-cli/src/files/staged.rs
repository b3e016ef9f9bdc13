//! A file that has no name until it is complete.

use core::sync::atomic::{AtomicU32, Ordering};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

/// A file being written in the directory it will live in.
///
/// Where the file system can (`O_TMPFILE`), it has no name at all, so that even a killed process leaves nothing
/// behind. Elsewhere it has a name beginning with `.ds-` and is removed on drop.
#[derive(Debug)]
pub struct Staged {
    dir: OwnedFd,
    name: OsString,
    file: File,
    temporary: Option<OsString>,
}

/// Files are made as any program makes them: the umask decides.
const MODE: Mode = Mode::from_raw_mode(0o666);

impl Staged {
    /// Begins a file that is to be `name` (one component) in `dir`.
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn create(dir: OwnedFd, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let nameless = match Path::new("/proc/self/fd").exists() {
            true => openat(&dir, ".", flags | OFlags::TMPFILE, MODE),
            false => Err(Errno::OPNOTSUPP), // a nameless file gets its name through /proc
        };
        let (file, temporary) = match nameless {
            Ok(fd) => (fd, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let temporary = unused_name();
                let fd = openat(&dir, &temporary, flags | OFlags::CREATE | OFlags::EXCL, MODE)?;
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

    /// Gives the file its name. With `replace` a file of that name is replaced in one step; without, it is an error.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, or what the system reports. The file is gone then.
    pub fn commit(mut self, replace: bool) -> io::Result<()> {
        if self.temporary.is_none() {
            if !replace {
                return Ok(self.link(&self.name)?);
            }
            // A link cannot replace a name, a rename can.
            let temporary = unused_name();
            self.link(&temporary)?;
            self.temporary = Some(temporary);
        }
        let Some(temporary) = &self.temporary else { return Ok(()) };
        match replace {
            true => renameat(&self.dir, temporary, &self.dir, &self.name)?,
            false => self.rename_to_unused(temporary)?,
        }
        self.temporary = None;
        Ok(())
    }

    fn link(&self, name: &OsStr) -> rustix::io::Result<()> {
        let source = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
        linkat(CWD, source, &self.dir, name, AtFlags::SYMLINK_FOLLOW)
    }

    /// Some file systems cannot rename without replacing; a second link can do the same.
    fn rename_to_unused(&self, temporary: &OsStr) -> rustix::io::Result<()> {
        match renameat_with(&self.dir, temporary, &self.dir, &self.name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(&self.dir, temporary, &self.dir, &self.name, AtFlags::empty())?;
                unlinkat(&self.dir, temporary, AtFlags::empty())
            }
            other => other,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nobody is left to tell; the name says whose leftover it is.
            let _ = unlinkat(&self.dir, temporary, AtFlags::empty());
        }
    }
}

/// A name no other process uses, nor another file of this one.
fn unused_name() -> OsString {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(".ds-{}-{}.part", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)).into()
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
            let temporary = unused_name();
            staged.link(&temporary).unwrap();
            staged.temporary = Some(temporary);
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
