//! A sink that remembers, and memory to lend.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use core::cell::UnsafeCell;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use ds_core::{Done, Fault, OpId};
use ds_engine::{FileRef, Finished, HostBytes, IoOp, JobId, Sink, Warning};
use rustix::io::Errno;

/// Remembers every outcome.
#[derive(Default)]
pub(crate) struct Log {
    finished: Mutex<HashMap<JobId, Finished>>,
    warnings: Mutex<Vec<Warning>>,
    news: Condvar,
}

impl Sink for Log {
    fn complete(&self, batch: &[Finished]) {
        let mut log = self.finished.lock().unwrap();
        for finished in batch {
            assert!(log.insert(finished.id, *finished).is_none(), "{:?} answered twice", finished.id);
        }
        self.news.notify_all();
    }

    fn warn(&self, warning: &Warning) {
        self.warnings.lock().unwrap().push(*warning);
    }
}

impl Log {
    pub(crate) fn len(&self) -> usize {
        self.finished.lock().unwrap().len()
    }

    /// What there was to warn of so far.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        self.warnings.lock().unwrap().clone()
    }

    /// The outcome of a job, waited for and forgotten.
    pub(crate) fn wait(&self, id: JobId) -> Finished {
        let end = Instant::now() + Duration::from_secs(60);
        let mut log = self.finished.lock().unwrap();
        loop {
            if let Some(finished) = log.remove(&id) {
                return finished;
            }
            assert!(Instant::now() < end, "{id:?} is never answered");
            log = self.news.wait_timeout(log, Duration::from_secs(1)).unwrap().0;
        }
    }
}

/// Where outcomes were delivered: names and ids of threads.
#[derive(Default)]
pub(crate) struct Threads(pub(crate) Mutex<BTreeSet<(String, i32)>>);

impl Sink for Threads {
    fn complete(&self, _: &[Finished]) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        self.0.lock().unwrap().insert((name, rustix::thread::gettid().as_raw_nonzero().get()));
    }
}

/// Whether a thread of this process may still run code. One that has been joined may be on the kernel's list for a moment.
pub(crate) fn runs(thread: i32) -> bool {
    const PF_EXITING: u64 = 4;
    let Ok(stat) = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")) else { return false };
    let flags = stat.rsplit(") ").next().and_then(|behind_the_name| behind_the_name.split(' ').nth(6));
    flags.unwrap().parse::<u64>().unwrap() & PF_EXITING == 0
}

pub(crate) fn id(n: u64) -> JobId {
    JobId { queue: 0, op: OpId::from_u64(n) }
}

/// Names an open file for jobs. The test keeps it open until they are answered.
pub(crate) fn file(fd: impl AsFd) -> FileRef {
    // SAFETY: every test keeps its files open until all jobs have been answered.
    unsafe { FileRef::new(fd.as_fd()) }
}

/// Bytes that jobs may read and write while the test holds this too.
pub(crate) struct Memory(Box<[UnsafeCell<u8>]>);

// SAFETY: the bytes are read and written by whoever holds a job on them, and by the test when there is none.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn new(len: usize) -> Self {
        Self::of(&vec![0xEE; len])
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().map(UnsafeCell::new).collect())
    }

    pub(crate) fn lend(&self) -> HostBytes {
        // SAFETY: every test keeps its memory until all jobs have been answered, and reads it afterwards only.
        unsafe { HostBytes::new(UnsafeCell::raw_get(self.0.as_ptr()), self.0.len()) }
    }

    pub(crate) fn part(&self, offset: usize, len: usize) -> HostBytes {
        self.lend().part(offset as u64, len as u64).expect("a part is inside")
    }

    /// Writes bytes that no job concerns yet.
    pub(crate) fn put(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: as in `lend`; nobody reads these yet.
        unsafe { self.part(offset, bytes.len()).as_mut_slice() }.copy_from_slice(bytes);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_of(0, self.0.len())
    }

    pub(crate) fn bytes_of(&self, offset: usize, len: usize) -> Vec<u8> {
        // SAFETY: as in `lend`.
        unsafe { self.part(offset, len).as_slice() }.to_vec()
    }
}

pub(crate) fn read(file: FileRef, offset: u64, memory: &Memory) -> IoOp {
    IoOp::Read { file, offset, into: memory.lend() }
}

pub(crate) fn write(file: FileRef, offset: u64, memory: &Memory) -> IoOp {
    IoOp::Write { file, offset, from: memory.lend() }
}

pub(crate) fn errno(errno: Errno) -> Result<Done, Fault> {
    Err(Fault::Os(errno.raw_os_error()))
}

/// Text with some order in it, the same every time.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let words = ["tile ", "stream ", "of ", "the ", "asset ", "queue ", "\n", "decodes ", "x", "0123456789 "];
    let mut state = 1_u64;
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(words[(state >> 33) as usize % words.len()].as_bytes());
    }
    text.truncate(len);
    text
}
