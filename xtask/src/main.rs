//! The project's chores, one verb each, reached as `cargo xtask VERB`.
//!
//! The modules in the order a run passes through them:
//!
//! - [`cli`]: the verbs and their options;
//! - [`workspace`]: what `cargo metadata` says about our crates;
//! - [`tools`]: programs and targets a chore needs, and how to get them;
//! - [`runner`]: runs named steps, times them, prints the table at the end;
//! - [`steps`]: the steps themselves, in the order `cargo xtask test` takes them;
//! - [`nightly`]: those of them that take a nightly Rust;
//! - [`packages`]: the one that looks at what would be published;
//! - [`features`]: the sets of features a crate is built with;
//! - [`api`], [`coverage`] and [`readme`]: the steps that have a verb of their own;
//! - [`shaders`]: compiles the shaders of ds-vulkan; [`gpu_tests`]: makes its tests ready to be carried away;
//! - [`bench`](mod@bench) and [`bench_io`]: measure beside rivals.

mod api;
mod bench;
mod bench_gpu;
mod bench_io;
mod cli;
mod coverage;
mod features;
mod gpu_tests;
mod nightly;
mod packages;
mod readme;
mod runner;
mod shaders;
mod steps;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::cli::{BenchVerb, Cli, Verb};
use crate::workspace::Project;

fn main() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one verb; `Ok(false)` means it ran to its end and found something wrong, which it has already told.
fn dispatch(cli: Cli) -> Result<bool> {
    let mut project = Project::open()?;
    match cli.verb {
        Verb::Test { only, fail_fast, tidy, provision } => {
            project.fail_fast = fail_fast;
            project.tidy = tidy;
            runner::run(&project, &steps::select(&only)?, provision.into())
        }
        Verb::Lint { provision } => runner::run(&project, &steps::select(steps::LINT)?, provision.into()),
        Verb::Nostd { provision } => {
            runner::run(&project, &steps::select(&["nostd", "embedded"])?, provision.into())
        }
        Verb::Coverage { min, html, provision } => {
            tools::provide(&project.sh, steps::COVERAGE_NEEDS, provision.into())?;
            coverage::run(&project, min, html)?;
            Ok(true)
        }
        Verb::Advisories { provision } => {
            tools::provide(&project.sh, &[&tools::CARGO_DENY], provision.into())?;
            steps::advisories_strict(&project)?;
            Ok(true)
        }
        Verb::Readme { check: true } => readme::check(&project).map(|()| true),
        Verb::Readme { check: false } => readme::write(&project).map(|()| true),
        Verb::Api { check, provision } => {
            tools::provide(&project.sh, api::NEEDS, provision.into())?;
            if check { api::check(&project) } else { api::write(&project) }.map(|()| true)
        }
        Verb::Shaders { check, provision } => {
            tools::provide(&project.sh, shaders::NEEDS, provision.into())?;
            if check { shaders::check(&project) } else { shaders::write(&project) }.map(|()| true)
        }
        Verb::GpuTests { folder } => gpu_tests::write(&project, &folder).map(|()| true),
        Verb::Bench { what: BenchVerb::Codec(args) } => bench::codec(&project, &args).map(|()| true),
        Verb::Bench { what: BenchVerb::Io(args) } => bench_io::io(&project, &args).map(|()| true),
        Verb::Tools { install } => {
            let needs = runner::needs(&steps::select::<&str>(&[])?);
            Ok(tools::report(&project.sh, &needs, install))
        }
    }
}
