//! Entries in.

use ds_core::{
    BufferId, Config, ErrorKind, EventToken, FileId, Location, Misuse, Processor, Queue, Request, Room,
    SignalToken, Slot, StatusToken, Time, Transform,
};

use crate::desk::{Desk, device, file, host, plain, read, write};

#[test]
fn nothing_starts_before_submit() {
    let mut desk = Desk::plain();
    desk.enqueue(read(10));
    desk.idle();
    assert_eq!(desk.submit(), 1);
    assert_eq!(desk.actions().len(), 1);
}

#[test]
fn half_the_capacity_submits_itself() {
    let mut desk = Desk::new(5, Config { auto_submit: true, ..plain() });
    assert_eq!(desk.queue.until_auto_submit(), Some(3));
    desk.enqueue(read(1));
    desk.queue.enqueue_event(EventToken(1), desk.now).unwrap();
    assert_eq!(desk.queue.until_auto_submit(), Some(1));
    desk.idle();
    desk.enqueue(read(1));
    assert_eq!(desk.queue.until_auto_submit(), Some(3));
    assert_eq!(desk.queue.stats().in_flight, 2);
    assert_eq!(desk.actions().len(), 2);
}

#[test]
fn the_slot_freed_last_is_taken_first_and_none_wears_out_before_the_others() {
    let mut desk = Desk::plain();
    let mut uses = [0_u32; 8];
    let (mut last, mut changes) = (0, 0);
    for _ in 0..8 * 1024 {
        let id = desk.start(read(0));
        desk.idle();
        assert!(desk.queue.take(id).is_some());
        changes += u32::from(id.index() != last);
        last = id.index();
        uses[last] += 1;
    }
    assert!(changes < 8 * 1024 / 100, "{changes}");
    assert!(uses.iter().max().unwrap() - uses.iter().min().unwrap() <= 256, "{uses:?}");
}

#[test]
fn without_auto_submit_a_full_queue_stays_still() {
    let mut desk = Desk::plain();
    for _ in 0..8 {
        desk.enqueue(read(1));
    }
    assert_eq!(desk.queue.until_auto_submit(), None);
    desk.idle();
}

#[test]
fn a_full_queue_refuses_entries_of_every_kind() {
    let mut desk = Desk::new(1, plain());
    desk.start(read(0));
    let full = ErrorKind::QueueFull { capacity: 1 };
    assert_eq!(desk.refuse(read(0)), full);
    let now = desk.now;
    assert_eq!(desk.queue.enqueue_status(StatusToken { array: 0, index: 0 }, now).unwrap_err().kind, full);
    assert_eq!(desk.queue.enqueue_signal(SignalToken { fence: 0, value: 0 }, now).unwrap_err().kind, full);
    assert_eq!(desk.queue.enqueue_event(EventToken(0), now).unwrap_err().kind, full);
}

#[test]
fn a_slot_is_free_when_its_completion_is_taken_and_not_before() {
    let mut desk = Desk::new(1, plain());
    let first = desk.start(read(0));
    desk.idle();
    assert_eq!(
        (desk.queue.vacancies(), desk.queue.unfinished(), desk.queue.is_done(first)),
        (0, 0, Some(true))
    );
    assert!(desk.queue.is_idle());
    assert!(desk.queue.take(first).is_some());
    assert_eq!((desk.queue.vacancies(), desk.queue.held()), (1, 0));
}

#[test]
fn ids_never_name_a_later_request() {
    let mut desk = Desk::new(1, plain());
    let first = desk.start(read(0));
    desk.completion();
    let second = desk.enqueue(read(0));
    assert_eq!(first.index(), second.index());
    assert_ne!(first, second);
    assert_eq!((desk.queue.is_done(first), desk.queue.is_done(second)), (None, Some(false)));
    assert_eq!(desk.queue.cancel(first), 0);
    assert_eq!(desk.queue.take(first), None);
    assert_eq!((desk.queue.peek(second), desk.queue.result(second)), (None, None));
}

#[test]
fn completions_can_be_announced_peeked_at_and_taken_in_any_order() {
    let mut desk = Desk::plain();
    let [first, second, third] = [(); 3].map(|()| desk.enqueue(read(0)));
    desk.submit();
    desk.idle();
    assert_eq!(desk.queue.next_ended(), Some(first));
    assert_eq!(desk.queue.peek(first).map(|completion| completion.id), Some(first));
    assert_eq!(desk.queue.result(first), Some(Ok(())));
    assert_eq!(desk.queue.take(second).map(|completion| completion.id), Some(second));
    assert_eq!(desk.queue.next_ended(), Some(third));
    assert_eq!(desk.queue.next_ended(), None);
    assert_eq!(desk.queue.next_completion().map(|completion| completion.id), Some(first));
    assert_eq!(desk.queue.next_completion().map(|completion| completion.id), Some(third));
    assert_eq!(desk.queue.next_completion(), None);
}

#[test]
fn a_closed_queue_takes_nothing() {
    let mut desk = Desk::plain();
    assert!(!desk.queue.is_closed());
    desk.queue.close(desk.now);
    assert!(desk.queue.is_closed());
    assert_eq!(desk.refuse(read(1)), ErrorKind::Closed);
    assert_eq!(desk.queue.enqueue_event(EventToken(0), desk.now).unwrap_err().kind, ErrorKind::Closed);
}

#[test]
fn operations_go_only_between_places_they_can() {
    let mut desk = Desk::plain();
    for request in [
        Request::read(file(1), file(1)),
        Request::read(Location::None, host(1)),
        Request::read(host(1), Location::None),
        Request::write(file(1), file(1)),
        Request::write(host(1), host(1)),
        Request { source: host(0), ..Request::sync(FileId(0), false) },
    ] {
        let refusal = desk.refuse(request);
        assert!(matches!(refusal, ErrorKind::Invalid(Misuse::Locations { .. })), "{refusal:?}");
    }
}

#[test]
fn both_ends_of_a_raw_request_are_equally_long() {
    let mut desk = Desk::plain();
    let mismatch = ErrorKind::Invalid(Misuse::SizeMismatch { source: 4, destination: 5 });
    assert_eq!(desk.refuse(Request::read(file(4), host(5))), mismatch);
    assert_eq!(desk.refuse(Request::write(host(4), file(5))), mismatch);
}

#[test]
fn the_uncompressed_size_agrees_with_a_host_destination() {
    let mut desk = Desk::plain();
    let wrong = |expected, actual| ErrorKind::Invalid(Misuse::UncompressedSize { expected, actual });
    assert_eq!(desk.refuse(Request::decode(file(4), host(10), Transform::GDeflate, 11)), wrong(10, 11));
    assert_eq!(desk.refuse(Request { uncompressed_size: 3, ..read(4) }), wrong(4, 3));
    // 0 stands for "as long as the source"; an opaque object of a device may take more than it shows.
    desk.enqueue(Request { uncompressed_size: 4, ..read(4) });
    desk.enqueue(Request::decode(file(4), device(10), Transform::GDeflate, 11));
}

#[test]
fn writes_have_no_transform_and_only_raw_file_reads_may_be_short() {
    let mut desk = Desk::plain();
    let invalid = ErrorKind::Invalid;
    let transformed = Request { transform: Transform::GDeflate, ..write(4) };
    assert_eq!(desk.refuse(transformed), invalid(Misuse::TransformOnWrite));
    for request in [write(4), Request::read(host(4), host(4)), Request::sync(FileId(0), true)] {
        let short = Request { allow_short: true, ..request };
        assert_eq!(desk.refuse(short), invalid(Misuse::ShortNotAllowed));
    }
}

#[test]
fn ranges_end_within_what_the_kernel_can_count() {
    let mut desk = Desk::plain();
    let top = i64::MAX as u64;
    let near = |offset, len| Request::read(Location::File { file: FileId(0), offset, len }, host(len));
    let overflow = |offset, len| ErrorKind::Invalid(Misuse::RangeOverflow { offset, len });
    assert_eq!(desk.refuse(near(top, 1)), overflow(top, 1));
    assert_eq!(desk.refuse(near(u64::MAX, u64::MAX)), overflow(u64::MAX, u64::MAX));
    let wide = Location::Host { buffer: BufferId(0), offset: u64::MAX, len: 1 };
    assert_eq!(desk.refuse(Request::read(file(1), wide)), overflow(u64::MAX, 1));
    desk.enqueue(near(top - 5, 5));
    desk.submit();
    let ds_core::Action::Read { op, offset, into, .. } = desk.action() else { panic!("no read") };
    assert_eq!((offset, into.len), (top - 5, 5));
    desk.moved(op, 5);
    assert_eq!(desk.end(), Ok(()));
}

#[test]
fn what_can_never_be_staged_is_refused() {
    let mut desk = Desk::new(2, Config { max_lease: 10_000, ..plain() });
    let too_large = |requested| ErrorKind::TooLarge { requested, limit: 10_000 };
    let decode = Request::decode(file(10_001), device(10), Transform::GDeflate, 10);
    assert_eq!(
        desk.refuse(Request { processor: Processor::Device, ..decode }),
        too_large(10_001),
        "a stream is staged as a whole"
    );
    // Input and output share the lease, the output on the next page.
    let decode = Request::decode(file(1), device(6000), Transform::GDeflate, 6000);
    assert_eq!(desk.refuse(decode), too_large(4096 + 6000));
    desk.enqueue(read(1 << 40));
    // What is only copied goes through it piece by piece.
    desk.enqueue(Request::read(file(1 << 40), device(1 << 40)));
}

#[test]
fn without_any_staging_nothing_reaches_a_device() {
    let mut desk = Desk::new(4, Config { max_lease: 0, ..plain() });
    let too_large = |requested| ErrorKind::TooLarge { requested, limit: 0 };
    assert_eq!(desk.refuse(Request::read(file(1 << 40), device(1 << 40))), too_large(4096));
    assert_eq!(desk.refuse(Request::write(device(7), file(7))), too_large(7));
    desk.enqueue(Request::read(file(0), device(0)));
}

#[test]
fn a_refused_request_leaves_no_mark() {
    let mut desk = Desk::plain();
    let before = *desk.queue.stats();
    desk.refuse(Request::read(file(4), host(5)));
    assert_eq!(*desk.queue.stats(), before);
    assert_eq!(desk.queue.held(), 0);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let refuse = |slots: usize, config| {
        let error = Queue::new(vec![Slot::new(); slots], config).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Invalid(Misuse::Configuration(_))), "{error}");
    };
    refuse(0, plain());
    refuse(1, Config { chunk_size: 4095, ..plain() });
    refuse(1, Config { max_transfers: 0, ..plain() });
}

#[test]
fn any_storage_of_slots_will_do() {
    let mut array = [const { Slot::new() }; 3];
    let mut queue = Queue::new(&mut array[..], plain()).unwrap();
    assert_eq!((queue.capacity(), queue.config().chunk_size), (3, 4096));
    queue.try_enqueue(&read(0), Time::ZERO).unwrap();
    queue.submit(Time::ZERO);
    assert!(queue.poll_action(Time::ZERO, Room::Any).is_none());
    assert!(queue.next_completion().is_some());
    let boxed = Queue::new(vec![Slot::default(); 4].into_boxed_slice(), plain()).unwrap();
    assert_eq!(boxed.capacity(), 4);
}
