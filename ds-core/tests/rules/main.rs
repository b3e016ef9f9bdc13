//! The queue's rules, one test each, in the order of the crate's modules.

mod cancel;
mod desk;
mod engines;
mod enqueue;
mod links;
mod markers;
mod paths;
mod relay;
mod shared;
mod staging;
mod stats;
mod time;
mod transfers;
mod transforms;
mod words;
