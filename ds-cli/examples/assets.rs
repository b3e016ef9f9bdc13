//! Writes the demo's assets into a folder, one folder a class, for other programs to work on; without an argument, a small set into
//! a folder that goes with the program.
//!
//! `cargo run --release -p ds-cli --example assets -- FOLDER`

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use ds_cli::assets::{self, Scale};

/// Any will do; the same gives the same files.
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let (folder, scale) = match std::env::args_os().nth(1) {
        Some(folder) => (PathBuf::from(folder), Scale::Full),
        None => (scratch.path().to_owned(), Scale::Quick),
    };
    fs::create_dir_all(&folder)?;
    let (mut files, mut bytes) = (0, 0);
    assets::write(&folder, scale, SEED, |len| {
        files += 1;
        bytes += len;
    })?;
    println!("{files} files, {bytes} bytes");
    Ok(())
}
