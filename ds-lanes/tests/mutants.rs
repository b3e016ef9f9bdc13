//! Damaged tiles: the shader accepts what the processor accepts, makes the same bytes, and refuses the rest for the same reason; and
//! nothing in them parts lanes that are to meet, or keeps one from its end.

mod common;
#[allow(dead_code, reason = "payloads alone are damaged")]
#[path = "../../ds-vulkan/tests/common/damage.rs"]
mod damage;

use std::collections::BTreeMap;

use common::{ANY_SIZE, Tile, WIDE, Way, check, schedules, text, tiles};
use damage::{Kind, Random, mutant, seeds};
use ds_lanes::Schedule;

/// How many: `DS_MUTANTS`, or as many as take some seconds; fewer with `DS_TEST_QUICK=1`.
fn wanted() -> usize {
    let wished = std::env::var("DS_MUTANTS").ok().and_then(|n| n.parse().ok());
    let quick = std::env::var_os("DS_TEST_QUICK").is_some_and(|value| value != "0");
    wished.unwrap_or(if quick { 200 } else { 1000 })
}

fn run(count: usize, seed: u64, choose: impl Fn(usize) -> (Way, Schedule)) {
    let (seeds, mut random, mut seen) = (seeds(text), Random(seed), BTreeMap::<u32, usize>::new());
    for n in 0..count {
        let original = &seeds[random.next(seeds.len())];
        let stream = mutant(&mut random, original, Kind::Payload);
        let past = [random.next(4) as u64, random.next(4) as u64];
        let tiles: Vec<_> = tiles(&stream).into_iter().map(|tile| Tile { past, ..tile }).collect();
        let (way, schedule) = choose(n);
        for word in check("a mutant", way, schedule, &tiles) {
            *seen.entry(word).or_default() += 1;
        }
    }
    println!("{count} mutants, by the shader's verdict: {seen:?}");
    assert!(count < 100 || seen.len() > 5, "{seen:?}");
}

#[test]
fn lanes_together() {
    run(wanted(), 1, |_| (WIDE[0], Schedule::Lockstep));
}

#[test]
fn lanes_in_turns() {
    run(wanted() / 2, 2, |n| (WIDE[n % 2], schedules(n as u64)[1 + n % 2]));
}

#[test]
fn any_size() {
    run(wanted() / 2, 3, |n| (ANY_SIZE[n % 4], schedules(n as u64)[n / 4 % 3]));
}
