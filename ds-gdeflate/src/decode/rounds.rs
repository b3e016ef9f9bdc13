//! The fast path: whole rounds of 32 turns, without a decision that data could make unpredictable.
//!
//! A turn looks its codeword up in the table that the lane's last turn chose, adds extra bits that may be none,
//! appends its literal whether or not it is one, and takes a word masked by whether it needs one.
//!
//! Output runs one round late. A round yields the distances of the matches that the round before it began, so
//! only then can that round be written, and then strictly left to right: a run of literals, a match, a run of
//! literals... Written in order, copies need not be exact: what they write too much is written over.
//!
//! Anything out of the ordinary (the end of the block, an error, either end of a buffer near) stops the
//! loop *before* the round that meets it. The lanes live in two copies, of which a round reads one and fills the
//! other; the careful decoder goes on from the one that was read, and judges.

use super::copy::{Wild, copy_literals};
use super::entry;
use super::lanes::Lanes;
use super::table::{DISTANCE_AT, ROOT_BITS, Tables};
use super::tile::{Pending, TileDecoder};
use crate::format::{LANES, MIN_MATCH, WORD};

/// What the turns of one round said.
#[derive(Debug)]
struct Round {
    /// Each lane's entry, extra bits added.
    turns: [u32; LANES],
    /// Literals of the round by the end of each lane's turn.
    counts: [u8; LANES],
    /// The round's literals, followed by as many bytes again that a copy may read and never keep.
    literals: [u8; 2 * LANES],
    /// A bit for each lane that began a match.
    matches: u32,
    /// Bytes of output that the round stands for.
    size: usize,
}

impl Round {
    const EMPTY: Self =
        Self { turns: [0; LANES], counts: [0; LANES], literals: [0; 2 * LANES], matches: 0, size: 0 };

    /// Sums up the turns.
    #[inline(always)]
    fn sum_up(&mut self) {
        const BITS: [u32; LANES] = {
            let mut bits = [0; LANES];
            let mut lane = 0;
            while lane < LANES {
                bits[lane] = 1 << lane;
                lane += 1;
            }
            bits
        };
        let (mut matches, mut size) = (0, u32::from(self.counts[LANES - 1]));
        for (&turn, &bit) in self.turns.iter().zip(&BITS) {
            let is_length = ((turn << entry::LENGTH.leading_zeros()) as i32 >> 31) as u32;
            matches |= bit & is_length;
            size += (entry::value(turn) + MIN_MATCH as u32) & is_length;
        }
        self.matches = matches;
        self.size = size as usize;
    }

    /// The round's matches in order, as lane, literals before it, and length.
    fn matches(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut left = self.matches;
        core::iter::from_fn(move || {
            let lane = left.trailing_zeros() as usize;
            let literals = usize::from(*self.counts.get(lane)?);
            left &= left - 1;
            Some((lane, literals, entry::value(self.turns[lane]) as usize + MIN_MATCH))
        })
    }
}

/// Decodes rounds from the start of a block's symbols for as long as they are ordinary.
///
/// Never part of its caller, which would leave its loop fewer registers: 5 % of the time.
#[inline(never)]
pub(super) fn run<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    let mut rounds = [Round::EMPTY, Round::EMPTY];
    let mut spare_lanes = Lanes::EMPTY;
    let [before, this] = &mut rounds;
    let (mut before, mut this) = (before, this);
    let (mut lanes, mut after) = (&mut tile.deal.lanes, &mut spare_lanes);
    let mut swapped = false;
    // Output is written up to here; `before` is what lies between this and `tile.settled`.
    let mut written = tile.settled;

    while let Some(words) = tile.deal.words.get(tile.deal.next..).and_then(<[_]>::first_chunk) {
        let Some(dealt) = decode(tile.tables, lanes, after, &before.turns, this, words) else { break };
        this.sum_up();
        let settled = tile.settled + this.size;
        if settled + Wild::ROOM > tile.out.len() || write(tile.out, written, before, &this.turns).is_none() {
            break;
        }
        tile.deal.next += dealt;
        written = tile.settled;
        tile.settled = settled;
        core::mem::swap(&mut lanes, &mut after);
        core::mem::swap(&mut before, &mut this);
        swapped = !swapped;
    }

    settle(tile.out, written, before, &mut tile.pending);
    if swapped {
        tile.deal.lanes = spare_lanes;
    }
}

/// Decodes one round: 32 turns from `lanes` into `after`. Returns how many words were dealt, or `None` if some
/// turn is not ordinary, and then `after` and `round` hold nothing of use.
#[inline(always)]
fn decode(
    tables: &Tables,
    lanes: &Lanes,
    after: &mut Lanes,
    before: &[u32; LANES],
    round: &mut Round,
    words: &[[u8; WORD]; LANES],
) -> Option<usize> {
    let mut dealt = 0_usize;
    let mut literals = 0_usize;
    for quad in 0..LANES / 4 {
        // No more than one of each by turn: said here, it need not be checked turn by turn.
        if dealt > LANES - 4 || literals > LANES - 4 {
            return None;
        }
        #[expect(clippy::needless_range_loop, reason = "one index into seven arrays, unrolled by four")]
        for lane in 4 * quad..4 * quad + 4 {
            let bits = lanes.bits[lane];
            let table = (before[lane] >> 16) as usize & DISTANCE_AT;
            let mut entry = tables.entries[(bits as usize & ((1 << ROOT_BITS) - 1)) | table];
            if entry & entry::ODD != 0 {
                if entry & entry::SUBTABLE == 0 {
                    return None;
                }
                entry = tables.look_up_long(entry, bits);
                if entry & entry::ODD != 0 {
                    return None;
                }
            }
            let turn = entry::with_extra(entry, bits);
            round.turns[lane] = turn;
            *round.literals.get_mut(literals)? = turn as u8;
            literals += (turn / entry::LITERAL) as usize;
            round.counts[lane] = literals as u8;

            // Spare bits go below zero where the lane needs a word, and then the lower five bits of the
            // difference are the number of bits it still has.
            let spare = i64::from(lanes.spare[lane]) - i64::from(entry::dropped(entry));
            let needs = spare >> 63;
            let spare = spare as u32 & 31;
            let word = u64::from(u32::from_le_bytes(*words.get(dealt)?)) & needs as u64;
            dealt = dealt.wrapping_sub(needs as usize);
            after.bits[lane] = bits >> entry::dropped(entry) | word << spare;
            after.spare[lane] = spare as u8;
        }
    }
    Some(dealt)
}

/// Writes a round's output at `at`, given the turns of the round after it, distances among them. `None` if a
/// distance is too far.
#[inline(always)]
fn write(out: &mut [u8], mut at: usize, round: &Round, after: &[u32; LANES]) -> Option<()> {
    let mut literals = 0;
    for (lane, before, len) in round.matches() {
        copy_literals(out, at, &round.literals, literals)?;
        at += before - literals;
        literals = before;
        Wild::copy(out, at, entry::value(after[lane]) as usize + 1, len)?;
        at += len;
    }
    copy_literals(out, at, &round.literals, literals)
}

/// Writes a round's literals and leaves its matches pending.
fn settle(out: &mut [u8], mut at: usize, round: &Round, pending: &mut [Pending; LANES]) {
    let mut literals = 0;
    let tail = (LANES, usize::from(round.counts[LANES - 1]), 0);
    for (lane, before, len) in round.matches().chain([tail]) {
        let run = &round.literals[literals..before];
        out[at..at + run.len()].copy_from_slice(run);
        at += run.len();
        literals = before;
        if let Some(pending) = pending.get_mut(lane) {
            *pending = Pending { at, len };
        }
        at += len;
    }
}
