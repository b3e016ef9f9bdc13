//! Results in words and tables, as the documents have them.

use core::fmt::Write as _;

use ds_bench::results::{Bench, Decode, Encode, Results, Run, Threads, geometric_mean};

use super::{JSON, SVG};

/// The parts that a document can ask for.
pub(crate) const PARTS: [&str; 3] = ["summary", "brief", "classes"];

/// A part by its name.
pub(crate) fn part(name: &str, results: &Results) -> Option<String> {
    match name {
        "summary" => Some(format!("{}\n{}", summary(results), sources(results))),
        "brief" => Some(brief(results)),
        "classes" => Some(classes(results)),
        _ => None,
    }
}

/// Geometric means, one column a level.
pub(crate) fn summary(results: &Results) -> String {
    let rival = &results.decode.rival;
    let mut text = format!(
        "On {}, {}; one thread, {}, geometric mean against `{}` ({}) in the same run:\n\n",
        results.machine.name,
        results.date,
        content(results),
        rival.version,
        rival.flags
    );
    let levels = levels(results);
    let head: String = levels.iter().map(|level| format!(" level {level} |")).collect();
    writeln!(text, "| |{head}\n|---|{}", "---|".repeat(levels.len())).expect("strings have room");

    let mut row = |name: &str, cell: &dyn Fn(u8) -> Option<String>| {
        let cells: String =
            levels.iter().map(|&level| format!(" {} |", cell(level).unwrap_or_default())).collect();
        writeln!(text, "| {name} |{cells}").expect("strings have room");
    };
    for (index, simd) in results.decode.simd().into_iter().enumerate().rev() {
        row(&format!("decoding the reference's streams, {}", title(simd)), &|level| {
            mean_decode(&results.decode, level, index).map(times)
        });
    }
    row("encoding, speed", &|level| mean_encode(results, level, Encode::faster).map(times));
    row("encoding, size", &|level| mean_encode(results, level, Encode::relative_size).map(size));

    let beside = results.deflate.simd().into_iter().enumerate().rev();
    let beside: Vec<_> = beside
        .filter_map(|(index, simd)| {
            let level = results.deflate.decode.first()?.level;
            Some(format!("{} with {}", times(mean_decode(&results.deflate, level, index)?), title(simd)))
        })
        .collect();
    if let Some(row) = results.deflate.decode.first() {
        let level = row.level;
        write!(
            text,
            "\nBeside `{}` ({}) decoding DEFLATE of level {level}, the same content in the same tiles of 64 KiB: {}.",
            results.deflate.rival.version,
            results.deflate.rival.flags,
            beside.join(", ")
        )
        .expect("strings have room");
    }
    if let Some(row) = results.decode.threads.first() {
        let mean = geometric_mean(results.decode.threads.iter().map(Threads::faster));
        write!(
            text,
            " On {} threads our decoder ({}) is {} as fast as on one.",
            row.threads,
            title(&row.simd),
            times(mean)
        )
        .expect("strings have room");
    }
    if let Some(row) = &results.stream {
        write!(
            text,
            "\n\nA whole pack of level {} (`ds stream`: read from the page cache, decoded on {} threads, verified) arrives at {:.1} % of the \
             codec's own speed on as many threads: {:.2} beside {:.2} GB/s of content.",
            row.level,
            row.threads,
            100.0 * row.share(),
            row.speed(row.stream) / 1e3,
            row.speed(row.codec) / 1e3
        )
        .expect("strings have room");
    }
    text + "\n"
}

/// Chart, command, and where the rest is; paths are those of the README's folder.
fn sources(results: &Results) -> String {
    format!(
        "![Times as fast as the rivals, class by class]({SVG})\n\n\
         Taken with `{}` at commit {}, {}. Class by class: [Benchmarks](docs/benchmarks.md); all times: [`{JSON}`]({JSON}).\n",
        results.command, results.commit, results.rustc
    )
}

/// The decoder's speed in two sentences.
fn brief(results: &Results) -> String {
    let Some(level) = main_level(&results.decode) else { return String::new() };
    let ours = results.decode.simd().into_iter().enumerate().rev();
    let ours: Vec<_> = ours
        .filter_map(|(index, simd)| {
            Some(format!("{} with {}", times(mean_decode(&results.decode, level, index)?), title(simd)))
        })
        .collect();
    format!(
        "Decoding beside the reference decoder (`{}`, {}): {}. On its own streams of level {level}, one thread, {}, geometric mean, \
         both in the same run, every byte checked; on {}, {}.\n",
        results.decode.rival.version,
        results.decode.rival.flags,
        ours.join(", "),
        content(results),
        results.machine.name,
        results.date
    )
}

/// Every class, table by table.
fn classes(results: &Results) -> String {
    let mut text = format!(
        "On {} ({}), {}, with `{}` at commit {}, {}; {}. MB are millions of bytes of content.\n",
        results.machine.name,
        results.machine.system,
        results.date,
        results.command,
        results.commit,
        results.rustc,
        content(results)
    );
    for level in levels(results) {
        let about =
            format!("Decoding the reference's streams of level {level}: MB/s, and times as fast as it");
        text += &decode_table(&about, &results.decode, level);
    }
    if let Some(row) = results.deflate.decode.first() {
        let about = format!(
            "Decoding beside {}, each its own format at level {}",
            results.deflate.rival.version, row.level
        );
        text += &decode_table(&about, &results.deflate, row.level);
    }
    for level in levels(results) {
        text += &encode_table(level, results);
    }
    text + &threads_table(results)
}

fn decode_table(about: &str, bench: &Bench, level: u8) -> String {
    let rows: Vec<&Decode> = bench.decode.iter().filter(|row| row.level == level).collect();
    if rows.is_empty() {
        return String::new();
    }
    let simd = bench.simd();
    let mut text = format!("\n### {about}\n\n| class | rival |");
    simd.iter().for_each(|simd| text += &format!(" {} | |", title(simd)));
    text += &format!("\n|---|---:|{}\n", "---:|---:|".repeat(simd.len()));
    for row in &rows {
        let speed = |run: Run| row.bytes as f64 / run.seconds / 1e6;
        text += &format!("| {} | {:.0} |", row.class, speed(row.rival));
        for (ours, faster) in row.ours.iter().zip(row.faster()) {
            text += &format!(" {:.0} | {} |", speed(ours.run), times(faster));
        }
        text += "\n";
    }
    text += "| geometric mean | |";
    for index in 0..simd.len() {
        text += &format!(" | {} |", mean_decode(bench, level, index).map(times).unwrap_or_default());
    }
    text + "\n"
}

fn encode_table(level: u8, results: &Results) -> String {
    let rows: Vec<&Encode> = results.encode.encode.iter().filter(|row| row.level == level).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n### Encoding at level {level}\n\n| class | ratio | rival | size | MB/s | rival | |\n\
         |---|---:|---:|---:|---:|---:|---:|\n"
    );
    for row in &rows {
        let ratio = |run: Run| row.bytes as f64 / run.packed as f64;
        let speed = |run: Run| row.bytes as f64 / run.seconds / 1e6;
        text += &format!(
            "| {} | {:.3} | {:.3} | {} | {:.1} | {:.1} | {} |\n",
            row.class,
            ratio(row.ours),
            ratio(row.rival),
            size(row.relative_size()),
            speed(row.ours),
            speed(row.rival),
            times(row.faster())
        );
    }
    let size = mean_encode(results, level, Encode::relative_size).map(size).unwrap_or_default();
    let faster = mean_encode(results, level, Encode::faster).map(times).unwrap_or_default();
    text + &format!("| geometric mean | | | {size} | | | {faster} |\n")
}

fn threads_table(results: &Results) -> String {
    let Some(first) = results.decode.threads.first() else { return String::new() };
    let mut text = format!(
        "\n### {} threads beside one, our decoder ({}), level {}\n\n| class | |\n|---|---:|\n",
        first.threads,
        title(&first.simd),
        first.level
    );
    for row in &results.decode.threads {
        text += &format!("| {} | {} |\n", row.class, times(row.faster()));
    }
    let mean = geometric_mean(results.decode.threads.iter().map(Threads::faster));
    text + &format!("| geometric mean | {} |\n", times(mean))
}

/// What was measured on.
fn content(results: &Results) -> String {
    let Some(level) = main_level(&results.decode) else { return "nothing".into() };
    let rows = results.decode.decode.iter().filter(|row| row.level == level);
    let count = rows.clone().count();
    let mebibytes = rows.map(|row| row.bytes).sum::<u64>() as f64 / f64::from(1 << 20);
    let kind = if results.corpus.generated { "generated assets" } else { "game data" };
    let part = match results.corpus.stride {
        1 => String::new(),
        stride => format!(", every {stride}th tile"),
    };
    format!("{count} classes of {kind}, {mebibytes:.0} MiB{part}")
}

/// All levels that were measured, in order.
fn levels(results: &Results) -> Vec<u8> {
    let decoded = results.decode.decode.iter().map(|row| row.level);
    let encoded = results.encode.encode.iter().map(|row| row.level);
    let mut levels: Vec<u8> = decoded.chain(encoded).collect();
    levels.sort_unstable();
    levels.dedup();
    levels
}

/// The level that stands for all where there is room for one: 9, or else the first.
pub(super) fn main_level(bench: &Bench) -> Option<u8> {
    let has_9 = bench.decode.iter().any(|row| row.level == 9);
    if has_9 { Some(9) } else { bench.decode.first().map(|row| row.level) }
}

/// The geometric mean at one level of the encoder and one level of instructions.
pub(super) fn mean_decode(bench: &Bench, level: u8, simd: usize) -> Option<f64> {
    let rows = bench.decode.iter().filter(|row| row.level == level);
    let values: Vec<f64> = rows.filter_map(|row| row.faster().nth(simd)).collect();
    (!values.is_empty()).then(|| geometric_mean(values))
}

/// The geometric mean of `value` at one level.
pub(super) fn mean_encode(results: &Results, level: u8, value: fn(&Encode) -> f64) -> Option<f64> {
    let rows = results.encode.encode.iter().filter(|row| row.level == level);
    let values: Vec<f64> = rows.map(value).collect();
    (!values.is_empty()).then(|| geometric_mean(values))
}

/// A level of instructions as texts write it.
pub(super) fn title(simd: &str) -> &str {
    match simd {
        "avx2" => "AVX2",
        "avx512" => "AVX-512",
        "neon" => "NEON",
        other => other,
    }
}

fn times(value: f64) -> String {
    format!("{value:.2}x")
}

/// Our size over the rival's, in words.
fn size(relative: f64) -> String {
    let percent = 100.0 * (1.0 - relative);
    if percent < 0.0 { format!("{:.2} % larger", -percent) } else { format!("{percent:.2} % smaller") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ds_bench::results::{Corpus, Machine, Rival, SCHEMA, Simd, Streaming};

    /// Two classes at levels 1 and 9, twice and eight times as fast.
    pub(crate) fn sample() -> Results {
        let run = |packed, seconds| Run { packed, seconds };
        let row = |level: u8, class: &str, seconds| Decode {
            level,
            class: class.into(),
            bytes: 1 << 20,
            refused: 0,
            rival: run(1000, 1.0),
            ours: vec![Simd { simd: "avx512".into(), run: run(1000, seconds) }],
        };
        let bench = |version: &str, decode| Bench {
            rival: Rival { version: version.into(), flags: "-O3".into() },
            rounds: 7,
            decode,
            encode: vec![],
            threads: vec![],
        };
        let mut results = Results {
            schema: SCHEMA.into(),
            date: "2026-01-02".into(),
            command: "cargo xtask bench codec".into(),
            commit: "0123456789ab".into(),
            rustc: "rustc 1.95.0".into(),
            machine: Machine {
                name: "a machine".into(),
                cpu: "a processor".into(),
                cores: 2,
                system: "Linux 6.1".into(),
            },
            corpus: Corpus { generated: false, stride: 1 },
            decode: bench(
                "rival 1.0",
                vec![row(1, "a", 0.5), row(1, "b", 0.5), row(9, "a", 0.5), row(9, "b", 0.125)],
            ),
            deflate: bench("other 2.0", vec![row(9, "a", 1.0)]),
            encode: bench("rival 1.0", vec![]),
            stream: Some(Streaming {
                level: 9,
                threads: 2,
                rounds: 5,
                bytes: 9_100_000_000,
                packed: 4_000_000_000,
                codec: 2.0,
                codec_cpu: 4.0,
                stream: 2.5,
                stream_cpu: 4.5,
            }),
        };
        results.encode.encode.push(Encode {
            level: 12,
            class: "a".into(),
            bytes: 1 << 20,
            refused: 0,
            rival: run(1000, 1.0),
            ours: run(990, 2.0),
        });
        results.decode.threads.push(Threads {
            level: 9,
            class: "a".into(),
            simd: "avx512".into(),
            threads: 2,
            one: 1.9,
            several: 1.0,
        });
        results
    }

    #[test]
    fn a_summary_has_the_means_and_their_conditions() {
        let text = summary(&sample());
        for expected in [
            "On a machine, 2026-01-02; one thread, 2 classes of game data, 2 MiB, geometric mean against `rival 1.0` (-O3)",
            "| | level 1 | level 9 | level 12 |\n|---|---|---|---|\n",
            "| decoding the reference's streams, AVX-512 | 2.00x | 4.00x |  |",
            "| encoding, speed |  |  | 0.50x |\n| encoding, size |  |  | 1.00 % smaller |",
            "Beside `other 2.0` (-O3) decoding DEFLATE of level 9",
            "1.00x with AVX-512. On 2 threads our decoder (AVX-512) is 1.90x as fast as on one.",
            "arrives at 80.0 % of the codec's own speed on as many threads: 3.64 beside 4.55 GB/s of content.",
        ] {
            assert!(text.contains(expected), "no '{expected}' in:\n{text}");
        }
    }

    #[test]
    fn every_class_has_its_row() {
        let text = classes(&sample());
        assert!(text.contains("| b | 1 | 8 | 8.00x |\n| geometric mean | | | 4.00x |"), "{text}");
        assert!(text.contains("| a | 1059.168 | 1048.576 | 1.00 % smaller |"), "{text}");
    }

    #[test]
    fn conditions_that_weaken_a_figure_are_told() {
        let mut results = sample();
        results.corpus = Corpus { generated: true, stride: 16 };
        assert!(summary(&results).contains("2 classes of generated assets, 2 MiB, every 16th tile"));
        assert_eq!(size(1.002), "0.20 % larger");
    }

    #[test]
    fn every_part_can_be_asked_for() {
        assert!(PARTS.iter().all(|name| part(name, &sample()).is_some()));
        assert_eq!(part("weather", &sample()), None);
    }
}
