//! The format's numbers: what is fixed by GDeflate itself, not chosen by this crate.
//!
//! The alphabets are those of DEFLATE (RFC 1951, section 3.2.5 to 3.2.7) with DEFLATE64's changes: length
//! symbol 285 carries 16 extra bits, and distance symbols 30 and 31 exist. The lane count, the tile size and
//! the limits are GDeflate's; `docs/gdeflate.md` in the repository tells the whole story.

/// Bytes of content in every tile but the last, which may be shorter.
pub const TILE_SIZE: usize = 65_536;

/// Tiles in one stream at most: the count is 16 bits wide.
pub const MAX_TILES: usize = 65_535;

/// Bytes of content in one stream at most: [`MAX_TILES`] full tiles.
pub const MAX_STREAM_SIZE: u64 = 4_294_901_760;

/// Bytes of payload in one tile at most.
///
/// No encoder comes near it (stored data needs 65 696 bytes). It keeps the time to decode a tile bounded:
/// without it a small tile could be described by gigabytes of empty blocks.
pub const MAX_TILE_PAYLOAD: usize = 128 * 1024;

/// Blocks with codes of their own in one tile at most, given the bytes of its content: one, and one more for each 512.
///
/// A limit of ours; the format has none. Such a block can be sent in 11 bytes, and costs a decoder as much time as thousands of
/// bytes of content. Encoders stay far below: ours makes up to 64 of the 129 that a full tile may have.
#[must_use]
pub const fn max_dynamic_blocks(content: usize) -> usize {
    1 + content / 512
}

/// Bytes of payload in one tile at least: a first word for each lane.
pub const MIN_TILE_PAYLOAD: usize = LANES * WORD;

/// Lanes that a tile's bits are dealt to.
pub(crate) const LANES: usize = 32;

/// Bytes in the unit that is dealt.
pub(crate) const WORD: usize = 4;

/// Literal/length symbols that a code may name; 286 and 287 exist only in the static code and mean nothing.
pub(crate) const LITLEN_SYMBOLS: usize = 288;

/// Distance symbols, all of them meaningful.
pub(crate) const DISTANCE_SYMBOLS: usize = 32;

/// Symbols of the code that code lengths are written in.
pub(crate) const PRECODE_SYMBOLS: usize = 19;

/// The literal/length symbol that ends a block.
pub(crate) const END_OF_BLOCK: usize = 256;

/// Bits in a literal/length or distance code at most.
pub(crate) const MAX_CODE_BITS: usize = 15;

/// Bits in a code-length code at most.
pub(crate) const MAX_PRECODE_BITS: usize = 7;

/// The order in which a dynamic block sends the lengths of the code-length code.
pub(crate) const PRECODE_ORDER: [u8; PRECODE_SYMBOLS] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The shortest match.
pub(crate) const MIN_MATCH: usize = 3;

/// What a length or distance symbol stands for: `base` plus the value of `extra` bits that follow the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) base: u16,
    pub(crate) extra: u8,
}

/// The 29 length symbols from 257 on. `base` is the length itself.
pub(crate) const LENGTHS: [Range; 29] = length_ranges();

/// The 32 distance symbols. `base` is the distance itself.
pub(crate) const DISTANCES: [Range; DISTANCE_SYMBOLS] = distance_ranges();

/// The code lengths of a static block's literal/length code.
pub(crate) const STATIC_LITLEN_BITS: [u8; LITLEN_SYMBOLS] = static_litlen_bits();

/// The code lengths of a static block's distance code.
pub(crate) const STATIC_DISTANCE_BITS: [u8; DISTANCE_SYMBOLS] = [5; DISTANCE_SYMBOLS];

const fn length_ranges() -> [Range; 29] {
    let mut ranges = [Range { base: 0, extra: 0 }; 29];
    let mut base = MIN_MATCH as u16;
    let mut symbol = 0;
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { (symbol as u8 - 4) / 4 };
        ranges[symbol] = Range { base, extra };
        base += 1 << extra;
        symbol += 1;
    }
    // Not RFC 1951's 258: any length can be said with this symbol alone.
    ranges[28] = Range { base: MIN_MATCH as u16, extra: 16 };
    ranges
}

const fn distance_ranges() -> [Range; DISTANCE_SYMBOLS] {
    let mut ranges = [Range { base: 0, extra: 0 }; DISTANCE_SYMBOLS];
    let mut base = 1;
    let mut symbol = 0;
    while symbol < DISTANCE_SYMBOLS {
        let extra = if symbol < 4 { 0 } else { (symbol as u8 - 2) / 2 };
        ranges[symbol] = Range { base: base as u16, extra };
        base += 1_u32 << extra;
        symbol += 1;
    }
    ranges
}

const fn static_litlen_bits() -> [u8; LITLEN_SYMBOLS] {
    let mut bits = [8; LITLEN_SYMBOLS];
    let mut symbol = 144;
    while symbol < 280 {
        bits[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabets_end_where_deflate64_says() {
        assert_eq!(LENGTHS[0], Range { base: 3, extra: 0 });
        assert_eq!(LENGTHS[8], Range { base: 11, extra: 1 });
        assert_eq!(LENGTHS[27], Range { base: 227, extra: 5 });
        assert_eq!(LENGTHS[28], Range { base: 3, extra: 16 });
        assert_eq!(DISTANCES[3], Range { base: 4, extra: 0 });
        assert_eq!(DISTANCES[29], Range { base: 24_577, extra: 13 });
        assert_eq!(DISTANCES[30], Range { base: 32_769, extra: 14 });
        assert_eq!(DISTANCES[31], Range { base: 49_153, extra: 14 });
    }

    #[test]
    fn static_code_is_complete() {
        let space: u32 = STATIC_LITLEN_BITS.iter().map(|&bits| 1 << (MAX_CODE_BITS - bits as usize)).sum();
        assert_eq!(space, 1 << MAX_CODE_BITS);
        assert_eq!(STATIC_LITLEN_BITS[143..=144], [8, 9]);
        assert_eq!(STATIC_LITLEN_BITS[255..=256], [9, 7]);
        assert_eq!(STATIC_LITLEN_BITS[279..=280], [7, 8]);
    }

    #[test]
    fn the_limits_agree() {
        assert_eq!(MAX_STREAM_SIZE, (MAX_TILES * TILE_SIZE) as u64);
        assert_eq!(MIN_TILE_PAYLOAD, 128);
    }
}
