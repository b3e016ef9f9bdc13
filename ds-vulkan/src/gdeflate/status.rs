//! What the shader says about a tile, in the words of `ds-core`.

use ds_core::{Corrupt, Fault};
use ds_engine::gdeflate::from_kind;
use ds_gdeflate::{Code, TileErrorKind};

/// What a status word is set to beforehand: a tile that nobody decoded keeps it.
pub(crate) const UNTOUCHED: u32 = u32::MAX;

/// What a status word says.
///
/// # Errors
/// What is wrong with the tile. The shader tells the reason and no more: the numbers are 0, unless `recheck` finds them.
pub(crate) fn verdict(tile: usize, status: u32) -> Result<(), Fault> {
    let codes = [Code::CodeLength, Code::LiteralLength, Code::Distance];
    let code = |first: u32| codes[(status - first) as usize];
    let (expected, actual) = (0, 0);
    let kind = match status {
        0 => return Ok(()),
        1 => TileErrorKind::OutputSize { actual },
        2 => TileErrorKind::PayloadSize { actual },
        3 => TileErrorKind::Truncated,
        4 => TileErrorKind::BlockType,
        5 => TileErrorKind::TooManyDynamicBlocks { limit: 0 },
        6 => TileErrorKind::RepeatWithoutLength,
        7 => TileErrorKind::RunTooLong { expected, actual },
        8..=10 => TileErrorKind::OverSubscribed(code(8)),
        11..=13 => TileErrorKind::Incomplete(code(11)),
        14 => TileErrorKind::NoEndOfBlock,
        15..=17 => TileErrorKind::UnusedCodeword(code(15)),
        18 => TileErrorKind::ReservedSymbol { symbol: 0 },
        19 => TileErrorKind::DistanceTooFar { expected, actual },
        20 => TileErrorKind::OutputOverrun { expected, actual },
        21 => TileErrorKind::OutputShort { expected, actual },
        UNTOUCHED => return Err(Fault::Unsupported("the device did not decode a tile it was given")),
        _ => return Err(Fault::Unsupported("the device said something about a tile that nobody knows")),
    };
    let corrupt = from_kind(tile, kind, 0);
    Err(Fault::Corrupt(Corrupt { position: 0, expected: 0, actual: 0, ..corrupt }))
}
