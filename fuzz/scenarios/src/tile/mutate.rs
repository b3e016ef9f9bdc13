//! Changes to a tile that leave its structure whole, so that they reach what lies behind the headers.
//!
//! A flipped bit in a Huffman code nearly always ends in the same few refusals. Here a payload is read into blocks, these
//! are changed, and the result is written as a payload again: with sound codes, a matching size, every word in its place.

use super::{Block, Codes, Said, TILE_SIZE, Token, distance_extra_bits, length_extra_bits, read, write};
use crate::random::Random;

/// Most bytes of content that a mutation lets a tile grow to: as large as a tile gets.
const MAX_CONTENT: usize = TILE_SIZE;

/// A variation of the tile in `payload` with `size` bytes of content, and its size. `None` if there is no sound tile to vary.
///
/// The result is mostly a sound tile; matches may reach too far back, since what comes before them may have shrunk.
pub fn mutate(payload: &[u8], size: usize, random: &mut Random) -> Option<(Vec<u8>, usize)> {
    let (mut blocks, content) = read::read(payload, size)?;
    for _ in 0..1 + random.below(4) {
        change(&mut blocks, &content, random);
    }
    let mut size: usize = blocks.iter().map(Block::size).sum();
    if size == 0 || size > MAX_CONTENT {
        return None;
    }
    if random.once_in(64) {
        size = 1 + random.below(MAX_CONTENT);
    }
    Some((write::write(&blocks), size))
}

fn change(blocks: &mut Vec<Block>, content: &[u8], random: &mut Random) {
    let at = random.below(blocks.len());
    match random.below(16) {
        0..8 => match blocks[at].tokens_mut() {
            Some(tokens) => change_tokens(tokens, random),
            None => blocks[at] = Block::Static(literals(content, random)),
        },
        8..12 => match &mut blocks[at] {
            Block::Dynamic(codes, tokens) => {
                change_code(if random.once_in(3) { &mut codes.distance } else { &mut codes.litlen }, random);
                if random.once_in(2) {
                    cover(codes, tokens, random);
                }
            }
            Block::Static(tokens) => {
                let tokens = core::mem::take(tokens);
                let mut codes = Codes {
                    litlen: vec![0; 257 + random.below(32)],
                    distance: vec![0; 1 + random.below(32)],
                };
                cover(&mut codes, &tokens, random);
                blocks[at] = Block::Dynamic(codes, tokens);
            }
            Block::Stored(bytes) => bytes.truncate(random.below(bytes.len() + 1)),
        },
        12 => blocks.insert(at, Block::Stored(some_bytes(content, random))),
        13 => blocks.insert(at, Block::Static(literals(content, random))),
        14 => {
            let copy = blocks[random.below(blocks.len())].clone();
            blocks.insert(at, copy);
        }
        _ if blocks.len() > 1 => drop(blocks.remove(at)),
        _ => {
            // Two blocks with the same codes where there was one.
            let mut second = blocks[at].clone();
            if let (Some(first), Some(second)) = (blocks[at].tokens_mut(), second.tokens_mut()) {
                let cut = random.below(first.len());
                first.truncate(cut);
                second.drain(..cut);
            }
            blocks.insert(at + 1, second);
        }
    }
}

fn change_tokens(tokens: &mut Vec<Token>, random: &mut Random) {
    if tokens.is_empty() {
        tokens.push(Token::Literal(random.bits() as u8));
    }
    let at = random.below(tokens.len());
    match random.below(8) {
        0 => tokens[at] = Token::Literal(random.bits() as u8),
        1 => {
            tokens.remove(at);
        }
        // A run of tokens again: rounds full of matches, or of literals, come about so.
        2 | 3 => {
            let run: Vec<_> = tokens[at..].iter().take(1 + random.below(64)).copied().collect();
            let to = random.below(tokens.len() + 1);
            tokens.splice(to..to, run);
        }
        4 => tokens.swap(at, at.saturating_sub(1)),
        5 => tokens.truncate(at + 1),
        // The near ones twice as likely: they overlap themselves.
        6 => {
            let distances = if random.once_in(2) { 10 } else { 32 };
            tokens.insert(at, a_match(random, distances));
        }
        _ => match &mut tokens[at] {
            Token::Literal(byte) => *byte ^= 1 << random.below(8),
            Token::Match { length, distance } => match random.below(4) {
                0 => *length = said(257 + random.below(29) as u16, length_extra_bits, random),
                1 => *distance = said(random.below(32) as u16, distance_extra_bits, random),
                2 => {
                    length.extra =
                        length.extra.wrapping_add(1) & ((1 << length_extra_bits(length.symbol)) - 1)
                }
                _ => distance.extra = 0,
            },
        },
    }
}

fn a_match(random: &mut Random, distances: usize) -> Token {
    Token::Match {
        length: said(257 + random.below(29) as u16, length_extra_bits, random),
        distance: said(random.below(distances) as u16, distance_extra_bits, random),
    }
}

fn said(symbol: u16, bits: fn(u16) -> u32, random: &mut Random) -> Said {
    // Symbol 285 can say any length: mostly small ones, so that they fit.
    let end = if symbol == 285 && !random.once_in(8) { 400 } else { 1 << bits(symbol) };
    Said { symbol, extra: random.below(end) as u32 }
}

fn some_bytes(content: &[u8], random: &mut Random) -> Vec<u8> {
    let at = random.below(content.len());
    content[at..].iter().take(random.below(300)).copied().collect()
}

fn literals(content: &[u8], random: &mut Random) -> Vec<Token> {
    some_bytes(content, random).into_iter().map(Token::Literal).collect()
}

/// Changes code lengths so that a complete code stays complete, mostly.
fn change_code(lengths: &mut [u8], random: &mut Random) {
    let (one, other) = (random.below(lengths.len()), random.below(lengths.len()));
    match (lengths[one], lengths[other]) {
        // A codeword becomes two that are a bit longer.
        (0, 0) => {}
        (0, long @ 1..15) => (lengths[one], lengths[other]) = (long + 1, long + 1),
        (long @ 1..15, 0) => (lengths[one], lengths[other]) = (long + 1, long + 1),
        _ if random.once_in(32) => lengths[one] = random.below(16) as u8,
        _ => lengths.swap(one, other),
    }
}

/// Makes codes that have a codeword for every symbol of `tokens`, and for the end of the block.
fn cover(codes: &mut Codes, tokens: &[Token], random: &mut Random) {
    let mut litlen = vec![256];
    let mut distances = Vec::new();
    for token in tokens {
        match token {
            Token::Literal(byte) => litlen.push(u16::from(*byte)),
            Token::Match { length, distance } => {
                litlen.push(length.symbol);
                distances.push(distance.symbol);
            }
        }
    }
    complete(&mut codes.litlen, litlen, random);
    complete(&mut codes.distance, distances, random);
}

/// A random complete code over `symbols`: of one symbol, one bit.
fn complete(lengths: &mut Vec<u8>, mut symbols: Vec<u16>, random: &mut Random) {
    symbols.sort_unstable();
    symbols.dedup();
    let len = symbols.last().map_or(1, |&last| usize::from(last) + 1);
    lengths.resize(lengths.len().max(len), 0);
    lengths.fill(0);
    // Splits codewords, starting from the one of no bits, until there are enough.
    let mut leaves = vec![u8::from(symbols.len() == 1)];
    while leaves.len() < symbols.len() {
        let at = random.below(leaves.len());
        // Mostly the latest: that makes long codewords.
        let at = if random.once_in(4) { at } else { leaves.len() - 1 };
        let open = (0..leaves.len()).map(|i| (at + i) % leaves.len()).find(|&i| leaves[i] < 15);
        let at = open.expect("a code of 15 bits has room for every symbol");
        leaves[at] += 1;
        leaves.push(leaves[at]);
    }
    for (&symbol, &bits) in symbols.iter().zip(&leaves) {
        lengths[usize::from(symbol)] = bits;
    }
}
