//! Stored blocks on x86-64: what the instruction sets have in common.

use super::wide::SplitLanes;
use crate::decode::lanes::Deal;
use crate::decode::stored::{TURNS, dealing_order};
use crate::format::{LANES, WORD};

/// Decodes a stored block from lane 0 on, as [`stored::run`](crate::decode::stored::run) does; returns how many bytes.
///
/// `permute` picks for each lane the one of the 32 words that is its own. The rest is written so that the compiler makes
/// vectors of it.
#[inline(always)]
pub(super) fn run(
    deal: &mut Deal<'_>,
    out: &mut [u8],
    permute: impl Fn(&[[u8; WORD]; LANES], &[u32; LANES]) -> [u32; LANES],
) -> usize {
    let order = dealing_order(&deal.lanes.spare).map(u32::from);
    let (groups, _) = out.as_chunks_mut::<{ LANES * TURNS }>();
    let (words, _) = deal.words[deal.next..].as_chunks::<LANES>();
    let fours = groups.len().min(words.len());
    let mut lanes = SplitLanes::from(&deal.lanes);
    for (group, words) in groups.iter_mut().zip(words) {
        for (turn, round) in group.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            for (byte, low) in round.iter_mut().zip(&lanes.low) {
                *byte = (low >> (8 * turn)) as u8;
            }
        }
        let words = permute(words, &order);
        let halves = lanes.low.iter_mut().zip(&mut lanes.high);
        for (((low, high), word), spare) in halves.zip(words).zip(lanes.spare) {
            let word = u64::from(word) << (spare % u32::BITS);
            *low = *high | word as u32;
            *high = (word >> 32) as u32;
        }
    }
    deal.lanes = (&lanes).into();
    deal.next += fours * LANES;
    fours * LANES * TURNS
}
