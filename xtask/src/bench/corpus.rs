//! Something to measure on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use crate::workspace::Project;

/// The script that builds the corpus, beside the checkout, and what it must come to.
const SCRIPT: &str = "shared/corpus/make_corpus.sh";
const SUMS: &str = "SHA256SUMS";

/// Builds the corpus in `folder`.
pub(super) fn build(project: &Project, folder: &Path) -> Result<PathBuf> {
    let beside = project.workspace.workspace_root.parent().context("the checkout has no parent folder")?;
    let script = beside.join(SCRIPT);
    ensure!(
        script.is_file(),
        "there is no {}: build a corpus of your own, a .bin file or a folder for each class, and name it with --corpus",
        script.display()
    );
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    println!("building the corpus in {}", folder.display());
    cmd!(project.sh, "bash {script}")
        .env("OUT", &folder)
        .run()
        .context("the script wants imagemagick, ffmpeg, sox and python3 (Debian packages)")?;
    if fs::read(script.with_file_name(SUMS))? != fs::read(folder.join(SUMS))? {
        eprintln!("\nNOT THE SAME CORPUS as others have: its checksums are not those beside the script.");
    }
    Ok(folder)
}

/// Writes the demo's assets into `folder`, for want of anything better.
pub(super) fn generate(project: &Project, folder: &Path) -> Result<PathBuf> {
    eprintln!(
        "\nNO CORPUS IS NAMED: measuring on generated assets, which say little about real ones.\n\
         Name one with --corpus FOLDER, or build one with --build-corpus FOLDER.\n"
    );
    cmd!(project.sh, "cargo run --quiet --release --package ds-cli --example assets -- {folder}")
        .quiet()
        .run()?;
    Ok(folder.to_owned())
}
