//! Levels 2 to 7: takes a match only if the next position has no better one.

use super::chains::{Chains, Match};
use super::token::MAX_MATCH;
use super::tokens::Tokens;
use super::window::Window;

/// Literals in a row after which only every other position is searched: what has not repeated for so long is
/// compressed already, or noise.
const PATIENCE: usize = 256;

/// How far the search goes.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Candidates looked at for each position.
    pub(super) depth: u32,
    /// Length from which a match is taken without looking any further.
    pub(super) nice: usize,
}

/// Bytes of the blocks that are made before any are joined.
const BLOCK_SIZE: usize = 4096;

/// Splits the tile in the window into tokens.
#[inline(never)]
pub(super) fn parse(chains: &mut Chains, window: &Window, effort: Effort, tokens: &mut Tokens) {
    chains.clear();
    tokens.clear();
    let len = window.len();
    let mut at = 0;
    let mut matched_until = 0;
    let mut ahead = Match::NONE;
    let mut looked_ahead = false;
    while at < len {
        let block_end = len.min(at - at % BLOCK_SIZE + BLOCK_SIZE);
        let mut block = tokens.open_block();
        while at < block_end {
            let here = at as u16;
            let found = if looked_ahead {
                ahead
            } else if at - matched_until >= PATIENCE && at % 2 == 1 {
                chains.skip(window, at..at + 1);
                Match::NONE
            } else {
                chains.find(window, here, 0, effort.depth, effort.nice)
            };
            looked_ahead = false;
            if found.len < 3 {
                block.literal(window.byte(here));
                at += 1;
                continue;
            }
            let mut inserted = at + 1;
            if found.len < effort.nice && at + 1 < len {
                ahead = chains.find(window, here + 1, found.len - 1, effort.depth / 4, effort.nice);
                inserted = at + 2;
                if gain(ahead) > gain(found) {
                    block.literal(window.byte(here));
                    at += 1;
                    looked_ahead = true;
                    continue;
                }
            }
            let taken = found.len.min(MAX_MATCH);
            block.matched(taken, found.distance);
            chains.skip(window, inserted..at + taken);
            at += taken;
            matched_until = at;
        }
        block.close(at);
    }
}

/// How good a match is: bytes covered against distance bits.
#[inline(always)]
fn gain(found: Match) -> i32 {
    4 * found.len as i32 - u32::from(found.distance | 1).ilog2() as i32
}
