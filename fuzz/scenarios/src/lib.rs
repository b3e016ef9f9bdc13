//! What the fuzzers do with an input, and what must then be true.
//!
//! A scenario takes any bytes, panics if the code is wrong, and tells otherwise what became of them. The programs under
//! `fuzz/fuzz_targets` feed scenarios from libFuzzer; `tests/replay.rs` feeds them the committed seeds, and variations of
//! these, in an ordinary test run.
//!
//! | scenario | what it holds true |
//! |---|---|
//! | [`decode_tile`] | any payload: one verdict and one content at every level of instructions, in buffers old or new; the model agrees |
//! | [`decode_reference`] | what we accept, the reference decodes to the same bytes |
//! | [`round_trip`] | what we encode is within its bound and decodes to itself, here and by the reference |
//! | [`tile_stream`] | any container: in bounds, and the same content in any order on any number of threads |
//! | [`queue`] | any sequence of calls: exactly one completion each, in the rules' order |
//! | [`pack`] | any pack: chunks in bounds, names that stay inside, content only with its checksum |

pub mod decode_reference;
pub mod decode_tile;
pub mod pack;
pub mod queue;
pub mod random;
pub mod round_trip;
pub mod tile;
pub mod tile_stream;

use core::fmt;

/// What became of an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It meant something.
    Accepted,
    /// It did not, for this reason.
    Refused(String),
}

impl Verdict {
    /// Refused for a reason that an error's `Debug` form begins with.
    fn refused(error: &impl fmt::Debug) -> Self {
        let words = format!("{error:?}");
        let end = words.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(words.len());
        Self::Refused(words[..end].to_owned())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Refused(why) => why,
        })
    }
}

/// Varies an input, for a seed of randomness. `None` if it has no structure that could be kept.
pub type Mutator = fn(&[u8], u64) -> Option<Vec<u8>>;

/// A scenario by its name, which is also that of its fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name; that of its folder below `fuzz/seeds` as well.
    pub name: &'static str,
    /// Runs an input.
    ///
    /// # Panics
    ///
    /// If the code under test is wrong.
    pub run: fn(&[u8]) -> Verdict,
    /// Varies an input and keeps its structure, where inputs have any.
    pub mutate: Option<Mutator>,
}

/// The scenario of that name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// All scenarios.
pub static SCENARIOS: [Scenario; 6] = [
    Scenario { name: "decode_tile", run: decode_tile::run, mutate: Some(decode_tile::mutate) },
    Scenario { name: "decode_reference", run: decode_reference::run, mutate: Some(decode_tile::mutate) },
    Scenario { name: "round_trip", run: round_trip::run, mutate: None },
    Scenario { name: "tile_stream", run: tile_stream::run, mutate: Some(tile_stream::mutate) },
    Scenario { name: "queue", run: queue::run, mutate: None },
    Scenario { name: "pack", run: pack::run, mutate: Some(pack::mutate) },
];
