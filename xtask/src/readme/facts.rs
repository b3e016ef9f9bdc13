//! Statements in the prose of the README, and in files that repeat them, which a program can check but not
//! write: versions, and the two commands a newcomer types.

use anyhow::{Context as _, Result, ensure};

use crate::workspace::{Package, Project};

/// The two commands of the README. What they need to work is checked with them.
const DEMO: &str = "cargo run --release -- demo";
const TEST: &str = "cargo xtask test";

const CI: &str = ".ci/run";
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// Returns a sentence for each statement about Rust's version or ours in `text` that is not true.
pub(crate) fn versions(text: &str, project: &Project) -> Result<Vec<String>> {
    let package = any_package(project)?;
    let mut wrong = rust_versions(text, package.rust_version.as_deref().context("rust-version is not set")?);
    wrong.extend(requirements(text, &package.version));
    Ok(wrong)
}

/// A package that stands for all: they agree in their versions.
fn any_package(project: &Project) -> Result<&Package> {
    let packages = &project.workspace.packages;
    let package = packages.first().context("the workspace is empty")?;
    let agree =
        |other: &Package| other.rust_version == package.rust_version && other.version == package.version;
    ensure!(packages.iter().all(agree), "crates differ in version or rust-version");
    Ok(package)
}

/// Returns a sentence for each statement of the README that is not true.
pub(crate) fn check(readme: &str, project: &Project) -> Result<Vec<String>> {
    let workspace = &project.workspace;
    let rust_version = any_package(project)?.rust_version.as_deref().context("rust-version is not set")?;
    let mut wrong = commands(readme);
    wrong.extend(versions(readme, project)?);

    let binaries = workspace.default_binaries();
    if binaries != ["ds"] {
        wrong.push(format!("`{DEMO}` needs exactly one default program `ds`, there are {binaries:?}"));
    }
    if !project.sh.read_file(CI)?.contains(TEST) {
        wrong.push(format!("{CI} does not run `{TEST}`"));
    }
    let workflow = project.sh.read_file(WORKFLOW)?;
    if !workflow.contains(CI) {
        wrong.push(format!("{WORKFLOW} does not run {CI}"));
    }
    if !workflow.contains(&format!("MSRV: \"{rust_version}\"")) {
        wrong.push(format!("{WORKFLOW} does not say `MSRV: \"{rust_version}\"`"));
    }
    Ok(wrong)
}

fn commands(readme: &str) -> Vec<String> {
    let missing = [DEMO, TEST].into_iter().filter(|command| !readme.contains(command));
    missing.map(|command| format!("does not tell the reader to type `{command}`")).collect()
}

/// Every "Rust 1.N" is about the oldest supported one, and there is at least one.
fn rust_versions(readme: &str, wanted: &str) -> Vec<String> {
    let found: Vec<_> = readme.match_indices("Rust 1.").map(|(at, _)| number(&readme[at + 5..])).collect();
    if found.is_empty() {
        return vec![format!("does not say that it needs Rust {wanted}")];
    }
    let other = found.into_iter().filter(|version| *version != wanted);
    other.map(|version| format!("says Rust {version}, but rust-version is {wanted}")).collect()
}

/// Lines such as `ds-runtime = "0.1"` ask for the version that is here.
fn requirements(readme: &str, version: &str) -> Vec<String> {
    let asked = readme.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(" = ")?;
        let value = value.split_once("version = ").map_or(value, |(_, version)| version);
        (name.starts_with("ds-") && value.starts_with('"')).then(|| (name, number(&value[1..])))
    });
    let satisfied = |asked: &str| version == asked || version.starts_with(&format!("{asked}."));
    asked
        .filter(|(_, asked)| !satisfied(asked))
        .map(|(name, asked)| format!("asks for {name} {asked}, but this is {version}"))
        .collect()
}

/// The version number that `text` starts with, without a full stop after it.
fn number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [&str; 0] = [];

    #[test]
    fn both_commands_must_be_there() {
        assert_eq!(commands("`cargo run --release -- demo` then `cargo xtask test`"), NOTHING);
        assert_eq!(commands("`cargo test`").len(), 2);
    }

    #[test]
    fn the_oldest_rust_is_named_and_right() {
        assert_eq!(rust_versions("It needs Rust 1.89. Or later.", "1.89"), NOTHING);
        assert_eq!(
            rust_versions("Rust 1.89 and Rust 1.9", "1.89"),
            ["says Rust 1.9, but rust-version is 1.89"]
        );
        assert_eq!(rust_versions("Rust", "1.89"), ["does not say that it needs Rust 1.89"]);
    }

    #[test]
    fn dependency_lines_ask_for_this_version() {
        let lines = "ds-runtime = \"0.1\"\n  ds-cpu = { version = \"0.1.0\", features = [] }\nserde = \"9\"\nds-core = x";
        assert_eq!(requirements(lines, "0.1.0"), NOTHING);
        let wrong = requirements("ds-core = \"0.10\"\nds-cpu = { version = \"0.2\" }", "0.1.0");
        assert_eq!(
            wrong,
            ["asks for ds-core 0.10, but this is 0.1.0", "asks for ds-cpu 0.2, but this is 0.1.0"]
        );
    }
}
