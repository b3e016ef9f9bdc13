//! The checks of the project, in the order `cargo xtask test` takes them: cheap ones first.

use anyhow::{Result, bail};
use xshell::{Cmd, cmd};

use crate::api;
use crate::coverage;
use crate::features;
use crate::nightly;
use crate::packages;
use crate::readme;
use crate::runner::{Ending, Step};
use crate::shaders;
use crate::tools::{
    AARCH64_GCC, AARCH64_LIBC, AARCH64_LINUX, CARGO_DENY, CARGO_FUZZ, CARGO_LLVM_COV, CLIPPY, LLVM_TOOLS,
    MESA_VULKAN, NIGHTLY, OLDEST_RUST, QEMU_ARM, QEMU_USER, RUSTFMT, THUMBV7EM, THUMBV7EM_HARD_FLOAT, Tool,
    VALGRIND, VULKAN_LOADER, VULKAN_VALIDATION, WASM32, X86_64_NONE,
};
use crate::workspace::Project;

/// Crates that promise to work without an operating system.
const FREESTANDING: &[&str] = &["ds-core", "ds-gdeflate"];

/// What it takes to run tests for AArch64 elsewhere.
const AARCH64_NEEDS: &[&Tool] = if cfg!(target_arch = "aarch64") {
    &[]
} else {
    &[&AARCH64_LINUX, &AARCH64_GCC, &AARCH64_LIBC, &QEMU_USER]
};

/// The program that runs under valgrind, and its arguments: short, and through every layer. Not by io_uring, which the step `asan`
/// is for.
const VALGRIND_PROGRAM: (&str, &[&str]) = ("ds", &["demo", "--quick", "--engine", "cpu"]);

/// Where builds lie that share nothing with the others: the flags concern every crate, or the compiler is another.
const LOOM_FOLDER: &str = "loom";
const EMBEDDED_FOLDER: &str = "embedded";
const MSRV_FOLDER: &str = "msrv";

/// Steps that read the code without running it.
pub(crate) const LINT: &[&str] = &["fmt", "readme", "packages", "clippy", "docs", "deny"];

/// What it takes to run the Vulkan engine where there is no device, with the validation layer looking on.
const VULKAN_NEEDS: &[&Tool] = &[&MESA_VULKAN, &VULKAN_LOADER, &VULKAN_VALIDATION];

pub(crate) const COVERAGE_NEEDS: &[&Tool] =
    &[&LLVM_TOOLS, &CARGO_LLVM_COV, &MESA_VULKAN, &VULKAN_LOADER, &VULKAN_VALIDATION];

static STEPS: &[Step] = &[
    Step { name: "fmt", about: "the code is formatted", needs: &[&RUSTFMT], builds: &[], run: fmt },
    Step {
        name: "readme",
        about: "documents agree with code and results",
        needs: &[],
        builds: &[],
        run: readme_in_sync,
    },
    Step {
        name: "packages",
        about: "what would be published leans on nothing that is not",
        needs: &[],
        builds: &[],
        run: packages_hold,
    },
    Step {
        name: "clippy",
        about: "no lint fires, crate by crate and feature by feature",
        needs: &[&CLIPPY],
        builds: &[],
        run: clippy,
    },
    Step {
        name: "test",
        about: "unit, integration and documentation tests",
        needs: VULKAN_NEEDS,
        builds: &[],
        run: test,
    },
    Step {
        name: "aarch64",
        about: "the decoder's NEON variant passes its tests, under an emulator",
        needs: AARCH64_NEEDS,
        builds: &[AARCH64_LINUX.name],
        run: aarch64,
    },
    Step {
        name: "loom",
        about: "hand-offs between threads hold in every interleaving",
        needs: &[],
        builds: &[LOOM_FOLDER],
        run: loom,
    },
    Step {
        name: "nostd",
        about: "no_std crates build for bare metal and WebAssembly",
        needs: &[&X86_64_NONE, &THUMBV7EM, &WASM32],
        builds: &[X86_64_NONE.name, THUMBV7EM.name, WASM32.name],
        run: nostd,
    },
    Step {
        name: "embedded",
        about: "the example for a microcontroller decodes its vectors, emulated",
        needs: &[&RUSTFMT, &CLIPPY, &THUMBV7EM_HARD_FLOAT, &QEMU_ARM],
        builds: &[EMBEDDED_FOLDER],
        run: embedded,
    },
    Step {
        name: "msrv",
        about: "everything builds with the oldest supported Rust",
        needs: &[&OLDEST_RUST],
        builds: &[MSRV_FOLDER],
        run: msrv,
    },
    Step {
        name: "docs",
        about: "documentation builds without a warning",
        needs: &[],
        builds: &["doc"],
        run: docs,
    },
    Step {
        name: "api",
        about: "the committed lists of public interfaces are those of the code",
        needs: api::NEEDS,
        builds: &[],
        run: api_listed,
    },
    Step {
        name: "shaders",
        about: "the committed SPIR-V is valid and what the sources come to",
        needs: shaders::NEEDS,
        builds: &[],
        run: shaders_compiled,
    },
    Step {
        name: "deny",
        about: "licences and sources of dependencies",
        needs: &[&CARGO_DENY],
        builds: &[],
        run: deny,
    },
    Step {
        name: "advisories",
        about: "no dependency has a known hole",
        needs: &[&CARGO_DENY],
        builds: &[],
        run: advisories,
    },
    Step { name: "examples", about: "every example runs", needs: VULKAN_NEEDS, builds: &[], run: examples },
    Step {
        name: "valgrind",
        about: "an end-to-end run leaks and misreads nothing",
        needs: &[&VALGRIND],
        builds: &[],
        run: valgrind,
    },
    Step {
        name: "coverage",
        about: "the tests reach enough lines",
        needs: COVERAGE_NEEDS,
        builds: &["llvm-cov-target"],
        run: coverage,
    },
    Step {
        name: "miri",
        about: "codec and core do nothing undefined on tests and fuzz seeds",
        needs: &[&NIGHTLY],
        builds: &[nightly::MIRI_FOLDER],
        run: nightly::miri,
    },
    Step {
        name: "asan",
        about: "the tests of the codec and of io_uring touch no memory that is not theirs",
        needs: &[&NIGHTLY],
        builds: &[nightly::ASAN_FOLDER],
        run: nightly::asan,
    },
    Step {
        name: "fuzz-smoke",
        about: "each fuzz target finds nothing in 20 seconds",
        needs: &[&NIGHTLY, &CARGO_FUZZ],
        builds: &[nightly::FUZZ_FOLDER],
        run: nightly::fuzz_smoke,
    },
];

/// The steps called `names` in their usual order, or all of them.
pub(crate) fn select<S: AsRef<str>>(names: &[S]) -> Result<Vec<&'static Step>> {
    for name in names.iter().map(AsRef::as_ref) {
        if !STEPS.iter().any(|step| step.name == name) {
            let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("no step is called '{name}'; there are: {}", known.join(", "));
        }
    }
    let chosen = |step: &&Step| names.is_empty() || names.iter().any(|name| name.as_ref() == step.name);
    Ok(STEPS.iter().filter(chosen).collect())
}

/// A list of the steps for `--help`.
pub(crate) fn help() -> String {
    let lines = STEPS.iter().map(|step| format!("  {:<11} {}", step.name, step.about));
    let steps: Vec<_> = lines.collect();
    format!("Steps:\n{}", steps.join("\n"))
}

/// Checks against the advisory database.
///
/// # Errors
///
/// Also when the database cannot be fetched.
pub(crate) fn advisories_strict(project: &Project) -> Result<()> {
    match advisories(project)? {
        Ending::Passed => Ok(()),
        Ending::Skipped(why) => bail!(why),
    }
}

fn fmt(project: &Project) -> Result<Ending> {
    cmd!(project.sh, "cargo fmt --all --check").run()?;
    Ok(Ending::Passed)
}

fn readme_in_sync(project: &Project) -> Result<Ending> {
    readme::check(project)?;
    Ok(Ending::Passed)
}

fn packages_hold(project: &Project) -> Result<Ending> {
    packages::check(project)?;
    Ok(Ending::Passed)
}

/// Lints each package by itself: a workspace build unifies features, which hides one that a crate forgot to
/// ask for.
fn clippy(project: &Project) -> Result<Ending> {
    let sh = &project.sh;
    let mut commands = Vec::new();
    for package in &project.workspace.packages {
        let name = &package.name;
        commands.push(cmd!(sh, "cargo clippy --package {name} --all-targets -- --deny warnings"));
        for set in features::sets(package).iter().filter(|_| package.has_library()) {
            commands.push(cmd!(sh, "cargo clippy --package {name} --lib {set...} -- --deny warnings"));
        }
        if !package.features.is_empty() {
            commands.push(cmd!(
                sh,
                "cargo clippy --package {name} --all-targets --all-features -- --deny warnings"
            ));
        }
    }
    run_each(project, &commands)
}

/// Tests with every feature on: Cargo leaves out, without a word, tests whose required features are off.
///
/// This program is tested apart, in the profile that it has just been built in.
fn test(project: &Project) -> Result<Ending> {
    let sh = &project.sh;
    let keep_going: &[&str] = if project.fail_fast { &[] } else { &["--no-fail-fast"] };
    let own = cmd!(sh, "cargo test --package xtask --profile dev {keep_going...}");
    let ours = cmd!(sh, "cargo test --workspace --exclude xtask --all-features {keep_going...}");
    // A Vulkan device was provided: tests that miss one have failed, not been skipped.
    let ours = ours.env("DS_REQUIRE_VULKAN", "1");
    run_each(project, &[own, ours])
}

/// Tests what needs no operating system, all levels of the decoder included. With fewer random inputs: emulation takes its time.
fn aarch64(project: &Project) -> Result<Ending> {
    if cfg!(target_arch = "aarch64") {
        return Ok(Ending::Skipped("this is an AArch64 machine: the step `test` has run the same".into()));
    }
    let target = AARCH64_LINUX.name;
    let packages = FREESTANDING.iter().flat_map(|package| ["--package", package]);
    cmd!(project.sh, "cargo test {packages...} --all-features --lib --tests --target {target}")
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64 -L /usr/aarch64-linux-gnu")
        .env("DS_TEST_QUICK", "1")
        .run()?;
    Ok(Ending::Passed)
}

/// Tries models of what we wrote for several threads. In a folder of its own: the flag concerns every crate.
fn loom(project: &Project) -> Result<Ending> {
    let folder = project.workspace.target_directory.join(LOOM_FOLDER);
    let packages = ["ds-engine", "ds-cpu", "ds-uring", "ds-vulkan", "ds-runtime"];
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    cmd!(project.sh, "cargo test {packages...} --lib --release --target-dir {folder} model")
        .env("RUSTFLAGS", "--cfg loom")
        .run()?;
    Ok(Ending::Passed)
}

fn nostd(project: &Project) -> Result<Ending> {
    let sh = &project.sh;
    let mut commands = Vec::new();
    for package in
        project.workspace.packages.iter().filter(|package| FREESTANDING.contains(&package.name.as_str()))
    {
        let name = &package.name;
        for target in [X86_64_NONE.name, THUMBV7EM.name, WASM32.name] {
            for set in features::sets_without(package, "std") {
                commands.push(cmd!(sh, "cargo build --package {name} --target {target} {set...}"));
            }
        }
    }
    run_each(project, &commands)
}

/// Runs a program of a workspace of its own, whose Cargo settings name the target and the emulator.
fn embedded(project: &Project) -> Result<Ending> {
    let sh = &project.sh;
    let _there = sh.push_dir("embedded");
    let target = project.workspace.target_directory.join(EMBEDDED_FOLDER);
    let commands = [
        cmd!(sh, "cargo fmt --check"),
        cmd!(sh, "cargo clippy --locked -- --deny warnings"),
        cmd!(sh, "cargo run --locked --release"),
    ];
    run_each(project, &commands.map(|command| command.env("CARGO_TARGET_DIR", &target)))
}

fn msrv(project: &Project) -> Result<Ending> {
    let toolchain = OLDEST_RUST.name;
    let folder = project.workspace.target_directory.join(MSRV_FOLDER);
    let what = ["--workspace", "--exclude", "xtask", "--all-targets", "--all-features", "--locked"];
    cmd!(project.sh, "rustup run {toolchain} cargo check --target-dir {folder} {what...}").run()?;
    Ok(Ending::Passed)
}

fn docs(project: &Project) -> Result<Ending> {
    cmd!(project.sh, "cargo doc --no-deps --workspace --all-features")
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(Ending::Passed)
}

fn api_listed(project: &Project) -> Result<Ending> {
    api::check(project)?;
    Ok(Ending::Passed)
}

fn shaders_compiled(project: &Project) -> Result<Ending> {
    shaders::check(project)?;
    Ok(Ending::Passed)
}

fn deny(project: &Project) -> Result<Ending> {
    cmd!(project.sh, "cargo deny check bans licenses sources").run()?;
    Ok(Ending::Passed)
}

fn advisories(project: &Project) -> Result<Ending> {
    if cmd!(project.sh, "cargo deny fetch db").run().is_err() {
        eprintln!("\nThe advisory database cannot be fetched: dependencies are NOT checked for known holes.");
        return Ok(Ending::Skipped("the advisory database cannot be fetched".into()));
    }
    cmd!(project.sh, "cargo deny check --disable-fetch advisories").run()?;
    Ok(Ending::Passed)
}

fn examples(project: &Project) -> Result<Ending> {
    build_programs(project)?;
    let dir = project.workspace.target_directory.join("debug/examples");
    let examples = project.workspace.packages.iter().flat_map(|package| package.targets_of("example"));
    let programs = examples.filter(|example| example.is_program());
    let commands: Vec<_> = programs.map(|example| project.sh.cmd(dir.join(&example.name))).collect();
    run_each(project, &commands)
}

fn valgrind(project: &Project) -> Result<Ending> {
    build_programs(project)?;
    let (name, args) = VALGRIND_PROGRAM;
    let program = project.workspace.target_directory.join("debug").join(name);
    // Merely "possible" leaks are the stack and handle of the thread that waits for Ctrl-C until the program ends.
    let leaks = [
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect",
        "--show-leak-kinds=definite,indirect",
    ];
    cmd!(project.sh, "valgrind --quiet {leaks...} --error-exitcode=1 {program} {args...}").run()?;
    Ok(Ending::Passed)
}

/// Builds programs and examples as the tests do, so that after a test run nothing is left to build: asking for
/// the tests as well gives dependencies the same features.
pub(crate) fn build_programs(project: &Project) -> Result<()> {
    let kinds = ["--bins", "--examples", "--tests"];
    cmd!(project.sh, "cargo build --workspace --exclude xtask --all-features {kinds...} --profile test")
        .run()?;
    Ok(())
}

fn coverage(project: &Project) -> Result<Ending> {
    coverage::run(project, coverage::MIN_LINE_PERCENT, false)?;
    Ok(Ending::Passed)
}

/// Runs every command even if one fails, unless the run is to stop at its first failure.
///
/// # Errors
///
/// When a command failed; each that did is printed.
fn run_each(project: &Project, commands: &[Cmd<'_>]) -> Result<Ending> {
    let mut failed = Vec::new();
    for command in commands {
        if command.run().is_err() {
            failed.push(command);
            if project.fail_fast {
                break;
            }
        }
    }
    for command in &failed {
        eprintln!("failed: {command}");
    }
    if !failed.is_empty() {
        bail!("{} of {} commands, see above", failed.len(), commands.len());
    }
    Ok(Ending::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_selected_in_their_usual_order() {
        let names: Vec<_> = select(&["docs", "fmt"]).unwrap().iter().map(|step| step.name).collect();
        assert_eq!(names, ["fmt", "docs"]);
        assert_eq!(select::<&str>(&[]).unwrap().len(), STEPS.len());
        assert_eq!(select(LINT).unwrap().len(), LINT.len());
    }

    #[test]
    fn the_oldest_rust_is_the_one_the_crates_promise() {
        let project = Project::open().unwrap();
        for package in project.workspace.published_libraries() {
            let promised = package.rust_version.as_deref().unwrap();
            assert_eq!(OLDEST_RUST.name, format!("{promised}.0"), "{}", package.name);
        }
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_list() {
        let error = select(&["fmt", "tests"]).err().unwrap().to_string();
        assert!(error.starts_with("no step is called 'tests'; there are: fmt, "), "{error}");
    }
}
