//! Tiles that make a decoder work hard for few bytes.
//!
//! What a block costs (reading its header, building its tables, getting the fast path going) is the same for a block of next
//! to nothing. These tiles are full of such blocks, as small as the format allows, or of symbols that need a closer look.

use ds_gdeflate::{MAX_TILE_PAYLOAD, TILE_SIZE, max_dynamic_blocks};

/// Bytes of content that such tiles are made for, or nearly as many: what a tile may have depends on it.
pub(crate) const SIZES: [usize; 10] = [TILE_SIZE, 16_384, 4096, 1024, 512, 256, 128, 64, 32, 8];

use super::writer::Symbol::{self, End, Literal, Match};
use super::writer::{Length, Prefix, TileWriter};

/// A sound tile that is no pleasure to decode.
pub(crate) struct Worst {
    pub(crate) name: &'static str,
    pub(crate) payload: Vec<u8>,
    /// Bytes of content.
    pub(crate) len: usize,
    /// Blocks before the last one, the one that gives content among them.
    pub(crate) blocks: usize,
    /// How many of these have codes of their own.
    pub(crate) dynamic: usize,
}

/// All of them that can be made with `content` bytes of content at most.
pub(crate) fn worst(content: usize) -> Vec<Worst> {
    let empty_static = || Block::Static(vec![End]);
    let literals =
        |count: usize| -> Vec<Symbol> { vec![Literal(b'x'); count].into_iter().chain([End]).collect() };
    let single = || Block::dynamic(single(), vec![End]);
    let near = Match { length: (257, 0), distance: (0, 0) };
    let matches = |count: usize| -> Vec<Symbol> {
        [Literal(b'x')].into_iter().chain(vec![near; count]).chain([End]).collect()
    };
    let mut overlaps = vec![Literal(b'x')];
    overlaps.resize(30_000 / 3, near);
    overlaps.push(End);
    let by_turns = |block| [block, Block::Static(literals(1))];
    let repeat = |name, blocks: &[Block]| repeat(name, content, blocks);
    let tiles = [
        repeat("empty stored blocks", &[Block::Stored(0)]),
        repeat("stored blocks of one byte", &[Block::Stored(1)]),
        repeat("stored blocks of 100 bytes", &[Block::Stored(100)]),
        repeat("empty static blocks", &[empty_static()]),
        repeat("static blocks of one literal", &[Block::Static(literals(1))]),
        repeat("static blocks of 31 literals", &[Block::Static(literals(31))]),
        repeat("static blocks of 33 literals", &[Block::Static(literals(33))]),
        repeat("static blocks of 33 literals, and of one", &by_turns(Block::Static(literals(33)))),
        repeat("one symbol in each code", &[single()]),
        repeat("one symbol in each code, and static codes", &by_turns(single())),
        repeat("four bits a symbol", &[Block::dynamic(flat_4(), vec![End])]),
        repeat("four bits a symbol, and static codes", &by_turns(Block::dynamic(flat_4(), vec![End]))),
        repeat("eight bits a symbol", &[Block::dynamic(flat_8(), vec![End])]),
        repeat("the most subtables", &[Block::dynamic(deep(), vec![End])]),
        repeat("the most subtables, and static codes", &by_turns(Block::dynamic(deep(), vec![End]))),
        repeat("lengths one by one", &[Block::dynamic(one_by_one(), vec![End])]),
        repeat("lengths one by one, 7 literals", &[Block::dynamic(one_by_one(), literals(7))]),
        repeat("lengths one by one, 31 literals", &[Block::dynamic(one_by_one(), literals(31))]),
        repeat("lengths one by one, 33 literals", &[Block::dynamic(one_by_one(), literals(33))]),
        repeat("lengths one by one, 97 literals", &[Block::dynamic(one_by_one(), literals(97))]),
        repeat("lengths one by one, 2 matches", &[Block::dynamic(one_by_one(), matches(2))]),
        repeat("lengths one by one, 30 matches", &[Block::dynamic(one_by_one(), matches(30))]),
        repeat("long codewords, 33 literals", &[Block::dynamic(deep(), literals(33))]),
        repeat("long codewords, one block", &[Block::dynamic(deep(), literals(60_000))]),
        repeat("long codewords, blocks of 100", &[Block::dynamic(deep(), literals(100))]),
        repeat("short matches that overlap", &[Block::Static(overlaps)]),
    ];
    tiles.into_iter().flatten().collect()
}

enum Block {
    Stored(usize),
    Static(Vec<Symbol>),
    Dynamic(Codes, Vec<Symbol>),
}

/// Codes of a dynamic block, and how its header says them.
struct Codes {
    litlen: Prefix,
    distance: Prefix,
    precode: [u8; 19],
    lengths: Vec<Length>,
}

impl Block {
    fn dynamic(codes: Codes, symbols: Vec<Symbol>) -> Self {
        Self::Dynamic(codes, symbols)
    }

    fn write(&self, tile: &mut TileWriter) {
        match self {
            Self::Stored(len) => tile.stored(false, *len, &vec![b's'; *len]),
            Self::Static(symbols) => tile.fixed(false, symbols),
            Self::Dynamic(codes, symbols) => {
                let Codes { litlen, distance, precode, lengths } = codes;
                tile.block(false, 2)
                    .code_lengths(litlen.0.len(), distance.0.len(), precode, lengths)
                    .symbols(litlen, distance, symbols)
            }
        };
    }

    fn size(&self) -> usize {
        let of = |symbols: &[Symbol]| -> usize {
            symbols
                .iter()
                .map(|symbol| match symbol {
                    Literal(_) => 1,
                    Match { .. } => 3,
                    _ => 0,
                })
                .sum()
        };
        match self {
            Self::Stored(len) => *len,
            Self::Static(symbols) | Self::Dynamic(_, symbols) => of(symbols),
        }
    }
}

/// Repeats `blocks` as often as a tile may have them, in payload, content and codes; then comes one stored byte. `None` if it
/// may not have them once.
///
/// How many codes there may be depends on the content. Where blocks give next to none, one before them gives it: a match.
fn repeat(name: &'static str, content: usize, blocks: &[Block]) -> Option<Worst> {
    let dynamic = blocks.iter().filter(|block| matches!(block, Block::Dynamic(..))).count();
    let size: usize = blocks.iter().map(Block::size).sum();
    let most_dynamic = max_dynamic_blocks(content).checked_div(dynamic).unwrap_or(usize::MAX);
    // The last byte is the stored one.
    let content = content - 1;
    let first = if dynamic == 0 { 0 } else { content.saturating_sub(most_dynamic * size) };
    let write = |times: usize| {
        let mut tile = TileWriter::new();
        if first != 0 {
            tile.fixed(false, &run(first));
        }
        (0..times).for_each(|_| blocks.iter().for_each(|block| block.write(&mut tile)));
        tile
    };
    let bits = write(1).bits();
    // The last block, and up to two words a lane that are not used up.
    let room = 8 * MAX_TILE_PAYLOAD - 32 * 65;
    let most_content = content.checked_div(size).unwrap_or(usize::MAX);
    let times = (room / bits).min(most_content).min(most_dynamic);
    let payload = write(times).stored(true, 1, b"x").payload();
    let blocks = times * blocks.len() + usize::from(first != 0);
    (times != 0).then_some(Worst {
        name,
        payload,
        len: first + times * size + 1,
        blocks,
        dynamic: times * dynamic,
    })
}

/// A static block's symbols for `len` bytes, 4 at least: a literal, and a match with it.
fn run(len: usize) -> [Symbol; 3] {
    let extra = (len - 1 - 3) as u32;
    [Literal(b'x'), Match { length: (285, extra), distance: (0, 0) }, End]
}

fn precode(lengths: &[(usize, u8)]) -> [u8; 19] {
    Prefix::of(19, lengths).0.try_into().expect("19 lengths")
}

/// The shortest header there is: the end of the block, and one distance.
fn single() -> Codes {
    Codes {
        litlen: Prefix::of(257, &[(256, 1)]),
        distance: Prefix(vec![1]),
        precode: precode(&[(18, 1), (1, 1)]),
        lengths: vec![Length::Zeros(138), Length::Zeros(118), Length::One(1), Length::One(1)],
    }
}

/// Sixteen symbols in each code.
fn flat_4() -> Codes {
    let ends: Vec<_> = (241..257).map(|symbol| (symbol, 4)).collect();
    let mut lengths = vec![Length::Zeros(138), Length::Zeros(103), Length::One(4)];
    lengths.extend([6, 6, 6, 6, 4, 3].map(Length::Repeat));
    Codes {
        litlen: Prefix::of(257, &ends),
        distance: Prefix(vec![4; 16]),
        precode: precode(&[(18, 2), (4, 2), (16, 1)]),
        lengths,
    }
}

/// As many symbols as can be said in runs.
fn flat_8() -> Codes {
    let mut litlen = vec![8; 256];
    litlen[0] = 0;
    litlen.push(8);
    let mut lengths = vec![Length::One(0), Length::One(8)];
    // 255 more lengths of 8, then 32 of 5.
    lengths.extend([Length::Repeat(6); 42]);
    lengths.push(Length::Repeat(3));
    lengths.push(Length::One(5));
    lengths.extend([Length::Repeat(6); 5]);
    lengths.push(Length::One(5));
    Codes {
        litlen: Prefix(litlen),
        distance: Prefix(vec![5; 32]),
        precode: precode(&[(0, 3), (5, 3), (8, 2), (16, 1)]),
        lengths,
    }
}

/// Nearly all literals have 15 bits.
fn deep() -> Codes {
    let mut litlen = vec![15; 256];
    let mut lengths = vec![Length::One(15)];
    lengths.extend([Length::Repeat(6); 42]);
    lengths.push(Length::Repeat(3));
    // 256 of 2^15 codewords are gone: one each of 7 bits, 6, ... 1 bit are left.
    for bits in (1..=7).rev() {
        litlen.push(bits);
        lengths.push(Length::One(bits));
    }
    lengths.push(Length::One(1));
    Codes {
        litlen: Prefix(litlen),
        distance: Prefix(vec![1]),
        precode: precode(&[(16, 1), (1, 3), (2, 4), (3, 4), (4, 4), (5, 4), (6, 4), (7, 5), (15, 5)]),
        lengths,
    }
}

/// A turn for each of 288 lengths and 32.
fn one_by_one() -> Codes {
    let litlen: Vec<u8> = (0..288).map(|symbol| if symbol % 9 < 2 { 9 } else { 8 }).collect();
    let lengths = litlen.iter().map(|&bits| Length::One(bits)).chain([Length::One(5); 32]).collect();
    Codes {
        litlen: Prefix(litlen),
        distance: Prefix(vec![5; 32]),
        precode: precode(&[(8, 1), (9, 2), (5, 2)]),
        lengths,
    }
}
