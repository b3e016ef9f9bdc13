//! One packed table entry: all that a turn needs to know about a codeword.
//!
//! ```text
//!  31  30  29  28  27   22 21  16 15             0
//! |LIT|SUB|ODD|LEN| shift | drop |     value      |
//! ```
//!
//! - `value`: a literal; a match length less 3; a distance less 1. Adding extra bits never carries out of it.
//! - `drop`: bits that the turn consumes, codeword and extra bits together, 31 at most.
//! - `shift`: 63 less the number of extra bits. With the consumed bits rotated to the top of a `u64`,
//!   `>> 1 >> shift` leaves the extra bits' value, and no bits where there are none.
//! - `LEN` marks a length, `LIT` a literal, neither a distance.
//! - `ODD` marks what the fast path must look at: a pointer to a subtable (also marked `SUB`; `value` is the
//!   subtable's place, `drop` the number of bits that index it) or a symbol that ends the block or the tile's
//!   hopes (`value` is the symbol, or [`UNUSED`] for a codeword that stands for nothing).

use crate::format::{DISTANCE_SYMBOLS, DISTANCES, END_OF_BLOCK, LENGTHS, LITLEN_SYMBOLS, MIN_MATCH, Range};

pub(super) const LENGTH: u32 = 1 << 28;
pub(super) const ODD: u32 = 1 << 29;
pub(super) const SUBTABLE: u32 = 1 << 30;
pub(super) const LITERAL: u32 = 1 << 31;

/// Where the field of bits to drop begins. Adding a codeword's length to an entry is adding it here.
pub(super) const DROP_AT: u32 = 16;

pub(super) const SHIFT_AT: u32 = 22;

/// The `value` of an entry for a codeword outside the code.
pub(super) const UNUSED: u32 = 0xFFFF;

/// The entry for a codeword outside the code.
pub(super) const UNUSED_ENTRY: u32 = UNUSED | ODD | 1 << DROP_AT;

/// Bits to consume.
pub(super) const fn dropped(entry: u32) -> u32 {
    entry >> DROP_AT & 63
}

/// What the entry stands for, without extra bits.
pub(super) const fn value(entry: u32) -> u32 {
    entry & 0xFFFF
}

/// The entry with its extra bits, taken from a lane's `bits`, added to its value.
#[inline(always)]
pub(super) const fn with_extra(entry: u32, bits: u64) -> u32 {
    let rotated = bits.rotate_right(dropped(entry));
    entry + (rotated >> 1 >> (entry >> SHIFT_AT & 63)) as u32
}

/// A pointer to a subtable at `place`, indexed by `bits` bits.
pub(super) const fn subtable(place: usize, bits: u32) -> u32 {
    place as u32 | SUBTABLE | ODD | bits << DROP_AT
}

/// Literal/length entries, complete but for the codeword's length, which is to be added.
pub(super) static LITLEN: [u32; LITLEN_SYMBOLS] = litlen();

/// Distance entries, complete but for the codeword's length, which is to be added.
pub(super) static DISTANCE: [u32; DISTANCE_SYMBOLS] = distance();

const fn entry(value: u32, flags: u32, extra: u8) -> u32 {
    value | flags | (63 - extra as u32) << SHIFT_AT | (extra as u32) << DROP_AT
}

const fn litlen() -> [u32; LITLEN_SYMBOLS] {
    let mut entries = [0; LITLEN_SYMBOLS];
    let mut symbol = 0;
    while symbol < LITLEN_SYMBOLS {
        entries[symbol] = match symbol {
            0..=255 => entry(symbol as u32, LITERAL, 0),
            257..=285 => {
                let Range { base, extra } = LENGTHS[symbol - 257];
                entry(base as u32 - MIN_MATCH as u32, LENGTH, extra)
            }
            END_OF_BLOCK | 286.. => entry(symbol as u32, ODD, 0),
        };
        symbol += 1;
    }
    entries
}

const fn distance() -> [u32; DISTANCE_SYMBOLS] {
    let mut entries = [0; DISTANCE_SYMBOLS];
    let mut symbol = 0;
    while symbol < DISTANCE_SYMBOLS {
        let Range { base, extra } = DISTANCES[symbol];
        entries[symbol] = entry(base as u32 - 1, 0, extra);
        symbol += 1;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_bits_are_read_behind_the_code() {
        // Distance symbol 30: 14 extra bits; with a 15-bit codeword the longest turn a distance can take.
        let entry = DISTANCE[30] + (15 << DROP_AT);
        assert_eq!(dropped(entry), 29);
        let bits = 0x5A5A_0000_0000_0000 | 0x2AAA << 15 | 0x7FFF;
        assert_eq!(value(with_extra(entry, bits)), 32_768 + 0x2AAA);
        // Length symbol 285: 16 extra bits, base 3.
        let entry = LITLEN[285] + (15 << DROP_AT);
        assert_eq!(dropped(entry), 31);
        assert_eq!(value(with_extra(entry, 0xFFFF << 15)), 0xFFFF);
        // A literal has none, whatever the bits.
        assert_eq!(value(with_extra(LITLEN[65] + (8 << DROP_AT), u64::MAX)), 65);
    }
}
