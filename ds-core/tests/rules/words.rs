//! What people read.

use ds_core::{
    Corrupt, CorruptReason, Error, ErrorKind, LocationKind, Misuse, Operation, Path, Stage, UnknownOp,
};

use crate::desk::{Desk, KIB, device, file, read};

#[test]
fn every_kind_of_error_says_something_of_its_own() {
    let corrupt =
        |reason| ErrorKind::Corrupt(Corrupt { reason, tile: None, position: 1, expected: 2, actual: 3 });
    let (source, destination) = (LocationKind::None, LocationKind::File);
    let invalid = ErrorKind::Invalid;
    let kinds = [
        invalid(Misuse::Locations { operation: Operation::Read, source, destination }),
        invalid(Misuse::RangeOverflow { offset: 1, len: 2 }),
        invalid(Misuse::RangeOutside { offset: 1, len: 2, size: 3 }),
        invalid(Misuse::SizeMismatch { source: 1, destination: 2 }),
        invalid(Misuse::UncompressedSize { expected: 1, actual: 2 }),
        invalid(Misuse::TransformOnWrite),
        invalid(Misuse::ShortNotAllowed),
        invalid(Misuse::UnknownToken("file")),
        invalid(Misuse::AccessMode),
        invalid(Misuse::NoPositions),
        invalid(Misuse::Unaligned { offset: 1, len: 2, alignment: 512 }),
        invalid(Misuse::Configuration("what it must be")),
        ErrorKind::QueueFull { capacity: 7 },
        ErrorKind::Closed,
        ErrorKind::TooLarge { requested: 1, limit: 2 },
        ErrorKind::EndOfFile { requested: 1, got: 2 },
        ErrorKind::Io { errno: 5 },
        ErrorKind::WriteZero { requested: 1, got: 2 },
        corrupt(CorruptReason::Header),
        corrupt(CorruptReason::Table),
        corrupt(CorruptReason::Truncated),
        corrupt(CorruptReason::BlockType),
        corrupt(CorruptReason::Code),
        corrupt(CorruptReason::Distance),
        corrupt(CorruptReason::Overrun),
        corrupt(CorruptReason::Size),
        corrupt(CorruptReason::Custom),
        ErrorKind::Unsupported("why"),
        ErrorKind::OutOfMemory,
        ErrorKind::DeviceLost,
        ErrorKind::TimedOut,
        ErrorKind::Cancelled,
        ErrorKind::EngineFault("how"),
    ];
    let mut words: Vec<_> = kinds.iter().map(|&kind| Error::new(kind).to_string()).collect();
    assert!(words.iter().all(|words| !words.is_empty() && !words.ends_with('.')));
    let failures = kinds.iter().filter(|kind| kind.is_failure()).count();
    assert_eq!(failures, kinds.len() - 1);
    words.sort();
    words.dedup();
    assert_eq!(words.len(), kinds.len());
}

#[test]
fn an_error_tells_where_and_how_far() {
    let mut desk = Desk::plain();
    let id = desk.start(ds_core::Request { tag: 12, ..read(8 * KIB) });
    let ops: Vec<_> = desk.actions().iter().filter_map(ds_core::Action::op).collect();
    desk.fault(ops[0], 5);
    desk.moved(ops[1], 1);
    let error = desk.completion().result.unwrap_err();
    assert_eq!((error.context.request, error.context.stage), (Some(id), Stage::Reading));
    assert_eq!((error.context.path, error.context.offset), (Path::IO_CPU, 100));
    let words = error.to_string();
    assert_eq!(
        words,
        format!(
            "I/O error: errno 5 (Read, {id}, File to Host, 8192 bytes at 100, tag 12, stage Reading, path io:cpu)"
        )
    );
}

#[test]
fn an_error_names_the_stage_it_happened_in() {
    let mut desk = Desk::plain();
    desk.enqueue(read(1));
    desk.queue.cancel_all();
    assert_eq!(desk.completion().result.unwrap_err().context.stage, Stage::Queued);
    desk.start(read(1));
    desk.queue.cancel_all();
    assert_eq!(desk.completion().result.unwrap_err().context.stage, Stage::Submitted);
    desk.start(ds_core::Request::read(file(1), device(1)));
    let op = desk.op();
    desk.answer(op, Ok(ds_core::Done::Leased(ds_core::LeaseId(1))));
    let op = desk.op();
    desk.moved(op, 1);
    let op = desk.op();
    desk.answer(op, Err(ds_core::Fault::DeviceLost));
    desk.actions();
    assert_eq!(desk.completion().result.unwrap_err().context.stage, Stage::Placing);
}

#[test]
fn ids_can_be_read() {
    let mut desk = Desk::plain();
    let id = desk.start(read(1));
    let op = desk.op();
    assert_eq!((id.to_string(), format!("{id:?}")), ("request 0#1".into(), "request 0#1".into()));
    assert_eq!(format!("{op:?}"), "op 0.0#1");
    assert_eq!(UnknownOp(op).to_string(), "op 0.0#1 is not outstanding");
    let tile = Corrupt { reason: CorruptReason::Code, tile: Some(4), position: 1, expected: 2, actual: 3 };
    assert_eq!(tile.to_string(), "bad prefix code in tile 4 at 1: expected 2, got 3");
}
