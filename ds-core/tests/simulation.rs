//! A deterministic simulation of queues over an unreliable machine.
//!
//! `DS_TEST_QUICK=1` runs fewer schedules, `DS_SIM_SCHEDULES=n` as many as you have time for. `DS_SIM_SEED=n` runs the one
//! schedule that a failure named.

mod sim;

use sim::met::Met;
use sim::{Plant, run};

const SCHEDULES: u64 = 100_000;
const QUICK: u64 = 5_000;
const THREADS: u64 = 2;

#[test]
fn every_rule_holds_on_random_schedules() {
    if let Ok(seed) = std::env::var("DS_SIM_SEED") {
        let seed = seed.parse().expect("DS_SIM_SEED is a number");
        let mut met = Met::new();
        if let Err(why) = run(seed, Plant::NOTHING, &mut met) {
            panic!("schedule {seed}: {why}");
        }
        print!("{met}");
        return;
    }
    let quick = std::env::var_os("DS_TEST_QUICK").is_some_and(|value| value != "0");
    let wished = std::env::var("DS_SIM_SCHEDULES").ok().and_then(|count| count.parse().ok());
    let schedules = wished.unwrap_or(if quick { QUICK } else { SCHEDULES });
    let runs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|first| scope.spawn(move || run_some((first..schedules).step_by(THREADS as usize))))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("the seed is printed above")).collect()
    });
    let mut met = Met::new();
    for one in &runs {
        met.merge(one);
    }
    println!("{met}");
    assert_eq!(met.missed(), [""; 0], "met less often than a good simulation would");
}

fn run_some(seeds: impl Iterator<Item = u64>) -> Met {
    let mut met = Met::new();
    for seed in seeds {
        // Tells the seed even if the queue itself panics.
        let told = Told(seed);
        if let Err(why) = run(seed, Plant::NOTHING, &mut met) {
            panic!("{why}");
        }
        core::mem::forget(told);
    }
    met
}

struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("schedule {0} failed: replay it with DS_SIM_SEED={0}", self.0);
    }
}
