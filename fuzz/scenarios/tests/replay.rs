//! Every scenario on its committed seeds, and on variations of them.
//!
//! Seeds of `round_trip` and `queue` have no format to break: variations are random bytes laid over them. `DS_TEST_QUICK=1`
//! does a tenth of the variations. Miri, thousands of times slower, gets a few of the smallest seeds, and those scenarios that
//! need neither files nor the reference's C code.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ds_scenarios::random::Random;
use ds_scenarios::{SCENARIOS, Scenario, Verdict};

const VARIATIONS: usize = 3000;

/// Seeds of a scenario that Miri replays, and their size in bytes at most.
const MIRI_SEEDS: (usize, usize) = (4, 280);

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(name);
    let entries = dir.read_dir().unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds in {}", dir.display());
    let read = |path: PathBuf| (path.clone(), std::fs::read(path).expect("a readable seed"));
    let mut seeds: Vec<_> = paths.into_iter().map(read).collect();
    if cfg!(miri) {
        let (count, size) = MIRI_SEEDS;
        seeds.retain(|(_, seed)| seed.len() <= size);
        // Those made by hand come first, which are the most unlike: names of others tell where they are from.
        seeds.sort_by_key(|(path, seed)| (path.extension().is_some(), seed.len()));
        seeds.truncate(count);
    }
    seeds
}

/// Damages bytes without regard to what they mean.
fn damage(data: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(data.len());
        match random.below(4) {
            0 if !data.is_empty() => data[at] = random.bits() as u8,
            1 => data.insert(at, random.bits() as u8),
            2 => data.truncate(at.max(1)),
            _ if !data.is_empty() => data[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
}

fn replay(scenario: &Scenario) {
    let quick = std::env::var_os("DS_TEST_QUICK").is_some();
    let variations = match quick {
        _ if cfg!(miri) => 0,
        true => VARIATIONS / 10,
        false => VARIATIONS,
    };
    let seeds = seeds(scenario.name);
    let mut verdicts: BTreeMap<(&str, Verdict), usize> = BTreeMap::new();
    for (path, seed) in &seeds {
        println!("{}", path.display());
        *verdicts.entry(("seeds", (scenario.run)(seed))).or_default() += 1;
    }
    let mut random = Random::new(0x5EED);
    for number in 0..variations {
        let mut input = seeds[random.below(seeds.len())].1.clone();
        let mut how = "damaged";
        for _ in 0..1 + random.below(3) {
            if let Some(varied) = scenario.mutate.and_then(|mutate| mutate(&input, random.bits())) {
                (input, how) = (varied, "varied");
            }
        }
        if how == "damaged" || random.once_in(8) {
            how = "damaged";
            damage(&mut input, &mut random);
        }
        println!("{} variation {number}", scenario.name);
        *verdicts.entry((how, (scenario.run)(&input))).or_default() += 1;
    }
    // Seen with --nocapture, and when the assertion below fails.
    eprintln!("{}: {} seeds, {variations} variations", scenario.name, seeds.len());
    for ((how, verdict), count) in &verdicts {
        eprintln!("{count:8} {how:8} {verdict}");
    }
    let accepted = |how| verdicts.get(&(how, Verdict::Accepted)).copied().unwrap_or_default();
    assert!(accepted("seeds") > 0, "all seeds are refused");
    if scenario.mutate.is_some() && variations > 0 {
        assert!(
            accepted("varied") * 50 > variations,
            "variations that keep the structure are nearly all refused"
        );
    }
}

macro_rules! replay {
    ($($(#[$attribute:meta])? $name:ident)*) => {
        $(
            #[test]
            $(#[$attribute])?
            fn $name() {
                replay(ds_scenarios::scenario(stringify!($name)).expect("a scenario"));
            }
        )*

        #[test]
        fn every_scenario_is_replayed() {
            assert_eq!([$(stringify!($name)),*], SCENARIOS.each_ref().map(|scenario| scenario.name));
        }
    };
}

replay! {
    decode_tile
    #[cfg_attr(miri, ignore = "runs C code")]
    decode_reference
    #[cfg_attr(miri, ignore = "runs C code")]
    round_trip
    tile_stream
    queue
    #[cfg_attr(miri, ignore = "needs a file in memory")]
    pack
}
