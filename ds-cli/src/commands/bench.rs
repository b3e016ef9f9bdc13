//! `ds bench`: measure, and print what came of it.

use std::io::{self, BufWriter, Write};

use crate::bench::{Options, run as measure, write_table};
use crate::error::{Error, Result};

/// Measures a Vulkan device and prints the figures, for people or as JSON.
///
/// # Errors
///
/// No such device, content or library; what a driver says; output that is not the content.
pub fn run(options: &Options, json: bool) -> Result<()> {
    let command: Vec<_> = std::env::args().collect();
    let results = measure(options, command.join(" "))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match json {
        true => {
            serde_json::to_writer(&mut out, &results).map_err(io::Error::from).and_then(|()| writeln!(out))
        }
        false => write_table(&mut out, &results),
    };
    written.and_then(|()| out.flush()).map_err(Error::stdout)
}
