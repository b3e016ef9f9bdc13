//! What benches write: one [`Bench`] each, which `cargo xtask bench codec` puts together into [`Results`].
//!
//! All times are seconds, all sizes bytes. A size of compressed data counts four bytes for each tile, its entry in the
//! stream's table. `docs/benchmarks.md` of the repository describes the file.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The name of the format, with its version: raised when a reader of old files would misread new ones.
pub const SCHEMA: &str = "ds-runtime/bench-codec/1";

/// Everything that one run of `cargo xtask bench codec` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// The day, in UTC, as `YYYY-MM-DD`.
    pub date: String,
    /// The command that measured, with `FOLDER` for the path of the corpus.
    pub command: String,
    /// The commit, and `+` if files differed from it.
    pub commit: String,
    /// What `rustc --version` says.
    pub rustc: String,
    /// The machine that measured.
    pub machine: Machine,
    /// What it measured on.
    pub corpus: Corpus,
    /// Our decoder beside the reference's, on streams of the reference's.
    pub decode: Bench,
    /// Our decoder beside libdeflate's on DEFLATE.
    pub deflate: Bench,
    /// Our encoder beside the reference's.
    pub encode: Bench,
    /// A stream through the runtime beside the codec alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Streaming>,
}

/// A machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// As documents name it: "a virtual machine with two cores of ...".
    pub name: String,
    /// The processor, as it calls itself.
    pub cpu: String,
    /// Processors that the run could use.
    pub cores: usize,
    /// The kernel's name and release.
    pub system: String,
}

/// Where the content came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Corpus {
    /// Whether it was generated for lack of a corpus. Generated data say little about real data.
    pub generated: bool,
    /// Of so many tiles one was measured.
    pub stride: usize,
}

/// What one bench found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bench {
    /// Whom we were measured against.
    pub rival: Rival,
    /// How often each thing was measured.
    pub rounds: usize,
    /// Decoding, level by level and class by class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decode: Vec<Decode>,
    /// Encoding, level by level and class by class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encode: Vec<Encode>,
    /// Decoding on several threads, class by class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<Threads>,
}

/// Another codec.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rival {
    /// Its name and version.
    pub version: String,
    /// What its compiler was given.
    pub flags: String,
}

/// A size and a time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Compressed size, in bytes.
    pub packed: u64,
    /// Time of one pass over the content, in seconds.
    pub seconds: f64,
}

/// Decoding one class at one level of the encoder, one thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decode {
    /// The encoder's level.
    pub level: u8,
    /// The class.
    pub class: String,
    /// Bytes of content.
    pub bytes: u64,
    /// Tiles that the rival's encoder refused, which are left out.
    pub refused: u64,
    /// The rival.
    pub rival: Run,
    /// Ours, at each level of instructions.
    pub ours: Vec<Simd>,
}

/// Our decoder at one level of instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Simd {
    /// The level's name.
    pub simd: String,
    /// What it did.
    #[serde(flatten)]
    pub run: Run,
}

/// Encoding one class at one level, one thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encode {
    /// The level, ours and the rival's.
    pub level: u8,
    /// The class.
    pub class: String,
    /// Bytes of content.
    pub bytes: u64,
    /// Tiles that the rival's encoder refused, which are left out of both.
    pub refused: u64,
    /// The rival.
    pub rival: Run,
    /// Ours.
    pub ours: Run,
}

/// Decoding one class on one thread, and on several.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Threads {
    /// The encoder's level.
    pub level: u8,
    /// The class.
    pub class: String,
    /// The level of instructions.
    pub simd: String,
    /// How many threads the other time is for.
    pub threads: usize,
    /// Time on one thread, in seconds.
    pub one: f64,
    /// Time on several, in seconds.
    pub several: f64,
}

/// A whole pack, read from the page cache, decoded and verified by the runtime, beside the codec alone on the same tiles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Streaming {
    /// The encoder's level.
    pub level: u8,
    /// Threads of both.
    pub threads: usize,
    /// How often each was measured.
    pub rounds: usize,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes that they were packed into.
    pub packed: u64,
    /// Time of the codec alone, in seconds.
    pub codec: f64,
    /// CPU time of the codec alone, in seconds.
    pub codec_cpu: f64,
    /// Time of the whole stream, in seconds.
    pub stream: f64,
    /// CPU time of the whole stream, in seconds.
    pub stream_cpu: f64,
}

impl Streaming {
    /// How much of the codec's speed is left.
    pub fn share(&self) -> f64 {
        self.codec / self.stream
    }

    /// Millions of bytes of content per second.
    pub fn speed(&self, seconds: f64) -> f64 {
        self.bytes as f64 / seconds / 1e6
    }
}

impl Decode {
    /// Times as fast as the rival, at each level of instructions.
    pub fn faster(&self) -> impl Iterator<Item = f64> {
        self.ours.iter().map(|ours| self.rival.seconds / ours.run.seconds)
    }
}

impl Encode {
    /// Times as fast as the rival.
    pub fn faster(&self) -> f64 {
        self.rival.seconds / self.ours.seconds
    }

    /// Our size over the rival's.
    pub fn relative_size(&self) -> f64 {
        self.ours.packed as f64 / self.rival.packed as f64
    }
}

impl Threads {
    /// Times as fast on several threads as on one.
    pub fn faster(&self) -> f64 {
        self.one / self.several
    }
}

impl Bench {
    /// The names of our levels of instructions, slowest first.
    pub fn simd(&self) -> Vec<&str> {
        self.decode
            .first()
            .map_or_else(Vec::new, |row| row.ours.iter().map(|ours| ours.simd.as_str()).collect())
    }
}

/// Writes what a bench found where the settings want it, if anywhere.
///
/// # Panics
///
/// If it cannot be written.
pub fn write(results: &impl Serialize, path: Option<&Path>) {
    let Some(path) = path else { return };
    let json = serde_json::to_vec(results).expect("plain data");
    fs::write(path, json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// What the system says, or that it is something else.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// The geometric mean; not a number if there are no values.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value.ln(), count + 1.0));
    (sum / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_ratios_knows_no_direction() {
        assert!((geometric_mean([4.0, 0.25]) - 1.0).abs() < 1e-12);
        assert!(geometric_mean([]).is_nan());
    }
}
