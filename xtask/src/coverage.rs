//! Line coverage of each published library crate, measured by cargo-llvm-cov.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xshell::cmd;

use crate::steps;
use crate::workspace::{Package, Project};

/// Least share of lines that the tests must reach in each crate, in percent.
pub(crate) const MIN_LINE_PERCENT: f64 = 80.0;

/// Tells tests to spend their random budgets sparingly: coverage asks which lines run, not how often, and
/// counting makes them slow. The full budgets belong to the plain test run.
const QUICK: (&str, &str) = ("DS_TEST_QUICK", "1");

/// Builds with less optimisation than the plain tests have: the build is the longer part here.
const LIGHT: (&str, &str) = ("CARGO_PROFILE_TEST_OPT_LEVEL", "1");

/// Runs the tests with counters and prints a line for each crate; with `html`, also writes pages.
///
/// # Errors
///
/// When a test fails, or a crate stays below `min` percent.
pub(crate) fn run(project: &Project, min: f64, html: bool) -> Result<()> {
    let sh = &project.sh;
    let output = project.workspace.target_directory.join("coverage.json");
    // Some examples are libraries that tests open, and here Cargo builds none.
    steps::build_programs(project)?;
    let examples = project.workspace.target_directory.join("debug/examples");
    // What `ds-lanes` runs are shaders, slowly enough without counters.
    let without = ["--exclude", "xtask", "--exclude", "ds-lanes"];
    let scope = ["--all-features", "--lib", "--bins", "--tests"];
    cmd!(sh, "cargo llvm-cov --no-report --no-cfg-coverage --workspace {without...} {scope...}")
        .envs([QUICK, LIGHT])
        .env("DS_EXAMPLES", examples)
        .run()?;
    // Some tests kill the programs they start; what such a one did not write to its end counts for nothing.
    let failure = ["--failure-mode", "all"];
    cmd!(sh, "cargo llvm-cov report --json --summary-only {failure...} --output-path {output}").run()?;
    if html {
        cmd!(sh, "cargo llvm-cov report --html {failure...}").run()?;
    }

    let report = Report::parse(&sh.read_file(&output)?)?;
    let rows: Vec<Row> = project.workspace.published_libraries().map(|package| report.row(package)).collect();
    println!("\n{:<14} {:>8} {:>8} {:>8}", "crate", "lines", "covered", "percent");
    for row in &rows {
        println!(
            "{:<14} {:>8} {:>8} {:>8.2}",
            row.name,
            row.lines.count,
            row.lines.covered,
            row.lines.percent()
        );
    }
    judge(&rows, min)
}

/// The part we read of what `llvm-cov export` writes.
#[derive(Deserialize)]
struct Report {
    data: Vec<Export>,
}

#[derive(Deserialize)]
struct Export {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Lines,
}

/// Executable lines, and how many of them ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
struct Lines {
    count: u64,
    covered: u64,
}

struct Row<'a> {
    name: &'a str,
    lines: Lines,
}

impl Report {
    fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("cannot read the coverage report")
    }

    /// Sums up the sources of one package.
    fn row<'a>(&self, package: &'a Package) -> Row<'a> {
        let sources = package.dir().join("src");
        let files = self.data.iter().flat_map(|export| &export.files);
        let lines = files
            .filter(|file| Path::new(&file.filename).starts_with(&sources))
            .fold(Lines::default(), |sum, file| sum.plus(file.summary.lines));
        Row { name: &package.name, lines }
    }
}

impl Lines {
    const fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, covered: self.covered + other.covered }
    }

    /// Share of lines that ran, in percent; none of none is nothing.
    fn percent(self) -> f64 {
        if self.count == 0 { 0.0 } else { self.covered as f64 * 100.0 / self.count as f64 }
    }
}

fn judge(rows: &[Row<'_>], min: f64) -> Result<()> {
    let low: Vec<_> = rows.iter().filter(|row| row.lines.percent() < min).map(|row| row.name).collect();
    if rows.is_empty() || !low.is_empty() {
        bail!(
            "line coverage below {min} %: {}",
            if rows.is_empty() { "nothing measured".into() } else { low.join(", ") }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::sample;

    const REPORT: &str = r#"{
        "type": "llvm.coverage.json.export", "version": "3.1.0",
        "data": [{
            "totals": { "lines": { "count": 400, "covered": 270, "percent": 67.5 } },
            "files": [
                { "filename": "/ws/ds-core/src/lib.rs",
                  "summary": { "lines": { "count": 100, "covered": 90, "percent": 90 } } },
                { "filename": "/ws/ds-core/src/queue/slots.rs",
                  "summary": { "lines": { "count": 100, "covered": 80, "percent": 80 } } },
                { "filename": "/ws/ds-core/tests/simulation.rs",
                  "summary": { "lines": { "count": 100, "covered": 0, "percent": 0 } } },
                { "filename": "/ws/ds-core-extra/src/lib.rs",
                  "summary": { "lines": { "count": 100, "covered": 100, "percent": 100 } } }
            ]
        }]
    }"#;

    #[test]
    fn sums_the_sources_of_a_crate_and_nothing_else() {
        let workspace = sample();
        let report = Report::parse(REPORT).unwrap();
        let row = report.row(&workspace.packages[1]);
        assert_eq!(row.lines, Lines { count: 200, covered: 170 });
        assert_eq!(row.lines.percent(), 85.0);
    }

    #[test]
    fn a_crate_below_the_bar_is_named() {
        let high = Row { name: "high", lines: Lines { count: 10, covered: 8 } };
        let low = Row { name: "low", lines: Lines { count: 1000, covered: 799 } };
        let error = judge(&[high, low], 80.0).unwrap_err();
        assert_eq!(error.to_string(), "line coverage below 80 %: low");
    }

    #[test]
    fn a_crate_without_measured_lines_is_below_any_bar() {
        let empty = Row { name: "empty", lines: Lines::default() };
        assert!(judge(&[empty], 80.0).is_err());
        assert!(judge(&[], 80.0).is_err());
    }

    #[test]
    fn a_report_of_another_shape_is_an_error() {
        assert!(Report::parse("{}").is_err());
        assert!(Report::parse(r#"{"data": [{"files": [{"filename": "a"}]}]}"#).is_err());
    }
}
