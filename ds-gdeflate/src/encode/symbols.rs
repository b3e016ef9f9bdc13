//! From tokens to what a lane writes in one turn: code word and extra bits together.

use super::huffman::code_words;
use super::token::Token;
use crate::format::{DISTANCE_SYMBOLS, LENGTHS, LITLEN_SYMBOLS, MIN_MATCH};

/// The longest match that symbols below 285 can say; longer ones take 285 and its 16 extra bits.
pub(super) const MAX_SHORT_MATCH: usize = 258;

/// Symbol of each length from [`MIN_MATCH`] to [`MAX_SHORT_MATCH`], less 257.
static LENGTH_CODES: [u8; MAX_SHORT_MATCH + 1] = {
    let mut codes = [0; MAX_SHORT_MATCH + 1];
    let mut len = MIN_MATCH;
    let mut code = 0;
    while len <= MAX_SHORT_MATCH {
        while code < 27 && len >= LENGTHS[code + 1].base as usize {
            code += 1;
        }
        codes[len] = code as u8;
        len += 1;
    }
    codes
};

/// The literal/length symbol of a match length.
#[inline(always)]
pub(super) fn length_symbol(len: usize) -> usize {
    257 + LENGTH_CODES.get(len).map_or(28, |&code| usize::from(code))
}

/// The next length below one of at most [`MAX_SHORT_MATCH`] that is worth a try: the next with another symbol.
///
/// Lengths of one symbol cost the same, so the longest is best, near enough. Short ones are all tried.
#[inline(always)]
pub(super) fn shorter_by_symbol(len: usize) -> usize {
    static SHORTER: [u8; MAX_SHORT_MATCH + 1] = {
        let mut shorter = [0; MAX_SHORT_MATCH + 1];
        let mut len = MIN_MATCH;
        while len <= MAX_SHORT_MATCH {
            let base = LENGTHS[LENGTH_CODES[len] as usize].base as usize;
            shorter[len] = if len <= 34 { len - 1 } else { base - 1 } as u8;
            len += 1;
        }
        shorter
    };
    SHORTER[len].into()
}

/// The distance symbol of a distance, which is given less one.
///
/// Above the first four symbols each power of two is split in halves.
#[inline(always)]
pub(super) fn distance_symbol(offset: u32) -> usize {
    let extra = (offset | 3).ilog2() - 1;
    ((2 * extra + (offset >> extra)) & 31) as usize
}

/// What one lane turn writes: at most 31 bits, lowest first.
///
/// In one number, the count above the bits, so that it is moved as one.
#[derive(Clone, Copy)]
pub(super) struct Bits(u64);

impl Bits {
    pub(super) const NONE: Self = Self::new(0, 0);

    #[inline(always)]
    pub(super) const fn new(value: u32, count: u32) -> Self {
        Self(value as u64 | (count as u64) << 32)
    }

    #[inline(always)]
    pub(super) const fn value(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(super) const fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// These bits, then `value` above them.
    #[inline(always)]
    pub(super) const fn then(self, value: u32, count: u32) -> Self {
        Self((self.0 | (value as u64) << self.count()) + ((count as u64) << 32))
    }
}

/// A block's two codes, laid out for the token loop.
pub(super) struct BlockCodes {
    /// By [`Token::index`]: literals, then matches of up to [`MAX_SHORT_MATCH`] bytes with their extra bits.
    pub(super) litlen: [Bits; Self::SHORT],
    /// What longer matches begin with.
    pub(super) long_match: Bits,
    end_of_block: Bits,
    /// The code words alone, by symbol.
    pub(super) distance: [Bits; DISTANCE_SYMBOLS],
}

impl BlockCodes {
    /// Literals and lengths that are said without the 16 extra bits of symbol 285.
    pub(super) const SHORT: usize = 256 + MAX_SHORT_MATCH + 1;

    /// The codes of these lengths.
    pub(super) fn new(litlen: &[u8; LITLEN_SYMBOLS], distance: &[u8; DISTANCE_SYMBOLS]) -> Self {
        let (litlen_words, distance_words) = (code_words(litlen), code_words(distance));
        let word = |symbol: usize| Bits::new(litlen_words[symbol].into(), litlen[symbol].into());
        let mut codes = Self {
            litlen: [Bits::NONE; Self::SHORT],
            long_match: word(285),
            end_of_block: word(256),
            distance: core::array::from_fn(|symbol| {
                Bits::new(distance_words[symbol].into(), distance[symbol].into())
            }),
        };
        for (symbol, literal) in codes.litlen[..256].iter_mut().enumerate() {
            *literal = word(symbol);
        }
        for (len, &code) in LENGTH_CODES.iter().enumerate().skip(MIN_MATCH) {
            let code = usize::from(code);
            let range = LENGTHS[code];
            let extra = len as u32 - u32::from(range.base);
            codes.litlen[256 + len] = word(257 + code).then(extra, range.extra.into());
        }
        codes
    }

    /// The turn that announces a token: a literal, or a match's length.
    #[inline(always)]
    pub(super) fn litlen(&self, token: Token) -> Bits {
        match self.litlen.get(token.index()) {
            Some(&bits) => bits,
            None => self.long_match.then((token.index() - 256 - MIN_MATCH) as u32, 16),
        }
    }

    /// The turn, a round later, that completes a match.
    #[inline(always)]
    pub(super) fn distance(&self, token: Token) -> Bits {
        let offset = token.offset();
        let extra = (offset | 3).ilog2() - 1;
        self.distance[distance_symbol(offset)].then(offset & ((1 << extra) - 1), extra)
    }

    pub(super) fn end_of_block(&self) -> Bits {
        self.end_of_block
    }
}
