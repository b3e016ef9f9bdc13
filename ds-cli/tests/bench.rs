//! `ds bench gpu` from outside: what it prints, what it finds wrong, and what it refuses. No figure is looked at: all that is here is
//! right on a device of software.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use support::{ds, fails, run, sample, stderr, succeeds};

mod support;

/// A pack with two classes of some KiB, and a command that measures it as shortly as can be.
fn packed() -> (tempfile::TempDir, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir_all(input.join("text")).unwrap();
    for (name, len) in [("text/a", 1500), ("text/b", 900), ("other.bin", 2000)] {
        fs::write(input.join(name), sample(len)).unwrap();
    }
    let pack = place.path().join("p").to_str().unwrap().to_owned();
    succeeds(&run(["pack", input.to_str().unwrap(), "-o", &pack]));
    let command = ["bench", "gpu", &pack, "--size", "4K", "--rounds", "1"].map(str::to_owned).to_vec();
    (place, command)
}

fn with(command: &[String], more: &[&str]) -> Vec<String> {
    command.iter().cloned().chain(more.iter().map(|&word| word.to_owned())).collect()
}

/// Whether a command failed for want of a Vulkan device; says so aloud.
fn lacks_vulkan(output: &Output) -> bool {
    let lacks = output.status.code() == Some(1) && stderr(output).contains("vulkan: ");
    if lacks {
        assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "{}", stderr(output));
        eprintln!("SKIPPED: {}", stderr(output));
    }
    lacks
}

fn is_software(report: &Value) -> bool {
    report["device"]["software"].as_bool().unwrap()
}

#[test]
fn json_has_every_figure_and_tells_software_from_hardware() {
    let (_place, command) = packed();
    let output = run(with(&command, &["--json"]));
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "ds-runtime/bench-gpu/2");
    let kind = report["device"]["kind"].as_str().unwrap();
    assert_eq!(is_software(&report), kind == "software", "{report}");
    for key in ["name", "driver", "api", "uuid", "decoder"] {
        assert!(report["device"][key].as_str().is_some_and(|text| !text.is_empty()), "{key}");
    }
    assert!(
        report["command"].as_str().unwrap().contains("bench gpu")
            && report["date"].as_str().unwrap().len() == 10
    );

    let resident = report["resident"].as_array().unwrap();
    let classes: Vec<_> = resident.iter().map(|row| row["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["other", "text"], "entries go by their name's first part");
    assert_eq!((&resident[1]["tiles"], &resident[1]["copies"]), (&2.into(), &1.into()));
    assert_eq!((&resident[0]["bytes"], &resident[0]["copies"]), (&4000.into(), &2.into()));
    let times = resident.iter().map(|row| row["ours"]["wall"].as_f64().unwrap());
    assert!(times.into_iter().all(|seconds| seconds > 0.0), "{report}");
    let rows = report["overhead"].as_array().unwrap().len();
    assert!(
        rows == 8 || rows == 9 && !is_software(&report),
        "one more where it is known whom a device interrupts"
    );
    assert_eq!(report["upload"].as_array().unwrap().len(), 2);
    assert_eq!(report["crossover"].as_array().unwrap().len(), 1, "4 KiB, the whole size");
    let ways = report["file"]["ways"].as_array().unwrap();
    assert!(ways.iter().all(|way| way["threads"]["ds"].is_number()), "the thread that waits");
    let ways: Vec<_> =
        ways.iter().map(|way| ["codec", "target", "how"].map(|what| way[what].as_str())).collect();
    assert_eq!(
        ways,
        [
            [Some("vulkan"), Some("vram"), None],
            [Some("cpu"), Some("vram"), None],
            [Some("cpu"), Some("host"), None],
            [Some("vulkan"), Some("vram"), Some("auto_read")]
        ]
    );
    let row = &report["crossover"][0];
    for auto in [&row["auto_alone"], &row["auto_busy"]] {
        assert!(auto["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{row}");
        let choices = auto["choices"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(choices.sum::<u64>(), auto["requests"].as_u64().unwrap(), "{row}");
        assert!(
            auto["requests"].as_u64() > Some(0) && (!is_software(&report) || auto["device"] == 0),
            "{row}"
        );
    }
    if is_software(&report) {
        for (way, why) in [("driver", "VK_NV_memory_decompression"), ("direct", "no memory of its own")] {
            let told = report[way]["not_measured"]["why"].as_str().unwrap();
            assert!(told.contains(why), "{told}");
        }
    }
    let figure = &report["file"]["ways"][0]["paths"];
    assert!(figure["codec:vulkan"].as_u64().is_some_and(|requests| requests > 0), "{figure}");
}

#[test]
fn further_ways_that_are_not_measured_are_told() {
    let (_place, command) = packed();
    let output = run(with(&command, &["--figure", "1", "--without", "driver"]));
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("beside   driver's decompression: NOT MEASURED: left out: --without driver"),
        "{text}"
    );
    assert!(text.contains("beside   direct uploads: NOT MEASURED: no figure was asked for"), "{text}");
    let without = ["--without", "direct", "--without", "driver", "--without", "any"];
    let output = run(with(&command, &[&["--figure", "3", "--json"][..], &without].concat()));
    succeeds(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for way in ["direct", "driver"] {
        let why = report[way]["not_measured"]["why"].as_str().unwrap();
        assert_eq!(why, format!("left out: --without {way}"));
    }
    assert!(report["upload"][0].get("direct_pinned").is_none());
}

#[test]
fn no_figure_of_software_goes_without_saying_so() {
    let (_place, command) = packed();
    let output = run(with(&command, &["--figure", "1", "--figure", "3", "--figure", "4"]));
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    if !text.contains("(software)") {
        eprintln!("SKIPPED: this is a device of hardware");
        return;
    }
    assert!(text.starts_with("SOFTWARE DEVICE"), "{text}");
    for line in text.lines().filter(|line| line.contains("GB/s")) {
        assert!(line.contains("GB/s (software)"), "{line}");
    }
    assert!(!text.contains("From submit"), "that figure was not asked for:\n{text}");
}

#[test]
fn a_rival_that_is_missing_is_told_and_one_that_was_named_is_an_error() {
    let (place, command) = packed();
    let command = with(&command, &["--figure", "1"]);
    let output = run(&command);
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    if text.contains("rival    nvCOMP") {
        eprintln!("SKIPPED: nvCOMP is here");
        return;
    }
    assert!(text.contains("rival    NOT MEASURED: ") && text.contains("nvCOMP was NOT MEASURED"), "{text}");
    let output = run(with(&command, &["--json"]));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["rival"]["not_measured"]["why"].as_str().is_some_and(|why| !why.is_empty()), "{report}");
    assert!(report["resident"][0]["rival"].is_null());

    let named = with(&command, &["--nvcomp", "/nowhere/libnvcomp.so.6"]);
    fails(&run(named), 1, "nvCOMP cannot be measured: /nowhere/libnvcomp.so.6");
    let output = ds(&command).env("NVCOMP_LIBRARY", "/nowhere/libnvcomp.so.6").output().unwrap();
    fails(&output, 1, "/nowhere/libnvcomp.so.6");
    // One that is there, in the folder at hand, and is no library.
    let output = ds(with(&command, &["--nvcomp", "p"])).current_dir(place.path()).output().unwrap();
    let there = place.path().canonicalize().unwrap().join("p");
    fails(&output, 1, &format!("nvCOMP cannot be measured: {}: ", there.display()));
    assert!(!stderr(&output).contains("No such file"), "{}", stderr(&output));
}

/// A folder in which CUDA's driver and nvCOMP are a library that has the processor for a device.
fn fake() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // Cargo builds a package's examples beside its tests, unless told to leave them.
    let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples");
    let examples: PathBuf = std::env::var_os("DS_EXAMPLES").map_or_else(beside, Into::into);
    let library = examples.join("libfake_nvcomp_for_ds.so");
    assert!(
        library.exists(),
        "where tests are named one by one, Cargo builds no examples: `cargo build --examples` does"
    );
    for name in ["libcuda.so.1", "libnvcomp.so.6"] {
        symlink(&library, folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn a_rival_decodes_the_same_tiles_in_the_same_run() {
    let (_place, command) = packed();
    let (fake, command) = (fake(), with(&command, &["--figure", "1", "--json"]));
    let output = run(&command);
    if lacks_vulkan(&output) {
        return;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let uuid = report["device"]["uuid"].as_str().unwrap().replace('-', "");
    let beside = |uuid: &str, wrong: bool| {
        let mut beside = ds(&command);
        beside.env("LD_LIBRARY_PATH", fake.path()).env("DS_FAKE_UUID", uuid);
        if wrong {
            beside.env("DS_FAKE_WRONG", "1");
        }
        beside.output().unwrap()
    };
    let output = beside(&uuid, false);
    succeeds(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["rival"]["measured"]["matched_by"], "uuid", "{report}");
    assert_eq!(report["rival"]["measured"]["nvcomp"], "6.0.0 (CUDA 13.0)");
    for row in report["resident"].as_array().unwrap() {
        assert!(row["rival"]["device"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{row}");
    }
    // A byte that is wrong is found, and then there is no figure at all.
    let output = beside(&uuid, true);
    fails(&output, 3, "nvCOMP: WRONG OUTPUT: byte");
    assert!(output.stdout.is_empty());
    // Another device's figures would be no comparison.
    let output = beside("00000000000000000000000000000001", false);
    succeeds(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let why = report["rival"]["not_measured"]["why"].as_str().unwrap();
    assert!(why.contains("a device that is none"), "{why}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (place, command) = packed();
    for wrong in [
        &["--figure", "5"][..],
        &["--size", "3M"],
        &["--rounds", "0"],
        &["--subgroup", "64"],
        &["--corpus", "x"],
        &["--tiles", "0"],
        &["--level", "12"],
        &["--device", ""],
        &["--depth", "0"],
        &["--without", "us"],
    ] {
        assert_eq!(run(with(&command, wrong)).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(run(["bench"]).status.code(), Some(2));
    fails(&run(with(&command, &["--device", "no such device"])), 1, "vulkan: ");
    let mut blind = ds(&command);
    let output =
        blind.env("VK_ICD_FILENAMES", "/nowhere").env("VK_DRIVER_FILES", "/nowhere").output().unwrap();
    fails(&output, 1, "ds doctor");

    let output = run(with(&command, &["--class", "none"]));
    if lacks_vulkan(&output) {
        return;
    }
    fails(&output, 2, "no compressed content of class \"none\"");
    fails(&run(with(&command, &["--device", "99"])), 1, "no Vulkan device is number 99; there are: 0: ");
    let nowhere = place.path().join("nowhere");
    fails(&run(["bench", "gpu", "--corpus", nowhere.to_str().unwrap()]), 1, "cannot read");
    assert!(stderr(&output).contains("hint: there are: other, text"), "{}", stderr(&output));
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    fails(&run(["bench", "gpu", "--corpus", empty]), 3, &format!("{empty:?}: nothing in it is compressed"));
    let pack = &command[2];
    let mut bytes = fs::read(pack).unwrap();
    bytes[40] ^= 1;
    fs::write(pack, bytes).unwrap();
    fails(&run(&command), 3, "entry \"other.bin\", chunk 0");
}

#[test]
fn a_corpus_is_measured_class_by_class() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("folder")).unwrap();
    for name in ["folder/a", "mesh.bin", "note.txt"] {
        fs::write(place.path().join(name), sample(2000)).unwrap();
    }
    let corpus = place.path().to_str().unwrap();
    let json = place.path().join("results.json");
    let command = ["bench", "gpu", "--corpus", corpus, "--size", "4K", "--rounds", "1", "--figure", "1"];
    let command = [&command[..], &["--output", json.to_str().unwrap()]].concat();
    let output = run(&command);
    if lacks_vulkan(&output) {
        return;
    }
    succeeds(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1. Decoding in device memory"));
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let classes: Vec<_> = report["resident"].as_array().unwrap().iter().map(|row| &row["class"]).collect();
    assert_eq!(classes, ["folder", "mesh"]);
    // One that is there as well does not shorten the list of those that are.
    let output = run(["bench", "gpu", "--corpus", corpus, "--class", "mesh", "--class", "none"]);
    fails(&output, 2, "no content of class \"none\"");
    assert!(stderr(&output).contains("hint: there are: folder, mesh"), "{}", stderr(&output));
    assert!(report["content"].as_str().unwrap().contains("corpus, level 9"));
    fails(&run(&command), 1, "exists");
}

#[test]
fn without_room_for_what_is_measured_it_says_how_to_name_a_place() {
    let place = tempfile::tempdir().unwrap();
    // A file system of 256 KiB, where this test may make one: room for some of the content.
    let script = "mount -t tmpfs -o size=256k none \"$1\" && TMPDIR=\"$1\" exec \"$0\" bench gpu --figure 2";
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_ds")])
        .arg(place.path())
        .output();
    match output {
        Ok(output) if lacks_vulkan(&output) => {}
        Ok(output) if stderr(&output).contains("ds: ") => {
            fails(&output, 1, "the disk is full");
            assert!(stderr(&output).contains("TMPDIR names") && !stderr(&output).contains(" -o"));
        }
        _ => eprintln!("SKIPPED: no mounts of our own"),
    }
}
