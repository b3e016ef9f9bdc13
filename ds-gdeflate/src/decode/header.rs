//! A dynamic block's header: the code lengths of its two codes, themselves coded.

use super::code::PrefixCode;
use super::lanes::Deal;
use super::precode::Precode;
use super::tile::Fault;
use crate::error::{Code, TileErrorKind};
use crate::format::{DISTANCE_SYMBOLS, END_OF_BLOCK, LANES, LITLEN_SYMBOLS, PRECODE_ORDER, PRECODE_SYMBOLS};

/// Lengths of both codes together, at most.
const MAX_LENGTHS: usize = LITLEN_SYMBOLS + DISTANCE_SYMBOLS;

/// The longest run there can be.
const MAX_RUN: usize = 138;

/// Most runs are no longer than this, so every run is written as if it were as long.
const CHUNK: usize = 16;

/// Code lengths of a dynamic block.
#[derive(Debug)]
pub(super) struct CodeLengths {
    /// The lengths, and room for a run too long, with what its chunk has too much.
    lengths: [u8; MAX_LENGTHS + MAX_RUN + CHUNK],
    litlen: usize,
    total: usize,
}

impl CodeLengths {
    pub(super) const NONE: Self = Self { lengths: [0; MAX_LENGTHS + MAX_RUN + CHUNK], litlen: 0, total: 0 };

    /// Reads the header behind the block type.
    pub(super) fn read(&mut self, deal: &mut Deal<'_>) -> Result<(), Fault> {
        self.litlen = deal.take(0, 5) as usize + 257;
        self.total = self.litlen + deal.take(0, 5) as usize + 1;
        let precode_lengths = deal.take(0, 4) as usize + 4;
        deal.refill(0).map_err(Fault::on(0))?;

        let mut precode = [0; PRECODE_SYMBOLS];
        for (lane, &symbol) in PRECODE_ORDER[..precode_lengths].iter().enumerate() {
            precode[symbol as usize] = deal.take(lane, 3) as u8;
            deal.refill(lane).map_err(Fault::on(lane))?;
        }
        let precode = Precode::build(&precode).map_err(Fault::on(0))?;

        if precode.look_up(deal.peek(0)).is_repeat() {
            return Err(Fault::on(0)(TileErrorKind::RepeatWithoutLength));
        }
        let mut known = 0;
        let mut length = 0;
        loop {
            for lane in 0..LANES {
                let run = self.turn(deal, &precode, lane, known, &mut length).map_err(Fault::on(lane))?;
                known += run;
                if known >= self.total {
                    if known > self.total {
                        let left = self.total - (known - run);
                        return Err(Fault::on(lane)(TileErrorKind::RunTooLong {
                            expected: left,
                            actual: run,
                        }));
                    }
                    return deal.refill(lane).map_err(Fault::on(lane));
                }
                deal.refill(lane).map_err(Fault::on(lane))?;
            }
        }
    }

    /// One lane's turn, but for its refill: a run of code lengths, and be it a single one. `length` is the one before, then that of
    /// the run. Returns how long the run is.
    #[inline(always)]
    fn turn(
        &mut self,
        deal: &mut Deal<'_>,
        precode: &Precode,
        lane: usize,
        known: usize,
        length: &mut u8,
    ) -> Result<usize, TileErrorKind> {
        let bits = deal.peek(lane);
        let run = precode.look_up(bits);
        if run.is_unused() {
            return Err(TileErrorKind::UnusedCodeword(Code::CodeLength));
        }
        deal.take(lane, run.dropped());
        if !run.is_repeat() {
            *length = run.length();
        }
        let len = run.len(bits);
        self.lengths[known..][..CHUNK].fill(*length);
        if len > CHUNK {
            self.lengths[known..][..len].fill(*length);
        }
        Ok(len)
    }

    /// The literal/length code, of 257 to 288 symbols, and the distance code, of 1 to 32.
    ///
    /// # Errors
    ///
    /// `OverSubscribed`, `Incomplete` or `NoEndOfBlock`; the literal/length code is judged first.
    pub(super) fn codes(&self) -> Result<(PrefixCode<'_>, PrefixCode<'_>), TileErrorKind> {
        let (litlen, distance) = self.lengths[..self.total].split_at(self.litlen);
        let litlen = PrefixCode::new(Code::LiteralLength, litlen)?;
        if litlen.lengths[END_OF_BLOCK] == 0 {
            return Err(TileErrorKind::NoEndOfBlock);
        }
        Ok((litlen, PrefixCode::new(Code::Distance, distance)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::STATIC_LITLEN_BITS;

    #[test]
    fn bad_codes_are_told_apart() {
        let judge = |litlen: &[u8], distance: &[u8]| {
            let mut lengths = CodeLengths { litlen: litlen.len(), ..CodeLengths::NONE };
            for (place, &length) in lengths.lengths.iter_mut().zip(litlen.iter().chain(distance)) {
                *place = length;
            }
            lengths.total = litlen.len() + distance.len();
            lengths.codes().map(drop)
        };
        let good = STATIC_LITLEN_BITS;
        let over = |code| Err(TileErrorKind::OverSubscribed(code));
        let under = |code| Err(TileErrorKind::Incomplete(code));
        assert_eq!(judge(&good, &[5; 32]), Ok(()));
        assert_eq!(judge(&good, &[0]), Ok(()));
        assert_eq!(judge(&good, &[1]), Ok(()));
        assert_eq!(judge(&[8; 288], &[5; 32]), over(Code::LiteralLength));
        assert_eq!(judge(&[9; 288], &[5; 32]), under(Code::LiteralLength));
        assert_eq!(judge(&[0; 288], &[5; 32]), Err(TileErrorKind::NoEndOfBlock));
        assert_eq!(judge(&[&[8; 256][..], &[0]].concat(), &[5; 32]), Err(TileErrorKind::NoEndOfBlock));
        assert_eq!(judge(&good, &[4; 32]), over(Code::Distance));
        assert_eq!(judge(&good, &[5; 31]), under(Code::Distance));
        // One symbol, but of two bits.
        assert_eq!(judge(&good, &[2]), under(Code::Distance));
    }
}
