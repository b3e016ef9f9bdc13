//! Numbers.

use core::time::Duration;

use ds_core::{
    Action, ByteCounts, Config, DecodeStep, Done, Latency, LeaseId, Outcome, Path, Request, Transform,
};

use crate::desk::{Desk, device, file, plain, read, write};

#[test]
fn every_request_is_counted_where_it_stands() {
    let mut desk = Desk::plain();
    let stats = |desk: &Desk| {
        let stats = desk.queue.stats();
        [stats.unsubmitted, stats.in_flight, stats.undelivered]
    };
    desk.enqueue(read(1));
    assert_eq!(stats(&desk), [1, 0, 0]);
    desk.submit();
    assert_eq!(stats(&desk), [0, 1, 0]);
    let op = desk.op();
    assert_eq!(desk.queue.stats().bytes_in_flight, 1);
    desk.moved(op, 1);
    desk.idle();
    assert_eq!(stats(&desk), [0, 0, 1]);
    assert_eq!(desk.queue.stats().completed(), 1, "counted at the end, not at delivery");
    desk.queue.next_completion();
    assert_eq!(stats(&desk), [0, 0, 0]);
}

#[test]
fn bytes_and_ends_add_up() {
    let mut desk = Desk::plain();
    desk.start(read(10));
    desk.start(write(20));
    desk.run();
    desk.start(read(40));
    let op = desk.op();
    desk.fault(op, 5);
    let id = desk.start(read(80));
    desk.queue.cancel(id);
    desk.actions();
    let stats = desk.queue.stats();
    assert_eq!((stats.enqueued, stats.succeeded, stats.failed, stats.cancelled), (4, 2, 1, 1));
    assert_eq!(stats.bytes, ByteCounts { read: 30, produced: 30, delivered: 30 });
}

#[test]
fn latency_runs_from_submit_to_the_end() {
    let mut desk = Desk::plain();
    desk.enqueue(read(1));
    desk.pass(5000);
    desk.submit();
    let op = desk.op();
    desk.pass(700);
    desk.moved(op, 1);
    assert_eq!(desk.completion().latency, Duration::from_nanos(700));
}

#[test]
fn latencies_fall_into_powers_of_two() {
    let mut desk = Desk::plain();
    for (nanos, times) in [(0, 1), (3, 5), (1000, 3), (1 << 50, 1)] {
        for _ in 0..times {
            desk.start(read(1));
            let op = desk.op();
            desk.pass(nanos);
            desk.moved(op, 1);
            desk.completion();
        }
    }
    let latency = &desk.queue.stats().latency;
    assert_eq!(latency.total(), 10);
    assert_eq!((latency.counts()[0], latency.counts()[1], latency.counts()[9]), (1, 5, 3));
    assert_eq!(latency.counts()[Latency::BUCKETS - 1], 1);
    let quantile = |fraction| latency.quantile(fraction).unwrap().as_nanos();
    assert_eq!((quantile(0.0), quantile(0.1), quantile(0.5), quantile(0.9)), (1, 1, 3, 1023));
    assert_eq!(quantile(1.0), (1 << 40) - 1);
    assert_eq!(Latency::default().quantile(0.5), None);
}

#[test]
fn stages_are_timed_if_asked_for() {
    let mut desk = Desk::new(2, Config { stage_times: true, ..plain() });
    desk.enqueue(Request::decode(file(10), device(20), Transform::GDeflate, 20));
    desk.pass(1);
    desk.submit();
    desk.pass(10);
    let lease = desk.op();
    desk.answer(lease, Ok(Done::Leased(LeaseId(1))));
    let op = desk.op();
    desk.pass(100);
    desk.moved(op, 10);
    let Action::Decode(decode) = desk.action() else { panic!("no decoding") };
    desk.pass(1000);
    let step = DecodeStep { cursor: 0, produced: 20, wants: 0, finished: true };
    desk.answer(decode.op, Ok(Done::Decoded(step)));
    let op = desk.op();
    desk.pass(10_000);
    desk.moved(op, 20);
    desk.actions();
    let completion = desk.completion();
    let times = completion.times.unwrap();
    let shown = [times.queued, times.waiting, times.reading, times.decoding, times.placing];
    assert_eq!(shown.map(|time| time.as_nanos()), [1, 10, 100, 1000, 10_000]);
    assert_eq!(desk.queue.stats().times, times);
    assert_eq!(Desk::plain().queue.stats().times, ds_core::StageTimes::default());
}

#[test]
fn the_path_is_what_the_engines_say() {
    let mut desk = Desk::plain();
    desk.start(read(8192));
    for (action, path) in desk.actions().iter().zip([Path::IO_URING, Path::IO_URING | Path::INLINE]) {
        let outcome = Outcome { op: action.op().unwrap(), result: Ok(Done::Moved(4096)), path };
        desk.queue.handle_outcome(outcome, desk.now).unwrap();
    }
    let path = desk.completion().path;
    assert_eq!(path, Path::IO_URING | Path::INLINE);
    assert!(path.contains(Path::IO_URING) && !path.contains(Path::IO_CPU));
    assert_eq!(path.to_string(), "io:uring+inline");
    assert_eq!(Path::NONE.to_string(), "-");
    desk.start(read(0));
    desk.completion();
    let counts: Vec<_> = desk.queue.stats().paths().collect();
    assert_eq!(counts, [(Path::IO_URING, 1), (Path::INLINE, 1)]);
}
