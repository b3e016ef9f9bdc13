//! The codes of a dynamic block.

use super::header::DynamicHeader;
use super::histogram::Histogram;
use super::huffman::code_lengths;
use crate::format::{DISTANCE_SYMBOLS, LITLEN_SYMBOLS};

/// How codes are chosen.
#[derive(Clone, Copy)]
pub(super) struct Coding {
    /// The longest code word allowed, in bits.
    pub(super) max_bits: usize,
    /// Whether to look for codes that are cheaper to send, too.
    pub(super) thorough: bool,
}

/// Two codes and what sends them.
pub(super) struct DynamicCodes {
    pub(super) litlen: [u8; LITLEN_SYMBOLS],
    pub(super) distance: [u8; DISTANCE_SYMBOLS],
    pub(super) header: DynamicHeader,
    /// Bits that header and code words take.
    pub(super) cost: u32,
}

impl DynamicCodes {
    /// The cheapest codes for a block with these counts.
    pub(super) fn new(histogram: &Histogram, coding: Coding) -> Self {
        let litlen = code_lengths(&histogram.litlen, coding.max_bits);
        let distance = code_lengths(&histogram.distance, coding.max_bits);
        let mut best = Self::weigh(litlen, distance, histogram);
        if coding.thorough {
            for tolerance in TOLERANCES {
                let litlen = code_lengths(&smooth(&histogram.litlen, tolerance), coding.max_bits);
                best.improve(Self::weigh(litlen, best.distance, histogram));
            }
            for tolerance in TOLERANCES {
                let distance = code_lengths(&smooth(&histogram.distance, tolerance), coding.max_bits);
                best.improve(Self::weigh(best.litlen, distance, histogram));
            }
            best.cost -= best.header.cost();
            best.header.repack();
            best.cost += best.header.cost();
        }
        best
    }

    fn weigh(litlen: [u8; LITLEN_SYMBOLS], distance: [u8; DISTANCE_SYMBOLS], histogram: &Histogram) -> Self {
        let header = DynamicHeader::new(&litlen, &distance);
        let cost = header.cost() + histogram.cost(&litlen, &distance);
        Self { litlen, distance, header, cost }
    }

    fn improve(&mut self, other: Self) {
        if other.cost < self.cost {
            *self = other;
        }
    }
}

/// How far a count may be from the mean of a run to be taken for equal, in quarters of the mean.
const TOLERANCES: [u32; 3] = [1, 2, 3];

/// Evens out runs of similar counts, so that their code words get the same length and the header gets shorter.
fn smooth<const N: usize>(counts: &[u32; N], tolerance: u32) -> [u32; N] {
    let mut smoothed = *counts;
    let mut start = 0;
    while start < N {
        let mut sum = 0;
        let mut end = start;
        while end < N && counts[end] != 0 {
            let len = (end - start) as u32;
            let difference = (counts[end] * len).abs_diff(sum);
            // Small counts differ by chance.
            if 4 * difference > tolerance * sum.max(4 * len) {
                break;
            }
            sum += counts[end];
            end += 1;
        }
        let len = end - start;
        if len >= 4 {
            smoothed[start..end].fill((sum + len as u32 / 2) / len as u32);
        }
        start = end.max(start + 1);
    }
    smoothed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literals as unequal as can be, and a few distances.
    fn steep() -> Histogram {
        let mut histogram = Histogram::EMPTY;
        let (mut a, mut b) = (1, 1);
        for count in &mut histogram.litlen[..22] {
            *count = a;
            (a, b) = (b, a + b);
        }
        histogram.litlen[40..250].fill(3);
        histogram.count_end_of_block();
        histogram.distance[..20].fill(9);
        histogram
    }

    #[test]
    fn code_words_keep_the_limit() {
        for max_bits in [11, 15] {
            for thorough in [false, true] {
                let codes = DynamicCodes::new(&steep(), Coding { max_bits, thorough });
                let longest = codes.litlen.iter().chain(&codes.distance).max();
                assert!(longest.is_some_and(|&bits| usize::from(bits) <= max_bits), "{max_bits} bits");
            }
        }
    }

    #[test]
    fn a_thorough_search_never_loses() {
        let histogram = steep();
        let [quick, thorough] = [false, true].map(|thorough| {
            let codes = DynamicCodes::new(&histogram, Coding { max_bits: 15, thorough });
            let cost = codes.header.cost() + histogram.cost(&codes.litlen, &codes.distance);
            assert_eq!(cost, codes.cost);
            cost
        });
        assert!(thorough <= quick, "{thorough} bits after {quick}");
    }

    #[test]
    fn similar_counts_become_equal() {
        assert_eq!(smooth(&[10, 11, 9, 10, 40, 0, 10], 1), [10, 10, 10, 10, 40, 0, 10]);
        assert_eq!(smooth(&[10, 11, 9, 0], 3), [10, 11, 9, 0]);
    }
}
