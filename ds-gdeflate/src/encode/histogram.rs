//! How often each symbol occurs.

use super::symbols::{distance_symbol, length_symbol};
use super::token::Token;
use crate::format::{DISTANCE_SYMBOLS, DISTANCES, END_OF_BLOCK, LENGTHS, LITLEN_SYMBOLS};

/// Symbol counts of a run of tokens.
#[derive(Clone, Copy)]
pub(super) struct Histogram {
    pub(super) litlen: [u32; LITLEN_SYMBOLS],
    pub(super) distance: [u32; DISTANCE_SYMBOLS],
}

impl Histogram {
    pub(super) const EMPTY: Self = Self { litlen: [0; LITLEN_SYMBOLS], distance: [0; DISTANCE_SYMBOLS] };

    #[inline(always)]
    pub(super) fn count_literal(&mut self, byte: u8) {
        self.litlen[usize::from(byte)] += 1;
    }

    #[inline(always)]
    pub(super) fn count_match(&mut self, len: usize, distance: u16) {
        self.litlen[length_symbol(len)] += 1;
        self.distance[distance_symbol(u32::from(distance) - 1)] += 1;
    }

    /// Every block ends with one of these.
    pub(super) fn count_end_of_block(&mut self) {
        self.litlen[END_OF_BLOCK] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.litlen.iter_mut().zip(&other.litlen) {
            *count += more;
        }
        for (count, more) in self.distance.iter_mut().zip(&other.distance) {
            *count += more;
        }
    }

    #[inline(always)]
    pub(super) fn count(&mut self, token: Token) {
        let (litlen, distance) = token.symbols();
        self.litlen[litlen] += 1;
        if let Some(symbol) = distance {
            self.distance[symbol] += 1;
        }
    }

    /// Takes back what [`count`](Self::count) did.
    #[inline(always)]
    pub(super) fn discount(&mut self, token: Token) {
        let (litlen, distance) = token.symbols();
        self.litlen[litlen] -= 1;
        if let Some(symbol) = distance {
            self.distance[symbol] -= 1;
        }
    }

    /// Bits that the code words take.
    pub(super) fn cost(&self, litlen: &[u8; LITLEN_SYMBOLS], distance: &[u8; DISTANCE_SYMBOLS]) -> u32 {
        weigh(&self.litlen, litlen.iter().copied()) + weigh(&self.distance, distance.iter().copied())
    }

    /// Bits that lengths and distances take behind their code words.
    pub(super) fn extra_bits(&self) -> u32 {
        weigh(&self.litlen[END_OF_BLOCK + 1..], LENGTHS.iter().map(|range| range.extra))
            + weigh(&self.distance, DISTANCES.iter().map(|range| range.extra))
    }
}

fn weigh(counts: &[u32], bits: impl Iterator<Item = u8>) -> u32 {
    counts.iter().zip(bits).map(|(count, bits)| count * u32::from(bits)).sum()
}
