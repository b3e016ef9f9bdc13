//! The codec's errors in the words of `ds-core`.

use ds_core::{Corrupt, CorruptReason};
use ds_gdeflate::{Header, MAX_TILE_PAYLOAD, StreamError, TILE_SIZE, TileError, TileErrorKind};

/// Where the header's bit fields are: index, last tile's size, reserved.
const FIELDS: u64 = 4;

/// Where a tile's entry in the table is.
const fn entry(tile: usize) -> u64 {
    Header::SIZE as u64 + 4 * tile as u64
}

/// What is wrong with a container.
#[must_use]
pub fn from_stream(error: StreamError) -> Corrupt {
    use CorruptReason as Reason;
    let (reason, tile, position, expected, actual) = match error {
        StreamError::HeaderTruncated { expected, actual }
        | StreamError::TableTruncated { expected, actual } => {
            (Reason::Truncated, None, actual as u64, expected as u64, actual as u64)
        }
        StreamError::PayloadTruncated { expected, actual } => {
            (Reason::Truncated, None, actual, expected, actual)
        }
        // Either identifier is fine, if its complement follows: show the reference's where the first byte is neither.
        StreamError::UnknownCodec { id: id @ (0x04 | 0xFE), check } => {
            (Reason::Header, None, 1, u64::from(!id), u64::from(check))
        }
        StreamError::UnknownCodec { id, .. } => (Reason::Header, None, 0, 0x04, u64::from(id)),
        StreamError::TileSizeIndex { actual } => (Reason::Header, None, FIELDS, 1, u64::from(actual)),
        StreamError::ReservedBits { actual } => (Reason::Header, None, FIELDS, 0, u64::from(actual)),
        StreamError::LastTileSize { actual } => {
            (Reason::Header, None, FIELDS, TILE_SIZE as u64 - 1, u64::from(actual))
        }
        StreamError::LastTileWithoutTiles { actual } => (Reason::Header, None, FIELDS, 0, u64::from(actual)),
        StreamError::OffsetNotRising { tile, offset, previous } => {
            (Reason::Table, Some(tile), entry(tile), u64::from(previous) + 4, u64::from(offset))
        }
        StreamError::OffsetMisaligned { tile, offset } => {
            (Reason::Table, Some(tile), entry(tile), u64::from(offset & !3), u64::from(offset))
        }
        // The table's first entry is the size of the last tile.
        StreamError::SizeMisaligned { tile, size } => {
            (Reason::Table, Some(tile), entry(0), u64::from(size & !3), u64::from(size))
        }
        StreamError::PayloadTooLarge { tile, size } => {
            (Reason::Table, Some(tile), entry(tile), MAX_TILE_PAYLOAD as u64, u64::from(size))
        }
        _ => (Reason::Header, None, 0, 0, 0),
    };
    Corrupt { reason, tile: tile.map(|tile| tile as u32), position, expected, actual }
}

/// What is wrong with a tile, counted from 0.
#[must_use]
pub fn from_tile(tile: usize, error: TileError) -> Corrupt {
    from_kind(tile, error.kind, error.input)
}

/// What is wrong with a tile, counted from 0, of which so many bytes had been read by then.
#[must_use]
pub fn from_kind(tile: usize, kind: TileErrorKind, input: usize) -> Corrupt {
    use CorruptReason as Reason;
    let (reason, expected, actual) = match kind {
        TileErrorKind::OutputSize { actual } => (Reason::Size, TILE_SIZE, actual),
        TileErrorKind::PayloadSize { actual } => (Reason::Table, MAX_TILE_PAYLOAD, actual),
        TileErrorKind::Truncated => (Reason::Truncated, input + 4, input),
        TileErrorKind::BlockType => (Reason::BlockType, 2, 3),
        TileErrorKind::RunTooLong { expected, actual } => (Reason::Code, expected, actual),
        TileErrorKind::ReservedSymbol { symbol } => (Reason::Code, 285, usize::from(symbol)),
        TileErrorKind::RepeatWithoutLength
        | TileErrorKind::OverSubscribed(_)
        | TileErrorKind::Incomplete(_)
        | TileErrorKind::NoEndOfBlock
        | TileErrorKind::UnusedCodeword(_) => (Reason::Code, 0, 0),
        TileErrorKind::DistanceTooFar { expected, actual } => (Reason::Distance, expected, actual),
        TileErrorKind::OutputOverrun { expected, actual } => (Reason::Overrun, expected, actual),
        TileErrorKind::OutputShort { expected, actual } => (Reason::Size, expected, actual),
        _ => (Reason::Code, 0, 0),
    };
    Corrupt {
        reason,
        tile: Some(tile as u32),
        position: input as u64,
        expected: expected as u64,
        actual: actual as u64,
    }
}

#[cfg(test)]
mod tests {
    use ds_gdeflate::Decoder;

    use super::*;

    #[test]
    fn container_errors_point_at_the_field() {
        let corrupt =
            |reason, tile, position, expected, actual| Corrupt { reason, tile, position, expected, actual };
        for (error, wanted) in [
            (
                StreamError::UnknownCodec { id: 0x1F, check: 0x8B },
                corrupt(CorruptReason::Header, None, 0, 0x04, 0x1F),
            ),
            (
                StreamError::UnknownCodec { id: 0xFE, check: 0x8B },
                corrupt(CorruptReason::Header, None, 1, 0x01, 0x8B),
            ),
            (
                StreamError::OffsetNotRising { tile: 3, offset: 8, previous: 8 },
                corrupt(CorruptReason::Table, Some(3), 20, 12, 8),
            ),
            (
                StreamError::SizeMisaligned { tile: 7, size: 129 },
                corrupt(CorruptReason::Table, Some(7), 8, 128, 129),
            ),
            (
                StreamError::PayloadTruncated { expected: 500, actual: 400 },
                corrupt(CorruptReason::Truncated, None, 400, 500, 400),
            ),
        ] {
            assert_eq!(from_stream(error), wanted, "{error}");
        }
    }

    #[test]
    fn tile_errors_keep_their_numbers() {
        let mut error = Decoder::new().decode_tile(&[], &mut [0]).expect_err("no payload");
        error.kind = TileErrorKind::DistanceTooFar { expected: 10, actual: 12 };
        error.input = 132;
        let wanted = Corrupt {
            reason: CorruptReason::Distance,
            tile: Some(9),
            position: 132,
            expected: 10,
            actual: 12,
        };
        assert_eq!(from_tile(9, error), wanted);
    }
}
