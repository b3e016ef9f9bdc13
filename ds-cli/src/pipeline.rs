//! Work on many threads, in and out in order.
//!
//! One thread reads jobs and writes results, both in order; workers do what lies between. However many workers there
//! are, the bytes written are the same, and no more jobs are alive than are needed to keep the workers busy.

use core::any::Any;
use core::hint::black_box;
use core::panic::AssertUnwindSafe;
use std::collections::VecDeque;
use std::io;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::error::{Error, Kind, plain};

/// The two ends of a pipeline, both on the calling thread.
pub trait Ends {
    /// A piece of work with its buffers. Finished jobs can be kept and given out again.
    type Job: Send;
    /// What ends the pipeline early.
    type Error: From<Error>;

    /// The next job, if there is one. Large buffers that the worker fills should have their memory already: that of workers
    /// is rationed by what is left.
    ///
    /// # Errors
    ///
    /// An error here ends the pipeline.
    fn next(&mut self) -> Result<Option<Self::Job>, Self::Error>;

    /// Takes a finished job. Jobs come in the order in which [`next`](Self::next) gave them.
    ///
    /// # Errors
    ///
    /// An error here ends the pipeline.
    fn done(&mut self, job: Self::Job) -> Result<(), Self::Error>;
}

/// Runs all jobs of `ends` on up to `threads` workers. `worker` makes each of them, with all the memory that it will need.
///
/// Workers are started as jobs come, and no more than there are jobs for. Where the system refuses a thread or memory, those
/// there are do the work.
///
/// # Errors
///
/// The first error of either end, and a system that refuses even one thread. Jobs under way are then finished and dropped.
///
/// # Panics
///
/// If `threads` is 0, or a worker panics.
pub fn run<E, M, W>(threads: usize, ends: &mut E, worker: M) -> Result<(), E::Error>
where
    E: Ends,
    M: Fn() -> io::Result<W>,
    W: FnMut(&mut E::Job) + Send,
{
    assert!(threads > 0, "a pipeline needs a worker");
    let (job_sender, jobs) = mpsc::channel::<(usize, E::Job)>();
    let jobs = Mutex::new(jobs);
    let (result_sender, results) = mpsc::channel::<(usize, Result<E::Job, Box<dyn Any + Send>>)>();
    thread::scope(|scope| {
        let start = || {
            let (jobs, result_sender) = (&jobs, result_sender.clone());
            let mut work = worker()?;
            thread::Builder::new().spawn_scoped(scope, move || {
                loop {
                    let received = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, mut job)) = received else { return };
                    let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut job)));
                    if result_sender.send((number, outcome.map(|()| job))).is_err() {
                        return;
                    }
                }
            })
        };
        let (mut workers, mut most) = (0, threads);
        // One job per worker in hand, and one waiting while the ends are busy with another.
        let mut limit = threads.saturating_mul(2);
        // Dropped when this closure returns, on every path: that is what sends the workers home.
        let job_sender = job_sender;
        let (mut given, mut taken) = (0, 0);
        let mut waiting: VecDeque<Option<E::Job>> = VecDeque::new();
        let mut exhausted = false;
        loop {
            while !exhausted && given - taken < limit {
                match ends.next()? {
                    Some(job) => {
                        if workers < most && workers <= given - taken {
                            let room = if workers == 0 { Ok(()) } else { check_room() };
                            match room.and_then(|()| start()) {
                                Ok(_) => workers += 1,
                                Err(error) if workers == 0 => return Err(refused(&error).into()),
                                // Memory may be what is short, so there shall be no more jobs than now, either.
                                Err(_) => (most, limit) = (workers, given - taken),
                            }
                        }
                        // Workers outlive this loop, so somebody is listening.
                        let _ = job_sender.send((given, job));
                        given += 1;
                        waiting.push_back(None);
                    }
                    None => exhausted = true,
                }
            }
            if given == taken {
                return Ok(());
            }
            if let Ok((number, outcome)) = results.recv() {
                let job = outcome.unwrap_or_else(|panic| resume_unwind(panic));
                waiting[number - taken] = Some(job);
            }
            while let Some(Some(job)) = waiting.front_mut().map(Option::take) {
                waiting.pop_front();
                taken += 1;
                ends.done(job)?;
            }
        }
    })
}

/// Fails where there is hardly more memory than a worker, its jobs and an arena of the allocator take up: to run out of it
/// later would end the program.
fn check_room() -> io::Result<()> {
    const ROOM: usize = 128 << 20;
    let mut room = Vec::<u8>::new();
    room.try_reserve_exact(ROOM).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // Memory that nobody looks at need not be asked for, if the compiler may say so.
    black_box(room);
    Ok(())
}

fn refused(error: &io::Error) -> Error {
    Error::new(Kind::System, format!("cannot start a thread: {}", plain(error)))
        .hint("the limit on memory or on processes has been reached: `ulimit -a` shows both")
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;

    use super::*;

    struct Numbers {
        next: u64,
        end: u64,
        fail_at: Option<u64>,
        out: Vec<u64>,
        alive: usize,
        most: usize,
    }

    /// The number it was, or an error of the pipeline's own.
    #[derive(Debug)]
    struct Stop(Option<u64>);

    impl From<Error> for Stop {
        fn from(_: Error) -> Self {
            Self(None)
        }
    }

    impl Ends for Numbers {
        type Job = u64;
        type Error = Stop;

        fn next(&mut self) -> Result<Option<u64>, Stop> {
            if self.next == self.end {
                return Ok(None);
            }
            self.next += 1;
            self.alive += 1;
            self.most = self.most.max(self.alive);
            Ok(Some(self.next - 1))
        }

        fn done(&mut self, job: u64) -> Result<(), Stop> {
            self.alive -= 1;
            self.out.push(job);
            if self.fail_at == Some(self.out.len() as u64) { Err(Stop(Some(job))) } else { Ok(()) }
        }
    }

    fn numbers(end: u64, fail_at: Option<u64>) -> Numbers {
        Numbers { next: 0, end, fail_at, out: Vec::new(), alive: 0, most: 0 }
    }

    fn square() -> io::Result<impl FnMut(&mut u64)> {
        Ok(|job: &mut u64| {
            // Early jobs take longest, so results come out of order.
            thread::sleep(Duration::from_micros(200 - (*job * 13) % 200));
            *job *= *job;
        })
    }

    #[test]
    fn results_come_in_order_and_few_jobs_are_alive() {
        for threads in [1, 2, 7] {
            let mut ends = numbers(100, None);
            run(threads, &mut ends, square).unwrap();
            assert_eq!(ends.out, (0..100).map(|n| n * n).collect::<Vec<_>>());
            assert!(ends.most <= 2 * threads, "{} jobs alive", ends.most);
        }
    }

    #[test]
    fn no_jobs_is_no_work() {
        run(3, &mut numbers(0, None), square).unwrap();
    }

    #[test]
    fn there_are_no_more_workers_than_jobs() {
        let made = AtomicUsize::new(0);
        let worker = || {
            made.fetch_add(1, Ordering::Relaxed);
            square()
        };
        // As many threads as no system gives.
        run(usize::MAX / 2, &mut numbers(3, None), worker).unwrap();
        assert!((1..=3).contains(&made.into_inner()));
    }

    #[test]
    fn an_error_ends_the_pipeline() {
        let mut ends = numbers(1000, Some(10));
        assert!(matches!(run(3, &mut ends, square), Err(Stop(Some(81)))));
        assert_eq!(ends.out.len(), 10);
    }

    #[test]
    #[should_panic(expected = "worker 5")]
    fn a_panic_in_a_worker_reaches_the_caller() {
        let _ = run(2, &mut numbers(100, None), || Ok(|job: &mut u64| assert_ne!(*job, 5, "worker 5")));
    }
}
