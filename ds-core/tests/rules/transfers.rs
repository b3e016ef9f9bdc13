//! Reads and writes of files: chunks, short transfers, the end of the file, stalls.

use ds_core::{Action, ByteCounts, Config, ErrorKind, FileId, Memory, Operation, Request, Room};

use crate::desk::{Desk, KIB, file, host, kind, plain, read, write};

#[test]
fn a_read_goes_straight_into_the_destination() {
    let mut desk = Desk::plain();
    let id = desk.start(read(50));
    let Action::Read { op, file, offset, into } = desk.action() else { panic!("no read") };
    assert_eq!((file, offset), (FileId(3), 100));
    assert_eq!((into.memory, into.offset, into.len), (Memory::Host(ds_core::BufferId(5)), 7, 50));
    assert_eq!(op.index(), id.index());
    desk.moved(op, 50);
    let completion = desk.completion();
    assert_eq!((completion.id, kind(completion)), (id, Ok(())));
    assert_eq!(completion.bytes, ByteCounts { read: 50, produced: 50, delivered: 50 });
}

#[test]
fn a_write_goes_straight_from_the_source() {
    let mut desk = Desk::plain();
    desk.start(write(50));
    let Action::Write { op, offset, from, .. } = desk.action() else { panic!("no write") };
    assert_eq!((offset, from.offset, from.len), (100, 7, 50));
    desk.moved(op, 50);
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn long_transfers_are_cut_and_four_parts_fly_at_once() {
    let mut desk = Desk::plain();
    desk.start(read(22 * KIB));
    let actions = desk.actions();
    let ranges: Vec<_> = actions
        .iter()
        .map(|action| match action {
            Action::Read { offset, into, .. } => (offset - 100, into.offset - 7, into.len),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ranges, [0, 1, 2, 3].map(|chunk| (chunk * 4 * KIB, chunk * 4 * KIB, 4 * KIB)));
    desk.moved(actions[2].op().unwrap(), 4 * KIB);
    desk.moved(actions[0].op().unwrap(), 4 * KIB);
    let rest = desk.actions();
    assert_eq!(rest.len(), 2);
    assert!(matches!(rest[1], Action::Read { into, .. } if into.len == 2 * KIB));
}

#[test]
fn a_huge_request_takes_turns_with_small_ones() {
    let mut desk = Desk::new(8, Config { max_transfers: 2, ..plain() });
    let huge = desk.start(read(4000 * KIB));
    assert_eq!(desk.actions().len(), 2);
    let small: Vec<_> = (0..5).map(|_| desk.start(read(1))).collect();
    // One completed operation at a time makes room for one more.
    let mut flying: std::collections::VecDeque<_> = desk.actions().into();
    let mut turns = 0;
    while small.iter().any(|&id| desk.queue.is_done(id) == Some(false)) {
        turns += 1;
        assert!(turns < 30, "the small ones wait for the huge one");
        if let Some(Action::Read { op, into, .. }) = flying.pop_front() {
            desk.moved(op, into.len);
        } else {
            // The first two, polled before.
            break;
        }
        flying.extend(desk.actions());
    }
    assert_eq!(desk.queue.is_done(huge), Some(false));
}

#[test]
fn a_driver_that_performs_one_action_at_a_time_serves_small_requests_too() {
    let mut desk = Desk::plain();
    desk.start(read(4000 * KIB));
    let mut small = [desk.enqueue(read(1)), desk.enqueue(read(1)), desk.enqueue(write(1))].to_vec();
    desk.submit();
    for _ in 0..12 {
        let Some(Action::Read { op, into: span, .. } | Action::Write { op, from: span, .. }) = desk.poll()
        else {
            panic!("there is more to do");
        };
        desk.moved(op, span.len);
        small.retain(|&id| desk.queue.is_done(id) == Some(false));
    }
    assert_eq!(small, []);
}

#[test]
fn a_short_transfer_goes_on_where_it_stopped() {
    let mut desk = Desk::plain();
    desk.start(read(100));
    let op = desk.op();
    desk.moved(op, 30);
    let Action::Read { op, offset, into, .. } = desk.action() else { panic!("no read") };
    assert_eq!((offset, into.offset, into.len), (130, 37, 70));
    desk.moved(op, 70);
    assert_eq!(desk.end(), Ok(()));
    assert_eq!(desk.queue.stats().retries, 1);
}

#[test]
fn the_end_of_the_file_tells_both_numbers() {
    let mut desk = Desk::plain();
    desk.start(read(100));
    let op = desk.op();
    desk.moved(op, 30);
    let op = desk.op();
    desk.moved(op, 0);
    let completion = desk.completion();
    assert_eq!(kind(completion), Err(ErrorKind::EndOfFile { requested: 100, got: 30 }));
    assert_eq!(completion.bytes, ByteCounts { read: 30, produced: 30, delivered: 0 });
}

#[test]
fn a_read_that_may_be_short_succeeds_with_what_there_is() {
    for there in [0, 30] {
        let mut desk = Desk::plain();
        desk.start(Request { allow_short: true, ..read(100) });
        let op = desk.op();
        desk.moved(op, there);
        if there > 0 {
            let op = desk.op();
            desk.moved(op, 0);
        }
        let completion = desk.completion();
        assert_eq!(kind(completion), Ok(()));
        assert_eq!(completion.bytes.delivered, there);
    }
}

#[test]
fn bytes_behind_a_gap_are_no_result() {
    let mut desk = Desk::plain();
    desk.start(Request { allow_short: true, ..read(8 * KIB) });
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    // The file grew between the two reads.
    desk.moved(ops[0], 0);
    desk.moved(ops[1], 4 * KIB);
    let bytes = desk.completion().bytes;
    assert_eq!((bytes.read, bytes.delivered), (4 * KIB, 0));
}

#[test]
fn parts_behind_the_end_of_the_file_are_not_begun() {
    let mut desk = Desk::plain();
    desk.start(read(100 * KIB));
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    for (number, op) in ops.into_iter().enumerate() {
        desk.moved(op, if number == 0 { 4 * KIB } else { 0 });
    }
    let eof = ErrorKind::EndOfFile { requested: 100 * KIB, got: 4 * KIB };
    // The part begun when the first made room was not begun: nobody polled meanwhile.
    assert_eq!(desk.end(), Err(eof));
}

#[test]
fn an_interrupted_transfer_is_tried_again_at_once_and_not_for_ever() {
    let mut desk = Desk::new(1, Config { max_stalls: 3, ..plain() });
    desk.start(read(10));
    for _ in 0..3 {
        let op = desk.op();
        desk.fault(op, 4);
    }
    let op = desk.op();
    desk.fault(op, 4);
    assert_eq!(desk.end(), Err(ErrorKind::Io { errno: 4 }));
    assert_eq!(desk.queue.stats().retries, 3);
}

#[test]
fn progress_forgives_earlier_stalls() {
    let mut desk = Desk::new(1, Config { max_stalls: 1, ..plain() });
    desk.start(read(10));
    for _ in 0..5 {
        let op = desk.op();
        desk.fault(op, 4);
        let op = desk.op();
        desk.moved(op, 1);
    }
    let op = desk.op();
    desk.moved(op, 5);
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn a_write_that_moves_nothing_fails_in_the_end() {
    let mut desk = Desk::new(1, Config { max_stalls: 2, ..plain() });
    desk.start(write(10));
    let op = desk.op();
    desk.moved(op, 4);
    for _ in 0..3 {
        let op = desk.op();
        desk.moved(op, 0);
    }
    assert_eq!(desk.end(), Err(ErrorKind::WriteZero { requested: 10, got: 4 }));
}

#[test]
fn other_error_numbers_are_final() {
    for errno in [5, 28, 125] {
        let mut desk = Desk::plain();
        desk.start(write(10));
        let op = desk.op();
        desk.fault(op, errno);
        assert_eq!(desk.end(), Err(ErrorKind::Io { errno }));
    }
}

#[test]
fn a_failed_part_hurries_the_others_and_waits_for_them() {
    let mut desk = Desk::plain();
    desk.start(read(8 * KIB));
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    desk.fault(ops[0], 5);
    assert_eq!(desk.actions(), [Action::Cancel { op: ops[1] }]);
    assert!(!desk.queue.is_idle());
    desk.moved(ops[1], 4 * KIB);
    assert_eq!(desk.end(), Err(ErrorKind::Io { errno: 5 }));
}

#[test]
fn syncs_reach_the_engine() {
    let mut desk = Desk::plain();
    for data_only in [false, true] {
        desk.start(Request::sync(FileId(8), data_only));
        let Action::Sync { op, file, data_only: told } = desk.action() else { panic!("no sync") };
        assert_eq!((file, told), (FileId(8), data_only));
        desk.fault(op, 4);
        let op = desk.op();
        assert_eq!(desk.queue.stats().in_flight, 1);
        desk.answer(op, Ok(ds_core::Done::Synced));
        let completion = desk.completion();
        assert_eq!((kind(completion), completion.bytes), (Ok(()), ByteCounts::default()));
    }
    let failing = desk.start(Request::sync(FileId(8), false));
    let op = desk.op();
    desk.fault(op, 5);
    let completion = desk.completion();
    assert_eq!(completion.id, failing);
    let context = completion.result.unwrap_err().context;
    assert_eq!((context.operation, context.file), (Some(Operation::Fsync), Some(FileId(8))));
}

#[test]
fn requests_of_no_bytes_need_no_engine() {
    let mut desk = Desk::plain();
    for request in
        [read(0), write(0), Request::read(host(0), host(0)), Request::read(file(0), crate::desk::device(0))]
    {
        desk.start(request);
        let completion = desk.completion();
        assert_eq!((kind(completion), completion.bytes), (Ok(()), ByteCounts::default()));
    }
}

#[test]
fn transfers_at_once_are_limited() {
    let mut desk = Desk::new(8, Config { max_transfers: 3, ..plain() });
    for _ in 0..5 {
        desk.enqueue(read(1));
    }
    desk.submit();
    let ops: Vec<_> = desk.actions().iter().filter_map(Action::op).collect();
    assert_eq!(ops.len(), 3);
    desk.moved(ops[1], 1);
    assert_eq!(desk.actions().len(), 1);
}

#[test]
fn bytes_at_once_are_limited_and_a_larger_request_runs_alone() {
    let mut desk = Desk::new(8, Config { max_bytes_in_flight: 1000, ..plain() });
    let lens = [600, 400, 1, 4000, 10];
    for len in lens {
        desk.enqueue(read(len));
    }
    desk.submit();
    let mut groups = Vec::new();
    loop {
        let actions = desk.actions();
        if actions.is_empty() {
            break;
        }
        groups.push(actions.len());
        assert!(desk.queue.stats().bytes_in_flight <= 4000);
        for action in actions {
            if let Action::Read { op, into, .. } = action {
                desk.moved(op, into.len);
            }
        }
    }
    assert_eq!(groups, [2, 1, 1, 1]);
    assert_eq!(desk.queue.stats().bytes_in_flight, 0);
}

#[test]
fn the_count_of_bytes_in_flight_survives_the_largest_requests() {
    let mut desk = Desk::new(4, Config { chunk_size: u64::MAX, ..plain() });
    let all = i64::MAX as u64 - 100;
    for _ in 0..4 {
        desk.enqueue(read(all));
    }
    desk.submit();
    assert_eq!(desk.run(), 4);
    assert_eq!((desk.queue.stats().bytes_in_flight, desk.queue.stats().succeeded), (0, 4));
}

#[test]
fn without_room_no_transfer_starts_and_the_rest_goes_on() {
    let mut desk = Desk::plain();
    desk.enqueue(read(10));
    desk.submit();
    assert!(desk.queue.wants_transfers());
    assert_eq!(desk.queue.poll_action(desk.now, Room::NoTransfers), None);
    let op = desk.op();
    assert!(!desk.queue.wants_transfers());
    desk.moved(op, 10);
    assert_eq!(desk.queue.poll_action(desk.now, Room::NoTransfers), None);
    assert_eq!(desk.queue.stats().succeeded, 1);
}
