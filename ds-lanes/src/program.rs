//! A shader made ready to run: calls inlined, control flow flat, every number in a slot that each lane has.

use rspirv::spirv::Op;

use crate::alu::{Binary, Unary};

/// A number that each lane has one of.
pub(crate) type Slot = u16;

/// Which of the loops there are once calls are inlined.
pub(crate) type LoopId = u16;

/// What memory instructions reach for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Of the workgroup.
    Shared,
    /// Everybody's, by address.
    Buffer,
}

/// Who comes together at a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Subgroup,
    Workgroup,
}

/// Accesses that a barrier or fence orders: see [`Space`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ordered {
    pub(crate) shared: bool,
    pub(crate) buffer: bool,
}

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Copy {
        to: Slot,
        from: Slot,
    },
    Binary {
        f: Binary,
        bits: u8,
        to: Slot,
        a: Slot,
        b: Slot,
    },
    Unary {
        f: Unary,
        bits: u8,
        to: Slot,
        a: Slot,
    },
    Select {
        to: Slot,
        condition: Slot,
        yes: Slot,
        no: Slot,
    },
    /// The sign of a number of so many bits goes on to more, or fewer.
    Extend {
        to: Slot,
        from: Slot,
        bits: u8,
        into: u8,
    },
    /// Four numbers, one above the other.
    Join {
        to: Slot,
        from: [Slot; 4],
        bits: u8,
    },
    /// An address: `base + index * stride`.
    Address {
        to: Slot,
        base: Slot,
        index: Slot,
        signed: bool,
        stride: u32,
    },
    /// The same in memory of the workgroup, where arrays are so long.
    Element {
        to: Slot,
        base: Slot,
        index: Slot,
        stride: u16,
        length: u16,
    },
    /// Of an array that a lane has for itself.
    LoadOwn {
        to: Slot,
        first: Slot,
        length: u16,
        index: Slot,
    },
    StoreOwn {
        from: Slot,
        first: Slot,
        length: u16,
        index: Slot,
    },
    /// Fails unless that is a multiple of `to`.
    Aligned {
        address: Slot,
        offset: u16,
        to: u16,
    },
    Load {
        to: Slot,
        space: Space,
        address: Slot,
        offset: u16,
        bytes: u8,
    },
    Store {
        from: Slot,
        space: Space,
        address: Slot,
        offset: u16,
        bytes: u8,
    },
    /// Replaces what is there by what `f` makes of it and `value`.
    Atomic {
        to: Slot,
        f: Binary,
        space: Space,
        address: Slot,
        offset: u16,
        value: Slot,
    },
    PushConstant {
        to: Slot,
        offset: u16,
        bytes: u8,
    },
    Jump {
        to: u32,
    },
    Branch {
        condition: Slot,
        yes: u32,
        no: u32,
    },
    /// Comes to a loop from outside.
    Enter {
        to: LoopId,
    },
    /// Goes round a loop.
    Again {
        of: LoopId,
        to: u32,
    },
    Ballot {
        to: [Slot; 4],
        from: Slot,
    },
    Shuffle {
        to: Slot,
        from: Slot,
        lane: Slot,
    },
    ShuffleUp {
        to: Slot,
        from: Slot,
        by: Slot,
    },
    Barrier {
        scope: Scope,
        ordered: Ordered,
    },
    Fence {
        ordered: Ordered,
    },
    End,
    Unreachable,
}

impl Step {
    /// Whether lanes meet here, and which.
    pub(crate) const fn meets(&self) -> Option<Scope> {
        match self {
            Self::Ballot { .. } | Self::Shuffle { .. } | Self::ShuffleUp { .. } => Some(Scope::Subgroup),
            Self::Barrier { scope, .. } => Some(*scope),
            _ => None,
        }
    }
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) opcode: Op,
    /// The result's id in the module, if there is one.
    pub(crate) result: Option<u32>,
    /// See [`Program::calls`].
    pub(crate) call: u16,
    /// The innermost loop of this function around it, counted in the function.
    pub(crate) within: Option<u16>,
    /// The innermost loop around it of all functions.
    pub(crate) around: Option<LoopId>,
    /// What it reaches for, of [`Program::names`].
    pub(crate) name: Option<u16>,
}

/// A function where it was inlined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) caller: Option<u16>,
    /// Of [`Program::names`].
    pub(crate) function: u16,
}

/// A loop where it was inlined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    pub(crate) around: Option<LoopId>,
    pub(crate) call: u16,
    /// Counted in the function.
    pub(crate) number: u16,
}

/// What the device tells each lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    SubgroupId,
    SubgroupInvocation,
    LocalIndex,
    Workgroup(usize),
    Global(usize),
}

/// A shader made ready to run.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    /// Of each step.
    pub(crate) origins: Vec<Origin>,
    pub(crate) calls: Vec<Call>,
    pub(crate) loops: Vec<Loop>,
    pub(crate) names: Vec<String>,
    pub(crate) slots: usize,
    pub(crate) constants: Vec<(Slot, u64)>,
    pub(crate) given: Vec<(Slot, Given)>,
    /// Bytes of memory of the workgroup.
    pub(crate) shared: u32,
    pub(crate) local_size: [u32; 3],
}
