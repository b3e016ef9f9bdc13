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

    fn run(packed: u64, seconds: f64) -> Run {
        Run { packed, seconds }
    }

    fn decode() -> Decode {
        let ours = |simd: &str, seconds| Simd { simd: simd.into(), run: run(60, seconds) };
        Decode {
            level: 9,
            class: "mesh".into(),
            bytes: 100,
            refused: 0,
            rival: run(60, 4.0),
            ours: vec![ours("scalar", 8.0), ours("avx2", 1.0)],
        }
    }

    fn bench(decode: Vec<Decode>) -> Bench {
        let rival = Rival { version: "other 1.0".into(), flags: "-O2".into() };
        Bench { rival, rounds: 3, decode, encode: vec![], threads: vec![] }
    }

    #[test]
    fn who_takes_less_time_is_more_than_once_as_fast() {
        assert_eq!(decode().faster().collect::<Vec<_>>(), [0.5, 4.0]);
        let encode = Encode {
            level: 9,
            class: "mesh".into(),
            bytes: 100,
            refused: 0,
            rival: run(60, 3.0),
            ours: run(45, 2.0),
        };
        assert_eq!((encode.faster(), encode.relative_size()), (1.5, 0.75));
        let (level, class, simd) = (9, "mesh".into(), "avx2".into());
        let threads = Threads { level, class, simd, threads: 4, one: 6.0, several: 2.0 };
        assert_eq!(threads.faster(), 3.0);
    }

    #[test]
    fn a_stream_is_slower_than_its_codec_by_what_it_does_besides() {
        let stream = Streaming {
            level: 9,
            threads: 2,
            rounds: 3,
            bytes: 8_000_000,
            packed: 4_000_000,
            codec: 1.5,
            codec_cpu: 3.0,
            stream: 2.0,
            stream_cpu: 4.0,
        };
        assert_eq!((stream.share(), stream.speed(stream.stream)), (0.75, 4.0));
    }

    #[test]
    fn levels_of_instructions_are_those_of_the_first_row() {
        assert_eq!(bench(vec![decode()]).simd(), ["scalar", "avx2"]);
        assert_eq!(bench(vec![]).simd(), [""; 0], "a bench of an encoder decodes nothing");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("bench.json");
        write(&bench(vec![decode()]), Some(&path));
        let text: serde_json::Value = read(&path).unwrap();
        assert_eq!(text["decode"][0]["ours"][1]["seconds"], 1.0, "a run has no object of its own");
        assert!(text.get("encode").is_none(), "empty lists are left out: {text}");
        let again: Bench = read(&path).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), text);
        assert_eq!((again.encode.len(), again.decode[0].rival.seconds), (0, 4.0));
    }

    #[test]
    fn what_is_not_there_or_something_else_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("bench.json");
        write(&1, None);
        assert_eq!(read::<Bench>(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        for (text, kind) in [
            ("{\"rounds\": 3}", io::ErrorKind::InvalidData),
            ("{\"rounds\": 3", io::ErrorKind::UnexpectedEof),
            ("no JSON", io::ErrorKind::InvalidData),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read::<Bench>(&path).unwrap_err().kind(), kind, "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "no such folder/bench.json: ")]
    fn results_that_cannot_be_written_are_not_lost_in_silence() {
        write(&1, Some(Path::new("no such folder/bench.json")));
    }

    #[test]
    fn a_mean_of_ratios_knows_no_direction() {
        assert!((geometric_mean([4.0, 0.25]) - 1.0).abs() < 1e-12);
        assert!(geometric_mean([]).is_nan());
    }
}
