//! Two reads of one small file: one as it is, one made upper case on the way.
//!
//! Run with `cargo run -p ds-runtime --example demo`.

use ds_runtime::{File, QueueOptions, Request, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("ds-demo-{}.bin", std::process::id()));
    let text = b"hello from ds-runtime";
    std::fs::write(&path, text)?;
    let result = read_twice(&path, text.len() as u64);
    std::fs::remove_file(&path)?;
    result
}

fn read_twice(path: &std::path::Path, len: u64) -> Result<(), Box<dyn std::error::Error>> {
    // readme:demo
    let runtime = Runtime::builder().build()?;
    let queue = runtime.queue(QueueOptions::default())?;
    let file = File::open(path)?;

    let raw = queue.enqueue(Request::read(&file, 0, len))?;
    let upper = queue.enqueue(Request::read(&file, 0, len).uppercase())?;
    queue.submit();

    println!("raw:       {}", String::from_utf8(raw.wait().check()?.buffer)?);
    println!("uppercase: {}", String::from_utf8(upper.wait().check()?.buffer)?);
    // /readme:demo
    Ok(())
}
