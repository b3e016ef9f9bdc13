//! Instructions that reach for memory, and for variables, which are not memory here.

use rspirv::dr::{Instruction, Operand};
use rspirv::spirv::{Op, StorageClass};

use super::{Frame, Lower, Value};
use crate::alu::Binary;
use crate::load::{LoadError, id, unsupported};
use crate::program::{Slot, Space, Step};
use crate::types::Type;

impl<'m> Lower<'m> {
    pub(super) fn copy(&mut self, to: &[Slot], from: &[Slot]) {
        for (&to, &from) in to.iter().zip(from) {
            self.push(Step::Copy { to, from });
        }
    }

    pub(super) fn load(
        &mut self,
        frame: &mut Frame<'m>,
        block: usize,
        n: usize,
        one: &Instruction,
    ) -> Result<(), LoadError> {
        let pointer = id(one, 0);
        let place = self.place(frame, pointer)?;
        let result = one.result_id.ok_or(LoadError::Malformed("a load"))?;
        let slots = match place {
            Value::Own { slots, element: None, .. } => {
                if self.stays(frame, block, n, result, &slots) {
                    slots
                } else {
                    let to = self.result(one)?;
                    self.copy(&to, &slots);
                    to
                }
            }
            Value::Own { slots, element: Some(index), .. } => {
                let to = self.result(one)?;
                let (first, length) = (slots[0], slots.len() as u16);
                self.push(Step::LoadOwn { to: to[0], first, length, index });
                to
            }
            Value::Push { offset, ty } => {
                let to = self.result(one)?;
                let leaves = self.loaded.types.leaves(ty)?;
                for (&to, leaf) in to.iter().zip(leaves) {
                    let (offset, bytes) = (small(offset + leaf.offset)?, leaf.bytes as u8);
                    self.push(Step::PushConstant { to, offset, bytes });
                }
                to
            }
            Value::Address { class, address, offset, ty, name } => {
                let (to, space) = (self.result(one)?, space(class).ok_or_else(|| unsupported(one))?);
                self.origin.name = Some(name);
                self.aligned(one.operands.get(2), space, address, offset)?;
                for (&to, leaf) in to.iter().zip(self.loaded.types.leaves(ty)?) {
                    let (offset, bytes) = (small(offset + leaf.offset)?, leaf.bytes as u8);
                    self.push(Step::Load { to, space, address, offset, bytes });
                }
                to
            }
            Value::Numbers(_) => return Err(unsupported(one)),
        };
        self.define(frame, one, result, slots)
    }

    /// Gives a result its slots; of an address it is also known where it leads.
    pub(super) fn define(
        &mut self,
        frame: &mut Frame<'m>,
        one: &Instruction,
        result: u32,
        slots: Vec<Slot>,
    ) -> Result<(), LoadError> {
        let ty = one.result_type.unwrap_or(0);
        if self.loaded.types.is_signed(ty) {
            self.signed_results.insert(result);
        }
        let value = match *self.loaded.types.get(ty)? {
            Type::Pointer { class, pointee } => {
                let name = self.loaded.name_of_pointee(ty);
                let name = self.name(name);
                Value::Address { class, address: slots[0], offset: 0, ty: pointee, name }
            }
            _ => Value::Numbers(slots),
        };
        frame.values.insert(result, value);
        Ok(())
    }

    pub(super) fn store(&mut self, frame: &Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let (place, from) = (self.place(frame, id(one, 0))?, self.numbers(frame, id(one, 1))?);
        match place {
            Value::Own { slots, element: None, .. } => self.copy(&slots, &from),
            Value::Own { slots, element: Some(index), .. } => {
                let (first, length) = (slots[0], slots.len() as u16);
                self.push(Step::StoreOwn { from: from[0], first, length, index });
            }
            Value::Address { class, address, offset, ty, name } => {
                let space = space(class).ok_or_else(|| unsupported(one))?;
                self.origin.name = Some(name);
                self.aligned(one.operands.get(3), space, address, offset)?;
                for (&from, leaf) in from.iter().zip(self.loaded.types.leaves(ty)?) {
                    let (offset, bytes) = (small(offset + leaf.offset)?, leaf.bytes as u8);
                    self.push(Step::Store { from, space, address, offset, bytes });
                }
            }
            Value::Push { .. } | Value::Numbers(_) => return Err(unsupported(one)),
        }
        Ok(())
    }

    /// Has an address checked to be a multiple of what the instruction promises.
    fn aligned(
        &mut self,
        promised: Option<&Operand>,
        space: Space,
        address: Slot,
        offset: u32,
    ) -> Result<(), LoadError> {
        if let (Space::Buffer, Some(Operand::LiteralBit32(to))) = (space, promised) {
            let (offset, to) = (small(offset)?, small(*to)?);
            self.push(Step::Aligned { address, offset, to });
        }
        Ok(())
    }

    pub(super) fn atomic(
        &mut self,
        frame: &mut Frame<'m>,
        one: &Instruction,
        f: Binary,
    ) -> Result<(), LoadError> {
        let Value::Address { class, address, offset, name, .. } = self.place(frame, id(one, 0))? else {
            return Err(unsupported(one));
        };
        let space = space(class).ok_or_else(|| unsupported(one))?;
        self.origin.name = Some(name);
        let (value, to) = (self.numbers(frame, id(one, 3))?[0], self.result(one)?);
        if self.loaded.types.bits(one.result_type.unwrap_or(0))? != 32 {
            return Err(unsupported(one));
        }
        let offset = small(offset)?;
        self.push(Step::Atomic { to: to[0], f, space, address, offset, value });
        let result = one.result_id.ok_or(LoadError::Malformed("an atomic"))?;
        self.define(frame, one, result, to)
    }

    /// Whether slots keep what they have until the result that is loaded from them is used for the last time.
    fn stays(&self, frame: &Frame<'m>, block: usize, n: usize, result: u32, slots: &[Slot]) -> bool {
        let Some(last) = frame.temporaries.last_use(result, block) else { return false };
        let instructions = &frame.blocks[block].block.instructions;
        let between = instructions.iter().take(last).skip(n + 1);
        between.clone().all(|one| match one.class.opcode {
            Op::FunctionCall => false,
            Op::Store => !self.may_be_in(frame, instructions, id(one, 0), slots),
            _ => true,
        }) && instructions.get(last).is_none_or(|one| one.class.opcode != Op::FunctionCall)
    }

    /// Whether a pointer may lead to one of these slots.
    fn may_be_in(
        &self,
        frame: &Frame<'m>,
        instructions: &[Instruction],
        pointer: u32,
        slots: &[Slot],
    ) -> bool {
        let mut root = pointer;
        let chain = |id| {
            let is_it = |one: &&Instruction| one.result_id == Some(id) && one.class.opcode == Op::AccessChain;
            instructions.iter().find(is_it)
        };
        while let Some(one) = chain(root) {
            root = id(one, 0);
        }
        match frame.values.get(&root).or_else(|| self.globals.get(&root)) {
            Some(Value::Own { slots: others, .. }) => others.iter().any(|other| slots.contains(other)),
            Some(_) => false,
            // A pointer that is loaded leads to memory.
            None => !instructions.iter().any(|one| one.result_id == Some(root)),
        }
    }
}

/// A number of bytes or elements, as steps have room for it.
pub(super) fn small(number: u32) -> Result<u16, LoadError> {
    u16::try_from(number).map_err(|_| LoadError::TooMany("bytes or elements"))
}

const fn space(class: StorageClass) -> Option<Space> {
    match class {
        StorageClass::Workgroup => Some(Space::Shared),
        StorageClass::PhysicalStorageBuffer => Some(Space::Buffer),
        _ => None,
    }
}
