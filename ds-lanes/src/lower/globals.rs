//! Variables of the whole module.

use rspirv::dr::Operand;
use rspirv::spirv::{BuiltIn, Decoration, Op, StorageClass};

use super::{Lower, Value};
use crate::load::{LoadError, unsupported};
use crate::program::{Given, Slot};

impl Lower<'_> {
    /// Gives variables of the whole module their places.
    pub(super) fn declare_globals(&mut self) -> Result<(), LoadError> {
        let module = self.loaded.module;
        for one in module.types_global_values.iter().filter(|one| one.class.opcode == Op::Variable) {
            let result = one.result_id.ok_or(LoadError::Malformed("a variable"))?;
            let (class, ty) = self.loaded.types.pointee(one.result_type.unwrap_or(0))?;
            let value = match class {
                StorageClass::Private | StorageClass::Input => {
                    let slots = self.new_slots(self.loaded.types.leaves(ty)?.len())?;
                    if class == StorageClass::Input {
                        self.declare_given(result, &slots)?;
                    }
                    Value::Own { slots, ty, element: None }
                }
                StorageClass::Workgroup => {
                    let start = self.program.shared.next_multiple_of(16);
                    self.program.shared = start + self.loaded.types.size(ty)?;
                    let (address, name) =
                        (self.constant(u64::from(start))?, self.name(self.loaded.name(result)));
                    Value::Address { class, address, offset: 0, ty, name }
                }
                StorageClass::PushConstant => Value::Push { offset: 0, ty },
                _ => return Err(unsupported(one)),
            };
            if one.operands.len() > 1 {
                return Err(unsupported(one));
            }
            self.globals.insert(result, value);
        }
        Ok(())
    }

    /// An input: what the device tells each lane.
    fn declare_given(&mut self, variable: u32, slots: &[Slot]) -> Result<(), LoadError> {
        let number = self.loaded.module.annotations.iter().find_map(|one| match &one.operands[..] {
            [Operand::IdRef(id), Operand::Decoration(Decoration::BuiltIn), Operand::BuiltIn(one)]
                if *id == variable =>
            {
                Some(*one)
            }
            _ => None,
        });
        let given = |at| {
            Some(match number? {
                BuiltIn::SubgroupId => Given::SubgroupId,
                BuiltIn::SubgroupLocalInvocationId => Given::SubgroupInvocation,
                BuiltIn::LocalInvocationIndex => Given::LocalIndex,
                BuiltIn::WorkgroupId => Given::Workgroup(at),
                BuiltIn::GlobalInvocationId => Given::Global(at),
                _ => return None,
            })
        };
        for (at, slot) in slots.iter().enumerate() {
            let given = given(at).ok_or(LoadError::Malformed("what the device tells a lane"))?;
            self.program.given.push((*slot, given));
        }
        Ok(())
    }
}
