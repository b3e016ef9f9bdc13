//! `ds compress`, `ds decompress` and `ds inspect` from outside: files, pipes, and everything that can be wrong.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use ds_gdeflate::TileStream;
use support::{ds, fails, run, run_with_input, sample, small_disk, stderr, succeeds};
use tempfile::TempDir;

mod support;

/// A directory with the file `raw` of these bytes, and the names of `raw`, `gds` and `back` in it.
fn place(raw: &[u8]) -> (TempDir, [String; 3]) {
    let dir = tempfile::tempdir().unwrap();
    let names = ["raw", "gds", "back"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    fs::write(&names[0], raw).unwrap();
    (dir, names)
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_come_back_whatever_their_size() {
    for len in [0, 1, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 3_500_000] {
        let content = sample(len);
        let (_dir, [raw, gds, back]) = place(&content);
        succeeds(&run(["compress", &raw, "-o", &gds]));
        succeeds(&run(["decompress", &gds, "-o", &back]));
        assert!(fs::read(back).unwrap() == content, "{len} bytes");
    }
}

#[test]
fn pipes_give_the_same_bytes_as_files() {
    for len in [0, 100, 65_536, 2_500_000] {
        let content = sample(len);
        let (_dir, [raw, gds, _]) = place(&content);
        succeeds(&run(["compress", &raw, "-o", &gds]));
        let expected = fs::read(&gds).unwrap();
        let piped = run_with_input(["compress", "-", "-o", "-"], &content);
        succeeds(&piped);
        assert!(piped.stdout == expected, "{len} bytes");
        let half = run(["compress", &raw, "-o", "-"]);
        assert!(half.stdout == expected, "{len} bytes");
        let back = run_with_input(["decompress", "-", "-o", "-"], &expected);
        succeeds(&back);
        assert!(back.stdout == content, "{len} bytes");
    }
}

#[test]
fn threads_do_not_change_a_byte() {
    let content = sample(5_000_000);
    let (dir, [raw, gds, back]) = place(&content);
    succeeds(&run(["compress", &raw, "-o", &gds, "--threads", "1"]));
    for threads in ["2", "7"] {
        let other = dir.path().join(threads);
        let other = other.to_str().unwrap();
        succeeds(&run(["compress", &raw, "-o", other, "--threads", threads]));
        assert!(fs::read(other).unwrap() == fs::read(&gds).unwrap());
        succeeds(&run(["decompress", &gds, "-o", &back, "--threads", threads, "--force"]));
        assert!(fs::read(&back).unwrap() == content);
    }
}

#[test]
fn levels_and_codec_identifiers_are_obeyed() {
    let content = sample(300_000);
    let (_dir, [raw, gds, back]) = place(&content);
    let mut sizes = Vec::new();
    for level in ["0", "1", "6", "12"] {
        succeeds(&run(["compress", &raw, "-o", &gds, "--level", level, "--force"]));
        succeeds(&run(["decompress", &gds, "-o", &back, "--force"]));
        assert!(fs::read(&back).unwrap() == content, "level {level}");
        sizes.push(fs::metadata(&gds).unwrap().len());
    }
    assert!(sizes[0] > 300_000 && sizes[1] < sizes[0] && sizes[2] < sizes[1], "{sizes:?}");
    succeeds(&run(["compress", &raw, "-o", &gds, "--codec-id", "directstorage", "--force"]));
    assert_eq!(fs::read(&gds).unwrap()[..2], [0xfe, 0x01]);
    succeeds(&run(["decompress", &gds, "-o", &back, "--force"]));
    assert!(fs::read(&back).unwrap() == content);
}

#[test]
fn existing_files_are_kept_without_force() {
    let (_dir, [raw, gds, _]) = place(b"new");
    fs::write(&gds, "precious").unwrap();
    fails(&run(["compress", &raw, "-o", &gds]), 1, "--force");
    assert_eq!(fs::read(&gds).unwrap(), b"precious");
    succeeds(&run(["compress", &raw, "-o", &gds, "--force"]));
    assert_ne!(fs::read(&gds).unwrap(), b"precious");
}

#[test]
fn what_cannot_be_read_is_named() {
    let (dir, [raw, gds, _]) = place(b"x");
    let missing = dir.path().join("missing");
    let missing = missing.to_str().unwrap();
    fails(&run(["compress", missing, "-o", &gds]), 1, "missing\": No such file");
    fails(&run(["decompress", missing, "-o", &gds]), 1, "missing\": No such file");
    let directory = dir.path().to_str().unwrap();
    fails(&run(["compress", directory, "-o", &gds]), 1, "ds pack");
    fails(&run(["decompress", directory, "-o", &gds]), 1, "directory");
    fails(&run(["inspect", directory]), 1, "directory");
    fails(&run(["compress", &raw, "-o", directory]), 1, "name a file inside it");
    fails(&run(["compress", &raw, "-o", &format!("{missing}/out")]), 1, "No such file");
    // Reading fails in the middle: a file that opens and says no.
    fails(&run(["compress", "/proc/self/mem", "-o", &gds]), 1, "cannot read \"/proc/self/mem\"");
    assert_eq!(files(dir.path()), ["raw"]);
}

#[test]
fn a_full_disk_leaves_nothing_and_says_so() {
    let (dir, [raw, gds, _]) = place(&sample(200_000));
    fails(&run(["compress", &raw, "-o", "/dev/full"]), 1, "No space left on device");
    succeeds(&run(["compress", &raw, "-o", &gds]));
    fails(&run(["decompress", &gds, "-o", "/dev/full"]), 1, "hint: the disk is full");
    // A file system of 64 KiB, where this test may make one.
    let small = dir.path().join("small");
    let Some(_small) = small_disk(&small, "64k") else {
        eprintln!("no tmpfs of our own: that half is left out");
        return;
    };
    let target = small.join("out");
    let output = run(["decompress", &gds, "-o", target.to_str().unwrap()]);
    let left = files(&small);
    fails(&output, 1, "No space left on device");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn streams_cut_anywhere_are_refused() {
    let content = sample(200_000);
    let (dir, [raw, gds, back]) = place(&content);
    succeeds(&run(["compress", &raw, "-o", &gds]));
    let stream = fs::read(&gds).unwrap();
    for len in [0, 1, 7, 8, 9, 23, 24, 25, 1000, stream.len() / 2, stream.len() - 1] {
        fs::write(&gds, &stream[..len]).unwrap();
        let output = run(["decompress", &gds, "-o", &back]);
        fails(&output, 3, "gds\": ");
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
        fails(&run_with_input(["decompress", "-", "-o", &back], &stream[..len]), 3, "standard input");
        fails(&run(["inspect", &gds]), 3, "gds\": ");
    }
    assert_eq!(files(dir.path()), ["gds", "raw"]);
}

#[test]
fn damaged_streams_are_refused_or_decode_but_never_panic() {
    let content = sample(130_000);
    let (dir, [raw, gds, back]) = place(&content);
    succeeds(&run(["compress", &raw, "-o", &gds]));
    let stream = fs::read(&gds).unwrap();
    let mut random = ds_cli::assets::random::Random::new(3);
    for round in 0..40 {
        let mut bytes = stream.clone();
        // The first rounds hit header and table, byte by byte.
        let at = if round < 20 { round } else { random.below(bytes.len() as u64) as usize };
        bytes[at] ^= 1 << random.below(8);
        fs::write(&gds, &bytes).unwrap();
        let output = run(["decompress", &gds, "-o", &back, "--force"]);
        match output.status.code() {
            Some(0) => fs::remove_file(&back).unwrap(),
            Some(3) => assert!(!Path::new(&back).exists()),
            other => panic!("{other:?}: {}", stderr(&output)),
        }
    }
    assert_eq!(files(dir.path()), ["gds", "raw"]);
}

#[test]
fn hostile_headers_are_refused_at_once() {
    let (_dir, [_, gds, back]) = place(b"");
    let header = |tiles: u16, bits: u32| [&[4, 0xfb][..], &tiles.to_le_bytes(), &bits.to_le_bytes()].concat();
    let tile = |entries: &[u32]| {
        [header(entries.len() as u16, 1), entries.iter().flat_map(|e| e.to_le_bytes()).collect()].concat()
    };
    for (bytes, what) in [
        (header(u16::MAX, 1), "262148"),        // a table that is not there
        (header(1, 0), "tile size index"),      // no such tile size
        (header(0, 1 | 5 << 2), "5"),           // a last tile where there is none
        (header(0, 1 | 1 << 20), "reserved"),   // reserved bits
        (tile(&[128, 0]), "tile 1"),            // tiles on top of each other
        (tile(&[128, u32::MAX - 3]), "tile 0"), // a tile of 4 GiB
        (tile(&[128, 130]), "130"),             // not whole words
        (tile(&[128]), "140"),                  // a payload that is not there
        (b"PK\x03\x04 some archive".to_vec(), "50 4B"),
    ] {
        fs::write(&gds, &bytes).unwrap();
        fails(&run(["decompress", &gds, "-o", &back]), 3, what);
    }
    // No content at all is no error.
    fs::write(&gds, header(0, 1)).unwrap();
    succeeds(&run(["decompress", &gds, "-o", &back]));
    assert_eq!(fs::read(&back).unwrap(), b"");
}

#[test]
fn bytes_after_a_stream_are_ignored_with_a_warning() {
    let content = sample(1000);
    let (_dir, [raw, gds, back]) = place(&content);
    succeeds(&run(["compress", &raw, "-o", &gds]));
    let mut stream = fs::read(&gds).unwrap();
    assert_eq!(TileStream::parse(&stream).unwrap().consumed(), stream.len());
    stream.extend_from_slice(b"tail");
    fs::write(&gds, &stream).unwrap();
    let output = run(["decompress", &gds, "-o", &back]);
    succeeds(&output);
    assert!(stderr(&output).contains("4 bytes after the end"), "{}", stderr(&output));
    assert!(fs::read(&back).unwrap() == content);
    let quiet = run(["decompress", &gds, "-o", &back, "--force", "--quiet"]);
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn inputs_too_large_for_a_stream_are_refused_with_advice() {
    let (dir, [raw, gds, _]) = place(b"");
    // Sparse: it takes no space.
    fs::File::create(&raw).unwrap().set_len(4_294_901_761).unwrap();
    let output = run(["compress", &raw, "-o", &gds]);
    fails(&output, 2, "4294901760");
    assert!(stderr(&output).contains("ds pack"));
    assert_eq!(files(dir.path()), ["raw"]);
}

#[test]
fn files_made_up_as_they_are_read_work() {
    // Their size is 0, their content is not.
    let dir = tempfile::tempdir().unwrap();
    let gds = dir.path().join("v");
    let gds = gds.to_str().unwrap();
    succeeds(&run(["compress", "/proc/version", "-o", gds]));
    let back = run(["decompress", gds, "-o", "-"]);
    assert_eq!(back.stdout, fs::read("/proc/version").unwrap());
}

#[test]
fn a_reader_that_goes_away_is_no_error_message() {
    let (_dir, [raw, gds, _]) = place(&vec![0; 8 << 20]);
    succeeds(&run(["compress", &raw, "-o", &gds, "--level", "1"]));
    let mut child =
        ds(["decompress", &gds, "-o", "-"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(141), ""));
}

#[test]
fn inspect_counts_tiles() {
    let content = sample(200_000);
    let (_dir, [raw, gds, _]) = place(&content);
    succeeds(&run(["compress", &raw, "-o", &gds]));
    let text = run(["inspect", &gds]);
    succeeds(&text);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("tile stream") && text.contains("4, every one sound"), "{text}");
    let json = run(["inspect", &gds, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["tiles"].as_u64(), json["size"].as_u64()), (Some(4), Some(200_000)));
    let number = |name: &str| json[name].as_u64().unwrap();
    assert_eq!(number("stored_bytes") + number("literals") + number("matched_bytes"), 200_000);
    assert!(json["blocks"]["dynamic"].as_u64() >= Some(1) && json["blocks"]["stored"].as_u64() == Some(0));
    assert_eq!(json["packed_size"].as_u64(), Some(fs::metadata(&gds).unwrap().len()));
}
