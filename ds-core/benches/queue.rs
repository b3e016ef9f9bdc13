//! What the queue itself costs, with no engine behind it.

#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "../tests/allocations/mod.rs"]
mod allocations;

use core::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ds_core::{
    Action, BufferId, Completion, Config, Done, FileId, Location, Outcome, Path, Queue, Request, Room, Slot,
    Time,
};

type BenchQueue = Queue<Box<[Slot]>>;

const CAPACITIES: [usize; 2] = [128, 8192];

fn queue(capacity: usize) -> BenchQueue {
    let config = Config { auto_submit: false, ..Config::default() };
    Queue::new(vec![Slot::new(); capacity].into_boxed_slice(), config).expect("the configuration is sound")
}

fn read(len: u64) -> Request {
    let source = Location::File { file: FileId(1), offset: 0, len };
    Request::read(source, Location::Host { buffer: BufferId(1), offset: 0, len })
}

/// Enqueue, submit, poll, answer if there is something to answer, take the completion.
fn round_trip(queue: &mut BenchQueue, request: &Request, now: Time) -> Completion {
    queue.try_enqueue(request, now).expect("there is a free slot");
    queue.submit(now);
    while let Some(action) = queue.poll_action(now, Room::Any) {
        let Action::Read { op, into, .. } = action else { continue };
        let outcome = Outcome { op, result: Ok(Done::Moved(into.len)), path: Path::IO_CPU };
        queue.handle_outcome(outcome, now).expect("the operation is outstanding");
    }
    queue.next_completion().expect("the request has ended")
}

/// As many at once as the queue has slots.
fn batch(queue: &mut BenchQueue, request: &Request, now: Time) -> u64 {
    while queue.vacancies() > 0 {
        queue.try_enqueue(request, now).expect("there is a free slot");
    }
    queue.submit(now);
    while let Some(action) = queue.poll_action(now, Room::Any) {
        let Action::Read { op, into, .. } = action else { continue };
        let outcome = Outcome { op, result: Ok(Done::Moved(into.len)), path: Path::IO_CPU };
        queue.handle_outcome(outcome, now).expect("the operation is outstanding");
    }
    let mut bytes = 0;
    while let Some(completion) = queue.next_completion() {
        bytes += completion.bytes.delivered;
    }
    bytes
}

fn allocates_nothing(mut work: impl FnMut()) {
    work();
    let before = allocations::by_all_threads();
    for _ in 0..10 {
        work();
    }
    assert_eq!(allocations::by_all_threads(), before, "steady state allocates");
}

fn benches(criterion: &mut Criterion) {
    for (name, len) in [("no-op", 0), ("read", 4096)] {
        let request = read(len);
        let mut group = criterion.benchmark_group(name);
        for capacity in CAPACITIES {
            let mut queue = queue(capacity);
            allocates_nothing(|| {
                black_box(round_trip(&mut queue, &request, Time::ZERO));
            });
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::new("one at a time", capacity), |bencher| {
                bencher.iter(|| round_trip(&mut queue, black_box(&request), Time::ZERO));
            });
            allocates_nothing(|| {
                black_box(batch(&mut queue, &request, Time::ZERO));
            });
            group.throughput(Throughput::Elements(capacity as u64));
            group.bench_function(BenchmarkId::new("full queue", capacity), |bencher| {
                bencher.iter(|| batch(&mut queue, black_box(&request), Time::ZERO));
            });
        }
        group.finish();
    }
}

criterion_group!(queue_benches, benches);
criterion_main!(queue_benches);
