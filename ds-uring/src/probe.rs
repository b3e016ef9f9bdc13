//! What this machine would grant.

use core::num::NonZeroUsize;
use std::os::fd::AsRawFd;

use ds_engine::{StagingPool, StartError};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::config::UringConfig;
use crate::direct::Hangar;
use crate::driver::NAP;
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
    match reads(ring, Target { fd: program.as_raw_fd(), known_as: None, direct: true }, &mut pool) {
        Ok(reads) => reads,
        Err(StillReading) => {
            core::mem::forget(pool);
            false
        }
    }
}

/// The ring cannot be asked any more, and the kernel may still have the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StillReading;

/// How often to ask again a kernel that is short of memory for the moment.
const MOST_REFUSALS: u32 = 100;

/// Whether the ring reads this file's first block.
fn reads(ring: &mut impl Ring, file: Target, pool: &mut StagingPool) -> Result<bool, StillReading> {
    let lease = pool.lease(BLOCK as u64).ok();
    let Some(into) = lease.and_then(|lease| pool.bytes(lease)) else { return Ok(false) };
    let op = Op::Read { file, offset: 0, into };
    const TOKEN: u64 = 0;
    // SAFETY: the file is open and the memory leased until the completion has been taken, below; or for ever, as the caller sees to.
    if unsafe { ring.push(Sqe { token: TOKEN, op }) }.is_err() {
        return Ok(false);
    }
    let (mut completions, mut refusals) = (Vec::new(), 0);
    loop {
        match ring.enter(1) {
            Ok(()) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if refusals < MOST_REFUSALS => {
                refusals += 1;
                std::thread::sleep(NAP);
            }
            Err(_) => return Err(StillReading),
        }
        ring.reap(&mut completions, usize::MAX);
        // There may be a message as well.
        if let Some(read) = completions.iter().find(|cqe| cqe.token == TOKEN) {
            return Ok(read.result.is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Cqe, Full};
    use ds_core::Path;

    /// A ring of a kernel that says the same to every visit; it has read the block at one of them, if ever.
    struct Says {
        what: Result<(), Errno>,
        visits: u32,
        reads_at: Option<u32>,
    }

    impl Ring for Says {
        unsafe fn push(&mut self, _: Sqe) -> Result<Path, Full> {
            Ok(Path::NONE)
        }

        fn go_without(&mut self, _: Features) {}

        fn enter(&mut self, _: u32) -> Result<(), Errno> {
            self.visits += 1;
            self.what
        }

        fn ready(&mut self) -> usize {
            usize::from(self.reads_at == Some(self.visits))
        }

        fn reap(&mut self, into: &mut Vec<Cqe>, _: usize) {
            into.extend((self.ready() > 0).then_some(Cqe { token: 0, result: Ok(BLOCK as u32) }));
        }
    }

    fn ask(what: Result<(), Errno>, reads_at: Option<u32>) -> (Result<bool, StillReading>, u32) {
        let mut ring = Says { what, visits: 0, reads_at };
        let file = Target { fd: 0, known_as: None, direct: true };
        let reads = reads(&mut ring, file, &mut StagingPool::new(BLOCK).unwrap());
        (reads, ring.visits)
    }

    #[test]
    fn a_kernel_that_refuses_is_asked_again_but_not_for_ever() {
        assert_eq!(ask(Err(Errno::AGAIN), None), (Err(StillReading), MOST_REFUSALS + 1));
        assert_eq!(ask(Err(Errno::AGAIN), Some(3)), (Ok(true), 3));
        assert_eq!(ask(Err(Errno::INTR), Some(2 * MOST_REFUSALS)), (Ok(true), 2 * MOST_REFUSALS));
        assert_eq!(ask(Ok(()), Some(2)), (Ok(true), 2));
        assert_eq!(ask(Err(Errno::NXIO), Some(2)), (Err(StillReading), 1));
    }
}
