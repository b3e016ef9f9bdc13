//! Codes that are searched for a codeword: for blocks of too few symbols to be worth a table.
//!
//! In order of length, and of symbols within, the codewords of a canonical code are the numbers that follow one another, each
//! length's shifted up from where the one before left off. Seen as 15 bits with zeros behind, first bit highest, they rise from
//! the shortest to the longest: behind the last of a length the next longer ones begin.

use super::code::{PrefixCode, Shape, first_codewords};
use super::entry;
use crate::format::{LITLEN_SYMBOLS, MAX_CODE_BITS};

/// A code to be searched.
#[derive(Clone, Debug)]
pub(super) struct Canonical {
    /// For codewords of 1, 2 ... 15 bits the last 15 bits that begin with one of them or a shorter one, -1 if there are none. Then
    /// the last there are.
    lasts: [i16; MAX_CODE_BITS + 1],
    /// What to add to a codeword of so many bits, for its place among the symbols.
    places: [u16; MAX_CODE_BITS],
    /// The symbols in order of their codewords.
    symbols: [u16; LITLEN_SYMBOLS],
}

impl Canonical {
    pub(super) const EMPTY: Self = Self {
        lasts: [i16::MAX; MAX_CODE_BITS + 1],
        places: [0; MAX_CODE_BITS],
        symbols: [0; LITLEN_SYMBOLS],
    };

    /// Makes this the code given.
    pub(super) fn load(&mut self, code: &PrefixCode<'_>) {
        let firsts = first_codewords(&code.counts);
        let mut before = 0_u16;
        for (bits, (last, place)) in (1..).zip(self.lasts.iter_mut().zip(&mut self.places)) {
            let (first, count) = (firsts[bits], code.counts[bits]);
            *last = ((first + count) << (MAX_CODE_BITS - bits)).wrapping_sub(1) as i16;
            *place = before.wrapping_sub(first);
            before += count;
        }
        if code.shape != Shape::Empty {
            code.sort(&mut self.symbols);
        }
    }

    /// The entry for the codeword that `bits` begin with, by those for the symbols.
    pub(super) fn search(&self, bits: u64, entries: &[u32]) -> u32 {
        let bits = (bits as u16).reverse_bits() >> 1;
        // All of them: where to stop would be a guess.
        let is_beyond = |&last: &i16| (last - bits as i16) >> 15 & 1;
        let shorter = self.lasts.iter().map(is_beyond).sum::<i16>() as usize;
        let Some(&place) = self.places.get(shorter) else { return entry::UNUSED_ENTRY };
        let place = place.wrapping_add(bits >> (MAX_CODE_BITS - 1 - shorter));
        let symbol = self.symbols[usize::from(place)];
        entries[usize::from(symbol)] + ((shorter as u32 + 1) << entry::DROP_AT)
    }
}
