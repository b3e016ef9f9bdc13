//! The GDeflate shaders from the host's side: their structures, their dispatch, their verdicts.

#[cfg(test)]
mod guards;
mod recheck;
mod resident;
mod status;
pub(crate) mod trusted;

use ash::vk;
use ds_gdeflate::{TILE_SIZE, max_dynamic_blocks};

use crate::device::Device;
use crate::engine::config::DecoderPath;
use crate::error::CallError;
use crate::pipeline::constants::push_constants;
use crate::pipeline::shaders;

pub(crate) use recheck::HostStream;
pub(crate) use resident::{StreamTable, stream_verdict, table_pipeline};
pub(crate) use status::{UNTOUCHED, verdict};

push_constants! {
    /// All tiles of a dispatch.
    Dispatch for GDEFLATE: {
        tiles: u64,
        status: u64,
        scratch: u64,
        tile_count: u32,
        reserved: u32,
    }
}

/// One tile, as the shader reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Tile {
    pub(crate) source: u64,
    pub(crate) destination: u64,
    pub(crate) source_len: u32,
    pub(crate) destination_len: u32,
    pub(crate) flags: u32,
    pub(crate) reserved: u32,
}

impl Tile {
    /// Bytes of one.
    pub(crate) const SIZE: u64 = size_of::<Self>() as u64;

    /// A tile of so many bytes of payload at `source` and content at `destination`, both device addresses.
    pub(crate) const fn new(source: u64, source_len: u32, destination: u64, destination_len: u32) -> Self {
        Self { source, destination, source_len, destination_len, flags: 0, reserved: 0 }
    }
}

const _: () = assert!(Tile::SIZE == 32 && TILE_SIZE == 65_536, "the shader knows these numbers");

/// A way through the shader, chosen once for a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    pub(crate) pipeline: vk::Pipeline,
    tiles_per_workgroup: u32,
}

/// Bytes of content that entitle a tile to one more dynamic block.
const BYTES_PER_DYNAMIC_BLOCK: u32 = 512;

const _: () = {
    // The shader knows the limit as a line.
    let mut content = 0;
    while content <= TILE_SIZE {
        assert!(
            max_dynamic_blocks(content) == max_dynamic_blocks(0) + content / BYTES_PER_DYNAMIC_BLOCK as usize
        );
        content += 509;
    }
};

/// The size of subgroups that the fast way is for: as many lanes as a tile has.
pub(crate) const LANES: u32 = 32;

impl Decoder {
    /// The decoder for a device.
    pub(crate) fn new(device: &Device, path: DecoderPath) -> Result<Self, CallError> {
        let features = device.info().features;
        let wide = path != DecoderPath::AnySize && features.has_lanes();
        // One is fastest by a tenth and more, as measured: see docs/gpu-decoder-performance.md.
        let tiles_per_workgroup = 1;
        let size = if wide { LANES } else { 0 };
        // A size that is fixed need not be asked for.
        let ask = (wide && features.subgroup_size_control).then_some(LANES);
        let inner = &device.inner;
        // The limit is linear: see `max_dynamic_blocks`.
        let constants = [size, tiles_per_workgroup, max_dynamic_blocks(0) as u32, BYTES_PER_DYNAMIC_BLOCK];
        let pipeline = inner.pipelines.get(inner.raw(), &shaders::GDEFLATE.code(), &constants, ask)?;
        Ok(Self { pipeline, tiles_per_workgroup })
    }

    /// Workgroups for so many tiles.
    pub(crate) const fn workgroups(&self, tiles: u32) -> u32 {
        tiles.div_ceil(self.tiles_per_workgroup)
    }
}

/// Bytes in which the shader remembers the symbols of a tile's codes, in the order of their codewords, and a table of long codewords: two for
/// each of 320 symbols and 1024 entries.
const SCRATCH_BYTES: u64 = 2 * (320 + 1024);

/// Bytes that a dispatch of so many tiles wants to remember things in.
pub(crate) const fn scratch_bytes(tiles: u32) -> u64 {
    tiles as u64 * SCRATCH_BYTES
}
