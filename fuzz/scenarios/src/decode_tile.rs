//! Any bytes as a tile.

use ds_gdeflate::{Decoder, SimdLevel, TILE_SIZE, TileError};

use crate::Verdict;
use crate::random::Random;
use crate::tile;

/// What an output buffer holds before: must never be found in what is accepted.
const SECRET: &[u8] = b"planted secret: not for the tile";

/// Splits an input: two bytes say the size of the content less one, the rest is the payload.
pub fn split(data: &[u8]) -> Option<(usize, &[u8])> {
    let (size, payload) = data.split_first_chunk()?;
    Some((usize::from(u16::from_le_bytes(*size)) + 1, payload))
}

/// The opposite of [`split`].
///
/// # Panics
///
/// If `size` is not 1 to 65 536.
pub fn join(size: usize, payload: &[u8]) -> Vec<u8> {
    let size = size.checked_sub(1).and_then(|size| u16::try_from(size).ok()).expect("the size of a tile");
    [&size.to_le_bytes(), payload].concat()
}

/// Decodes the input in every way there is. Also the content, for scenarios that go on from there.
///
/// # Panics
///
/// If two ways differ, in verdict or content, or if content shows that was in the buffer before.
pub fn decode(data: &[u8]) -> Result<Vec<u8>, Verdict> {
    let Some((size, payload)) = split(data) else { return Err(Verdict::Refused("no size".into())) };
    let secret: Vec<u8> = SECRET.iter().copied().cycle().take(size).collect();

    let mut clean = vec![0; size];
    let verdict = Decoder::new().decode_tile(payload, &mut clean);

    for level in SimdLevel::available() {
        let mut used = used_decoder(level);
        let mut dirty = secret.clone();
        assert_eq!(used.decode_tile(payload, &mut dirty), verdict, "with {level} and a used workspace");
        assert!(
            verdict.is_err() || clean == dirty,
            "content depends on {level}, or on what was in the buffer"
        );
    }
    let mut careful = vec![0xA5; size];
    let report = Decoder::new().inspect_tile(payload, &mut careful);
    assert_eq!(report.map(drop), verdict, "turn by turn");

    let model = tile::read::read(payload, size);
    match verdict {
        Ok(()) => {
            assert!(clean == careful, "content turn by turn differs");
            let (blocks, content) = model.expect("the model refuses what the decoder accepts");
            assert!(clean == content, "content differs from the model's");
            let report = report.expect("the same verdict");
            assert_eq!(report.blocks(), blocks.len() as u64, "blocks counted");
            assert_eq!(report.content(), size as u64, "content counted");
            Ok(content)
        }
        Err(error) => {
            assert!(model.is_none(), "the model accepts what the decoder refuses: {error}");
            check_error(&error, payload.len(), size);
            Err(Verdict::Refused(error.kind.name().into()))
        }
    }
}

/// Runs an input.
pub fn run(data: &[u8]) -> Verdict {
    match decode(data) {
        Ok(_) => Verdict::Accepted,
        Err(verdict) => verdict,
    }
}

/// Varies the tile in an input; `None` if it holds none.
pub fn mutate(data: &[u8], seed: u64) -> Option<Vec<u8>> {
    let (size, payload) = split(data)?;
    if !payload.len().is_multiple_of(4) {
        // Nothing else of such a payload would be looked at.
        return Some(data[..data.len() - payload.len() % 4].to_vec());
    }
    let (payload, size) = tile::mutate::mutate(payload, size, &mut Random::new(seed))?;
    Some(join(size, &payload))
}

fn check_error(error: &TileError, payload: usize, size: usize) {
    assert!(error.input <= payload && error.output <= size, "{error:?}");
    assert!(!error.to_string().is_empty());
}

/// A workspace that another tile has left its tables in.
fn used_decoder(level: SimdLevel) -> Decoder {
    let tokens = (0..=255).map(tile::Token::Literal).collect();
    let codes = tile::Codes { litlen: [vec![8; 255], vec![9, 9]].concat(), distance: vec![1] };
    let payload = tile::write::write(&[tile::Block::Dynamic(codes, tokens)]);
    let mut decoder = Decoder::with_simd(level);
    decoder.decode_tile(&payload, &mut [0; 256]).expect("a good tile");
    const { assert!(TILE_SIZE == tile::TILE_SIZE) };
    decoder
}
