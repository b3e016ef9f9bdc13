//! Decoding step by step.

use ds_core::{
    Action, ByteCounts, Config, Corrupt, CorruptReason, Decode, DecodeStep, Done, ErrorKind, Fault, LeaseId,
    OpId, Request, Transform,
};

use crate::desk::{Desk, KIB, file, host, kind, plain};

fn step(cursor: u64, produced: u64, wants: u64, finished: bool) -> Result<Done, Fault> {
    Ok(Done::Decoded(DecodeStep { cursor, produced, wants, finished }))
}

/// A request of 16 KiB of stream that makes 100 bytes, its lease granted; the four reads.
fn leased() -> (Desk, Vec<OpId>) {
    let mut desk = Desk::plain();
    desk.start(Request::decode(file(16 * KIB), host(100), Transform::GDeflate, 100));
    let op = desk.op();
    desk.answer(op, Ok(Done::Leased(LeaseId(4))));
    let reads = desk.actions().iter().filter_map(Action::op).collect();
    (desk, reads)
}

fn decode(desk: &mut Desk) -> Decode {
    match desk.action() {
        Action::Decode(decode) => decode,
        other => panic!("{other:?}"),
    }
}

#[test]
fn decoding_starts_as_bytes_arrive_and_goes_on_when_the_codec_can_use_more() {
    let (mut desk, reads) = leased();
    // A later chunk alone is of no use.
    desk.moved(reads[1], 4 * KIB);
    desk.idle();
    desk.moved(reads[0], 100);
    let actions = desk.actions();
    let [Action::Decode(first), Action::Read { op: rest, into, .. }] = actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!((first.available, first.cursor, into.len), (100, 0, 4 * KIB - 100));
    desk.answer(first.op, step(1, 10, 9 * KIB, false));
    // The first two chunks are not what it wants.
    desk.moved(rest, 4 * KIB - 100);
    desk.idle();
    desk.moved(reads[2], 4 * KIB);
    let second = decode(&mut desk);
    assert_eq!((second.available, second.cursor), (12 * KIB, 1));
    desk.moved(reads[3], 4 * KIB);
    desk.answer(second.op, step(2, 50, 16 * KIB, false));
    let last = decode(&mut desk);
    assert_eq!((last.available, last.from.len, last.cursor), (16 * KIB, 16 * KIB, 2));
    desk.answer(last.op, step(3, 100, 0, true));
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(4) });
    assert_eq!(desk.completion().bytes, ByteCounts { read: 16 * KIB, produced: 100, delivered: 100 });
}

#[test]
fn a_codec_that_wants_too_much_still_gets_what_there_is_in_the_end() {
    let (mut desk, reads) = leased();
    desk.moved(reads[0], 4 * KIB);
    let first = decode(&mut desk);
    desk.answer(first.op, step(1, 0, 16 * KIB, false));
    for op in &reads[1..] {
        desk.idle();
        desk.moved(*op, 4 * KIB);
    }
    assert_eq!(decode(&mut desk).available, 16 * KIB);
}

#[test]
fn a_codec_that_is_done_early_waits_for_the_reading() {
    let (mut desk, reads) = leased();
    desk.moved(reads[0], 4 * KIB);
    let first = decode(&mut desk);
    desk.answer(first.op, step(1, 100, 0, true));
    for op in &reads[1..] {
        desk.idle();
        desk.moved(*op, 4 * KIB);
    }
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(4) });
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn corrupt_data_fails_with_where_and_why() {
    let corrupt =
        Corrupt { reason: CorruptReason::Distance, tile: Some(3), position: 17, expected: 4, actual: 9 };
    let (mut desk, reads) = leased();
    desk.moved(reads[0], 4 * KIB);
    let first = decode(&mut desk);
    desk.answer(first.op, Err(Fault::Corrupt(corrupt)));
    assert_eq!(desk.actions().len(), 3, "the other reads are hurried");
    for op in &reads[1..] {
        desk.answer(*op, Err(Fault::Os(125)));
    }
    assert_eq!(desk.action(), Action::Release { lease: LeaseId(4) });
    let completion = desk.completion();
    assert_eq!(kind(completion), Err(ErrorKind::Corrupt(corrupt)));
    assert_eq!(completion.bytes, ByteCounts { read: 4 * KIB, produced: 0, delivered: 0 });
}

#[test]
fn a_codec_must_keep_its_promises() {
    let broken = [
        (step(1, 101, 0, true), "made more"),
        (step(1, 99, 0, true), "without making"),
        (step(1, 101, 0, false), "made more"),
        (step(1, 0, 16 * KIB + 1, false), "wants more"),
        (step(0, 0, 4 * KIB, false), "no progress"),
        (Ok(Done::Moved(100)), "something else"),
    ];
    for (result, expected) in broken {
        let (mut desk, reads) = leased();
        desk.moved(reads[0], 4 * KIB);
        let op = decode(&mut desk).op;
        desk.answer(op, result);
        desk.actions();
        for op in &reads[1..] {
            desk.moved(*op, 4 * KIB);
        }
        desk.actions();
        match desk.end() {
            Err(ErrorKind::EngineFault(how)) => assert!(how.contains(expected), "{how}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_interrupted_step_is_tried_again_and_success_forgives() {
    let mut desk = Desk::new(1, Config { max_stalls: 1, ..plain() });
    desk.start(Request::decode(host(10), host(100), Transform::Custom(7), 100));
    for cursor in 0..5 {
        let op = decode(&mut desk).op;
        desk.fault(op, 4);
        let again = decode(&mut desk);
        assert_eq!((again.cursor, again.transform), (cursor, Transform::Custom(7)));
        desk.answer(again.op, step(cursor + 1, cursor, 0, false));
    }
    let op = decode(&mut desk).op;
    desk.answer(op, step(9, 100, 0, true));
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn device_loss_and_lack_of_memory_are_final() {
    for (fault, expected) in [
        (Fault::DeviceLost, ErrorKind::DeviceLost),
        (Fault::OutOfMemory, ErrorKind::OutOfMemory),
        (Fault::Unsupported("no such codec"), ErrorKind::Unsupported("no such codec")),
        (Fault::Cancelled, ErrorKind::Cancelled),
    ] {
        let mut desk = Desk::plain();
        desk.start(Request::decode(host(10), host(100), Transform::GDeflate, 100));
        let op = desk.op();
        desk.answer(op, Err(fault));
        assert_eq!(desk.end(), Err(expected));
    }
}
