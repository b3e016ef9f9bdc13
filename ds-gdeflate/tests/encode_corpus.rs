//! Real content: the interoperability vectors, and the corpus if there is one.

mod encode_support;

use std::path::{Path, PathBuf};

use ds_gdeflate::TILE_SIZE;
use encode_support::{Judge, SOME_LEVELS};

/// Contents of the files of this extension in a folder, in order; none if there is no such folder.
fn files(folder: &Path, extension: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (name, std::fs::read(&path).expect("a readable file"))
        })
        .collect()
}

/// The raw twins of the vectors: those in the repository, and all of `shared/` beside the checkout.
#[test]
fn raw_twins_of_the_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Judge::new();
    for folder in ["tests/vectors", "../../shared/vectors"] {
        for (name, raw) in files(&root.join(folder), "raw") {
            for tile in raw.chunks(TILE_SIZE) {
                judge.check_all_levels(tile, &name);
            }
        }
    }
}

/// Prints each level's ratio beside the reference's, for the folder that `DS_CORPUS` names. The table is the point,
/// but every tile is also decoded and compared.
#[test]
fn ratios_on_the_corpus() {
    let Some(folder) = std::env::var_os("DS_CORPUS") else { return };
    let mut judge = Judge::new();
    for level in SOME_LEVELS {
        let mut reference = ds_reference::Encoder::new(level.number()).expect("a level");
        let (mut logs, mut classes) = (0.0, 0.0);
        println!("level {level:<9}  ratio  reference  smaller by  refused");
        for (name, content) in files(Path::new(&folder), "bin") {
            if name == "ktx2" {
                continue; // compressed already: not one of the ten classes of our comparisons
            }
            // A table entry of 4 bytes for each tile; tiles that the reference refuses count for neither.
            let (mut raw, mut ours, mut theirs, mut refused) = (0, 0, 0, 0);
            for tile in sample(&content) {
                let len = judge.check(level, tile, &name);
                match reference.encode_tile(tile) {
                    Ok(payload) => {
                        raw += tile.len();
                        ours += len + 4;
                        theirs += payload.len() + 4;
                    }
                    Err(ds_reference::Refused) => refused += 1,
                }
            }
            let [raw, ours, theirs] = [raw, ours, theirs].map(|bytes| bytes as f64);
            let gain = 100.0 * (theirs / ours - 1.0);
            println!("{name:14} {:6.4} {:10.4} {gain:+10.2}% {refused:8}", raw / ours, raw / theirs);
            logs += (theirs / ours).ln();
            classes += 1.0;
        }
        println!("geometric mean {:+28.2}%", 100.0 * ((logs / f64::max(classes, 1.0)).exp() - 1.0));
    }
}

/// 16 MiB of a class: four slices of 4 MiB, evenly spaced.
fn sample(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    const SLICE: usize = 4 << 20;
    let slices = if content.len() <= 4 * SLICE { 1 } else { 4 };
    let step = content.len().saturating_sub(SLICE) / 3 / TILE_SIZE * TILE_SIZE;
    let len = if slices == 1 { content.len() } else { SLICE };
    (0..slices).flat_map(move |slice| content[slice * step..][..len].chunks(TILE_SIZE))
}
