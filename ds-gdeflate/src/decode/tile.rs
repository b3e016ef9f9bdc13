//! One tile, turn by turn: the definition of every verdict.
//!
//! This is the careful decoder. It checks everything as it goes and finds the first error in the order of
//! turns. [`rounds`](super::rounds) does the bulk of the work faster, and hands back to this module, at the
//! start of a round, whenever something is out of the ordinary.

use super::copy::copy_match;
use super::entry;
use super::header::CodeLengths;
use super::lanes::Deal;
use super::rounds;
use super::stored;
use super::table::Tables;
use super::watch::Watch;
use crate::error::{Code, TileError, TileErrorKind};
use crate::format::{END_OF_BLOCK, LANES, MIN_MATCH, WORD, max_dynamic_blocks};
use crate::simd::{SimdLevel, Variant};

/// Bytes of output below which a block is a short one, and those after it are looked at before tables are built for them and the
/// fast path gets going: they may be shorter than that is worth.
const SHORT_BLOCK: usize = 1024;

/// Bytes of output up to which a block's codes are searched, whatever is in it: tables cost more than so many searches.
const SEARCHED: usize = 128;

/// The codeword that ends a static block, and its length.
const STATIC_END: (usize, u32) = (0, 7);

/// An error and the lane whose turn met it.
#[derive(Debug)]
pub(super) struct Fault {
    kind: TileErrorKind,
    lane: usize,
}

impl Fault {
    /// Says which lane an error belongs to.
    pub(super) fn on(lane: usize) -> impl Fn(TileErrorKind) -> Self {
        move |kind| Self { kind, lane: lane % LANES }
    }
}

/// A match whose length is known and whose distance is not yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// Where its bytes go.
    pub(super) at: usize,
    /// How many they are; 0 where no match is pending.
    pub(super) len: usize,
}

impl Pending {
    pub(super) const NONE: Self = Self { at: 0, len: 0 };
}

/// A tile being decoded.
#[derive(Debug)]
pub(super) struct TileDecoder<'t, 'i, 'o, W> {
    pub(super) tables: &'t mut Tables,
    pub(super) deal: Deal<'i>,
    pub(super) out: &'o mut [u8],
    /// Bytes of output written or reserved.
    pub(super) settled: usize,
    pub(super) pending: [Pending; LANES],
    /// Dynamic blocks met so far.
    dynamic_blocks: usize,
    /// The last block of symbols came to little: the tile may be full of its like.
    after_short_block: bool,
    watch: W,
    simd: SimdLevel,
}

impl<'t, 'i, 'o, W: Watch> TileDecoder<'t, 'i, 'o, W> {
    pub(super) fn new(
        tables: &'t mut Tables,
        words: &'i [[u8; WORD]],
        out: &'o mut [u8],
        watch: W,
        simd: SimdLevel,
    ) -> Self {
        Self {
            tables,
            deal: Deal::new(words),
            out,
            settled: 0,
            pending: [Pending::NONE; LANES],
            dynamic_blocks: 0,
            after_short_block: false,
            watch,
            simd,
        }
    }

    /// Decodes the tile.
    pub(super) fn run(mut self) -> Result<(), TileError> {
        self.blocks().map_err(|Fault { kind, lane }| TileError {
            kind,
            lane: lane as u8,
            input: self.deal.next * WORD,
            output: self.settled,
        })
    }

    fn blocks(&mut self) -> Result<(), Fault> {
        self.deal.first_words().map_err(Fault::on(self.deal.next))?;
        while !self.block()? {}
        if self.settled != self.out.len() {
            let kind = TileErrorKind::OutputShort { expected: self.out.len(), actual: self.settled };
            return Err(Fault { kind, lane: 0 });
        }
        Ok(())
    }

    /// Decodes one block; returns whether it was the last.
    fn block(&mut self) -> Result<bool, Fault> {
        if let Some(last) = self.empty_static()? {
            return Ok(last);
        }
        let last = self.deal.take(0, 1) == 1;
        let block_type = self.deal.take(0, 2);
        self.deal.refill(0).map_err(Fault::on(0))?;
        match block_type {
            0 => self.stored()?,
            1 => {
                self.watch.static_codes();
                self.tables.load_static();
                let ends_at_once = self.may_be_short() && self.ends_in_first_round(STATIC_END);
                self.compressed(ends_at_once)?;
            }
            2 => {
                self.watch.dynamic_codes();
                self.admit_dynamic()?;
                let is_searched = self.load_dynamic()?;
                self.compressed(is_searched)?;
            }
            _ => return Err(Fault { kind: TileErrorKind::BlockType, lane: 0 }),
        }
        Ok(last)
    }

    /// Takes a static block of nothing but its end in one go, tables unseen: a tile may have a hundred thousand of them. Returns
    /// whether it was the last, if it was one.
    fn empty_static(&mut self) -> Result<Option<bool>, Fault> {
        // Behind the final bit: type 1, and the end of the block, whose codeword is seven zeros.
        let bits = self.deal.peek(0);
        if bits >> 1 & 0x1FF != 1 {
            return Ok(None);
        }
        self.watch.static_codes();
        self.after_short_block = true;
        self.deal.take(0, 10);
        // One refill does for two: lane 0 gets the same word either way, as no other lane comes between.
        self.deal.refill(0).map_err(Fault::on(0))?;
        Ok(Some(bits & 1 == 1))
    }

    /// Counts a dynamic block, before anything is spent on it.
    fn admit_dynamic(&mut self) -> Result<(), Fault> {
        let limit = max_dynamic_blocks(self.out.len());
        if self.dynamic_blocks == limit {
            return Err(Fault { kind: TileErrorKind::TooManyDynamicBlocks { limit }, lane: 0 });
        }
        self.dynamic_blocks += 1;
        Ok(())
    }

    /// Reads a dynamic block's codes. Returns whether they are to be searched, as the block has too few symbols to be worth tables.
    ///
    /// Never part of its caller, which has blocks of other types to get through in few instructions.
    #[inline(never)]
    fn load_dynamic(&mut self) -> Result<bool, Fault> {
        let mut lengths = CodeLengths::NONE;
        lengths.read(&mut self.deal)?;
        let (litlen, distance) = lengths.codes().map_err(Fault::on(0))?;
        let is_searched = self.may_be_short()
            && (self.left() <= SEARCHED || self.ends_in_first_round(litlen.codeword(END_OF_BLOCK)));
        if is_searched {
            self.tables.load_searched(&litlen, &distance);
        } else {
            self.watch.built_tables();
            self.tables.load_dynamic(&litlen, &distance);
        }
        Ok(is_searched)
    }

    fn stored(&mut self) -> Result<(), Fault> {
        let len = self.deal.take(0, 16) as usize;
        let end = self.settled + len;
        if end > self.out.len() {
            let kind = TileErrorKind::OutputOverrun { expected: self.out.len(), actual: end };
            return Err(Fault { kind, lane: 0 });
        }
        self.watch.stored(len);
        // The length is no turn of its own, but lane 0 may refill after it all the same: it gets the same words
        // either way, as no other lane comes between. (An empty block does refill here.)
        self.deal.refill(0).map_err(Fault::on(0))?;
        if !W::SYMBOLS && len >= stored::LEAST {
            let out = &mut self.out[self.settled..end];
            self.settled += match self.simd.0 {
                Variant::Scalar => stored::run(&mut self.deal, out),
                Variant::Avx2(proof) => proof.run_stored(&mut self.deal, out),
                Variant::Avx512(proof) => proof.run_stored(&mut self.deal, out),
                Variant::Neon(proof) => proof.run_stored(&mut self.deal, out),
            };
        }
        // Whole rounds are done, so the rest begins at lane 0 as well.
        for (turn, byte) in self.out[self.settled..end].iter_mut().enumerate() {
            let lane = turn % LANES;
            *byte = self.deal.take(lane, 8) as u8;
            self.deal.refill(lane).map_err(Fault::on(lane))?;
            self.settled += 1;
        }
        Ok(())
    }

    /// Decodes the symbols of a block whose codes are loaded; `is_short` if they are too few for the fast path.
    fn compressed(&mut self, is_short: bool) -> Result<(), Fault> {
        let start = self.settled;
        self.symbols(is_short)?;
        self.after_short_block = self.settled - start < SHORT_BLOCK;
        Ok(())
    }

    /// Whether a block is worth a look at how short it is: there may be many like it, or not much else. Not if every turn is watched:
    /// then blocks are all read in one way, and the other must come to the same.
    fn may_be_short(&self) -> bool {
        !W::SYMBOLS && (self.after_short_block || self.left() <= SHORT_BLOCK)
    }

    /// Bytes of output still due.
    fn left(&self) -> usize {
        self.out.len() - self.settled
    }

    fn symbols(&mut self, is_short: bool) -> Result<(), Fault> {
        let mut is_first_round = is_short;
        if !W::SYMBOLS && !is_short {
            self.watch.started_rounds();
            match self.simd.0 {
                Variant::Scalar => rounds::run(self),
                Variant::Avx2(proof) => proof.run(self),
                Variant::Avx512(proof) => proof.run(self),
                Variant::Neon(proof) => proof.run(self),
            }
        }
        loop {
            for lane in 0..LANES {
                if !self.turn(lane).map_err(Fault::on(lane))? {
                    // Matches of the round before, if there is one, then those of this one.
                    let before = if is_first_round { LANES } else { lane + 1 };
                    for lane in (before..LANES).chain(0..lane) {
                        self.last_turn(lane).map_err(Fault::on(lane))?;
                    }
                    return Ok(());
                }
            }
            is_first_round = false;
        }
    }

    /// Whether one of a block's first 32 symbols is its end, should they come to that: one of this codeword.
    fn ends_in_first_round(&self, (codeword, len): (usize, u32)) -> bool {
        let mask = (1 << len) - 1;
        self.deal.lanes.bits.iter().any(|&bits| bits as u32 & mask == codeword as u32)
    }

    /// One lane's turn; returns false at the end of the block.
    fn turn(&mut self, lane: usize) -> Result<bool, TileErrorKind> {
        if self.pending[lane].len != 0 {
            return self.last_turn(lane).map(|()| true);
        }
        let mut goes_on = true;
        let (entry, value) = self.symbol(lane, Code::LiteralLength)?;
        if entry & entry::LITERAL != 0 {
            self.reserve(1)?;
            self.watch.literal();
            self.out[self.settled] = value as u8;
            self.settled += 1;
        } else if entry & entry::LENGTH != 0 {
            let len = value + MIN_MATCH;
            self.reserve(len)?;
            self.pending[lane] = Pending { at: self.settled, len };
            self.settled += len;
        } else {
            goes_on = false;
        }
        self.deal.refill(lane)?;
        Ok(goes_on)
    }

    /// A lane's turn once the block takes no more lengths and literals: the distance of its match, if any.
    fn last_turn(&mut self, lane: usize) -> Result<(), TileErrorKind> {
        let Pending { at, len } = self.pending[lane];
        if len != 0 {
            let (_, value) = self.symbol(lane, Code::Distance)?;
            let distance = value + 1;
            if distance > at {
                return Err(TileErrorKind::DistanceTooFar { expected: at, actual: distance });
            }
            self.watch.copied(len, distance);
            copy_match(&mut self.out[..at + len], at, distance);
            self.pending[lane] = Pending::NONE;
            self.deal.refill(lane)?;
        }
        Ok(())
    }

    /// Takes a symbol with its extra bits. Of odd entries only the end of the block is returned.
    #[inline(always)]
    fn symbol(&mut self, lane: usize, code: Code) -> Result<(u32, usize), TileErrorKind> {
        let bits = self.deal.peek(lane);
        let entry = self.tables.find(code, bits);
        if entry & entry::ODD != 0 {
            match entry::value(entry) as usize {
                END_OF_BLOCK => {}
                symbol if symbol == entry::UNUSED as usize => {
                    return Err(TileErrorKind::UnusedCodeword(code));
                }
                symbol => return Err(TileErrorKind::ReservedSymbol { symbol: symbol as u16 }),
            }
        }
        self.deal.take(lane, entry::dropped(entry));
        Ok((entry, entry::value(entry::with_extra(entry, bits)) as usize))
    }

    /// Checks that `len` more bytes of output are due.
    fn reserve(&self, len: usize) -> Result<(), TileErrorKind> {
        let (expected, actual) = (self.out.len(), self.settled + len);
        if actual > expected { Err(TileErrorKind::OutputOverrun { expected, actual }) } else { Ok(()) }
    }
}
