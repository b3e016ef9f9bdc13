//! Engines that break their contract.

use ds_core::{Done, ErrorKind, Fault, LeaseId, OpId, Outcome, Path, Request, UnknownOp};

use crate::desk::{Desk, device, file, host, read, write};

#[test]
fn an_operation_is_answered_once() {
    let mut desk = Desk::plain();
    desk.start(read(10));
    let op = desk.op();
    desk.moved(op, 10);
    assert_eq!(desk.try_answer(op, Ok(Done::Moved(10))), Err(UnknownOp(op)));
    assert_eq!(desk.end(), Ok(()));
    assert_eq!(desk.try_answer(op, Ok(Done::Moved(10))), Err(UnknownOp(op)));
}

#[test]
fn a_late_answer_does_not_meet_the_next_operation() {
    let mut desk = Desk::plain();
    desk.start(read(10));
    let op = desk.op();
    desk.moved(op, 4);
    let next = desk.op();
    assert!(desk.try_answer(op, Ok(Done::Moved(6))).is_err());
    desk.moved(next, 6);
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn numbers_made_up_are_refused() {
    let mut desk = Desk::plain();
    desk.start(read(10));
    let op = desk.op();
    for bits in [0, 1, 5 << 20, 7 << 20, u64::MAX, op.to_u64() + 1, op.to_u64() ^ (1 << 23)] {
        let outcome = Outcome { op: OpId::from_u64(bits), result: Ok(Done::Moved(1)), path: Path::NONE };
        assert_eq!(desk.queue.handle_outcome(outcome, desk.now), Err(UnknownOp(outcome.op)));
    }
    assert_eq!(OpId::from_u64(op.to_u64()), op);
    assert_eq!(desk.queue.stats().in_flight, 1);
}

#[test]
fn more_bytes_than_asked_for_are_not_believed() {
    for request in [read(10), write(10)] {
        let mut desk = Desk::plain();
        desk.start(request);
        let op = desk.op();
        desk.moved(op, 11);
        let completion = desk.completion();
        assert!(matches!(completion.result.unwrap_err().kind, ErrorKind::EngineFault(_)));
        assert_eq!(completion.bytes.read, 0);
    }
}

#[test]
fn answers_of_another_kind_are_faults() {
    let staged = Request::write(device(10), file(10));
    let copy = Request::read(host(10), host(10));
    for (request, answer) in [
        (read(10), Done::Synced),
        (write(10), Done::Leased(LeaseId(1))),
        (Request::sync(ds_core::FileId(1), false), Done::Moved(0)),
        (staged, Done::Moved(10)),
        (copy, Done::Moved(11)),
        (copy, Done::Synced),
    ] {
        let mut desk = Desk::plain();
        desk.start(request);
        let op = desk.op();
        desk.answer(op, Ok(answer));
        match desk.end() {
            Err(ErrorKind::EngineFault(_)) => {}
            other => panic!("{request:?} answered {answer:?}: {other:?}"),
        }
    }
}

#[test]
fn a_transfer_refused_as_busy_is_tried_later() {
    let mut desk = Desk::plain();
    desk.start(read(10));
    let op = desk.op();
    desk.answer(op, Err(Fault::Busy));
    desk.idle();
    desk.pass(1_000_000);
    let op = desk.op();
    desk.moved(op, 10);
    assert_eq!(desk.end(), Ok(()));
}
