//! What is measured: content by class.

use std::path::{Path, PathBuf};

use ds_gdeflate::TILE_SIZE;

const SLICE: usize = 4 << 20;

/// The classes in the folder that `DS_CORPUS` names, or a few generated tiles where it names none or nothing is
/// being `measured`.
pub(crate) fn load(measured: bool) -> Vec<(String, Vec<u8>)> {
    let corpus = std::env::var_os("DS_CORPUS").filter(|_| measured);
    corpus.map_or_else(generated, |folder| read_corpus(Path::new(&folder)))
}

/// Four slices, evenly spaced, of every class but `ktx2`, which is compressed already.
fn read_corpus(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("DS_CORPUS names a folder");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bin") && name(path) != "ktx2");
    let read = |path: PathBuf| {
        let whole = std::fs::read(&path).expect("a readable file");
        let step = whole.len().saturating_sub(SLICE) / 3 / TILE_SIZE * TILE_SIZE;
        let slice = |index: usize| &whole[index * step..whole.len().min(index * step + SLICE)];
        let sample = if whole.len() <= 4 * SLICE { whole } else { [0, 1, 2, 3].map(slice).concat() };
        (name(&path), sample)
    };
    paths.into_iter().map(read).collect()
}

fn generated() -> Vec<(String, Vec<u8>)> {
    let mut state = 1_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..2 * TILE_SIZE).map(|_| random()).collect();
    let skewed = noise.iter().map(|byte| byte & byte >> 3).collect();
    let repetitive =
        noise.iter().enumerate().map(|(at, byte)| if at % 11 < 7 { at as u8 } else { *byte }).collect();
    vec![("noise".into(), noise), ("skewed".into(), skewed), ("repetitive".into(), repetitive)]
}
