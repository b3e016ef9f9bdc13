//! Feeds the scenarios of `ds-scenarios` from libFuzzer, and says in the end what became of the inputs.

use std::collections::BTreeMap;
use std::sync::{Mutex, Once, PoisonError};

use ds_gdeflate::SimdLevel;
use ds_scenarios::{Scenario, Verdict};

pub use libfuzzer_sys;

/// Defines a fuzz target that runs the scenario of that name.
#[macro_export]
macro_rules! fuzz_scenario {
    ($name:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::run(stringify!($name), data));
        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate(stringify!($name), data, size, max_size, seed)
        });
    };
}

static VERDICTS: Mutex<BTreeMap<Verdict, u64>> = Mutex::new(BTreeMap::new());

/// Runs an input and counts its verdict.
pub fn run(name: &str, data: &[u8]) {
    static AT_EXIT: Once = Once::new();
    AT_EXIT.call_once(|| {
        // SAFETY: `print` may be called at any time, and cannot unwind: it aborts instead.
        let refused = unsafe { atexit(print) };
        assert_eq!(refused, 0, "no room for an exit handler");
    });
    let verdict = (scenario(name).run)(data);
    *VERDICTS.lock().unwrap_or_else(PoisonError::into_inner).entry(verdict).or_default() += 1;
}

/// Varies an input: mostly within its structure, where it has one.
pub fn mutate(name: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if let Some(mutate) = scenario(name).mutate
        && seed % 8 != 0
        && let Some(varied) = mutate(&data[..size], seed.into())
        && varied.len() <= max_size
    {
        data[..varied.len()].copy_from_slice(&varied);
        return varied.len();
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}

fn scenario(name: &str) -> &'static Scenario {
    ds_scenarios::scenario(name).expect("targets are named after scenarios")
}

unsafe extern "C" {
    fn atexit(call: extern "C" fn()) -> core::ffi::c_int;
}

/// A run in which all is refused at the first header proves nothing, nor does one say anything of instructions that the
/// machine lacks: this shows both.
extern "C" fn print() {
    let levels: Vec<_> = SimdLevel::available().map(SimdLevel::name).collect();
    eprintln!("levels of instructions: {}", levels.join(", "));
    let verdicts = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner);
    let total: u64 = verdicts.values().sum();
    eprintln!("verdicts on {total} inputs:");
    for (verdict, count) in &*verdicts {
        eprintln!("{count:12} {:5.1} % {verdict}", *count as f64 / total as f64 * 100.0);
    }
}
