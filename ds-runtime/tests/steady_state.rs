//! A warm queue allocates nothing per request, and a dropped runtime leaves nothing behind.

#[path = "../../ds-core/tests/allocations/mod.rs"]
mod allocations;

use std::io::Write;

use ds_gdeflate::{CodecId, Level, compress};
use ds_runtime::{File, Queue, QueueOptions, Request, Runtime};

/// One batch of reads and decodes into buffers that go round and round.
fn batch(queue: &Queue, file: &File, packed: u64, raw: u64, buffers: &mut Vec<Vec<u8>>) {
    for number in 0..32 {
        let buffer = buffers.pop().expect("as many buffers as requests");
        let request = Request::read(file, 0, packed);
        let request = if number % 2 == 0 { request } else { request.gdeflate(raw) };
        queue.post(request.into_buffer(buffer)).expect("there is room");
    }
    queue.wait_all(None).expect("no timeout");
    for done in queue.take_completed(32) {
        done.result.expect("the file is good");
        buffers.push(done.buffer);
    }
}

fn count(kind: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{kind}")).expect("procfs").count()
}

// One test: allocations, descriptors and threads are the whole process's.
#[test]
fn nothing_is_allocated_per_request_and_nothing_is_left() {
    let raw = b"steady state, nothing moves. ".repeat(20_000);
    let packed = compress(&raw, Level::FASTEST, CodecId::default()).expect("it fits");
    let mut data = tempfile::tempfile().expect("a temporary file");
    data.write_all(&packed).expect("room for it");
    let file = File::from(data);
    let (descriptors, threads) = (count("fd"), count("task"));

    for _ in 0..5 {
        let runtime = Runtime::builder().build().expect("the cpu engine");
        let queue = runtime.queue(QueueOptions::default()).expect("a queue");
        let mut buffers: Vec<Vec<u8>> = (0..32).map(|_| Vec::with_capacity(raw.len())).collect();
        let mut run = |rounds| {
            let before = allocations::by_all_threads();
            for _ in 0..rounds {
                batch(&queue, &file, packed.len() as u64, raw.len() as u64, &mut buffers);
            }
            allocations::by_all_threads() - before
        };
        let warming = run(20);
        let steady = run(100);
        println!("{warming} allocations in the first 640 requests, {steady} in the next 3200");
        // One a batch is the vector `take_completed` returns; a few come from threads that had not yet had work.
        assert!(steady <= 100 + 40, "{steady} allocations");
    }

    // A thread is gone from the list a moment after it was joined.
    for _ in 0..3000 {
        if count("task") == threads {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!((count("fd"), count("task")), (descriptors, threads));
}
