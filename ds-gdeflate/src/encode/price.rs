//! What tokens cost, as far as the search for a path is concerned.

use super::codes::{Coding, DynamicCodes};
use super::entropy::{self, log2};
use super::histogram::Histogram;
use super::symbols::{MAX_SHORT_MATCH, distance_symbol, length_symbol};
use crate::format::{DISTANCE_SYMBOLS, DISTANCES, LENGTHS, LITLEN_SYMBOLS, MIN_MATCH};

/// Fraction bits of a price.
const FRACTION: u32 = 8;

/// Price of a literal/length or distance symbol without a code: about as much as a rare one, and its length.
const UNUSED_LITLEN: u16 = 13 << FRACTION;
const UNUSED_DISTANCE: u16 = 10 << FRACTION;

/// What the length of a symbol's code word costs in the header, to be shared by all tokens that use it.
const HEADER_SHARE: u32 = 2 << FRACTION;

/// Bytes that a round of 32 lanes makes, more or less: what a shorter distance refers to is just being written.
const ROUND_REACH: u16 = 65;

/// Prices of a block's symbols, without extra bits.
#[derive(Clone, Copy)]
pub(super) struct SymbolPrices {
    litlen: [u16; LITLEN_SYMBOLS],
    distance: [u16; DISTANCE_SYMBOLS],
}

impl SymbolPrices {
    pub(super) const NONE: Self = Self { litlen: [0; LITLEN_SYMBOLS], distance: [0; DISTANCE_SYMBOLS] };

    /// What symbols would cost under an ideal code. Not rounded to whole bits, these prices show where a path
    /// could go, and not only where the last one went.
    pub(super) fn ideal(histogram: &Histogram) -> Self {
        Self { litlen: ideal(&histogram.litlen), distance: ideal(&histogram.distance) }
    }

    /// What symbols cost under the codes that the block would get.
    pub(super) fn coded(histogram: &Histogram, coding: Coding) -> Self {
        let codes = DynamicCodes::new(histogram, coding);
        Self {
            litlen: codes.litlen.map(|bits| coded(bits, UNUSED_LITLEN)),
            distance: codes.distance.map(|bits| coded(bits, UNUSED_DISTANCE)),
        }
    }
}

fn ideal<const N: usize>(counts: &[u32; N]) -> [u16; N] {
    let total = log2(counts.iter().sum());
    counts.map(|count| {
        if count == 0 {
            let seen_once = (total >> (entropy::FRACTION - FRACTION)) as u16;
            (seen_once + (2 << FRACTION)).min(UNUSED_LITLEN)
        } else {
            let bits = (total - log2(count)) >> (entropy::FRACTION - FRACTION);
            (bits + HEADER_SHARE / count).max(1) as u16
        }
    })
}

fn coded(bits: u8, unused: u16) -> u16 {
    if bits == 0 { unused } else { u16::from(bits) << FRACTION }
}

/// Prices of a block's tokens, extra bits included, laid out for the search.
pub(super) struct Prices {
    literals: [u16; 256],
    lengths: [u16; MAX_SHORT_MATCH + 1],
    long: u16,
    distances: [u16; DISTANCE_SYMBOLS],
}

impl Prices {
    /// `penalty` is what distances below [`ROUND_REACH`] cost extra, in bits.
    pub(super) fn new(symbols: &SymbolPrices, penalty: u16) -> Self {
        let with_extra = |price: u16, extra: u8| price + (u16::from(extra) << FRACTION);
        let mut lengths = [0; MAX_SHORT_MATCH + 1];
        for (len, price) in lengths.iter_mut().enumerate().skip(MIN_MATCH) {
            let symbol = length_symbol(len);
            *price = with_extra(symbols.litlen[symbol], LENGTHS[symbol - 257].extra);
        }
        Self {
            literals: core::array::from_fn(|byte| symbols.litlen[byte]),
            lengths,
            long: with_extra(symbols.litlen[285], 16),
            distances: core::array::from_fn(|symbol| {
                let penalty = if DISTANCES[symbol].base < ROUND_REACH { penalty << FRACTION } else { 0 };
                with_extra(symbols.distance[symbol], DISTANCES[symbol].extra) + penalty
            }),
        }
    }

    #[inline(always)]
    pub(super) fn literal(&self, byte: u8) -> u32 {
        self.literals[usize::from(byte)].into()
    }

    /// A length of at most [`MAX_SHORT_MATCH`].
    #[inline(always)]
    pub(super) fn length(&self, len: usize) -> u32 {
        self.lengths[len].into()
    }

    /// Any greater length.
    #[inline(always)]
    pub(super) fn long(&self) -> u32 {
        self.long.into()
    }

    #[inline(always)]
    pub(super) fn distance(&self, distance: u16) -> u32 {
        self.distances[distance_symbol(u32::from(distance) - 1)].into()
    }
}
