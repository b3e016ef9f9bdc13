//! Rings of the kernel's.
//!
//! # Safety
//!
//! The crate `io-uring` maps the queues and keeps their barriers; the one thing it leaves to its users is that memory and
//! descriptors named by a submission stay good until its completion, which [`Ring::push`] in turn asks of its callers.

use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types};
use rustix::io::Errno;

use ds_engine::StartError;

use super::{Cqe, Full, Op, Ring, Sqe};
use crate::config::UringConfig;
use crate::features::Features;

/// The most the kernel moves at once.
const MAX_TRANSFER: usize = 0x7FFF_F000;

/// A ring of the kernel's.
pub(crate) struct KernelRing {
    ring: IoUring<squeue::Entry, cqueue::Entry>,
}

impl KernelRing {
    /// Makes a ring with as many of the features as the kernel grants, and says which those are. The calling thread becomes
    /// its only user.
    ///
    /// # Errors
    /// The kernel refuses any ring, or lacks an operation the engine cannot do without.
    pub(crate) fn new(config: &UringConfig) -> Result<(Self, Features), StartError> {
        let mut features = config.features.coherent();
        let ring = loop {
            match build(config, features) {
                Ok(ring) => break ring,
                Err(error) => {
                    let newest = Features::SET_UP.into_iter().find(|&feature| features.contains(feature));
                    match newest {
                        // What a kernel does not know it calls invalid, without saying which.
                        Some(newest) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                            features = features - newest;
                        }
                        _ => return Err(refusal(error)),
                    }
                }
            }
        };
        check_operations(&ring)?;
        Ok((Self { ring }, features))
    }
}

fn check_operations(ring: &IoUring) -> Result<(), StartError> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(refusal)?;
    let needed = [opcode::Read::CODE, opcode::Write::CODE, opcode::Fsync::CODE, opcode::AsyncCancel::CODE];
    if needed.into_iter().all(|code| probe.is_supported(code)) {
        return Ok(());
    }
    let what = "io_uring operations that Linux 5.15 has and this kernel lacks";
    Err(StartError::Os { what, source: Errno::OPNOTSUPP.into() })
}

fn build(config: &UringConfig, features: Features) -> std::io::Result<IoUring> {
    let entries = config.depth.get().next_power_of_two() as u32;
    let mut builder = IoUring::builder();
    // Every job may have a cancellation beside it, and the bell has one too: completions never overflow.
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
        (Some(Errno::NOMEM), _) => "memory for a ring (before Linux 5.12 it counts as locked: ulimit -l)",
        _ => "a ring",
    };
    StartError::Os { what, source }
}

impl Ring for KernelRing {
    unsafe fn push(&mut self, sqe: Sqe) -> Result<(), Full> {
        let len = |bytes: ds_engine::HostBytes| bytes.len().min(MAX_TRANSFER) as u32;
        let entry = match sqe.op {
            Op::Read { fd, offset, into } => {
                opcode::Read::new(types::Fd(fd), into.as_ptr(), len(into)).offset(offset).build()
            }
            Op::Write { fd, offset, from } => {
                opcode::Write::new(types::Fd(fd), from.as_ptr(), len(from)).offset(offset).build()
            }
            Op::Sync { fd, data_only } => {
                let flags = if data_only { types::FsyncFlags::DATASYNC } else { types::FsyncFlags::empty() };
                opcode::Fsync::new(types::Fd(fd)).flags(flags).build()
            }
            Op::Cancel { token } => opcode::AsyncCancel::new(token).build(),
            Op::Bell { fd, into } => {
                opcode::Read::new(types::Fd(fd), into.as_ptr().cast(), size_of::<u64>() as u32).build()
            }
        };
        // SAFETY: the caller vouches for what the entry names.
        unsafe { self.ring.submission().push(&entry.user_data(sqe.token)) }.map_err(|_| Full)
    }

    fn enter(&mut self, want: u32) -> Result<(), Errno> {
        match self.ring.submit_and_wait(want as usize) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)),
        }
    }

    fn is_ready(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    fn reap(&mut self, into: &mut Vec<Cqe>, most: usize) {
        into.extend(self.ring.completion().take(most).map(|cqe| {
            let result = cqe.result();
            let result = u32::try_from(result).map_err(|_| Errno::from_raw_os_error(-result));
            Cqe { token: cqe.user_data(), result }
        }));
    }
}
