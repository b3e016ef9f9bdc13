//! Every worthwhile match of a tile: found once, weighed many times.

use super::symbols::distance_symbol;
use crate::format::TILE_SIZE;

/// Room for matches, all positions together. Few tiles need as many; in those, positions share what is left.
pub(super) const CAPACITY: usize = 7 * TILE_SIZE;

/// Matches that every position has room for.
const LEAST: usize = 4;

/// A place where the coming bytes have been seen before.
#[derive(Clone, Copy)]
pub(super) struct Match {
    /// Bytes that repeat.
    pub(super) len: u16,
    /// How far back.
    pub(super) distance: u16,
}

impl Match {
    pub(super) const NONE: Self = Self { len: 0, distance: 0 };
}

/// The matches of a tile by position, each position's in rising order of length.
///
/// Of a position all matches are worth knowing of which none is both longer and surely cheaper. The price of a
/// distance is that of its symbol, so the longest match of each symbol will do.
pub(super) struct MatchList<'a> {
    matches: &'a mut [Match; CAPACITY],
    counts: &'a mut [u8; TILE_SIZE],
    /// Matches of all positions before the one at hand.
    before: usize,
    /// Those of the position at hand too.
    count: usize,
    /// The most that the position at hand may have.
    most: usize,
}

impl<'a> MatchList<'a> {
    /// An empty list in this memory.
    pub(super) fn new(matches: &'a mut [Match; CAPACITY], counts: &'a mut [u8; TILE_SIZE]) -> Self {
        Self { matches, counts, before: 0, count: 0, most: 0 }
    }

    /// Begins a position.
    #[inline(always)]
    pub(super) fn open(&mut self, at: usize) {
        self.before = self.count;
        let others = LEAST * (TILE_SIZE - 1 - at);
        self.most = (CAPACITY - self.count - others).min(usize::from(u8::MAX));
    }

    /// Adds a match that is longer than all others of the position.
    #[inline(always)]
    pub(super) fn push(&mut self, len: usize, distance: u16) {
        if self.count == self.before + self.most {
            self.count -= 1;
        }
        self.matches[self.count] = Match { len: len as u16, distance };
        self.count += 1;
    }

    /// Adds a match that is farther than all others of the position, if none with its distance symbol is as long.
    #[inline(always)]
    pub(super) fn push_farther(&mut self, len: usize, distance: u16) {
        let symbol = |distance: u16| distance_symbol(u32::from(distance) - 1);
        if let Some(last) = self.matches[self.before..self.count].last_mut()
            && symbol(last.distance) == symbol(distance)
        {
            if len > usize::from(last.len) {
                *last = Match { len: len as u16, distance };
            }
        } else {
            self.push(len, distance);
        }
    }

    /// Brings the position's matches from rising order of distance into that of length.
    #[inline(always)]
    pub(super) fn sort(&mut self) {
        let found = &mut self.matches[self.before..self.count];
        for index in 1..found.len() {
            let moved = found[index];
            let mut to = index;
            while to > 0 && found[to - 1].len >= moved.len {
                found[to] = found[to - 1];
                to -= 1;
            }
            found[to] = moved;
        }
    }

    /// Ends a position.
    #[inline(always)]
    pub(super) fn close(&mut self, at: usize) {
        self.counts[at] = (self.count - self.before) as u8;
    }

    /// Ends a range of positions without matches.
    pub(super) fn skip(&mut self, positions: core::ops::Range<usize>) {
        self.counts[positions].fill(0);
    }

    /// For the end of the tile; see [`ListEnd::step_back`].
    pub(super) fn end(&self) -> ListEnd<'_> {
        ListEnd { matches: self.matches, counts: self.counts, end: self.count }
    }

    /// For the start of the tile; see [`ListStart::longest`].
    pub(super) fn start(&self) -> ListStart<'_> {
        ListStart { matches: self.matches, counts: self.counts, at: 0, end: 0 }
    }
}

/// A place in the list that moves on.
pub(super) struct ListStart<'a> {
    matches: &'a [Match; CAPACITY],
    counts: &'a [u8; TILE_SIZE],
    /// The first position not passed.
    at: usize,
    /// Matches of those passed.
    end: usize,
}

impl ListStart<'_> {
    /// The longest match at a position behind that of the last call.
    #[inline(always)]
    pub(super) fn longest(&mut self, at: usize) -> Option<Match> {
        let passed = &self.counts[self.at..=at];
        self.at = at + 1;
        self.end += passed.iter().map(|&count| usize::from(count)).sum::<usize>();
        if self.counts[at] == 0 { None } else { Some(self.matches[self.end - 1]) }
    }
}

/// A place in the list that moves back.
pub(super) struct ListEnd<'a> {
    matches: &'a [Match; CAPACITY],
    counts: &'a [u8; TILE_SIZE],
    end: usize,
}

impl<'a> ListEnd<'a> {
    /// The matches at a position, the one before that of the last call.
    #[inline(always)]
    pub(super) fn step_back(&mut self, at: u16) -> &'a [Match] {
        let start = self.end - usize::from(self.counts[usize::from(at)]);
        let matches = &self.matches[start..self.end];
        self.end = start;
        matches
    }
}
