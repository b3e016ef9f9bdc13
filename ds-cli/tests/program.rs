//! The program as a whole: help, exit codes, completions, doctor and demo.

use std::fs;
use std::process::Stdio;

use support::{ds, fails, run, sample, stderr, succeeds};

mod support;

const COMMANDS: [&str; 11] = [
    "compress",
    "decompress",
    "pack",
    "unpack",
    "list",
    "inspect",
    "stream",
    "demo",
    "doctor",
    "bench",
    "completions",
];

#[test]
fn help_has_examples_and_exit_codes() {
    let help = run(["--help"]);
    succeeds(&help);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("Exit codes:") && help.contains("141"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(&format!("  {command} ")), "{command}");
        let own = run([command, "--help"]);
        succeeds(&own);
        assert!(
            String::from_utf8_lossy(&own.stdout).contains(&format!("Examples:\n  ds {command}")),
            "{command}"
        );
    }
}

#[test]
fn arguments_that_make_no_sense_are_code_2() {
    for args in [
        &[][..],
        &["nonsense"],
        &["compress"],
        &["compress", "x"],
        &["compress", "x", "-o", "y", "--level", "13"],
        &["compress", "x", "-o", "y", "--threads", "0"],
        &["stream", "x", "--workers", "0"],
        &["stream", "x", "--workers", "1025"],
        &["demo", "--quick", "--assets", "x"],
        &["completions", "tcl"],
    ] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
    // What is out of range is told with the range.
    for (command, option, value, range) in [
        ("stream", "--depth", "0", "1..=1048576"),
        ("stream", "--depth", "1048577", "1..=1048576"),
        ("stream", "--workers", "1025", "1..=1024"),
        ("stream", "--request-size", "5M", "from 4096 to 4194304"),
        ("stream", "--read-size", "2G", "from 4096 to 1073741824"),
        ("stream", "--read-size", "1T", "from 4096 to 1073741824"),
        ("stream", "--vram", "2T", "from 4096 to 1099511627776"),
        ("pack", "--align", "8", "from 16 to 65536"),
        ("pack", "--align", "17", "from 16 to 65536"),
        ("pack", "--chunk", "8M", "from 65536 to 4194304"),
    ] {
        fails(&run([command, "x", option, value]), 2, range);
    }
}

/// No system gives threads a stack of so many bytes.
#[test]
fn threads_that_cannot_be_had_are_an_error_that_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(path("in")).unwrap();
    fs::write(path("in/a"), sample(100_000)).unwrap();
    succeeds(&run(["pack", &path("in"), "-o", &path("p")]));
    succeeds(&run(["compress", &path("in/a"), "-o", &path("gds")]));
    let [input, file, pack, stream, out] = ["in", "in/a", "p", "gds", "out"].map(path);
    for args in [
        &["pack", &input, "-o", &out][..],
        &["unpack", &pack, "-o", &out],
        &["compress", &file, "-o", &out],
        &["decompress", &stream, "-o", &out],
        &["inspect", &pack],
        &["stream", &pack],
        &["demo", "--quick"],
    ] {
        let mut command = ds(args);
        let output = command.env("RUST_MIN_STACK", (1_u64 << 46).to_string()).output().unwrap();
        fails(&output, 1, "thread");
        assert!(stderr(&output).contains("hint: ") && !stderr(&output).contains("os error"), "{args:?}");
        assert!(!fs::exists(&out).unwrap(), "{args:?}");
    }
}

#[test]
fn a_thousand_threads_need_not_be_there() {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("in");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("a"), sample(9_000_000)).unwrap();
    let script = "ulimit -v 400000; exec \"$0\" pack \"$1\" -o - --threads 1024 --chunk 64K";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ds"), input.to_str().unwrap()])
        .output()
        .unwrap();
    succeeds(&output);
    let usual = run(["pack", input.to_str().unwrap(), "-o", "-", "--chunk", "64K"]);
    assert!(output.stdout == usual.stdout);
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(["completions", shell]);
        succeeds(&output);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    for asked in [&["--help"][..], &["--version"], &["help", "pack"], &["pack", "--help"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = ds(asked).stdout(full).stderr(Stdio::piped()).output().unwrap();
        fails(&output, 1, "cannot write to standard output: No space left on device");
    }
}

#[test]
fn completions_for_nobody_are_no_panic() {
    let mut child =
        ds(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    // Whether the program writes before or after its reader goes is a race; both are fine.
    assert!([Some(0), Some(141)].contains(&output.status.code()) && stderr(&output).is_empty());
}

#[test]
fn doctor_is_honest_about_engines() {
    let output = run(["doctor", "--json"]);
    succeeds(&output);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["engines"]["cpu"]["offered"], true);
    // A device is offered where one that can be used is found.
    let devices = found["vulkan"]["devices"].as_array().map_or(&[][..], Vec::as_slice);
    let usable = devices.iter().any(|device| device["usable"] == true);
    assert_eq!(found["engines"]["vulkan"]["offered"], usable);
    assert_eq!(found["vulkan"]["available"], found["vulkan"]["devices"].is_array());
    assert_eq!(found["vulkan"]["reason"].is_string(), !found["vulkan"]["devices"].is_array());
    let text = run(["doctor"]);
    succeeds(&text);
    let text = String::from_utf8(text.stdout).unwrap();
    for device in devices.iter().filter(|device| device["usable"] == true) {
        let [least, most] = [0, 1].map(|n| device["subgroup_sizes"][n].as_u64().unwrap());
        let decoder = if (least..=most).contains(&32) { "32 lanes" } else { "any size" };
        assert_eq!(device["decoder"], decoder);
        assert!(text.contains(&format!("{most}, decoder: {decoder}")), "{text}");
        assert!(device["subgroup_size_control"] == true || least == most);
        assert!(device["compute_queues"].as_u64().unwrap() > 0);
        for told in ["memory_window", "shares_memory", "memory_model", "scalar_layout", "transfer_queue"] {
            assert!(device[told].is_boolean(), "{told}: {device}");
        }
        assert!(device["kind"] != "software" || device["shares_memory"] == true);
    }
    // The ring is offered where one can be had, and `auto` makes use of it.
    let ring = found["io_uring"]["available"].as_bool().unwrap();
    assert_eq!(found["engines"]["uring"]["offered"], ring);
    assert_eq!(found["engines"]["auto"]["io"], if ring { "cpu+uring" } else { "cpu" });
    assert_eq!(found["io_uring"]["features"].is_array(), ring);
    assert!(found["machine"]["cores"].as_u64().unwrap() > 0);
    assert!(text.contains("kernel") && text.contains("page size") && text.contains("direct io"), "{text}");
    fails(&run(["doctor", "/no/such/place"]), 1, "No such file");
    succeeds(&run(["doctor", "/proc/version"]));
}

#[test]
fn the_demo_verifies_and_cleans_up() {
    let place = tempfile::tempdir().unwrap();
    let output = ds(["demo", "--quick"]).env("TMPDIR", place.path()).output().unwrap();
    succeeds(&output);
    let table = String::from_utf8(output.stdout).unwrap();
    for word in ["audio", "meshes", "scripts", "textures", "textures-bc1", "media", "total", "verified: all"]
    {
        assert!(table.contains(word), "no {word} in:\n{table}");
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_demo_without_a_place_says_how_to_name_one() {
    let output = ds(["demo", "--quick"]).env("TMPDIR", "/no/such/place").output().unwrap();
    fails(&output, 1, "TMPDIR names the place");
    let place = tempfile::tempdir().unwrap();
    // A file system of 256 KiB, where this test may make one: room for some of the assets.
    let script = "mount -t tmpfs -o size=256k none \"$1\" && TMPDIR=\"$1\" exec \"$0\" demo --quick";
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_ds")])
        .arg(place.path())
        .output();
    match output {
        Ok(output) if stderr(&output).contains("ds: ") => {
            fails(&output, 1, "the disk is full");
            assert!(stderr(&output).contains("TMPDIR names") && !stderr(&output).contains(" -o"));
        }
        _ => eprintln!("no mounts of our own: that half is left out"),
    }
}

#[test]
fn the_demo_takes_real_assets() {
    let place = tempfile::tempdir().unwrap();
    let (assets, temp) = (place.path().join("assets"), place.path().join("tmp"));
    fs::create_dir_all(assets.join("models")).unwrap();
    fs::create_dir_all(&temp).unwrap();
    for (name, content) in [("models/m", "mmmm"), ("t.txt", "text"), ("map.bin", "map"), ("plain", "")] {
        fs::write(assets.join(name), content).unwrap();
    }
    let demo = |dir: &std::path::Path| {
        ds(["demo", "--assets", dir.to_str().unwrap()]).env("TMPDIR", &temp).output().unwrap()
    };
    let output = demo(&assets);
    succeeds(&output);
    let table = String::from_utf8(output.stdout).unwrap();
    for class in ["models ", "txt ", "map ", "plain ", "total "] {
        assert!(table.lines().any(|line| line.starts_with(class)), "no {class} in:\n{table}");
    }
    fails(&demo(&place.path().join("missing")), 1, "missing");
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fails(&demo(&empty), 2, "empty\"");
    fs::write(empty.join("nothing"), "").unwrap();
    fails(&demo(&empty), 2, "not a byte");
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0);
}
