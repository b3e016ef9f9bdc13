//! Requests that wait for earlier ones.

use ds_core::{Action, ErrorKind, Request, RequestId, Time};

use crate::desk::{Desk, kind, read};

fn after(id: RequestId) -> Request {
    Request { after: Some(id), ..read(1) }
}

#[test]
fn a_linked_request_begins_when_the_earlier_one_has_ended() {
    let mut desk = Desk::plain();
    let first = desk.enqueue(read(1));
    desk.enqueue(after(first));
    desk.enqueue(after(first));
    desk.submit();
    let op = desk.op();
    desk.moved(op, 1);
    let both = desk.actions();
    assert_eq!(both.len(), 2);
    for action in both {
        desk.moved(action.op().unwrap(), 1);
    }
    desk.idle();
    assert_eq!(desk.queue.stats().succeeded, 3);
}

#[test]
fn a_bad_end_cancels_all_that_follows() {
    let mut desk = Desk::plain();
    let first = desk.enqueue(read(1));
    let second = desk.enqueue(after(first));
    let third = desk.enqueue(after(second));
    desk.submit();
    let op = desk.op();
    desk.fault(op, 5);
    desk.idle();
    assert_eq!(kind(desk.queue.take(first).unwrap()), Err(ErrorKind::Io { errno: 5 }));
    for id in [second, third] {
        assert_eq!(kind(desk.queue.take(id).unwrap()), Err(ErrorKind::Cancelled));
    }
    assert_eq!(desk.queue.take_error_record().failures, 1);
}

#[test]
fn a_link_to_what_is_over_decides_at_once() {
    let mut desk = Desk::plain();
    let good = desk.start(read(0));
    let bad = desk.start(read(1));
    let op = desk.op();
    desk.fault(op, 5);
    desk.idle();
    desk.start(after(bad));
    desk.idle();
    assert_eq!(desk.queue.stats().cancelled, 1);
    desk.start(after(good));
    assert!(matches!(desk.action(), Action::Read { .. }));
    // Delivered, its end is forgotten, and counts as good.
    desk.queue.take(bad);
    desk.start(after(bad));
    assert!(matches!(desk.action(), Action::Read { .. }));
}

#[test]
fn the_link_may_be_submitted_before_what_it_waits_for() {
    let mut desk = Desk::plain();
    let first = desk.start(read(1));
    let op = desk.op();
    let second = desk.enqueue(after(first));
    desk.moved(op, 1);
    desk.idle();
    assert_eq!(desk.queue.is_done(second), Some(false));
    desk.submit();
    assert!(matches!(desk.action(), Action::Read { .. }));
}

#[test]
fn any_of_those_waiting_can_leave() {
    for leaver in 0..3 {
        let mut desk = Desk::plain();
        let first = desk.start(read(1));
        let op = desk.op();
        let waiting = [0; 3].map(|_| desk.start(after(first)));
        assert_eq!(desk.queue.cancel(waiting[leaver]), 1);
        desk.idle();
        desk.moved(op, 1);
        let begun: Vec<_> = desk.actions().iter().filter_map(|action| Some(action.op()?.index())).collect();
        let mut expected: Vec<_> = waiting.iter().map(|id| id.index()).collect();
        expected.remove(leaver);
        assert_eq!(begun.len(), 2);
        assert!(expected.iter().all(|index| begun.contains(index)), "{begun:?}");
    }
}

#[test]
fn waiting_does_not_stop_a_deadline() {
    let mut desk = Desk::plain();
    let first = desk.start(read(1));
    desk.actions();
    let second = desk.start(Request { deadline: Some(Time::from_nanos(50)), ..after(first) });
    desk.pass(50);
    desk.idle();
    assert_eq!(kind(desk.queue.take(second).unwrap()), Err(ErrorKind::TimedOut));
}
