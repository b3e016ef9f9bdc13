//! A tile as a list of blocks: read from a payload, changed, and written again.
//!
//! This is a second implementation of the format, made from `docs/gdeflate.md` alone and as plainly as it can be said. The
//! codec is judged by it, so it shares no code with it.

pub mod mutate;
pub mod read;
pub mod write;

/// Lanes that a tile's bits are dealt to.
pub const LANES: usize = 32;

/// Bytes of content in a tile at most.
pub const TILE_SIZE: usize = 65_536;

/// The order in which a dynamic block sends the lengths of the code-length code.
const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A block of a tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Bytes as they are, at most 65 535.
    Stored(Vec<u8>),
    /// Tokens in the codes that the format lays down.
    Static(Vec<Token>),
    /// Tokens in codes of the block's own.
    Dynamic(Codes, Vec<Token>),
}

/// The code lengths of a dynamic block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// 257 to 288 lengths of the literal/length code.
    pub litlen: Vec<u8>,
    /// 1 to 32 lengths of the distance code.
    pub distance: Vec<u8>,
}

/// A literal or a match, in symbols: there may be several ways to say a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// One byte of content.
    Literal(u8),
    /// A copy of earlier content.
    Match {
        /// Symbol 257 to 285.
        length: Said,
        /// Symbol 0 to 31.
        distance: Said,
    },
}

/// A symbol and the value of the extra bits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The symbol.
    pub symbol: u16,
    /// The value of its extra bits.
    pub extra: u32,
}

impl Token {
    /// Bytes of content that the token stands for.
    pub fn size(self) -> usize {
        match self {
            Self::Literal(_) => 1,
            Self::Match { length, .. } => length_base(length.symbol) + length.extra as usize,
        }
    }
}

impl Block {
    /// Bytes of content that the block stands for.
    pub fn size(&self) -> usize {
        match self {
            Self::Stored(bytes) => bytes.len(),
            Self::Static(tokens) | Self::Dynamic(_, tokens) => tokens.iter().map(|token| token.size()).sum(),
        }
    }

    /// The block's tokens, unless it is stored.
    pub fn tokens_mut(&mut self) -> Option<&mut Vec<Token>> {
        match self {
            Self::Stored(_) => None,
            Self::Static(tokens) | Self::Dynamic(_, tokens) => Some(tokens),
        }
    }
}

impl Codes {
    /// The codes of a static block.
    pub fn fixed() -> Self {
        let litlen = |symbol| match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        };
        Self { litlen: (0..288).map(litlen).collect(), distance: vec![5; 32] }
    }
}

/// The length that a length symbol without extra bits, or with zeros there, stands for.
pub fn length_base(symbol: u16) -> usize {
    match symbol {
        257..265 => usize::from(symbol) - 254,
        265..285 => ((4 + (usize::from(symbol) - 261) % 4) << length_extra_bits(symbol)) + 3,
        _ => 3,
    }
}

/// How many extra bits a literal/length symbol has.
pub fn length_extra_bits(symbol: u16) -> u32 {
    match symbol {
        265..285 => (u32::from(symbol) - 261) / 4,
        285 => 16,
        _ => 0,
    }
}

/// The distance that a distance symbol with zeros for extra bits stands for.
pub fn distance_base(symbol: u16) -> usize {
    match symbol {
        0..2 => usize::from(symbol) + 1,
        _ => ((2 + usize::from(symbol) % 2) << distance_extra_bits(symbol)) + 1,
    }
}

/// How many extra bits a distance symbol has.
pub fn distance_extra_bits(symbol: u16) -> u32 {
    (u32::from(symbol) / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_leave_no_gap() {
        for symbol in 257..284 {
            let next = length_base(symbol) + (1 << length_extra_bits(symbol));
            assert_eq!(next, length_base(symbol + 1), "{symbol}");
        }
        for symbol in 0..31 {
            let next = distance_base(symbol) + (1 << distance_extra_bits(symbol));
            assert_eq!(next, distance_base(symbol + 1), "{symbol}");
        }
        assert_eq!(distance_base(31) + (1 << distance_extra_bits(31)), 65_537);
    }
}
