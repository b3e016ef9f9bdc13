//! The `ds` program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ds_cli::cli::main(ds_cli::cli::Cli::try_parse())
}
