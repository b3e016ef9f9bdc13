//! The simulation is itself tested: with each of these defects planted it must fail within its ordinary budget.
//!
//! Run with `--features __defects`.

#[allow(dead_code, reason = "what is met is summed up by the simulation's own test")]
mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ds_core::queue::defect::Defect;
use sim::met::Met;
use sim::{Plant, run};

const BUDGET: u64 = 100_000;

/// Runs schedules until one fails. A defect that makes the queue panic counts as found.
fn find(name: &str, plant: Plant) {
    let mut met = Met::new();
    for seed in 0..BUDGET {
        let found = match catch_unwind(AssertUnwindSafe(|| run(seed, plant, &mut met))) {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why,
            Err(_) => "a panic".into(),
        };
        println!("{name}: found after {} schedules: {found}", seed + 1);
        return;
    }
    panic!("{name}: not found in {BUDGET} schedules");
}

#[test]
fn a_completion_delivered_twice_is_found() {
    find(
        "double completion",
        Plant { queue: |queue| queue.plant(Defect::DoubleCompletion), ..Plant::NOTHING },
    );
}

#[test]
fn a_cancellation_lost_is_found() {
    find("lost cancel", Plant { queue: |queue| queue.plant(Defect::LostCancel), ..Plant::NOTHING });
}

#[test]
fn memory_released_too_early_is_found() {
    find("early release", Plant { queue: |queue| queue.plant(Defect::EarlyRelease), ..Plant::NOTHING });
}

#[test]
fn a_marker_out_of_turn_is_found() {
    find("FIFO breach", Plant { queue: |queue| queue.plant(Defect::FifoBreach), ..Plant::NOTHING });
}

#[test]
fn a_starved_queue_is_found() {
    find("starved queue", Plant { arbiter: |arbiter| arbiter.plant_starvation(), ..Plant::NOTHING });
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    let mut met = Met::new();
    for seed in 0..1000 {
        run(seed, Plant::NOTHING, &mut met).unwrap();
    }
}
