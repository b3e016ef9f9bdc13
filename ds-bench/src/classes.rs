//! What is measured: content by class.
//!
//! A corpus is a folder. Each `.bin` file in it is a class, and so is each folder, whose files are taken together in the
//! order of their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::TILE_SIZE;
use crate::settings::Settings;

/// Bytes of a class that are measured at most: four slices of this length.
const SLICE: usize = 4 << 20;

/// Classes that are left out: compressed before they came here, so that all of it would be stored.
const LEFT_OUT: &[&str] = &["ktx2"];

/// Content of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The name of its file or folder.
    pub name: String,
    /// Four slices of 4 MiB, evenly spaced, or all if there is less; of these the tiles that the stride selects.
    pub content: Vec<u8>,
}

/// The classes in the folder that the settings name, or a few generated tiles where they name none.
///
/// # Panics
///
/// If the folder cannot be read or has no classes.
pub fn load(settings: &Settings) -> Vec<Class> {
    let Some(folder) = &settings.corpus else { return generated() };
    let mut classes = read(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!classes.is_empty(), "{}: neither .bin files nor folders with files", folder.display());
    for class in &mut classes {
        class.content = class.content.chunks(TILE_SIZE).step_by(settings.stride).flatten().copied().collect();
    }
    classes
}

/// The classes in this folder; none if there are neither `.bin` files nor folders with files.
///
/// # Errors
///
/// What the system says.
pub fn read(corpus: &Path) -> io::Result<Vec<Class>> {
    let mut classes = Vec::new();
    for path in sorted(corpus)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_class = path.is_dir() || path.extension().is_some_and(|extension| extension == "bin");
        if !is_class || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let mut content = Vec::new();
        for file in if path.is_dir() { sorted(&path)? } else { vec![path] } {
            content.extend(fs::read(file)?);
        }
        if !content.is_empty() {
            classes.push(Class { name, content: sample(content) });
        }
    }
    Ok(classes)
}

/// Some of so many, evenly spaced: all if there are no more.
pub fn evenly(all: usize, most: usize) -> impl Iterator<Item = usize> {
    let some = all.min(most);
    (0..some).map(move |n| n * all / some.max(1))
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn sample(whole: Vec<u8>) -> Vec<u8> {
    if whole.len() <= 4 * SLICE {
        return whole;
    }
    let step = (whole.len() - SLICE) / 3 / TILE_SIZE * TILE_SIZE;
    [0, 1, 2, 3].map(|index| &whole[index * step..][..SLICE]).concat()
}

fn generated() -> Vec<Class> {
    let mut state = 1_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..2 * TILE_SIZE).map(|_| random()).collect();
    let skewed = noise.iter().map(|byte| byte & byte >> 3).collect();
    let repetitive =
        noise.iter().enumerate().map(|(at, byte)| if at % 11 < 7 { at as u8 } else { *byte }).collect();
    let class = |name: &str, content| Class { name: name.into(), content };
    vec![class("noise", noise), class("skewed", skewed), class("repetitive", repetitive)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_many_are_evenly_spaced() {
        assert_eq!(evenly(10, 4).collect::<Vec<_>>(), [0, 2, 5, 7]);
        assert_eq!(evenly(3, 32).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(evenly(0, 32).count() + evenly(5, 0).count(), 0);
    }

    #[test]
    fn four_slices_of_a_large_file_are_taken() {
        let whole: Vec<u8> =
            (0..10 * SLICE / TILE_SIZE).flat_map(|tile| vec![tile as u8; TILE_SIZE]).collect();
        let sample = sample(whole);
        let firsts = [0, 1, 2, 3].map(|slice| sample[slice * SLICE]);
        assert_eq!((sample.len(), firsts), (4 * SLICE, [0, 192, 128, 64]));
        assert_eq!(sample.last(), Some(&(639_usize as u8)), "to the very end");
    }

    #[test]
    fn files_and_folders_are_classes() {
        let corpus = tempfile::tempdir().unwrap();
        for folder in ["sound", "empty"] {
            fs::create_dir(corpus.path().join(folder)).unwrap();
        }
        for (name, content) in
            [("mesh.bin", "m"), ("ktx2.bin", "k"), ("note.txt", "n"), ("sound/b", "2"), ("sound/a", "1")]
        {
            fs::write(corpus.path().join(name), content).unwrap();
        }
        let class = |name: &str, content: &[u8]| Class { name: name.into(), content: content.to_vec() };
        assert_eq!(read(corpus.path()).unwrap(), [class("mesh", b"m"), class("sound", b"12")]);
    }

    fn of(corpus: &Path) -> Settings {
        Settings { corpus: Some(corpus.to_owned()), ..Settings::from_env(&[9], 1) }
    }

    #[test]
    fn a_stride_takes_every_so_many_tiles() {
        let corpus = tempfile::tempdir().unwrap();
        let tiles = [(1, TILE_SIZE), (2, TILE_SIZE), (3, TILE_SIZE), (4, TILE_SIZE), (5, 7)];
        let content = tiles.map(|(byte, len)| vec![byte; len]).concat();
        fs::write(corpus.path().join("mesh.bin"), content).unwrap();
        let settings = Settings { stride: 2, ..of(corpus.path()) };
        let expected = [vec![1; TILE_SIZE], vec![3; TILE_SIZE], vec![5; 7]].concat();
        assert_eq!(load(&settings), [Class { name: "mesh".into(), content: expected }]);
    }

    #[test]
    #[should_panic(expected = "neither .bin files nor folders with files")]
    fn a_corpus_without_classes_is_none() {
        let corpus = tempfile::tempdir().unwrap();
        fs::write(corpus.path().join("note.txt"), "n").unwrap();
        load(&of(corpus.path()));
    }

    #[test]
    #[should_panic(expected = "no such folder: ")]
    fn a_corpus_that_is_not_there_is_not_replaced() {
        load(&of(Path::new("no such folder")));
    }

    #[test]
    fn without_a_corpus_content_is_the_same_in_every_run() {
        let settings = Settings { corpus: None, ..of(Path::new("")) };
        let classes = load(&settings);
        assert_eq!(classes, load(&settings));
        assert!(classes.iter().all(|class| class.content.len() == 2 * TILE_SIZE));
        // Bytes that occur: all, those with few bits set, all again.
        let kinds = |class: &Class| class.content.iter().collect::<std::collections::BTreeSet<_>>().len();
        let [noise, skewed, repetitive] = &classes[..] else { panic!("{} classes", classes.len()) };
        assert_eq!((kinds(noise), kinds(repetitive)), (256, 256));
        assert!(kinds(skewed) < 256);
        // Where the pattern repeats, a byte is the one 256 * 11 before it.
        let period = 11 * 256;
        let again = |class: &Class| {
            (period..class.content.len())
                .filter(|&at| class.content[at] == class.content[at - period])
                .count()
        };
        assert!(again(repetitive) * 2 > repetitive.content.len() && again(noise) * 50 < noise.content.len());
    }
}
