//! The code lengths at the head of a dynamic block.

use super::huffman::{code_lengths, code_words};
use super::lanes::LaneWriter;
use super::symbols::Bits;
use crate::format::{DISTANCE_SYMBOLS, LITLEN_SYMBOLS, MAX_PRECODE_BITS, PRECODE_ORDER, PRECODE_SYMBOLS};

/// The fewest literal/length code lengths a block can send.
const MIN_LITLEN: usize = 257;

/// Both codes' lengths at most.
const MAX_LENGTHS: usize = LITLEN_SYMBOLS + DISTANCE_SYMBOLS;

/// A code length, or a run of them: symbol, and the extra bits' value.
#[derive(Clone, Copy)]
struct Item {
    symbol: u8,
    extra: u8,
}

impl Item {
    const NONE: Self = Self { symbol: 0, extra: 0 };

    /// `count` lengths in one item.
    fn new(symbol: u8, count: usize) -> Self {
        let least = match symbol {
            16 | 17 => 3,
            18 => 11,
            _ => 1,
        };
        Self { symbol, extra: (count - least) as u8 }
    }
}

/// A dynamic block's code lengths, packed and ready to be written or only weighed.
#[derive(Clone)]
pub(super) struct DynamicHeader {
    lengths: [u8; MAX_LENGTHS],
    litlen_count: usize,
    distance_count: usize,
    items: Items,
    /// Code word lengths of the code-length code.
    code: [u8; PRECODE_SYMBOLS],
    code_count: usize,
}

impl DynamicHeader {
    /// Packs runs as long as they come.
    pub(super) fn new(litlen: &[u8; LITLEN_SYMBOLS], distance: &[u8; DISTANCE_SYMBOLS]) -> Self {
        let litlen_count = used(litlen).max(MIN_LITLEN);
        let distance_count = used(distance).max(1);
        let mut lengths = [0; MAX_LENGTHS];
        lengths[..litlen_count].copy_from_slice(&litlen[..litlen_count]);
        lengths[litlen_count..][..distance_count].copy_from_slice(&distance[..distance_count]);
        let items = Items::greedy(&lengths[..litlen_count + distance_count]);
        let (code, code_count) = items.code();
        Self { lengths, litlen_count, distance_count, items, code, code_count }
    }

    /// Packs again, with what the symbols cost now, for as long as that gains anything.
    pub(super) fn repack(&mut self) {
        let lengths = self.litlen_count + self.distance_count;
        loop {
            let items = Items::cheapest(&self.lengths[..lengths], &self.code);
            let (code, code_count) = items.code();
            let repacked = Self { items, code, code_count, ..*self };
            if repacked.cost() >= self.cost() {
                break;
            }
            *self = repacked;
        }
    }

    /// Size in bits.
    pub(super) fn cost(&self) -> u32 {
        let items = self.items.as_slice().iter();
        let items: u32 =
            items.map(|item| u32::from(self.code[usize::from(item.symbol)]) + extra_bits(item.symbol)).sum();
        5 + 5 + 4 + 3 * self.code_count as u32 + items
    }

    /// Writes everything between the block type and the first token.
    pub(super) fn write(&self, lanes: &mut LaneWriter<'_>) {
        let counts = (self.litlen_count - 257) | (self.distance_count - 1) << 5 | (self.code_count - 4) << 10;
        lanes.turn(0, Bits::new(counts as u32, 14));
        let order = PRECODE_ORDER[..self.code_count].iter();
        lanes.turns(order.map(|&symbol| Bits::new(self.code[usize::from(symbol)].into(), 3)));
        let words = code_words(&self.code);
        lanes.turns(self.items.as_slice().iter().map(|item| {
            let symbol = usize::from(item.symbol);
            Bits::new(words[symbol].into(), self.code[symbol].into())
                .then(item.extra.into(), extra_bits(item.symbol))
        }));
    }
}

/// Symbols up to the last that has a code.
fn used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&length| length != 0).map_or(0, |last| last + 1)
}

/// 16 repeats the last length 3 to 6 times, 17 and 18 are 3 to 10 and 11 to 138 zeros.
const fn extra_bits(symbol: u8) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// Run-length coded lengths.
#[derive(Clone)]
struct Items {
    items: [Item; MAX_LENGTHS],
    count: usize,
}

impl Items {
    const NONE: Self = Self { items: [Item::NONE; MAX_LENGTHS], count: 0 };

    fn as_slice(&self) -> &[Item] {
        &self.items[..self.count]
    }

    fn push(&mut self, symbol: u8, count: usize) {
        self.items[self.count] = Item::new(symbol, count);
        self.count += 1;
    }

    /// Each run in the longest pieces possible.
    fn greedy(lengths: &[u8]) -> Self {
        let mut items = Self::NONE;
        for run in lengths.chunk_by(|a, b| a == b) {
            let length = run[0];
            let mut left = run.len();
            if length == 0 {
                while left >= 11 {
                    let zeros = left.min(138);
                    items.push(18, zeros);
                    left -= zeros;
                }
                if left >= 3 {
                    items.push(17, left);
                    left = 0;
                }
            } else {
                items.push(length, 1);
                left -= 1;
                while left >= 3 {
                    let repeats = left.min(6);
                    items.push(16, repeats);
                    left -= repeats;
                }
            }
            for _ in 0..left {
                items.push(length, 1);
            }
        }
        items
    }

    /// Each run in the pieces that cost least under the given code.
    fn cheapest(lengths: &[u8], code: &[u8; PRECODE_SYMBOLS]) -> Self {
        let price = |symbol: u8| {
            let length = match code[usize::from(symbol)] {
                0 => MAX_PRECODE_BITS as u32,
                length => length.into(),
            };
            length + extra_bits(symbol)
        };
        let mut items = Self::NONE;
        // For each number of lengths of a run, what they cost at least and the piece that comes last.
        let mut best = [(0, 0, 0); MAX_LENGTHS + 1];
        for run in lengths.chunk_by(|a, b| a == b) {
            let length = run[0];
            for count in 1..=run.len() {
                let mut cheapest = (best[count - 1].0 + price(length), length, 1);
                let mut consider = |symbol: u8, piece: usize| {
                    let cost = best[count - piece].0 + price(symbol);
                    if cost < cheapest.0 {
                        cheapest = (cost, symbol, piece);
                    }
                };
                // A repeat needs something before it.
                (3..=6).take_while(|&piece| piece < count).for_each(|piece| consider(16, piece));
                if length == 0 {
                    (3..=10).take_while(|&piece| piece <= count).for_each(|piece| consider(17, piece));
                    // Whole, or with something left for a shorter piece.
                    for zeros in [count, count.saturating_sub(3)] {
                        if zeros >= 11 {
                            consider(18, zeros.min(138));
                        }
                    }
                }
                best[count] = cheapest;
            }
            let first = items.count;
            let mut left = run.len();
            while left != 0 {
                let (_, symbol, piece) = best[left];
                items.push(symbol, piece);
                left -= piece;
            }
            items.items[first..items.count].reverse();
        }
        items
    }

    /// The code-length code for these items, and how many of its lengths must be sent.
    fn code(&self) -> ([u8; PRECODE_SYMBOLS], usize) {
        let mut counts = [0; PRECODE_SYMBOLS];
        for item in self.as_slice() {
            counts[usize::from(item.symbol)] += 1;
        }
        let code = code_lengths(&counts, MAX_PRECODE_BITS);
        let sent = PRECODE_ORDER.iter().rposition(|&symbol| code[usize::from(symbol)] != 0);
        (code, sent.map_or(4, |last| (last + 1).max(4)))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// The lengths that items stand for.
    fn unpacked(items: &Items) -> Vec<u8> {
        let mut lengths = Vec::new();
        for item in items.as_slice() {
            let (length, count) = match item.symbol {
                16 => (*lengths.last().expect("something to repeat"), 3),
                17 => (0, 3),
                18 => (0, 11),
                length => (length, 1),
            };
            lengths.extend(core::iter::repeat_n(length, count + usize::from(item.extra)));
        }
        lengths
    }

    #[test]
    fn items_say_what_was_packed() {
        for run in 1..=MAX_LENGTHS {
            let mut lengths = [7; MAX_LENGTHS];
            for zeros in [0, run / 2, run] {
                lengths[..zeros].fill(0);
                let greedy = Items::greedy(&lengths[..run]);
                assert_eq!(unpacked(&greedy), lengths[..run]);
                let (code, _) = greedy.code();
                for code in [code, [4; PRECODE_SYMBOLS], [0; PRECODE_SYMBOLS]] {
                    assert_eq!(unpacked(&Items::cheapest(&lengths[..run], &code)), lengths[..run]);
                }
            }
        }
    }
}
