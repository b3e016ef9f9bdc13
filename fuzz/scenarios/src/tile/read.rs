//! From a payload to blocks and content, bit by bit.

use super::{
    Block, Codes, LANES, PRECODE_ORDER, Said, TILE_SIZE, Token, distance_base, distance_extra_bits,
    length_base, length_extra_bits,
};

/// A payload over this size is refused, as `docs/gdeflate.md` says.
const MAX_PAYLOAD: usize = 128 * 1024;

/// The tile that a payload holds: its blocks, and its content of exactly `size` bytes. `None` if it must be refused.
pub fn read(payload: &[u8], size: usize) -> Option<(Vec<Block>, Vec<u8>)> {
    if size == 0 || size > TILE_SIZE || payload.len() > MAX_PAYLOAD {
        return None;
    }
    let mut bits = Bits::new(payload)?;
    let mut content = Content { bytes: Vec::with_capacity(size), size };
    let mut blocks = Vec::new();
    let mut dynamic_left = 1 + size / 512;
    loop {
        let last = bits.take(0, 1) == 1;
        let kind = bits.take(0, 2);
        bits.end_turn(0)?;
        blocks.push(match kind {
            0 => Block::Stored(stored(&mut bits, &mut content)?),
            1 => Block::Static(tokens(&mut bits, &Codes::fixed(), &mut content)?),
            2 => {
                // Too many of them are refused, as `docs/gdeflate.md` says.
                dynamic_left = dynamic_left.checked_sub(1)?;
                let codes = codes(&mut bits)?;
                let tokens = tokens(&mut bits, &codes, &mut content)?;
                Block::Dynamic(codes, tokens)
            }
            _ => return None,
        });
        if last {
            return (content.bytes.len() == size).then_some((blocks, content.bytes));
        }
    }
}

/// The content so far. Bytes of matches whose distance is not known yet are there, as zeros.
struct Content {
    bytes: Vec<u8>,
    size: usize,
}

impl Content {
    fn reserve(&mut self, len: usize) -> Option<usize> {
        let at = self.bytes.len();
        if len > self.size - at {
            return None;
        }
        self.bytes.resize(at + len, 0);
        Some(at)
    }
}

fn stored(bits: &mut Bits<'_>, content: &mut Content) -> Option<Vec<u8>> {
    let len = bits.take(0, 16) as usize;
    bits.end_turn(0)?;
    let at = content.reserve(len)?;
    for turn in 0..len {
        content.bytes[at + turn] = bits.take(turn % LANES, 8) as u8;
        bits.end_turn(turn % LANES)?;
    }
    Some(content.bytes[at..].to_vec())
}

fn codes(bits: &mut Bits<'_>) -> Option<Codes> {
    let litlen = bits.take(0, 5) as usize + 257;
    let distance = bits.take(0, 5) as usize + 1;
    let sent = bits.take(0, 4) as usize + 4;
    bits.end_turn(0)?;
    let mut precode = [0; 19];
    for (lane, &symbol) in PRECODE_ORDER[..sent].iter().enumerate() {
        precode[symbol] = bits.take(lane, 3) as u8;
        bits.end_turn(lane)?;
    }
    let precode = Code::new(&precode)?;

    let mut lengths = Vec::new();
    for turn in 0.. {
        if lengths.len() == litlen + distance {
            break;
        }
        let lane = turn % LANES;
        let (length, times) = match precode.symbol(bits, lane)? {
            16 => (*lengths.last()?, 3 + bits.take(lane, 2)),
            17 => (0, 3 + bits.take(lane, 3)),
            18 => (0, 11 + bits.take(lane, 7)),
            length => (length as u8, 1),
        };
        lengths.extend((0..times).map(|_| length));
        if lengths.len() > litlen + distance {
            return None;
        }
        bits.end_turn(lane)?;
    }
    let distance = lengths.split_off(litlen);
    Some(Codes { litlen: lengths, distance })
}

fn tokens(bits: &mut Bits<'_>, codes: &Codes, content: &mut Content) -> Option<Vec<Token>> {
    let litlen = Code::new(&codes.litlen)?;
    let distance = Code::new(&codes.distance)?;
    if codes.litlen[256] == 0 {
        return None;
    }
    let mut tokens = Vec::new();
    // For each lane the match that waits for its distance: its token, and where its bytes go.
    let mut pending: [Option<(usize, usize)>; LANES] = [None; LANES];
    let mut ended_at = None;
    for lane in (0..LANES).cycle() {
        if ended_at == Some(lane) {
            return Some(tokens);
        }
        if let Some((index, at)) = pending[lane].take() {
            let symbol = distance.symbol(bits, lane)?;
            let extra = bits.take(lane, distance_extra_bits(symbol));
            let back = distance_base(symbol) + extra as usize;
            let from = at.checked_sub(back)?;
            let token: &mut Token = &mut tokens[index];
            for i in 0..token.size() {
                content.bytes[at + i] = content.bytes[from + i];
            }
            if let Token::Match { distance, .. } = token {
                *distance = Said { symbol, extra };
            }
        } else if ended_at.is_none() {
            match litlen.symbol(bits, lane)? {
                256 => ended_at = Some(lane),
                literal @ 0..256 => {
                    let at = content.reserve(1)?;
                    content.bytes[at] = literal as u8;
                    tokens.push(Token::Literal(literal as u8));
                }
                symbol @ 257..286 => {
                    let extra = bits.take(lane, length_extra_bits(symbol));
                    let at = content.reserve(length_base(symbol) + extra as usize)?;
                    pending[lane] = Some((tokens.len(), at));
                    let unknown = Said { symbol: 0, extra: 0 };
                    tokens.push(Token::Match { length: Said { symbol, extra }, distance: unknown });
                }
                _ => return None,
            }
        } else {
            continue;
        }
        bits.end_turn(lane)?;
    }
    unreachable!("the lanes cycle for ever")
}

/// The lanes' bits.
struct Bits<'a> {
    words: core::slice::Iter<'a, [u8; 4]>,
    lanes: [(u64, u32); LANES],
}

impl<'a> Bits<'a> {
    fn new(payload: &'a [u8]) -> Option<Self> {
        let (words, []) = payload.as_chunks() else { return None };
        let mut this = Self { words: words.iter(), lanes: [(0, 0); LANES] };
        (0..LANES).try_for_each(|lane| this.end_turn(lane))?;
        Some(this)
    }

    /// The lane's next `count` bits. Between the ends of turns at most 32 can be taken.
    fn take(&mut self, lane: usize, count: u32) -> u32 {
        let (bits, held) = &mut self.lanes[lane];
        let taken = *bits & ((1 << count) - 1);
        *bits >>= count;
        *held = held.checked_sub(count).expect("no turn takes more than 32 bits");
        taken as u32
    }

    /// Gives the lane its next word if it has fewer than 32 bits.
    fn end_turn(&mut self, lane: usize) -> Option<()> {
        let (bits, held) = &mut self.lanes[lane];
        if *held < 32 {
            *bits |= u64::from(u32::from_le_bytes(*self.words.next()?)) << *held;
            *held += 32;
        }
        Some(())
    }
}

/// A canonical prefix code, decoded by counting.
struct Code {
    /// How many codewords there are of each length.
    counts: [u32; 16],
    /// Symbols by codeword length, then by number.
    symbols: Vec<u16>,
}

impl Code {
    /// The code with these lengths, unless it is over-subscribed, or incomplete and not one symbol of one bit or none.
    fn new(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; 16];
        for &bits in lengths.iter().filter(|&&bits| bits != 0) {
            counts[usize::from(bits)] += 1;
        }
        let used: u32 = (1..16).map(|bits| counts[bits] << (15 - bits)).sum();
        let is_single = used == 1 << 14 && counts[1] == 1;
        if used != 1 << 15 && used != 0 && !is_single {
            return None;
        }
        let of = |bits| (0_u16..).zip(lengths).filter(move |&(_, &length)| length == bits);
        let symbols = (1..16).flat_map(|bits| of(bits).map(|(symbol, _)| symbol)).collect();
        Some(Self { counts, symbols })
    }

    fn symbol(&self, bits: &mut Bits<'_>, lane: usize) -> Option<u16> {
        let (mut codeword, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            codeword = codeword << 1 | bits.take(lane, 1);
            first <<= 1;
            if codeword < first + count {
                return self.symbols.get((index + codeword - first) as usize).copied();
            }
            index += count;
            first += count;
        }
        None
    }
}
