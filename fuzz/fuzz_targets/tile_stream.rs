#![no_main]

ds_fuzz::fuzz_scenario!(tile_stream);
