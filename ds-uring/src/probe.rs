//! What this machine would grant.

use core::num::NonZeroUsize;
use std::os::fd::AsRawFd;

use ds_engine::{StagingPool, StartError};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::config::UringConfig;
use crate::direct::Hangar;
use crate::features::Features;
use crate::report::Report;
use crate::ring::kernel::KernelRing;
use crate::ring::{Op, Ring, Sqe, Target};

/// Makes a ring as an engine would, and says what the kernel grants of these features. For telling people; an engine asks by
/// itself.
///
/// Whether a device can be polled ([`Features::IOPOLL`]) is asked of the one that the running program was read from.
///
/// # Errors
/// As [`UringIo`](crate::UringIo) when it is started.
pub fn probe(features: Features) -> Result<Report, StartError> {
    let config = UringConfig::default().depth(NonZeroUsize::MIN).features(features);
    let no_memory = |source| StartError::Os { what: "aligned memory for direct transfers", source };
    let hangar = Hangar::new().map_err(no_memory)?;
    let pool = StagingPool::new(BLOCK).map_err(no_memory)?;
    // SAFETY: the ring goes before the hangar.
    let (mut ring, granted) = unsafe { KernelRing::new(&config, &[hangar.mapping()]) }?;
    let mut features = granted.features;
    if features.contains(Features::IOPOLL) && !polls_program(&mut ring, pool) {
        features = features - Features::IOPOLL;
    }
    drop(ring);
    Ok(Report { rings: config.rings, depth: config.depth, features })
}

/// What every device reads at once.
const BLOCK: usize = 4096;

/// Whether the running program's first block can be read past the page cache by a ring that polls.
fn polls_program(ring: &mut KernelRing, mut pool: StagingPool) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let Ok(program) = open("/proc/self/exe", flags, Mode::empty()) else { return false };
    let lease = pool.lease(BLOCK as u64).ok();
    let Some(into) = lease.and_then(|lease| pool.bytes(lease)) else { return false };
    let file = Target { fd: program.as_raw_fd(), known_as: None, direct: true };
    let op = Op::Read { file, offset: 0, into };
    const TOKEN: u64 = 0;
    // SAFETY: the file is open and the memory leased until the completion has been taken, below; or for ever.
    if unsafe { ring.push(Sqe { token: TOKEN, op }) }.is_err() {
        return false;
    }
    let mut completions = Vec::new();
    loop {
        match ring.enter(1) {
            Ok(()) | Err(Errno::INTR | Errno::AGAIN) => ring.reap(&mut completions, usize::MAX),
            Err(_) => {
                // Whatever that is, the kernel may still have the memory.
                core::mem::forget(pool);
                return false;
            }
        }
        // There may be a message as well.
        if let Some(read) = completions.iter().find(|cqe| cqe.token == TOKEN) {
            return read.result.is_ok();
        }
    }
}
