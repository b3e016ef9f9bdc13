//! What we accept, before the reference decoder.
//!
//! The reference runs only where it cannot read past its input: behind a verdict of ours, and with padding besides.

use ds_reference::Decoder;

use crate::Verdict;
use crate::decode_tile::{decode, split};

/// Runs an input.
pub fn run(data: &[u8]) -> Verdict {
    let content = match decode(data) {
        Ok(content) => content,
        Err(verdict) => return verdict,
    };
    let (size, payload) = split(data).expect("it was decoded");
    let mut theirs = vec![0x5A; size];
    match Decoder::new().decode_tile(payload, &mut theirs) {
        Ok(()) => assert!(theirs == content, "the reference decodes something else"),
        Err(error) => panic!("we accept what the reference refuses: {error}"),
    }
    Verdict::Accepted
}
