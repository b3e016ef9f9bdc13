//! Requests that the kernel keeps: ended by a deadline or a cancellation, and named by a queue that does not wait for them. What they
//! read is a counter that nobody has set (an eventfd): a ring's read of one waits in the kernel, and no thread with it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use ds_runtime::{ErrorKind, File, IoKind, Path, Queue, QueueOptions, Request, Runtime, Ticket};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::time::Timespec;

const LONG: Duration = Duration::from_secs(30);

/// A number that a read takes, or waits for.
struct Counter {
    file: File,
    own: OwnedFd,
}

impl Counter {
    fn new() -> Self {
        let own = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        // A counter has no positions, and requests for one are refused. So the file is made of one that has.
        let file = File::open("Cargo.toml").unwrap();
        // SAFETY: both are open, and the second, whose number names the counter from here on, is the file's own.
        let put = unsafe { libc::dup2(own.as_raw_fd(), file.as_fd().as_raw_fd()) };
        assert_eq!(put, file.as_fd().as_raw_fd());
        Self { file, own }
    }

    fn set(&self, to: u64) {
        rustix::io::write(&self.own, &to.to_ne_bytes()).unwrap();
    }

    /// Whether it is set, and so nobody has taken it.
    fn is_set(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.own.as_fd(), PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    fn read(&self) -> Request {
        Request::read(&self.file, 0, 8)
    }
}

impl Drop for Counter {
    /// A test that fails leaves no read waiting: its queue ends when those have.
    fn drop(&mut self) {
        self.set(1);
    }
}

fn with_queue(test: impl Fn(Queue, &Counter)) {
    let runtime = Runtime::builder().io(IoKind::Uring).build().unwrap();
    let queue = runtime.queue(QueueOptions::default().error_hook(|_| {})).unwrap();
    test(queue, &Counter::new());
}

/// Submits it, and waits until other requests have come and gone.
fn hold(queue: &Queue, request: Request) -> Ticket {
    let ticket = queue.enqueue(request).unwrap();
    queue.submit();
    let file = File::open("Cargo.toml").unwrap();
    for _ in 0..10 {
        queue.enqueue(Request::read(&file, 0, 8)).unwrap().wait().check().unwrap();
    }
    ticket
}

/// Submits it, and sees that it waits for the counter.
fn hold_until_set(queue: &Queue, request: Request) -> Ticket {
    let ticket = hold(queue, request);
    assert!(!ticket.is_done(), "nobody has set the counter");
    ticket
}

/// Nothing takes what is there now.
fn assert_left(counter: &Counter) {
    counter.set(1);
    std::thread::sleep(Duration::from_millis(2));
    assert!(counter.is_set(), "the kernel had the request after its end");
}

#[test]
fn a_deadline_ends_what_the_kernel_keeps() {
    with_queue(|queue, counter| {
        let (begun, deadline) = (Instant::now(), Duration::from_millis(100));
        let ticket = hold(&queue, counter.read().timeout(deadline));
        assert!(!ticket.is_done() || begun.elapsed() >= deadline, "nobody has set the counter");
        let done = ticket.wait_timeout(LONG).expect("its deadline has passed");
        assert_eq!(done.result.unwrap_err().kind, ErrorKind::TimedOut);
        assert!(done.buffer.is_empty());
        assert_left(counter);
    });
}

#[test]
fn a_cancellation_ends_what_the_kernel_keeps() {
    with_queue(|queue, counter| {
        let ticket = hold_until_set(&queue, counter.read());
        assert_eq!(queue.cancel(ticket.id()), 1);
        let done = ticket.wait_timeout(LONG).expect("it has been cancelled");
        assert!(done.is_cancelled() && done.buffer.is_empty());
        assert_left(counter);
    });
}

/// What has begun is finished; a queue that is shut down sooner names it, and it ends all the same.
#[test]
fn a_queue_that_does_not_wait_names_what_the_kernel_keeps() {
    with_queue(|queue, counter| {
        let ticket = hold_until_set(&queue, counter.read());
        let stragglers = queue.shutdown(Duration::from_millis(10)).unwrap_err();
        assert_eq!(stragglers.requests, [ticket.id()]);
        counter.set(7);
        let done = ticket.wait_timeout(LONG).expect("the counter is set").check().unwrap();
        assert_eq!(done.buffer, 7_u64.to_ne_bytes());
        assert!(done.path.contains(Path::IO_URING));
    });
}
