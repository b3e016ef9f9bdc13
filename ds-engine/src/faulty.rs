//! An engine wrapper that injects faults, for tests.

use std::sync::{Arc, Mutex};

use ds_core::{Fault, Path};

use crate::engine::{Engine, Finished, IoEngine, Sink, StartContext, StartError};
use crate::job::{IoJob, IoOp, JobId};
use crate::lock::lock;

/// How often what goes wrong, each out of 65 536 jobs, and the seed of the choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoFaults {
    /// Seed of the choice: the same seed and the same order of jobs give the same faults.
    pub seed: u64,
    /// Transfers that are asked of the real engine for a random part only.
    pub short: u16,
    /// Jobs answered `EINTR`.
    pub interrupted: u16,
    /// Jobs answered `EAGAIN`.
    pub try_again: u16,
    /// Jobs answered with [`errno`](Self::errno).
    pub error: u16,
    /// That error number, such as 5 for `EIO`.
    pub errno: i32,
}

/// Wraps a real I/O engine and makes it unreliable, reproducibly.
pub struct FaultyIo<E> {
    engine: E,
    faults: IoFaults,
    /// The state of the generator that chooses.
    random: Mutex<u64>,
    sink: Mutex<Option<Arc<dyn Sink>>>,
}

impl<E: IoEngine> FaultyIo<E> {
    /// Wraps `engine`.
    pub const fn new(engine: E, faults: IoFaults) -> Self {
        Self { engine, faults, random: Mutex::new(faults.seed), sink: Mutex::new(None) }
    }

    /// What to answer instead of doing the job; `None` to do it, perhaps made shorter.
    fn fault(&self, random: &mut u64, job: &mut IoJob) -> Option<Fault> {
        let faults = &self.faults;
        let mut below = (draw(random) & 0xFFFF) as u32;
        for (share, fault) in [
            (faults.interrupted, Fault::Os(4)),
            (faults.try_again, Fault::Os(11)),
            (faults.error, Fault::Os(faults.errno)),
        ] {
            match below.checked_sub(u32::from(share)) {
                None => return Some(fault),
                Some(rest) => below = rest,
            }
        }
        if below < u32::from(faults.short) && job.op.len() > 1 {
            let len = 1 + draw(random) % (job.op.len() as u64 - 1);
            if let IoOp::Read { into: bytes, .. } | IoOp::Write { from: bytes, .. } = &mut job.op {
                *bytes = bytes.part(0, len).unwrap_or(*bytes);
            }
        }
        None
    }
}

/// The next number of the splitmix64 sequence.
const fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

// SAFETY: a job is either passed on to the engine inside, once, which promises the rest, or answered here without having been
// touched. A transfer made shorter names a part of the job's own memory, and its outcome is the inner engine's.
unsafe impl<E: IoEngine> Engine for FaultyIo<E> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        self.engine.start(context)?;
        *lock(&self.sink) = Some(Arc::clone(context.sink()));
        Ok(())
    }

    fn cancel(&self, id: JobId) {
        self.engine.cancel(id);
    }

    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.engine.drive(sink, queue)
    }

    fn stop(&self) {
        self.engine.stop();
        // Dropped with no lock held: whoever owns this engine may go with it.
        let sink = lock(&self.sink).take();
        drop(sink);
    }
}

impl<E: IoEngine> IoEngine for FaultyIo<E> {
    fn path(&self) -> Path {
        self.engine.path()
    }

    fn depth(&self) -> usize {
        self.engine.depth()
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        let mut refused = Vec::new();
        {
            let mut random = lock(&self.random);
            jobs.retain_mut(|job| match self.fault(&mut random, job) {
                Some(fault) => {
                    refused.push(Finished { id: job.id, result: Err(fault), path: self.path() });
                    false
                }
                None => true,
            });
        }
        self.engine.submit(jobs);
        if !refused.is_empty() {
            let sink = lock(&self.sink).clone();
            if let Some(sink) = sink {
                sink.complete(&refused);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{FileRef, HostBytes};
    use core::sync::atomic::{AtomicU64, Ordering};
    use ds_core::{Done, OpId};
    use std::io::Stdin;
    use std::os::fd::AsFd;
    use std::sync::Weak;

    /// Does every read at once and whole: it fills it with ones.
    #[derive(Default)]
    struct Perfect(Mutex<Option<Arc<dyn Sink>>>);

    // SAFETY: each job is answered once, after its destination has been written, which nobody else ever touches.
    unsafe impl Engine for Perfect {
        fn name(&self) -> &'static str {
            "perfect"
        }
        fn start(&self, context: &StartContext) -> Result<(), StartError> {
            *lock(&self.0) = Some(Arc::clone(context.sink()));
            Ok(())
        }
        fn cancel(&self, _id: JobId) {}
        fn drive(&self, _sink: &dyn Sink, _queue: Option<u64>) -> bool {
            false
        }
        fn stop(&self) {
            lock(&self.0).take();
        }
    }

    impl IoEngine for Perfect {
        fn path(&self) -> Path {
            Path::IO_CPU
        }
        fn depth(&self) -> usize {
            1
        }
        fn submit(&self, jobs: &mut Vec<IoJob>) {
            let sink = lock(&self.0).clone().unwrap();
            for job in jobs.drain(..) {
                let result = Ok(Done::Moved(job.op.len() as u64));
                if let IoOp::Read { into, .. } = job.op {
                    // SAFETY: the job has not been answered, and it writes these bytes, so they are ours alone.
                    unsafe { into.as_mut_slice() }.fill(1);
                }
                sink.complete(&[Finished { id: job.id, result, path: self.path() }]);
            }
        }
    }

    #[derive(Default)]
    struct Log(Mutex<Vec<Finished>>);

    impl Sink for Log {
        fn complete(&self, batch: &[Finished]) {
            self.0.lock().unwrap().extend_from_slice(batch);
        }
    }

    /// A file, and memory that jobs write one after the other.
    struct Ground {
        stdin: Stdin,
        memory: HostBytes,
    }

    impl Ground {
        fn new() -> Self {
            let memory = Box::leak(Box::new([0_u8; 100]));
            // SAFETY: the memory is never freed, and only jobs use it.
            let memory = unsafe { HostBytes::new(memory.as_mut_ptr(), memory.len()) };
            Self { stdin: std::io::stdin(), memory }
        }

        fn read(&self, n: u64) -> IoJob {
            // SAFETY: standard input stays open.
            let file = unsafe { FileRef::new(self.stdin.as_fd()) };
            let id = JobId { queue: 0, op: OpId::from_u64(n) };
            IoJob { id, op: IoOp::Read { file, offset: 0, into: self.memory } }
        }
    }

    fn run(faults: IoFaults) -> Vec<Finished> {
        let engine = FaultyIo::new(Perfect::default(), faults);
        let log = Arc::new(Log::default());
        engine.start(&StartContext::new(log.clone())).unwrap();
        let ground = Ground::new();
        for n in 0..1000 {
            engine.submit(&mut vec![ground.read(n)]);
        }
        engine.stop();
        assert_eq!(Arc::strong_count(&log), 1, "a stopped engine keeps no sink");
        let log = log.0.lock().unwrap();
        log.clone()
    }

    /// Submits one job for each outcome, from within.
    struct Again {
        engine: Weak<FaultyIo<Perfect>>,
        ground: Ground,
        left: AtomicU64,
    }

    impl Sink for Again {
        fn complete(&self, batch: &[Finished]) {
            for _ in batch {
                let left = self.left.load(Ordering::Relaxed);
                if left > 0 {
                    self.left.store(left - 1, Ordering::Relaxed);
                    self.engine.upgrade().unwrap().submit(&mut vec![self.ground.read(left)]);
                }
            }
        }
    }

    #[test]
    fn the_sink_may_submit_again() {
        let faults = IoFaults { interrupted: 0x8000, ..IoFaults::default() };
        let engine = Arc::new(FaultyIo::new(Perfect::default(), faults));
        let (ground, left) = (Ground::new(), AtomicU64::new(100));
        let again = Arc::new(Again { engine: Arc::downgrade(&engine), ground, left });
        engine.start(&StartContext::new(again.clone())).unwrap();
        engine.submit(&mut vec![again.ground.read(0)]);
        assert_eq!(again.left.load(Ordering::Relaxed), 0);
        engine.stop();
    }

    #[test]
    fn faults_come_as_often_as_asked_and_every_job_is_answered_once() {
        let faults =
            IoFaults { seed: 1, short: 16_384, interrupted: 8192, try_again: 4096, error: 2048, errno: 5 };
        let log = run(faults);
        assert_eq!(log.len(), 1000);
        let count = |matches: fn(&Finished) -> bool| log.iter().filter(|finished| matches(finished)).count();
        assert!((180..330).contains(&count(|f| matches!(f.result, Ok(Done::Moved(1..100))))));
        assert!((80..170).contains(&count(|f| f.result == Err(Fault::Os(4)))));
        assert!((30..100).contains(&count(|f| f.result == Err(Fault::Os(11)))));
        assert!((10..60).contains(&count(|f| f.result == Err(Fault::Os(5)))));
        assert_eq!(run(faults), log, "the same seed gives the same faults");
        assert_eq!(count(|f| f.path == Path::IO_CPU), 1000);
    }
}
