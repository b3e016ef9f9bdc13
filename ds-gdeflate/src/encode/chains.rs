//! Hash chains: every earlier place whose next four bytes hash alike, latest first.

use super::window::Window;
use crate::format::TILE_SIZE;

const HEADS_LOG2: u32 = 15;
const SHORT_HEADS_LOG2: u32 = 13;

/// The longest distance at which a match of three bytes beats three literals, as a rule.
const MAX_SHORT_DISTANCE: u16 = 4096;

/// A place where the coming bytes have been seen before.
#[derive(Clone, Copy)]
pub(super) struct Match {
    /// Bytes that repeat; below 3 there is no match.
    pub(super) len: usize,
    /// How far back.
    pub(super) distance: u16,
}

impl Match {
    pub(super) const NONE: Self = Self { len: 0, distance: 0 };
}

/// The chains of one tile.
///
/// Links are positions, and position 0 ends a chain: as a link it is a candidate like any other, compared and then
/// not earlier than itself. So nothing but the heads needs clearing for a new tile.
pub(super) struct Chains {
    /// Latest position of each hash of four bytes.
    heads: [u16; 1 << HEADS_LOG2],
    /// Latest position of each hash of three bytes.
    short_heads: [u16; 1 << SHORT_HEADS_LOG2],
    /// The position before this one in its chain.
    earlier: [u16; TILE_SIZE],
}

impl Chains {
    pub(super) const fn new() -> Self {
        Self { heads: [0; 1 << HEADS_LOG2], short_heads: [0; 1 << SHORT_HEADS_LOG2], earlier: [0; TILE_SIZE] }
    }

    pub(super) fn clear(&mut self) {
        self.heads.fill(0);
        self.short_heads.fill(0);
    }

    /// Adds a position to the chains; returns the candidates before it: of three bytes, and of four.
    #[inline(always)]
    fn insert(&mut self, word: u32, at: u16) -> (u16, u16) {
        let short = &mut self.short_heads[hash(word << 8, SHORT_HEADS_LOG2)];
        let head = &mut self.heads[hash(word, HEADS_LOG2)];
        let before = (*short, *head);
        *short = at;
        *head = at;
        self.earlier[usize::from(at)] = before.1;
        before
    }

    /// Adds the positions of a range without looking for matches.
    #[inline(always)]
    pub(super) fn skip(&mut self, window: &Window, positions: core::ops::Range<usize>) {
        for at in positions {
            self.insert(window.load32(at as u16), at as u16);
        }
    }

    /// Adds a position, and looks for a match longer than `floor` bytes in up to `depth` candidates, stopping at
    /// one of `nice` bytes.
    #[inline(always)]
    pub(super) fn find(&mut self, window: &Window, at: u16, floor: usize, depth: u32, nice: usize) -> Match {
        let word = window.load32(at);
        let (short, head) = self.insert(word, at);
        let mut best = Match { len: floor, distance: 0 };
        if at == 0 {
            return Match::NONE;
        }

        if floor < 3 && at - short <= MAX_SHORT_DISTANCE && (window.load32(short) ^ word) << 8 == 0 {
            best = Match { len: window.match_len(short, at, 3), distance: at - short };
        }
        let mut candidate = head;
        for _ in 0..depth {
            // To be better, a candidate must agree at the byte that ended the best match, and on the way there.
            if window.agree(candidate, at, best.len.max(3) - 3) {
                if window.load32(candidate) == word {
                    let len = window.match_len(candidate, at, 4);
                    if len > best.len {
                        best = Match { len, distance: at - candidate };
                        if len >= nice {
                            break;
                        }
                    }
                }
            }
            let before = self.earlier[usize::from(candidate)];
            if before >= candidate {
                break;
            }
            candidate = before;
        }
        if best.distance == 0 || best.len < 3 { Match::NONE } else { best }
    }
}

#[inline(always)]
fn hash(word: u32, log2: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B1) >> (32 - log2)) as usize
}
