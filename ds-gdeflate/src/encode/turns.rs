//! The tokens of a block as turns of the lanes, a round of 32 turns at a time.

use super::lanes::{LaneWriter, lanes_of};
use super::symbols::BlockCodes;
use super::token::Token;
use super::vector;
use crate::format::{DISTANCE_SYMBOLS, LANES, LITLEN_SYMBOLS};
use crate::simd::SimdLevel;

/// What is left to be written of a block.
///
/// A match takes a turn of its lane in one round for its length and one in the next for its distance; the lanes
/// that owe no distance take the next tokens.
pub(super) struct Turns<'a> {
    pub(super) codes: BlockCodes,
    /// Tokens that no lane has taken yet.
    pub(super) rest: &'a [Token],
    /// The token that each lane took last.
    pub(super) last: [Token; LANES],
    /// The lanes that owe a distance, that of their last token.
    pub(super) owing: u32,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        tokens: &'a [Token],
        litlen: &[u8; LITLEN_SYMBOLS],
        distance: &[u8; DISTANCE_SYMBOLS],
    ) -> Self {
        Self { codes: BlockCodes::new(litlen, distance), rest: tokens, last: [Token::NONE; LANES], owing: 0 }
    }

    /// Writes the tokens and the end of the block.
    pub(super) fn write(mut self, simd: SimdLevel, lanes: &mut LaneWriter<'_>) {
        vector::write_rounds(simd, &mut self, lanes);
        self.write_rounds(lanes);
        self.finish(lanes);
    }

    /// Writes rounds for as long as there are tokens for all lanes.
    fn write_rounds(&mut self, lanes: &mut LaneWriter<'_>) {
        let Self { codes, rest, last, owing } = self;
        let (mut tokens, mut owes) = (*rest, *owing);
        while let Some(next) = tokens.first_chunk::<LANES>() {
            let mut full = append_distances(codes, last, owes, lanes);
            let mut now_owing = 0;
            let mut taken = 0;
            for lane in lanes_of(!owes) {
                let token = next[taken % LANES];
                full |= lanes.append(lane, codes.litlen(token));
                last[lane % LANES] = token;
                now_owing |= u32::from(token.is_match()) << lane;
                taken += 1;
            }
            tokens = &tokens[taken..];
            owes = now_owing;
            lanes.settle(full);
        }
        (*rest, *owing) = (tokens, owes);
    }

    /// Writes the last rounds: of fewer than 32 tokens, the end of the block and distances that are owed.
    fn finish(mut self, lanes: &mut LaneWriter<'_>) {
        let mut ended = false;
        while !ended || self.owing != 0 {
            let mut full = append_distances(&self.codes, &self.last, self.owing, lanes);
            let free = if ended { 0 } else { !self.owing };
            self.owing = 0;
            for lane in lanes_of(free) {
                let Some((&token, others)) = self.rest.split_first() else {
                    full |= lanes.append(lane, self.codes.end_of_block());
                    ended = true;
                    break;
                };
                full |= lanes.append(lane, self.codes.litlen(token));
                self.last[lane % LANES] = token;
                self.owing |= u32::from(token.is_match()) << lane;
                self.rest = others;
            }
            lanes.settle(full);
        }
    }
}

/// Appends the distances that are owed; returns the lanes whose words are full.
#[inline(always)]
fn append_distances(
    codes: &BlockCodes,
    last: &[Token; LANES],
    owing: u32,
    lanes: &mut LaneWriter<'_>,
) -> u32 {
    let mut full = 0;
    for lane in lanes_of(owing) {
        full |= lanes.append(lane, codes.distance(last[lane % LANES]));
    }
    full
}
