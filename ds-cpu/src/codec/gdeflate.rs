//! From the bytes that have arrived to the tiles that can be decoded.

use ds_core::{Corrupt, CorruptReason, DecodeStep};
use ds_engine::{CodecJob, HostBytes};
use ds_gdeflate::{Header, StreamError, TILE_SIZE, TileTable};

use super::corrupt::from_stream;
use super::fan::{Piece, Plan};

/// Tiles in one step at most: 64 MiB. Bounds what a plan remembers, and how long a request that nobody wants any more can
/// keep the pool busy.
const STEP_TILES: usize = 1024;

/// Each step checks the whole table again, for steps share nothing. A long table is therefore worked off in steps of this
/// fraction of it, or the checks would add up to the square of its length.
const STEPS_PER_STREAM: usize = 256;

/// Plans the next step: the tiles from the job's cursor on that are complete. `Some` is a step that is already done, because
/// there are none. Verdicts on header and table do not depend on how much has arrived.
pub(super) fn plan(
    job: &CodecJob,
    from: HostBytes,
    into: HostBytes,
    plan: &mut Plan,
) -> Result<Option<DecodeStep>, Corrupt> {
    let whole = from.len() as u64;
    let available = job.available.min(whole);
    // SAFETY: the job has not been answered, and these bytes have arrived, so nobody writes them.
    let prefix = unsafe { from.part(0, available).unwrap_or(HostBytes::EMPTY).as_slice() };
    let waiting =
        |wants: usize| Some(DecodeStep { cursor: 0, produced: 0, wants: wants as u64, finished: false });

    if from.len() < Header::SIZE {
        let error = StreamError::HeaderTruncated { expected: Header::SIZE, actual: from.len() };
        return Err(from_stream(error));
    }
    if prefix.len() < Header::SIZE {
        return Ok(waiting(Header::SIZE));
    }
    let header = Header::parse(prefix).map_err(from_stream)?;
    if header.uncompressed_size() != into.len() as u64 {
        return Err(Corrupt {
            reason: CorruptReason::Size,
            tile: None,
            position: 4,
            expected: into.len() as u64,
            actual: header.uncompressed_size(),
        });
    }
    let table_end = header.table_end();
    if from.len() < table_end {
        return Err(from_stream(StreamError::TableTruncated { expected: table_end, actual: from.len() }));
    }
    if prefix.len() < table_end {
        return Ok(waiting(table_end));
    }
    let table = TileTable::parse(prefix, whole).map_err(from_stream)?;

    let tiles = table.len();
    let first = usize::try_from(job.cursor).map_or(tiles, |cursor| cursor.min(tiles));
    plan.begin(job.id, first);
    for tile in first..tiles.min(first + STEP_TILES) {
        let payload = table.compressed_range(tile);
        if payload.end > available {
            break;
        }
        let content = table.uncompressed_range(tile);
        let payload = from.part(payload.start, payload.end - payload.start);
        let output = into.part(content.start, content.end - content.start);
        // Both lie inside: the payload has arrived, and the output is as large as the header says. Were it not so, an empty
        // slice would be refused by the decoder.
        plan.add(Piece {
            payload: payload.unwrap_or(HostBytes::EMPTY),
            output: output.unwrap_or(HostBytes::EMPTY),
        });
    }
    let cursor = first + plan.tiles();
    let finished = cursor == tiles;
    let produced = if finished { header.uncompressed_size() } else { (cursor * TILE_SIZE) as u64 };
    let stride = 1 + tiles / STEPS_PER_STREAM;
    let wants = if finished { whole } else { table.compressed_range(tiles.min(cursor + stride) - 1).end };
    let step = DecodeStep { cursor: cursor as u64, produced, wants, finished };
    if plan.tiles() == 0 {
        return Ok(Some(step));
    }
    plan.answer_with(step);
    Ok(None)
}
