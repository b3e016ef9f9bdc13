//! Tiles of one step, decoded by as many threads as come along.
//!
//! Whoever takes the step plans it and puts helpers into the pool's queue. Helpers claim tiles one by one, in order, under
//! the plan's lock: a tile takes tens of microseconds and a claim some tens of nanoseconds. Whoever settles the last tile
//! gives the answer; helpers that come later find the plan's round over and do nothing, so an answer never waits for the
//! queue.

use core::cell::RefCell;
use std::sync::Arc;

use ds_core::{DecodeStep, Done, Fault, Path};
use ds_engine::gdeflate::from_tile;
use ds_engine::{Finished, HostBytes, JobId};
use ds_gdeflate::Decoder;

use super::guarded;
use crate::sync::{Mutex, lock};
use crate::work::Turn;

/// Tiles a helper decodes before it goes back to the end of the queue: about a millisecond.
const TURN_TILES: usize = 16;

std::thread_local! {
    /// Whoever decodes, worker or a thread that drives, has its own workspace.
    static DECODER: RefCell<Box<Decoder>> = RefCell::new(Decoder::boxed());
}

/// Where one tile comes from and goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) payload: HostBytes,
    pub(super) output: HostBytes,
}

impl Piece {
    fn decode(self, tile: usize) -> Result<(), Fault> {
        // SAFETY: only tiles of a job that has not been answered can be claimed, and this one's payload has arrived, so the
        // bytes are there and nobody writes them.
        let payload = unsafe { self.payload.as_slice() };
        // SAFETY: the same job writes these bytes; outputs of tiles do not overlap, and a tile is claimed once.
        let output = unsafe { self.output.as_mut_slice() };
        let mut with = |decoder: &mut Decoder| decoder.decode_tile(payload, output);
        let decode = || match DECODER.try_with(|decoder| with(&mut decoder.borrow_mut())) {
            Ok(result) => result,
            // A thread that drives while its thread-locals are being destroyed.
            Err(_) => with(&mut Decoder::boxed()),
        };
        guarded("the tile decoder panicked: a bug, please report it", decode)?
            .map_err(|error| Fault::Corrupt(from_tile(tile, error)))
    }
}

/// The tiles of one step and how far they are.
#[derive(Default)]
pub(super) struct Plan {
    /// Which use of this plan it is; a helper of an earlier one must not touch it.
    round: u64,
    /// The job and what to answer if all goes well, while there is one.
    answer: Option<(JobId, DecodeStep)>,
    pieces: Vec<Piece>,
    /// The first piece's number in the stream.
    first: usize,
    /// The next piece to claim.
    next: usize,
    /// Pieces claimed and not settled.
    running: usize,
    /// The lowest piece that failed, and how. Pieces are claimed in order, so every lower one has been claimed, and will be
    /// settled before the answer: which failure is reported does not depend on who was faster.
    failed: Option<(usize, Fault)>,
    path: Path,
}

impl Plan {
    /// Starts over, for the tiles from `first` on.
    pub(super) fn begin(&mut self, id: JobId, first: usize) {
        let step = DecodeStep { cursor: 0, produced: 0, wants: 0, finished: false };
        self.answer = Some((id, step));
        self.pieces.clear();
        self.first = first;
        self.next = 0;
        self.running = 0;
        self.failed = None;
        self.path = Path::CODEC_CPU;
    }

    /// Adds the next tile.
    pub(super) fn add(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// Tiles so far.
    pub(super) const fn tiles(&self) -> usize {
        self.pieces.len()
    }

    /// What to answer if no tile fails.
    pub(super) const fn answer_with(&mut self, good: DecodeStep) {
        if let Some((_, step)) = &mut self.answer {
            *step = good;
        }
    }

    fn has_work(&self, round: u64) -> bool {
        self.round == round && self.failed.is_none() && self.next < self.pieces.len()
    }

    fn claim(&mut self, round: u64) -> Option<(usize, Piece)> {
        if !self.has_work(round) {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.running += 1;
        Some((number, self.pieces[number]))
    }

    /// Takes a result; gives the answer if it was the last.
    fn settle(&mut self, number: usize, result: Result<(), Fault>, by: Path) -> Option<Finished> {
        self.running -= 1;
        self.path |= by;
        if let Err(fault) = result
            && self.failed.is_none_or(|(lowest, _)| number < lowest)
        {
            self.failed = Some((number, fault));
        }
        if self.running > 0 || self.has_work(self.round) {
            return None;
        }
        self.round += 1;
        let (id, step) = self.answer.take()?;
        let result = self.failed.map_or(Ok(Done::Decoded(step)), |(_, fault)| Err(fault));
        Some(Finished { id, result, path: self.path })
    }
}

/// A plan that threads share.
#[derive(Default)]
pub(super) struct Fan(Mutex<Plan>);

impl Fan {
    /// Fills in the plan. Call it only on a fan fresh from [`Fans::take`].
    pub(super) fn plan<T>(&self, fill: impl FnOnce(&mut Plan) -> T) -> T {
        fill(&mut lock(&self.0))
    }
}

/// Fans not in use, to be used again.
#[derive(Default)]
pub(super) struct Fans(Mutex<Vec<Arc<Fan>>>);

impl Fans {
    pub(super) fn take(&self) -> Arc<Fan> {
        lock(&self.0).pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, fan: Arc<Fan>) {
        lock(&self.0).push(fan);
    }
}

/// An errand: help with a fan's tiles while its round lasts.
#[derive(Clone)]
pub(super) struct Helper {
    fan: Arc<Fan>,
    round: u64,
    tiles: usize,
}

impl Helper {
    /// For a fan whose plan is made and holds at least one tile.
    pub(super) fn new(fan: Arc<Fan>) -> Self {
        let (round, tiles) = fan.plan(|plan| (plan.round, plan.tiles()));
        Self { fan, round, tiles }
    }

    /// Tiles there were to decode.
    pub(super) const fn tiles(&self) -> usize {
        self.tiles
    }

    pub(super) fn run(self, fans: &Fans, by: Path) -> Turn<Self> {
        let mut plan = lock(&self.fan.0);
        for _ in 0..TURN_TILES {
            let Some((number, piece)) = plan.claim(self.round) else { return Turn::Over };
            let tile = plan.first + number;
            drop(plan);
            let result = piece.decode(tile);
            plan = lock(&self.fan.0);
            if let Some(finished) = plan.settle(number, result, by) {
                drop(plan);
                fans.give_back(self.fan);
                return Turn::Done(finished);
            }
        }
        let more = plan.has_work(self.round);
        drop(plan);
        if more { Turn::Later(self) } else { Turn::Over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ds_core::OpId;

    fn piece() -> Piece {
        Piece { payload: HostBytes::EMPTY, output: HostBytes::EMPTY }
    }

    fn plan(first: usize, tiles: usize) -> Plan {
        let mut plan = Plan::default();
        plan.begin(JobId { queue: 0, op: OpId::from_u64(1) }, first);
        (0..tiles).for_each(|_| plan.add(piece()));
        plan
    }

    /// Claims a tile, and gives its number in the plan.
    fn claim(plan: &mut Plan) -> Option<usize> {
        plan.claim(plan.round).map(|(number, _)| number)
    }

    const fn fault(number: usize) -> Fault {
        Fault::Os(number as i32)
    }

    #[test]
    fn of_two_bad_tiles_side_by_side_the_lower_is_reported_in_either_order() {
        for order in [[2, 3], [3, 2]] {
            let mut plan = plan(100, 10);
            for number in 0..4 {
                assert_eq!(claim(&mut plan), Some(number));
            }
            // Two threads have the bad ones, two the good ones before them, and those are slower than both.
            for number in order {
                assert_eq!(plan.settle(number, Err(fault(number)), Path::NONE), None);
            }
            assert_eq!(claim(&mut plan), None, "nobody begins a tile that is of no use");
            assert_eq!(plan.settle(1, Ok(()), Path::NONE), None);
            let finished = plan.settle(0, Ok(()), Path::NONE).unwrap();
            assert_eq!(finished.result, Err(fault(2)), "{order:?}");
        }
    }

    #[test]
    fn a_lower_tile_that_fails_last_is_the_one_reported() {
        let mut plan = plan(0, 3);
        for number in 0..3 {
            assert_eq!(claim(&mut plan), Some(number));
        }
        for number in [1, 2] {
            assert_eq!(plan.settle(number, Err(fault(number)), Path::NONE), None);
        }
        assert_eq!(plan.settle(0, Err(fault(0)), Path::NONE).unwrap().result, Err(fault(0)));
    }

    #[test]
    fn a_step_is_answered_once_by_the_last_tile_and_its_helpers_are_then_late() {
        let mut plan = plan(7, 2);
        let round = plan.round;
        let step = DecodeStep { cursor: 9, produced: 1, wants: 2, finished: false };
        plan.answer_with(step);
        for number in 0..2 {
            assert_eq!(claim(&mut plan), Some(number));
        }
        assert_eq!(plan.settle(1, Ok(()), Path::INLINE), None, "tile 0 is being decoded");
        let finished = plan.settle(0, Ok(()), Path::NONE).unwrap();
        assert_eq!(finished.result, Ok(Done::Decoded(step)));
        assert_eq!(finished.path, Path::CODEC_CPU | Path::INLINE);
        // The plan goes on to another job.
        plan.begin(finished.id, 0);
        plan.add(piece());
        assert!(plan.claim(round).is_none());
        assert_eq!(claim(&mut plan), Some(0));
    }
}
