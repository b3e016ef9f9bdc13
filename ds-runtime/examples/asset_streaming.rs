//! Many concurrent reads at offsets of one packed file, each decoded on arrival, and an error hook that hears of the one that
//! cannot work.
//!
//! Run with `cargo run --release -p ds-runtime --example asset_streaming`.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use ds_gdeflate::{CodecId, Level, compress};
use ds_runtime::{Completion, ErrorKind, File, QueueOptions, Request, Runtime};

const ASSETS: usize = 500;

struct Asset {
    offset: u64,
    packed: u64,
    raw: Vec<u8>,
}

/// Writes assets of different sizes back to back, packed, and says where each is.
fn pack(file: &mut std::fs::File) -> Result<Vec<Asset>, Box<dyn std::error::Error>> {
    let mut offset = 0;
    let mut assets = Vec::new();
    for number in 0..ASSETS {
        let line = format!("asset {number}: vertex, index, texel, sample. ");
        let raw = line.repeat(1 + number * 37 % 4000).into_bytes();
        let packed = compress(&raw, Level::FASTEST, CodecId::default())?;
        file.write_all(&packed)?;
        assets.push(Asset { offset, packed: packed.len() as u64, raw });
        offset += packed.len() as u64;
    }
    Ok(assets)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut packed = tempfile::tempfile()?;
    let assets = pack(&mut packed)?;
    let file = File::from(packed);

    let failures = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&failures);
    let options = QueueOptions::default().name("assets").capacity(128).error_hook(move |report| {
        heard.fetch_add(1, Ordering::Relaxed);
        println!("error hook: {report}");
    });
    let runtime = Runtime::builder().build()?;
    let queue = runtime.queue(options)?;

    // More assets than the queue has slots: enqueue waits for room, and submits by itself at half.
    let (send, receive) = mpsc::channel::<Completion>();
    for (number, asset) in assets.iter().enumerate() {
        let request = Request::read(&file, asset.offset, asset.packed).gdeflate(asset.raw.len() as u64);
        let send = send.clone();
        queue.enqueue_with(request.tag(number as u64), move |completion| {
            send.send(completion).expect("the receiver outlives the queue");
        })?;
    }
    let beyond = queue.enqueue(Request::read(&file, file.size()?, 100))?;
    queue.wait_all(None)?;
    // Callbacks may still be running on engine threads; closing waits for them.
    queue.close();
    drop(send);

    let mut bytes = 0;
    for completion in receive {
        let asset = &assets[usize::try_from(completion.tag)?];
        let completion = completion.check()?;
        assert_eq!(completion.buffer, asset.raw);
        bytes += completion.buffer.len();
    }
    let end = beyond.wait().result.expect_err("there is nothing after the end");
    assert_eq!(end.kind, ErrorKind::EndOfFile { requested: 100, got: 0 });
    assert_eq!(failures.load(Ordering::Relaxed), 1);

    let stats = queue.stats();
    println!("{} assets, {bytes} bytes decoded and verified", stats.succeeded);
    println!("{} bytes read, {} requests failed as they should", stats.bytes.read, stats.failed);
    for (path, requests) in stats.paths() {
        println!("path {path}: {requests} requests");
    }
    Ok(())
}
