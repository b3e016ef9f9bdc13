//! A writer of tiles that says exactly what it is told to, sense or nonsense.

use std::collections::VecDeque;

const LANES: usize = 32;

/// The order in which the lengths of the code-length code are sent.
const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A complete code-length code with all 19 symbols.
pub(crate) const FULL_PRECODE: [u8; 19] = {
    let mut lengths = [4; 19];
    let mut symbol = 13;
    while symbol < 19 {
        lengths[symbol] = 5;
        symbol += 1;
    }
    lengths
};

/// A symbol and the value of its extra bits.
pub(crate) type WithExtra = (usize, u32);

/// One turn of a block's symbols, with the distance that the lane adds a round later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Symbol {
    Literal(u8),
    Match {
        length: WithExtra,
        distance: WithExtra,
    },
    /// A literal/length symbol that means nothing.
    Reserved(usize),
    End,
}

/// A prefix code, by its lengths.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(pub(crate) Vec<u8>);

impl Prefix {
    /// The static literal/length code.
    pub(crate) fn static_litlen() -> Self {
        Self(
            (0..288)
                .map(|symbol| [8, 9, 7, 8][[144, 256, 280].iter().filter(|&&end| symbol >= end).count()])
                .collect(),
        )
    }

    /// The static distance code.
    pub(crate) fn static_distance() -> Self {
        Self(vec![5; 32])
    }

    /// A code of `len` lengths, all 0 but those given.
    pub(crate) fn of(len: usize, lengths: &[(usize, u8)]) -> Self {
        let mut all = vec![0; len];
        for &(symbol, bits) in lengths {
            all[symbol] = bits;
        }
        Self(all)
    }

    /// A symbol's codeword, first bit lowest, and its length. A symbol without one gets a single 1: the unused
    /// bit of a one-symbol code, and outside an empty one.
    fn codeword(&self, symbol: usize) -> (u32, u32) {
        let Some(&bits @ 1..) = self.0.get(symbol) else { return (1, 1) };
        let mut code = 0_u32;
        for (other, &length) in self.0.iter().enumerate() {
            // Every shorter codeword, and every earlier one of the same length, comes before this one.
            if length != 0 && (length < bits || length == bits && other < symbol) {
                code += 1 << (bits - length);
            }
        }
        let bits = u32::from(bits);
        (code.reverse_bits() >> (32 - bits), bits)
    }
}

/// One code length, or a run of them, as a dynamic block's header says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// This length.
    One(u8),
    /// Symbol 16: the last length 3 to 6 times more.
    Repeat(u32),
    /// Symbol 18: 11 to 138 zeros.
    Zeros(u32),
}

/// A tile being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct TileWriter {
    lanes: [VecDeque<bool>; LANES],
    /// Lane and bits taken, turn by turn.
    turns: Vec<(usize, usize)>,
    /// Bits taken in the turn that is under way.
    taken: usize,
}

impl TileWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The lane's next `count` bits, lowest first.
    pub(crate) fn put(&mut self, lane: usize, value: u32, count: usize) {
        self.lanes[lane].extend((0..count).map(|bit| value >> bit & 1 == 1));
        self.taken += count;
    }

    /// Ends the lane's turn: here a decoder refills it.
    pub(crate) fn end_turn(&mut self, lane: usize) {
        self.turns.push((lane, self.taken));
        self.taken = 0;
    }

    /// The header of a block.
    pub(crate) fn block(&mut self, last: bool, block_type: u32) -> &mut Self {
        self.put(0, u32::from(last) | block_type << 1, 3);
        self.end_turn(0);
        self
    }

    /// A stored block that announces `len` bytes.
    pub(crate) fn stored(&mut self, last: bool, len: usize, bytes: &[u8]) -> &mut Self {
        self.block(last, 0);
        self.put(0, len as u32, 16);
        self.end_turn(0);
        for (turn, &byte) in bytes.iter().enumerate() {
            self.put(turn % LANES, u32::from(byte), 8);
            self.end_turn(turn % LANES);
        }
        self
    }

    /// A block in the static codes.
    pub(crate) fn fixed(&mut self, last: bool, symbols: &[Symbol]) -> &mut Self {
        self.block(last, 1).symbols(&Prefix::static_litlen(), &Prefix::static_distance(), symbols)
    }

    /// A block in codes of its own.
    pub(crate) fn dynamic(
        &mut self,
        last: bool,
        litlen: &Prefix,
        distance: &Prefix,
        symbols: &[Symbol],
    ) -> &mut Self {
        let lengths: Vec<_> = litlen.0.iter().chain(&distance.0).map(|&bits| Length::One(bits)).collect();
        self.block(last, 2)
            .code_lengths(litlen.0.len(), distance.0.len(), &FULL_PRECODE, &lengths)
            .symbols(litlen, distance, symbols)
    }

    /// What follows a dynamic block's type, up to its symbols.
    pub(crate) fn code_lengths(
        &mut self,
        litlen: usize,
        distance: usize,
        precode: &[u8; 19],
        lengths: &[Length],
    ) -> &mut Self {
        self.put(0, (litlen - 257) as u32, 5);
        self.put(0, (distance - 1) as u32, 5);
        let sent = PRECODE_ORDER
            .iter()
            .rposition(|&symbol| precode[symbol] != 0)
            .map_or(4, |last| (last + 1).max(4));
        self.put(0, (sent - 4) as u32, 4);
        self.end_turn(0);
        for (lane, &symbol) in PRECODE_ORDER[..sent].iter().enumerate() {
            self.put(lane, u32::from(precode[symbol]), 3);
            self.end_turn(lane);
        }
        let precode = Prefix(precode.to_vec());
        for (turn, &length) in lengths.iter().enumerate() {
            let lane = turn % LANES;
            let (symbol, extra, count) = match length {
                Length::One(bits) => (bits as usize, 0, 0),
                Length::Repeat(times) => (16, times - 3, 2),
                Length::Zeros(times) => (18, times - 11, 7),
            };
            self.symbol(&precode, symbol, lane);
            self.put(lane, extra, count);
            self.end_turn(lane);
        }
        self
    }

    /// Rounds of symbols. Stops behind [`Symbol::End`] and the distances that are due then.
    pub(crate) fn symbols(&mut self, litlen: &Prefix, distance: &Prefix, symbols: &[Symbol]) -> &mut Self {
        let mut pending: [Option<WithExtra>; LANES] = [None; LANES];
        let mut symbols = symbols.iter();
        for lane in (0..LANES).cycle() {
            if let Some(due) = pending[lane].take() {
                self.distance(distance, due, lane);
                continue;
            }
            match symbols.next().expect("symbols end with End") {
                Symbol::Literal(byte) => self.symbol(litlen, usize::from(*byte), lane),
                Symbol::Reserved(symbol) => self.symbol(litlen, *symbol, lane),
                Symbol::Match { length: (symbol, extra), distance } => {
                    self.symbol(litlen, *symbol, lane);
                    self.put(lane, *extra, length_extra_bits(*symbol));
                    pending[lane] = Some(*distance);
                }
                Symbol::End => {
                    self.symbol(litlen, 256, lane);
                    self.end_turn(lane);
                    for lane in (lane + 1..LANES).chain(0..lane) {
                        if let Some(due) = pending[lane].take() {
                            self.distance(distance, due, lane);
                        }
                    }
                    return self;
                }
            }
            self.end_turn(lane);
        }
        unreachable!("the lanes cycle for ever")
    }

    fn symbol(&mut self, code: &Prefix, symbol: usize, lane: usize) {
        let (codeword, bits) = code.codeword(symbol);
        self.put(lane, codeword, bits as usize);
    }

    fn distance(&mut self, code: &Prefix, (symbol, extra): WithExtra, lane: usize) {
        self.symbol(code, symbol, lane);
        self.put(lane, extra, distance_extra_bits(symbol));
        self.end_turn(lane);
    }

    /// Bits that all turns so far take.
    pub(crate) fn bits(&self) -> usize {
        self.turns.iter().map(|&(_, taken)| taken).sum()
    }

    /// The payload: each lane's bits in words, dealt as a decoder asks for them.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut lanes = self.lanes.clone();
        let mut deal = |lane: usize| {
            (0..32).fold(0_u32, |word, bit| word | u32::from(lanes[lane].pop_front().unwrap_or(false)) << bit)
        };
        let mut words: Vec<u32> = (0..LANES).map(&mut deal).collect();
        let mut held = [32; LANES];
        for &(lane, taken) in &self.turns {
            assert!(taken <= held[lane], "a turn takes more bits than a lane is sure to have");
            held[lane] -= taken;
            if held[lane] < 32 {
                words.push(deal(lane));
                held[lane] += 32;
            }
        }
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

fn length_extra_bits(symbol: usize) -> usize {
    match symbol {
        265..=284 => (symbol - 261) / 4,
        285 => 16,
        _ => 0,
    }
}

fn distance_extra_bits(symbol: usize) -> usize {
    (symbol / 2).saturating_sub(1)
}
