//! From blocks to a payload.

use super::{Block, Codes, LANES, PRECODE_ORDER, Said, Token, distance_extra_bits, length_extra_bits};

/// A complete code-length code with all 19 symbols.
const PRECODE: [u8; 19] = [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5];

/// The payload of a tile of these blocks. A symbol without a codeword is written as a single 1, which no decoder accepts.
pub fn write(blocks: &[Block]) -> Vec<u8> {
    let mut bits = Bits::new();
    for (index, block) in blocks.iter().enumerate() {
        let (kind, codes) = match block {
            Block::Stored(_) => (0, None),
            Block::Static(_) => (1, Some(&Codes::fixed())),
            Block::Dynamic(codes, _) => (2, Some(codes)),
        };
        bits.put(0, u32::from(index + 1 == blocks.len()), 1);
        bits.put(0, kind, 2);
        bits.end_turn(0);
        match (block, codes) {
            (Block::Stored(bytes), _) => stored(&mut bits, bytes),
            (Block::Static(list), Some(codes)) => tokens(&mut bits, codes, list),
            (Block::Dynamic(_, list), Some(codes)) => {
                lengths(&mut bits, codes);
                tokens(&mut bits, codes, list);
            }
            _ => unreachable!("only stored blocks have no codes"),
        }
    }
    bits.words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn stored(bits: &mut Bits, bytes: &[u8]) {
    bits.put(0, bytes.len() as u32, 16);
    bits.end_turn(0);
    for (turn, &byte) in bytes.iter().enumerate() {
        bits.put(turn % LANES, u32::from(byte), 8);
        bits.end_turn(turn % LANES);
    }
}

fn lengths(bits: &mut Bits, codes: &Codes) {
    bits.put(0, codes.litlen.len() as u32 - 257, 5);
    bits.put(0, codes.distance.len() as u32 - 1, 5);
    bits.put(0, 15, 4);
    bits.end_turn(0);
    for (lane, symbol) in PRECODE_ORDER.into_iter().enumerate() {
        bits.put(lane, u32::from(PRECODE[symbol]), 3);
        bits.end_turn(lane);
    }
    let precode = codewords(&PRECODE);
    let mut rest: Vec<u8> = codes.litlen.iter().chain(&codes.distance).copied().collect();
    let mut turn = 0;
    let mut previous = None;
    while let Some(&length) = rest.first() {
        let run = rest.iter().take_while(|&&other| other == length).count();
        // Symbol, extra bits, how many they are, and the lengths said.
        let (symbol, extra, count, said) = match run {
            11.. if length == 0 => (18, run.min(138) - 11, 7, run.min(138)),
            3.. if length == 0 => (17, run.min(10) - 3, 3, run.min(10)),
            3.. if previous == Some(length) => (16, run.min(6) - 3, 2, run.min(6)),
            _ => (usize::from(length), 0, 0, 1),
        };
        let lane = turn % LANES;
        bits.symbol(lane, &precode, symbol);
        bits.put(lane, extra as u32, count);
        bits.end_turn(lane);
        turn += 1;
        previous = Some(length);
        rest.drain(..said);
    }
}

fn tokens(bits: &mut Bits, codes: &Codes, tokens: &[Token]) {
    let (litlen, distances) = (codewords(&codes.litlen), codewords(&codes.distance));
    let mut pending: [Option<Said>; LANES] = [None; LANES];
    let mut tokens = tokens.iter();
    let mut ended_at = None;
    for lane in (0..LANES).cycle() {
        if ended_at == Some(lane) {
            return;
        }
        if let Some(Said { symbol, extra }) = pending[lane].take() {
            bits.symbol(lane, &distances, symbol.into());
            bits.put(lane, extra, distance_extra_bits(symbol));
        } else if ended_at.is_none() {
            match tokens.next() {
                None => {
                    bits.symbol(lane, &litlen, 256);
                    ended_at = Some(lane);
                }
                Some(&Token::Literal(byte)) => bits.symbol(lane, &litlen, byte.into()),
                Some(&Token::Match { length: Said { symbol, extra }, distance }) => {
                    bits.symbol(lane, &litlen, symbol.into());
                    bits.put(lane, extra, length_extra_bits(symbol));
                    pending[lane] = Some(distance);
                }
            }
        } else {
            continue;
        }
        bits.end_turn(lane);
    }
}

/// Each symbol's codeword, first bit lowest, and its length.
fn codewords(lengths: &[u8]) -> Vec<(u32, u32)> {
    let mut words = vec![(1, 1); lengths.len()];
    let mut codeword = 0_u32;
    for bits in 1..16 {
        codeword <<= 1;
        for (word, _) in words.iter_mut().zip(lengths).filter(|&(_, &length)| u32::from(length) == bits) {
            *word = (codeword.reverse_bits() >> (32 - bits), bits);
            codeword = codeword.wrapping_add(1);
        }
    }
    words
}

/// Words, and where each lane's bits go in them.
struct Bits {
    words: Vec<u32>,
    lanes: [Lane; LANES],
}

/// The one or two words that a lane holds, and the bits of them that are not written yet.
#[derive(Clone, Copy)]
struct Lane {
    words: [usize; 2],
    left: u32,
}

impl Bits {
    fn new() -> Self {
        Self {
            words: vec![0; LANES],
            lanes: core::array::from_fn(|lane| Lane { words: [lane, lane], left: 32 }),
        }
    }

    fn put(&mut self, lane: usize, value: u32, count: u32) {
        let lane = &mut self.lanes[lane];
        for bit in 0..count {
            let word = lane.words[usize::from(lane.left <= 32)];
            let place = 31 - (lane.left - 1) % 32;
            self.words[word] |= (value >> bit & 1) << place;
            lane.left -= 1;
        }
    }

    fn symbol(&mut self, lane: usize, codewords: &[(u32, u32)], symbol: usize) {
        let (word, bits) = codewords.get(symbol).copied().unwrap_or((1, 1));
        self.put(lane, word, bits);
    }

    fn end_turn(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        if lane.left < 32 {
            lane.words = [lane.words[1], self.words.len()];
            lane.left += 32;
            self.words.push(0);
        }
    }
}
