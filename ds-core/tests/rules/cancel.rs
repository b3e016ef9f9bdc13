//! Cancellation and closing.

use ds_core::{Action, ErrorKind, EventToken, Fault, Request};

use crate::desk::{Desk, KIB, kind, read};

const CANCELLED: Result<(), ErrorKind> = Err(ErrorKind::Cancelled);

#[test]
fn by_id_before_submit() {
    let mut desk = Desk::plain();
    let id = desk.enqueue(read(10));
    assert_eq!(desk.queue.cancel(id), 1);
    assert_eq!(desk.queue.cancel(id), 0, "counted once");
    assert_eq!(desk.end(), CANCELLED);
    assert_eq!(desk.submit(), 0);
}

#[test]
fn by_id_in_flight_waits_for_the_engine() {
    let mut desk = Desk::plain();
    let id = desk.start(read(10));
    let op = desk.op();
    assert_eq!(desk.queue.cancel(id), 1);
    assert_eq!(desk.actions(), [Action::Cancel { op }]);
    assert_eq!(desk.queue.next_completion(), None);
    desk.answer(op, Err(Fault::Os(125)));
    assert_eq!(desk.end(), CANCELLED);
}

#[test]
fn a_cancelled_request_may_have_moved_bytes_and_is_cancelled_all_the_same() {
    let mut desk = Desk::plain();
    let id = desk.start(read(10));
    let op = desk.op();
    desk.queue.cancel(id);
    desk.moved(op, 10);
    let completion = desk.completion();
    assert!(completion.is_cancelled());
    assert_eq!((completion.bytes.read, completion.bytes.delivered), (10, 0));
}

#[test]
fn what_the_engine_reports_afterwards_does_not_matter() {
    for fault in [Fault::Os(5), Fault::Os(4), Fault::Os(11), Fault::Cancelled, Fault::DeviceLost] {
        let mut desk = Desk::plain();
        let id = desk.start(read(10));
        let op = desk.op();
        desk.queue.cancel(id);
        desk.actions();
        desk.answer(op, Err(fault));
        assert_eq!(desk.end(), CANCELLED);
        assert_eq!(desk.queue.take_error_record().failures, 0);
    }
}

#[test]
fn every_part_in_flight_is_hurried_once() {
    let mut desk = Desk::plain();
    let id = desk.start(read(100 * KIB));
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.moved(ops[1], 4 * KIB);
    desk.queue.cancel(id);
    let hurried = [ops[0], ops[2], ops[3]].map(|op| Action::Cancel { op });
    assert_eq!(desk.actions(), hurried);
    desk.idle();
    for op in [ops[3], ops[0], ops[2]] {
        desk.moved(op, 1);
    }
    assert_eq!(desk.end(), CANCELLED);
}

#[test]
fn by_tag_and_mask() {
    let mut desk = Desk::plain();
    for tag in [0b00, 0b01, 0b10, 0b11, 0b111] {
        desk.enqueue(Request { tag, ..read(1) });
    }
    assert_eq!(desk.queue.cancel_tagged(0b01, 0b11), 1);
    assert_eq!(desk.queue.cancel_tagged(0b10, 0b10), 3);
    assert_eq!(desk.queue.cancel_tagged(0, 0), 1, "a mask of 0 selects all that are left");
}

#[test]
fn all_pending_leaves_what_has_begun() {
    let mut desk = Desk::plain();
    let begun = desk.start(read(1));
    let op = desk.op();
    desk.start(read(2));
    desk.enqueue(read(3));
    assert_eq!(desk.queue.cancel_pending(), 2);
    desk.moved(op, 1);
    desk.idle();
    assert_eq!(kind(desk.queue.take(begun).unwrap()), Ok(()));
    assert_eq!(desk.queue.stats().cancelled, 2);
}

#[test]
fn all_is_all() {
    let mut desk = Desk::plain();
    let done = desk.start(read(0));
    desk.idle();
    let begun = desk.start(read(1));
    let op = desk.op();
    desk.enqueue(read(2));
    assert_eq!(desk.queue.cancel_all(), 2);
    assert_eq!(desk.queue.cancel_all(), 0);
    desk.actions();
    desk.moved(op, 1);
    desk.idle();
    assert_eq!(kind(desk.queue.take(done).unwrap()), Ok(()));
    assert_eq!(kind(desk.queue.take(begun).unwrap()), CANCELLED);
}

#[test]
fn cancelled_requests_are_no_failures() {
    let mut desk = Desk::plain();
    desk.enqueue(read(1));
    let token = ds_core::StatusToken { array: 1, index: 2 };
    desk.queue.enqueue_status(token, desk.now).unwrap();
    desk.queue.cancel_all();
    desk.submit();
    assert_eq!(desk.notices(), [ds_core::Notice::Status { token, first_failure: None }]);
    assert_eq!(desk.queue.take_error_record(), ds_core::ErrorRecord::default());
}

#[test]
fn closing_cancels_what_has_not_begun_and_lets_the_rest_end() {
    let mut desk = Desk::plain();
    let begun = desk.start(read(8 * KIB));
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.enqueue(read(1));
    desk.queue.enqueue_event(EventToken(5), desk.now).unwrap();
    desk.queue.close(desk.now);
    desk.idle();
    for op in ops {
        desk.moved(op, 4 * KIB);
    }
    assert_eq!(desk.notices(), [ds_core::Notice::Event(EventToken(5))]);
    assert!(desk.queue.is_idle());
    assert_eq!(kind(desk.queue.take(begun).unwrap()), Ok(()));
    assert_eq!(kind(desk.queue.next_completion().unwrap()), CANCELLED);
    desk.queue.close(desk.now);
    assert_eq!(desk.poll(), None);
}

#[test]
fn closing_and_cancelling_ends_everything() {
    let mut desk = Desk::plain();
    desk.start(read(10));
    let op = desk.op();
    desk.queue.close(desk.now);
    assert_eq!(desk.queue.cancel_all(), 1);
    assert_eq!(desk.actions(), [Action::Cancel { op }]);
    desk.fault(op, 125);
    assert_eq!(desk.end(), CANCELLED);
}
