//! Who reads, and how each says what it came to.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xshell::cmd;

use super::Cell;
use crate::workspace::Project;

/// What one run came to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Run {
    /// Reads per second.
    pub(super) iops: f64,
    /// CPU time per read in nanoseconds, user and kernel.
    #[serde(alias = "cpu_ns_per_read")]
    pub(super) cpu_ns: f64,
    /// Reads in flight on average: their latencies' sum over the time.
    pub(super) mean_depth: f64,
}

/// Somebody who reads.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    /// The bench program's arguments; none for fio.
    args: &'static [&'static str],
}

const fn ours(name: &'static str, args: &'static [&'static str]) -> Contestant {
    Contestant { name, args }
}

const FIO: Contestant = Contestant { name: "fio", args: &[] };

/// Those who keep a depth.
pub(super) const KEEPING_DEPTH: [Contestant; 4] = [
    FIO,
    ours("uring", &["--engine", "uring", "--callbacks"]),
    ours("cpu", &["--engine", "cpu", "--callbacks"]),
    ours("auto", &["--engine", "auto", "--callbacks"]),
];

/// Those who wait for each batch.
pub(super) const WAITING: [Contestant; 9] = [
    ours("pread", &["--engine", "pread"]),
    FIO,
    // What there is to gain from a second core, without a queue between.
    ours("pread-2", &["--engine", "pread", "--workers", "2"]),
    // And where each batch is waited for.
    ours("shared-2", &["--engine", "pread", "--workers", "2", "--batch"]),
    ours("cpu-1", &["--engine", "cpu", "--workers", "1", "--batch"]),
    ours("cpu-2", &["--engine", "cpu", "--workers", "2", "--batch"]),
    ours("cpu-4", &["--engine", "cpu", "--workers", "4", "--batch"]),
    ours("uring", &["--engine", "uring", "--batch"]),
    ours("auto", &["--engine", "auto", "--batch"]),
];

impl Contestant {
    pub(super) fn run(
        &self,
        project: &Project,
        ours: &Path,
        file: &Path,
        cell: &Cell,
        seconds: f64,
    ) -> Result<Run> {
        let Cell { block_bytes, direct, depth, .. } = *cell;
        let (block, depth, seconds) = (block_bytes.to_string(), depth.to_string(), seconds.to_string());
        let sh = &project.sh;
        if self.args.is_empty() {
            let direct = if direct { "1" } else { "0" };
            // Where the kernel may read ahead it is told nothing by either side, or it would by fio that reads are random.
            let hint: &[&str] = if cell.cold { &["--fadvise_hint=0"] } else { &[] };
            let whole = format!("--iodepth_batch_submit={depth}");
            let waits = format!("--iodepth_batch_complete_min={depth}");
            let batch: &[&str] = if cell.batch { &[&whole, &waits] } else { &[] };
            let said = cmd!(
                sh,
                "fio --name=bench --ioengine=io_uring --rw=randread --norandommap --randrepeat=0 --invalidate=0 --time_based
                 --output-format=json --filename={file} --bs={block} --iodepth={depth} --direct={direct} --runtime={seconds}s {hint...} {batch...}"
            );
            return of_fio(&said.quiet().ignore_stderr().read()?);
        }
        let args = self.args;
        let direct: &[&str] = if direct { &["--direct"] } else { &[] };
        let said = cmd!(
            sh,
            "{ours} {args...} --file {file} --block {block} --depth {depth} --seconds {seconds} {direct...}"
        );
        Ok(serde_json::from_str(&said.quiet().read()?)?)
    }
}

/// The program that reads through the runtime.
pub(super) fn build(project: &Project) -> Result<PathBuf> {
    let sh = &project.sh;
    let messages = cmd!(
        sh,
        "cargo bench --package ds-runtime --features uring --bench io --no-run --message-format json"
    );
    let messages = messages.quiet().read()?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = built.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    programs.next().context("Cargo built no program")
}

fn of_fio(said: &str) -> Result<Run> {
    let report: serde_json::Value = serde_json::from_str(said)?;
    let job = &report["jobs"][0];
    let number = |value: &serde_json::Value| value.as_f64().context("fio's report lacks a number");
    let read = &job["read"];
    let (iops, reads) = (number(&read["iops"])?, number(&read["total_ios"])?);
    let busy = (number(&job["usr_cpu"])? + number(&job["sys_cpu"])?) / 100.0;
    let cpu_ns = busy * number(&read["runtime"])? * 1e6 / reads;
    Ok(Run { iops, cpu_ns, mean_depth: iops * number(&read["lat_ns"]["mean"])? / 1e9 })
}

/// The run in the middle by speed.
pub(super) fn median(runs: &[Run]) -> Option<Run> {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| a.iops.total_cmp(&b.iops));
    runs.get(runs.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let run = |iops| Run { iops, cpu_ns: 1.0, mean_depth: 2.0 };
        assert!(median(&[]).is_none());
        assert_eq!(median(&[run(3.0), run(1.0), run(2.0)]).unwrap().iops, 2.0);
    }

    #[test]
    fn fio_is_understood() {
        let said = r#"{"jobs": [{"usr_cpu": 10.0, "sys_cpu": 40.0, "read":
            {"iops": 1000.0, "total_ios": 2000, "runtime": 2000, "lat_ns": {"mean": 4000000.0}}}]}"#;
        let run = of_fio(said).unwrap();
        assert_eq!((run.iops, run.cpu_ns, run.mean_depth), (1000.0, 500_000.0, 4.0));
        assert!(of_fio(r#"{"jobs": []}"#).is_err());
    }
}
