//! Operations that the kernel keeps for as long as it takes: cancelled there, one by one and in storms, and never half. What they read
//! is a counter that nobody has set (an eventfd), so that a read waits in the kernel until somebody does, and takes what it finds.

mod alone;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod common;

use core::num::NonZeroUsize;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use alone::alone;
use common::{Log, Memory, file, id, read};
use ds_core::{Done, Fault};
use ds_engine::{Engine, Finished, IoEngine, IoJob, Sink, StartContext};
use ds_uring::{Features, UringConfig, UringIo};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

/// Sets of features to ask for: what is usual, all that older kernels had, and a thread of the kernel's that submits.
fn worlds() -> [(&'static str, Features); 6] {
    // Neither a core nor a device is to be polled.
    let polls = Features::SQPOLL | Features::IOPOLL;
    [
        ("this kernel", Features::DEFAULT),
        ("all of it", Features::ALL - polls),
        ("all of Linux 6.6", Features::LINUX_6_6 - polls),
        ("all of Linux 6.1", Features::LINUX_6_1 - polls),
        ("all of Linux 5.15", Features::LINUX_5_15 - polls),
        ("fed by the kernel", Features::DEFAULT | Features::SQPOLL),
    ]
}

/// A number that a read takes, or waits for.
struct Counter(OwnedFd);

impl Counter {
    fn new() -> Self {
        Self(eventfd(0, EventfdFlags::CLOEXEC).unwrap())
    }

    fn set(&self, to: u64) {
        rustix::io::write(&self.0, &to.to_ne_bytes()).unwrap();
    }

    /// What it stands at; from here on 0. For when no read waits for it.
    fn take(&self) -> u64 {
        let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&now)).unwrap() == 0 {
            return 0;
        }
        let mut count = [0; 8];
        assert_eq!(rustix::io::read(&self.0, &mut count), Ok(8));
        u64::from_ne_bytes(count)
    }
}

impl Drop for Counter {
    /// A test that fails leaves no read waiting: its engine ends when those have.
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// A log that takes no answers while it is paused: whoever brings one waits.
#[derive(Default)]
struct Desk {
    log: Log,
    open: Mutex<()>,
    waits: AtomicBool,
}

impl Deref for Desk {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl Sink for Desk {
    fn complete(&self, batch: &[Finished]) {
        self.waits.store(true, Ordering::Relaxed);
        drop(self.open.lock().unwrap());
        self.log.complete(batch);
    }
}

struct Pause<'a> {
    desk: &'a Desk,
    _shut: MutexGuard<'a, ()>,
}

impl Desk {
    fn pause(&self) -> Pause<'_> {
        let pause = Pause { desk: self, _shut: self.open.lock().unwrap() };
        self.waits.store(false, Ordering::Relaxed);
        pause
    }
}

impl Pause<'_> {
    fn until_somebody_waits(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.desk.waits.load(Ordering::Relaxed) {
            assert!(Instant::now() < end, "there is no answer");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// An engine, and what its reads wait for. They go in this order.
struct World {
    counters: Vec<Counter>,
    engine: UringIo,
    log: Arc<Desk>,
    memory: Vec<Memory>,
}

impl World {
    fn new(features: Features, depth: usize) -> Self {
        let config = UringConfig::default().features(features).depth(NonZeroUsize::new(depth).unwrap());
        let (engine, log) = (UringIo::new(config), Arc::new(Desk::default()));
        engine.start(&StartContext::new(log.clone())).unwrap();
        let counters = (0..depth).map(|_| Counter::new()).collect();
        Self { counters, engine, log, memory: (0..depth).map(|_| Memory::new(8)).collect() }
    }

    /// A read of this counter into its memory.
    fn job(&self, n: usize) -> IoJob {
        self.memory[n].put(0, &UNTOUCHED);
        // Said to have positions: what has none is refused.
        IoJob { id: id(n as u64), op: read(file(&self.counters[n].0).positional(), 0, &self.memory[n]) }
    }

    /// Has the first one read, and a block of an ordinary file behind it: by then the kernel has the first.
    fn hold(&self) {
        let real = tempfile::tempfile().unwrap();
        real.write_all_at(&[7; 512], 0).unwrap();
        let block = Memory::new(512);
        self.engine.submit(&mut vec![self.job(0)]);
        self.engine.submit(&mut vec![IoJob { id: id(1000), op: read(file(&real), 0, &block) }]);
        assert_eq!(self.log.wait(id(1000)).result, Ok(Done::Moved(512)));
        assert_eq!(block.bytes(), [7; 512]);
        assert_eq!(self.log.len(), 0, "nobody has set the counter");
    }

    fn wait(&self, n: usize) -> Result<Done, Fault> {
        self.log.wait(id(n as u64)).result
    }
}

fn in_every_world(depth: usize, test: impl Fn(&World)) {
    for (name, features) in worlds() {
        println!("{name}");
        let world = World::new(features, depth);
        test(&world);
        world.engine.stop();
        assert_eq!(world.log.len(), 0, "outcomes nobody asked for");
    }
}

/// Memory of a read that has not taken anything.
const UNTOUCHED: [u8; 8] = [0xEE; 8];

#[test]
fn what_the_kernel_keeps_is_cancelled_there() {
    in_every_world(8, |world| {
        for round in 1..=3 {
            world.hold();
            world.engine.cancel(id(0));
            assert_eq!(world.wait(0), Err(Fault::Cancelled));
            // The kernel is through with it: it takes nothing any more.
            world.counters[0].set(round);
            std::thread::sleep(Duration::from_millis(2));
            assert_eq!(world.counters[0].take(), round);
            assert_eq!(world.memory[0].bytes(), UNTOUCHED);
        }
    });
}

/// An engine that is stopped finishes its jobs: it waits for as long as the kernel has their memory.
#[test]
fn stopping_waits_for_what_the_kernel_keeps() {
    in_every_world(4, |world| {
        world.hold();
        std::thread::scope(|scope| {
            let stop = scope.spawn(|| world.engine.stop());
            std::thread::sleep(Duration::from_millis(20));
            assert!(!stop.is_finished() && world.log.len() == 0);
            world.counters[0].set(5);
        });
        assert_eq!(world.wait(0), Ok(Done::Moved(8)));
        assert_eq!(world.memory[0].bytes(), 5_u64.to_ne_bytes());
    });
}

/// Each cancellation has a completion of its own, and a shallow ring has room for few: the kernel keeps what does not fit, and nothing
/// of it is lost. They come all at once because the ring's thread has been busy.
#[test]
fn more_completions_than_there_is_room_for() {
    in_every_world(2, |world| {
        for _ in 0..5 {
            let busy = world.log.pause();
            world.engine.submit(&mut vec![world.job(0)]);
            // A counter that is set already: its answer is where the thread is held up.
            world.counters[1].set(1);
            world.engine.submit(&mut vec![world.job(1)]);
            busy.until_somebody_waits();
            (0..1000).for_each(|_| world.engine.cancel(id(0)));
            drop(busy);
            assert_eq!((world.wait(1), world.wait(0)), (Ok(Done::Moved(8)), Err(Fault::Cancelled)));
        }
        world.counters[0].set(9);
        assert_eq!((world.counters[0].take(), world.memory[0].bytes()), (9, UNTOUCHED.to_vec()));
        world.hold();
        world.counters[0].set(2);
        assert_eq!(world.wait(0), Ok(Done::Moved(8)), "and it goes on");
    });
}

/// Whatever comes first, a cancellation or what the read waits for: it has taken all or nothing, and says which.
#[test]
fn cancellations_that_race_with_what_comes() {
    const JOBS: usize = 64;
    in_every_world(JOBS, |world| {
        let (mut taken, mut cancelled) = (0, 0);
        for round in 0..40 {
            world.engine.submit(&mut (0..JOBS).map(|n| world.job(n)).collect());
            // Each is set by one thread and cancelled by another, which begin at opposite ends.
            std::thread::scope(|scope| {
                scope.spawn(|| world.counters.iter().zip(1..).for_each(|(counter, n)| counter.set(n)));
                let cancel = |n: usize| world.engine.cancel(id((n ^ (round % 8)) as u64));
                scope.spawn(move || (0..JOBS).rev().for_each(cancel));
            });
            for (n, (counter, memory)) in world.counters.iter().zip(&world.memory).enumerate() {
                let number = n as u64 + 1;
                let result = world.wait(n);
                let left = (memory.bytes(), counter.take());
                match result {
                    Ok(Done::Moved(8)) => {
                        taken += 1;
                        assert_eq!(left, (number.to_ne_bytes().to_vec(), 0), "read {n}");
                    }
                    Err(Fault::Cancelled) => {
                        cancelled += 1;
                        assert_eq!(left, (UNTOUCHED.to_vec(), number), "read {n}");
                    }
                    result => panic!("{result:?}"),
                }
            }
        }
        println!("{taken} came first, {cancelled} were cancelled");
    });
}

/// A process that is stopped and goes on is a signal to whoever waits in the kernel, and no end to what the kernel keeps.
#[test]
fn what_the_kernel_keeps_outlasts_a_stop_of_the_process() {
    if !alone("what_the_kernel_keeps_outlasts_a_stop_of_the_process", &[]) {
        return;
    }
    in_every_world(4, |world| {
        world.hold();
        let me = std::process::id();
        let script =
            format!("for n in 1 2 3; do kill -STOP {me}; sleep 0.02; kill -CONT {me}; sleep 0.01; done");
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        assert_eq!(world.log.len(), 0, "nobody has set the counter");
        world.counters[0].set(3);
        assert_eq!(world.wait(0), Ok(Done::Moved(8)));
        assert_eq!(world.memory[0].bytes(), 3_u64.to_ne_bytes());
    });
}
