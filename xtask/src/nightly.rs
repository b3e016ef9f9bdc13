//! Checks that take a nightly Rust: Miri, the address sanitizer and a short run of each fuzz target.
//!
//! Each builds into a folder of its own, so that none throws away what another, or a plain build, has made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::runner::Ending;
use crate::tools::NIGHTLY;
use crate::workspace::Project;

/// Where builds lie that share nothing with others, below the target directory.
pub(crate) const MIRI_FOLDER: &str = "miri";
pub(crate) const ASAN_FOLDER: &str = "asan";
pub(crate) const FUZZ_FOLDER: &str = "fuzz";

/// How long each fuzz target runs.
const SMOKE_SECONDS: u32 = 20;

/// One thing in two places is no error: the linker keeps two copies of a marker of the sanitizer's own.
const ASAN_OPTIONS: (&str, &str) = ("ASAN_OPTIONS", "detect_odr_violation=0");

/// Everything here is many times slower than a plain test.
const QUICK: (&str, &str) = ("DS_TEST_QUICK", "1");

/// Runs under Miri what finishes there in minutes: the unit tests of the core, those of the codec that need not encode, and codec
/// and core on fuzz seeds.
pub(crate) fn miri(project: &Project) -> Result<Ending> {
    let toolchain = NIGHTLY.name;
    let dir = project.workspace.target_directory.join(MIRI_FOLDER);
    let codec = [
        "--lib",
        "--",
        "decode::entry",
        "decode::header",
        "decode::precode",
        "decode::table",
        "format::",
        "stream::",
    ];
    for what in [
        ["ds-core", "--lib"].as_slice(),
        &[["ds-gdeflate", "--no-default-features"].as_slice(), &codec].concat(),
        &["ds-scenarios", "--test", "replay"],
    ] {
        cmd!(project.sh, "rustup run {toolchain} cargo miri test --target-dir {dir} --package {what...}")
            // Seeds are files. Optimising would be for nothing.
            .envs([QUICK, ("MIRIFLAGS", "-Zmiri-disable-isolation"), ("CARGO_PROFILE_TEST_OPT_LEVEL", "0")])
            .run()?;
    }
    Ok(Ending::Passed)
}

/// Runs with the address sanitizer, in our code and the reference's: the decoder's tests, at every level of instructions, and those
/// of the engine on io_uring, where the kernel writes into our memory behind the compiler's back. (valgrind is no help there: it lets
/// one thread run at a time, and up to 3.19 does not know that one in `io_uring_enter` may wait for the others.)
pub(crate) fn asan(project: &Project) -> Result<Ending> {
    let toolchain = NIGHTLY.name;
    let dir = project.workspace.target_directory.join(ASAN_FOLDER);
    let host = host(project)?;
    let package = "ds-gdeflate";
    let codec = project.workspace.packages.iter().find(|other| other.name == package);
    let tests = codec.context("the codec is gone")?.targets_of("test").map(|test| test.name.as_str());
    // The encoder is safe code, and slow with the sanitizer.
    let tests = tests.filter(|name| !name.starts_with("encode")).flat_map(|name| ["--test", name]);
    let decoder: Vec<_> = ["--package", package, "--lib"].into_iter().chain(tests).collect();
    for what in [decoder, vec!["--package", "ds-uring", "--lib", "--tests"]] {
        cmd!(
            project.sh,
            "rustup run {toolchain} cargo test --target-dir {dir} --target {host} --all-features {what...}"
        )
        .envs([QUICK, ASAN_OPTIONS, ("RUSTFLAGS", "-Zsanitizer=address")])
        .env(c_flags(&host), "-fsanitize=address")
        .run()?;
    }
    Ok(Ending::Passed)
}

/// Builds the fuzz targets and runs each from its committed seeds for a little while.
pub(crate) fn fuzz_smoke(project: &Project) -> Result<Ending> {
    let toolchain = NIGHTLY.name;
    let dir = project.workspace.target_directory.join(FUZZ_FOLDER);
    let host = host(project)?;
    // The build is the longer part: less optimisation, and units side by side.
    cmd!(project.sh, "rustup run {toolchain} cargo fuzz build --codegen-units 16 --target-dir {dir}")
        .envs([("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"), ("CARGO_PROFILE_RELEASE_DEBUG", "0")])
        .env(c_flags(&host), "-fsanitize=address")
        .run()?;

    let fuzz = project.workspace.workspace_root.join("fuzz");
    let targets: Vec<_> = names(&fuzz)?
        .into_iter()
        .map(|name| Target { program: dir.join(&host).join("release").join(&name), name })
        .collect();
    let mut failed = Vec::new();
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    for group in targets.chunks(at_once) {
        let outputs: Vec<_> = thread::scope(|scope| {
            let runs: Vec<_> = group.iter().map(|target| scope.spawn(|| target.run(&fuzz, &dir))).collect();
            runs.into_iter().map(|run| run.join().expect("running a program does not panic")).collect()
        });
        for (target, output) in group.iter().zip(outputs) {
            let output = output.with_context(|| format!("cannot run {}", target.program.display()))?;
            if !target.judge(&output) {
                failed.push(target.name.as_str());
            }
        }
    }
    if !failed.is_empty() {
        bail!("{}, see above", failed.join(", "));
    }
    Ok(Ending::Passed)
}

/// The machine's own target, which a sanitizer wants named: build scripts are then left alone.
fn host(project: &Project) -> Result<String> {
    let version = cmd!(project.sh, "rustc -vV").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it runs on")?.to_owned())
}

/// The variable with the C compiler's flags for a target.
fn c_flags(target: &str) -> String {
    format!("CFLAGS_{}", target.replace('-', "_"))
}

/// The fuzz targets' names: those of their sources.
fn names(fuzz: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// A fuzz target that has been built.
struct Target {
    name: String,
    program: PathBuf,
}

impl Target {
    /// Runs the target on its seeds and what it makes of them. What it finds new goes to a folder below `dir`, an input that
    /// breaks something to `fuzz/artifacts`.
    fn run(&self, fuzz: &Path, dir: &Path) -> Result<Output> {
        let corpus = dir.join("corpus").join(&self.name);
        if corpus.exists() {
            fs::remove_dir_all(&corpus)?;
        }
        let artifacts = fuzz.join("artifacts").join(&self.name);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&artifacts)?;
        let mut command = Command::new(&self.program);
        command.env(ASAN_OPTIONS.0, ASAN_OPTIONS.1).arg(corpus).arg(fuzz.join("seeds").join(&self.name));
        let dictionary = fuzz.join("dictionaries").join(format!("{}.dict", self.name));
        if dictionary.exists() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.arg(format!("-max_total_time={SMOKE_SECONDS}"));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        Ok(command.output()?)
    }

    /// Prints what a run was about, and whether it proves something: that nothing broke, and that some inputs were accepted.
    fn judge(&self, output: &Output) -> bool {
        let log = String::from_utf8_lossy(&output.stderr);
        println!("\n{}:", self.name);
        if !output.status.success() {
            println!("{log}\n{} FAILED: {}", self.name, output.status);
            return false;
        }
        print!("{}", summary(&log));
        let accepted = has_accepted(&log);
        if !accepted {
            println!("{} FAILED: no input was accepted", self.name);
        }
        accepted
    }
}

/// Of a run's log the last figures of coverage, and what became of the inputs.
fn summary(log: &str) -> String {
    let done = log.lines().filter(|line| line.contains("DONE ")).map(|line| format!("  {line}\n"));
    let verdicts = log.lines().skip_while(|line| !line.starts_with("levels of instructions"));
    done.chain(verdicts.map(|line| format!("  {line}\n"))).collect()
}

fn has_accepted(log: &str) -> bool {
    log.lines().any(|line| line.split_whitespace().last() == Some("accepted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO: Seed: 1
#2\tINITED cov: 10 ft: 11
#900\tDONE   cov: 12 ft: 13 corp: 1/1b
Done 900 runs in 20 second(s)
levels of instructions: scalar, avx2
verdicts on 900 inputs:
         300  33.3 % accepted
         600  66.7 % truncated
";

    #[test]
    fn a_summary_tells_coverage_and_verdicts_and_nothing_else() {
        let summary = summary(LOG);
        assert_eq!(summary.lines().count(), 5, "{summary}");
        assert!(summary.starts_with("  #900\tDONE "), "{summary}");
        assert!(summary.ends_with("66.7 % truncated\n"), "{summary}");
    }

    #[test]
    fn a_run_that_accepts_nothing_is_known() {
        assert!(has_accepted(LOG));
        assert!(!has_accepted(&LOG.replace("accepted", "block type")));
    }

    #[test]
    fn every_fuzz_target_has_seeds() {
        let fuzz = Project::open().unwrap().workspace.workspace_root.join("fuzz");
        let names = names(&fuzz).unwrap();
        assert!(names.len() >= 6, "{names:?}");
        for name in names {
            assert!(fuzz.join("seeds").join(&name).read_dir().unwrap().next().is_some(), "{name}");
        }
    }
}
