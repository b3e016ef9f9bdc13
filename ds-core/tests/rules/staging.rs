//! Leases of staging memory.

use ds_core::{Action, Config, Done, ErrorKind, Fault, LeaseId, Request};

use crate::desk::{Desk, device, file, plain};

fn staged(len: u64) -> Request {
    Request::read(file(len), device(len))
}

#[test]
fn a_request_refused_a_lease_waits_for_a_release() {
    let mut desk = Desk::plain();
    desk.start(staged(10));
    let op = desk.op();
    desk.answer(op, Err(Fault::Busy));
    desk.idle();
    desk.queue.staging_released();
    assert!(matches!(desk.action(), Action::Lease { len: 10, .. }));
}

#[test]
fn a_release_between_asking_and_being_refused_counts() {
    let mut desk = Desk::plain();
    desk.start(staged(10));
    let op = desk.op();
    desk.queue.staging_released();
    desk.answer(op, Err(Fault::Busy));
    assert!(matches!(desk.action(), Action::Lease { .. }));
}

#[test]
fn those_who_wait_are_served_in_turn() {
    let mut desk = Desk::plain();
    let ids = [desk.enqueue(staged(1)), desk.enqueue(staged(2)), desk.enqueue(staged(3))];
    desk.submit();
    for action in desk.actions() {
        desk.answer(action.op().unwrap(), Err(Fault::Busy));
    }
    desk.queue.staging_released();
    // The first alone asks; refused again, it stays the first.
    let first = desk.op();
    assert_eq!(first.index(), ids[0].index());
    desk.answer(first, Err(Fault::Busy));
    desk.idle();
    desk.queue.staging_released();
    let first = desk.op();
    assert_eq!(first.index(), ids[0].index());
    // Granted, there may be room for the next.
    desk.answer(first, Ok(Done::Leased(LeaseId(1))));
    let actions = desk.actions();
    let [Action::Lease { op, .. }, Action::Read { .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(op.index(), ids[1].index());
}

#[test]
fn a_woken_request_that_stops_passes_its_chance_on() {
    for asked in [false, true] {
        let mut desk = Desk::plain();
        let ids = [desk.enqueue(staged(1)), desk.enqueue(staged(2))];
        desk.submit();
        for action in desk.actions() {
            desk.answer(action.op().unwrap(), Err(Fault::Busy));
        }
        desk.queue.staging_released();
        let outstanding = asked.then(|| desk.op());
        assert_eq!(desk.queue.cancel(ids[0]), 1);
        if let Some(op) = outstanding {
            let actions = desk.actions();
            assert_eq!(actions[0], Action::Cancel { op });
            assert!(matches!(actions[1], Action::Lease { len: 2, .. }), "{actions:?}");
            desk.answer(op, Err(Fault::Cancelled));
            desk.idle();
        } else {
            assert!(matches!(desk.action(), Action::Lease { len: 2, .. }));
        }
        assert_eq!(desk.queue.is_done(ids[0]), Some(true));
    }
}

#[test]
fn a_parked_request_can_be_cancelled() {
    let mut desk = Desk::plain();
    let id = desk.start(staged(10));
    let op = desk.op();
    desk.answer(op, Err(Fault::Busy));
    assert_eq!(desk.queue.cancel(id), 1);
    assert_eq!(desk.end(), Err(ErrorKind::Cancelled));
}

#[test]
fn a_lease_granted_too_late_is_given_back() {
    let mut desk = Desk::plain();
    let id = desk.start(staged(10));
    let op = desk.op();
    desk.queue.cancel(id);
    assert_eq!(desk.actions(), [Action::Cancel { op }]);
    desk.answer(op, Ok(Done::Leased(LeaseId(6))));
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(6) });
    assert_eq!(desk.end(), Err(ErrorKind::Cancelled));
}

#[test]
fn a_lease_is_given_back_before_the_completion() {
    let mut desk = Desk::plain();
    let id = desk.start(staged(10));
    let op = desk.op();
    desk.answer(op, Ok(Done::Leased(LeaseId(6))));
    let op = desk.op();
    desk.moved(op, 10);
    let op = desk.op();
    desk.moved(op, 10);
    assert_eq!(desk.poll(), Some(Action::Release { lease: LeaseId(6) }));
    assert_eq!(desk.queue.is_done(id), Some(false));
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn lack_of_memory_is_no_reason_to_wait() {
    let mut desk = Desk::new(2, Config { ..plain() });
    desk.start(staged(10));
    let op = desk.op();
    desk.answer(op, Err(Fault::OutOfMemory));
    assert_eq!(desk.end(), Err(ErrorKind::OutOfMemory));
}

#[test]
fn copies_that_move_too_little_break_the_contract() {
    let mut desk = Desk::plain();
    desk.start(staged(10));
    let op = desk.op();
    desk.answer(op, Ok(Done::Leased(LeaseId(6))));
    let op = desk.op();
    desk.moved(op, 10);
    let op = desk.op();
    desk.moved(op, 9);
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(6) });
    assert!(matches!(desk.end(), Err(ErrorKind::EngineFault(_))));
}

#[test]
fn a_busy_copy_engine_is_asked_again_later() {
    let mut desk = Desk::new(1, Config { retry_delay: 100, ..plain() });
    desk.start(Request::read(device(10), crate::desk::host(10)));
    let op = desk.op();
    desk.answer(op, Err(Fault::Busy));
    desk.idle();
    desk.pass(100);
    let op = desk.op();
    desk.moved(op, 10);
    assert_eq!(desk.end(), Ok(()));
}
