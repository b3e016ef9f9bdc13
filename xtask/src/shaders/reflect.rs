//! What a compiled shader says of itself.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use rspirv::dr::{Instruction, Module, Operand};
use rspirv::spirv::{BuiltIn, Decoration, ExecutionMode, Op, StorageClass};

/// What a program that runs a shader has to know of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reflection {
    /// Push constants in order: name, offset and size in bytes.
    pub(super) push_constants: Vec<(String, u32, u32)>,
    /// Specialisation constants in order: number, name, value unless told.
    pub(super) constants: Vec<(u32, String, u32)>,
    /// Invocations of a workgroup.
    pub(super) local_size: [u32; 3],
    /// What it asks of a device, in order.
    pub(super) capabilities: Vec<String>,
}

impl Reflection {
    pub(super) fn of(spirv: &[u8]) -> Result<Self> {
        let module = rspirv::dr::load_bytes(spirv).map_err(|error| anyhow::anyhow!("{error}"))?;
        let all = Described::new(&module);
        let mut capabilities: Vec<_> = module
            .capabilities
            .iter()
            .map(|one| format!("{:?}", one.operands[0].unwrap_capability()))
            .collect();
        capabilities.sort();
        Ok(Self {
            push_constants: all.push_constants()?,
            constants: all.constants()?,
            local_size: all.local_size()?,
            capabilities,
        })
    }
}

/// A module, with what it says about its parts at hand.
struct Described<'a> {
    module: &'a Module,
    by_id: HashMap<u32, &'a Instruction>,
}

impl<'a> Described<'a> {
    fn new(module: &'a Module) -> Self {
        let by_id = module.types_global_values.iter().filter_map(|one| Some((one.result_id?, one))).collect();
        Self { module, by_id }
    }

    fn get(&self, id: u32) -> Result<&'a Instruction> {
        self.by_id.get(&id).copied().with_context(|| format!("nothing is called %{id}"))
    }

    /// The name of a thing, or of a member of it.
    fn name(&self, id: u32, member: Option<u32>) -> String {
        let names = self.module.debug_names.iter().find_map(|one| match (one.class.opcode, member) {
            (Op::Name, None) if one.operands[0] == Operand::IdRef(id) => Some(&one.operands[1]),
            (Op::MemberName, Some(member))
                if one.operands[..2] == [Operand::IdRef(id), Operand::LiteralBit32(member)] =>
            {
                Some(&one.operands[2])
            }
            _ => None,
        });
        names.map(|name| name.unwrap_literal_string().to_owned()).unwrap_or_default()
    }

    /// The number that a decoration of a thing, or of a member of it, comes with.
    fn decoration(&self, id: u32, member: Option<u32>, decoration: Decoration) -> Option<u32> {
        self.module.annotations.iter().find_map(|one| {
            let rest = match (one.class.opcode, member) {
                (Op::Decorate, None) if one.operands[0] == Operand::IdRef(id) => &one.operands[1..],
                (Op::MemberDecorate, Some(member))
                    if one.operands[..2] == [Operand::IdRef(id), Operand::LiteralBit32(member)] =>
                {
                    &one.operands[2..]
                }
                _ => return None,
            };
            match rest {
                [Operand::Decoration(found), Operand::LiteralBit32(number), ..] if *found == decoration => {
                    Some(*number)
                }
                _ => None,
            }
        })
    }

    fn push_constants(&self) -> Result<Vec<(String, u32, u32)>> {
        let is_block = |one: &&Instruction| {
            one.class.opcode == Op::Variable
                && one.operands[0] == Operand::StorageClass(StorageClass::PushConstant)
        };
        let Some(variable) = self.module.types_global_values.iter().find(is_block) else {
            return Ok(Vec::new());
        };
        let pointer = self.get(variable.result_type.context("a variable without a type")?)?;
        let block = self.get(pointer.operands[1].unwrap_id_ref())?;
        let id = block.result_id.context("a type without a name")?;
        let members = block.operands.iter().enumerate().map(|(at, operand)| -> Result<_> {
            let member = Some(at as u32);
            let offset =
                self.decoration(id, member, Decoration::Offset).context("a member without an offset")?;
            Ok((self.name(id, member), offset, self.size(operand.unwrap_id_ref())?))
        });
        let mut members: Vec<_> = members.collect::<Result<_>>()?;
        members.sort_by_key(|(_, offset, _)| *offset);
        Ok(members)
    }

    /// Bytes of a number, a vector or an address.
    fn size(&self, id: u32) -> Result<u32> {
        let one = self.get(id)?;
        Ok(match one.class.opcode {
            Op::TypeInt | Op::TypeFloat => one.operands[0].unwrap_literal_bit32() / 8,
            Op::TypeVector => {
                self.size(one.operands[0].unwrap_id_ref())? * one.operands[1].unwrap_literal_bit32()
            }
            Op::TypePointer => 8,
            other => bail!("a push constant is {other:?}, which is not provided for"),
        })
    }

    fn constants(&self) -> Result<Vec<(u32, String, u32)>> {
        let mut constants = Vec::new();
        for one in &self.module.types_global_values {
            let value = match one.class.opcode {
                Op::SpecConstant => one.operands[0].unwrap_literal_bit32(),
                Op::SpecConstantTrue => 1,
                Op::SpecConstantFalse => 0,
                _ => continue,
            };
            let id = one.result_id.context("a constant without a name")?;
            if let Some(number) = self.decoration(id, None, Decoration::SpecId) {
                constants.push((number, self.name(id, None), value));
            }
        }
        constants.sort();
        Ok(constants)
    }

    fn local_size(&self) -> Result<[u32; 3]> {
        // A size that is specialised is told by a constant of its own, which then counts.
        let built_in = self.module.annotations.iter().find(|one| {
            one.class.opcode == Op::Decorate
                && one.operands[1..]
                    == [Operand::Decoration(Decoration::BuiltIn), Operand::BuiltIn(BuiltIn::WorkgroupSize)]
        });
        if let Some(one) = built_in {
            let whole = self.get(one.operands[0].unwrap_id_ref())?;
            let part = |at: usize| -> Result<u32> {
                let constant = self.get(whole.operands[at].unwrap_id_ref())?;
                Ok(constant.operands[0].unwrap_literal_bit32())
            };
            return Ok([part(0)?, part(1)?, part(2)?]);
        }
        let modes = &self.module.execution_modes;
        let size =
            modes.iter().find(|one| one.operands[1] == Operand::ExecutionMode(ExecutionMode::LocalSize));
        let size = size.context("no workgroup size")?;
        Ok([2, 3, 4].map(|at| size.operands[at].unwrap_literal_bit32()))
    }
}
