//! Rings of the kernel's.
//!
//! # Safety
//!
//! The crate `io-uring` maps the queues and keeps their barriers; the one thing it leaves to its users is that memory and
//! descriptors named by a submission stay good until its completion, which [`Ring::push`] in turn asks of its callers.

use core::ptr::NonNull;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use ds_core::Path;
use ds_engine::{HostBytes, StartError, Warning};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types};
use rustix::io::Errno;

use super::files::Files;
use super::message;
use super::polled::Polled;
use super::{Cqe, Full, Op, Ring, Sqe, Target, cqe_of, errno_of};
use crate::config::UringConfig;
use crate::features::Features;
use crate::flights::Token;
use crate::report::Complaints;

/// The most the kernel moves at once.
const MAX_TRANSFER: usize = 0x7FFF_F000;

/// Files that a ring is told of at most.
const FILES: u32 = 64;
/// How long the kernel's thread looks for submissions before it sleeps, in milliseconds.
const SQPOLL_IDLE: u32 = 10;
/// `RWF_DONTCACHE`: older versions of `libc` do not know it.
const DONTCACHE: i32 = 0x80;

/// What the kernel granted of what was asked for.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) features: Features,
    /// About the rest, if it was asked for on purpose.
    pub(crate) warnings: Vec<Warning>,
}

/// A ring of the kernel's.
pub(crate) struct KernelRing {
    ring: IoUring<squeue::Entry, cqueue::Entry>,
    /// Memory it has been told of: the first address, and the first after it.
    buffers: Vec<(usize, usize)>,
    files: Option<Files>,
    uncached: bool,
    polled: Option<Polled>,
    /// Whether anything more goes to the polled ring.
    polls: bool,
}

impl KernelRing {
    /// Makes a ring with as many of the features as the kernel grants, and says which those are and why not others that somebody
    /// has asked for. The calling thread becomes its only user. `buffers` is memory that transfers may name.
    ///
    /// # Errors
    /// The kernel refuses any ring, or lacks an operation the engine cannot do without.
    ///
    /// # Safety
    /// The buffers stay mapped as long as the ring lives.
    pub(crate) unsafe fn new(
        config: &UringConfig,
        buffers: &[NonNull<[u8]>],
    ) -> Result<(Self, Granted), StartError> {
        let mut features = config.features.coherent();
        let mut complaints = Complaints::default();
        let mut go_without = |features: &mut Features, feature, error: &std::io::Error| {
            *features = *features - feature;
            complaints.go_without(feature, errno_of(error));
        };

        let ring = loop {
            match build(config, features) {
                Ok(ring) => break ring,
                Err(error) => {
                    let newest = Features::SET_UP.into_iter().find(|&feature| features.contains(feature));
                    match newest {
                        // What a kernel does not know it calls invalid, without saying which.
                        Some(newest) if errno_of(&error) == Errno::INVAL => {
                            go_without(&mut features, newest, &error);
                        }
                        _ => return Err(refusal(error)),
                    }
                }
            }
        };
        check_operations(&ring)?;
        let mut ring =
            Self { ring, buffers: Vec::new(), files: None, uncached: false, polled: None, polls: false };
        if features.contains(Features::MSG_RING)
            && let Err(errno) = message::send(&ring, Token::Message.pack())
        {
            go_without(&mut features, Features::MSG_RING, &errno.into());
        }
        if features.contains(Features::FIXED_BUFFERS) {
            // SAFETY: the caller's promise, passed on.
            let told = unsafe { ring.tell_of_buffers(buffers) };
            if let Err(error) = told {
                go_without(&mut features, Features::FIXED_BUFFERS, &error);
            }
        }
        if features.contains(Features::FIXED_FILES) {
            match ring.ring.submitter().register_files(&[-1; FILES as usize]) {
                Ok(()) => ring.files = Some(Files::new(FILES)),
                Err(error) => go_without(&mut features, Features::FIXED_FILES, &error),
            }
        }
        ring.uncached = features.contains(Features::UNCACHED);
        if features.contains(Features::IOPOLL) {
            match Polled::new(config, features) {
                Ok(polled) => (ring.polled, ring.polls) = (Some(polled), true),
                Err(error) => go_without(&mut features, Features::IOPOLL, &error),
            }
        }
        Ok((ring, Granted { features, warnings: complaints.take() }))
    }

    /// A descriptor for messages to this ring.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn address(&self) -> std::io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    /// # Safety
    /// The buffers stay mapped as long as the ring lives.
    unsafe fn tell_of_buffers(&mut self, buffers: &[NonNull<[u8]>]) -> std::io::Result<()> {
        let buffers: Vec<_> = buffers.iter().filter(|buffer| !buffer.is_empty()).collect();
        let all = buffers
            .iter()
            .map(|buffer| libc::iovec { iov_base: buffer.cast().as_ptr(), iov_len: buffer.len() });
        // SAFETY: the caller vouches that they stay mapped; what is in them only jobs say.
        unsafe { self.ring.submitter().register_buffers(&all.collect::<Vec<_>>()) }?;
        let range = |buffer: &&NonNull<[u8]>| {
            let start = buffer.cast::<u8>().addr().get();
            (start, start + buffer.len())
        };
        self.buffers = buffers.iter().map(range).collect();
        Ok(())
    }

    /// The number of the buffer that these bytes are part of.
    fn buffer_of(&self, bytes: HostBytes) -> Option<u16> {
        let start = bytes.as_ptr().addr();
        let is_inside = |&(first, end): &(usize, usize)| first <= start && start + bytes.len() <= end;
        self.buffers.iter().position(is_inside).and_then(|number| u16::try_from(number).ok())
    }

    /// The place of a file among those the ring has been told of, if it is there or can be put there.
    fn place_of(&mut self, file: Target) -> Option<u32> {
        let files = self.files.as_mut()?;
        let submitter = self.ring.submitter();
        let register = |place, fd| submitter.register_files_update(place, &[fd]).is_ok_and(|done| done == 1);
        files.place(file.known_as?, file.fd, register)
    }

    /// An entry for an operation, and which of the features it uses.
    fn entry(&mut self, op: Op) -> (squeue::Entry, Path) {
        match op {
            Op::Read { file, offset, into } => {
                let (flags, path) = self.read_flags(file);
                self.entry_on(
                    file,
                    path,
                    |fd, buffer| match buffer {
                        Some(buffer) => {
                            let read = opcode::ReadFixed::new(fd, into.as_ptr(), len(into), buffer);
                            read.offset(offset).rw_flags(flags).build()
                        }
                        None => opcode::Read::new(fd, into.as_ptr(), len(into))
                            .offset(offset)
                            .rw_flags(flags)
                            .build(),
                    },
                    into,
                )
            }
            Op::ReadCached { file, offset, into } => {
                let read = opcode::Read::new(types::Fd(file.fd), into.as_ptr(), len(into)).offset(offset);
                (read.rw_flags(libc::RWF_NOWAIT).build(), Path::NONE)
            }
            Op::ReadPieces { file, offset, into, count } => {
                let (flags, path) = self.read_flags(file);
                let read = |fd, _| {
                    let into = into.as_ptr().cast();
                    opcode::Readv::new(fd, into, count).offset(offset).rw_flags(flags).build()
                };
                self.entry_on(file, path, read, HostBytes::EMPTY)
            }
            Op::Write { file, offset, from } => self.entry_on(
                file,
                Path::NONE,
                |fd, buffer| match buffer {
                    Some(buffer) => {
                        opcode::WriteFixed::new(fd, from.as_ptr(), len(from), buffer).offset(offset).build()
                    }
                    None => opcode::Write::new(fd, from.as_ptr(), len(from)).offset(offset).build(),
                },
                from,
            ),
            Op::Sync { file, data_only } => {
                let flags = if data_only { types::FsyncFlags::DATASYNC } else { types::FsyncFlags::empty() };
                let sync = |fd, _| opcode::Fsync::new(fd).flags(flags).build();
                self.entry_on(file, Path::NONE, sync, HostBytes::EMPTY)
            }
            Op::Cancel { token } => (opcode::AsyncCancel::new(token).build(), Path::NONE),
            Op::Bell { fd, into } => {
                let read = opcode::Read::new(types::Fd(fd), into.as_ptr().cast(), size_of::<u64>() as u32);
                (read.build(), Path::NONE)
            }
        }
    }

    /// How a file is to be read, and which feature that is.
    const fn read_flags(&self, file: Target) -> (i32, Path) {
        if self.uncached && !file.direct { (DONTCACHE, Path::IO_UNCACHED) } else { (0, Path::NONE) }
    }

    /// An entry for an operation on a file and some memory, each by its number if it has one, and which of the features it uses.
    fn entry_on(
        &mut self,
        file: Target,
        mut path: Path,
        make: impl FnOnce(types::Fd, Option<u16>) -> squeue::Entry,
        bytes: HostBytes,
    ) -> (squeue::Entry, Path) {
        let buffer = self.buffer_of(bytes);
        if buffer.is_some() {
            path |= Path::IO_FIXED_BUFFER;
        }
        match self.place_of(file) {
            Some(place) => {
                let entry = make(types::Fd(place as i32), buffer).flags(squeue::Flags::FIXED_FILE);
                (entry, path | Path::IO_FIXED_FILE)
            }
            None => (make(types::Fd(file.fd), buffer), path),
        }
    }
}

/// An entry for the polled ring, if the operation is one for it: past the page cache, and no more than moving bytes.
fn entry_to_poll(op: &Op) -> Option<squeue::Entry> {
    let fd = |file: Target| file.direct.then_some(types::Fd(file.fd));
    Some(match *op {
        Op::Read { file, offset, into } => {
            opcode::Read::new(fd(file)?, into.as_ptr(), len(into)).offset(offset).build()
        }
        Op::ReadPieces { file, offset, into, count } => {
            opcode::Readv::new(fd(file)?, into.as_ptr().cast(), count).offset(offset).build()
        }
        Op::Write { file, offset, from } => {
            opcode::Write::new(fd(file)?, from.as_ptr(), len(from)).offset(offset).build()
        }
        Op::ReadCached { .. } | Op::Sync { .. } | Op::Cancel { .. } | Op::Bell { .. } => return None,
    })
}

/// The length of a transfer of these bytes: as much as the kernel moves at once.
fn len(bytes: HostBytes) -> u32 {
    bytes.len().min(MAX_TRANSFER) as u32
}

fn check_operations(ring: &IoUring) -> Result<(), StartError> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(refusal)?;
    let needed = [
        opcode::Read::CODE,
        opcode::Readv::CODE,
        opcode::Write::CODE,
        opcode::Fsync::CODE,
        opcode::AsyncCancel::CODE,
    ];
    if needed.into_iter().all(|code| probe.is_supported(code)) {
        return Ok(());
    }
    let what = "io_uring operations that Linux 5.15 has and this kernel lacks";
    Err(StartError::Os { what, source: Errno::OPNOTSUPP.into() })
}

fn build(config: &UringConfig, features: Features) -> std::io::Result<IoUring> {
    let entries = config.depth.get().next_power_of_two() as u32;
    let mut builder = IoUring::builder();
    // Every job may have one cancellation beside it, and the bell has one too: there is room for all completions. What goes beyond it, as
    // where the kernel grants less, it keeps until there is.
    builder.dontfork().setup_clamp().setup_cqsize(4 * entries);
    if features.contains(Features::SUBMIT_ALL) {
        builder.setup_submit_all();
    }
    if features.contains(Features::COOP_TASKRUN) {
        // The flag tells that there is work to finish: then it is worth entering the kernel although nothing is to be waited for.
        builder.setup_coop_taskrun().setup_taskrun_flag();
    }
    if features.contains(Features::SINGLE_ISSUER) {
        builder.setup_single_issuer();
    }
    if features.contains(Features::DEFER_TASKRUN) {
        builder.setup_defer_taskrun().setup_taskrun_flag();
    }
    if features.contains(Features::SQPOLL) {
        builder.setup_sqpoll(SQPOLL_IDLE);
    }
    if features.contains(Features::NO_SQARRAY) {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

/// Says in one sentence why there is no ring.
fn refusal(source: std::io::Error) -> StartError {
    let switch = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let errno = source.raw_os_error().map(Errno::from_raw_os_error);
    let what = match (errno, switch.trim()) {
        (Some(Errno::PERM | Errno::ACCESS), "2") => {
            "io_uring, which kernel.io_uring_disabled=2 forbids to everybody"
        }
        (Some(Errno::PERM | Errno::ACCESS), "1") => {
            "io_uring, which kernel.io_uring_disabled=1 leaves to privileged processes"
        }
        (Some(Errno::PERM | Errno::ACCESS), _) => "io_uring, which a sandbox forbids (containers often do)",
        (Some(Errno::NOSYS), _) => "io_uring, which it was built without, or is too old for",
        (Some(Errno::NOMEM), _) => "memory for a ring (many kernels count it as locked: ulimit -l)",
        _ => "a ring",
    };
    StartError::Os { what, source }
}

impl AsFd for KernelRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring's descriptor is open as long as the ring is there.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }
}

impl Ring for KernelRing {
    unsafe fn push(&mut self, sqe: Sqe) -> Result<Path, Full> {
        if self.polls
            && let Some(polled) = &mut self.polled
            && let Some(entry) = entry_to_poll(&sqe.op)
        {
            // SAFETY: the caller vouches for what the entry names.
            let pushed = unsafe { polled.push(&entry.user_data(sqe.token)) };
            return if pushed { Ok(Path::IO_POLLED) } else { Err(Full) };
        }
        let (entry, path) = self.entry(sqe.op);
        // SAFETY: the caller vouches for what the entry names.
        unsafe { self.ring.submission().push(&entry.user_data(sqe.token)) }.map_err(|_| Full)?;
        Ok(if self.ring.params().is_setup_sqpoll() { path | Path::IO_SQPOLL } else { path })
    }

    fn go_without(&mut self, feature: Features) {
        match feature {
            Features::UNCACHED => self.uncached = false,
            Features::IOPOLL => self.polls = false,
            _ => {}
        }
    }

    fn enter(&mut self, want: u32) -> Result<(), Errno> {
        let mut want = want;
        if let Some(polled) = self.polled.as_mut().filter(|polled| !polled.is_idle()) {
            // Whoever rings the bell is heard when the device has done something.
            polled.enter(want)?;
            want = 0;
        }
        let mut entered = self.ring.submit_and_wait(want as usize);
        // A thread of the kernel's takes submissions in its own time, once it is awake.
        if self.ring.params().is_setup_sqpoll() && self.ring.submission().is_full() && entered.is_ok() {
            entered = self.ring.submitter().squeue_wait();
        }
        match entered {
            Ok(_) => Ok(()),
            Err(error) => Err(errno_of(&error)),
        }
    }

    fn ready(&mut self) -> usize {
        self.ring.completion().len() + self.polled.as_mut().map_or(0, Polled::ready)
    }

    fn reap(&mut self, into: &mut Vec<Cqe>, most: usize) {
        let before = into.len();
        into.extend(self.ring.completion().take(most).map(|cqe| cqe_of(&cqe)));
        if let Some(polled) = &mut self.polled {
            polled.reap(into, most - (into.len() - before));
        }
    }
}
