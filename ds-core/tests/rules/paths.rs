//! The table of the architecture page: which stages a request has, and which memory each uses.

use ds_core::{Action, ByteCounts, Decode, Done, LeaseId, Memory, Processor, Request, Room, Span, Transform};

use crate::desk::{Desk, KIB, device, file, host, kind};

const LEASE: Memory = Memory::Lease(LeaseId(1));

/// The actions of a request on a machine without faults, in short.
fn stages(request: Request) -> Vec<String> {
    let mut desk = Desk::plain();
    desk.start(request);
    let mut seen = Vec::new();
    while let Some(action) = desk.queue.poll_action(desk.now, Room::Any) {
        let op = action.op();
        let done = match action {
            Action::Lease { len, .. } => {
                seen.push(format!("lease {len}"));
                Done::Leased(LeaseId(1))
            }
            Action::Release { .. } => {
                seen.push("release".into());
                continue;
            }
            Action::Read { into, .. } => {
                seen.push(format!("read into {}", name(into)));
                Done::Moved(into.len)
            }
            Action::Write { from, .. } => {
                seen.push(format!("write from {}", name(from)));
                Done::Moved(from.len)
            }
            Action::Decode(Decode { from, into, .. }) => {
                seen.push(format!("decode {} to {}", name(from), name(into)));
                let produced = into.len;
                Done::Decoded(ds_core::DecodeStep { cursor: 1, produced, wants: 0, finished: true })
            }
            Action::Copy { from, into, .. } => {
                assert_eq!(from.len, into.len);
                seen.push(format!("copy {} to {}", name(from), name(into)));
                Done::Moved(from.len)
            }
            other => panic!("{other:?}"),
        };
        desk.answer(op.unwrap(), Ok(done));
    }
    assert_eq!(kind(desk.queue.next_completion().unwrap()), Ok(()));
    seen
}

fn name(span: Span) -> String {
    let memory = match span.memory {
        Memory::Host(_) => "host",
        Memory::Device { .. } => "device",
        Memory::Lease(_) => "lease",
    };
    format!("{memory}+{}:{}", span.offset, span.len)
}

fn decode(source: ds_core::Location, destination: ds_core::Location, on: Processor) -> Request {
    Request { processor: on, ..Request::decode(source, destination, Transform::GDeflate, destination.len()) }
}

#[test]
fn file_to_host() {
    assert_eq!(stages(Request::read(file(50), host(50))), ["read into host+7:50"]);
    assert_eq!(
        stages(decode(file(50), host(90), Processor::Host)),
        ["lease 50", "read into lease+0:50", "decode lease+0:50 to host+7:90", "release"]
    );
}

#[test]
fn file_to_device() {
    assert_eq!(
        stages(Request::read(file(50), device(50))),
        ["lease 50", "read into lease+0:50", "copy lease+0:50 to device+16:50", "release"]
    );
    assert_eq!(
        stages(decode(file(50), device(90), Processor::Host)),
        [
            "lease 4186",
            "read into lease+0:50",
            "decode lease+0:50 to lease+4096:90",
            "copy lease+4096:90 to device+16:90",
            "release"
        ]
    );
    assert_eq!(
        stages(decode(file(50), device(90), Processor::Device)),
        ["lease 50", "read into lease+0:50", "decode lease+0:50 to device+16:90", "release"]
    );
}

#[test]
fn memory_to_memory() {
    assert_eq!(stages(Request::read(host(50), host(50))), ["copy host+7:50 to host+7:50"]);
    assert_eq!(stages(Request::read(device(50), host(50))), ["copy device+16:50 to host+7:50"]);
    assert_eq!(stages(decode(host(50), host(90), Processor::Host)), ["decode host+7:50 to host+7:90"]);
    assert_eq!(stages(decode(device(50), host(90), Processor::Device)), ["decode device+16:50 to host+7:90"]);
    assert_eq!(
        stages(decode(device(50), host(90), Processor::Host)),
        ["lease 50", "copy device+16:50 to lease+0:50", "decode lease+0:50 to host+7:90", "release"]
    );
    assert_eq!(
        stages(decode(host(50), device(90), Processor::Host)),
        ["lease 90", "decode host+7:50 to lease+0:90", "copy lease+0:90 to device+16:90", "release"]
    );
}

#[test]
fn memory_to_file() {
    assert_eq!(stages(Request::write(host(50), file(50))), ["write from host+7:50"]);
    assert_eq!(
        stages(Request::write(device(50), file(50))),
        ["lease 50", "copy device+16:50 to lease+0:50", "write from lease+0:50", "release"]
    );
}

#[test]
fn nothing_is_decoded_from_nothing() {
    assert_eq!(stages(decode(file(0), host(0), Processor::Host)), ["decode host+7:0 to host+7:0"]);
    assert_eq!(stages(decode(file(0), device(0), Processor::Host)), ["decode device+16:0 to device+16:0"]);
}

#[test]
fn a_codec_is_told_how_much_an_opaque_object_takes() {
    let request = Request { uncompressed_size: 120, ..decode(file(50), device(90), Processor::Device) };
    assert_eq!(stages(request)[2], "decode lease+0:50 to device+16:120");
}

#[test]
fn bytes_through_staging_are_counted_once() {
    let mut desk = Desk::plain();
    desk.start(Request::write(device(9 * KIB), file(9 * KIB)));
    desk.run();
    let all = 9 * KIB;
    assert_eq!(desk.completion().bytes, ByteCounts { read: all, produced: all, delivered: all });
}

#[test]
fn a_short_read_takes_no_stale_bytes_to_a_device() {
    for there in [0, 20] {
        let mut desk = Desk::plain();
        desk.start(Request { allow_short: true, ..Request::read(file(50), device(50)) });
        let op = desk.op();
        desk.answer(op, Ok(Done::Leased(LeaseId(1))));
        let op = desk.op();
        desk.moved(op, there);
        if there > 0 {
            let op = desk.op();
            desk.moved(op, 0);
            let Action::Copy { op, from, into } = desk.action() else { panic!("no copy") };
            assert_eq!((from.memory, from.len, into.len), (LEASE, there, there));
            desk.moved(op, there);
        }
        assert_eq!(desk.action(), Action::Release { lease: LeaseId(1) });
        assert_eq!(desk.completion().bytes.delivered, there);
    }
}
