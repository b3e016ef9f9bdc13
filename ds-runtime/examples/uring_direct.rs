//! Random reads past the page cache, by io_uring, deep enough to keep a disk busy.
//!
//! Run with `cargo run -p ds-runtime --features uring --example uring_direct [FILE]`; without a file it makes one.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;

use ds_runtime::{File, IoKind, QueueOptions, Request, Runtime, UringConfig, UringFeatures, probe_uring};

const BLOCK: u64 = 4096;
const READS: u64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match probe_uring(UringFeatures::DEFAULT) {
        Ok(report) => println!("this kernel grants: {}", report.features),
        Err(refused) => {
            println!("no ring here: {refused}");
            return Ok(());
        }
    }
    if let Some(path) = std::env::args_os().nth(1) {
        return read_randomly(Path::new(&path));
    }
    // Not where temporary files are: that may be memory, and there is no way past the cache then.
    let mut file = tempfile::NamedTempFile::new_in(".")?;
    (0..READS).try_for_each(|n| file.write_all(&[n as u8; BLOCK as usize]))?;
    read_randomly(file.path())
}

fn read_randomly(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let depth = NonZeroUsize::new(64).ok_or("64 is 0")?;
    let rings = UringConfig::default().depth(depth);
    // Named: were there no ring, this would be an error, and not another engine.
    let runtime = Runtime::builder().io(IoKind::Uring).uring(rings).build()?;
    let queue = runtime.queue(QueueOptions::default())?;
    let file = File::open(path)?;
    let blocks = file.size()? / BLOCK;
    let direct = match file.direct() {
        Ok(direct) => direct,
        Err(refused) => {
            println!("no way past the page cache here: {refused}");
            return Ok(());
        }
    };
    for n in 0..READS {
        let block = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % blocks.max(1);
        queue.post(Request::read(&direct, block * BLOCK, BLOCK).tag(block))?;
        // With completions taken as they come, the queue need not have a slot for every read.
        for done in queue.take_completed(64) {
            assert_eq!(done.check()?.buffer.len() as u64, BLOCK);
        }
    }
    queue.wait_all(None)?;
    for done in queue.take_completed(READS as usize) {
        done.check()?;
    }
    if let Some(rings) = runtime.uring() {
        println!("read by {rings}");
    }
    for (path, reads) in queue.stats().paths() {
        println!("{reads} reads by {path}");
    }
    Ok(())
}
