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

use super::canonical::Canonical;
use super::code::{ByLength, PrefixCode, Shape, first_codewords, reverse};
use super::entry;
use crate::error::Code;
use crate::format::{
    DISTANCE_SYMBOLS, LITLEN_SYMBOLS, MAX_CODE_BITS, STATIC_DISTANCE_BITS, STATIC_LITLEN_BITS,
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

/// The codes of one block: in tables, or to be searched.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) entries: [u32; SIZE],
    /// The static codes are loaded: a static block need not build them again.
    is_static: bool,
    /// The block's codes are not in the tables, but here.
    is_searched: bool,
    litlen: Canonical,
    distance: Canonical,
}

impl Tables {
    pub(super) const fn new() -> Self {
        Self {
            entries: [0; SIZE],
            is_static: false,
            is_searched: false,
            litlen: Canonical::EMPTY,
            distance: Canonical::EMPTY,
        }
    }

    /// Makes these the tables of static blocks.
    pub(super) fn load_static(&mut self) {
        self.is_searched = false;
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

    /// Makes these the tables of a dynamic block with the given codes.
    pub(super) fn load_dynamic(&mut self, litlen: &PrefixCode<'_>, distance: &PrefixCode<'_>) {
        self.is_searched = false;
        self.is_static = false;
        let mut free = ROOT_SIZE;
        self.build(litlen, &entry::LITLEN, 0, &mut free);
        self.build(distance, &entry::DISTANCE, DISTANCE_AT, &mut free);
    }

    /// Makes these codes to be searched, and leaves the tables alone.
    #[cold]
    #[inline(never)]
    pub(super) fn load_searched(&mut self, litlen: &PrefixCode<'_>, distance: &PrefixCode<'_>) {
        self.is_searched = true;
        self.litlen.load(litlen);
        self.distance.load(distance);
    }

    /// The entry for the codeword that `bits` begin with.
    #[inline(always)]
    pub(super) fn find(&self, code: Code, bits: u64) -> u32 {
        if self.is_searched {
            return self.search(code, bits);
        }
        let table = if code == Code::Distance { DISTANCE_AT } else { 0 };
        let entry = self.entries[table + (bits as usize & (ROOT_SIZE - 1))];
        self.follow(entry, bits)
    }

    #[cold]
    #[inline(never)]
    fn search(&self, code: Code, bits: u64) -> u32 {
        match code {
            Code::Distance => self.distance.search(bits, &entry::DISTANCE),
            _ => self.litlen.search(bits, &entry::LITLEN),
        }
    }

    /// The entry itself, or the one in the subtable that it points to.
    pub(super) fn follow(&self, entry: u32, bits: u64) -> u32 {
        if entry & entry::SUBTABLE == 0 { entry } else { self.look_up_long(entry, bits) }
    }

    /// The entry for a codeword that goes on in the subtable that `pointer` points to.
    pub(super) fn look_up_long(&self, pointer: u32, bits: u64) -> u32 {
        let index = (bits >> ROOT_BITS) as usize & ((1 << entry::dropped(pointer)) - 1);
        self.entries[entry::value(pointer) as usize + index]
    }

    /// Fills the first level at `root` and its subtables, which begin at `free`.
    fn build(&mut self, code: &PrefixCode<'_>, symbols: &[u32], root: usize, free: &mut usize) {
        let counts = &code.counts;
        let first_level = &mut self.entries[root..root + ROOT_SIZE];
        match code.shape {
            Shape::Complete => {}
            Shape::Empty => return first_level.fill(entry::UNUSED_ENTRY),
            Shape::Single => {
                let symbol = code.lengths.iter().position(|&bits| bits == 1).expect("there is one");
                for pair in first_level.as_chunks_mut::<2>().0 {
                    *pair = [symbols[symbol] + (1 << entry::DROP_AT), entry::UNUSED_ENTRY];
                }
                return;
            }
        }

        let mut sorted = [0_u16; LITLEN_SYMBOLS];
        code.sort(&mut sorted);
        let mut sorted = sorted.iter().map(|&symbol| symbols[usize::from(symbol)]);
        let firsts = first_codewords(&code.counts);

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
                    let index_bits = subtable_bits(counts, bits, left);
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
fn subtable_bits(counts: &ByLength, bits: u32, left: usize) -> u32 {
    let mut index_bits = bits - ROOT_BITS;
    let mut filled = left;
    while filled < 1 << index_bits {
        index_bits += 1;
        filled = 2 * filled + counts[(ROOT_BITS + index_bits) as usize] as usize;
    }
    index_bits
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

    fn load(tables: &mut Tables, litlen: &[u8], distance: &[u8]) {
        let litlen = PrefixCode::new(Code::LiteralLength, litlen).expect("a code");
        let distance = PrefixCode::new(Code::Distance, distance).expect("a code");
        tables.load_dynamic(&litlen, &distance);
        // What is searched is what the tables say, whatever the bits.
        let mut searched = Tables::new();
        searched.load_searched(&litlen, &distance);
        let step = if cfg!(miri) { 97 } else { 1 };
        for bits in (0..1 << 15).step_by(step).flat_map(|bits| [bits, bits | u64::MAX << 15]) {
            for code in [Code::LiteralLength, Code::Distance] {
                assert_eq!(searched.find(code, bits), tables.find(code, bits), "{code:?}: {bits:#x}");
            }
        }
    }

    fn check(litlen: &[u8], distance: &[u8]) {
        let mut tables = Tables::new();
        load(&mut tables, litlen, distance);
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
        load(&mut built, &STATIC_LITLEN_BITS, &STATIC_DISTANCE_BITS);
        let mut other = [8; 257];
        other[255..].fill(9);
        load(&mut ready, &other, &[]);
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
        load(&mut tables, &STATIC_LITLEN_BITS, &distance);
        assert_eq!(look_up(&tables, DISTANCE_AT, 0), entry::UNUSED_ENTRY);
        distance[7] = 1;
        load(&mut tables, &STATIC_LITLEN_BITS, &distance);
        assert_eq!(look_up(&tables, DISTANCE_AT, 0b10), entry::DISTANCE[7] + (1 << entry::DROP_AT));
        assert_eq!(look_up(&tables, DISTANCE_AT, 0b01), entry::UNUSED_ENTRY);
    }

    #[test]
    fn codes_that_are_searched_leave_the_tables_alone() {
        let mut tables = Tables::new();
        tables.load_static();
        let lengths = [8; 256];
        let litlen = PrefixCode::new(Code::LiteralLength, &lengths).expect("a code");
        let distance = PrefixCode::new(Code::Distance, &[]).expect("a code");
        tables.load_searched(&litlen, &distance);
        assert_eq!(tables.find(Code::LiteralLength, 0), entry::LITLEN[0] + (8 << entry::DROP_AT));
        tables.load_static();
        assert_eq!(tables.find(Code::LiteralLength, 0), entry::LITLEN[256] + (7 << entry::DROP_AT));
    }
}
