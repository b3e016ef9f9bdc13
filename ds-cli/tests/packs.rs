//! `ds pack`, `ds unpack`, `ds list` and `ds inspect` from outside: trees, and everything that can be wrong.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use support::{Parts, ds, fails, reseal, run, run_with_input, sample, small_disk, stderr, succeeds};
use tempfile::TempDir;

mod support;

/// A directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, content: &[u8]) {
        let path = PathBuf::from(self.path(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A tree with everything a pack can hold, `in`, and the pack of it, `p`.
    fn packed() -> (Self, Vec<u8>) {
        let place = Self::new();
        place.file("in/a.txt", &sample(10_000));
        place.file("in/deep/er/b.bin", &sample(5_000_000));
        place.file("in/deep/empty", b"");
        place.file("in/a-sibling/c", b"c");
        place.file("in/Käse 日本", b"cheese");
        fs::create_dir_all(place.path("in/void/inner")).unwrap();
        succeeds(&run(["pack", &place.path("in"), "-o", &place.path("p")]));
        let bytes = fs::read(place.path("p")).unwrap();
        (place, bytes)
    }

    /// Writes `bytes` as a pack and expects every command to refuse it.
    fn refused(&self, bytes: &[u8], text: &str) {
        self.file("bad", bytes);
        let bad = self.path("bad");
        fails(&run(["unpack", &bad, "-o", &self.path("out")]), 3, text);
        fails(&run(["list", &bad]), 3, text);
        assert!(!Path::new(&self.path("out")).exists());
    }
}

/// Every path below `dir`, with its content where it is a file.
fn tree(dir: &str) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    fn visit(root: &Path, dir: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if path.is_dir() {
                found.push((name, None));
                visit(root, &path, found);
            } else {
                found.push((name, Some(fs::read(&path).unwrap())));
            }
        }
    }
    let mut found = Vec::new();
    visit(Path::new(dir), Path::new(dir), &mut found);
    found.sort();
    found
}

#[test]
fn a_tree_comes_back() {
    let (place, _) = Place::packed();
    succeeds(&run(["unpack", &place.path("p"), "-o", &place.path("out")]));
    assert!(tree(&place.path("in")) == tree(&place.path("out")));
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (place, bytes) = Place::packed();
    for threads in ["1", "5"] {
        succeeds(&run(["pack", &place.path("in"), "-o", &place.path("q"), "--threads", threads, "--force"]));
        assert!(fs::read(place.path("q")).unwrap() == bytes);
    }
    let piped = run(["pack", &place.path("in"), "-o", "-"]);
    succeeds(&piped);
    assert!(piped.stdout == bytes);
    succeeds(&run(["unpack", &place.path("p"), "-o", &place.path("out"), "--threads", "1"]));
    succeeds(&run(["pack", &place.path("out"), "-o", &place.path("r")]));
    assert!(fs::read(place.path("r")).unwrap() == bytes);
}

#[test]
fn nothing_and_next_to_nothing_can_be_packed() {
    let place = Place::new();
    fs::create_dir(place.path("in")).unwrap();
    succeeds(&run(["pack", &place.path("in"), "-o", &place.path("p")]));
    assert_eq!(fs::metadata(place.path("p")).unwrap().len(), 80);
    succeeds(&run(["unpack", &place.path("p"), "-o", &place.path("out")]));
    assert!(tree(&place.path("out")).is_empty());
    succeeds(&run(["list", &place.path("p")]));
    succeeds(&run(["inspect", &place.path("p")]));
}

#[test]
fn options_shape_the_pack() {
    let (place, _) = Place::packed();
    let list = |args: &[&str]| {
        let (input, output) = (place.path("in"), place.path("q"));
        let mut all = vec!["pack", &input, "-o", &output, "--force"];
        all.extend(args);
        succeeds(&run(all));
        let json = run(["list", &output, "--json"]);
        serde_json::from_slice::<serde_json::Value>(&json.stdout).unwrap()
    };
    let json = list(&["--align", "4096", "--chunk", "64K"]);
    let big =
        &json["entries"].as_array().unwrap().iter().find(|e| e["name"] == "deep/er/b.bin").unwrap()["chunks"];
    assert_eq!(big.as_array().unwrap().len(), 77);
    assert!(big.as_array().unwrap().iter().all(|c| c["offset"].as_u64().unwrap() % 4096 == 0));
    let stored = list(&["--level", "0"]);
    assert_eq!(stored["size"], stored["packed_size"]);
    assert_eq!(json["size"].as_u64(), Some(5_010_007));
    succeeds(&run(["unpack", &place.path("q"), "-o", &place.path("out")]));
    assert!(tree(&place.path("in")) == tree(&place.path("out")));
    for bad in
        [["--align", "8"], ["--align", "4097"], ["--chunk", "8M"], ["--chunk", "32K"], ["--level", "13"]]
    {
        let output = run([&["pack", &place.path("in"), "-o", &place.path("r")][..], &bad].concat());
        assert_eq!(output.status.code(), Some(2), "{bad:?}: {}", stderr(&output));
    }
}

#[test]
fn a_pack_does_not_hold_itself() {
    let place = Place::new();
    place.file("in/a", &sample(100_000));
    let output = File::create(place.path("in/self")).unwrap();
    let output = ds(["pack", &place.path("in"), "-o", "-"]).stdout(output).stderr(Stdio::piped()).output();
    fails(&output.unwrap(), 2, "in/self\", lies inside");
    // Beside it, that is no harm.
    let output = File::create(place.path("beside")).unwrap();
    succeeds(&ds(["pack", &place.path("in"), "-o", "-"]).stdout(output).output().unwrap());
}

#[test]
fn what_grows_has_a_ratio_below_one() {
    let place = Place::new();
    place.file("in/a", b"123456789\n");
    let packed = run(["pack", &place.path("in"), "-o", &place.path("p")]);
    let compressed = run(["compress", &place.path("in/a"), "-o", &place.path("gds")]);
    let decompressed = run(["decompress", &place.path("gds"), "-o", &place.path("back")]);
    for output in [packed, compressed, decompressed] {
        succeeds(&output);
        assert!(stderr(&output).contains(", ratio 0."), "{}", stderr(&output));
    }
}

#[test]
fn a_listing_can_be_sorted_and_upsets_no_terminal() {
    let place = Place::new();
    place.file("q", &Parts::new().file("\"q\"", b"").file("a\u{202e}b", b"xyz").bytes());
    let output = run(["list", &place.path("q")]);
    succeeds(&output);
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(table.lines().count(), 3);
    assert!(table.contains("  \"q\"\n") && table.ends_with("  a\\u{202e}b\n"), "{table}");
    assert!(stderr(&output).contains("2 entries in a file of"), "{}", stderr(&output));
    assert_eq!(stderr(&run(["list", &place.path("q"), "--quiet"])), "");
}

#[test]
fn what_cannot_be_read_from_its_end_is_no_pack() {
    let (_place, bytes) = Place::packed();
    for command in ["list", "stream", "inspect"] {
        fails(&run_with_input([command, "/dev/stdin"], &bytes), 2, "is not a file");
        fails(&run_with_input([command, "-"], &bytes), 2, "is not a file");
    }
    fails(&run(["list", "/dev/zero"]), 2, "is not a file");
}

#[test]
fn links_and_special_files_are_refused_or_left_out() {
    let place = Place::new();
    place.file("in/a", b"a");
    symlink("a", place.path("in/link")).unwrap();
    fs::create_dir(place.path("in/only-links")).unwrap();
    symlink("a", place.path("in/only-links/link")).unwrap();
    fails(&run(["pack", &place.path("in"), "-o", &place.path("p")]), 1, "--skip-special");
    assert!(!Path::new(&place.path("p")).exists());
    let output = run(["pack", &place.path("in"), "-o", &place.path("p"), "--skip-special"]);
    succeeds(&output);
    assert!(stderr(&output).contains("link\" left out"), "{}", stderr(&output));
    let list = String::from_utf8(run(["list", &place.path("p")]).stdout).unwrap();
    assert!(list.contains("  a\n") && !list.contains("/link"), "{list}");
    // Empty now, and kept as any empty directory is.
    assert!(list.contains("  only-links/\n"), "{list}");
}

#[test]
fn names_a_pack_cannot_hold_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    for name in [&b"back\\slash"[..], b"new\nline", b"\xff\xfe"] {
        let place = Place::new();
        place.file("in/a", b"a");
        fs::write(PathBuf::from(place.path("in")).join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        fails(&run(["pack", &place.path("in"), "-o", &place.path("p")]), 1, "rename it");
    }
}

#[test]
fn what_cannot_be_packed_is_named() {
    let place = Place::new();
    place.file("in/a", b"a");
    fails(&run(["pack", &place.path("missing"), "-o", &place.path("p")]), 1, "No such file");
    fails(&run(["pack", &place.path("in/a"), "-o", &place.path("p")]), 1, "ds compress");
    fails(&run(["pack", &place.path("in"), "-o", &place.path("in/p")]), 2, "inside");
    fails(&run(["pack", &place.path("in"), "-o", "/dev/full"]), 1, "No space left on device");
    // Files that say they are empty and are not.
    fails(&run(["pack", "/proc/self/fdinfo", "-o", &place.path("p")]), 1, "changed while it was being read");
    // To the superuser nothing is unreadable.
    fs::set_permissions(place.path("in/a"), fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(place.path("in/a")).is_err() {
        fails(&run(["pack", &place.path("in"), "-o", &place.path("p")]), 1, "Permission denied");
    }
    assert!(!Path::new(&place.path("p")).exists());
}

#[test]
fn a_file_that_changes_meanwhile_is_an_error() {
    let place = Place::new();
    // Large enough that packing takes a while; the last file is changed, then, as the first one is read.
    place.file("in/a", &sample(30_000_000));
    let mut child = ds(["pack", &place.path("in"), "-o", &place.path("p"), "--threads", "1"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut file = File::options().write(true).open(place.path("in/a")).unwrap();
    file.seek(SeekFrom::Start(29_999_999)).unwrap();
    while child.try_wait().unwrap().is_none() {
        file.seek(SeekFrom::Current(-1)).unwrap();
        file.write_all(b"x").unwrap();
    }
    let output = child.wait_with_output().unwrap();
    fails(&output, 1, "changed while it was being read");
    assert!(!Path::new(&place.path("p")).exists());
}

#[test]
fn existing_files_are_kept_without_force() {
    let (place, bytes) = Place::packed();
    fails(&run(["pack", &place.path("in"), "-o", &place.path("p")]), 1, "--force");
    assert!(fs::read(place.path("p")).unwrap() == bytes);
    place.file("out/deep/er/b.bin", b"mine");
    let output = run(["unpack", &place.path("p"), "-o", &place.path("out")]);
    fails(&output, 1, "--force");
    // What was made before the clash is gone again, what was there is as it was.
    assert_eq!(tree(&place.path("out")).len(), 3);
    assert_eq!(fs::read(place.path("out/deep/er/b.bin")).unwrap(), b"mine");
    succeeds(&run(["unpack", &place.path("p"), "-o", &place.path("out"), "--force"]));
    assert!(tree(&place.path("in")) == tree(&place.path("out")));
}

#[test]
fn escaping_and_duplicate_names_are_refused() {
    let place = Place::new();
    for name in ["../evil", "/tmp/evil", "a/../../evil", "..", "a//b", "a\0b", ""] {
        place.refused(&Parts::new().file(name, b"x").bytes(), "the name ");
    }
    place.refused(&Parts::new().file("a", b"x").file("a", b"y").bytes(), "occurs twice");
    place.refused(&Parts::new().file("a", b"x").file("a/b", b"y").bytes(), "inside the entry \"a\"");
    place.refused(&Parts::new().file("b", b"x").file("a", b"y").bytes(), "does not sort after");
    assert_eq!(tree(place.0.path().to_str().unwrap()).len(), 1);
}

#[test]
fn links_in_the_way_do_not_lead_outside() {
    let (place, _) = Place::packed();
    for (link, target) in [("out/deep", "outside"), ("out/a-sibling", "out/void")] {
        fs::create_dir_all(place.path("out/void")).unwrap();
        fs::create_dir_all(place.path("outside")).unwrap();
        symlink(place.path(target), place.path(link)).unwrap();
        fails(&run(["unpack", &place.path("p"), "-o", &place.path("out")]), 1, "symbolic link");
        assert!(tree(&place.path("outside")).is_empty());
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    // A link where a file goes is replaced on demand, never followed.
    fs::create_dir(place.path("out")).unwrap();
    place.file("victim", b"mine");
    symlink(place.path("victim"), place.path("out/a.txt")).unwrap();
    fails(&run(["unpack", &place.path("p"), "-o", &place.path("out")]), 1, "exists");
    succeeds(&run(["unpack", &place.path("p"), "-o", &place.path("out"), "--force"]));
    assert_eq!(fs::read(place.path("victim")).unwrap(), b"mine");
    assert!(tree(&place.path("in")) == tree(&place.path("out")));
}

#[test]
fn absurd_tables_are_refused() {
    let place = Place::new();
    let parts = Parts::new().file("a", b"aaaa").file("b", b"bbbb");
    let mut footer = parts.footer();
    (footer.entries, footer.chunks) = (u32::MAX, u32::MAX);
    place.refused(&parts.with_footer(&footer), "4294967295 entries");
    footer = parts.footer();
    footer.index_offset = u64::MAX - 63;
    place.refused(&parts.with_footer(&footer), "does not lie between");
    let mut huge = parts.clone();
    huge.entries[0].size = u64::MAX;
    place.refused(&huge.bytes(), "entry 0 (\"a\"): its size needs 17592186044416 chunks, 2 are left");
    let mut far = parts.clone();
    far.chunks[1].offset = 1 << 63;
    place.refused(&far.bytes(), "entry 1 (\"b\"): chunk 1: 4 bytes at 9223372036854775808 run past");
    let mut version = parts.clone();
    version.header[8] = 2;
    place.refused(&version.bytes(), "version 2");
    let mut reserved = parts.clone();
    reserved.header[15] = 1;
    place.refused(&reserved.bytes(), "reserved");
    place.refused(b"", "too short");
    place.refused(b"\x89DSPAK\n\x1a\x01\0\0\0\0\0\0\0", "too short");
    place.refused(&[0; 4096], "not a pack");
}

#[test]
fn a_sparse_file_cannot_make_us_take_its_size_in_memory() {
    let place = Place::new();
    let parts = Parts::new();
    let mut footer = parts.footer();
    footer.index_len = 1 << 40;
    let file = File::create(place.path("bad")).unwrap();
    file.set_len(16 + (1 << 40) + 64).unwrap();
    let mut file = &file;
    file.write_all(&parts.header).unwrap();
    file.seek(SeekFrom::End(-64)).unwrap();
    file.write_all(&footer.to_bytes()).unwrap();
    fails(&run(["list", &place.path("bad")]), 3, "1099511627776 bytes, 268435456 are allowed");
}

#[test]
fn packs_cut_anywhere_are_refused() {
    let (place, bytes) = Place::packed();
    for len in [0, 15, 16, 79, 1000, bytes.len() / 2, bytes.len() - 64, bytes.len() - 1] {
        place.refused(&bytes[..len], "hint: ");
    }
    place.refused(&[&bytes[..], b"tail"].concat(), "has a tail");
}

#[test]
fn damage_in_content_is_found_and_nothing_is_left() {
    let (place, bytes) = Place::packed();
    // Two stored chunks, and two places in tile streams.
    for at in [16, 32, 1000, bytes.len() / 2] {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        place.file("bad", &bad);
        let output = run(["unpack", &place.path("bad"), "-o", &place.path("out")]);
        fails(&output, 3, "entry \"");
        assert!(!Path::new(&place.path("out")).exists());
        // In a directory that was there before, what was there stays.
        place.file("old/mine", b"mine");
        fails(&run(["unpack", &place.path("bad"), "-o", &place.path("old")]), 3, "entry \"");
        assert_eq!(tree(&place.path("old")).len(), 1);
    }
}

/// Damage in the last entry, found when all others are complete.
#[test]
fn a_damaged_pack_replaces_nothing() {
    let place = Place::new();
    place.file("in/exe", &sample(300_000));
    place.file("in/last", &sample(70_000));
    succeeds(&run(["pack", &place.path("in"), "-o", &place.path("p"), "--level", "0"]));
    let mut bytes = fs::read(place.path("p")).unwrap();
    bytes[320_000] ^= 1;
    place.file("bad", &bytes);
    place.file("out/exe", b"precious");
    fails(&run(["unpack", &place.path("bad"), "-o", &place.path("out"), "--force"]), 3, "entry \"last\"");
    assert_eq!(tree(&place.path("out")), [("exe".into(), Some(b"precious".to_vec()))]);
    // A directory is nothing that --force replaces.
    fs::create_dir(place.path("out/last")).unwrap();
    fails(&run(["unpack", &place.path("p"), "-o", &place.path("out"), "--force"]), 1, "Is a directory");
    assert_eq!(tree(&place.path("out")).len(), 2);
    assert_eq!(fs::read(place.path("out/exe")).unwrap(), b"precious");
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions() {
    let (place, _) = Place::packed();
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o7777;
    fs::set_permissions(place.path("p"), fs::Permissions::from_mode(0o640)).unwrap();
    succeeds(&run(["pack", &place.path("in"), "-o", &place.path("p"), "--force"]));
    assert_eq!(mode("p"), 0o640);
    place.file("out/a.txt", b"mine");
    fs::set_permissions(place.path("out/a.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    succeeds(&run(["unpack", &place.path("p"), "-o", &place.path("out"), "--force"]));
    assert_eq!(mode("out/a.txt"), 0o600);
}

#[test]
fn a_wrong_checksum_is_told_with_both_numbers() {
    let place = Place::new();
    let mut parts = Parts::new().file("a", b"content");
    parts.chunks[0].checksum = 0x1234;
    place.file("bad", &parts.bytes());
    let output = run(["unpack", &place.path("bad"), "-o", &place.path("out")]);
    fails(&output, 3, "entry \"a\", chunk 0: wrong checksum: 0000000000001234 stored");
    let mut index = Parts::new().file("a", b"content").bytes();
    let at = index.len() - 65;
    index[at] ^= 1;
    place.refused(&index, "the index is damaged");
}

/// Bits flipped behind right checksums: the program says no or gives something, and never panics.
#[test]
fn resealed_damage_never_panics() {
    let (place, bytes) = Place::packed();
    let mut random = ds_cli::assets::random::Random::new(9);
    let tail = 64 + 500;
    for _ in 0..60 {
        let mut bad = bytes.clone();
        let at = bad.len() - 1 - random.below(tail) as usize;
        bad[at] ^= 1 << random.below(8);
        reseal(&mut bad);
        place.file("bad", &bad);
        let output = run(["unpack", &place.path("bad"), "-o", &place.path("out")]);
        assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", stderr(&output));
        let _ = fs::remove_dir_all(place.path("out"));
    }
}

#[test]
fn a_limit_on_the_length_of_files_is_an_error_that_leaves_nothing() {
    let (place, _) = Place::packed();
    for arguments in [["unpack", "p"], ["pack", "in"], ["compress", "in/deep/er/b.bin"]] {
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "ulimit -f 1 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ds")]).args(arguments);
        // What a build that counts coverage writes at its end is a file too, and no good cut short.
        limited.env("LLVM_PROFILE_FILE", "/dev/null");
        let output = limited.args(["-o", "limited"]).current_dir(place.path("")).output().unwrap();
        fails(&output, 1, "File too large");
        assert!(stderr(&output).contains("ulimit -f"), "{}", stderr(&output));
        let left = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name != "in" && name != "p").collect();
        assert!(left.is_empty(), "{arguments:?}: {left:?}");
    }
}

#[test]
fn a_full_disk_leaves_nothing_and_says_so() {
    let (place, _) = Place::packed();
    let Some(_small) = small_disk(place.path("small").as_ref(), "1m") else {
        eprintln!("no tmpfs of our own: left out");
        return;
    };
    let unpacked = run(["unpack", &place.path("p"), "-o", &place.path("small/out")]);
    let packed = run(["pack", &place.path("in"), "-o", &place.path("small/p"), "--level", "0"]);
    let left = tree(&place.path("small"));
    fails(&unpacked, 1, "No space left on device");
    fails(&packed, 1, "hint: the disk is full");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn listings_survive_an_early_end_of_their_reader() {
    let place = Place::new();
    let mut parts = Parts::new();
    for i in 0..20_000 {
        parts = parts.file(format!("file{i:05}"), b"");
    }
    place.file("p", &parts.bytes());
    for json in [false, true] {
        let mut command = ds(["list", &place.path("p")]);
        if json {
            command.arg("--json");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(141), ""));
    }
    let json = run(["list", &place.path("p"), "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["entries"].as_array().unwrap().len(), 20_000);
}

#[test]
fn inspect_verifies_every_checksum() {
    let (place, bytes) = Place::packed();
    for at in [16, bytes.len() / 2] {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        place.file("bad", &bad);
        fails(&run(["inspect", &place.path("bad")]), 3, "entry \"");
    }
    // Sound tiles of something else.
    let mut parts = Parts::new().file("a", b"sound").file("b/c", b"wrong");
    parts.chunks[1].checksum ^= 1;
    place.file("bad", &parts.bytes());
    fails(&run(["inspect", &place.path("bad")]), 3, "entry \"b/c\", chunk 0: wrong checksum");
}

#[test]
fn a_pack_that_is_cut_while_it_is_read_is_an_error_in_the_data() {
    let place = Place::new();
    for name in ["in/a", "in/b"] {
        place.file(name, &sample(150_000_000));
    }
    succeeds(&run(["pack", &place.path("in"), "-o", &place.path("p"), "--level", "0", "--chunk", "64K"]));
    for args in [&["inspect"][..], &["unpack", "-o", &place.path("out")]] {
        place.file("cut", b"");
        fs::copy(place.path("p"), place.path("cut")).unwrap();
        let mut command = ds(args);
        command.args([&place.path("cut"), "--threads", "1"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // Its index is read in no time, its content is not.
        while !fs::read_to_string(format!("/proc/{}/io", child.id())).is_ok_and(|io| {
            let read: u64 = io.lines().next().unwrap().strip_prefix("rchar: ").unwrap().parse().unwrap();
            read > 1_000_000
        }) {}
        File::options().write(true).open(place.path("cut")).unwrap().set_len(16).unwrap();
        fails(&child.wait_with_output().unwrap(), 3, "cut short while it was being read");
    }
    assert!(!Path::new(&place.path("out")).exists());
}

#[test]
fn inspect_tells_chunks_and_tiles() {
    let (place, bytes) = Place::packed();
    let json = run(["inspect", &place.path("p"), "--json"]);
    succeeds(&json);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["entries"].as_u64(), json["chunks"].as_u64()), (Some(6), Some(8)));
    assert_eq!(json["packed_size"].as_u64(), Some(bytes.len() as u64));
    assert!(json["tiles"].as_u64().unwrap() >= 77);
}
