//! Whole streams into a `Vec`.

use alloc::vec;
use alloc::vec::Vec;

use super::{EncodeError, EncodeOptions, Encoder, tile_bound};
use crate::format::TILE_SIZE;
use crate::stream::{CodecId, Header, write_table};

/// Compresses `raw` into a stream of its own.
///
/// Allocates the stream and an [`Encoder`]; memory beyond that does not grow with the content. To compress tiles on
/// several threads, or many streams in turn, keep encoders and use [`Encoder::encode_tile`] with
/// [`StreamWriter`](crate::StreamWriter).
///
/// ```
/// use ds_gdeflate::{CodecId, Level, compress};
///
/// let stream = compress(&[7; 100_000], Level::DEFAULT, CodecId::Reference)?;
/// assert!(stream.len() < 400);
/// # Ok::<(), ds_gdeflate::EncodeError>(())
/// ```
///
/// # Errors
///
/// [`EncodeError::StreamTooLarge`] above [`MAX_STREAM_SIZE`](crate::MAX_STREAM_SIZE) bytes of content.
pub fn compress(raw: &[u8], options: impl Into<EncodeOptions>, id: CodecId) -> Result<Vec<u8>, EncodeError> {
    let size = raw.len() as u64;
    let too_large = EncodeError::StreamTooLarge { actual: size };
    let table_end = Header::for_size(id, size).ok_or(too_large)?.table_end();

    let options = options.into();
    let mut encoder = Encoder::new();
    let mut stream = vec![0; table_end];
    let mut payload_sizes = Vec::with_capacity(raw.len().div_ceil(TILE_SIZE));
    for tile in raw.chunks(TILE_SIZE) {
        let start = stream.len();
        stream.resize(start + tile_bound(tile.len()), 0);
        let len = encoder.encode_tile(options, tile, &mut stream[start..])?;
        stream.truncate(start + len);
        payload_sizes.push(len);
    }
    write_table(id, size, payload_sizes, &mut stream).map_err(|_| too_large)?;
    Ok(stream)
}
