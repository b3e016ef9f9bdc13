//! Instructions, one at a time.

use std::collections::HashMap;

use rspirv::dr::{Instruction, Operand};
use rspirv::spirv::{self, GlslStd450Op, MemorySemantics, Op};

use super::{Frame, Lower, Return};
use crate::alu::{Binary, Unary};
use crate::load::{LoadError, id, unsupported};
use crate::program::{Ordered, Scope, Slot, Step};
use crate::types::Type;

impl<'m> Lower<'m> {
    pub(super) fn instruction(
        &mut self,
        frame: &mut Frame<'m>,
        block: usize,
        n: usize,
        one: &'m Instruction,
    ) -> Result<(), LoadError> {
        let opcode = one.class.opcode;
        if let Some(f) = Binary::of(opcode) {
            return self.binary(frame, one, f, id(one, 0), id(one, 1));
        }
        if let Some(f) = Unary::of(opcode) {
            return self.unary(frame, one, f, id(one, 0));
        }
        match opcode {
            // Order and copies have seen to these.
            Op::SelectionMerge | Op::LoopMerge | Op::Phi => Ok(()),
            Op::Variable => self.variable(frame, one),
            Op::Load => self.load(frame, block, n, one),
            Op::Store => self.store(frame, one),
            Op::AccessChain => self.access_chain(frame, one),
            Op::AtomicOr => self.atomic(frame, one, Binary::Or),
            Op::AtomicUMin => self.atomic(frame, one, Binary::Min),
            Op::FunctionCall => self.call(frame, one),
            Op::ExtInst => self.extended(frame, one),
            Op::Select => self.select(frame, one),
            Op::Bitcast | Op::UConvert | Op::SConvert | Op::ConvertUToPtr => self.convert(frame, one),
            Op::CompositeExtract => self.extract(frame, one),
            Op::CompositeConstruct | Op::CopyLogical => self.construct(frame, one),
            Op::GroupNonUniformBallot | Op::GroupNonUniformShuffle | Op::GroupNonUniformShuffleUp => {
                self.group(frame, one)
            }
            Op::ControlBarrier => {
                let scope = self.scope(one, 0)?;
                let ordered = self.ordered(one, 2)?;
                self.push(Step::Barrier { scope, ordered });
                Ok(())
            }
            Op::MemoryBarrier => {
                let ordered = self.ordered(one, 1)?;
                self.push(Step::Fence { ordered });
                Ok(())
            }
            _ => Err(unsupported(one)),
        }
    }

    fn bits_of(&self, frame: &Frame<'m>, value: u32) -> Result<u32, LoadError> {
        if let Some(ty) = self.loaded.type_of.get(&value) {
            return self.loaded.types.bits(*ty);
        }
        let made = frame.blocks.iter().flat_map(|placed| &placed.block.instructions);
        let ty = made.into_iter().find(|one| one.result_id == Some(value)).and_then(|one| one.result_type);
        match ty.or_else(|| self.parameter_types.get(&value).copied()) {
            Some(ty) => self.loaded.types.bits(ty),
            None => Err(LoadError::Malformed("a value's type")),
        }
    }

    fn binary(
        &mut self,
        frame: &mut Frame<'m>,
        one: &Instruction,
        f: Binary,
        a: u32,
        b: u32,
    ) -> Result<(), LoadError> {
        let bits = self.bits_of(frame, a)? as u8;
        let (a, b, to) = (self.numbers(frame, a)?, self.numbers(frame, b)?, self.result(one)?);
        for ((&to, a), b) in to.iter().zip(a).zip(b) {
            self.push(Step::Binary { f, bits, to, a, b });
        }
        self.done(frame, one, to)
    }

    fn unary(&mut self, frame: &mut Frame<'m>, one: &Instruction, f: Unary, a: u32) -> Result<(), LoadError> {
        let bits = self.bits_of(frame, a)? as u8;
        let (a, to) = (self.numbers(frame, a)?, self.result(one)?);
        for (&to, a) in to.iter().zip(a) {
            self.push(Step::Unary { f, bits, to, a });
        }
        self.done(frame, one, to)
    }

    fn done(&mut self, frame: &mut Frame<'m>, one: &Instruction, slots: Vec<Slot>) -> Result<(), LoadError> {
        let result = one.result_id.ok_or(LoadError::Malformed("a result"))?;
        self.define(frame, one, result, slots)
    }

    fn extended(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let number = one.operands[1].unwrap_literal_ext_inst_integer();
        // Numbers of the set that GLSL's functions are in.
        match GlslStd450Op::from_u32(number) {
            Some(GlslStd450Op::UMin) => self.binary(frame, one, Binary::Min, id(one, 2), id(one, 3)),
            Some(GlslStd450Op::UMax) => self.binary(frame, one, Binary::Max, id(one, 2), id(one, 3)),
            Some(GlslStd450Op::FindILsb) => self.unary(frame, one, Unary::LowestBit, id(one, 2)),
            Some(GlslStd450Op::FindUMsb) => self.unary(frame, one, Unary::HighestBit, id(one, 2)),
            _ => Err(unsupported(one)),
        }
    }

    fn select(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let conditions = self.numbers(frame, id(one, 0))?;
        let (yes, no) = (self.numbers(frame, id(one, 1))?, self.numbers(frame, id(one, 2))?);
        let to = self.result(one)?;
        for (at, &to) in to.iter().enumerate() {
            let condition = conditions[at.min(conditions.len() - 1)];
            self.push(Step::Select { to, condition, yes: yes[at], no: no[at] });
        }
        self.done(frame, one, to)
    }

    fn convert(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let bits = self.bits_of(frame, id(one, 0))? as u8;
        let (from, to) = (self.numbers(frame, id(one, 0))?, self.result(one)?);
        let into = self.loaded.types.bits(one.result_type.unwrap_or(0))? as u8;
        match (one.class.opcode, from.len(), to.len()) {
            (Op::Bitcast, 4, 1) => {
                let from = [from[0], from[1], from[2], from[3]];
                self.push(Step::Join { to: to[0], from, bits });
            }
            (_, a, b) if a != b => return Err(unsupported(one)),
            (Op::SConvert, ..) => {
                for (&to, from) in to.iter().zip(from) {
                    self.push(Step::Extend { to, from, bits, into });
                }
            }
            (Op::UConvert, ..) if into < bits => {
                let b = self.constant(crate::alu::mask(into.into()))?;
                for (&to, a) in to.iter().zip(from) {
                    self.push(Step::Binary { f: Binary::And, bits, to, a, b });
                }
            }
            _ => self.copy(&to, &from),
        }
        self.done(frame, one, to)
    }

    fn extract(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let from = self.numbers(frame, id(one, 0))?;
        let [Operand::LiteralBit32(at)] = one.operands[1..] else { return Err(unsupported(one)) };
        let to = self.result(one)?;
        // Of what has parts of one number each.
        let part = from.get(at as usize).filter(|_| to.len() == 1).ok_or_else(|| unsupported(one))?;
        self.copy(&to, &[*part]);
        self.done(frame, one, to)
    }

    fn construct(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let parts = (0..one.operands.len()).map(|at| self.numbers(frame, id(one, at)));
        let from = parts.collect::<Result<Vec<_>, _>>()?.concat();
        let to = self.result(one)?;
        if from.len() != to.len() {
            return Err(unsupported(one));
        }
        self.copy(&to, &from);
        self.done(frame, one, to)
    }

    fn group(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        if self.scope(one, 0)? != Scope::Subgroup {
            return Err(unsupported(one));
        }
        let (from, to) = (self.numbers(frame, id(one, 1))?[0], self.result(one)?);
        let step = match one.class.opcode {
            Op::GroupNonUniformBallot => Step::Ballot { to: [to[0], to[1], to[2], to[3]], from },
            Op::GroupNonUniformShuffle => {
                Step::Shuffle { to: to[0], from, lane: self.numbers(frame, id(one, 2))?[0] }
            }
            _ => Step::ShuffleUp { to: to[0], from, by: self.numbers(frame, id(one, 2))?[0] },
        };
        self.push(step);
        self.done(frame, one, to)
    }

    fn scope(&self, one: &Instruction, operand: usize) -> Result<Scope, LoadError> {
        match self.loaded.value(id(one, operand))?[0] as u32 {
            scope if scope == spirv::Scope::Subgroup as u32 => Ok(Scope::Subgroup),
            scope if scope == spirv::Scope::Workgroup as u32 => Ok(Scope::Workgroup),
            _ => Err(unsupported(one)),
        }
    }

    fn ordered(&self, one: &Instruction, operand: usize) -> Result<Ordered, LoadError> {
        let semantics = MemorySemantics::from_bits_truncate(self.loaded.value(id(one, operand))?[0] as u32);
        // Both sides: who releases alone, or acquires alone, orders nothing for the other.
        let orders =
            semantics.intersects(MemorySemantics::ACQUIRE_RELEASE | MemorySemantics::SEQUENTIALLY_CONSISTENT);
        Ok(Ordered {
            shared: orders && semantics.contains(MemorySemantics::WORKGROUP_MEMORY),
            buffer: orders && semantics.contains(MemorySemantics::UNIFORM_MEMORY),
        })
    }

    fn call(&mut self, frame: &mut Frame<'m>, one: &'m Instruction) -> Result<(), LoadError> {
        let function = id(one, 0);
        let body = *self.loaded.functions.get(&function).ok_or(LoadError::Malformed("a function"))?;
        let mut values = HashMap::new();
        for (parameter, at) in body.parameters.iter().zip(1..) {
            let name = parameter.result_id.ok_or(LoadError::Malformed("a parameter"))?;
            let ty = parameter.result_type.unwrap_or(0);
            self.parameter_types.insert(name, ty);
            let argument = match *self.loaded.types.get(ty)? {
                Type::Pointer { .. } => self.place(frame, id(one, at))?,
                _ => super::Value::Numbers(self.numbers(frame, id(one, at))?),
            };
            values.insert(name, argument);
        }
        let is_void = matches!(self.type_of(one)?, Type::Void);
        let into = if is_void { Vec::new() } else { self.result(one)? };
        let around = self.origin.around;
        let returns = Return { into: into.clone(), jumps: Vec::new(), is_main: false };
        self.inline(function, values, Some(frame.call), around, returns)?;
        if is_void { Ok(()) } else { self.done(frame, one, into) }
    }
}
