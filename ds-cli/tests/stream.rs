//! `ds stream` from outside: what it prints, and what it refuses.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use ds_cli::pack::layout::ChunkRecord;
use ds_cli::pack::{Geometry, Method};
use serde_json::Value;
use support::{Parts, ds, fails, run, sample, stderr, succeeds};

mod support;

/// A directory, and in it a pack with compressed, stored, empty and many small entries.
fn packed() -> (tempfile::TempDir, String) {
    packed_of(9_000_000)
}

/// The same with so many bytes in its largest entry.
fn packed_of(largest: usize) -> (tempfile::TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir(&input).unwrap();
    for (name, len) in [("big", largest), ("small", 70_000), ("tiny", 3), ("empty", 0)] {
        fs::write(input.join(name), sample(len)).unwrap();
    }
    for i in 0..100 {
        fs::write(input.join(format!("n{i}")), sample(1000 + i)).unwrap();
    }
    let pack = place.path().join("p").to_str().unwrap().to_owned();
    succeeds(&run(["pack", input.to_str().unwrap(), "-o", &pack]));
    (place, pack)
}

#[test]
fn every_chunk_is_one_verified_request_unless_told() {
    let (_place, pack) = packed();
    let expected = 9_000_000 + 70_000 + 3 + (1000..1100).sum::<u64>();
    for args in [&[][..], &["--depth", "1"], &["--depth", "200", "--workers", "3"], &["--read-size", "4K"]] {
        let output = run([&["stream", &pack, "--json"], args].concat());
        succeeds(&output);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (report["requests"].as_u64(), report["failed"].as_u64()),
            (Some(111), Some(0)),
            "{args:?}"
        );
        assert_eq!(report["content_bytes"].as_u64(), Some(expected), "{args:?}");
        assert!(report["read_bytes"].as_u64().unwrap() <= expected);
        let latency = |name: &str| report["latency_ns"][name].as_u64().unwrap();
        assert!(latency("p50") <= latency("p99") && latency("p99") <= latency("max"));
    }
}

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = ds_cli::assets::random::Random::new(seed);
    (0..len).map(|_| random.draw() as u8).collect()
}

#[test]
fn stored_chunks_are_asked_for_in_pieces_of_the_request_size() {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("noise"), noise(1, 5_000_000)).unwrap();
    fs::write(input.join("text"), sample(60_000)).unwrap();
    let pack = place.path().join("p").to_str().unwrap().to_owned();
    succeeds(&run(["pack", input.to_str().unwrap(), "-o", &pack, "--chunk", "4M"]));
    // Two chunks of noise, one of text.
    for (size, requests) in [("4M", 2 + 1), ("1M", 4 + 1 + 1), ("64K", 64 + 13 + 1)] {
        for depth in ["1", "3", "64"] {
            let output = run(["stream", &pack, "--json", "--depth", depth, "--request-size", size]);
            succeeds(&output);
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["requests"].as_u64(), Some(requests), "{size}");
            assert_eq!(report["content_bytes"].as_u64(), Some(5_060_000), "{size}");
        }
    }
    // Damage in one piece is told once, for the chunk.
    let mut bytes = fs::read(&pack).unwrap();
    bytes[4_400_000] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    let output = run(["stream", &pack, "--json", "--request-size", "64K"]);
    fails(&output, 3, "entry \"noise\", chunk 1: wrong checksum");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failed"].as_u64(), Some(1));
}

#[test]
fn requests_smaller_than_what_is_decoded_whole_are_refused() {
    let (place, pack) = packed();
    let output = run(["stream", &pack, "--request-size", "64K"]);
    fails(&output, 2, "decoded whole");
    assert!(stderr(&output).contains("--request-size 1048576") && stderr(&output).contains("--chunk 65536"));
    assert_eq!(run(["stream", &pack, "--request-size", "2K"]).status.code(), Some(2));
    // No pack has chunks as small as that.
    let output = run(["stream", &pack, "--request-size", "4K"]);
    fails(&output, 2, "use --request-size 1048576\n");
    assert_eq!(run(["stream", &pack, "--request-size", "8M"]).status.code(), Some(2));
    let fine = place.path().join("fine").to_str().unwrap().to_owned();
    let input = place.path().join("in");
    succeeds(&run(["pack", input.to_str().unwrap(), "-o", &fine, "--chunk", "64K"]));
    succeeds(&run(["stream", &fine, "--request-size", "64K"]));
}

/// However big the content, memory is bounded by the depth times the request size, a little for each worker, and 64 MiB.
#[test]
fn memory_follows_depth_and_request_size() {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("noise"), noise(2, 96 << 20)).unwrap();
    fs::write(input.join("text"), sample(96 << 20)).unwrap();
    for (chunk, request) in [("4M", 4 << 20), ("64K", 64 << 10)] {
        let pack = place.path().join(chunk).to_str().unwrap().to_owned();
        succeeds(&run(["pack", input.to_str().unwrap(), "-o", &pack, "--level", "1", "--chunk", chunk]));
        for (depth, workers) in [(1, 2), (8, 2), (32, 2), (8, 1024)] {
            let [depth_arg, request_arg, workers_arg] = [depth, request, workers].map(|n: u64| n.to_string());
            let sizes = ["--depth", &depth_arg, "--request-size", &request_arg, "--workers", &workers_arg];
            let output = run([&["stream", &pack, "--json"][..], &sizes].concat());
            succeeds(&output);
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            let peak = report["peak_memory_bytes"].as_u64().unwrap();
            let promised = depth * request + workers * (64 << 10) + (64 << 20);
            assert!(peak > 0 && peak <= promised, "{chunk}, depth {depth}, {workers} workers: {peak} bytes");
        }
    }
}

#[test]
fn people_get_throughput_latency_and_the_path_taken() {
    let (_place, pack) = packed();
    let output = run(["stream", &pack, "--engine", "cpu", "--codec", "cpu"]);
    succeeds(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["requests/s", "p99", "CPU time", "memory ", "path ", "every checksum is right"] {
        assert!(text.contains(word), "no {word} in:\n{text}");
    }
}

/// Packed data waits for its decoder in staging memory. Where more is in flight than that holds, requests
/// must take turns and not wait for each other.
#[test]
fn more_in_flight_than_staging_holds_is_no_deadlock() {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir(&input).unwrap();
    let noise = weak_noise(8 << 20);
    for i in 0..8 {
        fs::write(input.join(format!("noise{i}")), &noise).unwrap();
    }
    let pack = place.path().join("p").to_str().unwrap().to_owned();
    succeeds(&run(["pack", input.to_str().unwrap(), "-o", &pack, "--level", "1"]));
    for (depth, staging) in [("4", "32M"), ("16", "32M"), ("64", "32M"), ("64", "1M")] {
        let output = run(["stream", &pack, "--json", "--depth", depth, "--staging", staging]);
        succeeds(&output);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["content_bytes"].as_u64(), Some(64 << 20), "depth {depth}, {staging}");
    }
}

/// Seven bits of noise in every byte: it compresses, but hardly.
fn weak_noise(len: usize) -> Vec<u8> {
    let mut random = ds_cli::assets::random::Random::new(1);
    (0..len).map(|_| random.draw() as u8 & 0x7f).collect()
}

#[test]
fn staging_memory_without_room_for_a_chunk_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("noise"), weak_noise(4 << 20)).unwrap();
    let pack = place.path().join("p").to_str().unwrap().to_owned();
    succeeds(&run(["pack", input.to_str().unwrap(), "-o", &pack, "--level", "1", "--chunk", "4M"]));
    fails(&run(["stream", &pack, "--staging", "2M"]), 2, "use --staging 4194304\n");
    let report = run(["stream", &pack, "--staging", "4M", "--json"]);
    succeeds(&report);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["staging"], &report["failed"]), (&(4 << 20).into(), &0.into()));
    // As it is decoded it lies there as well, on its way to a device.
    let output = run(["stream", &pack, "--staging", "4M", "--codec", "cpu", "--to", "vram"]);
    fails(&output, 2, "use --staging 8388608\n");
    let output = run(["stream", &pack, "--staging", "8M", "--codec", "cpu", "--to", "vram", "--json"]);
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["depth"], &report["failed"]), (&256.into(), &0.into()));
    assert_eq!(run(["stream", &pack, "--staging", "3M"]).status.code(), Some(2));
}

#[test]
fn an_engine_named_never_falls_back() {
    let (_place, pack) = packed();
    // A machine without a Vulkan driver, or made to look like one.
    let mut stream = ds(["stream", &pack, "--codec", "vulkan"]);
    let output =
        stream.env("VK_ICD_FILENAMES", "/nowhere").env("VK_DRIVER_FILES", "/nowhere").output().unwrap();
    fails(&output, 1, "vulkan");
    assert!(stderr(&output).contains("ds doctor") && output.stdout.is_empty());
    assert_eq!(run(["stream", &pack, "--engine", "tape"]).status.code(), Some(2));
    assert_eq!(run(["stream", &pack, "--depth", "0"]).status.code(), Some(2));
}

#[test]
fn a_vulkan_device_decodes_where_there_is_one() {
    // A device of software decodes about 1 MB/s.
    let (_place, pack) = packed_of(300_000);
    let output = run(["stream", &pack, "--json", "--codec", "vulkan", "--depth", "4"]);
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["codec"], &report["failed"]), (&"vulkan".into(), &0.into()));
    assert!(report["paths"]["codec:vulkan"].as_u64().is_some_and(|requests| requests > 0), "{report}");
}

/// Whether a command failed for want of a Vulkan device; says so aloud.
fn lacks_vulkan(output: &std::process::Output) -> bool {
    let lacks = output.status.code() == Some(1) && stderr(output).contains("vulkan");
    if lacks {
        assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "{}", stderr(output));
        eprintln!("SKIPPED: {}", stderr(output));
    }
    lacks
}

#[test]
fn content_arrives_in_device_memory_whoever_decodes() {
    let (_place, pack) = packed_of(300_000);
    for (codec, path) in [("vulkan", "codec:vulkan"), ("cpu", "codec:cpu")] {
        // The largest chunk has all of the largest entry, so the window is used more than once.
        for window in ["512K", "1T"] {
            let target = ["--to", "vram", "--vram", window, "--device", "auto"];
            let output = run([&["stream", &pack, "--json", "--codec", codec][..], &target].concat());
            if lacks_vulkan(&output) {
                return;
            }
            succeeds(&output);
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((&report["target"], &report["failed"]), (&"vram".into(), &0.into()), "{report}");
            assert_eq!(report["content_bytes"].as_u64(), Some(300_000 + 70_003 + (1000..1100).sum::<u64>()));
            assert_eq!(report["requests"].as_u64(), Some(103), "reading back is none of them");
            assert!(report["paths"][path].as_u64().is_some_and(|requests| requests > 0), "{report}");
            assert!(report["verify_seconds"].as_f64().is_some() && report["device"]["uuid"].is_string());
        }
    }
}

#[test]
fn damage_is_found_in_device_memory() {
    let (_place, pack) = packed_of(300_000);
    let mut bytes = fs::read(&pack).unwrap();
    bytes[50_000] ^= 0x40;
    fs::write(&pack, &bytes).unwrap();
    for codec in ["vulkan", "cpu"] {
        let output = run(["stream", &pack, "--json", "--codec", codec, "--to", "vram"]);
        if lacks_vulkan(&output) {
            return;
        }
        fails(&output, 3, "entry \"big\", chunk 0");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["failed"].as_u64(), Some(1), "{report}");
    }
}

#[test]
fn devices_and_device_memory_that_make_no_sense_are_refused() {
    let (_place, pack) = packed_of(300_000);
    fails(&run(["stream", &pack, "--device", "0"]), 2, "nothing would use");
    fails(&run(["stream", &pack, "--vram", "4K"]), 2, "nothing would use");
    let output = run(["stream", &pack, "--to", "vram", "--vram", "64K"]);
    fails(&output, 2, "chunks hold up to 300000 bytes, more than 65536 of device memory");
    assert!(stderr(&output).contains("--vram 524288"));
    for wrong in [["--to", "tape"], ["--vram", "3M"]] {
        assert_eq!(run([&["stream", &pack][..], &wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
    let output = run(["stream", &pack, "--to", "vram", "--device", "no such device"]);
    fails(&output, 1, "vulkan");
}

#[test]
fn the_engine_named_is_the_one_that_reads() {
    let (_place, pack) = packed();
    for (engine, direct, path) in [
        ("cpu", false, "io:cpu"),
        ("uring", false, "io:uring"),
        ("cpu", true, "io:cpu"),
        ("uring", true, "io:uring"),
    ] {
        let output =
            run([&["stream", &pack, "--json", "--engine", engine][..], &["--direct"][..usize::from(direct)]]
                .concat());
        if direct && stderr(&output).contains("Invalid argument") {
            eprintln!("SKIPPED: no direct I/O on the file system of temporary files");
            continue;
        }
        if engine == "uring" && stderr(&output).contains("refused io_uring") {
            eprintln!("SKIPPED: {}", stderr(&output));
            continue;
        }
        succeeds(&output);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((report["engine"].as_str(), report["direct"].as_bool()), (Some(engine), Some(direct)));
        let rings = report["rings"].as_object();
        assert_eq!(rings.is_some(), engine == "uring", "{report}");
        assert!(rings.is_none_or(|rings| rings["features"].as_array().is_some_and(|all| !all.is_empty())));
        let paths = report["paths"].as_object().unwrap();
        assert!(paths.contains_key(path), "{paths:?}");
        assert_eq!(paths.keys().filter(|path| path.starts_with("io:")).count(), 1, "{paths:?}");
    }
}

#[test]
fn damage_is_told_with_the_entry_it_is_in() {
    let (place, pack) = packed();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[100_000] ^= 0x40;
    let bad = place.path().join("bad").to_str().unwrap().to_owned();
    fs::write(&bad, &bytes).unwrap();
    let output = run(["stream", &bad, "--json"]);
    fails(&output, 3, "entry \"big\"");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["failed"].as_u64(), report["faults"][0]["entry"].as_str()), (Some(1), Some("big")));
    // The same number as `ds unpack` says.
    let unpacked = run(["unpack", &bad, "-o", place.path().join("out").to_str().unwrap()]);
    fails(&unpacked, 3, &format!("entry \"big\", chunk {}:", report["faults"][0]["chunk"]));

    let mut parts = Parts::new().file("a", b"sound").file("b", b"wrong");
    parts.chunks[1].checksum ^= 1;
    fs::write(&bad, parts.bytes()).unwrap();
    fails(&run(["stream", &bad]), 3, "entry \"b\", chunk 0: wrong checksum");
}

/// Every chunk of it is damaged, and there are millions of them: an index of 64 MiB.
#[test]
fn a_long_index_takes_up_its_own_length_and_damage_without_end_has_one() {
    const CHUNK: u64 = 1 << 16;
    const COUNT: u64 = (64 << 20) / 24;
    let place = tempfile::tempdir().unwrap();
    let pack = place.path().join("p");
    let mut parts = Parts::new().file("a", b"");
    parts.geometry = Geometry::from_log2(4, 16).unwrap();
    parts.entries[0].size = COUNT * CHUNK;
    parts.chunks = (1..=COUNT)
        .map(|number| ChunkRecord {
            offset: number * CHUNK,
            checksum: 1,
            packed_size: CHUNK as u32,
            method: Method::Stored.to_u8(),
            reserved: [0; 3],
        })
        .collect();
    let mut footer = parts.footer();
    footer.index_offset = (COUNT + 1) * CHUNK;
    // Its content takes up no space.
    let mut file = fs::File::create(&pack).unwrap();
    file.write_all(&parts.header).unwrap();
    file.seek(SeekFrom::Start(footer.index_offset)).unwrap();
    file.write_all(&parts.index()).unwrap();
    file.write_all(&footer.to_bytes()).unwrap();
    let output = run(["stream", pack.to_str().unwrap(), "--json", "--depth", "4", "--request-size", "64K"]);
    fails(&output, 3, "damaged chunks more; the rest was left)");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // What was in flight when it had seen enough arrives all the same.
    assert!((1000..=1003).contains(&report["failed"].as_u64().unwrap()) && report["gave_up"] == true);
    let (memory, promised) = (report["peak_memory_bytes"].as_u64().unwrap(), footer.index_len + (64 << 20));
    assert!(memory < promised, "{memory} bytes, {promised} promised");
}

#[test]
fn nothing_streams_as_nothing() {
    let place = tempfile::tempdir().unwrap();
    let pack = place.path().join("p");
    for parts in [Parts::new(), Parts::new().file("empty", b"").directory("void")] {
        fs::write(&pack, parts.bytes()).unwrap();
        succeeds(&run(["stream", pack.to_str().unwrap()]));
    }
    fs::write(&pack, b"no pack").unwrap();
    fails(&run(["stream", pack.to_str().unwrap()]), 3, "too short");
    fails(&run(["stream", place.path().to_str().unwrap()]), 1, "directory");
}
