//! Figures as a table. Where the processor plays the device, every heading of a rate or a time says so: nobody shall take such a figure
//! for a GPU's.

use std::io::{self, Write};

use ds_bench::gpu::{Crossover, File, Results, Rival, crossover, mean_of_all};

use crate::units;

/// Writes all figures.
///
/// # Errors
///
/// What the output reports.
pub fn write(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let device = &results.device;
    // Behind every unit.
    let mark = if device.software { " (software)" } else { "" };
    if device.software {
        writeln!(
            out,
            "SOFTWARE DEVICE: the processor computes. These figures are no GPU's, and say nothing about one.\n"
        )?;
    }
    writeln!(out, "device   {} ({}), {}, Vulkan {}", device.name, device.kind, device.driver, device.api)?;
    let [least, most] = device.subgroup_sizes;
    writeln!(out, "decoder  {}; the device has subgroups of {least} to {most}", device.decoder)?;
    match &results.rival {
        Rival::Measured { nvcomp, cuda, device, matched_by } => writeln!(
            out,
            "rival    nvCOMP {nvcomp}, the driver's CUDA {cuda}, on {device} (found by its {matched_by})"
        )?,
        Rival::NotMeasured { why } => writeln!(out, "rival    NOT MEASURED: {why}")?,
    }
    writeln!(out, "host     {}, {}", results.machine.name, results.machine.system)?;
    writeln!(
        out,
        "content  {}; {} of output, {}",
        results.content,
        units::bytes(results.size),
        units::count(results.rounds as u64, "round")
    )?;
    resident(out, results, mark)?;
    overhead(out, results, mark)?;
    upload(out, results, mark)?;
    if let Some(figure) = &results.file {
        file(out, figure, mark)?;
    }
    if !results.crossover.is_empty() {
        sizes(out, &results.crossover, mark)?;
    }
    writeln!(out, "\nEvery output was overwritten before, and every byte of it compared after.")
}

/// Billions of bytes per second.
fn giga(rate: f64) -> String {
    // Devices of software are that slow.
    if rate < 1e8 { format!("{:.5}", rate / 1e9) } else { format!("{:.1}", rate / 1e9) }
}

/// How much faster one is than the other.
fn times(factor: f64) -> String {
    format!("{factor:.2}x")
}

/// A figure, or what stands where there is none.
fn or_dash(figure: Option<f64>, show: impl FnOnce(f64) -> String) -> String {
    figure.map_or_else(|| "-".to_owned(), show)
}

fn resident(out: &mut impl Write, results: &Results, mark: &str) -> io::Result<()> {
    if results.resident.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n1. Decoding in device memory, GB/s{mark} of output; by the device's clock, medians")?;
    writeln!(
        out,
        "   {:<16} {:>6} {:>10} {:>10} {:>8}  {:>10}",
        "class", "ratio", "ours", "nvCOMP", "", "by wall"
    )?;
    for row in &results.resident {
        writeln!(
            out,
            "   {:<16} {:>6.2} {:>10} {:>10} {:>8}  {:>10}",
            row.class,
            row.bytes as f64 / row.packed.max(1) as f64,
            giga(row.rate(&row.ours)),
            or_dash(row.rival.map(|rival| row.rate(&rival)), giga),
            or_dash(row.faster(), times),
            giga(row.bytes as f64 / row.ours.wall),
        )?;
    }
    let rows = &results.resident;
    let ours = mean_of_all(rows.iter().map(|row| Some(row.rate(&row.ours))));
    let theirs = mean_of_all(rows.iter().map(|row| row.rival.map(|rival| row.rate(&rival))));
    let faster = mean_of_all(rows.iter().map(|row| row.faster()));
    writeln!(
        out,
        "   {:<16} {:>6} {:>10} {:>10} {:>8}",
        "geometric mean",
        "",
        or_dash(ours, giga),
        or_dash(theirs, giga),
        or_dash(faster, times)
    )?;
    if let Rival::NotMeasured { .. } = results.rival {
        writeln!(out, "   nvCOMP was NOT MEASURED: see above")?;
    }
    Ok(())
}

fn overhead(out: &mut impl Write, results: &Results, mark: &str) -> io::Result<()> {
    if results.overhead.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n2. From submit until completion was seen, us{mark}, one at a time")?;
    writeln!(out, "   {:<34} {:>10} {:>10} {:>12} {:>10}", "", "p50", "p99", "computing", "the rest")?;
    for row in &results.overhead {
        let computing = or_dash(row.device, |device| format!("{:.1}", device * 1e6));
        writeln!(
            out,
            "   {:<34} {:>10.1} {:>10.1} {computing:>12} {:>10.1}",
            row.what,
            row.p50 * 1e6,
            row.p99 * 1e6,
            row.rest() * 1e6
        )?;
    }
    Ok(())
}

fn upload(out: &mut impl Write, results: &Results, mark: &str) -> io::Result<()> {
    let Some(first) = results.upload.first() else { return Ok(()) };
    writeln!(
        out,
        "\n3. Packed data in host memory that the device sees to content in device memory, GB/s{mark} of content; {} requests of {} in flight",
        first.depth,
        units::bytes(first.request)
    )?;
    writeln!(out, "   The bus copies {} GB/s{mark}", giga(first.bus))?;
    writeln!(
        out,
        "   {:<16} {:>6} {:>10} {:>12} {:>10} {:>10} {:>12}",
        "class", "ratio", "queue", "bus x ratio", "decoder", "of both", "plain memory"
    )?;
    for row in &results.upload {
        let ratio = row.bytes as f64 / row.packed.max(1) as f64;
        writeln!(
            out,
            "   {:<16} {:>6.2} {:>10} {:>12} {:>10} {:>8.0} % {:>12}",
            row.class,
            ratio,
            giga(row.rate(row.pinned)),
            giga(row.bus * ratio),
            giga(row.decode),
            100.0 * row.share(),
            giga(row.rate(row.plain))
        )?;
    }
    let share = mean_of_all(results.upload.iter().map(|row| Some(row.share())));
    let (name, gap) = ("geometric mean", "");
    writeln!(
        out,
        "   {name:<16} {gap:>6} {gap:>10} {gap:>12} {gap:>10} {:>8.0} %",
        100.0 * share.unwrap_or(f64::NAN)
    )
}

fn file(out: &mut impl Write, file: &File, mark: &str) -> io::Result<()> {
    writeln!(
        out,
        "\n4. From the page cache to memory: {} from {}, read by {}, {} requests in flight",
        units::bytes(file.bytes),
        units::bytes(file.packed),
        file.io,
        file.depth
    )?;
    let head = format!("GB/s{mark}");
    writeln!(
        out,
        "   {:<18} {head:>16} {:>12}   per request, ms: waiting, reading, decoding, placing",
        "", "CPU s/GB"
    )?;
    for way in &file.ways {
        let stages = way.stages;
        let millis = [stages.waiting, stages.reading, stages.decoding, stages.placing].map(|time| time * 1e3);
        let [waiting, reading, decoding, placing] = millis;
        writeln!(
            out,
            "   {:<18} {:>16} {:>12.3}   {waiting:.3}, {reading:.3}, {decoding:.3}, {placing:.3}",
            format!("{} to {}", way.codec, way.target),
            giga(file.bytes as f64 / way.seconds),
            way.cpu / (file.bytes as f64 / 1e9)
        )?;
    }
    let bounds = &file.bounds;
    let (slowest, most) = bounds.slowest();
    writeln!(
        out,
        "   By themselves: reading {}, the bus {}, the decoder {} GB/s{mark} of content",
        giga(bounds.read),
        giga(bounds.bus),
        giga(bounds.decode)
    )?;
    let share = file.ways.first().map_or(f64::NAN, |way| file.bytes as f64 / way.seconds / most);
    writeln!(
        out,
        "   The slowest stage is {slowest}; the device's way reaches {:.0} % of that",
        100.0 * share
    )
}

fn sizes(out: &mut impl Write, rows: &[Crossover], mark: &str) -> io::Result<()> {
    writeln!(
        out,
        "\nPacked in host memory to content in device memory, by size, us{mark} for a request: decoded by processor, by device"
    )?;
    writeln!(
        out,
        "   {:>10} {:>14} {:>14} {:>14} {:>14}",
        "content", "processor", "device", "many: proc.", "many: device"
    )?;
    for row in rows {
        let times = [row.cpu_alone, row.gpu_alone, row.cpu_busy, row.gpu_busy].map(|time| time * 1e6);
        let [cpu_alone, gpu_alone, cpu_busy, gpu_busy] = times;
        writeln!(
            out,
            "   {:>10} {cpu_alone:>14.1} {gpu_alone:>14.1} {cpu_busy:>14.1} {gpu_busy:>14.1}",
            units::bytes(row.size)
        )?;
    }
    let at = |size: Option<u64>| {
        size.map_or_else(
            || "at no size measured".to_owned(),
            |size| format!("from {} on", units::bytes(size)),
        )
    };
    let alone = at(crossover(rows, |row| (row.cpu_alone, row.gpu_alone)));
    let busy = at(crossover(rows, |row| (row.cpu_busy, row.gpu_busy)));
    writeln!(
        out,
        "   The device is sooner done {alone} where requests come alone, {busy} where there are many"
    )
}
