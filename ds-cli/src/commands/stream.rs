//! `ds stream`: read a pack through the runtime's queue, verify it, and tell how fast that was.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ds_runtime::vulkan::{Device, DeviceKind};
use ds_runtime::{BuildError, StartError};
use serde_json::{Value, json};

use super::{chunk_error, open_pack};
use crate::error::{Error, Kind, Result, plain, quoted};
use crate::pack::layout::MIN_CHUNK_LOG2;
use crate::pack::{Chunk, Method, Pack};
use crate::progress::Progress;
use crate::stream::{Options, Report, RunError, Streamer, Target};
use crate::units;

/// Streams every entry of `pack` and verifies it.
///
/// # Errors
///
/// What the system reports; an engine that is not available; a pack that is damaged, after all of it has been streamed
/// or enough of it found to be.
pub fn run(path: &Path, options: &Options, json: bool) -> Result<()> {
    let pack = open_pack(path)?;
    check_request_size(path, &pack, options.request_size)?;
    // A queue deeper than there are requests is memory for nothing.
    let requests = usize::try_from(options.requests(pack.index())).unwrap_or(usize::MAX);
    let most = NonZeroUsize::new(requests).unwrap_or(NonZeroUsize::MIN);
    check_window(&pack, options.target)?;
    check_staging(path, &pack, options)?;
    let mut streamer = start(&Options { depth: Some(options.depth().min(most)), ..options.clone() })?;
    let progress = Progress::bytes("stream", Some(pack.index().raw_size()), json);
    let report = streamer.run(&pack, pack.index().entries(), |bytes| {
        progress.advance(bytes);
        true
    });
    drop(progress);
    let report = report.map_err(|error| run_error(path, error))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if json {
        write_json(&mut out, &pack, options, &streamer, &report)
    } else {
        write_text(&mut out, options, &streamer, &report)
    };
    written.and_then(|()| out.flush()).map_err(Error::stdout)?;
    verdict(path, &pack, &report)
}

/// Memory is promised by the request size: a chunk that is decoded as a whole must not break the promise.
fn check_request_size(path: &Path, pack: &Pack, request_size: u32) -> Result<()> {
    let compressed = pack.index().chunks().filter(|chunk| chunk.method == Method::GDeflate);
    let largest = compressed.map(|chunk| chunk.raw_size).max().unwrap_or(0);
    if largest <= request_size {
        return Ok(());
    }
    let message = format!(
        "{}: compressed chunks hold up to {largest} bytes and are decoded whole, more than requests of {request_size}",
        quoted(path)
    );
    let mut hint = format!("use --request-size {}", largest.next_power_of_two());
    if request_size >= 1 << MIN_CHUNK_LOG2 {
        hint += &format!(", or pack again with `ds pack --chunk {request_size}`");
    }
    Err(Error::usage(message).hint(hint))
}

/// A chunk must have room in the device memory that it goes to.
fn check_window(pack: &Pack, target: Target) -> Result<()> {
    let largest = pack.index().chunks().map(|chunk| chunk.raw_size).max().unwrap_or(0);
    match target {
        Target::Vram(bytes) if bytes < u64::from(largest) => {
            let message = format!("chunks hold up to {largest} bytes, more than {bytes} of device memory");
            Err(Error::usage(message).hint(format!("use --vram {}", largest.next_power_of_two())))
        }
        _ => Ok(()),
    }
}

/// The largest chunk must have room in staging memory: as it was packed, and for a device's memory also as it is decoded.
///
/// # Errors
///
/// It has not.
pub fn check_staging(path: &Path, pack: &Pack, options: &Options) -> Result<()> {
    /// Leases are of whole pages, and reads past the page cache of whole blocks at either end.
    const EDGES: u64 = 64 << 10;
    let decoded = options.target != Target::Host;
    let of_chunk = |chunk: Chunk| match chunk.method {
        Method::GDeflate => u64::from(chunk.packed_size) + if decoded { chunk.raw_size.into() } else { 0 },
        _ if decoded => options.read_size.min(chunk.raw_size.min(options.request_size).into()),
        _ => 0,
    };
    let wanted = pack.index().chunks().map(of_chunk).max().unwrap_or(0) + EDGES;
    let staging = options.staging();
    if wanted <= staging as u64 {
        return Ok(());
    }
    let message =
        format!("{}: a chunk takes up to {wanted} bytes of staging memory, of {staging}", quoted(path));
    Err(Error::usage(message).hint(format!("use --staging {}", wanted.next_power_of_two())))
}

/// What ended streaming, in words.
pub fn run_error(path: &Path, error: RunError) -> Error {
    match error {
        RunError::File(error) => Error::system("read", path, error),
        RunError::Memory(_) => {
            Error::new(Kind::System, error.to_string()).hint("a smaller --vram takes less of it")
        }
        RunError::Request(_) => Error::new(Kind::System, error.to_string()),
    }
}

const LIMITS: &str = "the limit on memory or on processes has been reached: `ulimit -a` shows both";

/// Starts the engines, with advice where one is missing.
///
/// # Errors
///
/// An engine that is not available.
pub fn start(options: &Options) -> Result<Streamer> {
    Streamer::new(options).map_err(|error| match error {
        BuildError::Os { what, source } => {
            Error::new(Kind::System, format!("cannot make {what}: {}", plain(&source))).hint(LIMITS)
        }
        BuildError::Start { engine, source: StartError::Os { what, source } } => {
            let message =
                format!("cannot start the engine {engine}: the system refused {what}: {}", plain(&source));
            Error::new(Kind::System, message).hint(LIMITS)
        }
        error => Error::new(Kind::System, error.to_string())
            .hint("`ds doctor` tells which engines there are, and why not others"),
    })
}

/// The error for a pack with damaged chunks.
///
/// # Errors
///
/// The first fault, with the entry it is in, if there is one.
pub fn verdict(path: &Path, pack: &Pack, report: &Report) -> Result<()> {
    let Some((chunk, fault)) = report.faults.first() else { return Ok(()) };
    let (name, number) = place(pack, *chunk);
    let more = match (report.failed, report.gave_up) {
        (1, _) => String::new(),
        (n, false) => format!(" (and {} more)", units::count(n - 1, "damaged chunk")),
        (n, true) => format!(" (and {} more; the rest was left)", units::count(n - 1, "damaged chunk")),
    };
    Err(chunk_error(path, name, number, format_args!("{fault}{more}")))
}

/// The name of the entry that a chunk of the pack belongs to, and the chunk's number in it.
fn place(pack: &Pack, chunk: usize) -> (&str, usize) {
    let entry = pack.index().entry_of_chunk(chunk);
    entry.map_or(("?", chunk), |entry| (entry.name(), chunk - entry.chunk_numbers().start))
}

/// Shares of requests whose latency is told.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

fn write_text(
    out: &mut impl Write,
    options: &Options,
    streamer: &Streamer,
    report: &Report,
) -> io::Result<()> {
    let selection = streamer.selection();
    let seconds = report.wall.as_secs_f64().max(1e-9);
    writeln!(
        out,
        "engine      {} (I/O) + {} (codec), depth {}",
        selection.io,
        selection.codec,
        options.depth()
    )?;
    if let Some(rings) = streamer.rings() {
        writeln!(out, "rings       {rings}")?;
    }
    if let Some(device) = streamer.device() {
        writeln!(out, "device      {}", told(device))?;
    }
    if let Target::Vram(_) = options.target {
        writeln!(out, "target      device memory")?;
    }
    writeln!(
        out,
        "content     {} from {} read, {} in {:.3} s",
        units::bytes(report.content),
        units::bytes(report.read),
        units::count(report.requests, "request"),
        seconds
    )?;
    writeln!(
        out,
        "throughput  {} MB/s of content, {} MB/s read, {} requests/s",
        units::figure(units::rate(report.content, report.wall)),
        units::figure(units::rate(report.read, report.wall)),
        units::figure(report.requests as f64 / seconds)
    )?;
    write!(out, "latency    ")?;
    for (name, share) in QUANTILES {
        write!(out, " {name} {},", millis(report.latency.quantile(share)))?;
    }
    writeln!(out, " max {}", millis(report.latency.max()))?;
    let cpu = report.cpu.as_secs_f64();
    let verifying = match report.verifying {
        None => "verifying included".to_owned(),
        Some(time) => format!("verifying not included: {:.3} s", time.as_secs_f64()),
    };
    writeln!(out, "CPU time    {cpu:.3} s, {:.2} cores busy, {verifying}", cpu / seconds)?;
    writeln!(out, "memory      {} at most, the whole process", units::bytes(report.peak_memory))?;
    for (path, requests) in &report.paths {
        writeln!(out, "path        {path}: {}", units::count(*requests, "request"))?;
    }
    match report.failed {
        0 => writeln!(out, "verified    every checksum is right"),
        n if report.gave_up => writeln!(out, "DAMAGED     {}; the rest was left", units::count(n, "chunk")),
        n => writeln!(out, "DAMAGED     {}", units::count(n, "chunk")),
    }
}

/// A device for people. One of software is said to be none: its figures are no GPU's.
fn told(device: &Device) -> String {
    let info = device.info();
    let software =
        if info.kind == DeviceKind::Software { ", SOFTWARE: no figure of it is a GPU's" } else { "" };
    format!("{} ({}{software})", info.name, info.uuid_text())
}

fn millis(latency: Duration) -> String {
    format!("{:.3} ms", latency.as_secs_f64() * 1e3)
}

fn write_json(
    out: &mut impl Write,
    pack: &Pack,
    options: &Options,
    streamer: &Streamer,
    report: &Report,
) -> io::Result<()> {
    let selection = streamer.selection();
    let seconds = report.wall.as_secs_f64().max(1e-9);
    let mut latency: serde_json::Map<_, _> = QUANTILES
        .into_iter()
        .map(|(name, share)| (name.to_owned(), nanos(report.latency.quantile(share))))
        .collect();
    latency.insert("max".to_owned(), nanos(report.latency.max()));
    let faults = report.faults.iter().map(|(chunk, fault)| {
        let (entry, chunk) = place(pack, *chunk);
        json!({ "chunk": chunk, "entry": entry, "error": fault.to_string() })
    });
    let refused = selection.refused.iter().map(ToString::to_string);
    let report = json!({
        "engine": selection.io,
        "codec": selection.codec,
        "refused": refused.collect::<Vec<_>>(),
        "rings": streamer.rings().map_or(Value::Null, |rings| {
            json!({ "count": rings.rings, "depth": rings.depth, "features": rings.features.names().collect::<Vec<_>>() })
        }),
        "device": streamer.device().map_or(Value::Null, |device| {
            let info = device.info();
            json!({ "index": info.index, "name": info.name, "uuid": info.uuid_text(), "kind": info.kind.to_string(),
                    "driver": info.driver })
        }),
        "target": match options.target {
            Target::Host => "host",
            Target::Vram(_) => "vram",
        },
        "depth": options.depth(),
        "request_size": options.request_size,
        "read_size": options.read_size,
        "staging": options.staging(),
        "direct": options.direct,
        "requests": report.requests,
        "content_bytes": report.content,
        "read_bytes": report.read,
        "wall_seconds": seconds,
        "cpu_seconds": report.cpu.as_secs_f64(),
        "verify_seconds": report.verifying.map_or(Value::Null, |time| time.as_secs_f64().into()),
        "content_bytes_per_second": report.content as f64 / seconds,
        "requests_per_second": report.requests as f64 / seconds,
        "peak_memory_bytes": report.peak_memory,
        "latency_ns": latency,
        "paths": report.paths,
        "failed": report.failed,
        "gave_up": report.gave_up,
        "faults": faults.collect::<Vec<_>>(),
    });
    writeln!(out, "{report}")
}

fn nanos(latency: Duration) -> serde_json::Value {
    u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).into()
}
