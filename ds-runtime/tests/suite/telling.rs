//! Every way of being told: tickets, futures, callbacks, the inbox, scopes, markers.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::{Make, content, file_of, queue, queue_of};
use ds_runtime::{Error, ErrorKind, Event, Fence, Misuse, QueueOptions, Request, Status, StatusArray};

const LONG: Option<Duration> = Some(Duration::from_secs(60));

pub(crate) fn the_inbox_and_its_event(make: Make) {
    let queue = Arc::new(queue(make));
    let file = file_of(&content(64_000, 1));
    let event = queue.completion_event().unwrap();
    assert!(event.reset(), "set once when it is made, since requests may have ended before");
    for tag in 0..64 {
        queue.post(Request::read(&file, tag * 1000, 1000).tag(tag)).unwrap();
    }
    assert!(queue.take_completed(10).is_empty(), "nothing starts before submit");
    queue.submit();
    let mut tags = Vec::new();
    while tags.len() < 64 {
        let mut fds = [rustix::event::PollFd::new(&event, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
        tags.extend(queue.take_completed(5).into_iter().map(|done| done.check().unwrap().tag));
    }
    tags.sort_unstable();
    assert!(tags.into_iter().eq(0..64));
    queue.wait_any(LONG).expect("with nothing left there is nothing to wait for");
}

pub(crate) fn lists_are_posted_up_to_what_is_refused(make: Make) {
    const BLOCK: u64 = 1000;
    const CAPACITY: usize = 8;
    let bytes = content(64 * BLOCK as usize, 1);
    let file = file_of(&bytes);
    for auto_submit in [false, true] {
        let queue = queue_of(&make(), QueueOptions::default().capacity(CAPACITY).auto_submit(auto_submit));
        let read = |tag: u64| Request::read(&file, tag * BLOCK, BLOCK).tag(tag);
        let mut list: Vec<Request> = (0..20).map(read).collect();
        // One that can never work: a range past the largest position there is.
        list[5] = Request::read(&file, u64::MAX, BLOCK).tag(5);
        let room = list.capacity();
        let refused = queue.post_all(&mut list).unwrap_err();
        assert!(matches!(refused.kind, ErrorKind::Invalid(Misuse::RangeOverflow { .. })), "{refused}");
        assert_eq!((list.len(), list.capacity()), (15, room), "it and those behind it stay");
        list.remove(0);
        let mut tags = Vec::new();
        while let Err(full) = queue.post_all(&mut list) {
            assert!(matches!(full.kind, ErrorKind::QueueFull { capacity: 8 }), "{full}");
            assert_eq!(queue.capacity().1, 0, "it is full");
            queue.wait_all(LONG).unwrap();
            for done in queue.take_completed(CAPACITY) {
                let done = done.check().unwrap();
                assert!(done.buffer == bytes[(done.tag * BLOCK) as usize..][..BLOCK as usize]);
                tags.push(done.tag);
            }
        }
        assert!(list.is_empty());
        queue.wait_all(LONG).unwrap();
        tags.extend(queue.take_completed(CAPACITY).into_iter().map(|done| done.check().unwrap().tag));
        tags.sort_unstable();
        assert!(tags.into_iter().eq((0..20).filter(|&tag| tag != 5)), "each once");
        assert_eq!(queue.post_all(&mut list), Ok(()));
        queue.close();
        list.push(read(0));
        assert_eq!(queue.post_all(&mut list).map_err(|error| error.kind), Err(ErrorKind::Closed));
        assert_eq!(list.len(), 1);
    }
}

pub(crate) fn callbacks_may_go_on(make: Make) {
    let queue = Arc::new(queue(make));
    let bytes = content(100_000, 2);
    let file = file_of(&bytes);
    let (send, receive) = mpsc::channel();
    let next = Arc::clone(&queue);
    let again = file.clone();
    queue
        .enqueue_with(Request::read(&file, 0, 10), move |first| {
            let first = first.check().unwrap();
            let send_second = send.clone();
            next.enqueue_with(Request::read(&again, 10, 10), move |second| {
                send_second.send([first.buffer, second.check().unwrap().buffer].concat()).unwrap();
            })
            .unwrap();
            next.submit();
            drop(next);
        })
        .unwrap();
    queue.submit();
    assert_eq!(receive.recv_timeout(LONG.unwrap()).unwrap(), bytes[..20]);
}

pub(crate) fn a_panic_in_a_callback_harms_nobody(make: Make) {
    let queue = queue(make);
    let file = file_of(b"0123456789");
    queue.enqueue_with(Request::read(&file, 0, 10), |_| panic!("on purpose")).unwrap();
    let ticket = queue.enqueue(Request::read(&file, 0, 10)).unwrap();
    assert_eq!(ticket.wait().check().unwrap().buffer, b"0123456789");
    queue.close();
    assert_eq!(queue.stats().succeeded, 2);
}

struct Count(AtomicUsize, std::thread::Thread);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.unpark();
    }
}

pub(crate) fn tickets_are_futures(make: Make) {
    let queue = queue(make);
    let bytes = content(2 << 20, 4);
    let file = file_of(&bytes);
    let count = Arc::new(Count(AtomicUsize::new(0), std::thread::current()));
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    for offset in 0..20 {
        let mut ticket = pin!(queue.enqueue(Request::read(&file, offset, 1 << 20)).unwrap());
        let done = loop {
            match ticket.as_mut().poll(&mut context) {
                Poll::Ready(done) => break done,
                Poll::Pending => std::thread::park_timeout(LONG.unwrap()),
            }
        };
        assert!(done.check().unwrap().buffer == bytes[offset as usize..][..1 << 20]);
    }
    // A future that is dropped gives up its completion; the request ends all the same, and its slot is free again.
    for offset in 0..100 {
        let mut ticket = Box::pin(queue.enqueue(Request::read(&file, offset, 1 << 20)).unwrap());
        let _ = ticket.as_mut().poll(&mut context);
    }
    queue.wait_all(LONG).unwrap();
    let stats = queue.stats();
    assert_eq!((stats.completed(), stats.undelivered), (120, 0));
}

pub(crate) fn scopes_lend_buffers(make: Make) {
    let queue = queue(make);
    let bytes = content(300_000, 6);
    let file = file_of(&bytes);
    let mut buffers = vec![vec![0; 100_000]; 3];
    let waited = queue
        .scope(|scope| {
            let mut first = None;
            for (n, buffer) in buffers.iter_mut().enumerate() {
                let ticket = scope.read(&file, n as u64 * 100_000, buffer)?;
                first.get_or_insert(ticket);
            }
            Ok(first.unwrap().wait().bytes.delivered)
        })
        .unwrap();
    assert_eq!(waited, 100_000);
    assert!(buffers.concat() == bytes);

    let mut beyond = [7; 10];
    let error = queue.scope(|scope| scope.read(&file, 299_995, &mut beyond).map(drop)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::EndOfFile { requested: 10, got: 5 });

    let mut buffer = vec![0; 100_000];
    let refused = queue.scope(|scope| {
        scope.read(&file, 0, &mut buffer)?;
        Err::<(), Error>(Misuse::UnknownToken("asset").into())
    });
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid(Misuse::UnknownToken("asset")));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        queue.scope(|scope| -> Result<(), Error> {
            scope.read(&file, 0, &mut buffer)?;
            panic!("on purpose")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(queue.stats().in_flight, 0, "the scope waited all the same");
}

pub(crate) fn markers_fire_in_order_and_tell_the_first_failure(make: Make) {
    let queue = queue(make);
    let file = file_of(&content(10_000, 8));
    let (array, fence, event) = (StatusArray::new(3), Fence::new(), Event::new().unwrap());
    let mut tickets = vec![queue.enqueue(Request::read(&file, 0, 10_000)).unwrap()];
    queue.enqueue_status(&array, 0).unwrap();
    assert!(queue.enqueue_status(&array, 0).is_err() && queue.enqueue_status(&array, 3).is_err());
    for tag in 0..4 {
        let beyond = Request::read(&file, if tag % 2 == 0 { 0 } else { 9_999 }, 100).tag(tag);
        tickets.push(queue.enqueue(beyond).unwrap());
    }
    queue.enqueue_signal(&fence, 5).unwrap();
    queue.enqueue_status(&array, 1).unwrap();
    queue.enqueue_status(&array, 2).unwrap();
    queue.enqueue_event(&event).unwrap();
    assert_eq!(array.get(1), Some(Status::Pending));
    queue.submit();
    queue.wait_all(LONG).unwrap();
    assert!(fence.wait(5, LONG) && event.reset());
    assert_eq!((array.get(0), array.get(2)), (Some(Status::Ok), Some(Status::Ok)));
    let Some(Status::Failed(failure)) = array.get(1) else { panic!("{:?}", array.get(1)) };
    assert_eq!((failure.tag, failure.kind), (1, ErrorKind::EndOfFile { requested: 100, got: 1 }));
    let record = queue.take_error_record();
    assert_eq!((record.failures, record.first), (2, Some(failure)));
    assert_eq!(queue.take_error_record().failures, 0);
}

pub(crate) fn hooks_hear_of_failures_once(make: Make) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let options = QueueOptions::default().name("loud").error_hook(move |report| {
        log.lock().unwrap().push(report.to_string());
    });
    let runtime = make();
    let engines = format!("engines {}+{}", runtime.selection().io, runtime.selection().codec);
    let queue = runtime.queue(options).unwrap();
    let file = file_of(b"short");
    let line = line!() + 1;
    let ticket = queue.enqueue(Request::read(&file, 0, 100).tag(9)).unwrap();
    ticket.wait().check().unwrap_err();
    queue.enqueue(Request::read(&file, 0, 5)).unwrap().wait().check().unwrap();
    let held = queue.enqueue(Request::read(&file, 0, 5)).unwrap();
    assert!(held.cancel());
    held.wait().check().unwrap_err();
    queue.close();
    let heard = heard.lock().unwrap();
    let [report] = heard.as_slice() else { panic!("{heard:?}") };
    let place = format!("telling.rs:{line}");
    for part in ["\"loud\"", "100 bytes requested, 5 there", "tag 9", "stage Reading", &engines, &place] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

pub(crate) fn waits_time_out(make: Make) {
    let queue = queue_of(&make(), QueueOptions::default());
    let file = file_of(b"abc");
    // Nobody decodes this until it is taken.
    let stuck = queue.enqueue(Request::read(&file, 0, 3).custom(250, 3)).unwrap();
    let brief = Duration::from_millis(20);
    let stuck = stuck.wait_timeout(brief).expect_err("nobody decoded it");
    assert!(queue.wait_all(Some(brief)).is_err() && queue.wait_any(Some(brief)).is_err());
    let late = Request::read(&file, 0, 3).custom(250, 3).timeout(brief);
    let late = queue.enqueue(late).unwrap().wait();
    assert_eq!(late.result.unwrap_err().kind, ErrorKind::TimedOut);
    assert!(stuck.cancel());
    assert!(stuck.wait().is_cancelled());
}
