//! A dynamic block's header: the code lengths of its two codes, themselves coded.

use super::code::PrefixCode;
use super::entry;
use super::lanes::Deal;
use super::table::Precode;
use super::tile::Fault;
use crate::error::{Code, TileErrorKind};
use crate::format::{
    DISTANCE_SYMBOLS, END_OF_BLOCK, LANES, LITLEN_SYMBOLS, MAX_CODE_BITS, PRECODE_ORDER, PRECODE_SYMBOLS,
};

/// Lengths of both codes together, at most.
const MAX_LENGTHS: usize = LITLEN_SYMBOLS + DISTANCE_SYMBOLS;

/// Most runs are no longer than this, so every run is written as if it were as long.
const CHUNK: usize = 16;

/// Code lengths of a dynamic block.
#[derive(Debug)]
pub(super) struct CodeLengths {
    /// The lengths, and room for what the last run's chunk writes too much.
    lengths: [u8; MAX_LENGTHS + CHUNK],
    litlen: usize,
    total: usize,
}

impl CodeLengths {
    /// Reads the header behind the block type.
    pub(super) fn read(deal: &mut Deal<'_>) -> Result<Self, Fault> {
        let litlen = deal.take(0, 5) as usize + 257;
        let total = litlen + deal.take(0, 5) as usize + 1;
        let precode_lengths = deal.take(0, 4) as usize + 4;
        deal.refill(0).map_err(Fault::on(0))?;

        let mut precode = [0; PRECODE_SYMBOLS];
        for (lane, &symbol) in PRECODE_ORDER[..precode_lengths].iter().enumerate() {
            precode[symbol as usize] = deal.take(lane, 3) as u8;
            deal.refill(lane).map_err(Fault::on(lane))?;
        }
        let precode = Precode::build(&precode).map_err(Fault::on(0))?;

        let mut this = Self { lengths: [0; MAX_LENGTHS + CHUNK], litlen, total };
        let mut known = 0;
        let mut lane = 0;
        let mut length = None;
        while known < total {
            let run = this.turn(deal, &precode, lane, known, &mut length).map_err(Fault::on(lane))?;
            known += run;
            lane = (lane + 1) % LANES;
        }
        Ok(this)
    }

    /// One lane's turn: a run of code lengths, and be it a single one. `length` is the one before, then that of
    /// the run. Returns how long the run is.
    #[inline(always)]
    fn turn(
        &mut self,
        deal: &mut Deal<'_>,
        precode: &Precode,
        lane: usize,
        known: usize,
        length: &mut Option<u8>,
    ) -> Result<usize, TileErrorKind> {
        let bits = deal.peek(lane);
        let entry = precode.look_up(bits);
        if entry & entry::ODD != 0 {
            return Err(TileErrorKind::UnusedCodeword(Code::CodeLength));
        }
        deal.take(lane, entry::dropped(entry));
        let run = entry::run(entry::with_extra(entry, bits)) as usize;
        if entry & entry::REPEAT == 0 {
            *length = Some(entry::run_length(entry));
        }
        let length = length.ok_or(TileErrorKind::RepeatWithoutLength)?;
        let left = self.total - known;
        if run > left {
            return Err(TileErrorKind::RunTooLong { expected: left, actual: run });
        }
        self.lengths[known..][..CHUNK].fill(length);
        if run > CHUNK {
            self.lengths[known..][..run].fill(length);
        }
        deal.refill(lane)?;
        Ok(run)
    }

    /// The literal/length code, of 257 to 288 symbols, and the distance code, of 1 to 32.
    ///
    /// # Errors
    ///
    /// `OverSubscribed`, `Incomplete` or `NoEndOfBlock`; the literal/length code is judged first.
    pub(super) fn codes(&self) -> Result<(PrefixCode<'_>, PrefixCode<'_>), TileErrorKind> {
        let (litlen, distance) = self.lengths[..self.total].split_at(self.litlen);
        let litlen = PrefixCode::new(Code::LiteralLength, litlen, MAX_CODE_BITS)?;
        if litlen.lengths[END_OF_BLOCK] == 0 {
            return Err(TileErrorKind::NoEndOfBlock);
        }
        Ok((litlen, PrefixCode::new(Code::Distance, distance, MAX_CODE_BITS)?))
    }
}
