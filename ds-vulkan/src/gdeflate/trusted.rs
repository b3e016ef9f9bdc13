//! The driver's own decompression, `VK_NV_memory_decompression`: for data that the application vouches for.
//!
//! It reports no errors: what it does with a damaged tile nobody knows, and nobody is told. So it is never chosen, only asked for,
//! by [`DeviceOptions::driver_decompression`](crate::DeviceOptions::driver_decompression) and [`DecoderPath::Trusted`]; header and
//! table are checked on the host as ever. Tiles that it cannot take, by the extension's valid usage, are the shader's.

use ash::vk;
use ds_gdeflate::TILE_SIZE;

use super::Tile;
use crate::device::Device;
use crate::engine::config::DecoderPath;
use crate::error::OpenError;

/// Both addresses are multiples of this.
const ALIGN: u64 = 4;

/// What a device that has it is asked to decode.
pub(crate) type Region = vk::DecompressMemoryRegionNV;

/// Refuses an engine that is to go this way on a device that cannot, or was not opened for it.
pub(crate) fn check(device: &Device, path: DecoderPath) -> Result<(), OpenError> {
    if path == DecoderPath::Trusted && device.inner.decompression.is_none() {
        let lacks = vec!["VK_NV_memory_decompression, switched on when it was opened"];
        return Err(OpenError::Unsuitable { device: device.info().name.clone(), lacks });
    }
    Ok(())
}

/// A tile as the driver takes it; `None` if it does not.
pub(crate) const fn region(tile: &Tile) -> Option<Region> {
    let aligned = tile.source.is_multiple_of(ALIGN) && tile.destination.is_multiple_of(ALIGN);
    if !aligned
        || tile.source_len == 0
        || tile.destination_len == 0
        || tile.destination_len > TILE_SIZE as u32
    {
        return None;
    }
    Some(Region {
        src_address: tile.source,
        dst_address: tile.destination,
        compressed_size: tile.source_len as u64,
        decompressed_size: tile.destination_len as u64,
        decompression_method: vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_that_the_extension_allows_become_regions() {
        let tile = Tile::new(0x1000, 400, 0x20004, 65_536);
        let made = region(&tile).unwrap();
        assert_eq!((made.src_address, made.compressed_size), (0x1000, 400));
        assert_eq!((made.dst_address, made.decompressed_size), (0x20004, 65_536));
        assert_eq!(made.decompression_method, vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0);
        assert_eq!(made.decompression_method.as_raw().count_ones(), 1);
        for (wrong, why) in [
            (Tile { source: 0x1002, ..tile }, "an unaligned source"),
            (Tile { destination: 0x20001, ..tile }, "an unaligned destination"),
            (Tile { destination_len: 65_537, ..tile }, "more than 64 KiB"),
            (Tile { destination_len: 0, ..tile }, "no output"),
            (Tile { source_len: 0, ..tile }, "no input"),
        ] {
            assert!(region(&wrong).is_none(), "{why}");
        }
    }
}
