//! A dynamic block's header: the code lengths of its two codes, themselves coded.

use super::lanes::Deal;
use super::table::Precode;
use crate::error::{Code, TileErrorKind};
use crate::format::{DISTANCE_SYMBOLS, LANES, LITLEN_SYMBOLS, PRECODE_ORDER, PRECODE_SYMBOLS};

use super::tile::Fault;

/// Code lengths of a dynamic block.
#[derive(Debug)]
pub(super) struct CodeLengths {
    lengths: [u8; LITLEN_SYMBOLS + DISTANCE_SYMBOLS],
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

        let mut this = Self { lengths: [0; LITLEN_SYMBOLS + DISTANCE_SYMBOLS], litlen, total };
        let mut known = 0;
        let mut lane = 0;
        while known < total {
            known = this.turn(deal, &precode, lane, known).map_err(Fault::on(lane))?;
            lane = (lane + 1) % LANES;
        }
        Ok(this)
    }

    /// One lane's turn: a code length, or a run of them. Returns how many are known then.
    fn turn(
        &mut self,
        deal: &mut Deal<'_>,
        precode: &Precode,
        lane: usize,
        known: usize,
    ) -> Result<usize, TileErrorKind> {
        let unused = TileErrorKind::UnusedCodeword(Code::CodeLength);
        let (symbol, bits) = precode.look_up(deal.peek(lane)).ok_or(unused)?;
        deal.take(lane, bits);
        let (length, run) = match symbol {
            16 => {
                let previous = known.checked_sub(1).ok_or(TileErrorKind::RepeatWithoutLength)?;
                (self.lengths[previous], 3 + deal.take(lane, 2))
            }
            17 => (0, 3 + deal.take(lane, 3)),
            18 => (0, 11 + deal.take(lane, 7)),
            length => (length, 1),
        };
        let run = run as usize;
        if run > self.total - known {
            return Err(TileErrorKind::RunTooLong { expected: self.total - known, actual: run });
        }
        self.lengths[known..known + run].fill(length);
        deal.refill(lane)?;
        Ok(known + run)
    }

    /// The literal/length code's lengths, 257 to 288 of them.
    pub(super) fn litlen(&self) -> &[u8] {
        &self.lengths[..self.litlen]
    }

    /// The distance code's lengths, 1 to 32 of them.
    pub(super) fn distance(&self) -> &[u8] {
        &self.lengths[self.litlen..self.total]
    }
}
