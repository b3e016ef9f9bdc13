//! What the kernel says to reads and writes that cannot be: the same through every engine.

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use ds_core::{Done, Fault};
use ds_engine::IoOp;
use rustix::io::Errno;

use crate::common::{Memory, errno, file, read, write};

/// What an engine answers to an operation.
type Answer<'a> = &'a dyn Fn(IoOp) -> Result<Done, Fault>;

/// Files of the wrong kind or mode, offsets there are not, no space.
pub(crate) fn assert_told(answer: Answer<'_>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, b"content").unwrap();
    let memory = Memory::new(16);
    let read_only = File::open(&path).unwrap();
    assert_eq!(answer(write(file(&read_only), 0, &memory)), errno(Errno::BADF), "opened for reading");
    let write_only = File::options().write(true).open(&path).unwrap();
    assert_eq!(answer(read(file(&write_only), 0, &memory)), errno(Errno::BADF), "opened for writing");
    let folder = File::open(directory.path()).unwrap();
    assert_eq!(answer(read(file(&folder), 0, &memory)), errno(Errno::ISDIR));
    let (end, mut other) = UnixStream::pair().unwrap();
    other.write_all(b"x").unwrap();
    assert_eq!(answer(read(file(&end), 0, &memory)), errno(Errno::SPIPE), "socket");
    let (pipe, _other) = std::io::pipe().unwrap();
    assert_eq!(answer(read(file(&pipe), 0, &memory)), errno(Errno::SPIPE), "pipe");
    let sync = IoOp::Sync { file: file(&pipe), data_only: false };
    assert_eq!(answer(sync), errno(Errno::INVAL), "a pipe cannot be made durable");
    assert_eq!(answer(read(file(&read_only), u64::MAX, &memory)), errno(Errno::INVAL), "no such offset");
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(answer(write(file(&full), 0, &memory)), errno(Errno::NOSPC));
    let far = answer(read(file(&read_only), i64::MAX as u64 - 7, &memory));
    assert!(far == Ok(Done::Moved(0)) || far == errno(Errno::INVAL), "{far:?}");
    let far = answer(write(file(&write_only), i64::MAX as u64 - 100, &memory));
    assert_eq!(far, errno(Errno::FBIG), "larger than files can be");
}

/// A descriptor that is closed.
pub(crate) fn assert_closed_is_told(answer: Answer<'_>) {
    // A number that nothing in this process will ever get: the limit on descriptors is far below.
    // SAFETY: the number names no descriptor, so nothing is closed twice; that nobody owns it is the point of the test.
    let none = unsafe { OwnedFd::from_raw_fd(0x3FFF_FFFF) };
    let memory = Memory::new(16);
    assert_eq!(answer(read(file(&none), 0, &memory)), errno(Errno::BADF));
    assert_eq!(answer(write(file(&none), 0, &memory)), errno(Errno::BADF));
    assert_eq!(answer(IoOp::Sync { file: file(&none), data_only: true }), errno(Errno::BADF));
    let _ = none.into_raw_fd();
}
