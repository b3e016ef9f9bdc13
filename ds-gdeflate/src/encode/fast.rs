//! Level 1: a hash table that remembers two positions a bucket, and greed.

use core::hint::select_unpredictable;

use super::chains::{PAIRS_LOG2, Pairs, hash};
use super::token::MAX_MATCH;
use super::tokens::Tokens;
use super::window::Window;

/// Bytes of the blocks that are made before any are joined.
const BLOCK_SIZE: usize = 8192;

/// Splits the tile in the window into tokens.
///
/// A bucket is the two latest positions whose four bytes hash alike, the latest first. Position 0 also means "none
/// yet": it comes before any other, and candidates are compared anyway.
pub(super) fn parse(buckets: &mut Pairs, window: &Window, tokens: &mut Tokens) {
    buckets.fill([0; 2]);
    let mut insert = |word: u32, at: u16| {
        let bucket = &mut buckets[hash(word, PAIRS_LOG2)];
        let before = *bucket;
        *bucket = [at, before[0]];
        before
    };
    tokens.clear();
    let len = window.len();
    let mut at = 0;
    while at < len {
        let block_end = len.min(at - at % BLOCK_SIZE + BLOCK_SIZE);
        let mut block = tokens.open_block();
        if at == 0 {
            // Nothing comes before the first byte, and the empty table already says where it is.
            block.literal(window.byte(0));
            at = 1;
        }
        while at < block_end {
            let here = at as u16;
            let [near, far] = insert(window.load32(here), here);
            let differences = [near, far].map(|source| window.difference(source, here));
            // Matches of three bytes gain too little to pay for a second table, and the last few bytes are not worth a
            // clamp of every length.
            if differences.iter().all(|&bits| bits as u32 != 0) || at + 8 > len {
                block.literal(window.byte(here));
                at += 1;
                continue;
            }
            // Which candidate is better cannot be predicted, so the first eight bytes decide without a branch.
            let [near_len, far_len] = differences.map(|bits| bits.trailing_zeros() as usize / 8);
            let mut source = select_unpredictable(far_len > near_len, far, near);
            let mut best = near_len.max(far_len);
            if best == 8 {
                best = window.match_len(source, here, 8);
                if near_len == far_len {
                    let len = window.match_len(far, here, 8);
                    if len > best {
                        best = len;
                        source = far;
                    }
                }
            }
            let best = best.min(MAX_MATCH);
            block.matched(best, here - source);
            for inside in at + 1..at + best {
                insert(window.load32(inside as u16), inside as u16);
            }
            at += best;
        }
        block.close(at);
    }
}
