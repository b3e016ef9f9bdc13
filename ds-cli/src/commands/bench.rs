//! `ds bench`: measure, and print what came of it.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use crate::bench::{Options, run as measure, write_table};
use crate::error::{Error, Result};
use crate::files::output::Output;

/// Where results go.
#[derive(Clone, Debug)]
pub struct Results {
    /// JSON on standard output, in place of tables.
    pub json: bool,
    /// A file that JSON is written to, whatever goes to standard output.
    pub file: Option<PathBuf>,
    /// Replace that file if it exists.
    pub force: bool,
}

/// Measures a Vulkan device and prints the figures, for people or as JSON.
///
/// # Errors
///
/// No such device, content or library; what a driver says; output that is not the content; results that cannot be written.
pub fn run(options: &Options, results: &Results) -> Result<()> {
    // Before it is measured: it may take minutes.
    let file = results.file.as_deref().map(|path| Output::create(path, results.force)).transpose()?;
    let command: Vec<_> = std::env::args().collect();
    let measured = measure(options, command.join(" "))?;
    let mut json = serde_json::to_string(&measured).map_err(|error| Error::stdout(error.into()))?;
    json.push('\n');
    if let Some(mut file) = file {
        file.put(json.as_bytes())?;
        file.commit()?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match results.json {
        true => out.write_all(json.as_bytes()),
        false => write_table(&mut out, &measured),
    };
    written.and_then(|()| out.flush()).map_err(Error::stdout)
}
