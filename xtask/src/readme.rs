//! Documents must not drift from the code and from the committed results.
//!
//! Two kinds of things are watched. *Excerpts* are marked in a document by a comment and can be rewritten from their
//! source ([`excerpts`]). *Facts* stand in the README's prose, and can only be checked ([`facts`]).

mod excerpts;
mod facts;

use anyhow::{Result, bail};

use crate::bench;
use crate::workspace::Project;

const README: &str = "README.md";
/// What a registry shows of the crate that others embed.
const CRATE_PAGE: &str = "ds-gdeflate/README.md";

/// Documents with excerpts in them.
const DOCUMENTS: [&str; 3] = [README, CRATE_PAGE, "docs/benchmarks.md"];

/// Fails, naming each difference, unless the documents are true.
pub(crate) fn check(project: &Project) -> Result<()> {
    let mut wrong = Vec::new();
    for path in DOCUMENTS {
        let stale = excerpts::sync(&project.sh.read_file(path)?, project)?.stale;
        wrong.extend(stale.into_iter().map(|what| format!("{path}: {what}")));
    }
    if project.sh.read_file(bench::SVG)? != bench::chart::draw(&bench::committed(project)?)? {
        wrong.push(format!("{}: is not the chart of {}", bench::SVG, bench::JSON));
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
    project.sh.write_file(bench::SVG, bench::chart::draw(&bench::committed(project)?)?)?;
    check(project)
}
