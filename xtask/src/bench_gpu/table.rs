//! The results as tables of a document.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use ds_bench::gpu::{Resident, Results, Rival, Times, Upload, crossover, mean_of_all};
use ds_bench::results::geometric_mean;

/// Tells something of the results.
type Tell = fn(&Results) -> String;

/// What each part tells, by the name that a document calls it by.
const PARTS: [(&str, Tell); 6] = [
    ("gpu-summary", summary),
    ("gpu-resident", resident),
    ("gpu-overhead", overhead),
    ("gpu-upload", upload),
    ("gpu-file", file),
    ("gpu-crossover", sizes),
];

/// The part of that name.
///
/// # Errors
///
/// If there is none.
pub(crate) fn part(name: &str, results: &Results) -> Result<String> {
    let tell = PARTS.iter().find(|(known, _)| *known == name).map(|(_, tell)| tell);
    let names = || PARTS.map(|(name, _)| name).join(", ");
    Ok(tell.with_context(|| format!("no such part; there are: {}", names()))?(results))
}

/// What a reader looks for first.
fn summary(results: &Results) -> String {
    let mut text = taken_of(results);
    let mut row = |what: &str, how: String| {
        let _ = writeln!(text, "| {what} | {how} |");
    };
    row("Figure", "Measured".into());
    row("---", "---".into());
    if let (Some(faster), Rival::Measured { nvcomp, .. }) = (faster(results), &results.rival) {
        let rate = geometric_mean(results.resident.iter().map(|row| row.rate(&row.ours)));
        let lowest = results.resident.iter().filter_map(Resident::faster).fold(f64::INFINITY, f64::min);
        let how = format!("{faster:.2}x nvCOMP {nvcomp}, no class below {lowest:.2}x; {}", gigabytes(rate));
        row("Decoding in device memory, geometric mean", how);
    }
    if let Some(empty) = results.overhead.iter().find(|row| row.what.starts_with("empty request")) {
        row("A request from submit to completion, empty", format!("{:.0} us", empty.p50 * 1e6));
    }
    if let Some(share) = share(&results.upload) {
        row("Host memory to device memory, of what bus and decoder allow", format!("{:.0} %", share * 100.0));
    }
    if let Some(file) = &results.file
        && let Some(way) = file.ways.first()
    {
        let rate = gigabytes(file.bytes as f64 / way.seconds);
        let cpu = way.cpu / file.bytes as f64 * 1e9;
        row("A file in the page cache to device memory", format!("{rate}, {cpu:.2} s of CPU a GB"));
    }
    text
}

fn taken_of(results: &Results) -> String {
    let Results { date, rounds, device, machine, .. } = results;
    format!(
        "On {}, {}, in {}, {date}; medians of {rounds} rounds:\n\n",
        device.name, device.driver, machine.name
    )
}

fn resident(results: &Results) -> String {
    let mut text = String::from("| class | ratio | ours | nvCOMP | |\n|---|---:|---:|---:|---:|\n");
    for row in &results.resident {
        let _ = writeln!(
            text,
            "| {} | {:.2} | {} | {} | {} |",
            row.class,
            row.bytes as f64 / row.packed as f64,
            gigabytes(row.rate(&row.ours)),
            or_dash(row.rival.map(|rival: Times| gigabytes(row.rate(&rival)))),
            or_dash(row.faster().map(times)),
        );
    }
    let ours = mean_of_all(results.resident.iter().map(|row| Some(row.rate(&row.ours))));
    let rival = mean_of_all(results.resident.iter().map(|row| row.rival.map(|rival| row.rate(&rival))));
    let _ = writeln!(
        text,
        "| **geometric mean** | | **{}** | **{}** | **{}** |",
        or_dash(ours.map(gigabytes)),
        or_dash(rival.map(gigabytes)),
        or_dash(faster(results).map(times)),
    );
    text
}

fn overhead(results: &Results) -> String {
    let mut text = String::from("| us | p50 | p99 | computing | the rest |\n|---|---:|---:|---:|---:|\n");
    for row in &results.overhead {
        let us = |seconds: f64| format!("{:.1}", seconds * 1e6);
        let (device, rest) = (or_dash(row.device.map(us)), us(row.rest()));
        let _ = writeln!(text, "| {} | {} | {} | {device} | {rest} |", row.what, us(row.p50), us(row.p99));
    }
    text
}

fn upload(results: &Results) -> String {
    let mut text = String::from(
        "| class | ratio | queue | bus x ratio | decoder | of both | plain memory |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in &results.upload {
        let ratio = row.bytes as f64 / row.packed as f64;
        let _ = writeln!(
            text,
            "| {} | {ratio:.2} | {} | {} | {} | {:.0} % | {} |",
            row.class,
            gigabytes(row.rate(row.pinned)),
            gigabytes(row.bus * ratio),
            gigabytes(row.decode),
            row.share() * 100.0,
            gigabytes(row.rate(row.plain)),
        );
    }
    if let Some(share) = share(&results.upload) {
        let _ = writeln!(text, "| **geometric mean** | | | | | **{:.0} %** | |", share * 100.0);
    }
    text
}

fn file(results: &Results) -> String {
    let Some(file) = &results.file else { return String::new() };
    let mut text = String::from("| | rate | CPU s/GB |\n|---|---:|---:|\n");
    for way in &file.ways {
        let (rate, cpu) = (gigabytes(file.bytes as f64 / way.seconds), way.cpu / file.bytes as f64 * 1e9);
        let _ = writeln!(text, "| {} to {} | {rate} | {cpu:.3} |", way.codec, way.target);
    }
    let (stage, _) = file.bounds.slowest();
    let _ = writeln!(
        text,
        "\nRead by {}, {} requests in flight. By themselves: reading {}, the bus {}, the decoder {} of content; the slowest is {stage}.",
        file.io,
        file.depth,
        gigabytes(file.bounds.read),
        gigabytes(file.bounds.bus),
        gigabytes(file.bounds.decode),
    );
    text
}

fn sizes(results: &Results) -> String {
    let mut text = String::from(
        "| us a request | processor | device | many: processor | many: device |\n|---|---:|---:|---:|---:|\n",
    );
    for row in &results.crossover {
        let us = |seconds: f64| format!("{:.1}", seconds * 1e6);
        let _ = writeln!(
            text,
            "| {} KiB | {} | {} | {} | {} |",
            row.size / 1024,
            us(row.cpu_alone),
            us(row.gpu_alone),
            us(row.cpu_busy),
            us(row.gpu_busy),
        );
    }
    let says = |size: Option<u64>| {
        size.map_or_else(|| "at no size measured".into(), |size| format!("from {} KiB on", size / 1024))
    };
    let alone = crossover(&results.crossover, |row| (row.cpu_alone, row.gpu_alone));
    let busy = crossover(&results.crossover, |row| (row.cpu_busy, row.gpu_busy));
    let _ = writeln!(
        text,
        "\nThe device is sooner done {} where requests come alone, {} where there are many.",
        says(alone),
        says(busy)
    );
    text
}

/// Times as fast as the rival, in the mean.
fn faster(results: &Results) -> Option<f64> {
    mean_of_all(results.resident.iter().map(Resident::faster))
}

fn share(rows: &[Upload]) -> Option<f64> {
    mean_of_all(rows.iter().map(|row| Some(row.share())))
}

fn gigabytes(rate: f64) -> String {
    format!("{:.1} GB/s", rate / 1e9)
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}x")
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}

#[cfg(test)]
mod tests {
    use super::super::{parse, tests::results};
    use super::*;

    fn times_of(device: f64) -> Times {
        Times { device: Some(device), device_best: None, wall: 1.0 }
    }

    fn some() -> Results {
        let mut some = parse(&results(false)).unwrap();
        let (nvcomp, cuda, device) = ("6.0.0".into(), "13.0".into(), "A GPU".into());
        some.rival = Rival::Measured { nvcomp, cuda, device, matched_by: "uuid".into() };
        for (class, ours, rival) in [("a", 0.01, 0.04), ("b", 0.02, 0.02)] {
            some.resident.push(Resident {
                class: class.into(),
                tiles: 1,
                copies: 1,
                bytes: 1_000_000_000,
                packed: 500_000_000,
                ours: times_of(ours),
                rival: Some(times_of(rival)),
            });
        }
        some
    }

    #[test]
    fn every_part_says_something_of_nothing() {
        let nothing = parse(&results(false)).unwrap();
        for (name, _) in PARTS {
            let text = part(name, &nothing).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{name}: {text}");
        }
        assert!(part("gpu-nonsense", &nothing).unwrap_err().to_string().contains("gpu-summary"));
    }

    #[test]
    fn ratios_are_of_the_devices_times() {
        let (table, summary) = (resident(&some()), summary(&some()));
        assert!(table.contains("| a | 2.00 | 100.0 GB/s | 25.0 GB/s | 4.00x |"), "{table}");
        assert!(
            table.contains("| **geometric mean** | | **70.7 GB/s** | **35.4 GB/s** | **2.00x** |"),
            "{table}"
        );
        assert!(summary.contains("2.00x nvCOMP 6.0.0, no class below 1.00x; 70.7 GB/s"), "{summary}");
    }

    #[test]
    fn shares_are_of_the_slower_of_bus_and_decoder() {
        let mut some = some();
        some.upload.push(Upload {
            class: "a".into(),
            bytes: 2_000_000_000,
            packed: 1_000_000_000,
            request: 1 << 20,
            depth: 8,
            pinned: 0.05,
            plain: 0.1,
            bus: 25e9,
            decode: 100e9,
        });
        let wanted = "| a | 2.00 | 40.0 GB/s | 50.0 GB/s | 100.0 GB/s | 80 % | 20.0 GB/s |";
        assert!(upload(&some).contains(wanted), "{}", upload(&some));
        assert!(summary(&some).contains("| 80 % |"));
    }
}
