//! Any bytes as content.

use std::cell::RefCell;

use ds_gdeflate::{Decoder, Encoder, Level, TILE_SIZE, tile_bound};

use crate::Verdict;
use crate::tile;

thread_local! {
    /// Made once: it takes longer to clear than a small tile to encode.
    static ENCODER: RefCell<Box<Encoder>> = RefCell::new(Encoder::boxed());
}

/// Runs an input: its first byte chooses the level, the second how often the rest is repeated.
pub fn run(data: &[u8]) -> Verdict {
    let [level, times, seed @ ..] = data else { return Verdict::Refused("no content".into()) };
    if seed.is_empty() {
        return Verdict::Refused("no content".into());
    }
    let level = Level::new(level % 13).expect("0 to 12");
    let size = (seed.len() * (usize::from(*times) + 1)).min(TILE_SIZE);
    let raw: Vec<u8> = seed.iter().copied().cycle().take(size).collect();

    let mut payload = vec![0xA5; tile_bound(raw.len())];
    let len = encode(level, &raw, &mut payload);
    payload.truncate(len);
    let mut again = vec![0; tile_bound(raw.len())];
    assert_eq!(encode(level, &raw, &mut again), len, "level {level} is not deterministic");
    assert!(again[..len] == payload, "level {level} is not deterministic");

    let mut out = vec![0; raw.len()];
    Decoder::new().decode_tile(&payload, &mut out).expect("what we wrote we read");
    assert!(out == raw, "level {level} changed the content");
    let (_, content) = tile::read::read(&payload, raw.len()).expect("the model reads what we wrote");
    assert!(content == raw);
    out.fill(0);
    ds_reference::Decoder::new().decode_tile(&payload, &mut out).expect("the reference reads what we wrote");
    assert!(out == raw, "the reference reads something else");
    Verdict::Accepted
}

fn encode(level: Level, raw: &[u8], out: &mut [u8]) -> usize {
    ENCODER.with_borrow_mut(|encoder| encoder.encode_tile(level, raw, out)).expect("the bound is enough")
}
