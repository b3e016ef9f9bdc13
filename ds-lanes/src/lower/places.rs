//! Where things are: variables, and parts of what is in memory.

use rspirv::dr::Instruction;
use rspirv::spirv::StorageClass;

use super::memory::small;
use super::{Frame, Lower, Value};
use crate::load::{LoadError, id, unsupported};
use crate::program::{Slot, Step};
use crate::types::Type;

impl<'m> Lower<'m> {
    /// A variable of a function.
    pub(super) fn variable(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let result = one.result_id.ok_or(LoadError::Malformed("a variable"))?;
        let (_, ty) = self.loaded.types.pointee(one.result_type.unwrap_or(0))?;
        let slots = match self.results.get(&result) {
            Some(slots) => slots.clone(),
            None => {
                let slots = self.new_slots(self.loaded.types.leaves(ty)?.len())?;
                self.results.insert(result, slots.clone());
                slots
            }
        };
        if one.operands.len() > 1 {
            let from = self.numbers(frame, id(one, 1))?;
            self.copy(&slots, &from);
        }
        frame.values.insert(result, Value::Own { slots, ty, element: None });
        Ok(())
    }

    /// A part of something, as far in as indices tell.
    pub(super) fn access_chain(&mut self, frame: &mut Frame<'m>, one: &Instruction) -> Result<(), LoadError> {
        let result = one.result_id.ok_or(LoadError::Malformed("an access chain"))?;
        let mut value = self.place(frame, id(one, 0))?;
        let mut is_own = false;
        for at in 1..one.operands.len() {
            let index = id(one, at);
            let known = self.loaded.value(index).ok().map(|value| value[0]);
            value = match value {
                Value::Own { slots, ty, element: None } => {
                    self.own_part(frame, slots, ty, known, index, one)?
                }
                Value::Push { offset, ty } => {
                    let known = known.ok_or_else(|| unsupported(one))?;
                    let (ty, more) = self.part(ty, known as u32)?;
                    Value::Push { offset: offset + more, ty }
                }
                Value::Address { class, address, offset, ty, name } => match known {
                    Some(known) if !self.is_out_of(ty, known) => {
                        let (ty, more) = self.part(ty, known as u32)?;
                        let offset = offset.checked_add(more).ok_or(LoadError::TooMany("bytes"))?;
                        Value::Address { class, address, offset, ty, name }
                    }
                    _ => {
                        let to = self.result(one)?[0];
                        is_own = true;
                        let (element, length) = match self.loaded.types.get(ty)? {
                            Type::Array { element, length, .. } => (*element, *length),
                            Type::Vector { component, count } => (*component, *count),
                            _ => return Err(unsupported(one)),
                        };
                        let stride = match self.loaded.types.get(ty)? {
                            Type::Array { .. } => self.loaded.types.stride(ty)?,
                            _ => self.loaded.types.size(element)?,
                        };
                        let signed = self.index_is_signed(index);
                        let index = self.numbers(frame, index)?[0];
                        self.origin.name = Some(name);
                        if class == StorageClass::Workgroup {
                            let (stride, length) = (small(stride)?, small(length)?);
                            self.push(Step::Element { to, base: address, index, stride, length });
                        } else {
                            self.push(Step::Address { to, base: address, index, signed, stride });
                        }
                        Value::Address { class, address: to, offset, ty: element, name }
                    }
                },
                Value::Own { .. } | Value::Numbers(_) => return Err(unsupported(one)),
            };
        }
        // The slot of what this leads on from may be another's by the time it is used.
        if let Value::Address { class: StorageClass::PhysicalStorageBuffer, address, .. } = &mut value
            && !is_own
        {
            let to = self.result(one)?[0];
            self.push(Step::Copy { to, from: *address });
            *address = to;
        }
        frame.values.insert(result, value);
        Ok(())
    }

    /// Whether arrays of this type have no such element.
    fn is_out_of(&self, ty: u32, index: u64) -> bool {
        matches!(self.loaded.types.get(ty), Ok(Type::Array { length, .. }) if index >= u64::from(*length))
    }

    fn index_is_signed(&self, index: u32) -> bool {
        let of_constant = self.loaded.type_of.get(&index);
        of_constant.is_some_and(|ty| self.loaded.types.is_signed(*ty)) || self.signed_results.contains(&index)
    }

    /// A part of a lane's own variable.
    fn own_part(
        &mut self,
        frame: &Frame<'m>,
        slots: Vec<Slot>,
        ty: u32,
        known: Option<u64>,
        index: u32,
        one: &Instruction,
    ) -> Result<Value, LoadError> {
        let types = &self.loaded.types;
        let count = |ty| types.leaves(ty).map(|leaves| leaves.len());
        let (first, part) = match (types.get(ty)?, known) {
            (Type::Struct { members, .. }, Some(at)) => {
                let at = at as usize;
                let before = members[..at].iter().map(|member| count(*member));
                (before.sum::<Result<usize, _>>()?, members[at])
            }
            (Type::Array { element, .. }, Some(at)) => (at as usize * count(*element)?, *element),
            (Type::Vector { component, .. }, Some(at)) => (at as usize, *component),
            (Type::Array { element, .. } | Type::Vector { component: element, .. }, None) => {
                let element = *element;
                if count(element)? != 1 {
                    return Err(unsupported(one));
                }
                let from = self.numbers(frame, index)?[0];
                let to = self.result(one)?[0];
                self.push(Step::Copy { to, from });
                return Ok(Value::Own { slots, ty: element, element: Some(to) });
            }
            _ => return Err(unsupported(one)),
        };
        let len = count(part)?;
        let slots = slots.get(first..first + len).ok_or(LoadError::Malformed("a part of a variable"))?;
        Ok(Value::Own { slots: slots.to_vec(), ty: part, element: None })
    }

    /// A part of something in memory: its type, and how far in it is.
    fn part(&self, ty: u32, at: u32) -> Result<(u32, u32), LoadError> {
        let types = &self.loaded.types;
        match types.get(ty)? {
            Type::Struct { members, offsets } => {
                let at = at as usize;
                members.get(at).map(|member| (*member, offsets[at])).ok_or(LoadError::Malformed("a member"))
            }
            Type::Array { element, .. } => Ok((*element, at * types.stride(ty)?)),
            Type::Vector { component, .. } => Ok((*component, at * types.size(*component)?)),
            _ => Err(LoadError::Malformed("something with parts")),
        }
    }
}
