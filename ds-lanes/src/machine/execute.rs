//! Instructions that lanes do on their own, several at once where they are at the same place.

use super::reach::Reach;
use super::{Group, Machine};
use crate::alu::{Binary, Unary, extend, mask};
use crate::fault::{Fault, FaultKind};
use crate::memory;
use crate::program::{Slot, Space, Step};
use crate::race::Kind;

impl Group {
    #[inline(always)]
    pub(super) fn each(&self, mut f: impl FnMut(usize)) {
        if self.is_whole {
            for lane in self.first..self.end {
                f(lane);
            }
        } else {
            let mut left = self.mask;
            while left != 0 {
                f(self.first + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
    }

    #[inline(always)]
    fn try_each(&self, mut f: impl FnMut(usize) -> Result<(), Box<Fault>>) -> Result<(), Box<Fault>> {
        let mut left = self.mask;
        while left != 0 {
            f(self.first + left.trailing_zeros() as usize)?;
            left &= left - 1;
        }
        Ok(())
    }

    /// One number of another.
    #[inline(always)]
    fn map<const W: usize>(&self, numbers: &mut [[u64; W]], to: Slot, a: Slot, f: impl Fn(u64) -> u64) {
        if self.is_whole && self.end - self.first == W {
            numbers[usize::from(to)] = numbers[usize::from(a)].map(f);
        } else {
            self.each(|lane| numbers[usize::from(to)][lane] = f(numbers[usize::from(a)][lane]));
        }
    }

    /// One of two.
    #[inline(always)]
    fn zip<const W: usize>(
        &self,
        numbers: &mut [[u64; W]],
        [to, a, b]: [Slot; 3],
        f: impl Fn(u64, u64) -> u64,
    ) {
        if self.is_whole && self.end - self.first == W {
            let (a, b) = (numbers[usize::from(a)], numbers[usize::from(b)]);
            let to = &mut numbers[usize::from(to)];
            for lane in 0..W {
                to[lane] = f(a[lane], b[lane]);
            }
        } else {
            self.each(|lane| {
                let (a, b) = (numbers[usize::from(a)][lane], numbers[usize::from(b)][lane]);
                numbers[usize::from(to)][lane] = f(a, b);
            });
        }
    }
}

/// One arm for each function, so that each has a loop of its own.
macro_rules! one_by_one {
    ($f:expr, $type:ident, [$($name:ident),*], |$one:ident| $body:expr) => {
        match $f { $($type::$name => { let $one = $type::$name; $body })* }
    };
}

impl<const W: usize> Machine<'_, W> {
    /// Does instructions until lanes part, meet, end, come to where others wait (`limit`), or have done `turn` of them. Returns how many.
    pub(super) fn execute(
        &mut self,
        group: &Group,
        from: u32,
        limit: u32,
        turn: u64,
    ) -> Result<u64, Box<Fault>> {
        let program = self.program;
        let (mut at, mut done) = (from, 0);
        while at < limit && done < turn {
            done += 1;
            let step = program.steps[at as usize];
            match step {
                Step::Jump { to } => {
                    at = to;
                    continue;
                }
                Step::Again { of, to } => {
                    group.each(|lane| self.rounds[usize::from(of)][lane] += 1);
                    at = to;
                    continue;
                }
                Step::Branch { condition, yes, no } => {
                    let conditions = &self.numbers[usize::from(condition)];
                    let mut taken = 0;
                    group.each(|lane| taken |= (conditions[lane] & 1) << (lane - group.first));
                    if taken == 0 {
                        at = no;
                    } else if taken == group.mask {
                        at = yes;
                    } else {
                        group.each(|lane| {
                            self.at[lane] = if taken >> (lane - group.first) & 1 != 0 { yes } else { no };
                        });
                        return Ok(done);
                    }
                    continue;
                }
                Step::Ballot { .. }
                | Step::Shuffle { .. }
                | Step::ShuffleUp { .. }
                | Step::Barrier { .. } => {
                    group.each(|lane| self.at[lane] = at);
                    self.state[group.subgroup].running &= !group.mask;
                    self.state[group.subgroup].waiting |= group.mask;
                    return Ok(done - 1);
                }
                Step::End => {
                    group.each(|lane| self.at[lane] = at);
                    self.state[group.subgroup].running &= !group.mask;
                    return Ok(done);
                }
                _ => self.one(group, at, step)?,
            }
            at += 1;
        }
        group.each(|lane| self.at[lane] = at);
        Ok(done)
    }

    #[inline]
    fn one(&mut self, group: &Group, at: u32, step: Step) -> Result<(), Box<Fault>> {
        match step {
            Step::Copy { to, from } => group.map(&mut self.numbers, to, from, |x| x),
            Step::Binary { f, bits, to, a, b } => {
                let bits = u32::from(bits);
                if f.is_partial() {
                    return self.partial(group, at, f, bits, [to, a, b]);
                }
                one_by_one!(
                    f,
                    Binary,
                    [
                        Add,
                        Sub,
                        Mul,
                        Div,
                        And,
                        Or,
                        Xor,
                        ShiftLeft,
                        ShiftRight,
                        Min,
                        Max,
                        Equal,
                        NotEqual,
                        Less,
                        LessEqual,
                        Greater,
                        GreaterEqual,
                        SignedGreaterEqual
                    ],
                    |one| group.zip(&mut self.numbers, [to, a, b], |x, y| one.apply(bits, x, y))
                );
            }
            Step::Unary { f, bits, to, a } => {
                let bits = u32::from(bits);
                one_by_one!(
                    f,
                    Unary,
                    [Not, LogicalNot, BitCount, BitReverse, LowestBit, HighestBit],
                    |one| group.map(&mut self.numbers, to, a, |x| one.apply(bits, x))
                );
            }
            Step::Select { to, condition, yes, no } => group.each(|lane| {
                let from = if self.numbers[usize::from(condition)][lane] & 1 != 0 { yes } else { no };
                self.numbers[usize::from(to)][lane] = self.numbers[usize::from(from)][lane];
            }),
            Step::Extend { to, from, bits, into } => {
                let (bits, mask) = (u32::from(bits), mask(into.into()));
                group.map(&mut self.numbers, to, from, |x| extend(bits, x) as u64 & mask);
            }
            Step::Join { to, from, bits } => group.each(|lane| {
                let parts = from.iter().rev();
                let joined = parts.fold(0, |all, part| all << bits | self.numbers[usize::from(*part)][lane]);
                self.numbers[usize::from(to)][lane] = joined;
            }),
            Step::Address { to, base, index, signed, stride } => {
                let stride = u64::from(stride);
                let index_of = |index: u64| if signed { extend(32, index) as u64 } else { index };
                group.zip(&mut self.numbers, [to, base, index], |base, index| {
                    base.wrapping_add(index_of(index).wrapping_mul(stride))
                });
            }
            Step::Element { to, base, index, stride, length } => {
                return group.try_each(|lane| {
                    let index = self.element(lane, at, index, length)?;
                    let base = self.numbers[usize::from(base)][lane];
                    self.numbers[usize::from(to)][lane] = base + index * u64::from(stride);
                    Ok(())
                });
            }
            Step::LoadOwn { to, first, length, index } => {
                return group.try_each(|lane| {
                    let from = usize::from(first) + self.element(lane, at, index, length)? as usize;
                    self.numbers[usize::from(to)][lane] = self.numbers[from][lane];
                    Ok(())
                });
            }
            Step::StoreOwn { from, first, length, index } => {
                return group.try_each(|lane| {
                    let to = usize::from(first) + self.element(lane, at, index, length)? as usize;
                    self.numbers[to][lane] = self.numbers[usize::from(from)][lane];
                    Ok(())
                });
            }
            Step::Aligned { address, offset, to } => {
                return group.try_each(|lane| {
                    let address = self.numbers[usize::from(address)][lane].wrapping_add(offset.into());
                    if address.is_multiple_of(to.into()) {
                        return Ok(());
                    }
                    Err(self.fault(FaultKind::Misaligned { address, to }, lane, at))
                });
            }
            Step::Load { to, space, address, offset, bytes } => {
                return group.try_each(|lane| {
                    let address = self.numbers[usize::from(address)][lane].wrapping_add(offset.into());
                    self.numbers[usize::from(to)][lane] =
                        self.load(Reach { lane, at, space, address, bytes })?;
                    Ok(())
                });
            }
            Step::Store { from, space, address, offset, bytes } => {
                return group.try_each(|lane| {
                    let address = self.numbers[usize::from(address)][lane].wrapping_add(offset.into());
                    let value = self.numbers[usize::from(from)][lane];
                    self.store(Reach { lane, at, space, address, bytes }, value, Kind::Write)
                });
            }
            Step::Atomic { to, f, space, address, offset, value } => {
                return group.try_each(|lane| {
                    let address = self.numbers[usize::from(address)][lane].wrapping_add(offset.into());
                    if !address.is_multiple_of(4) {
                        return Err(self.fault(FaultKind::Misaligned { address, to: 4 }, lane, at));
                    }
                    let reach = Reach { lane, at, space, address, bytes: 4 };
                    // The write that follows is what counts.
                    let before = match space {
                        Space::Shared => memory::load(&self.shared, address as usize, 4),
                        Space::Buffer => match self.memory.peek(address, 4) {
                            Ok(before) => before,
                            Err(why) => return Err(self.unreachable(why, reach)),
                        },
                    };
                    let after = f.apply(32, before, self.numbers[usize::from(value)][lane]);
                    self.numbers[usize::from(to)][lane] = before;
                    self.store(reach, after, Kind::Atomic)
                });
            }
            Step::PushConstant { to, offset, bytes } => {
                let value = memory::load(self.constants, offset.into(), bytes);
                group.each(|lane| self.numbers[usize::from(to)][lane] = value);
            }
            Step::Enter { to } => group.each(|lane| self.rounds[usize::from(to)][lane] = 0),
            Step::Fence { ordered } => group.each(|lane| {
                self.fenced[lane].shared |= ordered.shared;
                self.fenced[lane].buffer |= ordered.buffer;
            }),
            _ => {
                let lane = group.first + group.mask.trailing_zeros() as usize;
                return Err(self.fault(FaultKind::Reached, lane, at));
            }
        }
        Ok(())
    }

    fn partial(
        &mut self,
        group: &Group,
        at: u32,
        f: Binary,
        bits: u32,
        [to, a, b]: [Slot; 3],
    ) -> Result<(), Box<Fault>> {
        group.try_each(|lane| {
            let (a, b) = (self.numbers[usize::from(a)][lane], self.numbers[usize::from(b)][lane]);
            let Some(value) = f.checked(bits, a, b) else {
                return Err(self.fault(FaultKind::Undefined, lane, at));
            };
            self.numbers[usize::from(to)][lane] = value;
            Ok(())
        })
    }

    /// An index, if an array of that length has such an element.
    #[inline]
    fn element(&self, lane: usize, at: u32, index: Slot, length: u16) -> Result<u64, Box<Fault>> {
        let index = self.numbers[usize::from(index)][lane];
        if index < u64::from(length) {
            return Ok(index);
        }
        Err(self.fault(FaultKind::NoElement { index, length }, lane, at))
    }
}
