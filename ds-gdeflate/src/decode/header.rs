//! A dynamic block's header: the code lengths of its two codes, themselves coded.

use super::code::PrefixCode;
use super::lanes::Deal;
use super::precode::{Precode, Run};
use super::tile::Fault;
use crate::error::{Code, TileErrorKind};
use crate::format::{DISTANCE_SYMBOLS, END_OF_BLOCK, LANES, LITLEN_SYMBOLS, PRECODE_ORDER, PRECODE_SYMBOLS};

/// Room for lengths of both codes together: a power of two, within which an index can be kept at no cost.
const ROOM: usize = (LITLEN_SYMBOLS + DISTANCE_SYMBOLS).next_power_of_two();

/// Most runs are no longer than this, so every run is written as if it were as long.
const CHUNK: usize = 16;

/// Code lengths of a dynamic block.
#[derive(Debug)]
pub(super) struct CodeLengths {
    /// The lengths, and room for what the last run's chunk writes too much.
    lengths: [u8; ROOM + CHUNK],
    litlen: usize,
    total: usize,
}

impl CodeLengths {
    pub(super) const NONE: Self = Self { lengths: [0; ROOM + CHUNK], litlen: 0, total: 0 };

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
        let total = self.total;
        let (mut known, mut lane, mut length) = (0, 0, 0);
        let last = loop {
            let bits = deal.peek(lane);
            let run = precode.look_up(bits);
            if !run.is_repeat() {
                length = run.length();
            }
            let len = run.len(bits);
            if known + len >= total {
                self.last_run(known, length, run, len).map_err(Fault::on(lane))?;
                break run;
            }
            self.lengths[known % ROOM..][..CHUNK].fill(length);
            if len > CHUNK {
                self.lengths[known..][..len].fill(length);
            }
            deal.take(lane, run.dropped());
            deal.refill(lane).map_err(Fault::on(lane))?;
            known += len;
            lane = (lane + 1) % LANES;
        };
        deal.take(lane, last.dropped());
        deal.refill(lane).map_err(Fault::on(lane))
    }

    /// Adds a run with which all lengths are known, or more than there are.
    fn last_run(&mut self, known: usize, length: u8, run: Run, len: usize) -> Result<(), TileErrorKind> {
        // An unused codeword is for more than there ever are.
        if run.is_unused() {
            return Err(TileErrorKind::UnusedCodeword(Code::CodeLength));
        }
        let expected = self.total - known;
        if len > expected {
            return Err(TileErrorKind::RunTooLong { expected, actual: len });
        }
        self.lengths[known..self.total].fill(length);
        Ok(())
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
