//! Requests are futures: any executor will do. Here a small one of twenty lines, to show that none is needed in particular.
//!
//! Run with `cargo run -p ds-runtime --example async_read`.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use ds_runtime::{Error, File, Queue, QueueOptions, Request, Runtime};

/// Wakes the thread that blocks on the future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

async fn read_at(queue: &Queue, file: &File, offset: u64, len: u64) -> Result<Vec<u8>, Error> {
    let ticket = queue.enqueue(Request::read(file, offset, len))?;
    Ok(ticket.await.check()?.buffer)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("numbers");
    std::fs::write(&path, (0..=255).collect::<Vec<u8>>())?;

    let runtime = Runtime::builder().build()?;
    let queue = runtime.queue(QueueOptions::default())?;
    let file = File::open(&path)?;
    let sum = block_on(async {
        let head = read_at(&queue, &file, 0, 4).await?;
        let tail = read_at(&queue, &file, 252, 4).await?;
        Ok::<u32, Error>(head.iter().chain(&tail).map(|&byte| u32::from(byte)).sum())
    })?;
    println!("first and last four bytes add up to {sum}");
    assert_eq!(sum, 6 + 252 + 253 + 254 + 255);

    let gone = block_on(read_at(&queue, &file, 250, 100)).expect_err("the file is shorter");
    println!("as it should, a read past the end says: {gone}");
    Ok(())
}
