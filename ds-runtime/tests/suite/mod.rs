//! One suite for every engine: each function takes a way to make a runtime and must hold for all of them.

pub(crate) mod bad_input;
pub(crate) mod direct;
pub(crate) mod endings;
pub(crate) mod lifecycle;
pub(crate) mod reentrant;
pub(crate) mod requests;
pub(crate) mod telling;

use std::io::Write;

use ds_gdeflate::{CodecId, Level, compress};
use ds_runtime::{File, Path, Queue, QueueOptions, Runtime};

/// Makes the runtime under test.
pub(crate) type Make = fn() -> Runtime;

/// Content that compresses and in which every position looks different.
pub(crate) fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 16);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = format!("{:x} and ", state >> 44);
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Bytes to decode, where a decoder of the usual speed would get `len`.
pub(crate) const fn decoded(len: usize) -> usize {
    len / crate::DECODER_SLOWNESS
}

/// Whether an engine has decoded.
pub(crate) fn has_decoded(path: Path) -> bool {
    path.contains(Path::CODEC_CPU) || path.contains(Path::CODEC_VULKAN)
}

pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    File::from(file)
}

pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, Level::FASTEST, CodecId::default()).unwrap()
}

/// A queue that reports failures to nobody: these tests fail on purpose.
pub(crate) fn queue_of(runtime: &Runtime, options: QueueOptions) -> Queue {
    runtime.queue(options.error_hook(|_| {})).unwrap()
}

pub(crate) fn queue(make: Make) -> Queue {
    queue_of(&make(), QueueOptions::default())
}
