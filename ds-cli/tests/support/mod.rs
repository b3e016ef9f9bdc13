//! Hand-made packs, and a program to run.
#![allow(dead_code, unreachable_pub)] // each test program uses its own part

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ds_cli::pack::layout::{ChunkRecord, EntryRecord, FOOTER_SIZE, Footer, HEADER_SIZE, header};
use ds_cli::pack::{EntryKind, Geometry, Method};
use twox_hash::XxHash3_64;

/// The parts of a pack, to be put together right or wrong.
#[derive(Clone, Debug)]
pub struct Parts {
    pub header: [u8; HEADER_SIZE],
    pub content: Vec<u8>,
    pub entries: Vec<EntryRecord>,
    pub chunks: Vec<ChunkRecord>,
    pub names: Vec<u8>,
    pub geometry: Geometry,
}

impl Parts {
    pub fn new() -> Self {
        let (entries, chunks) = (Vec::new(), Vec::new());
        Self {
            header: header(),
            content: Vec::new(),
            entries,
            chunks,
            names: Vec::new(),
            geometry: Geometry::DEFAULT,
        }
    }

    /// Adds a file of one stored chunk, or none.
    pub fn file(mut self, name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        self.entry(name.as_ref(), EntryKind::File.to_u8(), content.len() as u64);
        if !content.is_empty() {
            self.chunks.push(ChunkRecord {
                offset: (HEADER_SIZE + self.content.len()) as u64,
                checksum: XxHash3_64::oneshot(content),
                packed_size: content.len() as u32,
                method: Method::Stored.to_u8(),
                reserved: [0; 3],
            });
            self.content.extend_from_slice(content);
            self.content.resize(self.content.len().next_multiple_of(16), 0);
        }
        self
    }

    pub fn directory(mut self, name: &str) -> Self {
        self.entry(name.as_bytes(), EntryKind::Directory.to_u8(), 0);
        self
    }

    fn entry(&mut self, name: &[u8], kind: u8, size: u64) {
        self.entries.push(EntryRecord { size, name_len: name.len() as u16, kind, reserved: [0; 5] });
        self.names.extend_from_slice(name);
    }

    pub fn index(&self) -> Vec<u8> {
        let mut index = Vec::new();
        self.entries.iter().for_each(|record| index.extend_from_slice(&record.to_bytes()));
        self.chunks.iter().for_each(|record| index.extend_from_slice(&record.to_bytes()));
        index.extend_from_slice(&self.names);
        index
    }

    pub fn footer(&self) -> Footer {
        let index = self.index();
        Footer {
            index_offset: (HEADER_SIZE + self.content.len()) as u64,
            index_len: index.len() as u64,
            index_checksum: XxHash3_64::oneshot(&index),
            entries: self.entries.len() as u32,
            chunks: self.chunks.len() as u32,
            geometry: self.geometry,
        }
    }

    /// The pack, with a footer of the caller's.
    pub fn with_footer(&self, footer: &Footer) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        bytes.extend_from_slice(&self.content);
        bytes.extend_from_slice(&self.index());
        bytes.extend_from_slice(&footer.to_bytes());
        bytes
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.with_footer(&self.footer())
    }
}

/// Makes both checksums of a pack's end right again, as somebody who means harm would.
pub fn reseal(bytes: &mut [u8]) {
    let Some(at) = bytes.len().checked_sub(FOOTER_SIZE) else { return };
    let (rest, footer) = bytes.split_at_mut(at);
    let index_len = u64::from_le_bytes(footer[8..16].try_into().unwrap());
    if let Some(start) = usize::try_from(index_len).ok().and_then(|len| rest.len().checked_sub(len)) {
        footer[16..24].copy_from_slice(&XxHash3_64::oneshot(&rest[start..]).to_le_bytes());
    }
    let checksum = XxHash3_64::oneshot(&footer[..48]);
    footer[48..56].copy_from_slice(&checksum.to_le_bytes());
}

/// A file system in memory that is soon full; gone when it is dropped.
pub struct SmallDisk(PathBuf);

/// Makes one of that size in a folder, if tests may mount here.
pub fn small_disk(folder: &Path, size: &str) -> Option<SmallDisk> {
    fs::create_dir(folder).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(folder).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success()).then(|| SmallDisk(folder.to_owned()))
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A child that another test has just started may have it open for a moment yet.
        let gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(std::thread::panicking() || gone.unwrap().success());
    }
}

/// The program, with its arguments.
pub fn ds<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ds"));
    command.args(args).stdin(Stdio::null());
    // What it says depends on these, and is not to depend on who runs the tests.
    for variable in ["CLICOLOR_FORCE", "COLUMNS", "NVCOMP_LIBRARY"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the program and returns what it did.
pub fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Output {
    ds(args).output().unwrap()
}

/// Runs the program with this standard input.
pub fn run_with_input<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I, input: &[u8]) -> Output {
    let mut child =
        ds(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // The program may well stop reading early.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// Asserts success.
#[track_caller]
pub fn succeeds(output: &Output) {
    assert!(output.status.success(), "{:?}\n{}", output.status, stderr(output));
}

/// Asserts failure with this exit code and this text on standard error.
#[track_caller]
pub fn fails(output: &Output, code: i32, text: &str) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(text), "no {text:?} in: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Bytes that compress like a game's: text, a ramp of floats, noise.
pub fn sample(len: usize) -> Vec<u8> {
    let mut random = ds_cli::assets::random::Random::new(len as u64);
    let mut bytes = ds_cli::assets::text::script(400, &mut random).into_bytes();
    bytes.extend(ds_cli::assets::mesh::terrain(64, &mut random));
    bytes.extend((0..150_000).map(|_| random.draw() as u8));
    bytes.iter().copied().cycle().take(len).collect()
}
