//! What the kernel says to reads and writes that cannot be: the same through every engine.

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use ds_core::{Done, Fault};
use ds_engine::IoOp;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

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
    assert_eq!(answer(read(file(&read_only), u64::MAX, &memory)), errno(Errno::INVAL), "no such offset");
    // There is nothing at that address: the kernel says what it says of a disk that breaks.
    let broken = File::open("/proc/self/mem").unwrap();
    for broken in [file(&broken), file(&broken).positional()] {
        assert_eq!(answer(read(broken, 0, &memory)), errno(Errno::IO), "a device's error");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(answer(write(file(&full), 0, &memory)), errno(Errno::NOSPC));
    let far = answer(read(file(&read_only), i64::MAX as u64 - 7, &memory));
    assert!(far == Ok(Done::Moved(0)) || far == errno(Errno::INVAL), "{far:?}");
    let far = answer(write(file(&write_only), i64::MAX as u64 - 100, &memory));
    // Files of a tmpfs can be as large as there are offsets.
    let tmpfs = rustix::fs::fstatfs(&write_only).unwrap().f_type as u64 == 0x0102_1994;
    assert!(far == errno(Errno::FBIG) || tmpfs && far.is_ok(), "larger than files can be: {far:?}");
}

/// What has no positions, each with something in it that a ring would take, or ready to take something.
fn without_positions() -> Vec<(&'static str, OwnedFd)> {
    let (pipe, mut full) = std::io::pipe().unwrap();
    full.write_all(b"x").unwrap();
    let (socket, mut other) = UnixStream::pair().unwrap();
    other.write_all(b"x").unwrap();
    let event = eventfd(7, EventfdFlags::empty()).unwrap();
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::empty()).unwrap();
    let mut all = vec![
        ("a pipe that is read", pipe.into()),
        ("a pipe that is written", full.into()),
        ("a socket", socket.into()),
        ("an eventfd", event),
        ("a timer", timer),
    ];
    match File::options().read(true).write(true).open("/dev/ptmx") {
        Ok(terminal) => all.push(("a terminal", terminal.into())),
        Err(error) => eprintln!("SKIPPED: no terminal: {error}"),
    }
    all
}

/// Files without positions: what `pread` says to them, and nothing is taken out of them or put into them.
pub(crate) fn assert_positions_are_needed(answer: Answer<'_>) {
    let memory = Memory::new(8);
    for (name, fd) in without_positions() {
        for offset in [0, 8] {
            assert_eq!(answer(read(file(&fd), offset, &memory)), errno(Errno::SPIPE), "{name} at {offset}");
            assert_eq!(answer(write(file(&fd), offset, &memory)), errno(Errno::SPIPE), "{name} at {offset}");
        }
        let sync = IoOp::Sync { file: file(&fd), data_only: false };
        assert_eq!(answer(sync), errno(Errno::INVAL), "{name} cannot be made durable");
        if name == "an eventfd" {
            let mut count = [0; 8];
            rustix::io::read(&fd, &mut count).unwrap();
            assert_eq!(u64::from_ne_bytes(count), 7, "nobody has read it");
        }
    }
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
