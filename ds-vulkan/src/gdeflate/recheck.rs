//! The numbers in errors: a tile that the shader refuses is decoded once more by the processor, which tells them.
//!
//! The shader gives a reason, for registers that it would take to carry numbers through the rounds cost speed in every tile. Where
//! the host has the bytes, the one tile that makes the request's error is decoded again; others never are.

use ds_core::{Corrupt, Fault};
use ds_engine::HostBytes;
use ds_engine::gdeflate::{Plan, from_tile, plan};
use ds_gdeflate::{Decoder, TILE_SIZE};

/// A stream that the host sees, as far as it has arrived.
#[derive(Clone, Copy)]
pub(crate) struct HostStream {
    pub(crate) prefix: HostBytes,
    /// Its length in all.
    pub(crate) whole: u64,
    /// That of its content.
    pub(crate) content: u64,
}

impl HostStream {
    /// The same verdict with its numbers, if it is about a tile. The job has not been answered.
    pub(crate) fn explain(self, fault: Fault) -> Fault {
        let Fault::Corrupt(Corrupt { tile: Some(tile), reason, .. }) = fault else { return fault };
        // SAFETY: the job has not been answered, and these bytes have arrived, so nobody writes them.
        let prefix = unsafe { self.prefix.as_slice() };
        match self.decode(prefix, tile) {
            Some(exact) if exact.reason == reason => Fault::Corrupt(exact),
            other => {
                // A defect of the shader's or of the driver's. The tile is not good either way: its bytes are not there.
                log::error!("the device refuses tile {tile} as {reason:?}, the processor says {other:?}");
                fault
            }
        }
    }

    /// What is wrong with a tile, by the processor's account.
    fn decode(self, prefix: &[u8], tile: u32) -> Option<Corrupt> {
        let Ok(Plan::Tiles(tiles)) = plan(prefix, self.whole, self.content, tile.into(), 1) else {
            return None;
        };
        let number = tiles.numbers().start;
        let (payload, content) = (tiles.payload(number), tiles.content(number));
        let payload = prefix.get(payload.start as usize..payload.end as usize)?;
        let mut output = vec![0; ((content.end - content.start) as usize).min(TILE_SIZE)];
        let refused = Decoder::new().decode_tile(payload, &mut output).err()?;
        Some(from_tile(number, refused))
    }
}
