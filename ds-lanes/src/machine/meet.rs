//! Where lanes come together: all of a group, at the same instruction, in the same rounds of the loops around it.

use super::{Group, Lanes, Machine};
use crate::fault::{Fault, FaultKind};
use crate::program::{Ordered, Scope, Step};

impl<const W: usize> Machine<'_, W> {
    /// Has a subgroup's lanes, all of which wait or have ended, do together what they wait for. Whether there is such a thing: they may wait
    /// for other subgroups.
    pub(super) fn meet_subgroup(&mut self, subgroup: usize) -> Result<bool, Box<Fault>> {
        let group = self.whole(subgroup);
        let waiting = self.state[subgroup].waiting;
        if waiting == 0 {
            return Ok(false);
        }
        let leader = group.first + waiting.trailing_zeros() as usize;
        self.all_there(&group, leader)?;
        let at = self.at[leader];
        if self.program.steps[at as usize].meets() == Some(Scope::Workgroup) {
            return Ok(false);
        }
        self.together(subgroup, at);
        self.go_on(&group, at + 1);
        Ok(true)
    }

    /// Has all lanes of the workgroup pass the barrier that they wait for.
    pub(super) fn meet_all(&mut self) -> Result<(), Box<Fault>> {
        let somebody = self.state.iter().position(|lanes| lanes.waiting != 0);
        let subgroup = somebody.expect("somebody waits, for nobody runs and not all have ended");
        let leader = subgroup * self.subgroup + self.state[subgroup].waiting.trailing_zeros() as usize;
        for subgroup in 0..self.subgroups() {
            let group = self.whole(subgroup);
            self.all_there(&group, leader)?;
        }
        let at = self.at[leader];
        if let Step::Barrier { ordered, .. } = self.program.steps[at as usize] {
            // What all have fenced before they came is ordered as well.
            let fenced = &self.fenced[..self.lanes];
            let all = Ordered {
                shared: ordered.shared || fenced.iter().all(|one| one.shared),
                buffer: ordered.buffer || fenced.iter().all(|one| one.buffer),
            };
            self.by_workgroup.pass(all);
            for passed in &mut self.by_subgroup {
                passed.pass(all);
            }
        }
        for subgroup in 0..self.subgroups() {
            let group = self.whole(subgroup);
            self.go_on(&group, at + 1);
        }
        Ok(())
    }

    /// Lets all lanes of a subgroup go on from there, which have done one instruction together.
    fn go_on(&mut self, group: &Group, at: u32) {
        self.state[group.subgroup] = Lanes { running: group.mask, waiting: 0 };
        for lane in group.first..group.end {
            self.at[lane] = at;
            self.steps[lane] += 1;
        }
    }

    /// Fails unless all lanes of a subgroup wait where this one does, in the same rounds of loops.
    fn all_there(&self, group: &Group, leader: usize) -> Result<(), Box<Fault>> {
        let at = self.at[leader];
        let lanes = self.state[group.subgroup];
        let mut missing = group.mask & !lanes.waiting;
        for lane in group.first..group.end {
            let here = self.at[lane] == at && self.same_rounds(lane, leader);
            missing |= u64::from(!here) << (lane - group.first);
        }
        if missing == 0 {
            return Ok(());
        }
        let first = group.first + missing.trailing_zeros() as usize;
        let has_ended = (lanes.running | lanes.waiting) >> (first - group.first) & 1 == 0;
        let elsewhere = (!has_ended).then(|| self.place(self.at[first]));
        let kind = FaultKind::Apart { there: group.mask & !missing, missing, elsewhere };
        Err(self.fault(kind, leader, at))
    }

    fn same_rounds(&self, lane: usize, other: usize) -> bool {
        let mut around = self.program.origins[self.at[other] as usize].around;
        while let Some(one) = around {
            let rounds = &self.rounds[usize::from(one)];
            if rounds[lane] != rounds[other] {
                return false;
            }
            around = self.program.loops[usize::from(one)].around;
        }
        true
    }

    /// What all lanes of a subgroup do at this step.
    fn together(&mut self, subgroup: usize, at: u32) {
        let Group { first, end, .. } = self.whole(subgroup);
        let get = |slot: u16, lane: usize, numbers: &[[u64; W]]| numbers[usize::from(slot)][lane];
        match self.program.steps[at as usize] {
            Step::Ballot { to, from } => {
                let votes = (first..end).fold(0_u64, |votes, lane| {
                    votes | (get(from, lane, &self.numbers) & 1) << (lane - first)
                });
                for (part, slot) in to.into_iter().enumerate() {
                    let part = if part < 2 { votes >> (32 * part) & 0xFFFF_FFFF } else { 0 };
                    self.numbers[usize::from(slot)][first..end].fill(part);
                }
            }
            Step::Shuffle { to, from, lane } => {
                let told = self.numbers[usize::from(from)];
                for one in first..end {
                    let source = get(lane, one, &self.numbers) as usize;
                    // From a lane that is not there comes anything.
                    let value = if source < end - first {
                        told[first + source]
                    } else {
                        self.random.next() & 0xFFFF_FFFF
                    };
                    self.numbers[usize::from(to)][one] = value;
                }
            }
            Step::ShuffleUp { to, from, by } => {
                let told = self.numbers[usize::from(from)];
                for one in first..end {
                    let by = get(by, one, &self.numbers) as usize;
                    let value = match (one - first).checked_sub(by) {
                        Some(source) => told[first + source],
                        None => self.random.next() & 0xFFFF_FFFF,
                    };
                    self.numbers[usize::from(to)][one] = value;
                }
            }
            Step::Barrier { ordered, .. } => self.by_subgroup[subgroup].pass(ordered),
            _ => {}
        }
    }
}
