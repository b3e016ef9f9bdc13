//! What the runtime does with an engine that answers only when it is told to.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Wake;
use std::time::Duration;

use ds_core::Done;
use ds_engine::{Engine, Finished, IoEngine, IoJob, IoOp, JobId, Sink, StartContext, StartError};
use ds_runtime::{
    CustomError, ErrorKind, File, Path, Priority, QueueOptions, Request, Runtime, Status, StatusArray,
};

const LONG: Duration = Duration::from_secs(30);

/// Keeps its jobs until it is told to answer them, all in one batch.
#[derive(Default)]
struct Gate {
    depth: usize,
    jobs: Mutex<Vec<IoJob>>,
    cancelled: Mutex<Vec<JobId>>,
    sink: Mutex<Option<Arc<dyn Sink>>>,
}

impl Gate {
    fn new(depth: usize) -> Arc<Self> {
        Arc::new(Self { depth, ..Self::default() })
    }

    /// Keeps nothing back once what this gives is dropped: a test that fails must not wait for its queues to end.
    #[must_use]
    fn open_in_the_end(self: &Arc<Self>) -> impl Drop + use<> {
        struct AtEnd(Arc<Gate>);
        impl Drop for AtEnd {
            fn drop(&mut self) {
                let gate = Arc::downgrade(&self.0);
                std::thread::spawn(move || {
                    while let Some(gate) = gate.upgrade() {
                        gate.open();
                        drop(gate);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
        }
        AtEnd(Arc::clone(self))
    }

    fn waiting(&self) -> Vec<JobId> {
        self.jobs.lock().unwrap().iter().map(|job| job.id).collect()
    }

    fn open(&self) {
        let jobs = core::mem::take(&mut *self.jobs.lock().unwrap());
        let answer = |job: &IoJob| {
            if let IoOp::Read { into, .. } = job.op {
                // SAFETY: the job has not been answered, and it writes these bytes, so they are ours alone.
                unsafe { into.as_mut_slice() }.fill(b'g');
            }
            let result = Ok(Done::Moved(job.op.len() as u64));
            Finished { id: job.id, result, path: Path::IO_CPU }
        };
        let batch: Vec<_> = jobs.iter().map(answer).collect();
        let sink = self.sink.lock().unwrap().clone();
        if let Some(sink) = sink {
            sink.complete(&batch);
        }
    }
}

// SAFETY: a job is taken out of the list once, done as it says, and answered then.
unsafe impl Engine for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn start(&self, context: &StartContext) -> Result<(), StartError> {
        *self.sink.lock().unwrap() = Some(Arc::clone(context.sink()));
        Ok(())
    }

    fn cancel(&self, id: JobId) {
        self.cancelled.lock().unwrap().push(id);
    }

    fn drive(&self, _sink: &dyn Sink, _queue: Option<u64>) -> bool {
        false
    }

    fn stop(&self) {
        self.open();
        *self.sink.lock().unwrap() = None;
    }
}

impl IoEngine for Gate {
    fn path(&self) -> Path {
        Path::IO_CPU
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn submit(&self, jobs: &mut Vec<IoJob>) {
        self.jobs.lock().unwrap().append(jobs);
    }
}

fn runtime(gate: &Arc<Gate>) -> Runtime {
    Runtime::builder().io_engine(Arc::clone(gate) as Arc<dyn IoEngine>).build().unwrap()
}

fn file() -> File {
    File::from(tempfile::tempfile().unwrap())
}

/// Outcomes of one batch, for two queues: a callback of the first waits for the second.
#[test]
fn callbacks_come_after_all_outcomes() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let first = runtime.queue(QueueOptions::default()).unwrap();
    let second = runtime.queue(QueueOptions::default()).unwrap();
    let _open = gate.open_in_the_end();
    let other = second.enqueue(Request::read(&file(), 0, 3)).unwrap();
    let (told, tellings) = mpsc::channel();
    let wait = move |_| told.send(other.wait_timeout(LONG).is_ok()).unwrap();
    first.enqueue_with(Request::read(&file(), 0, 3), wait).unwrap();
    first.submit();
    second.submit();
    gate.open();
    assert!(tellings.recv_timeout(LONG).unwrap(), "the other queue's outcome was behind the callback");
}

/// A callback may wait for new I/O although the engine takes one transfer at a time.
#[test]
fn a_finished_transfer_makes_room_before_its_callback() {
    let gate = Gate::new(1);
    let runtime = runtime(&gate);
    let queue = Arc::new(runtime.queue(QueueOptions::default()).unwrap());
    let _open = gate.open_in_the_end();
    let again = Arc::clone(&queue);
    let (told, tellings) = mpsc::channel();
    let read = move |_| {
        let next = again.enqueue(Request::read(&file(), 0, 3)).unwrap();
        again.submit();
        told.send(()).unwrap();
        next.wait().check().unwrap();
        told.send(()).unwrap();
    };
    queue.enqueue_with(Request::read(&file(), 0, 3), read).unwrap();
    queue.submit();
    std::thread::scope(|scope| {
        scope.spawn(|| gate.open());
        tellings.recv_timeout(LONG).unwrap();
        assert_eq!(gate.waiting().len(), 1);
        gate.open();
        tellings.recv_timeout(LONG).unwrap();
    });
}

#[test]
fn transfers_in_flight_hold_up_no_others_while_the_engine_has_room() {
    let gate = Gate::new(3);
    let runtime = runtime(&gate);
    let queues = [(); 2].map(|()| runtime.queue(QueueOptions::default()).unwrap());
    let _open = gate.open_in_the_end();
    let file = file();
    let mut held = Vec::new();
    for n in [0, 0, 1, 1, 0] {
        queues[n].post(Request::read(&file, 0, 5)).unwrap();
        queues[n].submit();
        held.push(gate.waiting().len());
    }
    while !gate.waiting().is_empty() {
        gate.open();
        held.push(gate.waiting().len());
    }
    assert_eq!(held, [1, 2, 3, 3, 3, 2, 0], "what waits for room gets it when there is some");
}

#[test]
fn urgent_queues_read_first() {
    let gate = Gate::new(1);
    let runtime = runtime(&gate);
    let blocker = runtime.queue(QueueOptions::default()).unwrap();
    let low = runtime.queue(QueueOptions::default().priority(Priority::Low)).unwrap();
    let urgent = runtime.queue(QueueOptions::default().priority(Priority::Realtime)).unwrap();
    let _open = gate.open_in_the_end();
    for queue in [&blocker, &low, &urgent] {
        queue.post(Request::read(&file(), 0, 3)).unwrap();
        queue.submit();
    }
    let blocked = gate.waiting();
    gate.open();
    let next = gate.waiting();
    assert_eq!((blocked.len(), next.len()), (1, 1));
    gate.open();
    assert_eq!(urgent.take_completed(9).len(), 1, "the low queue was first");
    assert!(low.take_completed(9).is_empty());
    gate.open();
    assert_eq!(low.take_completed(9).len(), 1);
}

/// A queue that nobody polls gets the memory that another gives back.
#[test]
fn staging_memory_goes_to_who_waits_for_it() {
    let runtime = Runtime::builder().staging(4096).build().unwrap();
    let holder = runtime.queue(QueueOptions::default()).unwrap();
    let waiter = runtime.queue(QueueOptions::default()).unwrap();
    let file = File::open("Cargo.toml").unwrap();
    let held = holder.enqueue(Request::read(&file, 0, 9).custom(250, 9)).unwrap();
    holder.wait_custom(None).unwrap();
    let waiting = waiter.enqueue(Request::read(&file, 0, 9).uppercase()).unwrap();
    waiter.submit();
    assert_eq!(waiter.stats().in_flight, 1);
    for job in holder.take_custom(1) {
        job.finish(Ok(()));
    }
    held.wait().check().unwrap();
    let start = std::time::Instant::now();
    while !waiting.is_done() {
        assert!(start.elapsed() < LONG, "the memory went to nobody");
        std::thread::yield_now();
    }
    assert_eq!(waiting.wait().check().unwrap().buffer, b"[PACKAGE]");
}

/// A wait does work meanwhile, but none that could make it longer: another queue's, or, with a deadline, any.
#[test]
fn a_wait_is_not_held_up_by_others_work() {
    let (open, gate) = mpsc::channel::<()>();
    let (enter, entered) = mpsc::channel();
    let ends = Mutex::new((enter, gate));
    let slow = move |_: &[u8], _: &mut [u8]| {
        let ends = ends.lock().unwrap();
        ends.0.send(()).unwrap();
        // Until the test is through with its waits.
        ends.1.recv().unwrap();
        Ok::<(), CustomError>(())
    };
    let builder = Runtime::builder().codec_workers(NonZeroUsize::MIN).decoder(1, slow);
    let runtime = builder.build().unwrap();
    let busy = runtime.queue(QueueOptions::default()).unwrap();
    let other = runtime.queue(QueueOptions::default()).unwrap();
    for _ in 0..3 {
        busy.post(Request::from_memory(vec![0; 8]).custom(1, 8)).unwrap();
    }
    busy.submit();
    entered.recv_timeout(LONG).unwrap();
    let file = File::open("Cargo.toml").unwrap();
    other.enqueue(Request::read(&file, 0, 9)).unwrap().wait().check().unwrap();
    assert!(busy.wait_any(Some(Duration::from_millis(10))).is_err());
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    busy.wait_all(None).unwrap();
}

/// Within a callback nothing waits for room, not even for some that will come.
#[test]
fn a_callback_does_not_wait_for_a_transfer_to_make_room() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let full = Arc::new(runtime.queue(QueueOptions::default().capacity(1)).unwrap());
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let _open = gate.open_in_the_end();
    full.post(Request::read(&file(), 0, 3)).unwrap();
    full.submit();
    let (told, tellings) = mpsc::channel();
    let into = Arc::clone(&full);
    let enqueue =
        move |_| told.send(into.post(Request::read(&file(), 0, 3)).map_err(|r| r.error.kind)).unwrap();
    queue.enqueue_with(Request::from_memory(Vec::new()), enqueue).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| queue.submit());
        let answer = tellings.recv_timeout(LONG);
        // If it waits after all, it is let go.
        gate.open();
        drop(full.take_completed(1));
        assert_eq!(answer, Ok(Err(ErrorKind::QueueFull { capacity: 1 })));
    });
}

/// Deadlines come, whatever callbacks do whose requests ended by theirs.
#[test]
fn callbacks_do_not_stop_time() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let queues = [(); 2].map(|()| runtime.queue(QueueOptions::default().error_hook(|_| {})).unwrap());
    let [queue, other] = queues.map(Arc::new);
    let _open = gate.open_in_the_end();
    let soon = Duration::from_millis(20);
    let first = queue.post(Request::read(&file(), 0, 3)).unwrap();
    let other_first = other.post(Request::read(&file(), 0, 3)).unwrap();
    let late = move || Request::read(&file(), 0, 3).after(first).timeout(soon);
    let (told, tellings) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let again = Arc::clone(&queue);
    let wait = move |_| {
        told.send(again.enqueue(late()).unwrap().wait_timeout(LONG).is_ok()).unwrap();
        // Until the other queue's deadline has come as well.
        let _ = released.recv_timeout(LONG);
    };
    queue.enqueue_with(late(), wait).unwrap();
    queue.submit();
    assert!(tellings.recv_timeout(LONG * 2).unwrap(), "a deadline within a callback has not come");
    let ticket = other.enqueue(Request::read(&file(), 0, 3).after(other_first).timeout(soon)).unwrap();
    assert!(ticket.wait_timeout(LONG).is_ok(), "another queue's deadline has not come");
    // Who submitted may have been the one that was told, and have waited long enough.
    let _ = release.send(());
}

/// News that lie behind a callback which waits are told by someone else.
#[test]
fn a_waker_is_told_beside_a_callback_that_waits() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let [waiting, woken, custom] =
        [(); 3].map(|()| Arc::new(runtime.queue(QueueOptions::default()).unwrap()));
    let _open = gate.open_in_the_end();
    let decoded = custom.enqueue(Request::from_memory(vec![0; 8]).custom(250, 8)).unwrap();
    custom.submit();
    let (told, tellings) = mpsc::channel();
    let wait = move |_| told.send(decoded.wait_timeout(LONG).is_ok()).unwrap();
    waiting.enqueue_with(Request::read(&file(), 0, 3), wait).unwrap();
    waiting.submit();
    // A task, woken by the other queue, does what the callback waits for.
    let (wake, is_woken) = mpsc::channel();
    let waker = Waker::from(Arc::new(Send(Mutex::new(wake))));
    let mut ticket = pin!(woken.enqueue(Request::read(&file(), 0, 3)).unwrap());
    assert!(ticket.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    std::thread::scope(|scope| {
        scope.spawn(|| gate.open());
        is_woken.recv_timeout(LONG).expect("the waker is behind the callback");
        for job in custom.take_custom(1) {
            job.finish(Ok(()));
        }
    });
    assert!(tellings.recv().unwrap());
}

/// A waker that sends a message.
struct Send(Mutex<mpsc::Sender<()>>);

impl Wake for Send {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().send(()).unwrap();
    }
}

/// Who no longer wants staging memory is not waited for.
#[test]
fn a_wish_that_is_gone_holds_up_nobody() {
    for retire in [false, true] {
        let runtime = Runtime::builder().staging(16 << 10).build().unwrap();
        let [holder, large, small] = [(); 3].map(|()| runtime.queue(QueueOptions::default()).unwrap());
        let source = tempfile::tempfile().unwrap();
        source.set_len(20_000).unwrap();
        let file = File::from(source);
        let held = holder.enqueue(Request::read(&file, 0, 9).custom(250, 9)).unwrap();
        holder.wait_custom(None).unwrap();
        let jobs = holder.take_custom(1);
        let wish = large.enqueue(Request::read(&file, 0, 16 << 10).custom(250, 16 << 10)).unwrap();
        large.submit();
        let modest = small.enqueue(Request::read(&file, 0, 9).uppercase()).unwrap();
        small.submit();
        wish.cancel();
        assert!(wish.wait().is_cancelled());
        if retire {
            drop(large);
        }
        let got = modest.wait_timeout(LONG).is_ok();
        for job in jobs {
            job.finish(Ok(()));
        }
        held.wait().check().unwrap();
        assert!(got, "there is room, and only one queue that wants it");
    }
}

#[test]
fn engines_are_asked_to_hurry() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let _open = gate.open_in_the_end();
    let ticket = queue.enqueue(Request::read(&file(), 0, 3)).unwrap();
    queue.submit();
    let job = gate.waiting();
    assert!(ticket.cancel());
    assert_eq!(*gate.cancelled.lock().unwrap(), job);
    gate.open();
    assert!(ticket.wait().is_cancelled());
}

#[test]
fn the_earlier_of_two_deadlines_is_kept() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let queue = runtime.queue(QueueOptions::default().error_hook(|_| {})).unwrap();
    // Neither begins: they wait for what the engine keeps.
    let _open = gate.open_in_the_end();
    let first = queue.post(Request::read(&file(), 0, 3)).unwrap();
    let later = queue.enqueue(Request::read(&file(), 0, 3).after(first).timeout(LONG * 20)).unwrap();
    queue.submit();
    // By then the timer sleeps until the later one.
    std::thread::sleep(Duration::from_millis(50));
    let sooner =
        queue.enqueue(Request::read(&file(), 0, 3).after(first).timeout(Duration::from_millis(30))).unwrap();
    queue.submit();
    let done = sooner.wait_timeout(LONG).expect("its deadline was missed");
    assert_eq!(done.result.unwrap_err().kind, ErrorKind::TimedOut);
    assert!(!later.is_done());
    gate.open();
    gate.open();
    later.wait().check().unwrap();
}

#[test]
fn lanes_are_used_again() {
    let gate = Gate::new(64);
    let runtime =
        Runtime::builder().io_engine(Arc::clone(&gate) as Arc<dyn IoEngine>).max_queues(1).build().unwrap();
    let mut names = Vec::new();
    let _open = gate.open_in_the_end();
    for _ in 0..20 {
        let queue = runtime.queue(QueueOptions::default()).unwrap();
        assert!(runtime.queue(QueueOptions::default()).is_err());
        queue.post(Request::read(&file(), 0, 3)).unwrap();
        queue.submit();
        names.extend(gate.waiting());
        gate.open();
    }
    let jobs = names.len();
    names.sort_by_key(|name| name.queue);
    names.dedup_by_key(|name| name.queue);
    assert_eq!(names.len(), jobs, "what is late for one queue must not find the next");
    assert!(Runtime::builder().max_queues(usize::MAX).build().is_err());
}

#[test]
fn a_refused_status_leaves_its_cell_alone() {
    let gate = Gate::new(64);
    let runtime = runtime(&gate);
    let queue = runtime.queue(QueueOptions::default().capacity(1).auto_submit(false)).unwrap();
    let _open = gate.open_in_the_end();
    let statuses = StatusArray::new(1);
    let before = statuses.get(0);
    queue.post(Request::read(&file(), 0, 3)).unwrap();
    let refused = queue.enqueue_status(&statuses, 0).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::QueueFull { capacity: 1 });
    assert_eq!(statuses.get(0), before);
    assert_ne!(statuses.get(0), Some(Status::Pending));
    gate_and_drain(&gate, &queue);
    queue.enqueue_status(&statuses, 0).unwrap();
    queue.submit();
    assert_eq!(statuses.get(0), Some(Status::Ok));
}

fn gate_and_drain(gate: &Gate, queue: &ds_runtime::Queue) {
    queue.submit();
    gate.open();
    assert_eq!(queue.take_completed(1).len(), 1);
}
