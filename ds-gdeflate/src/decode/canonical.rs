//! Codes that are searched for a codeword: for blocks of too few symbols to be worth a table.
//!
//! In order of length, and of symbols within, the codewords of a canonical code are the numbers that follow one another, each
//! length's shifted up from where the one before left off. Seen as 16 bits with zeros behind, first bit highest, they rise from
//! the shortest to the longest: where a length's end, the next longer ones begin.

use super::code::{PrefixCode, Shape};
use super::entry;
use crate::format::{LITLEN_SYMBOLS, MAX_CODE_BITS};

/// A code to be searched.
#[derive(Clone, Debug)]
pub(super) struct Canonical {
    /// Where the codewords of 1, 2 ... 15 bits end.
    ends: [u32; MAX_CODE_BITS],
    /// What to add to a codeword of so many bits, for its place among the symbols.
    places: [u16; MAX_CODE_BITS],
    /// The symbols in order of their codewords.
    symbols: [u16; LITLEN_SYMBOLS],
}

impl Canonical {
    pub(super) const EMPTY: Self =
        Self { ends: [0; MAX_CODE_BITS], places: [0; MAX_CODE_BITS], symbols: [0; LITLEN_SYMBOLS] };

    /// Makes this the code given.
    pub(super) fn load(&mut self, code: &PrefixCode<'_>) {
        let firsts = code.first_codewords();
        let mut before = 0_u16;
        for bits in 1..=MAX_CODE_BITS {
            let (first, count) = (firsts[bits], code.counts[bits]);
            self.ends[bits - 1] = u32::from(first + count) << (u16::BITS as usize - bits);
            self.places[bits - 1] = before.wrapping_sub(first);
            before += count;
        }
        if code.shape != Shape::Empty {
            code.sort(&mut self.symbols);
        }
    }

    /// The entry for the codeword that `bits` begin with, by those for the symbols.
    pub(super) fn search(&self, bits: u64, entries: &[u32]) -> u32 {
        let bits = (bits as u16).reverse_bits();
        let shorter = self.ends.iter().filter(|&&end| u32::from(bits) >= end).count();
        let Some(&place) = self.places.get(shorter) else { return entry::UNUSED_ENTRY };
        let len = shorter as u32 + 1;
        let place = place.wrapping_add(bits >> (u16::BITS - len));
        let symbol = self.symbols[usize::from(place)];
        entries[usize::from(symbol)] + (len << entry::DROP_AT)
    }
}
