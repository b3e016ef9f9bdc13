//! Documents must not drift from the code and from the committed results.
//!
//! Two kinds of things are watched. *Excerpts* are marked in a document by a comment and can be rewritten from their
//! source ([`excerpts`]). *Facts* stand in the README's prose, and can only be checked ([`facts`]).

mod excerpts;
mod facts;

use anyhow::{Result, bail};

use crate::bench;
use crate::bench_io;
use crate::workspace::Project;

const README: &str = "README.md";
/// What a registry shows of the crate that others embed.
const CRATE_PAGE: &str = "ds-gdeflate/README.md";

/// Documents with excerpts in them.
const DOCUMENTS: [&str; 5] =
    [README, CRATE_PAGE, "docs/benchmarks.md", "docs/io-engines.md", "docs/gpu-benchmarks.md"];

/// Fails, naming each difference, unless the documents are true.
pub(crate) fn check(project: &Project) -> Result<()> {
    let mut wrong = Vec::new();
    for path in DOCUMENTS {
        let stale = excerpts::sync(&project.sh.read_file(path)?, project)?.stale;
        wrong.extend(stale.into_iter().map(|what| format!("{path}: {what}")));
    }
    for chart in charts(project)? {
        if project.sh.read_file(chart.path)? != chart.drawn {
            wrong.push(format!("{}: is not the chart of {}", chart.path, chart.of));
        }
    }
    let facts = facts::check(&project.sh.read_file(README)?, project)?;
    wrong.extend(facts.into_iter().map(|what| format!("{README}: {what}")));
    let versions = facts::versions(&project.sh.read_file(CRATE_PAGE)?, project)?;
    wrong.extend(versions.into_iter().map(|what| format!("{CRATE_PAGE}: {what}")));

    for line in &wrong {
        eprintln!("{line}");
    }
    if !wrong.is_empty() {
        bail!("documents are not true in {} places (`cargo xtask readme` mends excerpts)", wrong.len());
    }
    println!("{} agree with code and results", DOCUMENTS.join(", "));
    Ok(())
}

/// Rewrites the excerpts and the chart, then fails if a fact is still wrong.
pub(crate) fn write(project: &Project) -> Result<()> {
    for path in DOCUMENTS {
        let text = project.sh.read_file(path)?;
        let synced = excerpts::sync(&text, project)?;
        if synced.text != text {
            project.sh.write_file(path, &synced.text)?;
            for line in &synced.stale {
                println!("{path}: mended: {line}");
            }
        }
    }
    for chart in charts(project)? {
        project.sh.write_file(chart.path, chart.drawn)?;
    }
    check(project)
}

/// A committed chart as it should be.
struct Chart {
    path: &'static str,
    /// The results that it shows.
    of: &'static str,
    drawn: String,
}

fn charts(project: &Project) -> Result<[Chart; 2]> {
    let codec = bench::chart::draw(&bench::committed(project)?)?;
    let io = bench_io::chart::draw(&bench_io::committed(project)?);
    Ok([
        Chart { path: bench::SVG, of: bench::JSON, drawn: codec },
        Chart { path: bench_io::SVG, of: bench_io::JSON, drawn: io },
    ])
}
