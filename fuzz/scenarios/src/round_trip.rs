//! Any bytes as content.

use std::cell::RefCell;

use ds_gdeflate::{Decoder, EncodeOptions, Encoder, Level, SimdLevel, TILE_SIZE, tile_bound};

use crate::Verdict;
use crate::tile;

thread_local! {
    /// One for each level of instructions. Made once: they take longer to clear than a small tile to encode.
    static ENCODERS: RefCell<Vec<Encoder>> = RefCell::new(SimdLevel::available().map(Encoder::with_simd).collect());
}

/// Bit of the first byte that asks for a decoder-friendly tile.
const FRIENDLY: u8 = 0x80;

/// Runs an input: its first byte chooses the level and, by its highest bit, whether the tile is to be decoder-friendly; the
/// second says how often the rest is repeated.
pub fn run(data: &[u8]) -> Verdict {
    let [how, times, seed @ ..] = data else { return Verdict::Refused("no content".into()) };
    if seed.is_empty() {
        return Verdict::Refused("no content".into());
    }
    let level = Level::new(how % FRIENDLY % 13).expect("0 to 12");
    let options = EncodeOptions::new(level).decoder_friendly(how & FRIENDLY != 0);
    let size = (seed.len() * (usize::from(*times) + 1)).min(TILE_SIZE);
    let raw: Vec<u8> = seed.iter().copied().cycle().take(size).collect();

    let mut payload = vec![0xA5; tile_bound(raw.len())];
    let len = encode(0, options, &raw, &mut payload);
    payload.truncate(len);
    // One other is enough for an input, and it may be the same.
    let mut again = vec![0; tile_bound(raw.len())];
    assert_eq!(
        encode(seed.len(), options, &raw, &mut again),
        len,
        "{options:?}: another size the second time"
    );
    assert!(
        again[..len] == payload,
        "{options:?}: other bytes the second time, perhaps by other instructions"
    );

    let mut out = vec![0; raw.len()];
    for simd in SimdLevel::available() {
        out.fill(0);
        Decoder::with_simd(simd).decode_tile(&payload, &mut out).expect("what we wrote we read");
        assert!(out == raw, "{options:?} changed the content for {simd}");
    }
    let (_, content) = tile::read::read(&payload, raw.len()).expect("the model reads what we wrote");
    assert!(content == raw);
    out.fill(0);
    ds_reference::Decoder::new().decode_tile(&payload, &mut out).expect("the reference reads what we wrote");
    assert!(out == raw, "the reference reads something else");
    Verdict::Accepted
}

/// Encodes with an encoder that `which` picks; 0 is the portable one.
fn encode(which: usize, options: EncodeOptions, raw: &[u8], out: &mut [u8]) -> usize {
    ENCODERS.with_borrow_mut(|encoders| {
        let which = which % encoders.len();
        encoders[which].encode_tile(options, raw, out).expect("the bound is enough")
    })
}
