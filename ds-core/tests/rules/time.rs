//! Deadlines, delayed retries and wake-ups.

use ds_core::{Action, Config, ErrorKind, Fault, Request, RequestId, Time};

use crate::desk::{Desk, kind, plain, read, write};

fn due(nanos: u64) -> Request {
    Request { deadline: Some(Time::from_nanos(nanos)), ..read(1) }
}

fn wake(desk: &mut Desk) -> Option<Time> {
    let mut wake = None;
    while let Some(action) = desk.poll() {
        if let Action::Wake { at } = action {
            wake = at;
        }
    }
    wake
}

fn ended(desk: &mut Desk, id: RequestId) -> Result<(), ErrorKind> {
    kind(desk.queue.take(id).unwrap())
}

#[test]
fn a_deadline_passes_before_submit() {
    let mut desk = Desk::plain();
    let id = desk.enqueue(due(100));
    assert_eq!(wake(&mut desk), Some(Time::from_nanos(100)));
    desk.pass(99);
    desk.idle();
    desk.pass(1);
    desk.idle();
    assert_eq!(ended(&mut desk, id), Err(ErrorKind::TimedOut));
}

#[test]
fn a_deadline_passes_in_flight_and_the_engine_is_waited_for() {
    let mut desk = Desk::plain();
    let id = desk.start(due(100));
    let op = desk.op();
    desk.pass(100);
    assert_eq!(desk.actions(), [Action::Cancel { op }]);
    desk.moved(op, 1);
    desk.idle();
    assert_eq!(ended(&mut desk, id), Err(ErrorKind::TimedOut));
    assert_eq!(desk.queue.take_error_record().failures, 1, "that is a failure");
}

#[test]
fn done_at_the_deadline_is_too_late_and_before_is_not() {
    for (pass, expected) in [(99, Ok(())), (100, Err(ErrorKind::TimedOut))] {
        let mut desk = Desk::plain();
        let id = desk.start(due(100));
        let op = desk.op();
        desk.pass(pass);
        desk.moved(op, 1);
        desk.idle();
        assert_eq!(ended(&mut desk, id), expected);
    }
}

#[test]
fn a_deadline_in_the_past_is_no_error_and_does_nothing() {
    let mut desk = Desk::plain();
    desk.pass(1000);
    let id = desk.start(due(100));
    desk.idle();
    assert_eq!(ended(&mut desk, id), Err(ErrorKind::TimedOut));
}

#[test]
fn deadlines_come_in_their_order_and_the_wake_up_follows_the_first() {
    let mut desk = Desk::plain();
    let ids = [500, 200, 300, 100, 400].map(|nanos| desk.enqueue(due(nanos)));
    assert_eq!(wake(&mut desk), Some(Time::from_nanos(100)));
    desk.queue.cancel(ids[1]);
    for (nanos, next) in [(100, Some(300)), (300, Some(400)), (400, Some(500)), (500, None)] {
        desk.now = Time::from_nanos(nanos);
        assert_eq!(wake(&mut desk), next.map(Time::from_nanos));
    }
    assert_eq!((desk.queue.stats().failed, desk.queue.stats().cancelled), (4, 1));
}

#[test]
fn a_wake_up_is_announced_once_and_taken_back() {
    let mut desk = Desk::plain();
    let id = desk.enqueue(due(100));
    assert_eq!(desk.poll(), Some(Action::Wake { at: Some(Time::from_nanos(100)) }));
    assert_eq!(desk.poll(), None);
    desk.queue.cancel(id);
    assert_eq!(desk.poll(), Some(Action::Wake { at: None }));
    assert_eq!(desk.poll(), None);
}

#[test]
fn try_again_is_tried_later_and_later_still() {
    let mut desk = Desk::new(1, Config { retry_delay: 100, max_stalls: 3, ..plain() });
    desk.start(write(1));
    for delay in [100, 200, 400] {
        let op = desk.op();
        desk.fault(op, 11);
        assert_eq!(wake(&mut desk), Some(desk.now.after_nanos(delay)));
        desk.pass(delay - 1);
        desk.idle();
        desk.pass(1);
    }
    let op = desk.op();
    desk.fault(op, 11);
    assert_eq!(desk.end(), Err(ErrorKind::Io { errno: 11 }));
}

#[test]
fn the_delay_grows_a_thousandfold_at_most_and_never_wraps() {
    for (delay, longest) in [(1, 1024), (3 << 62, u64::MAX)] {
        let mut desk = Desk::new(1, Config { retry_delay: delay, max_stalls: 100, ..plain() });
        desk.start(read(1));
        let mut waited = 0;
        for _ in 0..20 {
            let op = desk.op();
            desk.fault(op, 11);
            let before = desk.now;
            desk.now = wake(&mut desk).unwrap_or(desk.now);
            waited = desk.now.since(before).as_nanos() as u64;
            if desk.now == Time::MAX {
                waited = u64::MAX;
                break;
            }
        }
        assert_eq!(waited, longest);
    }
}

#[test]
fn the_earlier_of_deadline_and_retry_wakes() {
    let mut desk = Desk::new(1, Config { retry_delay: 1000, ..plain() });
    let id = desk.start(due(700));
    let Some(Action::Read { op, .. }) = desk.poll() else { panic!("no read") };
    desk.fault(op, 11);
    assert_eq!(wake(&mut desk), Some(Time::from_nanos(700)));
    desk.pass(700);
    desk.idle();
    assert_eq!(ended(&mut desk, id), Err(ErrorKind::TimedOut));
    assert_eq!(wake(&mut desk), None);
}

#[test]
fn parts_that_back_off_do_so_each_for_itself() {
    let mut desk = Desk::new(1, Config { retry_delay: 100, ..plain() });
    desk.start(read(8192));
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.fault(ops[0], 11);
    desk.pass(50);
    desk.fault(ops[1], 11);
    desk.pass(50);
    let first = desk.op();
    desk.pass(50);
    let second = desk.op();
    desk.moved(second, 4096);
    desk.moved(first, 4096);
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn work_that_is_no_transfer_backs_off_too() {
    let mut desk = Desk::new(1, Config { retry_delay: 100, ..plain() });
    desk.start(Request::sync(ds_core::FileId(1), true));
    let op = desk.op();
    desk.fault(op, 11);
    desk.idle();
    desk.pass(100);
    let op = desk.op();
    desk.answer(op, Err(Fault::Unsupported("no such thing")));
    assert_eq!(desk.end(), Err(ErrorKind::Unsupported("no such thing")));
}
