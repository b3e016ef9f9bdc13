//! Lanes reach for memory.

use super::{Machine, Raced};
use crate::fault::{Fault, FaultKind};
use crate::memory::{self, Unreachable};
use crate::program::Space;
use crate::race::{Found, Kind, Touch};

/// Who reaches for what.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    pub(super) lane: usize,
    /// The instruction.
    pub(super) at: u32,
    pub(super) space: Space,
    pub(super) address: u64,
    pub(super) bytes: u8,
}

impl<const W: usize> Machine<'_, W> {
    #[inline]
    pub(super) fn load(&mut self, reach: Reach) -> Result<u64, Box<Fault>> {
        let Reach { at, space, address, bytes, .. } = reach;
        let touch = self.touch(reach, Kind::Read);
        let (value, race) = match space {
            Space::Shared => {
                let start = address as usize;
                (memory::load(&self.shared, start, bytes), self.shadow.read(start, bytes, &touch))
            }
            Space::Buffer => match self.memory.load(address, bytes, &touch) {
                Ok(loaded) => loaded,
                Err(why) => return Err(self.unreachable(why, reach)),
            },
        };
        self.found(race, at);
        Ok(value)
    }

    #[inline]
    pub(super) fn store(&mut self, reach: Reach, value: u64, kind: Kind) -> Result<(), Box<Fault>> {
        let Reach { lane, at, space, address, bytes } = reach;
        self.wrote(space, lane);
        let touch = self.touch(reach, kind);
        let race = match space {
            Space::Shared => {
                let start = address as usize;
                let changed = memory::store(&mut self.shared, start, bytes, value);
                self.shadow.write(start, bytes, changed, &touch)
            }
            Space::Buffer => match self.memory.store(address, bytes, value, &touch) {
                Ok(race) => race,
                Err(why) => return Err(self.unreachable(why, reach)),
            },
        };
        self.found(race, at);
        Ok(())
    }

    #[cold]
    pub(super) fn unreachable(&self, why: Unreachable, reach: Reach) -> Box<Fault> {
        let Reach { lane, at, address, bytes, .. } = reach;
        let kind = match why {
            Unreachable::Outside => FaultKind::OutOfBounds { address, bytes },
            Unreachable::ReadOnly => FaultKind::ReadOnly { address },
        };
        self.fault(kind, lane, at)
    }

    /// A lane that reaches for bytes now.
    #[inline]
    fn touch(&self, Reach { lane, at: step, space, .. }: Reach, kind: Kind) -> Touch {
        Touch {
            lane: self.workgroup * self.lanes as u32 + lane as u32,
            step,
            kind,
            subgroup_barriers: self.by_subgroup[lane / self.subgroup].of(space),
            workgroup_barriers: self.by_workgroup.of(space),
            workgroup: self.lanes as u32,
            subgroup: self.subgroup as u32,
        }
    }

    #[inline]
    fn found(&mut self, race: Option<Found>, second: u32) {
        let Some(Found { first, changes }) = race else { return };
        match self.races.iter_mut().find(|race| (race.first, race.second) == (first, second)) {
            Some(race) => {
                race.count += 1;
                race.changes |= changes;
            }
            None => self.races.push(Raced { first, second, changes, count: 1 }),
        }
    }

    fn wrote(&mut self, space: Space, lane: usize) {
        match space {
            Space::Shared => self.fenced[lane].shared = false,
            Space::Buffer => self.fenced[lane].buffer = false,
        }
    }
}
