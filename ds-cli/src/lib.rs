//! The `ds` program as a library: everything but the few lines of `main`.
//!
//! Along the data path:
//!
//! - [`cli`]: arguments, help and exit codes.
//! - [`commands`]: what each command does.
//! - [`files`]: reading, and writing so that no half file is ever seen.
//! - [`pipeline`]: work on many threads, in and out in order.
//! - [`pack`]: the pack format: reader, writer and validated index.
//! - [`stream`]: chunks of a pack through the runtime's queue, verified.
//! - [`mod@bench`]: a Vulkan device measured, beside the vendor's library.
//! - [`assets`]: a generator of small realistic assets, for the demo and for tests.
//! - [`signals`]: what is half done is undone before a signal ends the program.
//! - [`error`], [`progress`], [`units`]: what people see.
#![forbid(unsafe_code)]

pub mod assets;
pub mod bench;
pub mod cli;
pub mod commands;
pub mod error;
pub mod files;
pub mod pack;
pub mod pipeline;
mod poison;
pub mod progress;
pub mod signals;
pub mod stream;
pub mod units;
