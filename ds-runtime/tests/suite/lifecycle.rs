//! Beginning and end: capacity, cancellation, closing, dropping.

use std::time::Duration;

use super::{Make, content, file_of, packed, queue, queue_of};
use ds_runtime::{ErrorKind, Priority, QueueOptions, Request, RequestId};

pub(crate) fn full_queues_say_so_or_wait(make: Make) {
    let queue = queue_of(&make(), QueueOptions::default().capacity(4).auto_submit(false));
    let file = file_of(&content(1000, 1));
    let read = || Request::read(&file, 0, 1000);
    let tickets: Vec<_> = (0..4).map(|_| queue.enqueue(read()).unwrap()).collect();
    let kind = ErrorKind::QueueFull { capacity: 4 };
    // Nothing is submitted: waiting would be for ever.
    let rejected = queue.enqueue(read().tag(77).into_buffer(vec![5; 3])).unwrap_err();
    assert_eq!(rejected.error.kind, kind);
    queue.submit();
    queue.wait_all(None).unwrap();
    // All are done and nobody has taken them: waiting would be for ever, too.
    assert_eq!(queue.enqueue(*rejected.request).unwrap_err().error.kind, kind);
    assert_eq!(queue.try_enqueue(read()).unwrap_err().error.kind, kind);
    drop(tickets);
    assert_eq!(queue.capacity(), (4, 4));
    queue.enqueue(read()).unwrap().wait().check().unwrap();
}

pub(crate) fn cancellation_is_counted_and_final(make: Make) {
    let queue = queue_of(&make(), QueueOptions::default().auto_submit(false));
    let file = file_of(&content(1 << 20, 1));
    let post = |tag| queue.post(Request::read(&file, 0, 1 << 20).tag(tag)).unwrap();
    let first = post(0x10);
    for tag in [0x11, 0x12, 0x21, 0x22, 0x31] {
        post(tag);
    }
    assert_eq!((queue.cancel(first), queue.cancel(first)), (1, 0));
    assert_eq!(queue.cancel(RequestId::from_u64(u64::MAX)), 0);
    assert_eq!(queue.cancel_tagged(0x10, 0xF0), 2);
    assert_eq!(queue.cancel_tagged(0x21, u64::MAX), 1);
    assert_eq!(queue.cancel_pending(), 2);
    queue.wait_all(None).unwrap();
    let done = queue.take_completed(100);
    assert_eq!(done.len(), 6);
    assert!(done.iter().all(|done| done.is_cancelled() && done.buffer.is_empty()));
    assert_eq!((queue.stats().cancelled, queue.stats().failed), (6, 0));
    assert_eq!(queue.take_error_record().failures, 0, "a cancellation is no failure");

    // In flight: whatever was counted is cancelled, and all end.
    for tag in 0..200 {
        post(tag);
    }
    queue.submit();
    let counted = u64::from(queue.cancel_all());
    queue.wait_all(None).unwrap();
    assert_eq!(queue.take_completed(1000).len(), 200);
    let stats = queue.stats();
    assert_eq!((stats.cancelled, stats.completed()), (6 + counted, 206));
}

pub(crate) fn what_waits_for_a_failure_is_cancelled(make: Make) {
    let queue = queue(make);
    let file = file_of(b"0123456789");
    let fails = queue.enqueue(Request::read(&file, 5, 10)).unwrap();
    let id = fails.id();
    let second = queue.enqueue(Request::read(&file, 0, 10).after(id)).unwrap();
    let id = second.id();
    let third = queue.enqueue(Request::read(&file, 0, 10).after(id)).unwrap();
    assert!(third.wait().is_cancelled() && second.wait().is_cancelled());
    assert!(matches!(fails.wait().result.unwrap_err().kind, ErrorKind::EndOfFile { .. }));
}

pub(crate) fn closing_waits_and_refuses(make: Make) {
    let queue = queue(make);
    let bytes = content(super::decoded(1 << 20), 3);
    let packed = packed(&bytes);
    let file = file_of(&packed);
    let read = || Request::read(&file, 0, packed.len() as u64).gdeflate(bytes.len() as u64);
    let tickets: Vec<_> = (0..50).map(|_| queue.enqueue(read()).unwrap()).collect();
    queue.submit();
    let late = queue.enqueue(read()).unwrap();
    queue.close();
    assert!(tickets.iter().all(ds_runtime::Ticket::is_done));
    assert!(late.wait().is_cancelled(), "it had not begun");
    for done in tickets.into_iter().map(ds_runtime::Ticket::wait) {
        match done.result {
            Ok(()) => assert!(done.buffer == bytes),
            Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled),
        }
    }
    assert_eq!(queue.enqueue(read()).unwrap_err().error.kind, ErrorKind::Closed);
    queue.close();
}

pub(crate) fn dropping_with_work_in_flight_loses_nothing(make: Make) {
    let runtime = make();
    let file = file_of(&content(4 << 20, 3));
    for round in 0..10 {
        let queue = queue_of(&runtime, QueueOptions::default());
        let tickets: Vec<_> =
            (0..64).map(|_| queue.enqueue(Request::read(&file, 0, 1 << 20)).unwrap()).collect();
        if round % 2 == 0 {
            queue.submit();
        }
        drop(queue);
        for ticket in tickets {
            assert!(ticket.is_done());
            let done = ticket.wait();
            assert!(done.result.is_ok() || done.is_cancelled());
        }
    }
    assert_eq!(runtime.staging().1, 0);
}

pub(crate) fn stragglers_are_reported_and_keep_their_memory(make: Make) {
    let runtime = make();
    let queue = queue_of(&runtime, QueueOptions::default());
    let file = file_of(b"abcdefgh");
    let ticket = queue.enqueue(Request::read(&file, 0, 8).custom(250, 8)).unwrap();
    queue.wait_custom(None).unwrap();
    let mut held = queue.take_custom(1);
    let stragglers = queue.shutdown(Duration::from_millis(20)).unwrap_err();
    assert_eq!(stragglers.requests, [ticket.id()]);
    let mut job = held.pop().unwrap();
    job.output().copy_from_slice(b"ABCDEFGH");
    job.finish(Ok(()));
    assert_eq!(ticket.wait().check().unwrap().buffer, b"ABCDEFGH");
}

pub(crate) fn the_runtime_may_go_first(make: Make) {
    let runtime = make();
    let queue = queue_of(&runtime, QueueOptions::default());
    drop(runtime);
    let file = file_of(b"still here");
    assert_eq!(
        queue.enqueue(Request::read(&file, 0, 10)).unwrap().wait().check().unwrap().buffer,
        b"still here"
    );
}

pub(crate) fn no_priority_starves(make: Make) {
    let runtime = make();
    let file = file_of(&content(1 << 20, 3));
    let queues = [Priority::Low, Priority::Normal, Priority::High, Priority::Realtime]
        .map(|priority| queue_of(&runtime, QueueOptions::default().priority(priority)));
    std::thread::scope(|scope| {
        for queue in &queues {
            let file = &file;
            scope.spawn(move || {
                for number in 0..400 {
                    queue.post(Request::read(file, number * 1000, 4096)).unwrap();
                    queue.take_completed(100);
                }
                queue.wait_all(None).unwrap();
            });
        }
    });
    assert!(queues.iter().all(|queue| queue.stats().succeeded == 400));
}
