//! Status, signal and event entries, and the error record.

use ds_core::{Action, ErrorKind, EventToken, Failure, Notice, Request, SignalToken, StatusToken};

use crate::desk::{Desk, read};

const fn status(index: u32) -> StatusToken {
    StatusToken { array: 1, index }
}

fn first_failure(notice: Notice) -> Option<Failure> {
    match notice {
        Notice::Status { first_failure, .. } => first_failure,
        other => panic!("{other:?} is no status"),
    }
}

#[test]
fn markers_wait_for_all_before_them_and_delay_nothing() {
    let mut desk = Desk::plain();
    let now = desk.now;
    desk.enqueue(read(1));
    desk.queue.enqueue_signal(SignalToken { fence: 4, value: 9 }, now).unwrap();
    desk.enqueue(read(2));
    desk.queue.enqueue_event(EventToken(7), now).unwrap();
    desk.submit();
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    assert_eq!(ops.len(), 2, "the second request starts all the same");
    desk.moved(ops[1], 2);
    desk.idle();
    desk.moved(ops[0], 1);
    let notices = [Notice::Signal(SignalToken { fence: 4, value: 9 }), Notice::Event(EventToken(7))];
    assert_eq!(desk.notices(), notices);
    assert_eq!(desk.queue.stats().notices, 2);
}

#[test]
fn a_marker_fires_before_later_requests_are_finished_with() {
    let mut desk = Desk::plain();
    desk.enqueue(read(1));
    desk.queue.enqueue_event(EventToken(7), desk.now).unwrap();
    desk.enqueue(read(2));
    desk.submit();
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.moved(ops[0], 1);
    assert_eq!(desk.notices(), [Notice::Event(EventToken(7))]);
    assert_eq!(desk.queue.held(), 2, "the marker's slot is free, the completion is not taken");
}

#[test]
fn a_marker_needs_submit_too() {
    let mut desk = Desk::plain();
    desk.queue.enqueue_event(EventToken(7), desk.now).unwrap();
    desk.idle();
    assert_eq!(desk.queue.unfinished(), 1);
    desk.submit();
    assert_eq!(desk.notices(), [Notice::Event(EventToken(7))]);
}

#[test]
fn a_status_tells_the_first_failure_in_enqueue_order() {
    let mut desk = Desk::plain();
    let ids = [1, 2, 3].map(|tag| desk.enqueue(Request { tag, ..read(1) }));
    desk.queue.enqueue_status(status(0), desk.now).unwrap();
    desk.submit();
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    // The last fails first, and its slot is long in other hands when the status fires.
    desk.fault(ops[2], 30);
    desk.idle();
    assert!(desk.queue.take(ids[2]).is_some());
    desk.enqueue(read(1));
    desk.fault(ops[1], 20);
    desk.idle();
    desk.moved(ops[0], 1);
    let failure = Failure { id: ids[1], tag: 2, kind: ErrorKind::Io { errno: 20 }, sequence: 2 };
    assert_eq!(desk.notices(), [Notice::Status { token: status(0), first_failure: Some(failure) }]);
}

#[test]
fn a_status_covers_what_came_since_the_status_before() {
    let mut desk = Desk::plain();
    let now = desk.now;
    desk.enqueue(read(1));
    desk.queue.enqueue_status(status(0), now).unwrap();
    desk.enqueue(read(2));
    desk.queue.enqueue_event(EventToken(0), now).unwrap();
    desk.queue.enqueue_status(status(1), now).unwrap();
    desk.queue.enqueue_status(status(2), now).unwrap();
    desk.submit();
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.fault(ops[1], 5);
    desk.idle();
    desk.moved(ops[0], 1);
    let notices = desk.notices();
    assert_eq!(notices.len(), 4);
    assert_eq!(first_failure(notices[0]), None);
    assert_eq!(notices[1], Notice::Event(EventToken(0)));
    assert_eq!(first_failure(notices[2]).map(|failure| failure.sequence), Some(3));
    assert_eq!(first_failure(notices[3]), None);
}

#[test]
fn a_failure_waits_for_a_status_that_is_enqueued_later() {
    let mut desk = Desk::plain();
    for errno in [5, 28] {
        desk.start(read(1));
        let op = desk.op();
        desk.fault(op, errno);
        desk.idle();
    }
    desk.queue.enqueue_status(status(0), desk.now).unwrap();
    desk.submit();
    let kind = first_failure(desk.notices()[0]).map(|failure| failure.kind);
    assert_eq!(kind, Some(ErrorKind::Io { errno: 5 }));
}

#[test]
fn the_error_record_counts_and_names_the_first_since_the_last_call() {
    let mut desk = Desk::plain();
    let ids = [1, 2].map(|len| desk.enqueue(read(len)));
    desk.submit();
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.fault(ops[1], 2);
    desk.idle();
    desk.fault(ops[0], 1);
    desk.idle();
    let record = desk.queue.take_error_record();
    assert_eq!((record.failures, record.first.map(|first| first.id)), (2, Some(ids[0])));
    assert_eq!(desk.queue.take_error_record(), ds_core::ErrorRecord::default());
}
