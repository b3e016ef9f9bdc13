//! Lanes reach for memory.

use super::{Machine, Raced};
use crate::fault::{Fault, FaultKind};
use crate::memory::{self, Unreachable};
use crate::program::Space;
use crate::race::{Found, Kind, Touch};

impl<const W: usize> Machine<'_, W> {
    #[inline]
    pub(super) fn load(
        &mut self,
        lane: usize,
        at: u32,
        space: Space,
        address: u64,
        bytes: u8,
    ) -> Result<u64, Box<Fault>> {
        let touch = self.touch(lane, at, space, Kind::Read);
        let (value, race) = match space {
            Space::Shared => {
                let start = address as usize;
                (memory::load(&self.shared, start, bytes), self.shadow.read(start, bytes, &touch))
            }
            Space::Buffer => match self.memory.load(address, bytes, &touch) {
                Ok(loaded) => loaded,
                Err(why) => return Err(self.unreachable(why, lane, at, address, bytes)),
            },
        };
        self.found(race, at);
        Ok(value)
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "who, where, what")]
    pub(super) fn store(
        &mut self,
        lane: usize,
        at: u32,
        space: Space,
        address: u64,
        bytes: u8,
        value: u64,
        kind: Kind,
    ) -> Result<(), Box<Fault>> {
        self.wrote(space, lane);
        let touch = self.touch(lane, at, space, kind);
        let race = match space {
            Space::Shared => {
                let start = address as usize;
                let changed = memory::store(&mut self.shared, start, bytes, value);
                self.shadow.write(start, bytes, changed, &touch)
            }
            Space::Buffer => match self.memory.store(address, bytes, value, &touch) {
                Ok(race) => race,
                Err(why) => return Err(self.unreachable(why, lane, at, address, bytes)),
            },
        };
        self.found(race, at);
        Ok(())
    }

    #[cold]
    pub(super) fn unreachable(
        &self,
        why: Unreachable,
        lane: usize,
        at: u32,
        address: u64,
        bytes: u8,
    ) -> Box<Fault> {
        let kind = match why {
            Unreachable::Outside => FaultKind::OutOfBounds { address, bytes },
            Unreachable::ReadOnly => FaultKind::ReadOnly { address },
        };
        self.fault(kind, lane, at)
    }

    /// A lane that reaches for bytes now.
    #[inline]
    fn touch(&self, lane: usize, step: u32, space: Space, kind: Kind) -> Touch {
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
