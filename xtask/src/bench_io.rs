//! `cargo xtask bench io`: the engines beside fio's io_uring engine and beside a plain `pread` loop, on one thread and on two,
//! on one file, as a table, a file of results and a chart.
//!
//! Every contestant makes random reads of one size for a while, each in a process of its own; this project's engines through the
//! whole runtime, queue included. In one kind of cell every read that ends begins the next, so that a depth is kept, as fio keeps
//! it; in the other a batch is enqueued, submitted and waited for, which is what a loop is compared with. Rounds are interleaved,
//! and what counts is the median. A run that was to keep a depth and did not keep half of it is marked as invalid.
//!
//! Cold reads go through the page cache, which is emptied before each run: only root can, and where it cannot they are left out.
//!
//! Before each cell it is looked how far apart the cores are: on a virtual machine that changes, and with it whatever threads share.
//!
//! [`contestant`] is who takes part; [`cores`] looks at those; [`page_cache`] is full or empty as a run wants it; [`table`] and [`chart`] show the results.

pub(crate) mod chart;
mod contestant;
mod cores;
mod page_cache;
pub(crate) mod table;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ds_bench::machine;
use ds_bench::results::Machine;
use serde::{Deserialize, Serialize};

use crate::bench::commit;
use crate::readme;
use crate::tools::{self, FIO, Provision};
use crate::workspace::Project;
use contestant::{Contestant, KEEPING_DEPTH, Run, WAITING};
use cores::Distance;

/// The committed results, which documents quote.
pub(crate) const JSON: &str = "docs/bench/io.json";
/// The committed chart of them.
pub(crate) const SVG: &str = "docs/bench/io.svg";

const SCHEMA: &str = "ds-runtime/bench-io/4";

/// What to measure, and where it goes.
#[derive(Args)]
pub(crate) struct IoArgs {
    /// Read this file, which decides the file system; made with 2 GiB of noise if it is not there
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Rounds; the median of them counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds for each contestant in each cell and round
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    seconds: f64,
    /// Reads in flight, where a depth is kept
    #[arg(long, value_name = "N", default_value_t = 32)]
    depth: u32,
    /// Sizes of batches, where batches are waited for
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [64, 1])]
    batches: Vec<u32>,
    /// Sizes of reads, in KiB
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [4, 64, 1024])]
    blocks: Vec<u32>,
    /// The machine, as documents are to name it
    #[arg(long, value_name = "TEXT")]
    machine: Option<String>,
    /// Put results and chart where the documents quote them (docs/bench), and bring the documents in line
    #[arg(long)]
    readme: bool,
}

/// Bytes of a file made for measuring.
const FILE_BYTES: u64 = 2 << 30;

/// Reads of one size, from the page cache or past it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Cell {
    block_bytes: u32,
    direct: bool,
    /// Reads in flight, or in a batch.
    depth: u32,
    /// Whether all of a batch is waited for before the next is made.
    batch: bool,
    /// Whether the page cache has nothing of the file at first.
    #[serde(default)]
    cold: bool,
}

impl Cell {
    fn name(&self) -> String {
        let how = if self.batch { "batch" } else { "depth" };
        format!("{}, {how} {}", self.reads(), self.depth)
    }

    /// The size of the reads, and from where.
    fn reads(&self) -> String {
        let way = match (self.direct, self.cold) {
            (true, _) => "O_DIRECT",
            (false, true) => "cold",
            (false, false) => "hot",
        };
        format!("{} KiB {way}", self.block_bytes / 1024)
    }

    /// Who takes part; the rival first.
    const fn contestants(&self) -> &'static [Contestant] {
        if self.batch { &WAITING } else { &KEEPING_DEPTH }
    }

    fn is_valid(&self, run: &Run) -> bool {
        self.batch || run.mean_depth * 2.0 >= f64::from(self.depth)
    }
}

/// What a contestant came to in a cell.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    cell: Cell,
    contestant: String,
    /// Medians.
    #[serde(flatten)]
    run: Run,
    /// Its reads per second over those of the cell's rival: fio, or the loop.
    over_rival: f64,
    /// Whether at least half the depth was in flight, if one was to be kept.
    valid: bool,
}

/// All of a measurement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    schema: String,
    date: String,
    /// The commit that was measured, with a `+` if files differed from it.
    commit: String,
    machine: Machine,
    rounds: usize,
    seconds: f64,
    file_bytes: u64,
    /// What a cache line took from core to core and back, in nanoseconds, before each cell of each round.
    core_round_trip_ns: Distance,
    results: Vec<Entry>,
}

/// Measures, shows and writes.
pub(crate) fn io(project: &Project, args: &IoArgs) -> Result<()> {
    let commit = commit::current(project);
    ensure!(
        !args.readme || !commit.ends_with('+'),
        "documents quote figures of committed code: commit first"
    );
    tools::provide(&project.sh, &[&FIO], Provision::Install)?;
    let folder = project.workspace.target_directory.join("bench");
    fs::create_dir_all(&folder)?;
    let file = args.file.clone().unwrap_or_else(|| folder.join("io.data"));
    if !file.exists() {
        make(&file).with_context(|| file.display().to_string())?;
    }
    let ours = contestant::build(project)?;
    let can_be_cold = page_cache::empty(&file);
    if let Err(error) = &can_be_cold {
        eprintln!("SKIPPED: no cold reads, for the page cache cannot be emptied (that takes root): {error}");
    }
    let cells = cells(args, can_be_cold.is_ok());
    let mut runs: Vec<Vec<Vec<Run>>> =
        cells.iter().map(|cell| vec![Vec::new(); cell.contestants().len()]).collect();
    let mut looks = Vec::new();
    for round in 1..=args.rounds {
        println!("round {round} of {}", args.rounds);
        for (cell, runs) in cells.iter().zip(&mut runs) {
            looks.push(cores::round_trip());
            for (contestant, runs) in cell.contestants().iter().zip(runs) {
                match cell {
                    Cell { cold: true, .. } => page_cache::empty(&file).context("emptying the page cache")?,
                    Cell { direct: false, .. } => {
                        page_cache::fill(&file).context("filling the page cache")?
                    }
                    Cell { .. } => {}
                }
                let run = contestant.run(project, &ours, &file, cell, args.seconds);
                runs.push(run.with_context(|| format!("{}, {}", contestant.name, cell.name()))?);
            }
        }
    }
    let mut results = Vec::new();
    for (cell, runs) in cells.iter().zip(&runs) {
        let rival = contestant::median(&runs[0]).context("there is at least one round")?;
        for (contestant, runs) in cell.contestants().iter().zip(runs) {
            let Some(run) = contestant::median(runs) else { continue };
            let (over_rival, valid) = (run.iops / rival.iops, cell.is_valid(&run));
            let contestant = contestant.name.to_owned();
            results.push(Entry { cell: *cell, contestant, run, over_rival, valid });
        }
    }
    let results = Results {
        schema: SCHEMA.into(),
        date: machine::today(),
        commit,
        machine: machine::describe(args.machine.as_deref()),
        rounds: args.rounds,
        seconds: args.seconds,
        file_bytes: fs::metadata(&file)?.len(),
        core_round_trip_ns: Distance::of(looks).context("there is at least one round")?,
        results,
    };
    show(&results);
    if let Err(error) = can_be_cold {
        println!(
            "\nNO COLD READS are among these: the page cache could not be emptied ({error}); run as root"
        );
    }
    let (json, svg) = if args.readme {
        let root = &project.workspace.workspace_root;
        (root.join(JSON), root.join(SVG))
    } else {
        (folder.join("io.json"), folder.join("io.svg"))
    };
    fs::write(&json, serde_json::to_string_pretty(&results)? + "\n")?;
    fs::write(&svg, chart::draw(&results))?;
    println!("\nwrote {} and {}", json.display(), svg.display());
    if args.readme {
        readme::write(project)?;
    }
    Ok(())
}

/// The results that the documents quote.
pub(crate) fn committed(project: &Project) -> Result<Results> {
    let json = project.sh.read_file(JSON)?;
    let results: Results = serde_json::from_str(&json).context(JSON)?;
    ensure!(results.schema == SCHEMA, "{JSON} is '{}', and not '{SCHEMA}'", results.schema);
    Ok(results)
}

/// What is measured, in this order.
fn cells(args: &IoArgs, with_cold: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for direct in [false, true] {
        let sized = |depth, batch| {
            let cell = move |&kib| Cell { block_bytes: kib * 1024, direct, depth, batch, cold: false };
            args.blocks.iter().map(cell)
        };
        cells.extend(sized(args.depth, false));
        // Past the page cache one read at a time shows the disk and nothing else.
        for &batch in args.batches.iter().filter(|&&batch| batch > 1 || !direct) {
            cells.extend(sized(batch, true));
        }
    }
    // Last, for they leave little in the page cache.
    let cold: Vec<_> =
        cells.iter().filter(|cell| with_cold && !cell.direct && !cell.batch).copied().collect();
    cells.extend(cold.into_iter().map(|cell| Cell { cold: true, ..cell }));
    cells
}

/// Makes a file that no file system can compress or leave out.
fn make(path: &Path) -> Result<()> {
    println!("making {}", path.display());
    let mut file = File::create(path)?;
    let mut noise = vec![0_u8; 1 << 20];
    let mut state = 1_u64;
    for _ in 0..FILE_BYTES / noise.len() as u64 {
        for word in noise.chunks_exact_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word.copy_from_slice(&(state ^ state >> 29).to_le_bytes());
        }
        file.write_all(&noise)?;
    }
    Ok(file.sync_all()?)
}

fn show(results: &Results) {
    let Distance { min, median, max } = results.core_round_trip_ns;
    println!("\nfrom core to core and back: {median:.0} ns ({min:.0} to {max:.0})");
    println!(
        "\n{:<28} {:<8} {:>9} {:>7} {:>8} {:>7} {:>7}",
        "cell", "who", "reads/s", "GB/s", "CPU ns", "depth", "/ rival"
    );
    for Entry { cell, contestant, run, over_rival, valid } in &results.results {
        let gigabytes = run.iops * f64::from(cell.block_bytes) / 1e9;
        println!(
            "{:<28} {contestant:<8} {:>9.0} {gigabytes:>7.2} {:>8.0} {:>7.1} {over_rival:>7.2}{}",
            cell.name(),
            run.iops,
            run.cpu_ns,
            run.mean_depth,
            if *valid { "" } else { "  INVALID: under half the depth" }
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_that_was_not_kept_makes_a_run_invalid_and_a_batch_keeps_none() {
        let kept = Cell { block_bytes: 4096, direct: true, depth: 32, batch: false, cold: false };
        let run = |mean_depth| Run { iops: 1.0, cpu_ns: 1.0, mean_depth };
        assert!(kept.is_valid(&run(16.0)) && !kept.is_valid(&run(15.9)));
        assert!(Cell { batch: true, ..kept }.is_valid(&run(1.0)));
        assert_eq!(kept.name(), "4 KiB O_DIRECT, depth 32");
        let cached = Cell { direct: false, ..kept };
        assert_eq!(cached.name(), "4 KiB hot, depth 32");
        assert_eq!(Cell { cold: true, ..cached }.name(), "4 KiB cold, depth 32");
    }

    #[test]
    fn cold_reads_come_last_and_only_where_they_can_be() {
        #[derive(clap::Parser)]
        struct Args {
            #[command(flatten)]
            io: IoArgs,
        }
        let args = <Args as clap::Parser>::parse_from(["io"]).io;
        let (all, without) = (cells(&args, true), cells(&args, false));
        assert!(without.iter().all(|cell| !cell.cold));
        let (warm, cold) = all.split_at(without.len());
        assert_eq!(warm, without);
        let sizes: Vec<_> = cold.iter().map(|cell| (cell.block_bytes, cell.depth)).collect();
        assert_eq!(sizes, [(4 << 10, 32), (64 << 10, 32), (1 << 20, 32)]);
        assert!(cold.iter().all(|cell| cell.cold && !cell.direct && !cell.batch));
    }

    #[test]
    fn results_from_before_there_were_cold_reads_are_understood() {
        let entry = r#"{"block_bytes": 4096, "direct": false, "depth": 32, "batch": false, "contestant": "fio", "iops": 2.0,
            "cpu_ns": 1.0, "mean_depth": 32.0, "over_rival": 1.0, "valid": true}"#;
        let entry: Entry = serde_json::from_str(entry).unwrap();
        assert!(!entry.cell.cold);
        let cold = Entry { cell: Cell { cold: true, ..entry.cell }, ..entry };
        let again: Entry = serde_json::from_str(&serde_json::to_string(&cold).unwrap()).unwrap();
        assert_eq!(again.cell, cold.cell);
    }
}
