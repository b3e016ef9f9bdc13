//! Progress of a batch, from a queue's statistics and its markers.
//!
//! Run with `cargo run --release -p ds-runtime --example progress`.

use std::io::Write;
use std::time::Duration;

use ds_runtime::{Fence, File, QueueOptions, Request, Runtime, Status, StatusArray};

const BATCHES: u64 = 8;
const REQUESTS: u64 = 64;
const SIZE: u64 = 64 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut data = tempfile::tempfile()?;
    data.write_all(&vec![7; usize::try_from(REQUESTS * SIZE)?])?;
    let file = File::from(data);

    let runtime = Runtime::builder().build()?;
    let queue = runtime.queue(QueueOptions::default().capacity(1024))?;
    let (fence, status) = (Fence::new(), StatusArray::new(BATCHES as usize));

    let mut tickets = Vec::new();
    for batch in 0..BATCHES {
        for request in 0..REQUESTS {
            tickets.push(queue.enqueue(Request::read(&file, request * SIZE, SIZE))?);
        }
        queue.enqueue_status(&status, u32::try_from(batch)?)?;
        queue.enqueue_signal(&fence, batch + 1)?;
    }
    queue.submit();

    for batch in 1..=BATCHES {
        assert!(fence.wait(batch, Some(Duration::from_secs(30))), "batch {batch} took too long");
        let stats = queue.stats();
        println!(
            "batch {batch} of {BATCHES} is in; {} of {} requests done, {} in flight",
            stats.completed(),
            stats.enqueued,
            stats.in_flight
        );
        assert_eq!(status.get(u32::try_from(batch - 1)?), Some(Status::Ok));
    }
    let bytes: u64 = tickets.into_iter().map(|ticket| ticket.wait().bytes.delivered).sum();
    println!("{bytes} bytes in all");
    assert_eq!(bytes, BATCHES * REQUESTS * SIZE);
    Ok(())
}
