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
use super::table::{ROOT_BITS, Tables};
use super::tile::{Pending, TileDecoder};
use crate::format::{LANES, MIN_MATCH, WORD};

/// What the turns of one round said.
#[derive(Debug)]
struct Round {
    /// Each lane's value: a literal, a length less 3 or a distance less 1.
    values: [u16; LANES],
    /// Each lane's table entry, its lower half: what the value is.
    kinds: [u16; LANES],
    /// Literals of the round by the end of each lane's turn.
    counts: [u8; LANES],
    /// The round's literals, followed by as many bytes again that a copy may read and never keep.
    literals: [u8; 2 * LANES],
    /// A bit for each lane that began a match.
    matches: u32,
}

impl Round {
    const EMPTY: Self = Self {
        values: [0; LANES],
        kinds: [0; LANES],
        counts: [0; LANES],
        literals: [0; 2 * LANES],
        matches: 0,
    };

    /// Bytes of output that the round stands for.
    fn size(&self) -> usize {
        let mut lengths = 0_u32;
        for (&value, &kind) in self.values.iter().zip(&self.kinds) {
            let is_length = 0_u16.wrapping_sub(kind >> entry::LENGTH.trailing_zeros() & 1);
            lengths += u32::from(value & is_length);
        }
        let matches = self.matches.count_ones() as usize;
        usize::from(self.counts[LANES - 1]) + matches * MIN_MATCH + lengths as usize
    }

    /// The round's matches in order, as lane, literals before it, and length.
    fn matches(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut left = self.matches;
        core::iter::from_fn(move || {
            let lane = left.trailing_zeros() as usize;
            let literals = usize::from(*self.counts.get(lane)?);
            left &= left - 1;
            Some((lane, literals, usize::from(self.values[lane]) + MIN_MATCH))
        })
    }
}

/// Decodes rounds from the start of a block's symbols for as long as they are ordinary.
pub(super) fn run(tile: &mut TileDecoder<'_, '_, '_>) {
    let mut rounds = [Round::EMPTY, Round::EMPTY];
    let mut spare_lanes = Lanes::EMPTY;
    let [before, this] = &mut rounds;
    let (mut before, mut this) = (before, this);
    let (mut lanes, mut after) = (&mut tile.deal.lanes, &mut spare_lanes);
    let mut swapped = false;
    // Output is written up to here; `before` is what lies between this and `tile.settled`.
    let mut written = tile.settled;

    while let Some(words) = tile.deal.words.get(tile.deal.next..).and_then(<[_]>::first_chunk) {
        let Some(dealt) = decode(tile.tables, lanes, after, &before.kinds, this, words) else { break };
        let settled = tile.settled + this.size();
        if settled + Wild::ROOM > tile.out.len() || write(tile.out, written, before, &this.values).is_none() {
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
    before: &[u16; LANES],
    round: &mut Round,
    words: &[[u8; WORD]; LANES],
) -> Option<usize> {
    let mut dealt = 0;
    let mut literals = 0_usize;
    let mut matches = 0_u32;
    for lane in 0..LANES {
        let bits = lanes.bits[lane];
        let table = usize::from(before[lane]) & entry::LENGTH as usize;
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
        let value = entry::with_extra(entry, bits);
        round.values[lane] = value as u16;
        round.kinds[lane] = entry as u16;
        round.literals[literals % LANES] = value as u8;
        literals += usize::from(entry as u16 >> entry::LITERAL.trailing_zeros());
        round.counts[lane] = literals as u8;
        matches = (matches | entry & entry::LENGTH).rotate_right(1);

        // Spare bits go below zero where the lane needs a word, and then the lower five bits of the difference
        // are the number of bits it still has.
        let spare = i32::from(lanes.spare[lane]) - entry::dropped(entry) as i32;
        let needs = spare >> 31;
        let spare = spare as u32 & 31;
        let word = u32::from_le_bytes(words[dealt % LANES]) & needs as u32;
        dealt = dealt.wrapping_sub(needs as usize);
        after.bits[lane] = bits >> entry::dropped(entry) | u64::from(word) << spare;
        after.spare[lane] = spare as u8;
    }
    // The flag, 12 bits up, went round once.
    round.matches = matches.rotate_right(entry::LENGTH.trailing_zeros());
    Some(dealt)
}

/// Writes a round's output at `at`, given the values of the round after it, distances among them. `None` if a
/// distance is too far.
#[inline(always)]
fn write(out: &mut [u8], mut at: usize, round: &Round, distances: &[u16; LANES]) -> Option<()> {
    let mut literals = 0;
    for (lane, before, len) in round.matches() {
        copy_literals(out, at, &round.literals, literals)?;
        at += before - literals;
        literals = before;
        Wild::copy(out, at, usize::from(distances[lane]) + 1, len)?;
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
