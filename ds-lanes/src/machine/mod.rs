//! Lanes at work.

mod execute;
mod meet;
mod reach;
mod schedule;

use crate::fault::{Fault, FaultKind, Place, Race};
use crate::memory::Memory;
use crate::program::{Given, Ordered, Program, Space};
use crate::race::Shadow;
use crate::shader::{Dispatch, Report, Schedule};

use self::schedule::Random;

/// Lanes of a subgroup, a bit each. Who is neither has ended.
#[derive(Clone, Copy, Debug, Default)]
struct Lanes {
    running: u64,
    /// Where they are to meet others.
    waiting: u64,
}

/// Lanes of a subgroup that do the same.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// The first lane of the subgroup, and the end.
    first: usize,
    end: usize,
    subgroup: usize,
    /// Lanes from the first on.
    mask: u64,
    /// Whether those are all.
    is_whole: bool,
}

/// Barriers passed.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    shared: u32,
    buffer: u32,
}

impl Passed {
    fn pass(&mut self, ordered: Ordered) {
        self.shared += u32::from(ordered.shared);
        self.buffer += u32::from(ordered.buffer);
    }

    const fn of(&self, space: Space) -> u32 {
        match space {
            Space::Shared => self.shared,
            Space::Buffer => self.buffer,
        }
    }
}

/// Steps that race.
struct Raced {
    first: u32,
    second: u32,
    changes: bool,
    count: u64,
}

/// A workgroup's lanes, at most `W`.
pub(crate) struct Machine<'a, const W: usize> {
    program: &'a Program,
    memory: &'a mut Memory,
    constants: &'a [u8],
    dispatch: &'a Dispatch,
    random: Random,
    lanes: usize,
    subgroup: usize,
    workgroup: u32,
    numbers: Vec<[u64; W]>,
    /// Rounds of each loop, of each lane.
    rounds: Vec<[u32; W]>,
    at: [u32; W],
    /// Of each subgroup.
    state: Vec<Lanes>,
    steps: [u64; W],
    shared: Vec<u8>,
    shadow: Shadow,
    by_workgroup: Passed,
    by_subgroup: Vec<Passed>,
    /// What a lane has fenced since it wrote last.
    fenced: [Ordered; W],
    races: Vec<Raced>,
    report: Report,
}

impl<'a, const W: usize> Machine<'a, W> {
    pub(crate) fn new(
        program: &'a Program,
        memory: &'a mut Memory,
        constants: &'a [u8],
        dispatch: &'a Dispatch,
    ) -> Self {
        let lanes = program.local_size.iter().product::<u32>() as usize;
        let subgroup = dispatch.subgroup as usize;
        assert!((1..=64).contains(&subgroup), "subgroups of {subgroup}");
        let seed = match dispatch.schedule {
            Schedule::Lockstep => 0,
            Schedule::OneByOne(seed) | Schedule::Interleaved(seed) => seed,
        };
        Self {
            program,
            memory,
            constants,
            dispatch,
            random: Random::new(seed),
            lanes,
            subgroup,
            workgroup: 0,
            numbers: vec![[0; W]; program.slots],
            rounds: vec![[0; W]; program.loops.len()],
            at: [0; W],
            state: vec![Lanes::default(); lanes.div_ceil(subgroup)],
            steps: [0; W],
            shared: vec![0; program.shared as usize],
            shadow: Shadow::new(program.shared as usize),
            by_workgroup: Passed::default(),
            by_subgroup: vec![Passed::default(); lanes.div_ceil(subgroup)],
            fenced: [Ordered::default(); W],
            races: Vec::new(),
            report: Report::default(),
        }
    }

    /// Runs all workgroups.
    pub(crate) fn run(mut self) -> Result<Report, Box<Fault>> {
        for workgroup in 0..self.dispatch.workgroups {
            self.begin(workgroup);
            self.run_workgroup()?;
            self.report.steps += self.steps[..self.lanes].iter().sum::<u64>();
            self.report.longest =
                self.steps[..self.lanes].iter().copied().fold(self.report.longest, u64::max);
        }
        for Raced { first, second, changes, count } in core::mem::take(&mut self.races) {
            let (first, second) = (self.place(first), self.place(second));
            let same = self.report.races.iter_mut().find(|race| race.first == first && race.second == second);
            match same {
                Some(race) => {
                    race.count += count;
                    race.changes |= changes;
                }
                None => self.report.races.push(Race { first, second, changes, count }),
            }
        }
        Ok(self.report)
    }

    /// All lanes at the beginning. What nobody has written is anything.
    fn begin(&mut self, workgroup: u32) {
        self.workgroup = workgroup;
        for numbers in &mut self.numbers {
            numbers.fill_with(|| self.random.next());
        }
        self.shared.fill_with(|| self.random.next() as u8);
        self.shadow.forget();
        for &(slot, value) in &self.program.constants {
            self.numbers[usize::from(slot)] = [value; W];
        }
        let size = self.program.local_size.map(|size| size as usize);
        for &(slot, given) in &self.program.given {
            for lane in 0..self.lanes {
                let local = [lane % size[0], lane / size[0] % size[1], lane / size[0] / size[1]];
                let group = [workgroup as usize, 0, 0];
                let value = match given {
                    Given::SubgroupId => lane / self.subgroup,
                    Given::SubgroupInvocation => lane % self.subgroup,
                    Given::LocalIndex => lane,
                    Given::Workgroup(at) => group[at],
                    Given::Global(at) => group[at] * size[at] + local[at],
                };
                self.numbers[usize::from(slot)][lane] = value as u64;
            }
        }
        self.at = [0; W];
        for subgroup in 0..self.subgroups() {
            self.state[subgroup] = Lanes { running: self.whole(subgroup).mask, waiting: 0 };
        }
        self.steps = [0; W];
        self.fenced = [Ordered::default(); W];
    }

    fn group(&self, subgroup: usize, mask: u64) -> Group {
        let first = subgroup * self.subgroup;
        let end = (first + self.subgroup).min(self.lanes);
        Group { first, end, subgroup, mask, is_whole: mask == u64::MAX >> (64 - (end - first)) }
    }

    /// All lanes of a subgroup.
    fn whole(&self, subgroup: usize) -> Group {
        let lanes = self.subgroup.min(self.lanes - subgroup * self.subgroup);
        self.group(subgroup, u64::MAX >> (64 - lanes))
    }

    fn subgroups(&self) -> usize {
        self.by_subgroup.len()
    }

    #[cold]
    fn fault(&self, kind: FaultKind, lane: usize, step: u32) -> Box<Fault> {
        let place = self.place(step);
        Box::new(Fault { kind, place, workgroup: self.workgroup, lane: lane as u32 })
    }

    fn place(&self, step: u32) -> Place {
        let program = self.program;
        let origin = program.origins[step as usize];
        let name = |name: u16| program.names[usize::from(name)].clone();
        let mut calls = Vec::new();
        let mut call = Some(origin.call);
        while let Some(at) = call {
            let one = program.calls[usize::from(at)];
            calls.push(name(one.function));
            call = one.caller;
        }
        Place {
            calls,
            within: origin.within,
            opcode: Place::opcode(origin.opcode),
            result: origin.result,
            name: origin.name.map(name),
        }
    }
}
