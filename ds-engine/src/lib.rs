//! The boundary between the queue and the engines: the only place where tokens meet memory.
//!
//! `ds-core` says "read 4096 bytes of this file into that span"; an engine needs a descriptor and an address. The driver
//! (`ds-runtime`) resolves one into the other and hands the engine a *job*. Everything `unsafe` about that is one promise,
//! made where a job's memory is named ([`HostBytes::new`], [`FileRef::new`]) and kept by whoever drives the queue:
//!
//! > what a job names stays valid until the job's one outcome has been delivered to the [`Sink`].
//!
//! Engines rely on the promise; the driver can keep it because a request completes only after the outcomes of all its
//! operations (`ds-core`'s second invariant). And because the driver takes an outcome's word for that, engines make a promise
//! in return, by implementing an unsafe trait ([`Engine`]):
//!
//! > a job is answered once, by whoever was given it, and touched no more from then on.
//!
//! Modules, along the data path:
//!
//! 1. [`memory`]: host bytes and file descriptors, lent to an engine for one job;
//! 2. [`direct`]: what transfers past the page cache must be aligned to; [`device`]: ranges of what devices own;
//! 3. [`staging`]: a bounded pool of page-aligned memory, leased to requests; [`ranges`]: which parts of it are free;
//! 4. [`job`]: what an engine is asked for;
//! 5. [`engine`]: the traits an engine implements, and the sink it answers to;
//! 6. [`intent`]: what a thread that submits is about to do;
//! 7. [`gdeflate`]: what the steps of a GDeflate request come to, and its errors; [`custom`]: decoders an application brings along;
//! 8. [`contain`](mod@contain): running the application's code on a thread that must survive it;
//! 9. [`faulty`]: an engine wrapper that injects faults, for tests.

pub mod contain;
pub mod crew;
pub mod custom;
pub mod device;
pub mod direct;
pub mod engine;
pub mod faulty;
pub mod gdeflate;
pub mod intent;
pub mod job;
pub mod lock;
pub mod memory;
pub mod patience;
pub mod ranges;
pub mod staging;
pub mod warning;

pub use contain::{Panicked, contain};
pub use crew::{Crew, Member};
pub use custom::{CustomDecoder, CustomError};
pub use device::DeviceRange;
pub use direct::Alignment;
pub use engine::{
    CodecEngine, CopyEngine, DeviceEngine, Engine, Finished, IoEngine, Sink, StartContext, StartError,
};
pub use faulty::FaultyIo;
pub use intent::{AboutToDrive, is_about_to_drive};
pub use job::{CodecJob, CopyJob, IoJob, IoOp, JobId};
pub use lock::lock;
pub use memory::{FileRef, HostBytes, Place, has_positions};
pub use patience::Patience;
pub use ranges::Ranges;
pub use staging::{StagingError, StagingPool};
pub use warning::Warning;
