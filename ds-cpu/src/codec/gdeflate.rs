//! From the bytes that have arrived to the tiles that threads decode.

use ds_core::{Corrupt, DecodeStep};
use ds_engine::gdeflate::{self, Plan as Step};
use ds_engine::{CodecJob, HostBytes};

use super::fan::{Piece, Plan};

/// Tiles in one step at most: 64 MiB. Bounds what a plan remembers, and how long a request that nobody wants any more can
/// keep the pool busy.
const STEP_TILES: usize = 1024;

/// Plans the next step: the tiles from the job's cursor on that are complete. `Some` is a step that is already done, because
/// there are none.
pub(super) fn plan(
    job: &CodecJob,
    from: HostBytes,
    into: HostBytes,
    plan: &mut Plan,
) -> Result<Option<DecodeStep>, Corrupt> {
    let whole = from.len() as u64;
    // SAFETY: the job has not been answered, and these bytes have arrived, so nobody writes them.
    let prefix = unsafe { from.part(0, job.available.min(whole)).unwrap_or(HostBytes::EMPTY).as_slice() };
    let tiles = match gdeflate::plan(prefix, whole, into.len() as u64, job.cursor, STEP_TILES)? {
        Step::Answer(step) => return Ok(Some(step)),
        Step::Tiles(tiles) => tiles,
    };
    let numbers = tiles.numbers();
    plan.begin(job.id, numbers.start);
    for tile in numbers.clone() {
        let (payload, content) = (tiles.payload(tile), tiles.content(tile));
        let payload = from.part(payload.start, payload.end - payload.start);
        let output = into.part(content.start, content.end - content.start);
        // Both lie inside: the payload has arrived, and the output is as large as the header says. Were it not so, an empty
        // slice would be refused by the decoder.
        plan.add(Piece {
            payload: payload.unwrap_or(HostBytes::EMPTY),
            output: output.unwrap_or(HostBytes::EMPTY),
        });
    }
    plan.answer_with(tiles.answer(numbers.end));
    Ok(None)
}
