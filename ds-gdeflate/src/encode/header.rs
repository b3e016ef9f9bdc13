//! The code lengths at the head of a dynamic block.

use super::huffman::Code;
use super::lanes::LaneWriter;
use super::symbols::Bits;
use crate::format::{DISTANCE_SYMBOLS, LITLEN_SYMBOLS, MAX_PRECODE_BITS, PRECODE_ORDER, PRECODE_SYMBOLS};

/// The fewest literal/length code lengths a block can send.
const MIN_LITLEN: usize = 257;

/// A code length, or a run of them: symbol, and the extra bits' value.
#[derive(Clone, Copy)]
struct Item {
    symbol: u8,
    extra: u8,
}

/// A dynamic block's code lengths, packed and ready to be written or only weighed.
pub(super) struct DynamicHeader {
    litlen_count: usize,
    distance_count: usize,
    code: Code<PRECODE_SYMBOLS>,
    code_count: usize,
    items: [Item; LITLEN_SYMBOLS + DISTANCE_SYMBOLS],
    item_count: usize,
}

impl DynamicHeader {
    pub(super) fn new(litlen: &Code<LITLEN_SYMBOLS>, distance: &Code<DISTANCE_SYMBOLS>) -> Self {
        let litlen_count = used(&litlen.lengths).max(MIN_LITLEN);
        let distance_count = used(&distance.lengths).max(1);
        let mut lengths = [0; LITLEN_SYMBOLS + DISTANCE_SYMBOLS];
        lengths[..litlen_count].copy_from_slice(&litlen.lengths[..litlen_count]);
        lengths[litlen_count..litlen_count + distance_count]
            .copy_from_slice(&distance.lengths[..distance_count]);

        let mut items = [Item { symbol: 0, extra: 0 }; LITLEN_SYMBOLS + DISTANCE_SYMBOLS];
        let mut item_count = 0;
        let mut counts = [0; PRECODE_SYMBOLS];
        pack(&lengths[..litlen_count + distance_count], |item| {
            counts[usize::from(item.symbol)] += 1;
            items[item_count] = item;
            item_count += 1;
        });
        let code = Code::optimal(&counts, MAX_PRECODE_BITS);
        let code_count = PRECODE_ORDER
            .iter()
            .rposition(|&symbol| code.lengths[usize::from(symbol)] != 0)
            .map_or(4, |last| (last + 1).max(4));
        Self { litlen_count, distance_count, code, code_count, items, item_count }
    }

    /// Size in bits.
    pub(super) fn cost(&self) -> u32 {
        let items = self.items[..self.item_count].iter();
        let items: u32 = items
            .map(|item| u32::from(self.code.lengths[usize::from(item.symbol)]) + extra_bits(item.symbol))
            .sum();
        5 + 5 + 4 + 3 * self.code_count as u32 + items
    }

    /// Writes everything between the block type and the first token.
    pub(super) fn write(&self, lanes: &mut LaneWriter<'_>) {
        let counts = (self.litlen_count - 257) | (self.distance_count - 1) << 5 | (self.code_count - 4) << 10;
        lanes.turn(0, Bits::new(counts as u32, 14));
        let order = PRECODE_ORDER[..self.code_count].iter();
        lanes.turns(order.map(|&symbol| Bits::new(self.code.lengths[usize::from(symbol)].into(), 3)));
        lanes.turns(self.items[..self.item_count].iter().map(|item| {
            let symbol = usize::from(item.symbol);
            Bits::new(self.code.words[symbol].into(), self.code.lengths[symbol].into())
                .then(item.extra.into(), extra_bits(item.symbol))
        }));
    }
}

/// Symbols up to the last that has a code.
fn used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&length| length != 0).map_or(0, |last| last + 1)
}

const fn extra_bits(symbol: u8) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// Run-length codes the lengths: 16 repeats the last one 3 to 6 times, 17 and 18 are 3 to 10 and 11 to 138 zeros.
fn pack(lengths: &[u8], mut item: impl FnMut(Item)) {
    for run in lengths.chunk_by(|a, b| a == b) {
        let length = run[0];
        let mut left = run.len();
        if length == 0 {
            while left >= 11 {
                let zeros = left.min(138);
                item(Item { symbol: 18, extra: (zeros - 11) as u8 });
                left -= zeros;
            }
            if left >= 3 {
                item(Item { symbol: 17, extra: (left - 3) as u8 });
                left = 0;
            }
        } else {
            item(Item { symbol: length, extra: 0 });
            left -= 1;
            while left >= 3 {
                let repeats = left.min(6);
                item(Item { symbol: 16, extra: (repeats - 3) as u8 });
                left -= repeats;
            }
        }
        for _ in 0..left {
            item(Item { symbol: length, extra: 0 });
        }
    }
}
