//! The fast path of stored blocks: four rounds at a time.
//!
//! Four turns of 8 bits take exactly one word out of a lane, so in four rounds every lane is dealt exactly one,
//! and has as many bits as before. Which round it is depends only on how many bits the lane has to spare: with
//! fewer than 8 it needs its word in the first, with fewer than 16 in the second, and so on. The order in
//! which lanes take their words is therefore the same every four rounds, all through the block.

use super::lanes::Deal;
use crate::format::LANES;

/// Turns of 8 bits in a word.
pub(super) const TURNS: usize = 4;

/// Bytes of content that are worth the preparations: four rounds.
pub(super) const LEAST: usize = LANES * TURNS;

/// Decodes from lane 0 on as much of `out` as comes in fours of rounds; returns how many bytes.
pub(super) fn run(deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
    let order = dealing_order(&deal.lanes.spare);
    let (groups, _) = out.as_chunks_mut::<LEAST>();
    let (words, _) = deal.words[deal.next..].as_chunks::<LANES>();
    let mut done = 0;
    for (group, words) in groups.iter_mut().zip(words) {
        for lane in 0..LANES {
            let bits = &mut deal.lanes.bits[lane];
            for (turn, byte) in (*bits as u32).to_le_bytes().into_iter().enumerate() {
                group[turn * LANES + lane] = byte;
            }
            let word = u32::from_le_bytes(words[order[lane] as usize % LANES]);
            *bits = *bits >> 32 | u64::from(word) << (deal.lanes.spare[lane] & 31);
        }
        done += group.len();
        deal.next += LANES;
    }
    done
}

/// For each lane, which of the 32 words that four rounds deal is its own.
pub(super) fn dealing_order(spare: &[u8; LANES]) -> [u8; LANES] {
    let mut order = [0; LANES];
    let mut next = 0;
    for turn in 0..TURNS {
        for (place, spare) in order.iter_mut().zip(spare) {
            if usize::from(spare / 8) == turn {
                *place = next;
                next += 1;
            }
        }
    }
    order
}
