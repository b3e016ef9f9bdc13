//! The code-length code: a table that answers with runs of code lengths.
//!
//! ```text
//!  31  28 27             16 15 14 13    8  5     0
//! |length|       run       |REP|  | shift |  drop |
//! ```
//!
//! - `drop`: bits that the turn consumes, codeword and extra bits together. Lowest, where a shift by an entry takes them for
//!   its count.
//! - `shift`: 63 less the number of extra bits, as in [`entry`](super::entry).
//! - `run`: how often the code length comes, extra bits to be added; more often than there are symbols for codewords that stand
//!   for nothing.
//! - `REP` marks a run of the length before.

use super::code::{first_codewords, judge, reverse};
use crate::error::{Code, TileErrorKind};
use crate::format::{MAX_CODE_BITS, MAX_PRECODE_BITS, PRECODE_SYMBOLS};

/// The table: an entry for each 7 bits of input.
pub(super) struct Precode([u32; 1 << MAX_PRECODE_BITS]);

impl Precode {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// `OverSubscribed` or `Incomplete`.
    pub(super) fn build(lengths: &[u8; PRECODE_SYMBOLS]) -> Result<Self, TileErrorKind> {
        let mut counts = [0; MAX_CODE_BITS + 1];
        for &bits in lengths {
            counts[bits as usize & MAX_CODE_BITS] += 1;
        }
        judge(Code::CodeLength, &counts, MAX_PRECODE_BITS)?;
        let mut entries = [Run::UNUSED.0; 1 << MAX_PRECODE_BITS];
        let mut codewords = first_codewords(&counts);
        for (&bits, &symbol) in lengths.iter().zip(&SYMBOLS) {
            if bits != 0 {
                let codeword = &mut codewords[bits as usize & MAX_CODE_BITS];
                let first = reverse(*codeword, u32::from(bits));
                *codeword += 1;
                for entry in entries[first..].iter_mut().step_by(1 << bits) {
                    *entry = symbol + u32::from(bits);
                }
            }
        }
        Ok(Self(entries))
    }

    /// The entry for the codeword that `bits` begin with.
    #[inline(always)]
    pub(super) fn look_up(&self, bits: u64) -> Run {
        Run(self.0[bits as usize % self.0.len()])
    }
}

/// A run of code lengths, as a table's entry.
#[derive(Clone, Copy)]
pub(super) struct Run(u32);

impl Run {
    /// The entry for a codeword outside the code.
    const UNUSED: Self = Self(symbol(0, 0xFFF, 0) + 1);

    const REPEAT: u32 = 1 << 15;

    /// Whether the codeword stands for nothing.
    pub(super) fn is_unused(self) -> bool {
        self.0 == Self::UNUSED.0
    }

    /// Bits to consume.
    #[inline(always)]
    pub(super) fn dropped(self) -> u32 {
        self.0 & 63
    }

    /// Whether the code length is the one before.
    #[inline(always)]
    pub(super) fn is_repeat(self) -> bool {
        self.0 & Self::REPEAT != 0
    }

    /// The code length.
    #[inline(always)]
    pub(super) fn length(self) -> u8 {
        (self.0 >> 28) as u8
    }

    /// How long the run is, given the lane's bits from the codeword on.
    #[inline(always)]
    pub(super) fn len(self, bits: u64) -> usize {
        let rotated = bits.rotate_right(self.dropped());
        let extra = rotated >> 1 >> (self.0 >> 8 & 63);
        (self.0 >> 16 & 0xFFF) as usize + extra as usize
    }
}

/// An entry for each symbol, complete but for the codeword's length, which is to be added.
static SYMBOLS: [u32; PRECODE_SYMBOLS] = symbols();

const fn symbol(length: u32, run: u32, extra: u32) -> u32 {
    length << 28 | run << 16 | (63 - extra) << 8 | extra
}

const fn symbols() -> [u32; PRECODE_SYMBOLS] {
    let mut entries = [0; PRECODE_SYMBOLS];
    let mut length = 0;
    while length <= MAX_CODE_BITS {
        entries[length] = symbol(length as u32, 1, 0);
        length += 1;
    }
    entries[16] = symbol(0, 3, 2) | Run::REPEAT;
    entries[17] = symbol(0, 3, 3);
    entries[18] = symbol(0, 11, 7);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_the_symbols_say() {
        // Two bits for each of 16, 17, 18 and a length of 9: codewords in order of symbols, first bit lowest.
        let mut lengths = [0; PRECODE_SYMBOLS];
        for symbol in [9, 16, 17, 18] {
            lengths[symbol] = 2;
        }
        let precode = Precode::build(&lengths).expect("a complete code");
        let run = |bits: u64| {
            let run = precode.look_up(bits);
            assert!(!run.is_unused());
            (run.is_repeat(), run.length(), run.len(bits), run.dropped())
        };
        let above = u64::MAX << 20;
        assert_eq!(run(above), (false, 9, 1, 2));
        assert_eq!(run(above | 0b11 << 2 | 0b10), (true, 0, 6, 4));
        assert_eq!(run(above | 0b101 << 2 | 0b01), (false, 0, 8, 5));
        assert_eq!(run(above | 0b111_1111 << 2 | 0b11), (false, 0, 138, 9));
        assert_eq!(run(0b11), (false, 0, 11, 9));
    }

    #[test]
    fn a_code_of_one_symbol_has_a_codeword_for_nothing() {
        let mut lengths = [0; PRECODE_SYMBOLS];
        lengths[5] = 1;
        let precode = Precode::build(&lengths).expect("a code of one symbol");
        assert!(!precode.look_up(0b10).is_unused());
        assert!(precode.look_up(0b01).is_unused());
        assert!(Precode::build(&[0; PRECODE_SYMBOLS]).is_ok_and(|precode| precode.look_up(0).is_unused()));
        assert!(Precode::build(&[2; PRECODE_SYMBOLS]).is_err());
    }
}
