//! The engine: rings, their threads, and the way to them.

use core::ptr::NonNull;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use ds_core::Path;
use ds_engine::{
    Crew, Engine, IoEngine, IoJob, JobId, Member, Sink, StartContext, StartError, is_about_to_drive,
};

use crate::config::{Source, UringConfig};
use crate::direct::Hangar;
use crate::driver::{Driver, Turn};
use crate::features::Features;
use crate::inline::Inline;
use crate::lane::{self, Lane, choose};
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
    inline: Inline,
    crew: Crew,
    report: OnceLock<Report>,
}

impl UringIo {
    /// An engine that will have these rings once started.
    #[must_use]
    pub fn new(config: UringConfig) -> Self {
        Self {
            config,
            lanes: OnceLock::new(),
            inline: Inline::new(),
            crew: Crew::default(),
            report: OnceLock::new(),
        }
    }

    /// What the rings have: what the kernel granted all of them, without what has turned out since not to work with some file.
    /// `None` until the engine has been started.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        let report = *self.report.get()?;
        let lost = self.lanes().iter().fold(Features::NONE, |lost, lane| lost | lane.lost());
        Some(Report { features: report.features - lost, ..report })
    }

    fn lanes(&self) -> &[Arc<Lane>] {
        self.lanes.get().map_or(&[], |lanes| lanes)
    }

    fn start_threads(&self, lanes: &[Arc<Lane>], context: &StartContext) -> Result<Report, StartError> {
        let (send, receive) = sync_channel(lanes.len());
        for (n, lane) in lanes.iter().enumerate() {
            let thread = Thread {
                config: self.config,
                lane: Arc::clone(lane),
                sink: Arc::clone(context.sink()),
                staging: Mapping(context.staging()),
                ready: send.clone(),
            };
            let engine = self.crew.number();
            self.crew.spawn(format!("ds-uring-{n}"), move |member| thread.run(member, engine))?;
        }
        drop(send);
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
    ready: SyncSender<Ready>,
}

/// Where memory is, for a thread to know.
struct Mapping(NonNull<[u8]>);

// SAFETY: an address and a length, which nobody here reads or writes through.
unsafe impl Send for Mapping {}

impl Thread {
    fn run(self, member: Member, engine: usize) {
        let Self { config, lane, sink, staging, ready } = self;
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
        drop(member);
        drop(sink);
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
            let (ring, mut granted) = unsafe { KernelRing::new(config, &[hangar.mapping(), staging]) }?;
            if granted.features.contains(Features::MSG_RING) {
                match ring.address() {
                    Ok(address) => lane.bell.connect(address),
                    Err(_) => granted.features = granted.features - Features::MSG_RING,
                }
            }
            let joins = granted.features.contains(Features::JOINED_READS);
            Ok((Box::new(Driver::new(ring, lane, depth, hangar, joins)), granted))
        }
        #[cfg(any(test, feature = "__faults"))]
        Source::Fake(faults) => {
            let ring = crate::ring::fake::FakeRing::new(faults, config.features);
            let simulated = Features::JOINED_READS | Features::IOPOLL | Features::INLINE_READS;
            let features = config.features.and(simulated);
            let joins = features.contains(Features::JOINED_READS);
            let granted = Granted { features, warnings: Vec::new() };
            Ok((Box::new(Driver::new(ring, lane, depth, hangar, joins)), granted))
        }
    }
}

// SAFETY: a job becomes one entry of a ring, which names the job's memory or a detour's, and it is answered when the ring's
// completion for that entry has been taken, by which time the kernel is through with both; or it is answered without having
// been submitted. What is answered is what the completion says. A job that is kept and that the page cache cannot answer is an entry
// of the one ring, whose completion says so, and then of another.
unsafe impl Engine for UringIo {
    fn name(&self) -> &'static str {
        "uring"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        self.crew.begin()?;
        let result = self.make_lanes().and_then(|lanes| self.start_threads(lanes, context));
        match result {
            Ok(mut report) => {
                if report.features.contains(Features::INLINE_READS)
                    && self.inline.start(&self.config, report.features).is_err()
                {
                    report.features = report.features - Features::INLINE_READS;
                }
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
        // In this order: a job that has been kept may go to a ring meanwhile.
        self.inline.cancel(id, self.lanes());
        lane::cancel(self.lanes(), id);
    }

    /// A ring belongs to its thread: nobody else can do its work. But that thread may be the one that waits, within an answer. Any
    /// thread can do what has been kept, which is short work, whoever it is for.
    fn drive(&self, sink: &dyn Sink, _queue: Option<u64>) -> bool {
        self.inline.drive(sink, self.lanes()) || worker::drive(self.crew.number(), sink)
    }

    fn stop(&self) {
        self.crew.retire();
        self.inline.stop(self.lanes());
        self.lanes().iter().for_each(|lane| lane.stop());
        if worker::finish(self.crew.number()) {
            // On one of its threads, which has finished its jobs and is inside the answer to the last of them.
            self.crew.wait_within();
        } else {
            self.crew.wait();
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
}

impl IoEngine for UringIo {
    fn path(&self) -> Path {
        Path::IO_URING
    }

    fn depth(&self) -> usize {
        self.config.depth.get() * self.config.rings.get()
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        if is_about_to_drive() {
            self.inline.keep(jobs);
        }
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
        worker::begin_early(self.crew.number());
    }
}

impl Drop for UringIo {
    fn drop(&mut self) {
        self.stop();
    }
}

const _: () = assert!(UringConfig::MAX_RINGS <= u64::BITS as usize, "`submit` has a bit for each");
