//! Whose turn it is.

use super::Machine;
use crate::fault::{Fault, FaultKind};
use crate::shader::Schedule;

/// Numbers that a seed tells.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Turns are this long at most where lanes take turns.
const MOST: usize = 48;

impl<const W: usize> Machine<'_, W> {
    pub(super) fn run_workgroup(&mut self) -> Result<(), Box<Fault>> {
        loop {
            let mut is_over = true;
            for subgroup in 0..self.subgroups() {
                self.run_subgroup(subgroup)?;
                is_over &= self.state[subgroup].waiting == 0;
            }
            if is_over {
                return Ok(());
            }
            self.meet_all()?;
        }
    }

    /// Until all of its lanes wait for other subgroups, or have ended.
    fn run_subgroup(&mut self, subgroup: usize) -> Result<(), Box<Fault>> {
        loop {
            let running = self.state[subgroup].running;
            if running == 0 {
                if self.meet_subgroup(subgroup)? {
                    continue;
                }
                return Ok(());
            }
            let first = subgroup * self.subgroup;
            let (mask, limit, turn) = match self.dispatch.schedule {
                Schedule::Lockstep => {
                    let (mask, limit) = self.hindmost(first, running);
                    (mask, limit, u64::MAX)
                }
                Schedule::OneByOne(_) => (self.choose(running), u32::MAX, u64::MAX),
                Schedule::Interleaved(_) => {
                    (self.choose(running), u32::MAX, 1 + self.random.below(MOST) as u64)
                }
            };
            let group = self.group(subgroup, mask);
            let lane = first + mask.trailing_zeros() as usize;
            let (before, left) = (self.steps[lane], self.dispatch.bound.saturating_sub(self.steps[lane]));
            let done = self.execute(&group, self.at[lane], limit, turn.min(left + 1))?;
            group.each(|lane| self.steps[lane] += done);
            if before + done > self.dispatch.bound {
                return Err(self.fault(self.endless(lane), lane, self.at[lane]));
            }
        }
    }

    /// The loop that a lane has gone round most often since it came to it.
    fn endless(&self, lane: usize) -> FaultKind {
        let rounds = |of: &usize| self.rounds[*of][lane];
        match (0..self.rounds.len()).max_by_key(rounds) {
            Some(most) => {
                let one = self.program.loops[most];
                let function = self.program.calls[usize::from(one.call)].function;
                let function = self.program.names[usize::from(function)].clone();
                FaultKind::NoEnd { function, number: one.number, rounds: rounds(&most) }
            }
            None => FaultKind::NoEnd { function: String::new(), number: 0, rounds: 0 },
        }
    }

    /// One of these lanes.
    fn choose(&mut self, lanes: u64) -> u64 {
        let mut left = lanes;
        for _ in 0..self.random.below(lanes.count_ones() as usize) {
            left &= left - 1;
        }
        left & left.wrapping_neg()
    }

    /// The lanes that are furthest behind, and where the next are: all that go the same way meet at its end, which lies behind.
    fn hindmost(&self, first: usize, running: u64) -> (u64, u32) {
        let (mut mask, mut least, mut next) = (0, u32::MAX, u32::MAX);
        let mut left = running;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            let at = self.at[first + left.trailing_zeros() as usize];
            if at < least {
                (mask, next, least) = (bit, least, at);
            } else if at == least {
                mask |= bit;
            } else {
                next = next.min(at);
            }
            left ^= bit;
        }
        (mask, next)
    }
}
