//! `cargo xtask bench io`: the engines beside fio's io_uring engine, on one file, as a table, a file of results and a chart.
//!
//! Every contestant makes random reads of one size at one depth for a while, each in a process of its own: fio, a plain `pread`
//! loop, and this project's engines through the whole runtime, queue included. Rounds are interleaved, and what counts is the
//! median. A run that did not keep half the depth in flight that it was asked for is marked as invalid.

mod chart;
mod contestant;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

use crate::tools::{self, FIO, Provision};
use crate::workspace::Project;
use contestant::{CONTESTANTS, Run};

/// What to measure, and where.
#[derive(Args)]
pub(crate) struct IoArgs {
    /// Read this file, which decides the file system; made with 2 GiB of noise if it is not there
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Rounds; the median of them counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds for each contestant in each cell and round
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    seconds: f64,
    /// Reads in flight
    #[arg(long, value_name = "N", default_value_t = 32)]
    depth: u32,
    /// Sizes of reads, in KiB
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [4, 64, 1024])]
    blocks: Vec<u32>,
}

/// Bytes of a file made for measuring.
const FILE_BYTES: u64 = 2 << 30;

/// Reads of one size, from the page cache or past it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Cell {
    block_bytes: u32,
    direct: bool,
    depth: u32,
}

impl Cell {
    fn name(&self) -> String {
        let way = if self.direct { "O_DIRECT" } else { "hot" };
        format!("{} KiB {way}", self.block_bytes / 1024)
    }
}

/// What a contestant came to in a cell.
#[derive(Debug, Serialize)]
struct Entry {
    #[serde(flatten)]
    cell: Cell,
    contestant: &'static str,
    /// Medians.
    #[serde(flatten)]
    run: Run,
    /// Its reads per second over fio's.
    over_fio: f64,
    /// Whether at least half the depth was in flight.
    valid: bool,
}

/// All of a measurement.
#[derive(Debug, Serialize)]
struct Results {
    schema: &'static str,
    system: String,
    cores: usize,
    rounds: usize,
    seconds: f64,
    file_bytes: u64,
    results: Vec<Entry>,
}

/// Measures, shows and writes.
pub(crate) fn io(project: &Project, args: &IoArgs) -> Result<()> {
    tools::provide(&project.sh, &[&FIO], Provision::Install)?;
    let folder = project.workspace.target_directory.join("bench");
    fs::create_dir_all(&folder)?;
    let file = args.file.clone().unwrap_or_else(|| folder.join("io.data"));
    if !file.exists() {
        make(&file).with_context(|| file.display().to_string())?;
    }
    let ours = contestant::build(project)?;
    let cells: Vec<Cell> = [false, true]
        .into_iter()
        .flat_map(|direct| args.blocks.iter().map(move |&kib| (direct, kib)))
        .map(|(direct, kib)| Cell { block_bytes: kib * 1024, direct, depth: args.depth })
        .collect();
    // Once from end to end, so that "hot" is true.
    io::copy(&mut File::open(&file)?, &mut io::sink())?;
    let mut runs: Vec<Vec<Vec<Run>>> = vec![vec![Vec::new(); CONTESTANTS.len()]; cells.len()];
    for round in 1..=args.rounds {
        println!("round {round} of {}", args.rounds);
        for (cell, runs) in cells.iter().zip(&mut runs) {
            for (contestant, runs) in CONTESTANTS.iter().zip(runs).filter(|(who, _)| who.takes_part(cell)) {
                let run = contestant.run(project, &ours, &file, cell, args.seconds);
                runs.push(run.with_context(|| format!("{}, {}", contestant.name, cell.name()))?);
            }
        }
    }
    let mut results = Vec::new();
    for (cell, runs) in cells.iter().zip(&runs) {
        let fio = contestant::median(&runs[0]).context("fio takes part in every cell")?;
        for (contestant, runs) in CONTESTANTS.iter().zip(runs) {
            let Some(run) = contestant::median(runs) else { continue };
            let valid = contestant.is_loop || run.mean_depth * 2.0 >= f64::from(cell.depth);
            let over_fio = run.iops / fio.iops;
            results.push(Entry { cell: *cell, contestant: contestant.name, run, over_fio, valid });
        }
    }
    let results = Results {
        schema: "ds-runtime bench io 1",
        system: xshell::cmd!(project.sh, "uname -sr").quiet().read()?,
        cores: std::thread::available_parallelism()?.get(),
        rounds: args.rounds,
        seconds: args.seconds,
        file_bytes: fs::metadata(&file)?.len(),
        results,
    };
    show(&results);
    let json = folder.join("io.json");
    fs::write(&json, serde_json::to_string_pretty(&results)? + "\n")?;
    let svg = folder.join("io.svg");
    fs::write(&svg, chart::draw(&results))?;
    println!("\nresults in {} and {}", json.display(), svg.display());
    Ok(())
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
    println!(
        "\n{:<18} {:<8} {:>9} {:>7} {:>8} {:>7} {:>7}",
        "cell", "who", "reads/s", "GB/s", "CPU ns", "depth", "/ fio"
    );
    for Entry { cell, contestant, run, over_fio, valid } in &results.results {
        let gigabytes = run.iops * f64::from(cell.block_bytes) / 1e9;
        println!(
            "{:<18} {contestant:<8} {:>9.0} {gigabytes:>7.2} {:>8.0} {:>7.1} {over_fio:>7.2}{}",
            cell.name(),
            run.iops,
            run.cpu_ns,
            run.mean_depth,
            if *valid { "" } else { "  INVALID: under half the depth" }
        );
    }
}
