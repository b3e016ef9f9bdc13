//! The CPU engine: file I/O, decoding and copying on pools of named threads.
//!
//! Engines, all on the same pool inside:
//!
//! | engine | does | threads |
//! |---|---|---|
//! | [`CpuIo`] | positional reads and writes, syncs | `ds-io-0`, ... |
//! | [`CpuCodec`] | GDeflate, the demo transform, the application's own decoders; copies | `ds-codec-0`, ... |
//! | [`CpuEngine`] | all of that on one pool | `ds-cpu-0`, ... |
//! | [`CpuFront`] | reads of what the page cache has; another engine does the rest | `ds-io-0`, ... |
//!
//! Two pools keep decoding going while every I/O thread waits for a disk. One pool has fewer threads, and none of them is
//! idle while there is anything to do: better where files are in the page cache and cores are few.
//!
//! Modules, along the data path:
//!
//! 1. `pool`: a queue of tasks and the threads that empty it: batches, wake-ups, cancelling, stopping;
//! 2. `work`: what the pool asks of a task;
//! 3. [`io`]: file I/O; `direct`: past the page cache;
//! 4. [`codec`]: transforms, tile-parallel where the format allows;
//! 5. `copy`: copies within host memory;
//! 6. [`engine`]: the three roles on one pool;
//! 7. [`front`]: file I/O in front of an engine that waits better.
//!
//! # What callers can rely on
//!
//! * Every job is answered exactly once, with no lock of the engine held; a job cancelled in time is answered
//!   [`Cancelled`](ds_core::Fault::Cancelled).
//! * Once warm (queues as long as they ever get, every thread has decoded once), no job allocates.
//! * Results do not depend on the number of workers: of several bad tiles the lowest is the one reported.
//! * A panic in a sink on an engine's thread ends there; the thread goes on.

mod copy;
mod direct;
mod pool;
mod sync;
mod work;

pub mod codec;
pub mod engine;
pub mod front;
pub mod io;

pub use codec::CpuCodec;
pub use engine::CpuEngine;
pub use front::CpuFront;
pub use io::CpuIo;

use core::num::NonZeroUsize;

/// As many workers as this process can run at once; 1 if the system does not say.
#[must_use]
pub fn default_workers() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
