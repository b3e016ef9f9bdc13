//! What signals leave behind: nothing, and an exit code that tells which it was.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;

use rustix::process::{Pid, Signal, kill_process};
use support::{ds, run, succeeds};

mod support;

const SIGNALS: [Signal; 3] = [Signal::HUP, Signal::INT, Signal::TERM];

/// Has the programs started here die of signals, even where whoever started the tests ignores some (`nohup` does): what is
/// ignored stays so in a child, what is caught does not.
fn signals_count() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = mask(&status, "SigIgn:").unwrap();
    for signal in
        SIGNALS.iter().map(|signal| signal.as_raw()).filter(|signal| ignored >> (signal - 1) & 1 == 1)
    {
        signal_hook::flag::register(signal, Arc::default()).unwrap();
    }
}

/// The signals in that line of a process's status.
fn mask(status: &str, line: &str) -> Option<u64> {
    let mask = status.lines().find_map(|text| text.strip_prefix(line))?;
    Some(u64::from_str_radix(mask.trim(), 16).unwrap())
}

/// Files that take a while, of bytes that do not compress.
fn assets(dir: &Path, files: u64) {
    fs::create_dir(dir).unwrap();
    let mut random = ds_cli::assets::random::Random::new(5);
    let noise: Vec<u8> = (0..4 << 20).flat_map(|_| random.draw().to_le_bytes()).collect();
    for i in 0..files {
        fs::write(dir.join(format!("{i:02}")), &noise).unwrap();
    }
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Sends the signal as soon as `ready`, and says what the program exited with.
#[track_caller]
fn interrupt(mut child: Child, signal: Signal, ready: impl Fn() -> bool) -> Option<i32> {
    while !ready() {
        assert!(child.try_wait().unwrap().is_none(), "done before it could be interrupted");
        sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn an_interrupted_demo_cleans_up() {
    signals_count();
    let place = tempfile::tempdir().unwrap();
    // As soon as the first assets are there.
    let made = || fs::read_dir(place.path()).unwrap().any(|e| e.unwrap().path().join("assets").exists());
    for signal in SIGNALS {
        let child = ds(["demo"]).env("TMPDIR", place.path()).stderr(Stdio::null()).spawn().unwrap();
        assert_eq!(interrupt(child, signal, made), Some(128 + signal.as_raw()));
        assert!(names(place.path()).is_empty());
    }
}

#[test]
fn an_interrupted_unpack_leaves_what_was_there_before() {
    signals_count();
    let place = tempfile::tempdir().unwrap();
    let (input, pack, out) = (place.path().join("in"), place.path().join("p"), place.path().join("out"));
    assets(&input, 6);
    let [input, pack, target] = [&input, &pack, &out].map(|path| path.to_str().unwrap());
    succeeds(&run(["pack", input, "-o", pack, "--level", "0"]));
    for signal in SIGNALS {
        let child = ds(["unpack", pack, "-o", target, "--threads", "1"]).spawn().unwrap();
        assert_eq!(interrupt(child, signal, || out.join("01").exists()), Some(128 + signal.as_raw()));
        assert!(!out.exists());
    }
    fs::create_dir(&out).unwrap();
    fs::write(out.join("00"), "precious").unwrap();
    let child = ds(["unpack", pack, "-o", target, "--force"]).spawn().unwrap();
    assert_eq!(interrupt(child, Signal::TERM, || out.join("01").exists()), Some(143));
    assert_eq!(
        (names(&out), fs::read(out.join("00")).unwrap()),
        (vec!["00".to_owned()], b"precious".to_vec())
    );
}

/// Where a file cannot do without a name, as here for want of `/proc`.
#[test]
fn an_interrupted_pack_removes_its_temporary_file() {
    signals_count();
    let place = tempfile::tempdir().unwrap();
    let (input, out) = (place.path().join("in"), place.path().join("out"));
    assets(&input, 6);
    fs::create_dir(&out).unwrap();
    let script = "mount -t tmpfs none /proc && exec \"$0\" pack \"$1\" -o \"$2\" --threads 1";
    let child = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_ds")]);
        command.args([&input, &out.join("p")]).stderr(Stdio::null());
        command
    };
    if !child("mount -t tmpfs none /proc").status().is_ok_and(|status| status.success()) {
        eprintln!("no mounts of our own: left out");
        return;
    }
    for signal in SIGNALS {
        let child = child(script).spawn().unwrap();
        assert_eq!(interrupt(child, signal, || !names(&out).is_empty()), Some(128 + signal.as_raw()));
        assert!(names(&out).is_empty(), "{:?}", names(&out));
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let place = tempfile::tempdir().unwrap();
    let script = "trap '' HUP; exec \"$0\" demo --quick";
    let child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ds")])
        .env("TMPDIR", place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(interrupt(child, Signal::HUP, || !names(place.path()).is_empty()), Some(0));
}

/// It waits for input that never comes, and must end all the same.
#[test]
fn waiting_for_input_does_not_delay_a_signal() {
    signals_count();
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let mut child = ds(["compress", "-", "-o", out.to_str().unwrap()]).stdin(Stdio::piped()).spawn().unwrap();
    let _input = child.stdin.take();
    let status = format!("/proc/{}/status", child.id());
    let caught = || mask(&fs::read_to_string(&status).unwrap(), "SigCgt:");
    let watched = || caught().is_some_and(|mask| mask >> (Signal::INT.as_raw() - 1) & 1 == 1);
    assert_eq!(interrupt(child, Signal::INT, watched), Some(130));
    assert!(names(place.path()).is_empty());
}

#[test]
fn an_interrupted_bench_cleans_up() {
    signals_count();
    let place = tempfile::tempdir().unwrap();
    let begun = || !names(place.path()).is_empty();
    let bench = ["bench", "gpu", "--rounds", "1000", "--size", "64M"];
    let mut child = ds(bench).env("TMPDIR", place.path()).stderr(Stdio::null()).spawn().unwrap();
    while !begun() {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "Vulkan is required here: {status}");
            eprintln!("SKIPPED: no Vulkan device");
            return;
        }
        sleep(Duration::from_millis(1));
    }
    assert_eq!(interrupt(child, Signal::INT, begun), Some(130));
    assert!(names(place.path()).is_empty());
}
