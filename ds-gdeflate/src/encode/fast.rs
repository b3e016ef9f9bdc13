//! Level 1: a hash table that remembers two positions a bucket, and greed.

use super::token::MAX_MATCH;
use super::tokens::{CHUNK_SIZE, Tokens};
use super::window::Window;

/// The shortest match looked for. Matches of three bytes gain too little to pay for a second table.
const MIN_MATCH: usize = 4;

const BUCKETS_LOG2: u32 = 14;

/// The two latest positions whose four bytes hash alike. Position 0 also means "none yet": it is an earlier
/// position like any other, and candidates are compared anyway.
pub(super) struct FastTable {
    buckets: [u32; 1 << BUCKETS_LOG2],
}

impl FastTable {
    pub(super) const fn new() -> Self {
        Self { buckets: [0; 1 << BUCKETS_LOG2] }
    }

    #[inline(always)]
    fn bucket(&mut self, word: u32) -> &mut u32 {
        &mut self.buckets[(word.wrapping_mul(0x9E37_79B1) >> (32 - BUCKETS_LOG2)) as usize]
    }

    #[inline(always)]
    fn insert(&mut self, word: u32, at: u16) -> [u16; 2] {
        let bucket = self.bucket(word);
        let before = *bucket;
        *bucket = before << 16 | u32::from(at);
        [before as u16, (before >> 16) as u16]
    }

    /// Splits the tile in the window into tokens.
    pub(super) fn parse(&mut self, window: &Window, tokens: &mut Tokens) {
        self.buckets.fill(0);
        tokens.clear();
        let len = window.len();
        let mut at = 0;
        while at < len {
            let chunk_end = len.min(at - at % CHUNK_SIZE + CHUNK_SIZE);
            let mut chunk = tokens.open_chunk();
            if at == 0 {
                // Nothing comes before the first byte, and the empty table already says where it is.
                chunk.literal(window.byte(0));
                at = 1;
            }
            while at < chunk_end {
                let here = at as u16;
                let word = window.load32(here);
                let [near, far] = self.insert(word, here);
                let mut best = 0;
                let mut source = near;
                if window.load32(near) == word {
                    best = window.match_len(near, here, MIN_MATCH);
                }
                if window.load32(far) == word {
                    let len = window.match_len(far, here, MIN_MATCH);
                    if len > best {
                        best = len;
                        source = far;
                    }
                }
                if best < MIN_MATCH {
                    chunk.literal(window.byte(here));
                    at += 1;
                    continue;
                }
                let best = best.min(MAX_MATCH);
                chunk.matched(best, here - source);
                for inside in at + 1..at + best {
                    self.insert(window.load32(inside as u16), inside as u16);
                }
                at += best;
            }
            chunk.close(at);
        }
    }
}
