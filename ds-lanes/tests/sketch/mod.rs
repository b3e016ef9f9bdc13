//! Small shaders, made by hand.

use rspirv::binary::Assemble as _;
use rspirv::dr::{Builder, Instruction, Operand};
use rspirv::spirv::{
    AddressingModel, BuiltIn, Capability, Decoration, ExecutionMode, ExecutionModel, FunctionControl,
    LoopControl, MemoryAccess, MemoryModel, MemorySemantics, Op, Scope, SelectionControl, StorageClass, Word,
};

/// Lanes of a subgroup, and of a workgroup.
pub(crate) const LANES: u32 = 32;

/// A shader in the making: a cell of the workgroup for each lane (`cells`), words at the address that is pushed (`Words`), and the lane's
/// number.
pub(crate) struct Sketch {
    builder: Builder,
    pub(crate) uint: Word,
    pub(crate) bool: Word,
    pub(crate) lane: Word,
    cells: Word,
    cell: Word,
    pushed: Word,
    address: Word,
    ulong: Word,
    words: Word,
    word: Word,
    own: Word,
}

impl Sketch {
    /// SPIR-V of a shader that does this.
    pub(crate) fn build(body: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut b = Builder::new();
        b.set_version(1, 5);
        for capability in [
            Capability::Shader,
            Capability::Int64,
            Capability::GroupNonUniformBallot,
            Capability::PhysicalStorageBufferAddresses,
        ] {
            b.capability(capability);
        }
        b.memory_model(AddressingModel::PhysicalStorageBuffer64, MemoryModel::GLSL450);
        let (void, uint, ulong, bool) = (b.type_void(), b.type_int(32, 0), b.type_int(64, 0), b.type_bool());
        let length = b.constant_bit32(uint, LANES);
        let array = b.type_array(uint, length);
        let all_cells = b.type_pointer(None, StorageClass::Workgroup, array);
        let cell = b.type_pointer(None, StorageClass::Workgroup, uint);
        let cells = b.variable(all_cells, None, StorageClass::Workgroup, None);
        b.name(cells, "cells");
        let run = b.type_runtime_array(uint);
        b.decorate(run, Decoration::ArrayStride, [Operand::LiteralBit32(4)]);
        let block = b.type_struct([run]);
        b.name(block, "Words");
        b.decorate(block, Decoration::Block, []);
        b.member_decorate(block, 0, Decoration::Offset, [Operand::LiteralBit32(0)]);
        let words = b.type_pointer(None, StorageClass::PhysicalStorageBuffer, block);
        let word = b.type_pointer(None, StorageClass::PhysicalStorageBuffer, uint);
        let constants = b.type_struct([ulong]);
        b.decorate(constants, Decoration::Block, []);
        b.member_decorate(constants, 0, Decoration::Offset, [Operand::LiteralBit32(0)]);
        let all_pushed = b.type_pointer(None, StorageClass::PushConstant, constants);
        let pushed = b.variable(all_pushed, None, StorageClass::PushConstant, None);
        let address = b.type_pointer(None, StorageClass::PushConstant, ulong);
        let input = b.type_pointer(None, StorageClass::Input, uint);
        let given = b.variable(input, None, StorageClass::Input, None);
        b.decorate(given, Decoration::BuiltIn, [Operand::BuiltIn(BuiltIn::LocalInvocationIndex)]);
        let own = b.type_pointer(None, StorageClass::Function, uint);
        let of_main = b.type_function(void, []);
        let main = b.begin_function(void, None, FunctionControl::NONE, of_main).unwrap();
        b.name(main, "main");
        b.begin_block(None).unwrap();
        let lane = b.load(uint, None, given, None, []).unwrap();
        b.entry_point(ExecutionModel::GLCompute, main, "main", [given, cells, pushed]);
        b.execution_mode(main, ExecutionMode::LocalSize, [LANES, 1, 1]);
        let mut this =
            Self { builder: b, uint, bool, lane, cells, cell, pushed, address, ulong, words, word, own };
        body(&mut this);
        this.builder.ret().unwrap();
        this.builder.end_function().unwrap();
        let words = this.builder.module().assemble();
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    /// A constant.
    pub(crate) fn uint(&mut self, value: u32) -> Word {
        self.builder.constant_bit32(self.uint, value)
    }

    /// What comes of an instruction with these operands.
    pub(crate) fn op(&mut self, op: Op, ty: Word, operands: &[Word]) -> Word {
        let result = self.builder.id();
        let operands = operands.iter().map(|id| Operand::IdRef(*id)).collect();
        self.insert(Instruction::new(op, Some(ty), Some(result), operands));
        result
    }

    fn insert(&mut self, one: Instruction) {
        self.builder.insert_into_block(rspirv::dr::InsertPoint::End, one).unwrap();
    }

    pub(crate) fn is_less(&mut self, value: Word, than: u32) -> Word {
        let than = self.uint(than);
        self.op(Op::ULessThan, self.bool, &[value, than])
    }

    /// Only lanes for which it holds.
    pub(crate) fn when(&mut self, condition: Word, body: impl FnOnce(&mut Self)) {
        let (then, merge) = (self.builder.id(), self.builder.id());
        self.builder.selection_merge(merge, SelectionControl::NONE).unwrap();
        self.builder.branch_conditional(condition, then, merge, []).unwrap();
        self.builder.begin_block(Some(then)).unwrap();
        body(self);
        self.builder.branch(merge).unwrap();
        self.builder.begin_block(Some(merge)).unwrap();
    }

    /// So many times.
    pub(crate) fn rounds(&mut self, count: Word, body: impl FnOnce(&mut Self)) {
        self.rounds_counted(count, |s, _| body(s));
    }

    /// The same, with the number of the round.
    pub(crate) fn rounds_counted(&mut self, count: Word, body: impl FnOnce(&mut Self, Word)) {
        let [head, test, inside, again, merge] = core::array::from_fn(|_| self.builder.id());
        let (zero, one) = (self.uint(0), self.uint(1));
        let counter = self.builder.variable(self.own, None, StorageClass::Function, None);
        self.builder.store(counter, zero, None, []).unwrap();
        self.builder.branch(head).unwrap();
        self.builder.begin_block(Some(head)).unwrap();
        self.builder.loop_merge(merge, again, LoopControl::NONE, []).unwrap();
        self.builder.branch(test).unwrap();
        self.builder.begin_block(Some(test)).unwrap();
        let round = self.builder.load(self.uint, None, counter, None, []).unwrap();
        let more = self.op(Op::ULessThan, self.bool, &[round, count]);
        self.builder.branch_conditional(more, inside, merge, []).unwrap();
        self.builder.begin_block(Some(inside)).unwrap();
        body(self, round);
        self.builder.branch(again).unwrap();
        self.builder.begin_block(Some(again)).unwrap();
        let next = self.op(Op::IAdd, self.uint, &[round, one]);
        self.builder.store(counter, next, None, []).unwrap();
        self.builder.branch(head).unwrap();
        self.builder.begin_block(Some(merge)).unwrap();
    }

    pub(crate) fn ballot(&mut self) {
        let all = self.builder.type_vector(self.uint, 4);
        let (scope, yes) = (self.uint(Scope::Subgroup as u32), self.builder.constant_true(self.bool));
        let result = self.builder.id();
        let operands = vec![Operand::IdScope(scope), Operand::IdRef(yes)];
        self.insert(Instruction::new(Op::GroupNonUniformBallot, Some(all), Some(result), operands));
    }

    pub(crate) fn barrier(&mut self, scope: Scope, semantics: MemorySemantics) {
        let (scope, semantics) = (self.uint(scope as u32), self.uint(semantics.bits()));
        self.builder.control_barrier(scope, scope, semantics).unwrap();
    }

    fn cell(&mut self, index: Word) -> Word {
        self.builder.access_chain(self.cell, None, self.cells, [index]).unwrap()
    }

    pub(crate) fn store_cell(&mut self, index: Word, value: Word) {
        let cell = self.cell(index);
        self.builder.store(cell, value, None, []).unwrap();
    }

    pub(crate) fn load_cell(&mut self, index: Word) -> Word {
        let cell = self.cell(index);
        self.builder.load(self.uint, None, cell, None, []).unwrap()
    }

    pub(crate) fn store_word(&mut self, index: Word, value: Word) {
        let zero = self.uint(0);
        let pushed = self.builder.access_chain(self.address, None, self.pushed, [zero]).unwrap();
        let start = self.builder.load(self.ulong, None, pushed, None, []).unwrap();
        let words = self.builder.convert_u_to_ptr(self.words, None, start).unwrap();
        let word = self.builder.access_chain(self.word, None, words, [zero, index]).unwrap();
        let aligned = [Operand::LiteralBit32(4)];
        self.builder.store(word, value, Some(MemoryAccess::ALIGNED), aligned).unwrap();
    }
}
