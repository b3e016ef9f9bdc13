//! Prefix codes, as their code lengths say them.

use crate::error::{Code, TileErrorKind};
use crate::format::{LITLEN_SYMBOLS, MAX_CODE_BITS};

/// A number for each length of codewords.
pub(super) type ByLength = [u16; MAX_CODE_BITS + 1];

/// Parts of the symbols that are gone through by turns. Neighbours are often of the same length: this way what is done with a
/// number for one of them does not wait for the other.
const PARTS: usize = 4;

/// A number for each length of codewords, in each part of the symbols.
type ByPart = [ByLength; PARTS];

/// What codes the format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Every codeword stands for a symbol.
    Complete,
    /// One symbol, of one bit: that bit is 0.
    Single,
    /// No symbol at all.
    Empty,
}

/// A code that the format allows.
#[derive(Debug)]
pub(super) struct PrefixCode<'l> {
    /// The length of each symbol's codeword, 0 for those without one.
    pub(super) lengths: &'l [u8],
    pub(super) shape: Shape,
    /// How many symbols have codewords of each length; the first number means nothing.
    pub(super) counts: ByLength,
    in_parts: ByPart,
}

impl<'l> PrefixCode<'l> {
    /// Judges the code with these lengths.
    ///
    /// # Errors
    ///
    /// `OverSubscribed` or `Incomplete`.
    pub(super) fn new(code: Code, lengths: &'l [u8]) -> Result<Self, TileErrorKind> {
        let in_parts = count_lengths(lengths);
        let counts = core::array::from_fn(|bits| in_parts.iter().map(|counts| counts[bits]).sum());
        Ok(Self { lengths, shape: judge(code, &counts, MAX_CODE_BITS)?, counts, in_parts })
    }

    /// The codeword of a symbol that has one, first bit lowest, and its length.
    pub(super) fn codeword(&self, symbol: usize) -> (usize, u32) {
        let length = self.lengths[symbol];
        let before: u16 = self.lengths[..symbol].iter().map(|&other| u16::from(other == length)).sum();
        let bits = u32::from(length);
        let first = first_codewords(&self.counts)[usize::from(length) & MAX_CODE_BITS];
        (reverse(first + before, bits), bits)
    }

    /// Lists the symbols, shortest codeword first, equals in order, those without one last.
    pub(super) fn sort(&self, sorted: &mut [u16; LITLEN_SYMBOLS]) {
        let mut places = ByPart::default();
        let mut used = 0;
        for bits in (1..=MAX_CODE_BITS).chain([0]) {
            for (places, counts) in places.iter_mut().zip(&self.in_parts) {
                places[bits] = used;
                used += counts[bits];
            }
        }
        by_parts(self.lengths, |part, symbol, bits| {
            let place = &mut places[part][bits];
            sorted[usize::from(*place)] = symbol as u16;
            *place += 1;
        });
    }
}

/// Judges the code with so many codewords of each length, `longest` at most.
///
/// # Errors
///
/// `OverSubscribed` or `Incomplete`.
pub(super) fn judge(code: Code, counts: &ByLength, longest: usize) -> Result<Shape, TileErrorKind> {
    let room = 1 << longest;
    let used: u32 = (1..=longest).map(|bits| u32::from(counts[bits]) << (longest - bits)).sum();
    if used > room {
        return Err(TileErrorKind::OverSubscribed(code));
    }
    match used {
        _ if used == room => Ok(Shape::Complete),
        0 => Ok(Shape::Empty),
        _ if used == room / 2 && counts[1] == 1 => Ok(Shape::Single),
        _ => Err(TileErrorKind::Incomplete(code)),
    }
}

/// The first codeword of each length, first bit highest.
pub(super) fn first_codewords(counts: &ByLength) -> ByLength {
    let mut codewords = [0; MAX_CODE_BITS + 1];
    for bits in 2..=MAX_CODE_BITS {
        codewords[bits] = (codewords[bits - 1] + counts[bits - 1]) << 1;
    }
    codewords
}

/// Counts the codewords of each length.
fn count_lengths(lengths: &[u8]) -> ByPart {
    let mut counts = ByPart::default();
    by_parts(lengths, |part, _, bits| counts[part][bits] += 1);
    counts
}

/// Says for each symbol its part and its length; the parts by turns, within each the symbols in order.
#[inline(always)]
fn by_parts(lengths: &[u8], mut what: impl FnMut(usize, usize, usize)) {
    let size = lengths.len() / PARTS;
    let [first, second, third] = core::array::from_fn(|part| &lengths[part * size..][..size]);
    let last = &lengths[(PARTS - 1) * size..];
    for at in 0..size {
        for (part, lengths) in [first, second, third, last].into_iter().enumerate() {
            what(part, part * size + at, lengths[at] as usize & MAX_CODE_BITS);
        }
    }
    for (at, &length) in last.iter().enumerate().skip(size) {
        what(PARTS - 1, (PARTS - 1) * size + at, length as usize & MAX_CODE_BITS);
    }
}

/// A codeword of `bits` bits, first bit lowest.
pub(super) fn reverse(codeword: u16, bits: u32) -> usize {
    usize::from(codeword.reverse_bits() >> (u16::BITS - bits))
}
