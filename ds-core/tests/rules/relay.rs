//! Raw requests between files and devices: piece by piece through a window of staging memory, both ways at once.

use ds_core::{Action, ByteCounts, Config, Done, ErrorKind, Fault, LeaseId, Memory, Request, Room};

use crate::desk::{Desk, KIB, device, file, plain};

const WINDOW: u64 = 16 * KIB;

fn started(request: Request) -> Desk {
    let mut desk = Desk::plain();
    desk.start(request);
    let action = desk.action();
    let Action::Lease { op, len } = action else { panic!("{action:?}") };
    assert_eq!(len, WINDOW.min(request.source.len()), "four pieces, each as long as a chunk");
    desk.answer(op, Ok(Done::Leased(LeaseId(1))));
    desk
}

/// Where in the lease, and how many bytes.
fn staged(action: &Action) -> (u64, u64) {
    let span = match *action {
        Action::Read { into, .. } => into,
        Action::Write { from, .. } => from,
        Action::Copy { from, into, .. } => {
            if matches!(from.memory, Memory::Lease(_)) {
                from
            } else {
                into
            }
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(span.memory, Memory::Lease(LeaseId(1)));
    (span.offset, span.len)
}

#[test]
fn each_piece_is_copied_as_it_lands_and_its_memory_used_again() {
    let mut desk = started(Request::read(file(30 * KIB), device(30 * KIB)));
    let reads = desk.actions();
    let places: Vec<_> = reads.iter().map(staged).collect();
    assert_eq!(places, [(0, 4096), (4096, 4096), (8192, 4096), (12_288, 4096)]);
    // The second lands first: it is copied while the others are read, and nobody waits for anybody.
    desk.moved(reads[1].op().unwrap(), 4096);
    let copy = desk.action();
    let Action::Copy { op, into, .. } = copy else { panic!("{copy:?}") };
    assert_eq!((staged(&copy), into.offset, into.len), ((4096, 4096), 16 + 4096, 4096));
    desk.moved(op, 4096);
    let next = desk.action();
    let Action::Read { offset, .. } = next else { panic!("{next:?}") };
    assert_eq!((staged(&next), offset), ((4096, 4096), 100 + 16 * KIB), "the next piece, in the same place");
}

#[test]
fn any_length_goes_through_any_window() {
    for len in [1, 4096, 4097, 30 * KIB, 100 * KIB + 1] {
        for max_lease in [1, 4095, 4096, 10_000, 16 * KIB, u64::MAX] {
            for request in [Request::read(file(len), device(len)), Request::write(device(len), file(len))] {
                let mut desk = Desk::new(1, Config { max_lease, ..plain() });
                desk.start(request);
                desk.run();
                let completion = desk.completion();
                assert_eq!(completion.result, Ok(()), "{len} bytes through {max_lease}");
                assert_eq!(completion.bytes, ByteCounts { read: len, produced: len, delivered: len });
            }
        }
    }
}

#[test]
fn copies_are_no_transfers_and_go_on_where_there_is_no_room_for_those() {
    let mut desk = started(Request::read(file(9 * KIB), device(9 * KIB)));
    let reads = desk.actions();
    assert_eq!((reads.len(), desk.queue.transfers_in_flight()), (3, 3));
    desk.moved(reads[2].op().unwrap(), KIB);
    let copy = desk.queue.poll_action(desk.now, Room::NoTransfers);
    assert!(matches!(copy, Some(Action::Copy { .. })), "{copy:?}");
    assert_eq!(desk.queue.transfers_in_flight(), 2);
    let mut desk = started(Request::write(device(9 * KIB), file(9 * KIB)));
    let copies = desk.actions();
    assert!(copies.iter().all(|action| matches!(action, Action::Copy { .. })), "{copies:?}");
    assert_eq!((copies.len(), desk.queue.transfers_in_flight()), (3, 0));
    desk.moved(copies[1].op().unwrap(), 4096);
    assert_eq!(desk.queue.poll_action(desk.now, Room::NoTransfers), None);
    let write = desk.action();
    let Action::Write { offset, .. } = write else { panic!("{write:?}") };
    assert_eq!((staged(&write), offset), ((4096, 4096), 100 + 4096));
}

#[test]
fn a_file_that_ends_early_fails_or_is_short_whatever_has_been_copied() {
    for allow_short in [false, true] {
        let mut desk = started(Request { allow_short, ..Request::read(file(10 * KIB), device(10 * KIB)) });
        let reads: Vec<_> = desk.actions().iter().map(|action| action.op().unwrap()).collect();
        desk.moved(reads[0], 4096);
        let copy = desk.op();
        desk.moved(copy, 4096);
        desk.moved(reads[2], 0);
        desk.moved(reads[1], 100);
        let again = desk.op();
        desk.moved(again, 0);
        let copy = desk.action();
        assert_eq!(staged(&copy), (4096, 100), "what there is of the second piece");
        desk.moved(copy.op().unwrap(), 100);
        assert_eq!(desk.action(), Action::Release { lease: LeaseId(1) });
        let completion = desk.completion();
        if allow_short {
            assert_eq!((completion.result, completion.bytes.delivered), (Ok(()), 4196));
        } else {
            let kind = completion.result.unwrap_err().kind;
            assert_eq!(kind, ErrorKind::EndOfFile { requested: 10 * KIB, got: 4196 });
        }
    }
}

#[test]
fn a_copy_that_fails_stops_the_request_when_all_have_answered() {
    let mut desk = started(Request::read(file(9 * KIB), device(9 * KIB)));
    let reads: Vec<_> = desk.actions().iter().map(|action| action.op().unwrap()).collect();
    desk.moved(reads[0], 4096);
    desk.moved(reads[1], 4096);
    let copies: Vec<_> = desk.actions().iter().map(|action| action.op().unwrap()).collect();
    desk.answer(copies[0], Err(Fault::DeviceLost));
    // The other copy is hurried as well as the read.
    let hurried = desk.actions();
    assert_eq!(hurried.len(), 2, "{hurried:?}");
    for op in [copies[1], reads[2]] {
        assert!(hurried.contains(&Action::Cancel { op }), "{hurried:?}");
        desk.answer(op, Err(Fault::Cancelled));
    }
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(1) });
    assert_eq!(desk.end(), Err(ErrorKind::DeviceLost));
}

#[test]
fn a_copy_that_moves_too_little_breaks_the_contract_and_a_busy_one_is_tried_again() {
    let mut desk = Desk::new(1, Config { retry_delay: 100, ..plain() });
    desk.start(Request::write(device(10), file(10)));
    let op = desk.op();
    desk.answer(op, Ok(Done::Leased(LeaseId(1))));
    let op = desk.op();
    desk.answer(op, Err(Fault::Busy));
    desk.idle();
    desk.pass(100);
    let op = desk.op();
    desk.moved(op, 9);
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(1) });
    assert!(matches!(desk.end(), Err(ErrorKind::EngineFault(_))));
}
