//! The suite, over every engine and over engines made unreliable.

#[macro_use]
#[path = "suite/every_engine.rs"]
mod every_engine;
mod suite;

use std::num::NonZeroUsize;
use std::sync::Arc;

use ds_cpu::{CpuFront, CpuIo};
use ds_engine::FaultyIo;
use ds_engine::faulty::IoFaults;
use ds_runtime::{CodecKind, IoKind, Runtime};
use ds_uring::{FakeFaults, Features, UringConfig, UringIo};

/// See `suite::decoded`.
const DECODER_SLOWNESS: usize = 1;

/// Whether what the engines need is on this machine.
const fn is_here() -> bool {
    true
}

fn cpu() -> Runtime {
    Runtime::builder().io(IoKind::Cpu).codec(CodecKind::Cpu).build().unwrap()
}

/// One worker each, and staging for one or two requests of the suite at a time.
fn cramped() -> Runtime {
    let builder = Runtime::builder().workers(NonZeroUsize::MIN).codec_workers(NonZeroUsize::MIN);
    builder.staging(8 << 20).build().unwrap()
}

/// Short transfers, interruptions and refusals every so often, which the queue must mend.
fn faulty() -> Runtime {
    let faults =
        IoFaults { seed: 7, short: 13_000, interrupted: 6_000, try_again: 3_000, error: 0, errno: 0 };
    let workers = NonZeroUsize::new(2).unwrap();
    Runtime::builder().io_engine(Arc::new(FaultyIo::new(CpuIo::new(workers), faults))).build().unwrap()
}

/// Reads by a ring, set up so, and decodes on threads.
fn with_rings(config: UringConfig) -> Runtime {
    Runtime::builder().io_engine(Arc::new(UringIo::new(config))).build().unwrap()
}

fn uring() -> Runtime {
    with_rings(UringConfig::default())
}

/// Several rings, each of which is full at once.
fn shallow_rings() -> Runtime {
    let (rings, depth) = (NonZeroUsize::new(3).unwrap(), NonZeroUsize::new(2).unwrap());
    with_rings(UringConfig::default().rings(rings).depth(depth))
}

fn uring_of_linux_6_6() -> Runtime {
    with_rings(UringConfig::default().features(Features::LINUX_6_6.and(Features::DEFAULT)))
}

fn uring_of_linux_6_1() -> Runtime {
    with_rings(UringConfig::default().features(Features::LINUX_6_1.and(Features::DEFAULT)))
}

fn uring_of_linux_5_15() -> Runtime {
    with_rings(UringConfig::default().features(Features::LINUX_5_15.and(Features::DEFAULT)))
}

/// With whatever else this kernel can do, but for polling.
fn extended_ring() -> Runtime {
    with_rings(UringConfig::default().features(Features::ALL - Features::SQPOLL))
}

/// Fed by a thread of the kernel's.
fn polled_ring() -> Runtime {
    with_rings(UringConfig::default().features(Features::DEFAULT | Features::SQPOLL))
}

/// A ring that is short, late, full, out of order and interrupted.
fn nasty_ring() -> Runtime {
    with_rings(UringConfig::default().rings(NonZeroUsize::new(2).unwrap()).fake(FakeFaults::all(11)))
}

/// Threads for what the page cache has, in front of a ring for the rest.
fn front() -> Runtime {
    let ring = Arc::new(UringIo::new(UringConfig::default()));
    let workers = NonZeroUsize::new(2).unwrap();
    Runtime::builder().io_engine(Arc::new(CpuFront::new("cpu+uring", workers, ring))).build().unwrap()
}

every_engine! { cpu cramped faulty uring shallow_rings uring_of_linux_6_6 uring_of_linux_6_1 uring_of_linux_5_15 extended_ring polled_ring nasty_ring front }
