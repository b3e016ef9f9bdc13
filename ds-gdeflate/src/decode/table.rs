//! Decoding tables: from code lengths to something one look-up can answer.
//!
//! Both codes of a block live in one array, so that a lane chooses between them by arithmetic alone:
//!
//! ```text
//! 0        2048               4096         6144
//! | literal/ | subtables of     | distance  |
//! | length   | both codes       |           |
//! ```
//!
//! The first 11 bits of a codeword index the first level; longer codewords go on in a subtable there.

use super::entry;
use crate::error::{Code, TileErrorKind};
use crate::format::{
    DISTANCE_SYMBOLS, END_OF_BLOCK, LITLEN_SYMBOLS, MAX_CODE_BITS, MAX_PRECODE_BITS, PRECODE_SYMBOLS,
    STATIC_DISTANCE_BITS, STATIC_LITLEN_BITS,
};

/// Bits that index the first level.
pub(super) const ROOT_BITS: u32 = 11;

const ROOT_SIZE: usize = 1 << ROOT_BITS;

/// Where the distance table begins.
///
/// Its bit is that of [`entry::LENGTH`] in the upper half of an entry, so that the lane's last entry says which
/// table its next turn uses.
pub(super) const DISTANCE_AT: usize = (entry::LENGTH >> 16) as usize;

const SIZE: usize = DISTANCE_AT + ROOT_SIZE;

// A subtable of 2^s entries holds s + 1 codewords at least, so 320 symbols cannot need more than this.
const _: () = {
    let most_bits = MAX_CODE_BITS - ROOT_BITS as usize;
    let symbols = LITLEN_SYMBOLS + DISTANCE_SYMBOLS;
    assert!(ROOT_SIZE + (symbols << most_bits) / (most_bits + 1) <= DISTANCE_AT);
};

/// The tables of one block.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) entries: [u32; SIZE],
    /// The static codes are loaded: a static block need not build them again.
    is_static: bool,
}

impl Tables {
    pub(super) const fn new() -> Self {
        Self { entries: [0; SIZE], is_static: false }
    }

    /// Makes these the tables of static blocks.
    pub(super) fn load_static(&mut self) {
        if !self.is_static {
            for part in self.entries[..ROOT_SIZE].as_chunks_mut().0 {
                *part = STATIC_LITLEN;
            }
            for part in self.entries[DISTANCE_AT..].as_chunks_mut().0 {
                *part = STATIC_DISTANCE;
            }
            self.is_static = true;
        }
    }

    /// Makes these the tables of a dynamic block with the given code lengths.
    ///
    /// # Errors
    ///
    /// `OverSubscribed`, `Incomplete` or `NoEndOfBlock`; the literal/length code is judged first. The tables
    /// are then unusable until the next build.
    pub(super) fn load_dynamic(&mut self, litlen: &[u8], distance: &[u8]) -> Result<(), TileErrorKind> {
        self.is_static = false;
        self.build(litlen, distance)
    }

    fn build(&mut self, litlen: &[u8], distance: &[u8]) -> Result<(), TileErrorKind> {
        let mut free = ROOT_SIZE;
        self.build_one(Code::LiteralLength, litlen, &entry::LITLEN, 0, &mut free)?;
        if litlen[END_OF_BLOCK] == 0 {
            return Err(TileErrorKind::NoEndOfBlock);
        }
        self.build_one(Code::Distance, distance, &entry::DISTANCE, DISTANCE_AT, &mut free)
    }

    /// Fills the first level at `root` and its subtables, which begin at `free`.
    fn build_one(
        &mut self,
        code: Code,
        lengths: &[u8],
        symbols: &[u32],
        root: usize,
        free: &mut usize,
    ) -> Result<(), TileErrorKind> {
        let halves = count_lengths(lengths);
        let counts = sum(&halves);
        let first_level = &mut self.entries[root..root + ROOT_SIZE];
        match judge(code, &counts, MAX_CODE_BITS)? {
            Shape::Complete => {}
            Shape::Empty => {
                first_level.fill(entry::UNUSED_ENTRY);
                return Ok(());
            }
            Shape::Single => {
                let symbol = lengths.iter().position(|&bits| bits == 1).expect("there is one");
                for pair in first_level.as_chunks_mut::<2>().0 {
                    *pair = [symbols[symbol] + (1 << entry::DROP_AT), entry::UNUSED_ENTRY];
                }
                return Ok(());
            }
        }

        let mut sorted = [0_u16; LITLEN_SYMBOLS];
        sort(lengths, &halves, &mut sorted);
        let mut sorted = sorted.iter().map(|&symbol| symbols[usize::from(symbol)]);
        let firsts = first_codewords(&counts);

        // Codewords in rising order of length, bit-reversed. `filled` entries are in place; each time the
        // length grows they repeat, which takes care of the bits above a short codeword.
        let shortest = (1..=ROOT_BITS).find(|&bits| counts[bits as usize] != 0).unwrap_or(ROOT_BITS);
        let mut filled = 1 << (shortest - 1);
        for bits in shortest..=ROOT_BITS {
            first_level.copy_within(..filled, filled);
            filled *= 2;
            let codewords = firsts[bits as usize]..;
            for (codeword, symbol) in codewords.zip(sorted.by_ref().take(counts[bits as usize] as usize)) {
                first_level[reverse(codeword, bits) & (ROOT_SIZE - 1)] = symbol + (bits << entry::DROP_AT);
            }
        }

        // What is left of the code lies behind first-level entries whose bits are a proper prefix.
        let mut prefix = usize::MAX;
        let (mut at, mut size) = (0, 0);
        for bits in ROOT_BITS + 1..=MAX_CODE_BITS as u32 {
            let mut left = counts[bits as usize] as usize;
            let codewords = firsts[bits as usize]..;
            for (codeword, symbol) in codewords.zip(sorted.by_ref().take(left)) {
                let codeword = reverse(codeword, bits);
                if codeword & (ROOT_SIZE - 1) != prefix {
                    prefix = codeword & (ROOT_SIZE - 1);
                    let index_bits = subtable_bits(&counts, bits, left);
                    (at, size) = (*free, 1 << index_bits);
                    *free += size;
                    self.entries[root + prefix] = entry::subtable(at, index_bits);
                }
                let first = codeword >> ROOT_BITS;
                let step = 1 << (bits - ROOT_BITS);
                for entry in self.entries[at..at + size][first..].iter_mut().step_by(step) {
                    *entry = symbol + (bits << entry::DROP_AT);
                }
                left -= 1;
            }
        }
        Ok(())
    }
}

/// What a table of the static literal/length code consists of: its codewords have 9 bits at most.
static STATIC_LITLEN: [u32; 1 << 9] = static_entries(&STATIC_LITLEN_BITS, &entry::LITLEN);

/// The same of the static distance code.
static STATIC_DISTANCE: [u32; 1 << 5] = static_entries(&STATIC_DISTANCE_BITS, &entry::DISTANCE);

/// The entries of a complete code for as many bits as index them. Slower than building tables is, but that is the compiler's time.
const fn static_entries<const SIZE: usize>(lengths: &[u8], symbols: &[u32]) -> [u32; SIZE] {
    let mut entries = [entry::UNUSED_ENTRY; SIZE];
    // Codewords in order, first bit highest, are consecutive parts of all there is.
    let (mut bits, mut begin) = (1, 0);
    while bits <= SIZE.ilog2() {
        let mut symbol = 0;
        while symbol < lengths.len() {
            if lengths[symbol] as u32 == bits {
                let end = begin + (SIZE >> bits);
                while begin < end {
                    entries[begin.reverse_bits() >> (usize::BITS - SIZE.ilog2())] =
                        symbols[symbol] + (bits << entry::DROP_AT);
                    begin += 1;
                }
            }
            symbol += 1;
        }
        bits += 1;
    }
    entries
}

/// Index bits of the subtable that begins with one of `left` codewords of `bits` bits: as many as it takes for
/// codewords from there on to fill it.
fn subtable_bits(counts: &[u16; MAX_CODE_BITS + 1], bits: u32, left: usize) -> u32 {
    let mut index_bits = bits - ROOT_BITS;
    let mut filled = left;
    while filled < 1 << index_bits {
        index_bits += 1;
        filled = 2 * filled + counts[(ROOT_BITS + index_bits) as usize] as usize;
    }
    index_bits
}

/// The first codeword of each length, first bit highest.
fn first_codewords(counts: &[u16; MAX_CODE_BITS + 1]) -> [u16; MAX_CODE_BITS + 1] {
    let mut codewords = [0; MAX_CODE_BITS + 1];
    for bits in 2..=MAX_CODE_BITS {
        codewords[bits] = (codewords[bits - 1] + counts[bits - 1]) << 1;
    }
    codewords
}

/// A codeword of `bits` bits, first bit lowest.
fn reverse(codeword: u16, bits: u32) -> usize {
    usize::from(codeword.reverse_bits() >> (u16::BITS - bits))
}

/// A number for each length of codewords, for either half of the symbols.
type Halves = [[u16; MAX_CODE_BITS + 1]; 2];

/// Says for each symbol its half and its length; the halves by turns. Neighbours are often of the same length: this way what is
/// done with a number for one of them does not wait for the other.
#[inline(always)]
fn by_halves(lengths: &[u8], mut what: impl FnMut(usize, usize, usize)) {
    let (first, second) = lengths.split_at(lengths.len() / 2);
    for (symbol, (&one, &other)) in first.iter().zip(second).enumerate() {
        what(0, symbol, one as usize & MAX_CODE_BITS);
        what(1, first.len() + symbol, other as usize & MAX_CODE_BITS);
    }
    if let Some(&last) = second.get(first.len()) {
        what(1, 2 * first.len(), last as usize & MAX_CODE_BITS);
    }
}

/// How many symbols have codewords of each length; the first number means nothing.
fn count_lengths(lengths: &[u8]) -> Halves {
    let mut counts = Halves::default();
    by_halves(lengths, |half, _, bits| counts[half][bits] += 1);
    counts
}

fn sum(halves: &Halves) -> [u16; MAX_CODE_BITS + 1] {
    core::array::from_fn(|bits| halves[0][bits] + halves[1][bits])
}

/// Lists the symbols, shortest codeword first, equals in order, those without one last.
fn sort(lengths: &[u8], counts: &Halves, sorted: &mut [u16; LITLEN_SYMBOLS]) {
    let mut places = Halves::default();
    let mut used = 0;
    for bits in (1..=MAX_CODE_BITS).chain([0]) {
        for half in 0..2 {
            places[half][bits] = used;
            used += counts[half][bits];
        }
    }
    by_halves(lengths, |half, symbol, bits| {
        let place = &mut places[half][bits];
        sorted[usize::from(*place)] = symbol as u16;
        *place += 1;
    });
}

/// What codes the format allows.
enum Shape {
    /// Every codeword stands for a symbol.
    Complete,
    /// One symbol, of one bit: that bit is 0.
    Single,
    /// No symbol at all.
    Empty,
}

fn judge(code: Code, counts: &[u16; MAX_CODE_BITS + 1], longest: usize) -> Result<Shape, TileErrorKind> {
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

/// The table of the code-length code: an entry for each 7 bits of input.
pub(super) struct Precode([u32; 1 << MAX_PRECODE_BITS]);

impl Precode {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// `OverSubscribed` or `Incomplete`.
    pub(super) fn build(lengths: &[u8; PRECODE_SYMBOLS]) -> Result<Self, TileErrorKind> {
        let counts = sum(&count_lengths(lengths));
        judge(Code::CodeLength, &counts, MAX_PRECODE_BITS)?;
        let mut table = Self([entry::UNUSED_ENTRY; 1 << MAX_PRECODE_BITS]);
        let mut codewords = first_codewords(&counts);
        for (&bits, &symbol) in lengths.iter().zip(&entry::PRECODE) {
            if bits != 0 {
                let codeword = &mut codewords[bits as usize & MAX_CODE_BITS];
                let first = reverse(*codeword, u32::from(bits));
                *codeword += 1;
                for entry in table.0[first..].iter_mut().step_by(1 << bits) {
                    *entry = symbol + (u32::from(bits) << entry::DROP_AT);
                }
            }
        }
        Ok(table)
    }

    /// The entry for the codeword that `bits` begin with.
    pub(super) fn look_up(&self, bits: u64) -> u32 {
        self.0[bits as usize % self.0.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bit-reversed codewords of a code by the textbook, with their lengths, by symbol.
    fn textbook(lengths: &[u8]) -> [(usize, u32); LITLEN_SYMBOLS] {
        let mut codes = [(0, 0); LITLEN_SYMBOLS];
        let mut code = 0_usize;
        for bits in 1..=MAX_CODE_BITS as u32 {
            for symbol in 0..lengths.len() {
                if u32::from(lengths[symbol]) == bits {
                    codes[symbol] = (code.reverse_bits() >> (usize::BITS - bits), bits);
                    code += 1;
                }
            }
            code <<= 1;
        }
        codes
    }

    fn look_up(tables: &Tables, root: usize, bits: usize) -> u32 {
        let entry = tables.entries[root + bits % ROOT_SIZE];
        if entry & entry::SUBTABLE == 0 {
            return entry;
        }
        let index = bits >> ROOT_BITS & ((1 << entry::dropped(entry)) - 1);
        tables.entries[entry::value(entry) as usize + index]
    }

    fn check(litlen: &[u8], distance: &[u8]) {
        let mut tables = Tables::new();
        tables.load_dynamic(litlen, distance).expect("a complete code");
        let both = [(litlen, 0, &entry::LITLEN[..]), (distance, DISTANCE_AT, &entry::DISTANCE[..])];
        for (lengths, root, symbols) in both {
            for (symbol, (code, bits)) in textbook(lengths).into_iter().enumerate() {
                if bits == 0 {
                    continue;
                }
                for above in [0, 1, 0x5A5A, 0xFFFF] {
                    let found = look_up(&tables, root, code | above << bits);
                    assert_eq!(found, symbols[symbol] + (bits << entry::DROP_AT), "symbol {symbol}");
                }
            }
        }
    }

    #[test]
    fn static_tables_agree_with_the_textbook() {
        check(&STATIC_LITLEN_BITS, &STATIC_DISTANCE_BITS);
        // Those that are ready-made, in place of another block's, are those that would have been built.
        let (mut built, mut ready) = (Tables::new(), Tables::new());
        built.load_dynamic(&STATIC_LITLEN_BITS, &STATIC_DISTANCE_BITS).expect("a complete code");
        let mut other = [8; 257];
        other[255..].fill(9);
        ready.load_dynamic(&other, &[]).expect("a complete code, and an empty one");
        ready.load_static();
        assert_eq!(ready.entries[..ROOT_SIZE], built.entries[..ROOT_SIZE]);
        assert_eq!(ready.entries[DISTANCE_AT..], built.entries[DISTANCE_AT..]);
    }

    #[test]
    fn long_codewords_agree_with_the_textbook() {
        // Lengths 1, 2, 3 .. 15, 15: the deepest code there is, once with its short end at symbol 0, once last.
        let mut litlen = [0; LITLEN_SYMBOLS];
        for (place, bits) in litlen[241..257].iter_mut().zip((1..=15).chain([15])) {
            *place = bits;
        }
        let mut distance = [0; DISTANCE_SYMBOLS];
        for (place, bits) in distance.iter_mut().rev().zip((1..=15).chain([15])) {
            *place = bits;
        }
        check(&litlen, &distance);
    }

    #[test]
    fn the_most_subtables_agree_with_the_textbook() {
        // As many full subtables as 288 symbols allow: 15-bit codewords by sixteens behind short ones.
        let mut litlen = [0; LITLEN_SYMBOLS];
        litlen[..272].fill(15);
        let mut room = (1_u32 << 15) - 272;
        for bits in &mut litlen[272..] {
            let share = if room == 0 { 0 } else { room.ilog2().min(14) };
            *bits = if room == 0 { 0 } else { 15 - share as u8 };
            room -= if room == 0 { 0 } else { 1 << share };
        }
        assert_eq!(room, 0);
        check(&litlen, &[5; 32]);
    }

    #[test]
    fn one_symbol_and_none_are_codes() {
        let mut distance = [0; DISTANCE_SYMBOLS];
        let mut tables = Tables::new();
        tables.load_dynamic(&STATIC_LITLEN_BITS, &distance).expect("an empty distance code");
        assert_eq!(look_up(&tables, DISTANCE_AT, 0), entry::UNUSED_ENTRY);
        distance[7] = 1;
        tables.load_dynamic(&STATIC_LITLEN_BITS, &distance).expect("one distance");
        assert_eq!(look_up(&tables, DISTANCE_AT, 0b10), entry::DISTANCE[7] + (1 << entry::DROP_AT));
        assert_eq!(look_up(&tables, DISTANCE_AT, 0b01), entry::UNUSED_ENTRY);
    }

    #[test]
    fn bad_codes_are_told_apart() {
        let mut tables = Tables::new();
        let mut load = |litlen: &[u8], distance: &[u8]| tables.load_dynamic(litlen, distance);
        let good = STATIC_LITLEN_BITS;
        let over = |code| Err(TileErrorKind::OverSubscribed(code));
        let under = |code| Err(TileErrorKind::Incomplete(code));
        assert_eq!(load(&[8; 288], &[5; 32]), over(Code::LiteralLength));
        assert_eq!(load(&[9; 288], &[5; 32]), under(Code::LiteralLength));
        assert_eq!(load(&[0; 288], &[5; 32]), Err(TileErrorKind::NoEndOfBlock));
        assert_eq!(load(&[&[8; 256][..], &[0]].concat(), &[5; 32]), Err(TileErrorKind::NoEndOfBlock));
        assert_eq!(load(&good, &[4; 32]), over(Code::Distance));
        assert_eq!(load(&good, &[5; 31]), under(Code::Distance));
        // One symbol, but of two bits.
        assert_eq!(load(&good, &[2]), under(Code::Distance));
        assert!(Precode::build(&[2; PRECODE_SYMBOLS]).is_err());
    }
}
