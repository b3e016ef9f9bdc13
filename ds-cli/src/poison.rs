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
    let first = STEP.min(len);
    if first > 0 {
        let poison = vec![POISON; first as usize];
        done(Request::from_memory(poison).into_device(buffer.range(0..first)))?;
    }
    // The rest on the device: it is sooner done, and the device awake for what is measured next.
    for start in (first..len).step_by(STEP as usize) {
        let stop = len.min(start + STEP);
        let poison = buffer.range(0..stop - start);
        done(Request::from_device(poison).into_device(buffer.range(start..stop)))?;
    }
    Ok(())
}
