//! Ends that come at awkward moments.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Make, content, file_of, packed, queue, queue_of};
use ds_runtime::{Completion, ErrorKind, Queue, QueueOptions, Request, Ticket};

const LONG: Duration = Duration::from_secs(30);

/// Waits without doing the queue's work, as an executor on another thread would.
fn passively(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "it never ends");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A format nobody decodes must not keep a queue from closing, whether its bytes have arrived by then or not.
pub(crate) fn closing_takes_custom_requests_back(make: Make) {
    let runtime = make();
    let file = file_of(&content(1 << 20, 1));
    for round in 0..50 {
        let queue = queue_of(&runtime, QueueOptions::default());
        let request = || Request::read(&file, 0, 10 + round * 20_000).custom(250, 10);
        let tickets: Vec<_> = (0..10).map(|_| queue.enqueue(request()).unwrap()).collect();
        queue.submit();
        drop(queue);
        assert!(tickets.into_iter().all(|ticket| ticket.wait().is_cancelled()));
    }
}

/// Work that goes on after everyone has left it alone ends all the same, by the engines' own threads.
pub(crate) fn stragglers_outlive_queue_and_runtime(make: Make) {
    let bytes = content(super::decoded(2 << 20), 2);
    let packed = packed(&bytes);
    let file = file_of(&packed);
    for _ in 0..5 {
        let runtime = make();
        let queue = queue_of(&runtime, QueueOptions::default().chunk_size(4096));
        drop(runtime);
        let request = || Request::read(&file, 0, packed.len() as u64).gdeflate(bytes.len() as u64);
        let tickets: Vec<_> = (0..6).map(|_| queue.enqueue(request()).unwrap()).collect();
        queue.submit();
        let stragglers = queue.shutdown(Duration::ZERO);
        if let Err(stragglers) = stragglers {
            assert!(stragglers.requests.iter().all(|id| tickets.iter().any(|ticket| ticket.id() == *id)));
        }
        passively(|| tickets.iter().all(Ticket::is_done));
        for done in tickets.into_iter().map(Ticket::wait) {
            assert!(done.is_cancelled() || done.check().unwrap().buffer == bytes);
        }
    }
}

/// Ends of callbacks make room, and that is worth waiting for.
pub(crate) fn a_slow_callback_makes_room_in_the_end(make: Make) {
    let queue = queue_of(&make(), QueueOptions::default().capacity(1));
    let file = file_of(b"0123456789");
    let (send, receive) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let callback = move |_| {
        send.send(()).unwrap();
        let _ = released.recv_timeout(LONG);
    };
    let first = Request::read(&file, 0, 10);
    std::thread::scope(|scope| {
        // By another thread: whoever submits may be told.
        scope.spawn(|| queue.enqueue_with(first, callback).map(drop).unwrap());
        receive.recv_timeout(LONG).unwrap();
        let refused = queue.try_enqueue(Request::read(&file, 0, 1));
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let _ = release.send(());
        });
        assert_eq!(refused.unwrap_err().error.kind, ErrorKind::QueueFull { capacity: 1 });
        let next = queue.enqueue(Request::read(&file, 0, 10)).expect("there will be room");
        assert_eq!(next.wait().check().unwrap().buffer, b"0123456789");
    });
}

/// A task that owns tickets of the queue it is woken by.
struct Task {
    queue: Arc<Queue>,
    dropped: Arc<AtomicBool>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Task {
    fn drop(&mut self) {
        // Takes the queue's lock, as dropping a ticket would.
        let _ = self.queue.stats();
        self.dropped.store(true, Ordering::Release);
    }
}

/// The last of a task's wakers may drop the task: no lock may be held by then.
pub(crate) fn wakers_are_dropped_with_no_lock_held(make: Make) {
    let queue = Arc::new(queue(make));
    let file = file_of(b"abc");
    let task = || {
        let dropped = Arc::new(AtomicBool::new(false));
        let task = Arc::new(Task { queue: Arc::clone(&queue), dropped: Arc::clone(&dropped) });
        (Waker::from(task), dropped)
    };
    let mut ticket = Box::pin(queue.enqueue(Request::read(&file, 0, 3).custom(250, 3)).unwrap());
    let (first, first_dropped) = task();
    assert!(ticket.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
    drop(first);
    let (second, second_dropped) = task();
    assert!(ticket.as_mut().poll(&mut Context::from_waker(&second)).is_pending());
    drop(second);
    assert!(first_dropped.load(Ordering::Acquire), "replaced by the second");
    drop(ticket);
    assert!(second_dropped.load(Ordering::Acquire), "its ticket is gone");
    queue.cancel_all();
    queue.wait_all(Some(LONG)).unwrap();
}

/// A callback may be the last to know the queue, and the queue the last to know the runtime.
pub(crate) fn the_last_owner_may_be_a_callback(make: Make) {
    for _ in 0..10 {
        let queue = Arc::new(queue(make));
        let file = file_of(b"abc");
        let (send, receive) = mpsc::channel();
        let last = Arc::clone(&queue);
        let callback = move |done: Completion| {
            drop(last);
            send.send(done.result).unwrap();
        };
        queue.enqueue_with(Request::read(&file, 0, 3), callback).unwrap();
        queue.submit();
        drop(queue);
        receive.recv_timeout(LONG).unwrap().unwrap();
    }
}

/// A request is over once, whoever comes first: its end, its deadline, or somebody who cancels it.
pub(crate) fn ends_that_race(make: Make) {
    let queue = Arc::new(queue(make));
    let bytes = content(super::decoded(200_000), 3);
    let packed = packed(&bytes);
    let file = file_of(&packed);
    let (mut timed_out, mut cancelled) = (0, 0);
    for round in 0..200_u64 {
        let request = Request::read(&file, 0, packed.len() as u64).gdeflate(bytes.len() as u64);
        let request = request.timeout(Duration::from_micros(round * 10)).tag(round);
        let ticket = queue.enqueue(request).unwrap();
        queue.submit();
        if round % 3 == 0 {
            queue.cancel_tagged(round, u64::MAX);
        }
        let done = ticket.wait();
        match done.result {
            Ok(()) => assert!(done.buffer == bytes),
            Err(error) => {
                assert!(done.buffer.is_empty());
                timed_out += u64::from(error.kind == ErrorKind::TimedOut);
                cancelled += u64::from(error.kind == ErrorKind::Cancelled);
            }
        }
    }
    let stats = queue.stats();
    assert_eq!((stats.completed(), stats.cancelled, stats.failed), (200, cancelled, timed_out));
}

/// Hundreds of futures, polled by nobody's hand but their wakers'.
pub(crate) fn futures_need_no_thread_of_their_own(make: Make) {
    struct Ready(usize, mpsc::Sender<usize>);
    impl Wake for Ready {
        fn wake(self: Arc<Self>) {
            let _ = self.1.send(self.0);
        }
    }
    let queue = queue_of(&make(), QueueOptions::default().capacity(512));
    let bytes = content(300_000, 4);
    let file = file_of(&bytes);
    let (send, receive) = mpsc::channel();
    let mut futures = Vec::new();
    for number in 0..300 {
        let ticket = queue.enqueue(Request::read(&file, number * 900, 1000)).unwrap();
        futures.push(Some(Box::pin(ticket)));
        send.send(number as usize).unwrap();
    }
    let mut left = futures.len();
    while left > 0 {
        let number = receive.recv_timeout(LONG).expect("somebody is woken");
        let Some(future) = futures[number].as_mut() else { continue };
        let waker = Waker::from(Arc::new(Ready(number, send.clone())));
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            assert!(done.check().unwrap().buffer == bytes[number * 900..][..1000]);
            futures[number] = None;
            left -= 1;
        }
    }
}
