//! Level 1: a hash table that remembers two positions a bucket, and greed.

use core::hint::select_unpredictable;

use super::chains::{PAIRS_LOG2, Pairs, hash};
use super::token::MAX_MATCH;
use super::tokens::Tokens;
use super::window::Window;

/// Bytes of the blocks that are made before any are joined.
const BLOCK_SIZE: usize = 8192;

/// The shortest match: shorter ones gain too little to pay for a second table.
const SHORTEST: usize = 4;

/// Bytes at the end of a tile that are not worth a clamp of every length.
const TAIL: usize = 7;

/// Splits the tile in the window into tokens.
///
/// A bucket is the two latest positions whose four bytes hash alike, the latest first. Position 0 also means "none
/// yet": it comes before any other, and candidates are compared anyway.
#[inline(never)]
pub(super) fn parse(buckets: &mut Pairs, window: &Window, tokens: &mut Tokens) {
    buckets.fill([0; 2]);
    let mut insert = |at: u16| {
        let bucket = &mut buckets[hash(window.load32(at), PAIRS_LOG2)];
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
        let search_end = block_end.min(len.saturating_sub(TAIL));
        while at < search_end {
            let here = at as u16;
            let [near, far] = insert(here);
            let differences = [near, far].map(|source| window.difference(source, here));
            if differences.iter().all(|&bits| bits as u32 != 0) {
                block.literal(window.byte(here));
                at += 1;
                continue;
            }
            // Which candidate is better cannot be predicted, so the first eight bytes decide without a branch.
            let [near_len, far_len] = differences.map(|bits| bits.trailing_zeros() as usize / 8);
            let mut source = select_unpredictable(far_len > near_len, far, near);
            let mut best = near_len.max(far_len);
            (at + 1..at + SHORTEST).for_each(|inside| _ = insert(inside as u16));
            if best == SHORTEST {
                // Most are. A guess of this branch is a guess of the next position, where work can then begin before
                // the length is known.
                block.matched(SHORTEST, here - source);
                at += SHORTEST;
                continue;
            }
            if best == 8 {
                best = window.match_len(source, here, 8);
                if near_len == far_len {
                    let len = window.match_len(far, here, 8);
                    if len > best {
                        best = len;
                        source = far;
                    }
                }
                best = best.min(MAX_MATCH);
            }
            block.matched(best, here - source);
            (at + SHORTEST..at + best).for_each(|inside| _ = insert(inside as u16));
            at += best;
        }
        while at < block_end {
            block.literal(window.byte(at as u16));
            at += 1;
        }
        block.close(at);
    }
}
