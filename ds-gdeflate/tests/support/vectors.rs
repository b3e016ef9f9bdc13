//! Streams from other encoders, with what they must decode to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A stream and its content.
pub(crate) struct Vector {
    /// `NAME.ENCODER`.
    pub(crate) name: String,
    pub(crate) stream: Vec<u8>,
    pub(crate) raw: Rc<[u8]>,
}

impl Vector {
    /// The encoder and its level or mode.
    pub(crate) fn encoder(&self) -> &str {
        self.name.rsplit('.').next().expect("rsplit yields something")
    }
}

/// Where the vectors of this repository are.
pub(crate) fn committed_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Where many more may be: shared/ beside the checkout.
pub(crate) fn shared_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors")
}

/// The vectors of this repository, in order of their names.
pub(crate) fn committed() -> Vec<Vector> {
    read(&committed_folder()).expect("the repository has its vectors")
}

/// All vectors in a folder, in order of their names, or `None` if there is no such folder.
///
/// # Panics
///
/// If a file cannot be read or a stream has no content beside it.
pub(crate) fn read(folder: &Path) -> Option<Vec<Vector>> {
    let mut raws = BTreeMap::new();
    let mut streams = BTreeMap::new();
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.expect("a readable folder").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let bytes = || fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("raw") => drop(raws.insert(stem, Rc::from(bytes()))),
            Some("gds") => drop(streams.insert(stem, bytes())),
            _ => {}
        }
    }
    let pair = |(name, stream): (String, _)| {
        let content = name.split('.').next().expect("split yields something");
        let raw: &Rc<[u8]> = raws.get(content).unwrap_or_else(|| panic!("{name}.gds has no {content}.raw"));
        let raw = Rc::clone(raw);
        Vector { name, stream, raw }
    };
    Some(streams.into_iter().map(pair).collect())
}
