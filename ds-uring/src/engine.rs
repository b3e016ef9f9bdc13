//! The engine: rings, their threads, and the way to them.

use core::ptr::NonNull;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use ds_core::Path;
use ds_engine::{Engine, IoEngine, IoJob, JobId, Sink, StartContext, StartError};

use crate::config::{Source, UringConfig};
use crate::direct::Hangar;
use crate::driver::{Driver, Turn};
use crate::features::Features;
use crate::inbox::Message;
use crate::lane::{Lane, choose};
use crate::report::Report;
use crate::ring::kernel::{Granted, KernelRing};
use crate::worker;

/// The I/O engine on io_uring, threads `ds-uring-0`, ...
///
/// Each job is one operation of a ring. What comes of it is reported as it comes: short transfers, `EINTR` and `EAGAIN` are the
/// queue's to mend. A file that is to be read past the page cache ([`FileRef::direct`](ds_engine::FileRef::direct)) is, whatever
/// the request's alignment; an unaligned write to it is refused as [`Unsupported`](ds_core::Fault::Unsupported).
///
/// Dropping it stops it, which waits until the kernel is done with every job's memory.
pub struct UringIo {
    config: UringConfig,
    lanes: OnceLock<Box<[Arc<Lane>]>>,
    crew: Arc<Crew>,
    report: OnceLock<Report>,
}

/// The threads, and who waits for them.
#[derive(Default)]
struct Crew {
    life: Mutex<Life>,
    changed: Condvar,
}

#[derive(Default)]
struct Life {
    /// Whether it has been started or stopped.
    used: bool,
    /// Threads that have not ended.
    alive: usize,
    /// Those of them that stop the engine from within an answer, and have nothing else left to do.
    waiting: usize,
    handles: Vec<JoinHandle<()>>,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, life: MutexGuard<'a, Life>) -> MutexGuard<'a, Life> {
        self.changed.wait(life).unwrap_or_else(PoisonError::into_inner)
    }
}

impl UringIo {
    /// An engine that will have these rings once started.
    #[must_use]
    pub fn new(config: UringConfig) -> Self {
        Self { config, lanes: OnceLock::new(), crew: Arc::default(), report: OnceLock::new() }
    }

    /// What the kernel granted; `None` until the engine has been started.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.report.get().copied()
    }

    /// Which engine a thread works for: the address of what its threads share, which outlives them.
    fn name_for_threads(&self) -> usize {
        Arc::as_ptr(&self.crew).addr()
    }

    fn lanes(&self) -> &[Arc<Lane>] {
        self.lanes.get().map_or(&[], |lanes| lanes)
    }

    fn start_threads(&self, lanes: &[Arc<Lane>], context: &StartContext) -> Result<Report, StartError> {
        let (send, receive) = sync_channel(lanes.len());
        let mut life = self.crew.lock();
        for (n, lane) in lanes.iter().enumerate() {
            let thread = Thread {
                config: self.config,
                lane: Arc::clone(lane),
                sink: Arc::clone(context.sink()),
                staging: Mapping(context.staging()),
                crew: Arc::clone(&self.crew),
                ready: send.clone(),
            };
            let engine = self.name_for_threads();
            let builder = std::thread::Builder::new().name(format!("ds-uring-{n}"));
            let handle = builder
                .spawn(move || thread.run(engine))
                .map_err(|source| StartError::Os { what: "its threads", source })?;
            life.alive += 1;
            life.handles.push(handle);
        }
        drop((life, send));
        gather(&receive, self.config, &**context.sink())
    }
}

/// What a ring's thread says when it has a ring, or has none.
type Ready = Result<Granted, StartError>;

/// Waits for all threads to have a ring, says what they have in common, and passes on what there is to warn of, each once.
fn gather(receive: &Receiver<Ready>, config: UringConfig, sink: &dyn Sink) -> Result<Report, StartError> {
    let mut all = Granted { features: config.features, warnings: Vec::new() };
    for ready in receive {
        let Granted { features, warnings } = ready?;
        all.features = all.features.and(features);
        all.warnings.extend(warnings);
    }
    all.warnings.sort_unstable_by_key(|warning| (warning.what, warning.errno));
    all.warnings.dedup();
    worker::warn(sink, &all.warnings);
    Ok(Report { rings: config.rings, depth: config.depth, features: all.features })
}

/// What a new thread is given.
struct Thread {
    config: UringConfig,
    lane: Arc<Lane>,
    sink: Arc<dyn Sink>,
    staging: Mapping,
    crew: Arc<Crew>,
    ready: SyncSender<Ready>,
}

/// Where memory is, for a thread to know.
struct Mapping(NonNull<[u8]>);

// SAFETY: an address and a length, which nobody here reads or writes through.
unsafe impl Send for Mapping {}

impl Thread {
    fn run(self, engine: usize) {
        let Self { config, lane, sink, staging, crew, ready } = self;
        let ends = Ends(crew);
        // Here and not where the engine is started: a ring belongs to the thread that makes it.
        match driver(&config, &lane, staging.0) {
            Ok((driver, granted)) => {
                // Nobody listens any more if another thread has failed; then the engine stops.
                let _ = ready.send(Ok(granted));
                drop(ready);
                worker::run(engine, lane, Arc::clone(&sink), driver);
            }
            Err(error) => drop(ready.send(Err(error))),
        }
        // The engine counts this thread as ended before the sink goes: if the sink's owner goes with it, and the engine with
        // that, it may be stopped from here.
        drop(ends);
        drop(sink);
    }
}

/// Counts a thread as ended, even if it panics.
struct Ends(Arc<Crew>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.lock().alive -= 1;
        self.0.changed.notify_all();
    }
}

fn driver(
    config: &UringConfig,
    lane: &Arc<Lane>,
    staging: NonNull<[u8]>,
) -> Result<(Box<dyn Turn>, Granted), StartError> {
    let (lane, depth) = (Arc::clone(lane), config.depth.get());
    let no_memory = |source| StartError::Os { what: "aligned memory for direct transfers", source };
    let hangar = Hangar::new().map_err(no_memory)?;
    match config.source {
        Source::Kernel => {
            // SAFETY: the driver drops its ring before its hangar. The staging memory is there until the engine has been stopped,
            // by when its threads have ended, and their rings with them.
            let (ring, granted) = unsafe { KernelRing::new(config, &[hangar.mapping(), staging]) }?;
            let joins = granted.features.contains(Features::JOINED_READS);
            Ok((Box::new(Driver::new(ring, lane, depth, hangar, joins)), granted))
        }
        #[cfg(any(test, feature = "__faults"))]
        Source::Fake(faults) => {
            let ring = crate::ring::fake::FakeRing::new(faults, config.features);
            let features = config.features.and(Features::JOINED_READS | Features::IOPOLL);
            let joins = features.contains(Features::JOINED_READS);
            let granted = Granted { features, warnings: Vec::new() };
            Ok((Box::new(Driver::new(ring, lane, depth, hangar, joins)), granted))
        }
    }
}

// SAFETY: a job becomes one entry of a ring, which names the job's memory or a detour's, and it is answered when the ring's
// completion for that entry has been taken, by which time the kernel is through with both; or it is answered without having
// been submitted. What is answered is what the completion says.
unsafe impl Engine for UringIo {
    fn name(&self) -> &'static str {
        "uring"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        if core::mem::replace(&mut self.crew.lock().used, true) {
            return Err(StartError::AlreadyUsed);
        }
        let result = self.make_lanes().and_then(|lanes| self.start_threads(lanes, context));
        match result {
            Ok(report) => {
                log::debug!("io_uring engine: {report}");
                let _ = self.report.set(report);
                Ok(())
            }
            Err(error) => {
                self.stop();
                Err(error)
            }
        }
    }

    fn cancel(&self, id: JobId) {
        for lane in self.lanes() {
            // All of them: which one has the job is not written down.
            if lane.is_busy() {
                lane.inbox.push(Message::Cancel(id));
                lane.bell.ring();
            }
        }
    }

    /// A ring belongs to its thread: nobody else can do its work. But that thread may be the one that waits, within an answer.
    fn drive(&self, sink: &dyn Sink, _queue: Option<u64>) -> bool {
        worker::drive(self.name_for_threads(), sink)
    }

    fn stop(&self) {
        self.crew.lock().used = true;
        self.lanes().iter().for_each(|lane| lane.stop());
        if worker::finish(self.name_for_threads()) {
            return self.wait_within_an_answer();
        }
        let mut life = self.crew.lock();
        while life.alive > 0 {
            life = self.crew.wait(life);
        }
        let handles = core::mem::take(&mut life.handles);
        drop(life);
        let me = std::thread::current().id();
        // A thread that drops the sink, and with it whoever owns this engine, gets here as well: after its end, so to say.
        for handle in handles.into_iter().filter(|handle| handle.thread().id() != me) {
            // What there is to say about a panic the panic hook has said.
            let _ = handle.join();
        }
    }
}

impl UringIo {
    fn make_lanes(&self) -> Result<&[Arc<Lane>], StartError> {
        let lane = |_| Lane::new(self.config.depth.get()).map(Arc::new);
        let lanes: Result<Box<[_]>, _> = (0..self.config.rings.get()).map(lane).collect();
        let lanes = lanes.map_err(|errno| StartError::Os { what: "an eventfd", source: errno.into() })?;
        Ok(self.lanes.get_or_init(|| lanes))
    }

    /// The thread this is on has finished its jobs and is inside the answer to the last of them: waits for the others to have
    /// come as far.
    fn wait_within_an_answer(&self) {
        let mut life = self.crew.lock();
        life.waiting += 1;
        self.crew.changed.notify_all();
        while life.alive > life.waiting {
            life = self.crew.wait(life);
        }
        life.waiting -= 1;
    }
}

impl IoEngine for UringIo {
    fn path(&self) -> Path {
        Path::IO_URING
    }

    fn depth(&self) -> usize {
        self.config.depth.get() * self.config.rings.get()
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        let lanes = self.lanes();
        // One bit for each: there are no more than 64.
        let mut given = 0_u64;
        for job in jobs.drain(..) {
            let lane = choose(lanes, &job);
            lanes[lane].give(job);
            given |= 1 << lane;
        }
        for (n, lane) in lanes.iter().enumerate() {
            if given & 1 << n != 0 {
                lane.bell.ring();
            }
        }
        worker::begin_early(self.name_for_threads());
    }
}

impl Drop for UringIo {
    fn drop(&mut self) {
        self.stop();
    }
}

const _: () = assert!(UringConfig::MAX_RINGS <= u64::BITS as usize, "`submit` has a bit for each");
