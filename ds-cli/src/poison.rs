//! Memory overwritten before it is filled: content that did not arrive must not look as if it had.

use ds_runtime::vulkan::GpuBuffer;
use ds_runtime::{Completion, Request};

/// What is there then, byte by byte.
pub(crate) const POISON: u8 = 0xA5;

/// Bytes that one request overwrites.
const STEP: u64 = 8 << 20;

/// Overwrites a buffer's first `len` bytes by requests that `done` has done, one after the other.
///
/// # Errors
///
/// The first that `done` reports.
pub(crate) fn overwrite<E>(
    buffer: &GpuBuffer,
    len: u64,
    mut done: impl FnMut(Request) -> Result<Completion, E>,
) -> Result<(), E> {
    let mut poison = vec![POISON; STEP.min(len) as usize];
    for start in (0..len).step_by(STEP as usize) {
        let stop = len.min(start + STEP);
        poison.truncate((stop - start) as usize);
        let request = Request::from_memory(poison).into_device(buffer.range(start..stop));
        poison = done(request)?.source;
    }
    Ok(())
}
