//! Figures as a table. Where the processor plays the device, every heading of a rate or a time says so: nobody shall take such a figure
//! for a GPU's.

use std::io::{self, Write};

use ds_bench::gpu::{
    Auto, Crossover, File, Part, Resident, Results, Rival, Upload, crossover, mean_of_all, worst,
};

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
    for (what, part) in [("driver's decompression", &results.driver), ("direct uploads", &results.direct)] {
        if let Some(Part::NotMeasured { why }) = part {
            writeln!(out, "beside   {what}: NOT MEASURED: {why}")?;
        }
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

/// A column of a further way: what it is called, and what it has for a row.
type Column<'a, R> = (&'static str, &'a dyn Fn(&R) -> Option<f64>);

/// Those of these columns that have anything for any row.
fn further<'a, R, const N: usize>(rows: &[R], columns: [Column<'a, R>; N]) -> Vec<Column<'a, R>> {
    columns.into_iter().filter(|(_, of_row)| rows.iter().any(|row| of_row(row).is_some())).collect()
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
    let rows = &results.resident;
    let any = |row: &Resident| row.any.map(|times| row.rate(&times));
    let driver = |row: &Resident| row.driver.map(|times| row.rate(&times));
    let further = further(rows, [("any size", &any), ("driver", &driver)]);
    write!(
        out,
        "   {:<16} {:>6} {:>10} {:>10} {:>8}  {:>10}",
        "class", "ratio", "ours", "nvCOMP", "", "by wall"
    )?;
    further.iter().try_for_each(|(name, _)| write!(out, " {name:>10}"))?;
    writeln!(out)?;
    for row in rows {
        write!(
            out,
            "   {:<16} {:>6.2} {:>10} {:>10} {:>8}  {:>10}",
            row.class,
            row.bytes as f64 / row.packed.max(1) as f64,
            giga(row.rate(&row.ours)),
            or_dash(row.rival.map(|rival| row.rate(&rival)), giga),
            or_dash(row.faster(), times),
            giga(row.bytes as f64 / row.ours.wall),
        )?;
        further.iter().try_for_each(|(_, of_row)| write!(out, " {:>10}", or_dash(of_row(row), giga)))?;
        writeln!(out)?;
    }
    let ours = mean_of_all(rows.iter().map(|row| Some(row.rate(&row.ours))));
    let theirs = mean_of_all(rows.iter().map(|row| row.rival.map(|rival| row.rate(&rival))));
    let faster = mean_of_all(rows.iter().map(|row| row.faster()));
    write!(
        out,
        "   {:<16} {:>6} {:>10} {:>10} {:>8}",
        "geometric mean",
        "",
        or_dash(ours, giga),
        or_dash(theirs, giga),
        or_dash(faster, times)
    )?;
    for (number, (_, of_row)) in further.iter().enumerate() {
        // The column before them has no mean.
        let width = if number == 0 { 23 } else { 11 };
        write!(out, "{:>width$}", or_dash(mean_of_all(rows.iter().map(of_row)), giga))?;
    }
    writeln!(out)?;
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
    let pinned = |row: &Upload| row.direct_pinned.map(|seconds| row.rate(seconds));
    let plain = |row: &Upload| row.direct_plain.map(|seconds| row.rate(seconds));
    let driver = |row: &Upload| row.driver.map(|seconds| row.rate(seconds));
    let columns = [("direct", &pinned as _), ("direct, plain", &plain as _), ("driver", &driver as _)];
    let further = further(&results.upload, columns);
    write!(
        out,
        "   {:<16} {:>6} {:>10} {:>12} {:>10} {:>10} {:>12}",
        "class", "ratio", "queue", "bus x ratio", "decoder", "of both", "plain memory"
    )?;
    further.iter().try_for_each(|(name, _)| write!(out, " {name:>13}"))?;
    writeln!(out)?;
    for row in &results.upload {
        let ratio = row.bytes as f64 / row.packed.max(1) as f64;
        write!(
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
        further.iter().try_for_each(|(_, of_row)| write!(out, " {:>13}", or_dash(of_row(row), giga)))?;
        writeln!(out)?;
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
        "   {:<28} {head:>16} {:>12}   busiest, in cores    per request, ms: waiting, reading, decoding, placing",
        "", "CPU s/GB"
    )?;
    for way in &file.ways {
        let stages = way.stages;
        let millis = [stages.waiting, stages.reading, stages.decoding, stages.placing].map(|time| time * 1e3);
        let [waiting, reading, decoding, placing] = millis;
        let busiest = way.busiest().map_or(String::new(), |(name, cores)| format!("{name} {cores:.2}"));
        writeln!(
            out,
            "   {:<28} {:>16} {:>12.3}   {busiest:<20} {waiting:.3}, {reading:.3}, {decoding:.3}, {placing:.3}",
            way.name(),
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
        "   {:>10} {:>12} {:>12} {:>12} {:<12} {:>12} {:>12} {:>12} chose",
        "content", "processor", "device", "auto", "chose", "many: proc.", "many: device", "auto"
    )?;
    let who = |auto: &Option<Auto>| auto.as_ref().map_or_else(|| "-".to_owned(), Auto::who);
    let us = |time: f64| format!("{:.1}", time * 1e6);
    for row in rows {
        let auto = |auto: &Option<Auto>| or_dash(auto.as_ref().map(|auto| auto.seconds), us);
        writeln!(
            out,
            "   {:>10} {:>12} {:>12} {:>12} {:<12} {:>12} {:>12} {:>12} {}",
            units::bytes(row.size),
            us(row.cpu_alone),
            us(row.gpu_alone),
            auto(&row.auto_alone),
            who(&row.auto_alone),
            us(row.cpu_busy),
            us(row.gpu_busy),
            auto(&row.auto_busy),
            who(&row.auto_busy),
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
    )?;
    if let [Some((alone, alone_at)), Some((busy, busy_at))] = worst(rows) {
        writeln!(
            out,
            "   Auto takes {} the time of the sooner at most where they come alone (at {}), {} where there are many (at {})",
            times(alone),
            units::bytes(alone_at),
            times(busy),
            units::bytes(busy_at)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a card with everything might come to, with nothing of what older results do not know unless `further`.
    fn results(further: bool) -> Results {
        let times =
            |device: f64| serde_json::json!({"device": device, "device_best": device, "wall": device});
        let way = |codec: &str, how: Option<&str>| {
            let mut way = serde_json::json!({"codec": codec, "target": "vram", "seconds": 1.0, "cpu": 1.0, "paths": {},
                "stages": {"waiting": 0.0, "reading": 0.0, "decoding": 0.0, "placing": 0.0}});
            if let Some(how) = how {
                way["how"] = how.into();
            }
            way
        };
        let auto = |device: u64| serde_json::json!({"seconds": 2e-6, "requests": 2, "device": device, "choices": {}});
        let mut all = serde_json::json!({
            "schema": "s", "date": "d", "command": "c", "version": "v", "content": "a pack", "size": 1, "rounds": 5,
            "machine": {"name": "m", "cpu": "p", "cores": 1, "system": "s"},
            "device": {"name": "A GPU", "kind": "discrete", "software": false, "driver": "d", "api": "1.4", "uuid": "0",
                "subgroup_sizes": [32, 32], "decoder": "32 lanes", "transfer_queue": true, "host_import": true,
                "interrupted_processors": [14]},
            "rival": {"not_measured": {"why": "it is a test"}},
            "resident": [{"class": "a", "tiles": 1, "copies": 1, "bytes": 8_000_000_000_u64, "packed": 4_000_000_000_u64,
                "ours": times(0.1)}],
            "upload": [{"class": "a", "bytes": 8_000_000_000_u64, "packed": 4_000_000_000_u64, "request": 1, "depth": 1,
                "pinned": 0.1, "plain": 0.2, "bus": 5e10, "decode": 1e11}],
            "file": {"bytes": 8_000_000_000_u64, "packed": 4_000_000_000_u64, "io": "uring", "depth": 1,
                "ways": [way("vulkan", None)], "bounds": {"read": 1e10, "bus": 1e10, "decode": 1e10}},
            "crossover": [{"size": 4096, "cpu_alone": 1e-6, "gpu_alone": 4e-6, "cpu_busy": 1e-6, "gpu_busy": 2e-6}],
        });
        if further {
            all["driver"] = "measured".into();
            all["direct"] = serde_json::json!({"not_measured": {"why": "no window"}});
            (all["resident"][0]["any"], all["resident"][0]["driver"]) = (times(0.2), times(1.0));
            all["upload"][0]["direct_pinned"] = 0.4.into();
            all["upload"][0]["direct_plain"] = 0.5.into();
            all["upload"][0]["driver"] = 0.8.into();
            all["file"]["ways"] = [None, Some("direct"), Some("driver")].map(|how| way("vulkan", how)).into();
            (all["crossover"][0]["auto_alone"], all["crossover"][0]["auto_busy"]) = (auto(0), auto(1));
        }
        serde_json::from_value(all).unwrap()
    }

    fn table(further: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, &results(further)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line == line.trim_end()), "no line ends in spaces:\n{text}");
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
    }

    #[test]
    fn further_ways_stand_beside_ours() {
        let text = table(true);
        for wanted in [
            "beside direct uploads: NOT MEASURED: no window\n",
            "class ratio ours nvCOMP by wall any size driver\n",
            "a 2.00 80.0 - - 80.0 40.0 8.0\n",
            "geometric mean 80.0 - - 40.0 8.0\n",
            "of both plain memory direct direct, plain driver\n",
            "a 2.00 80.0 100.0 100.0 80 % 40.0 20.0 16.0 10.0\n",
            "vulkan to vram, direct 8.0 ",
            "vulkan to vram, driver 8.0 ",
            "4.00 KiB 1.0 4.0 2.0 processor 1.0 2.0 2.0 device 50 %\n",
            "Auto takes 2.00x the time of the sooner at most where they come alone (at 4.00 KiB), 2.00x where",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is missing:\n{text}");
        }
        assert!(!text.contains("driver's decompression"), "it was measured:\n{text}");
    }

    #[test]
    fn results_from_before_them_are_told_as_they_were() {
        let text = table(false);
        assert!(
            text.contains("class ratio ours nvCOMP by wall\n") && text.contains("a 2.00 80.0 - - 80.0\n"),
            "{text}"
        );
        assert!(
            text.contains("4.00 KiB 1.0 4.0 - - 1.0 2.0 - -\n") && !text.contains("Auto takes"),
            "{text}"
        );
        for missing in ["beside", "any size", "direct", "driver ", "Auto"] {
            assert!(!text.contains(missing), "{missing}:\n{text}");
        }
    }
}
