//! Hot 4 KiB reads through the engine beside a plain `pread` loop on one thread: same file, same order of magnitude of
//! offsets, rounds interleaved, every block's first bytes verified on both sides. Beside the rates, the CPU time of the whole
//! process per read: it means something on a busy machine, too.
//!
//! `cargo bench -p ds-cpu --bench io [-- SECONDS_PER_CELL [WORKERS]]`

use core::hint::black_box;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, Weak};
use std::thread::Thread;
use std::time::Instant;

use ds_core::{Done, OpId};
use ds_cpu::CpuIo;
use ds_engine::{Engine, FileRef, Finished, HostBytes, IoEngine, IoJob, IoOp, JobId, Sink, StartContext};
use rustix::time::{ClockId, clock_gettime};

const BLOCK: usize = 4096;
const BLOCKS: u64 = 16_384;
const DEPTH: usize = 64;
const ROUNDS: usize = 7;

/// Blocks in an order that no readahead guesses, the same for all.
fn block(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50
}

const _: () = assert!(BLOCKS == 1 << 14, "`block` makes 14 bits");

fn check(bytes: &[u8], block: u64) {
    let start = bytes.first_chunk().expect("a block is longer");
    assert_eq!(u64::from_le_bytes(*start), block, "wrong bytes");
}

/// The reads of one run: a slot for each one in flight, refilled as they are answered.
struct Load {
    engine: Weak<CpuIo>,
    file: FileRef,
    memory: HostBytes,
    /// Which block each slot waits for.
    wanted: Vec<AtomicU64>,
    issued: AtomicU64,
    total: AtomicU64,
    refill: bool,
    left: AtomicUsize,
    done: AtomicU64,
    waiter: Thread,
    spare: Mutex<Vec<IoJob>>,
}

impl Load {
    fn slot(&self, slot: usize) -> HostBytes {
        self.memory.part((slot * BLOCK) as u64, BLOCK as u64).expect("a slot is inside")
    }

    fn job(&self, slot: usize) -> IoJob {
        let block = block(self.issued.fetch_add(1, Ordering::Relaxed));
        self.wanted[slot].store(block, Ordering::Relaxed);
        let op = IoOp::Read { file: self.file, offset: block * BLOCK as u64, into: self.slot(slot) };
        IoJob { id: JobId { queue: 0, op: OpId::from_u64(slot as u64) }, op }
    }
}

impl Sink for Load {
    fn complete(&self, batch: &[Finished]) {
        let mut next = core::mem::take(&mut *self.spare.lock().unwrap());
        for finished in batch {
            assert_eq!(finished.result, Ok(Done::Moved(BLOCK as u64)));
            let slot = finished.id.op.to_u64() as usize;
            // SAFETY: the slot's job has been answered, so nobody writes it until the next is made here.
            check(unsafe { self.slot(slot).as_slice() }, self.wanted[slot].load(Ordering::Relaxed));
            if self.refill && self.issued.load(Ordering::Relaxed) < self.total.load(Ordering::Relaxed) {
                next.push(self.job(slot));
            }
        }
        let refilled = next.len();
        if refilled > 0 {
            self.engine.upgrade().expect("the engine outlives its load").submit(&mut next);
        }
        *self.spare.lock().unwrap() = next;
        self.done.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let finished = batch.len() - refilled;
        if finished > 0 && self.left.fetch_sub(finished, Ordering::Release) == finished {
            self.waiter.unpark();
        }
    }
}

#[derive(Clone, Copy)]
enum Shape {
    /// 64 in flight all the time; each answer brings the next read.
    Flow,
    /// 64 at once, then wait for all, asleep.
    Batches,
    /// 64 at once, then help and wait for all, awake.
    Helped,
    /// One at a time, waiting awake.
    Single,
    /// One at a time, done by whoever comes first.
    SingleHelped,
}

/// How fast, and how dear.
#[derive(Clone, Copy)]
struct Speed {
    /// Reads per second.
    rate: f64,
    /// Nanoseconds of CPU time per read.
    cost: f64,
}

/// Runs something and divides what it took by its reads, which it returns.
fn speed(run: impl FnOnce() -> u64) -> Speed {
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    };
    let (start, cpu_start) = (Instant::now(), cpu());
    let reads = run() as f64;
    Speed { rate: reads / start.elapsed().as_secs_f64(), cost: (cpu() - cpu_start) / reads }
}

struct Bench {
    engine: Arc<CpuIo>,
    load: Arc<Load>,
}

impl Bench {
    fn new(file: &File, memory: &mut [u8], workers: usize, refill: bool) -> Self {
        let engine = Arc::new(CpuIo::new(NonZeroUsize::new(workers).expect("at least one")));
        let load = Arc::new(Load {
            engine: Arc::downgrade(&engine),
            // SAFETY: `main` keeps the file open until every engine has been stopped.
            file: unsafe { FileRef::new(file.as_fd()) },
            // SAFETY: `main` keeps the memory until every engine has been stopped, and one runs at a time.
            memory: unsafe { HostBytes::new(memory.as_mut_ptr(), memory.len()) },
            wanted: (0..DEPTH).map(|_| AtomicU64::new(0)).collect(),
            issued: AtomicU64::new(0),
            total: AtomicU64::new(0),
            refill,
            left: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            waiter: std::thread::current(),
            spare: Mutex::new(Vec::new()),
        });
        engine.start(&StartContext::new(load.clone())).expect("threads can be started");
        Self { engine, load }
    }

    fn submit(&self, jobs: &mut Vec<IoJob>, depth: usize) {
        self.load.left.store(depth, Ordering::Relaxed);
        jobs.extend((0..depth).map(|slot| self.load.job(slot)));
        self.engine.submit(jobs);
    }

    fn is_done(&self) -> bool {
        self.load.left.load(Ordering::Acquire) == 0
    }

    /// Waits without sleeping, but lets others have the core now and then.
    fn wait_awake(&self) {
        let mut looks = 0_u32;
        while !self.is_done() {
            looks += 1;
            if looks.is_multiple_of(64) {
                std::thread::yield_now();
            } else {
                core::hint::spin_loop();
            }
        }
    }

    /// Does so many reads or a few more, and says how many.
    fn run(&self, shape: Shape, reads: u64) -> u64 {
        let load = &*self.load;
        let mut jobs = Vec::with_capacity(DEPTH);
        load.issued.store(0, Ordering::Relaxed);
        load.done.store(0, Ordering::Relaxed);
        load.total.store(reads, Ordering::Relaxed);
        match shape {
            Shape::Flow => {
                self.submit(&mut jobs, DEPTH);
                while !self.is_done() {
                    std::thread::park();
                }
            }
            Shape::Batches => {
                while load.issued.load(Ordering::Relaxed) < reads {
                    self.submit(&mut jobs, DEPTH);
                    while !self.is_done() {
                        std::thread::park();
                    }
                }
            }
            Shape::Helped => {
                while load.issued.load(Ordering::Relaxed) < reads {
                    self.submit(&mut jobs, DEPTH);
                    while !self.is_done() {
                        if !self.engine.drive(load, None) {
                            std::thread::yield_now();
                        }
                    }
                }
            }
            Shape::Single | Shape::SingleHelped => {
                while load.issued.load(Ordering::Relaxed) < reads {
                    self.submit(&mut jobs, 1);
                    if matches!(shape, Shape::SingleHelped) {
                        self.engine.drive(load, None);
                    }
                    self.wait_awake();
                }
            }
        }
        load.done.load(Ordering::Relaxed)
    }
}

fn plain(file: &File, memory: &mut [u8], reads: u64) -> u64 {
    for n in 0..reads {
        let slot = n as usize % DEPTH * BLOCK;
        let bytes = &mut memory[slot..slot + BLOCK];
        let read =
            rustix::io::pread(file, &mut *bytes, block(n) * BLOCK as u64).expect("the file is readable");
        assert_eq!(read, BLOCK);
        check(black_box(bytes), block(n));
    }
    reads
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<f64>().ok());
    let seconds = numbers.next().unwrap_or(0.2);
    let workers = numbers.next().map_or_else(|| vec![1, 2, 4], |workers| vec![workers as usize]);
    let mut file = tempfile::tempfile().expect("a temporary file");
    let mut bytes = vec![0x5A; BLOCK];
    for n in 0..BLOCKS {
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        file.write_all(&bytes).expect("room for 64 MiB");
    }
    let mut memory = vec![0; DEPTH * BLOCK];
    let first = speed(|| plain(&file, &mut memory, 100_000));
    let reads = (first.rate * seconds / ROUNDS as f64) as u64;

    println!("hot reads of {BLOCK} bytes; cells: medians of {ROUNDS} rounds");
    println!(
        "{:<40} {:>7} {:>10} {:>8} {:>8} {:>8}",
        "", "workers", "reads/s", "x plain", "CPU ns", "x plain"
    );
    for (name, shape) in [
        ("64 in flight, each answer brings the next", Shape::Flow),
        ("64 at once, caller asleep", Shape::Batches),
        ("64 at once, caller helps", Shape::Helped),
        ("one at a time, caller awake", Shape::Single),
        ("one at a time, caller helps", Shape::SingleHelped),
    ] {
        for &workers in &workers {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let bench = Bench::new(&file, &mut memory, workers, matches!(shape, Shape::Flow));
                bench.run(shape, reads / 10);
                ours.push(speed(|| bench.run(shape, reads)));
                bench.engine.stop();
                theirs.push(speed(|| plain(&file, &mut memory, reads)));
            }
            let over = |of: fn(&Speed) -> f64| {
                let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| of(a) / of(b)).collect();
                (median(&ours.iter().map(of).collect::<Vec<_>>()), median(&ratios))
            };
            let ((rate, faster), (cost, dearer)) = (over(|speed| speed.rate), over(|speed| speed.cost));
            println!("{name:<40} {workers:>7} {rate:>10.0} {faster:>8.2} {cost:>8.0} {dearer:>8.2}");
        }
    }
}
