//! The results as tables of a document.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use ds_bench::gpu::{
    Auto, FEWER_ROUNDS, Part, Resident, Results, Rival, Times, Upload, crossover, mean_of_all, worst,
};
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
        let lowest = results.upload.iter().map(Upload::share).fold(f64::INFINITY, f64::min);
        let how = format!("{:.0} %, no class below {:.0} %", share * 100.0, lowest * 100.0);
        row("`HostBuffer` to device memory, decoded, of what bus and decoder allow", how);
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
        "On {}, {}, in {}, {date}; medians of {rounds} rounds, of {} where many requests are in flight:\n\n",
        device.name,
        device.driver,
        machine.name,
        (*rounds).min(FEWER_ROUNDS)
    )
}

/// What a column is called, and what it has for a row.
type Cells<R> = (&'static str, fn(&R) -> Option<f64>);

/// A column of a further way of ours, where there is anything for any row: its head and its cells.
struct Further(&'static str, Vec<Option<f64>>);

impl Further {
    /// Those of these, by name and by what they have for a row, that have anything.
    fn of<R, const N: usize>(rows: &[R], columns: [Cells<R>; N]) -> Vec<Self> {
        let column = |(name, of_row): Cells<R>| Self(name, rows.iter().map(of_row).collect());
        columns.into_iter().map(column).filter(|Self(_, cells)| cells.iter().any(Option::is_some)).collect()
    }

    /// Behind a table's head, and the line below it.
    fn heads(further: &[Self]) -> [String; 2] {
        let heads = further.iter().map(|Self(name, _)| format!(" {name} |")).collect();
        [heads, "---:|".repeat(further.len())]
    }

    /// Behind a row.
    fn cells(further: &[Self], row: usize) -> String {
        further.iter().map(|Self(_, cells)| format!(" {} |", or_dash(cells[row].map(gigabytes)))).collect()
    }

    /// Behind the row of means.
    fn means(further: &[Self]) -> String {
        let mean = |Self(_, cells): &Self| or_dash(mean_of_all(cells.iter().copied()).map(gigabytes));
        further.iter().map(|further| format!(" **{}** |", mean(further))).collect()
    }
}

/// What was to be measured and was not, in sentences; nothing of what older results do not know.
fn not_measured(results: &Results) -> String {
    let parts = [("The driver's decompression", &results.driver), ("Direct uploads", &results.direct)];
    let sentence = |(what, part): (&str, &Option<Part>)| match part {
        Some(Part::NotMeasured { why }) => format!("\n{what}: not measured ({why}).\n"),
        _ => String::new(),
    };
    parts.map(sentence).concat()
}

fn resident(results: &Results) -> String {
    let rate = |row: &Resident, times: Option<Times>| times.map(|times| row.rate(&times));
    let further = Further::of(
        &results.resident,
        [
            ("any size", |row| row.any.map(|times| row.rate(&times))),
            ("driver", |row| row.driver.map(|times| row.rate(&times))),
        ],
    );
    let [heads, line] = Further::heads(&further);
    let mut text = format!("| class | ratio | ours | nvCOMP | |{heads}\n|---|---:|---:|---:|---:|{line}\n");
    for (number, row) in results.resident.iter().enumerate() {
        let _ = writeln!(
            text,
            "| {} | {:.2} | {} | {} | {} |{}",
            row.class,
            row.bytes as f64 / row.packed as f64,
            gigabytes(row.rate(&row.ours)),
            or_dash(rate(row, row.rival).map(gigabytes)),
            or_dash(row.faster().map(times)),
            Further::cells(&further, number),
        );
    }
    let ours = mean_of_all(results.resident.iter().map(|row| Some(row.rate(&row.ours))));
    let rival = mean_of_all(results.resident.iter().map(|row| rate(row, row.rival)));
    let _ = writeln!(
        text,
        "| **geometric mean** | | **{}** | **{}** | **{}** |{}",
        or_dash(ours.map(gigabytes)),
        or_dash(rival.map(gigabytes)),
        or_dash(faster(results).map(times)),
        Further::means(&further),
    );
    text + &not_measured(results)
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
    let further = Further::of(
        &results.upload,
        [
            ("direct", |row| row.direct_pinned.map(|seconds| row.rate(seconds))),
            ("direct, plain memory", |row| row.direct_plain.map(|seconds| row.rate(seconds))),
            ("driver", |row| row.driver.map(|seconds| row.rate(seconds))),
        ],
    );
    let [heads, line] = Further::heads(&further);
    let mut text = format!(
        "| class | ratio | queue | bus x ratio | decoder | of both | plain memory |{heads}\n|---|---:|---:|---:|---:|---:|---:|{line}\n",
    );
    for (number, row) in results.upload.iter().enumerate() {
        let ratio = row.bytes as f64 / row.packed as f64;
        let _ = writeln!(
            text,
            "| {} | {ratio:.2} | {} | {} | {} | {:.0} % | {} |{}",
            row.class,
            gigabytes(row.rate(row.pinned)),
            gigabytes(row.bus * ratio),
            gigabytes(row.decode),
            row.share() * 100.0,
            gigabytes(row.rate(row.plain)),
            Further::cells(&further, number),
        );
    }
    if let Some(share) = share(&results.upload) {
        let means = Further::means(&further);
        let _ = writeln!(text, "| **geometric mean** | | | | | **{:.0} %** | |{means}", share * 100.0);
    }
    text
}

fn file(results: &Results) -> String {
    let Some(file) = &results.file else { return String::new() };
    let mut text = String::from("| | rate | CPU s/GB | busiest threads, in cores |\n|---|---:|---:|---|\n");
    for way in &file.ways {
        let (rate, cpu) = (gigabytes(file.bytes as f64 / way.seconds), way.cpu / file.bytes as f64 * 1e9);
        let busiest =
            way.busiest().map_or_else(|| "-".to_owned(), |(name, cores)| format!("`{name}` {cores:.2}"));
        let _ = writeln!(text, "| {} | {rate} | {cpu:.3} | {busiest} |", way.name());
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
    // Older results do not know what `auto` chose.
    let has_auto = results.crossover.iter().any(|row| row.auto_alone.is_some());
    let mut text = String::from(match has_auto {
        true => {
            "| us a request | processor | device | `Auto` | many: processor | many: device | many: `Auto` |\n|---|---:|---:|---:|---:|---:|---:|\n"
        }
        false => {
            "| us a request | processor | device | many: processor | many: device |\n|---|---:|---:|---:|---:|\n"
        }
    });
    let us = |seconds: f64| format!("{:.1}", seconds * 1e6);
    let auto = |auto: &Option<Auto>| match auto {
        Some(auto) => format!(" {} ({}) |", us(auto.seconds), auto.who()),
        None if has_auto => " - |".into(),
        None => String::new(),
    };
    for row in &results.crossover {
        let _ = writeln!(
            text,
            "| {} KiB | {} | {} |{} {} | {} |{}",
            row.size / 1024,
            us(row.cpu_alone),
            us(row.gpu_alone),
            auto(&row.auto_alone),
            us(row.cpu_busy),
            us(row.gpu_busy),
            auto(&row.auto_busy),
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
    if let [Some((alone, alone_at)), Some((busy, busy_at))] = worst(&results.crossover) {
        let _ = writeln!(
            text,
            "`Auto` takes {} the time of the sooner at most where they come alone (at {} KiB), {} where there are many (at {} KiB).",
            times(alone),
            alone_at / 1024,
            times(busy),
            busy_at / 1024
        );
    }
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
    use ds_bench::gpu::Crossover;

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
                any: None,
                driver: None,
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
            direct_pinned: None,
            direct_plain: None,
            driver: None,
            bus: 25e9,
            decode: 100e9,
        });
        let wanted = "| a | 2.00 | 40.0 GB/s | 50.0 GB/s | 100.0 GB/s | 80 % | 20.0 GB/s |";
        assert!(upload(&some).contains(wanted), "{}", upload(&some));
        assert!(summary(&some).contains("| 80 %, no class below 80 % |"));
        let row = &mut some.upload[0];
        (row.direct_pinned, row.driver) = (Some(0.2), Some(0.4));
        let table = upload(&some);
        assert!(table.contains("| plain memory | direct | driver |\n"), "{table}");
        assert!(table.contains("| 20.0 GB/s | 10.0 GB/s | 5.0 GB/s |\n"), "{table}");
        assert!(table.contains("| **80 %** | | **10.0 GB/s** | **5.0 GB/s** |\n"), "{table}");
    }

    #[test]
    fn further_ways_have_columns_where_they_were_measured() {
        let mut some = some();
        let plain = resident(&some);
        assert!(!plain.contains("driver") && !plain.contains("any size") && !plain.contains("not measured"));
        some.resident[0].any = Some(times_of(0.02));
        some.resident[1].any = Some(times_of(0.02));
        some.resident[0].driver = Some(times_of(0.2));
        some.direct = Some(Part::NotMeasured { why: "it has none".into() });
        let table = resident(&some);
        assert!(table.starts_with(
            "| class | ratio | ours | nvCOMP | | any size | driver |\n|---|---:|---:|---:|---:|---:|---:|\n"
        ));
        assert!(table.contains("| 4.00x | 50.0 GB/s | 5.0 GB/s |\n"), "{table}");
        assert!(table.contains("| 1.00x | 50.0 GB/s | - |\n"), "{table}");
        assert!(table.contains("| **50.0 GB/s** | **-** |\n"), "{table}");
        assert!(table.contains("Direct uploads: not measured (it has none)."), "{table}");
    }

    #[test]
    fn what_auto_chose_stands_beside_what_it_chose_from() {
        let mut some = some();
        let auto = |seconds, device| Some(Auto { seconds, requests: 4, device, choices: [].into() });
        some.crossover.push(Crossover {
            size: 4096,
            depth: Some(32),
            cpu_alone: 1e-6,
            gpu_alone: 4e-6,
            auto_alone: auto(2e-6, 0),
            cpu_busy: 4e-6,
            gpu_busy: 2e-6,
            auto_busy: auto(2e-6, 3),
        });
        let table = sizes(&some);
        let row = "| 4 KiB | 1.0 | 4.0 | 2.0 (processor) | 4.0 | 2.0 | 2.0 (device 75 %) |\n";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("`Auto` takes 2.00x the time of the sooner at most"), "{table}");
        (some.crossover[0].auto_alone, some.crossover[0].auto_busy) = (None, None);
        let table = sizes(&some);
        assert!(table.contains("| 4 KiB | 1.0 | 4.0 | 4.0 | 2.0 |\n") && !table.contains("Auto"), "{table}");
    }
}
