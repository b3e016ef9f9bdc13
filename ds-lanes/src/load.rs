//! A module, with what it says about its parts at hand.

use std::collections::HashMap;
use std::fmt;

use rspirv::dr::{Function, Instruction, Module, Operand};
use rspirv::spirv::{BuiltIn, Decoration, ExecutionMode, Op};

use crate::alu::{Binary, Unary, mask};
use crate::types::{Type, Types, decoration};

/// Why a module cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// It is not SPIR-V; what the parser says.
    Parse(String),
    /// An instruction that no shader of ours has needed so far.
    Unsupported {
        /// What it is.
        opcode: Op,
        /// The id of its result, if there is one.
        result: Option<u32>,
    },
    /// Something that is not there, or not what it should be.
    Malformed(&'static str),
    /// More of something than there is room for.
    TooMany(&'static str),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(why) => write!(f, "not SPIR-V: {why}"),
            Self::Unsupported { opcode, result } => {
                write!(f, "Op{opcode:?}")?;
                if let Some(result) = result {
                    write!(f, " (%{result})")?;
                }
                f.write_str(" is not provided for")
            }
            Self::Malformed(what) => write!(f, "not there, or not what it should be: {what}"),
            Self::TooMany(what) => write!(f, "too many {what}"),
        }
    }
}

impl core::error::Error for LoadError {}

/// A module's declarations.
pub(crate) struct Loaded<'m> {
    pub(crate) module: &'m Module,
    pub(crate) types: Types,
    /// Numbers of each constant.
    pub(crate) constants: HashMap<u32, Vec<u64>>,
    /// Types of constants.
    pub(crate) type_of: HashMap<u32, u32>,
    pub(crate) functions: HashMap<u32, &'m Function>,
    names: HashMap<u32, &'m str>,
}

/// The id that an operand is.
pub(crate) fn id(one: &Instruction, at: usize) -> u32 {
    match one.operands.get(at) {
        Some(Operand::IdRef(id) | Operand::IdScope(id) | Operand::IdMemorySemantics(id)) => *id,
        _ => 0,
    }
}

/// An instruction that is not provided for.
pub(crate) const fn unsupported(one: &Instruction) -> LoadError {
    LoadError::Unsupported { opcode: one.class.opcode, result: one.result_id }
}

impl<'m> Loaded<'m> {
    /// Takes declarations in, with specialisation constants of these numbers as given.
    pub(crate) fn new(module: &'m Module, given: &[(u32, u32)]) -> Result<Self, LoadError> {
        let mut this = Self {
            module,
            types: Types::default(),
            constants: HashMap::new(),
            type_of: HashMap::new(),
            functions: HashMap::new(),
            names: HashMap::new(),
        };
        for one in &module.debug_names {
            if one.class.opcode == Op::Name {
                this.names.insert(id(one, 0), one.operands[1].unwrap_literal_string());
            }
        }
        for one in &module.types_global_values {
            let constants = &this.constants;
            this.types
                .declare(module, one, |id| constants.get(&id).and_then(|value| value.first().copied()))?;
            if let (Some(result), Some(value)) = (one.result_id, this.constant(one, given)?) {
                this.constants.insert(result, value);
                this.type_of.insert(result, one.result_type.unwrap_or(0));
            }
        }
        for function in &module.functions {
            let result = function.def.as_ref().and_then(|def| def.result_id);
            this.functions.insert(result.ok_or(LoadError::Malformed("a function"))?, function);
        }
        Ok(this)
    }

    fn constant(&self, one: &Instruction, given: &[(u32, u32)]) -> Result<Option<Vec<u64>>, LoadError> {
        let number = decoration(self.module, one.result_id, Decoration::SpecId);
        let given = number.and_then(|number| given.iter().find(|(given, _)| *given == number));
        let given = given.map(|(_, value)| u64::from(*value));
        let bits = || self.types.bits(one.result_type.unwrap_or(0));
        Ok(Some(match one.class.opcode {
            Op::Constant | Op::SpecConstant => {
                let told = match one.operands[0] {
                    Operand::LiteralBit32(value) => u64::from(value),
                    Operand::LiteralBit64(value) => value,
                    _ => return Err(unsupported(one)),
                };
                vec![given.unwrap_or(told) & mask(bits()?)]
            }
            Op::ConstantTrue => vec![1],
            Op::ConstantFalse => vec![0],
            Op::ConstantComposite | Op::SpecConstantComposite => {
                let parts = (0..one.operands.len()).map(|at| self.value(id(one, at)));
                parts.collect::<Result<Vec<_>, _>>()?.concat()
            }
            Op::SpecConstantOp => vec![self.computed(one, bits()?)?],
            Op::Variable | Op::TypeForwardPointer => return Ok(None),
            _ if one.result_id.is_some_and(|id| self.types.get(id).is_ok()) => return Ok(None),
            _ => return Err(unsupported(one)),
        }))
    }

    fn computed(&self, one: &Instruction, bits: u32) -> Result<u64, LoadError> {
        let op = match one.operands[0] {
            Operand::LiteralSpecConstantOpInteger(op) => op,
            _ => return Err(unsupported(one)),
        };
        let first = self.value(id(one, 1))?;
        // Of what is compared, not of what comes of it.
        let width = self.type_of.get(&id(one, 1)).map_or(Ok(bits), |ty| self.types.bits(*ty))?;
        if op == Op::CompositeExtract {
            let at = one.operands[2].unwrap_literal_bit32() as usize;
            return first.get(at).copied().ok_or_else(|| unsupported(one));
        }
        if op == Op::Select {
            return Ok(self.value(id(one, if first[0] != 0 { 2 } else { 3 }))?[0]);
        }
        if let Some(f) = Unary::of(op) {
            return Ok(f.apply(bits, first[0]));
        }
        let f = Binary::of(op).ok_or_else(|| unsupported(one))?;
        f.checked(width, first[0], self.value(id(one, 2))?[0]).ok_or_else(|| unsupported(one))
    }

    /// A constant's numbers.
    pub(crate) fn value(&self, id: u32) -> Result<&[u64], LoadError> {
        self.constants.get(&id).map(Vec::as_slice).ok_or(LoadError::Malformed("a constant"))
    }

    /// What the module calls something, up to what compilers add, or its number.
    pub(crate) fn name(&self, id: u32) -> String {
        match self.names.get(&id) {
            Some(name) if !name.is_empty() => name.split('(').next().unwrap_or(name).to_owned(),
            _ => format!("%{id}"),
        }
    }

    /// The name of what an address of this type leads to.
    pub(crate) fn name_of_pointee(&self, pointer: u32) -> String {
        match self.types.get(pointer) {
            Ok(Type::Pointer { pointee, .. }) => self.name(*pointee),
            _ => self.name(pointer),
        }
    }

    /// Where it begins.
    pub(crate) fn entry(&self) -> Result<u32, LoadError> {
        match &self.module.entry_points[..] {
            [one] => Ok(id(one, 1)),
            _ => Err(LoadError::Malformed("an entry point, and no other")),
        }
    }

    /// Invocations of a workgroup.
    pub(crate) fn local_size(&self) -> Result<[u32; 3], LoadError> {
        let whole = [Operand::Decoration(Decoration::BuiltIn), Operand::BuiltIn(BuiltIn::WorkgroupSize)];
        let built_in = self.module.annotations.iter().find(|one| one.operands.get(1..) == Some(&whole));
        if let Some(one) = built_in {
            let value = self.value(id(one, 0))?;
            return value
                .iter()
                .map(|&part| part as u32)
                .collect::<Vec<_>>()
                .try_into()
                .map_err(|_| LoadError::Malformed("a workgroup's size"));
        }
        let mode = self.module.execution_modes.iter().find_map(|one| match &one.operands[1..] {
            [Operand::ExecutionMode(ExecutionMode::LocalSize), parts @ ..] => {
                parts.iter().map(|part| Some(part.unwrap_literal_bit32())).collect::<Option<Vec<_>>>()
            }
            [Operand::ExecutionMode(ExecutionMode::LocalSizeId), parts @ ..] => parts
                .iter()
                .map(|part| match part {
                    Operand::IdRef(id) => self.value(*id).ok().map(|value| value[0] as u32),
                    _ => None,
                })
                .collect(),
            _ => None,
        });
        mode.and_then(|parts| parts.try_into().ok()).ok_or(LoadError::Malformed("a workgroup's size"))
    }
}
