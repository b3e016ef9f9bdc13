//! The simulation: several queues over one made-up machine, driven at random from a seed, watched by a checker that knows
//! the rules and nothing of how the queue keeps them.
//!
//! * [`generate`]: random configurations, faults and requests;
//! * [`world`]: the driver, which performs what the queues ask for, in a random order and at random times;
//! * [`record`] and [`ledger`]: the checker, for one request and for one queue;
//! * [`met`]: what a run met.

pub(crate) mod generate;
pub(crate) mod ledger;
pub(crate) mod met;
pub(crate) mod record;
pub(crate) mod world;

use ds_core::{Arbiter, Lane, Queue, Slot};

/// The first rule broken, in words.
pub(crate) type Check = Result<(), String>;

/// Returns the words unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use ensure;

/// A queue as the simulation uses it.
pub(crate) type SimQueue = Queue<Box<[Slot]>>;
/// An arbiter as the simulation uses it.
pub(crate) type SimArbiter = Arbiter<Vec<Lane>>;

/// Defects to plant before a schedule starts.
#[derive(Clone, Copy)]
pub(crate) struct Plant {
    pub(crate) queue: fn(&mut SimQueue),
    pub(crate) arbiter: fn(&mut SimArbiter),
}

impl Plant {
    pub(crate) const NOTHING: Self = Self { queue: |_| {}, arbiter: |_| {} };
}

/// Runs one schedule.
pub(crate) fn run(seed: u64, plant: Plant, met: &mut met::Met) -> Check {
    world::World::new(seed, plant)?.run(met)
}
