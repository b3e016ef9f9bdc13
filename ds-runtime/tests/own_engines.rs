//! Engines that a program brings along.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use ds_core::Done;
use ds_cpu::{CpuCodec, CpuEngine, CpuFront, CpuIo};
use ds_engine::{
    CopyEngine, CopyJob, Engine, Finished, IoEngine, IoJob, JobId, Sink, StartContext, StartError,
};
use ds_runtime::{BuildError, ErrorKind, File, Path, QueueOptions, Request, Runtime};
use ds_uring::{FakeFaults, UringConfig, UringIo};

fn workers() -> NonZeroUsize {
    NonZeroUsize::new(2).unwrap()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    File::from(file)
}

fn assert_works(runtime: &Runtime) {
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let read = queue.enqueue(Request::read(&file(b"some bytes"), 5, 5)).unwrap().wait().check().unwrap();
    assert_eq!(read.buffer, b"bytes");
    let upper = queue.enqueue(Request::from_memory(b"abc".to_vec()).uppercase()).unwrap().wait();
    assert_eq!(upper.check().unwrap().buffer, b"ABC");
    let copied = queue.enqueue(Request::from_memory(b"abc".to_vec())).unwrap().wait();
    assert_eq!(copied.check().unwrap().buffer, b"abc");
}

#[track_caller]
fn assert_used(refused: Result<Runtime, BuildError>) {
    let error = refused.unwrap_err();
    assert!(matches!(error, BuildError::Start { engine: "cpu", source: StartError::AlreadyUsed }), "{error}");
}

#[test]
fn an_engine_serves_one_runtime_once() {
    let engine = Arc::new(CpuIo::new(workers()));
    let first = Runtime::builder().io_engine(engine.clone()).build().unwrap();
    assert_used(Runtime::builder().io_engine(engine.clone()).build());
    // Refused again, by an engine that starts after another of that runtime's has: the other is stopped, this one is not.
    let codec = Arc::new(CpuCodec::new(workers(), Vec::new()));
    assert_used(Runtime::builder().io_engine(engine.clone()).codec_engine(codec.clone()).build());
    assert_works(&first);
    drop(first);
    assert_used(Runtime::builder().io_engine(engine).build());
    assert_used(Runtime::builder().codec_engine(codec).build());
}

#[test]
fn one_engine_plays_every_role() {
    let engine = Arc::new(CpuEngine::shared(workers(), Vec::new()));
    let builder = Runtime::builder().io_engine(engine.clone()).codec_engine(engine.clone());
    let runtime = builder.copy_engine(engine.clone()).build().unwrap();
    assert_works(&runtime);
    drop(runtime);
    assert_eq!(Arc::strong_count(&engine), 1, "nothing of the runtime is left");
}

/// Copies on whichever thread drives it, and counts what else is asked of it.
#[derive(Default)]
struct Copier {
    jobs: Mutex<Vec<CopyJob>>,
    sink: Mutex<Option<Arc<dyn Sink>>>,
    staging: Mutex<usize>,
    stops: Mutex<usize>,
}

// SAFETY: a job is taken out of the list once, copied as it says, and answered then.
unsafe impl Engine for Copier {
    fn name(&self) -> &'static str {
        "copier"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        *self.sink.lock().unwrap() = Some(Arc::clone(context.sink()));
        *self.staging.lock().unwrap() = context.staging().len();
        Ok(())
    }

    fn cancel(&self, id: JobId) {
        let cancelled: Vec<_> = self.jobs.lock().unwrap().extract_if(.., |job| job.id == id).collect();
        let sink = self.sink.lock().unwrap().clone();
        for job in cancelled {
            let result = Err(ds_core::Fault::Cancelled);
            sink.as_ref().unwrap().complete(&[Finished { id: job.id, result, path: Path::NONE }]);
        }
    }

    fn drive(&self, sink: &dyn Sink, _queue: Option<u64>) -> bool {
        let Some(CopyJob { id, from, into }) = self.jobs.lock().unwrap().pop() else { return false };
        // SAFETY: the job has not been answered, so nobody writes its source.
        let from = unsafe { from.host().unwrap().as_slice() };
        // SAFETY: the job has not been answered, and it writes these bytes, so they are ours alone.
        unsafe { into.host().unwrap().as_mut_slice() }.copy_from_slice(from);
        let result = Ok(Done::Moved(from.len() as u64));
        sink.complete(&[Finished { id, result, path: self.path() }]);
        true
    }

    fn stop(&self) {
        *self.stops.lock().unwrap() += 1;
        self.sink.lock().unwrap().take();
    }
}

impl CopyEngine for Copier {
    fn path(&self) -> Path {
        Path::COPY_HOST
    }

    fn submit_copies(&self, jobs: &mut Vec<CopyJob>) {
        self.jobs.lock().unwrap().append(jobs);
    }
}

#[test]
fn a_copy_engine_of_its_own_is_started_driven_hurried_and_stopped() {
    let engine = Arc::new(Copier::default());
    let runtime = Runtime::builder().copy_engine(engine.clone()).staging(8 << 20).build().unwrap();
    assert_eq!(*engine.staging.lock().unwrap(), 8 << 20);
    assert_works(&runtime);
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let ticket = queue.enqueue(Request::from_memory(b"abc".to_vec())).unwrap();
    queue.submit();
    assert_eq!(engine.jobs.lock().unwrap().len(), 1, "nobody drives it");
    ticket.cancel();
    assert!(ticket.is_done());
    assert!(ticket.wait().is_cancelled());
    drop((queue, runtime));
    assert_eq!(*engine.stops.lock().unwrap(), 1);
}

/// Passes everything on, and counts the jobs.
struct Counting<E> {
    engine: E,
    jobs: AtomicUsize,
}

// SAFETY: each job is passed on as it is, once, to an engine that promises the rest.
unsafe impl<E: IoEngine> Engine for Counting<E> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        self.engine.start(context)
    }

    fn cancel(&self, id: JobId) {
        self.engine.cancel(id);
    }

    fn drive(&self, sink: &dyn Sink, queue: Option<u64>) -> bool {
        self.engine.drive(sink, queue)
    }

    fn stop(&self) {
        self.engine.stop();
    }
}

impl<E: IoEngine> IoEngine for Counting<E> {
    fn path(&self) -> Path {
        self.engine.path()
    }

    fn depth(&self) -> usize {
        self.engine.depth()
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        self.jobs.fetch_add(jobs.len(), Ordering::Relaxed);
        self.engine.submit(jobs);
    }
}

/// Unlike `EINTR` and `EAGAIN`, an error of the device's is asked about once. (The suite has what is told of it.)
fn assert_final(engine: impl IoEngine + 'static) {
    let counting = Arc::new(Counting { engine, jobs: AtomicUsize::new(0) });
    let runtime = Runtime::builder().io_engine(Arc::clone(&counting) as _).build().unwrap();
    let queue = runtime.queue(QueueOptions::default().error_hook(|_| {})).unwrap();
    // There is nothing at this address.
    let broken = File::open("/proc/self/mem").unwrap();
    for n in 1..=20 {
        let done = queue.enqueue(Request::read(&broken, 0, 100 * n)).unwrap().wait();
        assert_eq!(done.result.unwrap_err().kind, ErrorKind::Io { errno: 5 });
        assert_eq!(counting.jobs.load(Ordering::Relaxed), n as usize, "{}", counting.name());
    }
}

#[test]
fn a_device_s_error_is_not_tried_again() {
    let ring = |config: UringConfig| UringIo::new(config);
    assert_final(CpuIo::new(workers()));
    assert_final(ring(UringConfig::default()));
    assert_final(ring(UringConfig::default().fake(FakeFaults::default())));
    assert_final(CpuFront::new("cpu+uring", workers(), Arc::new(ring(UringConfig::default()))));
}
