//! One cell of the I/O benchmark: random reads of one size, at one depth, through the whole runtime, for some seconds. Prints
//! one line of JSON. `cargo xtask bench io` runs it beside fio and draws the picture.
//!
//! `cargo bench -p ds-runtime --features uring --bench io -- --engine uring --file FILE --block 4096 --depth 32 [--direct]
//! [--seconds 1] [--workers N] [--batch] [--sequential] [--once] [--feature NAME]... [--without NAME]...`
//!
//! The engine `pread` is a plain loop, without the runtime, on as many threads as `--workers` says, or one; with `--batch` they share
//! each batch. With `--batch` all requests of a round are waited for before the next are made, at a depth of 1 therefore each; with
//! `--callbacks` each makes the next one. With `--sequential` each block read is the one behind the last, and with `--once` as well
//! the last one is the file's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ds_runtime::{
    CodecKind, Completion, File, IoKind, Path, Queue, QueueOptions, Request, Runtime, UringConfig,
    UringFeatures,
};
use rustix::fs::OFlags;
use rustix::time::{ClockId, clock_gettime};

/// The system's allocator, but blocks begin at pages: the memory that fio reads into does as well, and what goes past the page cache
/// then needs no copy.
struct Aligned;

const PAGE: usize = 4096;

fn aligned(layout: Layout) -> Layout {
    if layout.size() < PAGE { layout } else { layout.align_to(PAGE).unwrap_or(layout) }
}

// SAFETY: everything is passed on to the system's allocator, a block's layout changed alike both times.
unsafe impl GlobalAlloc for Aligned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(aligned(layout)) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, aligned(layout)) }
    }
}

#[global_allocator]
static ALLOCATOR: Aligned = Aligned;

struct Cell {
    engine: String,
    file: PathBuf,
    block: usize,
    depth: usize,
    direct: bool,
    batch: bool,
    callbacks: bool,
    sequential: bool,
    once: bool,
    seconds: f64,
    workers: Option<NonZeroUsize>,
    features: UringFeatures,
}

impl Cell {
    fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut cell = Self {
            engine: "auto".into(),
            file: PathBuf::new(),
            block: 4096,
            depth: 32,
            direct: false,
            batch: false,
            callbacks: false,
            sequential: false,
            once: false,
            seconds: 1.0,
            workers: None,
            features: UringFeatures::DEFAULT,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--engine" => cell.engine = value()?,
                "--file" => cell.file = value()?.into(),
                "--block" => cell.block = value()?.parse()?,
                "--depth" => cell.depth = value()?.parse()?,
                "--seconds" => cell.seconds = value()?.parse()?,
                "--workers" => cell.workers = Some(value()?.parse()?),
                "--callbacks" => cell.callbacks = true,
                "--sequential" => cell.sequential = true,
                "--once" => cell.once = true,
                "--feature" => cell.features |= feature(&value()?)?,
                "--without" => cell.features = cell.features - feature(&value()?)?,
                "--direct" => cell.direct = true,
                "--batch" => cell.batch = true,
                // What Cargo passes to every benchmark.
                "--bench" => {}
                _ => return Err(format!("unknown argument {arg}").into()),
            }
        }
        Ok(cell)
    }
}

fn feature(name: &str) -> Result<UringFeatures, String> {
    let named = UringFeatures::ALL.each().find(|feature| feature.to_string() == name);
    named.ok_or_else(|| format!("no feature is called {name}"))
}

/// Blocks in an order that no readahead guesses, or one after the other.
#[derive(Clone, Copy)]
struct Blocks {
    state: u64,
    count: u64,
    sequential: bool,
    once: bool,
}

impl Blocks {
    /// Whether all have been read that are to be.
    const fn are_over(&self) -> bool {
        self.once && self.state >= self.count
    }

    const fn next(&mut self) -> u64 {
        if self.sequential {
            let block = self.state % self.count;
            self.state += 1;
            return block;
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % self.count
    }
}

/// What a run came to.
#[derive(Default)]
struct Tally {
    reads: u64,
    /// Time from enqueuing to completion, of all reads together.
    latency: Duration,
    path: String,
    /// Reads that were joined with others.
    joined: u64,
    wall: Duration,
    cpu: Duration,
}

/// Since when: the time, and the CPU time of the process.
struct Since(Instant, Duration);

impl Since {
    fn now() -> Self {
        Self(Instant::now(), cpu_time())
    }

    fn end(&self, tally: &mut Tally) {
        (tally.wall, tally.cpu) = (self.0.elapsed(), cpu_time() - self.1);
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn main() -> Result<(), Box<dyn Error>> {
    let cell = Cell::from_args()?;
    if cell.file.as_os_str().is_empty() {
        println!("no --file: nothing to measure");
        return Ok(());
    }
    let count = std::fs::metadata(&cell.file)?.len() / cell.block as u64;
    // Not the same blocks every time: something below the file system may remember them.
    let first = if cell.once { 0 } else { std::process::id().into() };
    let blocks = Blocks { state: first, count, sequential: cell.sequential, once: cell.once };
    let tally = if cell.engine == "pread" { pread_loops(&cell, blocks)? } else { runtime(&cell, blocks)? };
    let (wall, cpu) = (tally.wall.as_secs_f64(), tally.cpu);
    let mut line = String::new();
    write!(line, "{{\"engine\":\"{}\",\"path\":\"{}\",\"block\":{}", cell.engine, tally.path, cell.block)?;
    write!(line, ",\"iops\":{:.1}", tally.reads as f64 / wall)?;
    write!(line, ",\"bytes_per_second\":{:.0}", (tally.reads * cell.block as u64) as f64 / wall)?;
    write!(line, ",\"cpu_ns_per_read\":{:.1}", cpu.as_nanos() as f64 / tally.reads as f64)?;
    write!(line, ",\"joined\":{:.2}", tally.joined as f64 / tally.reads as f64)?;
    write!(line, ",\"mean_depth\":{:.2}}}", tally.latency.as_secs_f64() / wall)?;
    println!("{line}");
    Ok(())
}

fn pread_loops(cell: &Cell, blocks: Blocks) -> Result<Tally, Box<dyn Error>> {
    let flags = if cell.direct { OFlags::DIRECT.bits() } else { 0 };
    let file = std::fs::File::options().read(true).custom_flags(flags as i32).open(&cell.file)?;
    let threads = cell.workers.map_or(1, NonZeroUsize::get);
    let (mut tally, since) = (Tally { path: "pread".into(), ..Tally::default() }, Since::now());
    if cell.batch {
        tally.reads = SharedBatch::new(cell).read(cell, threads, &file, blocks, &since)?;
    } else {
        tally.reads = pread_threads(cell, threads, &file, blocks, &since)?;
    }
    since.end(&mut tally);
    tally.latency = tally.wall * threads as u32;
    Ok(tally)
}

/// So many threads that read until the time is over. Returns how often.
fn pread_threads(
    cell: &Cell,
    threads: usize,
    file: &std::fs::File,
    blocks: Blocks,
    since: &Since,
) -> Result<u64, std::io::Error> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads as u64)
            .map(|n| {
                let blocks = Blocks { state: blocks.state.wrapping_add(n << 32), ..blocks };
                scope.spawn(move || pread_loop(cell, file, blocks, since))
            })
            .collect();
        // A single thread stays the process's only one: the kernel then need not count who has the file.
        let mut reads = pread_loop(cell, file, blocks, since)?;
        for other in others {
            reads += other.join().expect("the loop does not panic")?;
        }
        Ok(reads)
    })
}

/// Reads until the time is over. Returns how often.
fn pread_loop(
    cell: &Cell,
    file: &std::fs::File,
    mut blocks: Blocks,
    since: &Since,
) -> Result<u64, std::io::Error> {
    // As many buffers as the engines have: what a processor's cache holds is read into faster.
    let mut buffers: Vec<Vec<u8>> = (0..cell.depth).map(|_| vec![0; cell.block]).collect();
    let mut reads = 0;
    while since.0.elapsed().as_secs_f64() < cell.seconds {
        for buffer in &mut buffers {
            file.read_exact_at(buffer, blocks.next() * cell.block as u64)?;
            reads += 1;
        }
    }
    Ok(reads)
}

/// A batch that threads read together, with nothing between them but a counter: what any queue has to gain from them at most.
struct SharedBatch {
    offsets: Vec<AtomicU64>,
    /// The next block that nobody reads yet.
    next: Apart,
    /// Blocks that have been read.
    done: Apart,
    over: AtomicBool,
}

/// A counter on a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
struct Apart(AtomicUsize);

/// Blocks that a thread takes of a shared batch at once.
const SHARE: usize = 4;

impl SharedBatch {
    fn new(cell: &Cell) -> Self {
        Self {
            offsets: (0..cell.depth).map(|_| AtomicU64::new(0)).collect(),
            next: Apart(AtomicUsize::new(cell.depth)),
            done: Apart::default(),
            over: AtomicBool::new(false),
        }
    }

    /// Reads until the time is over. Returns how often.
    fn read(
        &self,
        cell: &Cell,
        threads: usize,
        file: &std::fs::File,
        mut blocks: Blocks,
        since: &Since,
    ) -> Result<u64, std::io::Error> {
        let all = self.offsets.len();
        let mut buffer = vec![0; all * cell.block];
        std::thread::scope(|scope| {
            let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(|| self.help(cell, file))).collect();
            let mut reads = 0;
            let mut result = Ok(());
            while result.is_ok() && since.0.elapsed().as_secs_f64() < cell.seconds {
                for offset in &self.offsets {
                    offset.store(blocks.next() * cell.block as u64, Ordering::Relaxed);
                }
                self.done.0.store(0, Ordering::Relaxed);
                // Whoever sees this sees the offsets.
                self.next.0.store(0, Ordering::Release);
                result = self.read_some(file, &mut buffer);
                while self.done.0.load(Ordering::Acquire) < all {
                    std::hint::spin_loop();
                }
                reads += all as u64;
            }
            self.over.store(true, Ordering::Relaxed);
            let helped =
                helpers.into_iter().try_for_each(|helper| helper.join().expect("nothing panics here"));
            result.and(helped).map(|()| reads)
        })
    }

    /// Reads what there is until it is over.
    fn help(&self, cell: &Cell, file: &std::fs::File) -> Result<(), std::io::Error> {
        let mut buffer = vec![0; self.offsets.len() * cell.block];
        let mut result = Ok(());
        while result.is_ok() && !self.over.load(Ordering::Relaxed) {
            result = self.read_some(file, &mut buffer);
            std::hint::spin_loop();
        }
        result
    }

    /// Reads what nobody else does. What cannot be read counts as done: nobody is to wait for it.
    fn read_some(&self, file: &std::fs::File, buffer: &mut [u8]) -> Result<(), std::io::Error> {
        let all = self.offsets.len();
        let (mut done, mut result) = (0, Ok(()));
        while self.next.0.load(Ordering::Relaxed) < all {
            let first = self.next.0.fetch_add(SHARE, Ordering::Acquire).min(all);
            let share = first..all.min(first + SHARE);
            let blocks = buffer.chunks_exact_mut(buffer.len() / all).zip(&self.offsets);
            for (block, offset) in blocks.skip(share.start).take(share.len()) {
                if let Err(error) = file.read_exact_at(block, offset.load(Ordering::Relaxed)) {
                    result = Err(error);
                }
                done += 1;
            }
        }
        if done > 0 {
            self.done.0.fetch_add(done, Ordering::Release);
        }
        result
    }
}

fn runtime(cell: &Cell, mut blocks: Blocks) -> Result<Tally, Box<dyn Error>> {
    let io = match cell.engine.as_str() {
        "cpu" => IoKind::Cpu,
        "uring" => IoKind::Uring,
        "auto" => IoKind::Auto,
        other => return Err(format!("no engine is called {other}").into()),
    };
    let depth = NonZeroUsize::new(cell.depth).ok_or("a depth of 0 reads nothing")?;
    let mut builder = Runtime::builder()
        .io(io)
        .codec(CodecKind::Cpu)
        .uring(UringConfig::default().depth(depth).features(cell.features));
    if let Some(workers) = cell.workers {
        builder = builder.workers(workers);
    }
    let runtime = builder.build()?;
    let requests = cell.depth;
    let options = QueueOptions::default().capacity(2 * requests).auto_submit(false).chunk_size(16 << 20);
    let queue = runtime.queue(options)?;
    let plain = File::open(&cell.file)?;
    let file = if cell.direct { plain.direct()? } else { plain };
    let mut buffers: Vec<Vec<u8>> = (0..requests).map(|_| vec![0; cell.block]).collect();
    let mut list = Vec::with_capacity(requests);
    if cell.callbacks {
        return by_callbacks(cell, blocks, queue, file, buffers);
    }
    let (mut tally, since) = (Tally::default(), Since::now());
    let mut in_flight = 0;
    loop {
        let over = blocks.are_over() || !cell.once && since.0.elapsed().as_secs_f64() >= cell.seconds;
        if over && in_flight == 0 {
            break;
        }
        if !over {
            while !blocks.are_over()
                && let Some(buffer) = buffers.pop()
            {
                let offset = blocks.next() * cell.block as u64;
                list.push(Request::read(&file, offset, cell.block as u64).into_buffer(buffer));
                in_flight += 1;
            }
            queue.post_all(&mut list)?;
        }
        // Both submit what has been posted.
        if cell.batch {
            queue.wait_all(None)?;
        } else {
            queue.wait_any(None)?;
        }
        for done in &mut queue.take_completed(requests) {
            done.result?;
            tally.reads += 1;
            tally.latency += done.latency;
            in_flight -= 1;
            buffers.push(core::mem::take(&mut done.buffer));
        }
    }
    since.end(&mut tally);
    note_paths(&mut tally, &queue);
    Ok(tally)
}

fn note_paths(tally: &mut Tally, queue: &Queue) {
    let stats = queue.stats();
    tally.path = stats.paths().map(|(path, _)| path.to_string()).collect::<Vec<_>>().join(",");
    tally.joined = stats.paths().find(|(path, _)| *path == Path::IO_JOINED).map_or(0, |(_, count)| count);
}

/// Requests that each make the next one when they are done.
struct Flow {
    queue: Queue,
    file: File,
    block: u64,
    state: Mutex<(Blocks, Tally)>,
    end: Instant,
}

impl Flow {
    fn next(self: &Arc<Self>, buffer: Vec<u8>) {
        let offset = self.state.lock().expect("nothing panics here").0.next() * self.block;
        let request = Request::read(&self.file, offset, self.block).into_buffer(buffer);
        let flow = Arc::clone(self);
        let again = move |done: Completion| {
            let done = done.check().expect("the file can be read");
            {
                let tally = &mut flow.state.lock().expect("nothing panics here").1;
                tally.reads += 1;
                tally.latency += done.latency;
            }
            if Instant::now() < flow.end {
                flow.next(done.buffer);
            }
        };
        self.queue
            .enqueue_with(request, again)
            .map_err(|rejected| rejected.error)
            .expect("there is room for twice as many");
        self.queue.submit();
    }
}

fn by_callbacks(
    cell: &Cell,
    blocks: Blocks,
    queue: Queue,
    file: File,
    buffers: Vec<Vec<u8>>,
) -> Result<Tally, Box<dyn Error>> {
    let since = Since::now();
    let end = since.0 + Duration::from_secs_f64(cell.seconds);
    let state = Mutex::new((blocks, Tally::default()));
    let flow = Arc::new(Flow { queue, file, block: cell.block as u64, state, end });
    buffers.into_iter().for_each(|buffer| flow.next(buffer));
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    flow.queue.wait_all(None)?;
    let mut tally = core::mem::take(&mut flow.state.lock().expect("nothing panics here").1);
    since.end(&mut tally);
    note_paths(&mut tally, &flow.queue);
    Ok(tally)
}
