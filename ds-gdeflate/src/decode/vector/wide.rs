//! Rounds of 32 turns in vectors: what the instruction sets have in common.
//!
//! A round's turns are all taken before any of its output is written, as in [`rounds`](crate::decode::rounds), but here
//! output runs two rounds late. The processor has a limited view of the instructions ahead; a round's copies, if they
//! followed at once, would fill it while they wait for the distances that the turns just taken have yet to yield.
//! Written a round later they depend on nothing that is under way, and go on beside the turns of the next round.
//!
//! A round stays undone, and the careful decoder takes over at its start, unless every turn is a literal, a length or a
//! distance, no word is taken that is not there, no distance is too far, and [`ROOM`] is left behind its output.

use crate::decode::entry;
use crate::decode::lanes::Lanes;
use crate::decode::table::Tables;
use crate::decode::tile::{Pending, TileDecoder};
use crate::format::{LANES, MIN_MATCH, WORD};

/// Bytes of output that must follow what a round writes: copies may write so many too much.
pub(super) const ROOM: usize = 32;

/// What the turns of one round said.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Round {
    /// Each lane's entry, extra bits added.
    pub(super) turns: [u32; LANES],
    /// The round's literals, followed by as many bytes again that a copy may read and never keep; a variant may have a use for them.
    pub(super) literals: [u8; 2 * LANES],
    /// A bit for each lane that gave a literal.
    pub(super) literal: u32,
    /// A bit for each lane that began a match.
    pub(super) matches: u32,
    /// Where the round's output goes.
    pub(super) start: usize,
}

impl Round {
    /// The round before the first: no output, no match.
    const fn before(start: usize) -> Self {
        Self { turns: [0; LANES], literals: [0; 2 * LANES], literal: 0, matches: 0, start }
    }

    /// The length of the match that the lane began.
    #[inline(always)]
    pub(super) fn match_len(&self, lane: usize) -> usize {
        entry::value(self.turns[lane]) as usize + MIN_MATCH
    }

    /// The lanes with output in order, with where it goes, and how much it is.
    fn output(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut at = self.start;
        (0..LANES).filter_map(move |lane| {
            let len = match (self.literal >> lane & 1, self.matches >> lane & 1) {
                (0, 0) => return None,
                (0, _) => self.match_len(lane),
                (..) => 1,
            };
            at += len;
            Some((lane, at - len, len))
        })
    }

    /// Whether a distance among the turns `after` this round goes back too far for its match.
    #[cold]
    fn any_too_far(&self, after: &[u32; LANES]) -> bool {
        self.output().any(|(lane, at, _)| self.matches >> lane & 1 != 0 && distance(after[lane]) > at)
    }

    /// Writes the literals and leaves the matches pending.
    fn settle(&self, out: &mut [u8], pending: &mut [Pending; LANES]) {
        let mut literals = self.literals.iter();
        for (lane, at, len) in self.output() {
            if self.matches >> lane & 1 != 0 {
                pending[lane] = Pending { at, len };
            } else if let Some(&literal) = literals.next() {
                out[at] = literal;
            }
        }
    }
}

/// The distance that a turn gave.
#[inline(always)]
pub(super) fn distance(turn: u32) -> usize {
    entry::value(turn) as usize + 1
}

/// The lanes, with the bits of each split at bit 32: the lower part is full before a turn, so all of a turn is there.
#[repr(align(64))]
pub(super) struct SplitLanes {
    pub(super) low: [u32; LANES],
    pub(super) high: [u32; LANES],
    pub(super) spare: [u32; LANES],
}

impl SplitLanes {
    pub(super) const EMPTY: Self = Self { low: [0; LANES], high: [0; LANES], spare: [0; LANES] };
}

impl From<&Lanes> for SplitLanes {
    fn from(lanes: &Lanes) -> Self {
        Self {
            low: lanes.bits.map(|bits| bits as u32),
            high: lanes.bits.map(|bits| (bits >> 32) as u32),
            spare: lanes.spare.map(u32::from),
        }
    }
}

impl From<&SplitLanes> for Lanes {
    fn from(split: &SplitLanes) -> Self {
        Self {
            bits: core::array::from_fn(|lane| u64::from(split.high[lane]) << 32 | u64::from(split.low[lane])),
            spare: split.spare.map(|spare| spare as u8),
        }
    }
}

/// What a round of turns came to.
pub(super) struct Step<V> {
    /// The lanes after it.
    pub(super) lanes: V,
    /// Words dealt.
    pub(super) dealt: usize,
    /// Bytes of output.
    pub(super) size: usize,
    /// A distance goes back beyond the start of the round before, so it has to be looked at more closely.
    pub(super) far: bool,
}

/// Decodes rounds from the start of a block's symbols for as long as they are ordinary; returns the lanes then.
///
/// `decode` takes a round's turns: from the tables, the lanes, the round before and the next words, to a round of which
/// all but the start is filled in. `None` if some turn is not ordinary. `write` writes a round, given the turns after it.
#[inline(always)]
pub(super) fn run<W, V>(
    tile: &mut TileDecoder<'_, '_, '_, W>,
    mut lanes: V,
    mut decode: impl FnMut(&Tables, &V, &Round, &[[u8; WORD]; LANES], &mut Round) -> Option<Step<V>>,
    write: impl Fn(&mut [u8], &Round, &[u32; LANES]),
) -> V {
    let mut rounds = [const { Round::before(0) }; 3].map(|round| Round { start: tile.settled, ..round });
    let [oldest, before, this] = &mut rounds;
    let (mut oldest, mut before, mut this) = (oldest, before, this);

    let mut words = &tile.deal.words[tile.deal.next..];
    let mut left = words.len();
    // The last words once more, with zeros behind them: rounds are dealt from whole chunks.
    let mut tail = [[0; WORD]; 2 * LANES];
    let in_tail = left.min(LANES - 1);
    tail[..in_tail].copy_from_slice(&words[left - in_tail..]);

    loop {
        write(tile.out, oldest, &before.turns);
        if words.len() < LANES {
            words = &tail[in_tail - left..];
        }
        let Some(next) = words.first_chunk() else { break };
        let Some(step) = decode(tile.tables, &lanes, before, next, this) else { break };
        let settled = tile.settled + step.size;
        if step.dealt > left || settled + ROOM > tile.out.len() || step.far && before.any_too_far(&this.turns)
        {
            break;
        }
        this.start = tile.settled;
        tile.settled = settled;
        words = &words[step.dealt..];
        left -= step.dealt;
        lanes = step.lanes;
        (oldest, before, this) = (before, this, oldest);
    }

    before.settle(tile.out, &mut tile.pending);
    tile.deal.next = tile.deal.words.len() - left;
    lanes
}
