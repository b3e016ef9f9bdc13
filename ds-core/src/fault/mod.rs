//! A seeded fault-injecting engine, for tests of anything that drives a [`Queue`](crate::Queue).
//!
//! [`FaultPlan`] says how often what goes wrong; [`Rng`] decides, the same way for the same seed; [`FaultEngine`] plays a
//! whole machine of files, codecs, copies and staging memory, of which it moves not one byte. Wrappers of real engines ask
//! [`FaultPlan::draw`] and do the rest themselves.
//!
//! ```
//! use ds_core::fault::{FaultEngine, FaultPlan};
//! use ds_core::{Action, BufferId, Config, FileId, Location, Queue, Request, Room, Slot, Time};
//!
//! let mut queue = Queue::new([const { Slot::new() }; 4], Config::default())?;
//! let plan = FaultPlan { short: 30_000, interrupted: 10_000, delay: 0..=5_000, ..FaultPlan::default() };
//! let mut engine = FaultEngine::<64>::new(plan, 42);
//!
//! let mut now = Time::ZERO;
//! let source = Location::File { file: FileId(1), offset: 0, len: 100_000 };
//! let destination = Location::Host { buffer: BufferId(1), offset: 0, len: 100_000 };
//! queue.try_enqueue(&Request::read(source, destination), now)?;
//! queue.submit(now);
//! let mut wake = None;
//! while !queue.is_idle() {
//!     while let Some(action) = queue.poll_action(now, Room::Any) {
//!         match action {
//!             Action::Wake { at } => wake = at,
//!             Action::Notify(_) => {}
//!             action => engine.accept(action, now).expect("64 operations are more than 4 requests have"),
//!         }
//!     }
//!     if let Some(time) = engine.next_time().into_iter().chain(wake).min() {
//!         now = now.max(time);
//!     }
//!     while let Some(outcome) = engine.next_outcome(now) {
//!         queue.handle_outcome(outcome, now)?;
//!     }
//! }
//! assert_eq!(queue.next_completion().unwrap().bytes.delivered, 100_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod engine;
mod plan;
mod rng;

pub use engine::FaultEngine;
pub use plan::{FaultKind, FaultPlan, OperationKind};
pub use rng::Rng;
