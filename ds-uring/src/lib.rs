//! The io_uring engine: file I/O by rings.
//!
//! A ring lets one thread have many transfers in flight, and submit and collect them by the batch. That is what fast disks
//! want: with [`O_DIRECT`](ds_engine::FileRef::direct) or cold files one core drives a device that a pool of threads, each
//! waiting for one transfer, cannot. Where the page cache has the bytes the kernel copies them as it takes the submission, on
//! the ring's one thread and on the one that waits, and a pool does as well or better.
//!
//! Modules, along the data path:
//!
//! 1. [`engine`]: the engine, its threads' life;
//! 2. `lane`: which ring a job goes to, and what everybody and that ring's thread share;
//! 3. `inbox`, `bell`, `doorbell`, `event`, `wire`: messages to the thread without a lock, and waking it only when it sleeps;
//! 4. `worker`: the thread: turns, and answers in between;
//! 5. `driver`: one turn: messages, submissions, one system call, completions;
//! 6. `direct`: how a job goes to the kernel: straight, or by a detour through aligned memory;
//! 7. `inline`: reads by the thread that waits for them; `kept`: who does which; `cached`: by what means;
//! 8. `joined`: neighbours that go together; `flights`: the jobs the kernel has, and the tokens they go by;
//! 9. `ring`: the queues: the kernel's, with what it has been told of in advance and perhaps a second one that polls, or a
//!    simulation's that goes wrong on purpose;
//! 10. [`config`], [`features`], [`report`], [`mod@probe`]: what to set up, what a kernel may grant, what came of it.
//!
//! # What callers can rely on
//!
//! * Every job is answered exactly once, in batches, with nothing of the engine's locked.
//! * A job is answered when the kernel is done with its memory, and not before: a cancelled one too, and whatever happens to
//!   the engine. Stopping it finishes what it has; dropping it stops it. Should a turn of a ring's thread panic, it waits for the
//!   kernel before the thread ends, and what was in flight is never answered.
//! * An idle engine does nothing: its threads sleep in the kernel.
//! * Once warm, no job allocates.
//!
//! # Kernels
//!
//! Linux 5.15 or later. What later ones can do ([`Features`]) is tried when a ring is made and used where granted; [`Report`]
//! tells. Where io_uring is forbidden, starting says so in one [`StartError`](ds_engine::StartError).
//!
//! # Fork
//!
//! A child process has the parent's descriptors but none of its threads, and the mapping of a ring does not exist in it. It must
//! not use the engine, nor drop it: stopping waits for threads that are not there. `fork` followed by `exec` is fine, for every
//! descriptor closes at that.

mod bell;
mod cached;
mod direct;
mod doorbell;
mod driver;
#[cfg(not(all(test, loom)))]
mod event;
mod flights;
mod inbox;
mod inline;
mod joined;
mod kept;
mod lane;
mod ring;
mod wire;
mod worker;

#[cfg(all(test, loom))]
mod model;

pub mod config;
pub mod engine;
pub mod features;
pub mod probe;
pub mod report;

pub use config::UringConfig;
pub use engine::UringIo;
pub use features::Features;
pub use probe::probe;
pub use report::Report;

#[cfg(any(test, feature = "__faults"))]
pub use ring::fake::FakeFaults;
