//! Types: how many numbers a value is, and where they lie in memory.

use std::collections::HashMap;

use rspirv::dr::{Instruction, Module, Operand};
use rspirv::spirv::{Decoration, Op, StorageClass};

use crate::load::{LoadError, id};

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Void,
    Bool,
    Int { bits: u32, signed: bool },
    Vector { component: u32, count: u32 },
    Array { element: u32, length: u32, stride: Option<u32> },
    Struct { members: Vec<u32>, offsets: Vec<u32> },
    Pointer { class: StorageClass, pointee: u32 },
    Function,
}

/// One number of a value: where it lies, from where the value does, and how many bytes of it there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}

/// A module's types, by name.
#[derive(Debug, Default)]
pub(crate) struct Types {
    all: HashMap<u32, Type>,
}

impl Types {
    /// Adds what this instruction declares, if that is a type. `constant` tells constants declared so far.
    pub(crate) fn declare(
        &mut self,
        module: &Module,
        one: &Instruction,
        constant: impl Fn(u32) -> Option<u64>,
    ) -> Result<(), LoadError> {
        let declared = match one.class.opcode {
            Op::TypeVoid => Type::Void,
            Op::TypeBool => Type::Bool,
            Op::TypeFunction => Type::Function,
            Op::TypeInt => Type::Int {
                bits: one.operands[0].unwrap_literal_bit32(),
                signed: one.operands[1].unwrap_literal_bit32() != 0,
            },
            Op::TypeVector => {
                Type::Vector { component: id(one, 0), count: one.operands[1].unwrap_literal_bit32() }
            }
            Op::TypeArray | Op::TypeRuntimeArray => {
                let length = match one.operands.get(1) {
                    None => u32::MAX,
                    Some(_) => constant(id(one, 1)).ok_or(LoadError::Malformed("an array's length"))? as u32,
                };
                let stride = decoration(module, one.result_id, Decoration::ArrayStride);
                Type::Array { element: id(one, 0), length, stride }
            }
            Op::TypeStruct => {
                let members: Vec<_> = (0..one.operands.len()).map(|at| id(one, at)).collect();
                let offset = |member| {
                    member_decoration(module, one.result_id, member, Decoration::Offset).unwrap_or(0)
                };
                let offsets = (0..members.len() as u32).map(offset).collect();
                Type::Struct { members, offsets }
            }
            Op::TypePointer => {
                Type::Pointer { class: one.operands[0].unwrap_storage_class(), pointee: id(one, 1) }
            }
            _ => return Ok(()),
        };
        self.all.insert(one.result_id.ok_or(LoadError::Malformed("a type"))?, declared);
        Ok(())
    }

    pub(crate) fn get(&self, id: u32) -> Result<&Type, LoadError> {
        self.all.get(&id).ok_or(LoadError::Malformed("a type"))
    }

    /// What a pointer of this type points to, and where that is.
    pub(crate) fn pointee(&self, id: u32) -> Result<(StorageClass, u32), LoadError> {
        match self.get(id)? {
            Type::Pointer { class, pointee } => Ok((*class, *pointee)),
            _ => Err(LoadError::Malformed("a pointer")),
        }
    }

    /// Bits of a number.
    pub(crate) fn bits(&self, id: u32) -> Result<u32, LoadError> {
        match self.get(id)? {
            Type::Bool => Ok(1),
            Type::Int { bits, .. } => Ok(*bits),
            Type::Pointer { .. } => Ok(64),
            Type::Vector { component, .. } => self.bits(*component),
            _ => Err(LoadError::Malformed("a number")),
        }
    }

    pub(crate) fn is_signed(&self, id: u32) -> bool {
        matches!(self.all.get(&id), Some(Type::Int { signed: true, .. }))
    }

    /// The numbers of a value of this type, in order.
    pub(crate) fn leaves(&self, id: u32) -> Result<Vec<Leaf>, LoadError> {
        let mut leaves = Vec::new();
        self.add_leaves(id, 0, &mut leaves)?;
        Ok(leaves)
    }

    fn add_leaves(&self, id: u32, offset: u32, leaves: &mut Vec<Leaf>) -> Result<(), LoadError> {
        match self.get(id)? {
            Type::Void | Type::Function => {}
            Type::Bool | Type::Int { .. } | Type::Pointer { .. } => {
                leaves.push(Leaf { offset, bytes: self.bits(id)?.div_ceil(8) });
            }
            Type::Vector { component, count } => {
                let bytes = self.bits(*component)?.div_ceil(8);
                leaves.extend((0..*count).map(|at| Leaf { offset: offset + at * bytes, bytes }));
            }
            Type::Array { element, length, .. } => {
                if *length == u32::MAX {
                    return Err(LoadError::Malformed("a value of no certain length"));
                }
                let stride = self.stride(id)?;
                for at in 0..*length {
                    self.add_leaves(*element, offset + at * stride, leaves)?;
                }
            }
            Type::Struct { members, offsets } => {
                for (member, at) in members.iter().zip(offsets) {
                    self.add_leaves(*member, offset + at, leaves)?;
                }
            }
        }
        Ok(())
    }

    /// Bytes from an array's element to the next.
    pub(crate) fn stride(&self, id: u32) -> Result<u32, LoadError> {
        match self.get(id)? {
            Type::Array { stride: Some(stride), .. } => Ok(*stride),
            Type::Array { element, .. } => self.size(*element),
            _ => Err(LoadError::Malformed("an array")),
        }
    }

    /// Bytes of a value.
    pub(crate) fn size(&self, id: u32) -> Result<u32, LoadError> {
        Ok(self.leaves(id)?.iter().map(|leaf| leaf.offset + leaf.bytes).max().unwrap_or(0))
    }
}

/// The number that a decoration comes with.
pub(crate) fn decoration(module: &Module, id: Option<u32>, decoration: Decoration) -> Option<u32> {
    let id = Operand::IdRef(id?);
    module.annotations.iter().find_map(|one| match &one.operands[..] {
        [target, Operand::Decoration(found), Operand::LiteralBit32(number)]
            if *target == id && *found == decoration =>
        {
            Some(*number)
        }
        _ => None,
    })
}

fn member_decoration(module: &Module, id: Option<u32>, member: u32, decoration: Decoration) -> Option<u32> {
    let (id, member) = (Operand::IdRef(id?), Operand::LiteralBit32(member));
    module.annotations.iter().find_map(|one| match &one.operands[..] {
        [target, at, Operand::Decoration(found), Operand::LiteralBit32(number)]
            if *target == id && *at == member && *found == decoration =>
        {
            Some(*number)
        }
        _ => None,
    })
}
