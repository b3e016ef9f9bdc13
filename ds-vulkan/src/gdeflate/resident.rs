//! Streams that only the device sees: a pass over header and table makes the tiles, and says what is wrong with them.

use ash::vk;
use ds_core::{Corrupt, CorruptReason, Fault};

use crate::device::Device;
use crate::error::CallError;
use crate::pipeline::constants::push_constants;
use crate::pipeline::shaders;

push_constants! {
    /// Some tiles of one stream.
    StreamTable for TILE_TABLE: {
        stream: u64,
        destination: u64,
        tiles: u64,
        verdict: u64,
        stream_len: u64,
        destination_len: u64,
        first: u32,
        count: u32,
    }
}

/// Invocations in a workgroup of the pass.
pub(crate) const GROUP: u32 = shaders::TILE_TABLE.local_size[0];

pub(crate) fn table_pipeline(device: &Device) -> Result<vk::Pipeline, CallError> {
    let inner = &device.inner;
    inner.pipelines.get(inner.raw(), &shaders::TILE_TABLE.code(), &[], None)
}

impl StreamTable {
    /// Workgroups that see every tile once, and the header at least.
    pub(crate) const fn workgroups(&self) -> u32 {
        // `div_ceil` of what may be 0.
        self.count.saturating_sub(1) / GROUP + 1
    }
}

/// What the pass says about a stream: the lowest of `tile << 8 | reason`, or all ones.
///
/// # Errors
/// What is wrong with header or table. The pass tells which tile and why, and no more: the numbers are 0.
pub(crate) fn stream_verdict(word: u32) -> Result<(), Fault> {
    use CorruptReason as Reason;
    let (reason, of_tile) = match word & 0xFF {
        _ if word == u32::MAX => return Ok(()),
        1 => (Reason::Truncated, word >> 8 != 0),
        2 => (Reason::Header, false),
        3 => (Reason::Size, false),
        4 => (Reason::Table, true),
        _ => return Err(Fault::Unsupported("the device said something about a stream that nobody knows")),
    };
    let tile = of_tile.then_some(word >> 8);
    Err(Fault::Corrupt(Corrupt { reason, tile, position: 0, expected: 0, actual: 0 }))
}
