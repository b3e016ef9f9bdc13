//! What benchmarks share, and the results they write.
//!
//! The benches themselves lie beside what they measure (`ds-gdeflate/benches`, `ds-libdeflate/benches`): programs of their own,
//! since two of the rivals export C symbols of the same names. Here is the rest, in the order in which a bench uses it:
//!
//! - [`settings`]: what the environment asks for;
//! - [`classes`]: content, class by class;
//! - [`timing`]: the rule by which a round counts;
//! - [`progress`]: how far the bench has come;
//! - [`results`]: what came out, as written to a file and read by `cargo xtask bench codec`;
//! - [`gpu`]: the same of `ds bench gpu`;
//! - [`machine`]: what it was measured on, and when.
#![forbid(unsafe_code)]

pub mod classes;
pub mod gpu;
pub mod machine;
pub mod progress;
pub mod results;
pub mod settings;
pub mod timing;

/// Bytes of content in a tile.
pub const TILE_SIZE: usize = 65_536;
