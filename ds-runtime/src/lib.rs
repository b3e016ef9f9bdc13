//! Linux-native, DirectStorage-style asset streaming: many small requests, batched, GDeflate packed, read and decoded in the
//! background, each answered exactly once.
//!
//! ```
//! use ds_runtime::{File, QueueOptions, Request, Runtime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("level.gds");
//! # let asset = b"bytes of an asset ".repeat(100);
//! # let packed = ds_gdeflate::compress(&asset, ds_gdeflate::Level::DEFAULT, ds_gdeflate::CodecId::default())?;
//! # std::fs::write(&path, &packed)?;
//! # let (packed_len, raw_len) = (packed.len() as u64, asset.len() as u64);
//! let runtime = Runtime::builder().build()?;
//! let queue = runtime.queue(QueueOptions::default())?;
//! let file = File::open(&path)?;
//!
//! let ticket = queue.enqueue(Request::read(&file, 0, packed_len).gdeflate(raw_len))?;
//! queue.submit();
//! let done = ticket.wait().check()?;
//! assert_eq!(done.buffer, asset);
//! # Ok(()) }
//! ```
//!
//! # Ways to be told
//!
//! | call | one is told by |
//! |---|---|
//! | [`Queue::enqueue`] | a [`Ticket`]: wait for it, or `.await` it on any executor |
//! | [`Queue::enqueue_with`] | a callback |
//! | [`Queue::post`] | [`Queue::take_completed`], with a descriptor for an event loop ([`Queue::completion_event`]) |
//! | [`Queue::scope`] | the scope's end: buffers may be borrowed |
//! | [`Queue::enqueue_status`], [`enqueue_signal`](Queue::enqueue_signal), [`enqueue_event`](Queue::enqueue_event) | a marker, when all before it is done |
//!
//! # Threads
//!
//! Callbacks, error hooks and wakers run with no lock held, on whichever thread saw the work end (an engine's, or one that was
//! waiting or submitting), once that has nothing more urgent to do. They may enqueue, submit, cancel, wait and close; but within
//! them a full queue refuses at once, since to wait for room could be to wait for oneself. None runs on top of another, except
//! those that a callback closing a queue has to wait for. One that blocks holds up a worker. A panic is caught and logged,
//! whatever it carries.
//!
//! A thread blocked in a wait without a timeout does queued work itself. Two runtimes in one process share nothing. After `fork`
//! the child has no engine threads: it must neither use the parent's runtime nor drop it, only `exec`.
//!
//! # Features
//!
//! * `cpu` (default): the CPU engine, `ds-cpu`.
//! * `uring`: file I/O by io_uring, `ds-uring`.
//! * `vulkan`: requests to and from the memory of Vulkan devices, decoded there, `ds-vulkan`.
//!
//! A feature makes an engine available; which one runs is chosen at run time
//!   ([`IoKind`], [`CodecKind`]), and one that is named never falls back to another.

mod builder;
mod bulk;
mod choice;
mod clock;
mod completion;
#[cfg(feature = "cpu")]
mod compression;
mod custom;
mod devices;
mod drive;
mod file;
mod here;
mod line;
mod marker;
#[cfg(all(test, loom))]
mod model;
mod queue;
mod registry;
mod report;
mod request;
mod runtime;
mod scope;
mod slots;
mod sync;
mod tell;
mod threads;
mod ticket;
mod timer;

pub use builder::{BuildError, Builder, CodecKind, IoKind, Refusal, Selection};
pub use choice::{Choice, Choices};
pub use completion::Completion;
#[cfg(feature = "cpu")]
pub use compression::CompressionCodec;
pub use custom::CustomRequest;
pub use file::{File, OpenError};
pub use marker::{Event, Fence, Status, StatusArray};
pub use queue::{Queue, QueueOptions, Stragglers, TimedOut};
pub use report::{ErrorHook, ErrorReport, Report, set_error_hook};
pub use request::{Rejected, Request};
pub use runtime::Runtime;
pub use scope::{Scope, ScopedTicket};
pub use ticket::Ticket;

pub use ds_core::{
    ByteCounts, Corrupt, CorruptReason, Error, ErrorKind, ErrorRecord, Failure, Latency, Misuse, Path,
    Priority, Processor, RequestId, StageTimes, Stats,
};
#[cfg(feature = "uring")]
pub use ds_uring::{Features as UringFeatures, Report as UringReport, UringConfig, probe as probe_uring};

/// The codec itself: levels and options for [`CompressionCodec`], tiles and streams for those who go deeper.
#[cfg(feature = "cpu")]
pub use ds_gdeflate as gdeflate;

/// Vulkan devices: what a program needs to choose or lend one, and the memory of requests to it.
#[cfg(feature = "vulkan")]
pub use ds_vulkan as vulkan;

pub use ds_engine::{
    CodecEngine, CopyEngine, CustomDecoder, CustomError, DeviceEngine, DeviceRange, Engine, IoEngine,
    StartError, Warning,
};
