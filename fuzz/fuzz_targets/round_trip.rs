#![no_main]

ds_fuzz::fuzz_scenario!(round_trip);
