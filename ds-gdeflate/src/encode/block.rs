//! One block: which of the three kinds is cheapest, and writing it.

use super::bound::{KIND_BITS, MAX_STORED, STORED_LEN_BITS};
use super::codes::{Coding, DynamicCodes};
use super::histogram::Histogram;
use super::lanes::LaneWriter;
use super::symbols::Bits;
use super::token::Token;
use super::turns::Turns;
use crate::format::{STATIC_DISTANCE_BITS, STATIC_LITLEN_BITS};
use crate::simd::SimdLevel;

/// The two bits that name a block's kind.
const STORED: u32 = 0;
const STATIC: u32 = 1;
const DYNAMIC: u32 = 2;

/// A block to be written.
pub(super) struct EncodedBlock<'a> {
    /// The bytes it stands for.
    pub(super) raw: &'a [u8],
    /// The same as tokens.
    pub(super) tokens: &'a [Token],
    /// The tokens counted.
    pub(super) histogram: &'a Histogram,
    /// Whether it ends the tile.
    pub(super) last: bool,
}

impl EncodedBlock<'_> {
    /// Writes the block as whatever kind takes the fewest bits.
    pub(super) fn write(&self, coding: Coding, simd: SimdLevel, lanes: &mut LaneWriter<'_>) {
        let mut histogram = *self.histogram;
        histogram.count_end_of_block();

        let codes = DynamicCodes::new(&histogram, coding);
        let extra = histogram.extra_bits();
        let dynamic_cost = codes.cost + extra;
        let static_cost = histogram.cost(&STATIC_LITLEN_BITS, &STATIC_DISTANCE_BITS) + extra;

        if stored_cost(self.raw.len()) <= dynamic_cost.min(static_cost) + KIND_BITS {
            write_stored(lanes, self.raw, self.last);
        } else if static_cost <= dynamic_cost {
            lanes.turn(0, kind(STATIC, self.last));
            Turns::new(self.tokens, &STATIC_LITLEN_BITS, &STATIC_DISTANCE_BITS).write(simd, lanes);
        } else {
            lanes.turn(0, kind(DYNAMIC, self.last));
            codes.header.write(lanes);
            Turns::new(self.tokens, &codes.litlen, &codes.distance).write(simd, lanes);
        }
    }
}

fn kind(kind: u32, last: bool) -> Bits {
    Bits::new(u32::from(last) | kind << 1, KIND_BITS)
}

/// Bits that `len` bytes take stored, block headers included.
fn stored_cost(len: usize) -> u32 {
    let blocks = len.div_ceil(MAX_STORED).max(1);
    blocks as u32 * (KIND_BITS + STORED_LEN_BITS) + 8 * len as u32
}

/// Writes one or more bytes as one or two stored blocks.
pub(super) fn write_stored(lanes: &mut LaneWriter<'_>, raw: &[u8], last: bool) {
    let mut blocks = raw.chunks(MAX_STORED).peekable();
    while let Some(block) = blocks.next() {
        lanes.turn(0, kind(STORED, last && blocks.peek().is_none()));
        lanes.turn(0, Bits::new(block.len() as u32, STORED_LEN_BITS));
        lanes.bytes(block);
    }
}
