//! The request queue of ds-runtime as a sans-I/O state machine with DirectStorage's queue rules.
//!
//! No system calls, no clock, no threads, no allocation, no `unsafe`: the queue decides *what happens next* and says so in
//! plain [`Action`] values; whoever drives it does it and answers with plain [`Outcome`] values. That is why every
//! interleaving, short read and error can be tested from a seed, and why the same queue serves a thread pool, a ring, a
//! GPU and a bare-metal program.
//!
//! Modules, along the data path:
//!
//! 1. [`request`]: what is asked for: operation, [`Location`]s, [`Transform`], size, tag;
//! 2. [`queue`]: the [`Queue`] itself, its slots, its rules and its calling contract;
//! 3. [`action`]: what the queue wants done ([`Action`]) and what came of it ([`Outcome`]);
//! 4. [`completion`]: how a request ended ([`Completion`]) and what a marker says ([`Notice`]);
//! 5. [`error`]: who was at fault, with numbers;
//! 6. [`stats`]: exact counts, and which path ran ([`Path`]);
//! 7. [`arbiter`]: which of several queues goes next, without starving any;
//! 8. [`shared`]: a queue behind a spin lock, for programs without an operating system;
//! 9. [`fault`]: a seeded fault-injecting engine, for tests of anything that drives a queue.
//!
//! ```
//! use ds_core::{Action, Config, Done, Location, Outcome, Path, Queue, Request, Room, Slot, Time};
//! use ds_core::{BufferId, FileId};
//!
//! let mut queue = Queue::new([const { Slot::new() }; 4], Config::default())?;
//! let now = Time::ZERO;
//! let request = Request::read(
//!     Location::File { file: FileId(7), offset: 4096, len: 100 },
//!     Location::Host { buffer: BufferId(1), offset: 0, len: 100 },
//! );
//! let id = queue.try_enqueue(&request, now)?;
//! queue.submit(now);
//! while let Some(action) = queue.poll_action(now, Room::Any) {
//!     let Action::Read { op, into, .. } = action else { unreachable!("a raw read needs nothing else") };
//!     // An engine would read here; say that all of it arrived.
//!     queue.handle_outcome(Outcome { op, result: Ok(Done::Moved(into.len)), path: Path::IO_CPU }, now)?;
//! }
//! let completion = queue.next_completion().expect("the one request is done");
//! assert_eq!((completion.id, completion.bytes.delivered), (id, 100));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod action;
pub mod arbiter;
pub mod completion;
pub mod error;
pub mod fault;
pub mod id;
pub mod path;
pub mod queue;
pub mod request;
pub mod shared;
pub mod stats;
pub mod time;

pub use action::{Action, Decode, DecodeStep, Done, Fault, Memory, Outcome, Room, Span};
pub use arbiter::{Arbiter, Lane, LaneId, Priority};
pub use completion::{ByteCounts, Completion, ErrorRecord, Failure, Notice, StageTimes};
pub use completion::{EventToken, SignalToken, StatusToken};
pub use error::{Context, Corrupt, CorruptReason, Error, ErrorKind, Misuse, Stage, UnknownOp};
pub use id::{BufferId, DeviceId, FileId, LeaseId, OpId, RequestId};
pub use path::Path;
pub use queue::{Config, Queue, Slot, Slots};
pub use request::{Location, LocationKind, Operation, Processor, Request, Transform};
pub use shared::SharedQueue;
pub use stats::{Latency, Stats};
pub use time::Time;
