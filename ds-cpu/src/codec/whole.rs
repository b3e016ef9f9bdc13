//! Transforms without tiles.

use ds_core::{Corrupt, CorruptReason, DecodeStep, Fault};
use ds_engine::{CodecJob, CustomDecoder, HostBytes};

use super::guarded;

/// Bytes in one step: the queue asks again, in turn with other requests.
const STEP: u64 = 1 << 20;

/// ASCII letters become upper case, as they arrive.
pub(super) fn uppercase(job: &CodecJob, from: HostBytes, into: HostBytes) -> Result<DecodeStep, Fault> {
    let whole = from.len() as u64;
    if from.len() != into.len() {
        return Err(Fault::Corrupt(Corrupt {
            reason: CorruptReason::Size,
            tile: None,
            position: 0,
            expected: into.len() as u64,
            actual: whole,
        }));
    }
    let start = job.cursor.min(whole);
    let end = job.available.min(whole).min(start + STEP).max(start);
    if let (Some(from), Some(into)) = (from.part(start, end - start), into.part(start, end - start)) {
        // SAFETY: the job has not been answered, and these bytes have arrived, so nobody writes them.
        let from = unsafe { from.as_slice() };
        // SAFETY: the job has not been answered, and it writes these bytes, so they are ours alone.
        let into = unsafe { into.as_mut_slice() };
        for (into, from) in into.iter_mut().zip(from) {
            *into = from.to_ascii_uppercase();
        }
    }
    Ok(DecodeStep { cursor: end, produced: end, wants: whole.min(end + 1), finished: end == whole })
}

/// The application's decoder, once all input has arrived.
pub(super) fn custom(
    job: &CodecJob,
    from: HostBytes,
    into: HostBytes,
    decoder: &dyn CustomDecoder,
) -> Result<DecodeStep, Fault> {
    let whole = from.len() as u64;
    if job.available < whole {
        return Ok(DecodeStep { cursor: 0, produced: 0, wants: whole, finished: false });
    }
    // SAFETY: the job has not been answered, and all bytes have arrived, so nobody writes them.
    let input = unsafe { from.as_slice() };
    // SAFETY: the job has not been answered, and it writes these bytes, so they are ours alone.
    let output = unsafe { into.as_mut_slice() };
    let produced = output.len() as u64;
    match guarded("the application's decoder panicked", || decoder.decode(input, output))? {
        Ok(()) => Ok(DecodeStep { cursor: whole, produced, wants: whole, finished: true }),
        Err(error) => Err(Fault::Corrupt(Corrupt {
            reason: CorruptReason::Custom,
            tile: None,
            position: 0,
            expected: 0,
            actual: error.0,
        })),
    }
}
