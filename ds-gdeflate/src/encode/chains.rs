//! Hash chains: every earlier place whose next four bytes hash alike, latest first.

use super::matches::MatchList;
use super::window::Window;
use crate::format::{MIN_MATCH, TILE_SIZE};

/// Twice as many heads as positions: chains of words that happen to share a hash take longer to search than the larger
/// table.
const HEADS_LOG2: u32 = 17;
/// Places for pairs in the heads.
pub(super) const PAIRS_LOG2: u32 = HEADS_LOG2 - 1;
const SHORT_HEADS_LOG2: u32 = 15;

/// The longest distance at which a match of three bytes beats three literals, as a rule.
pub(super) const MAX_SHORT_DISTANCE: u16 = 4096;

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

/// A hash table's worth of positions.
pub(super) type Pairs = [[u16; 2]; 1 << PAIRS_LOG2];

/// The chains of one tile.
///
/// Links are positions, and position 0 ends a chain: as a link it is a candidate like any other, compared and then
/// not earlier than itself. So nothing but the heads needs clearing for a new tile.
#[derive(Clone, Copy)]
pub(super) struct Chains {
    /// Latest position of each hash of four bytes. In pairs, because [`super::fast`] uses them so.
    heads: Pairs,
    /// Latest position of each hash of three bytes.
    short_heads: [u16; 1 << SHORT_HEADS_LOG2],
    /// The position before this one in its chain.
    earlier: [u16; TILE_SIZE],
}

impl Chains {
    pub(super) const fn new() -> Self {
        Self {
            heads: [[0; 2]; 1 << PAIRS_LOG2],
            short_heads: [0; 1 << SHORT_HEADS_LOG2],
            earlier: [0; TILE_SIZE],
        }
    }

    /// The memory of the heads, for a parser that can do without the chains.
    pub(super) fn pairs(&mut self) -> &mut Pairs {
        &mut self.heads
    }

    pub(super) fn clear(&mut self) {
        self.heads.fill([0; 2]);
        self.short_heads.fill(0);
    }

    /// Adds a position to the chains; returns the candidates before it: of three bytes, and of four.
    #[inline(always)]
    fn insert(&mut self, word: u32, at: u16) -> (u16, u16) {
        let short = &mut self.short_heads[hash(word << 8, SHORT_HEADS_LOG2)];
        let head = &mut self.heads.as_flattened_mut()[hash(word, HEADS_LOG2)];
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
        if usize::from(at) + 4 > window.len() {
            return Match::NONE;
        }
        let word = window.load32(at);
        let (short, head) = self.insert(word, at);
        let mut best = Match { len: floor, distance: 0 };
        let mut left = depth;
        let mut candidate = head;
        if floor < 4 {
            // Until there is a match of four bytes, they are all that a candidate is compared for.
            while window.load32(candidate) != word || candidate >= at {
                match self.earlier(candidate, &mut left) {
                    Some(earlier) => candidate = earlier,
                    None => {
                        return if floor < 3 { short_match(window, word, short, at) } else { Match::NONE };
                    }
                }
            }
            best = Match { len: window.match_len(candidate, at, 4), distance: at - candidate };
            match self.earlier(candidate, &mut left) {
                Some(earlier) => candidate = earlier,
                None => return best,
            }
        }
        while best.len < nice {
            // To be better, a candidate must agree at the byte that ended the best match, and on the way there.
            if window.agree(candidate, at, best.len - 3) && window.load32(candidate) == word {
                let len = window.match_len(candidate, at, 4);
                if len > best.len {
                    best = Match { len, distance: at - candidate };
                }
            }
            match self.earlier(candidate, &mut left) {
                Some(earlier) => candidate = earlier,
                None => break,
            }
        }
        if best.distance == 0 { Match::NONE } else { best }
    }

    /// Where these four bytes were last, for [`super::tree`].
    #[inline(always)]
    pub(super) fn latest(&self, word: u32) -> Latest {
        Latest {
            short: self.short_heads[hash(word << 8, SHORT_HEADS_LOG2)],
            head: self.heads.as_flattened()[hash(word, HEADS_LOG2)],
        }
    }

    /// Adds a position, for [`super::tree`], to the chains of three bytes; `latest` is what was there before.
    #[inline(always)]
    pub(super) fn follow(&mut self, latest: Latest, word: u32, at: u16) {
        self.short_heads[hash(word << 8, SHORT_HEADS_LOG2)] = at;
        self.earlier[usize::from(at)] = latest.short;
        self.heads.as_flattened_mut()[hash(word, HEADS_LOG2)] = at;
    }

    /// Lists the nearest matches, up to `most` bytes long, of a position that has been added; `candidate` came before it. Returns
    /// the length and distance of the longest.
    #[inline(always)]
    pub(super) fn list_near(
        &self,
        window: &Window,
        (mut candidate, at): (u16, u16),
        depth: u32,
        most: usize,
        list: &mut MatchList<'_>,
    ) -> (usize, u16) {
        let word = window.load32(at);
        if depth == 1 {
            if candidate >= at || (window.load32(candidate) ^ word) << 8 != 0 {
                return (MIN_MATCH - 1, 0);
            }
            let len = window.match_len_to(candidate, at, 0, most);
            list.push(len, at - candidate);
            return (len, at - candidate);
        }
        let mut best = (MIN_MATCH - 1, 0);
        let mut left = depth;
        while candidate < at {
            let len = window.match_len_to(candidate, at, 0, most);
            if len >= MIN_MATCH {
                list.push_farther(len, at - candidate);
                if len > best.0 {
                    best = (len, at - candidate);
                }
            }
            match self.earlier(candidate, &mut left) {
                Some(earlier) if best.0 < most => candidate = earlier,
                _ => break,
            }
        }
        list.sort();
        best
    }

    /// The candidate before this one, unless the chain ends here or `left` others have been looked at.
    #[inline(always)]
    fn earlier(&self, candidate: u16, left: &mut u32) -> Option<u16> {
        let earlier = self.earlier[usize::from(candidate)];
        *left -= 1;
        (earlier < candidate && *left != 0).then_some(earlier)
    }
}

/// The places where some bytes were last: three of them, and four.
#[derive(Clone, Copy)]
pub(super) struct Latest {
    pub(super) short: u16,
    pub(super) head: u16,
}

/// A match of three bytes, if that is one and near enough.
#[inline(always)]
fn short_match(window: &Window, word: u32, short: u16, at: u16) -> Match {
    if short < at && at - short <= MAX_SHORT_DISTANCE && (window.load32(short) ^ word) << 8 == 0 {
        Match { len: 3, distance: at - short }
    } else {
        Match::NONE
    }
}

#[inline(always)]
pub(super) fn hash(word: u32, log2: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B1) >> (32 - log2)) as usize
}
