//! README.md must not drift from the code.
//!
//! Two kinds of things are watched. *Excerpts* are marked in the README by a comment and can be rewritten
//! from the code ([`excerpts`]). *Facts* stand in its prose, and can only be checked ([`facts`]).

mod excerpts;
mod facts;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Project;

const README: &str = "README.md";

/// Fails, naming each difference, unless the README agrees with the code.
pub(crate) fn check(project: &Project) -> Result<()> {
    let readme = read(project)?;
    let mut wrong = excerpts::sync(&readme, project)?.stale;
    wrong.extend(facts::check(&readme, project)?);
    for line in &wrong {
        eprintln!("{README}: {line}");
    }
    if !wrong.is_empty() {
        bail!(
            "{README} disagrees with the code in {} places (`cargo xtask readme` mends excerpts)",
            wrong.len()
        );
    }
    println!("{README} agrees with the code");
    Ok(())
}

/// Rewrites the excerpts, then fails if a fact is still wrong.
pub(crate) fn write(project: &Project) -> Result<()> {
    let readme = read(project)?;
    let synced = excerpts::sync(&readme, project)?;
    if synced.text != readme {
        project.sh.write_file(README, &synced.text)?;
        for line in &synced.stale {
            println!("{README}: mended: {line}");
        }
    }
    check(project)
}

fn read(project: &Project) -> Result<String> {
    project.sh.read_file(README).context("the README is missing")
}
