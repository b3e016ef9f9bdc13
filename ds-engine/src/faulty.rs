//! An engine wrapper that injects faults, for tests.

use std::sync::{Arc, Mutex};

use ds_core::{Fault, Path};

use crate::engine::{Finished, IoEngine, Sink};
use crate::job::{IoJob, IoOp, JobId};

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
    state: Mutex<State>,
    sink: Mutex<Option<Arc<dyn Sink>>>,
}

struct State {
    random: u64,
    passed: Vec<IoJob>,
}

impl<E: IoEngine> FaultyIo<E> {
    /// Wraps `engine`.
    pub const fn new(engine: E, faults: IoFaults) -> Self {
        let state = State { random: faults.seed, passed: Vec::new() };
        Self { engine, faults, state: Mutex::new(state), sink: Mutex::new(None) }
    }

    /// What to answer instead of doing the job; `None` to do it, perhaps made shorter.
    fn fault(&self, state: &mut State, job: &mut IoJob) -> Option<Fault> {
        let faults = &self.faults;
        let mut below = (draw(&mut state.random) & 0xFFFF) as u32;
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
            let len = 1 + draw(&mut state.random) % (job.op.len() as u64 - 1);
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

#[expect(clippy::unwrap_used, reason = "no code panics while it holds one of these locks")]
impl<E: IoEngine> IoEngine for FaultyIo<E> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn path(&self) -> Path {
        self.engine.path()
    }

    fn depth(&self) -> usize {
        self.engine.depth()
    }

    fn start(&self, sink: Arc<dyn Sink>) -> std::io::Result<()> {
        *self.sink.lock().unwrap() = Some(sink.clone());
        self.engine.start(sink)
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        let mut refused = Vec::new();
        {
            let mut state = self.state.lock().unwrap();
            for mut job in jobs.drain(..) {
                match self.fault(&mut state, &mut job) {
                    Some(fault) => {
                        refused.push(Finished { id: job.id, result: Err(fault), path: self.path() });
                    }
                    None => state.passed.push(job),
                }
            }
            self.engine.submit(&mut state.passed);
        }
        let sink = self.sink.lock().unwrap().clone();
        if let (Some(sink), false) = (sink, refused.is_empty()) {
            sink.complete(&refused);
        }
    }

    fn cancel(&self, id: JobId) {
        self.engine.cancel(id);
    }

    fn drive(&self, sink: &dyn Sink) -> bool {
        self.engine.drive(sink)
    }

    fn stop(&self) {
        self.engine.stop();
        self.sink.lock().unwrap().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{FileRef, HostBytes};
    use ds_core::{Done, OpId};
    use std::os::fd::AsFd;

    /// Answers every job at once with its whole length.
    #[derive(Default)]
    struct Perfect(Mutex<Option<Arc<dyn Sink>>>);

    impl IoEngine for Perfect {
        fn name(&self) -> &'static str {
            "perfect"
        }
        fn path(&self) -> Path {
            Path::IO_CPU
        }
        fn depth(&self) -> usize {
            1
        }
        fn start(&self, sink: Arc<dyn Sink>) -> std::io::Result<()> {
            *self.0.lock().unwrap() = Some(sink);
            Ok(())
        }
        fn submit(&self, jobs: &mut Vec<IoJob>) {
            let sink = self.0.lock().unwrap().clone().unwrap();
            for job in jobs.drain(..) {
                let result = Ok(Done::Moved(job.op.len() as u64));
                sink.complete(&[Finished { id: job.id, result, path: self.path() }]);
            }
        }
        fn cancel(&self, _id: JobId) {}
        fn drive(&self, _sink: &dyn Sink) -> bool {
            false
        }
        fn stop(&self) {}
    }

    #[derive(Default)]
    struct Log(Mutex<Vec<Finished>>);

    impl Sink for Log {
        fn complete(&self, batch: &[Finished]) {
            self.0.lock().unwrap().extend_from_slice(batch);
        }
    }

    fn run(faults: IoFaults) -> Vec<Finished> {
        let engine = FaultyIo::new(Perfect::default(), faults);
        let log = Arc::new(Log::default());
        engine.start(log.clone()).unwrap();
        let stdin = std::io::stdin();
        let mut memory = [0_u8; 100];
        for n in 0..1000 {
            // SAFETY: standard input stays open, and no engine here dereferences anything.
            let file = unsafe { FileRef::new(stdin.as_fd()) };
            // SAFETY: as above.
            let into = unsafe { HostBytes::new(memory.as_mut_ptr(), memory.len()) };
            let id = JobId { queue: 0, op: OpId::from_u64(n) };
            engine.submit(&mut vec![IoJob { id, op: IoOp::Read { file, offset: 0, into } }]);
        }
        engine.stop();
        let log = log.0.lock().unwrap();
        log.clone()
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
