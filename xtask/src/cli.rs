//! What can be typed after `cargo xtask`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bench::CodecArgs;
use crate::bench_io::IoArgs;
use crate::coverage::MIN_LINE_PERCENT;
use crate::tools::Provision;

/// Project chores: testing, linting, coverage, keeping the README true.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                    install what is missing, then run every check
  cargo xtask test --only test,nostd  run two of the steps
  cargo xtask test --no-install       change nothing on this machine; tell what is missing
  cargo xtask lint                    formatting, packages, clippy, docs and dependency rules alone
  cargo xtask coverage --html         line coverage, with pages to click through
  cargo xtask readme                  copy code excerpts and the crate list into README.md
  cargo xtask shaders                 compile the shaders of ds-vulkan
  cargo xtask gpu-tests FOLDER        the Vulkan tests, to be carried to a machine with a GPU
  cargo xtask bench codec --quick     our codec beside its rivals, within a minute
  cargo xtask bench io                random reads beside fio
  cargo xtask tools                   what the checks need and whether it is here";

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Run every check of the project, or those named, and print a table of the results
    #[command(after_help = crate::steps::help())]
    Test {
        /// Steps to run, separated by commas; all of them if absent
        #[arg(long, value_name = "STEP", value_delimiter = ',')]
        only: Vec<String>,
        /// Stop at the first step that fails
        #[arg(long)]
        fail_fast: bool,
        /// Remove what a step built for itself alone as soon as it has passed: a third of the disk space
        #[arg(long)]
        tidy: bool,
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Run the steps that read the code without running it
    Lint {
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Build the no_std crates for machines without an operating system, and run the example for one
    Nostd {
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Measure line coverage, one line for each published library crate
    Coverage {
        /// Least share of lines that must be covered in every crate, in percent
        #[arg(long, value_name = "PERCENT", default_value_t = MIN_LINE_PERCENT)]
        min: f64,
        /// Also write pages that show each line
        #[arg(long)]
        html: bool,
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Check dependencies against the advisory database; failing to fetch it is an error here
    Advisories {
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Bring README.md and what else quotes code or results in line with them, or check that it is
    Readme {
        /// Change nothing; fail if a document disagrees
        #[arg(long)]
        check: bool,
    },
    /// List the public interface of ds-gdeflate in docs/api, or check that the list is right
    Api {
        /// Change nothing; fail if the interface is not the one listed
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Compile the shaders of ds-vulkan and describe them for it, or check that what is committed is what they come to
    Shaders {
        /// Change nothing; fail if a compiled shader or its description is not the source's
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        provision: ProvisionArgs,
    },
    /// Build the Vulkan tests as programs that run without a toolchain, on a machine that has a GPU
    GpuTests {
        /// Where to put them
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Measure beside rivals
    Bench {
        #[command(subcommand)]
        what: BenchVerb,
    },
    /// List what the checks need and whether it is installed
    Tools {
        /// Install what is missing
        #[arg(long)]
        install: bool,
    },
}

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum BenchVerb {
    /// The codec: decoding and encoding, class by class, every output verified
    Codec(CodecArgs),
    /// File I/O: random reads through the runtime beside fio
    Io(IoArgs),
}

/// Whether a verb may change the machine.
#[derive(Args)]
pub(crate) struct ProvisionArgs {
    /// Install nothing: name what is missing and fail the steps that need it
    #[arg(long)]
    no_install: bool,
}

impl From<ProvisionArgs> for Provision {
    fn from(args: ProvisionArgs) -> Self {
        if args.no_install { Self::ReportOnly } else { Self::Install }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn steps_are_separated_by_commas() {
        let cli = Cli::try_parse_from(["xtask", "test", "--only", "fmt,docs", "--no-install"]).unwrap();
        let Verb::Test { only, fail_fast, tidy, provision } = cli.verb else { panic!("not the test verb") };
        assert_eq!(only, ["fmt", "docs"]);
        assert!(!fail_fast && !tidy);
        assert_eq!(Provision::from(provision), Provision::ReportOnly);
    }
}
