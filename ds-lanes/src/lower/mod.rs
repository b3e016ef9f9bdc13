//! From a module to a program: calls inlined, blocks in order, numbers in slots.

mod functions;
mod globals;
mod instructions;
mod memory;
mod order;
mod places;
mod temporaries;

use std::collections::{HashMap, HashSet};

use rspirv::dr::{Instruction, Module};
use rspirv::spirv::{Op, StorageClass};

use self::order::Placed;
use self::temporaries::Temporaries;
use crate::load::{LoadError, Loaded};
use crate::program::{LoopId, Origin, Program, Slot, Step};
use crate::types::Type;

/// What an id stands for.
#[derive(Clone, Debug)]
enum Value {
    Numbers(Vec<Slot>),
    /// Variables of a lane's own, which lie in slots; of an array an element.
    Own {
        slots: Vec<Slot>,
        ty: u32,
        element: Option<Slot>,
    },
    /// Memory of the workgroup, or everybody's: an address, how far from it, and what it is part of.
    Address {
        class: StorageClass,
        address: Slot,
        offset: u32,
        ty: u32,
        name: u16,
    },
    /// Push constants from there on.
    Push {
        offset: u32,
        ty: u32,
    },
}

/// What a call is to do when it returns.
struct Return {
    into: Vec<Slot>,
    /// Jumps to its end, which is not known yet.
    jumps: Vec<usize>,
    is_main: bool,
}

/// A function where it is inlined.
struct Frame<'m> {
    call: u16,
    around: Option<LoopId>,
    blocks: Vec<Placed<'m>>,
    temporaries: Temporaries,
    values: HashMap<u32, Value>,
    /// Loops of this function, by number.
    loops: HashMap<u16, LoopId>,
    /// Where blocks begin: once for whoever comes, once for whoever goes round.
    labels: HashMap<u32, (u32, u32)>,
    /// Steps that name a block each, instead of where it begins.
    open: Vec<usize>,
    returns: Return,
}

pub(crate) struct Lower<'m> {
    loaded: Loaded<'m>,
    program: Program,
    /// Slots of results, the same wherever a function is inlined: no two of one function's are alive at once.
    results: HashMap<u32, Vec<Slot>>,
    pools: HashMap<u32, Slot>,
    constants: HashMap<u64, Slot>,
    globals: HashMap<u32, Value>,
    names: HashMap<String, u16>,
    /// Results that have a sign.
    signed_results: HashSet<u32>,
    parameter_types: HashMap<u32, u32>,
    origin: Origin,
}

/// Makes a module ready to run.
pub(crate) fn lower(module: &Module, constants: &[(u32, u32)]) -> Result<Program, LoadError> {
    let loaded = Loaded::new(module, constants)?;
    let local_size = loaded.local_size()?;
    let entry = loaded.entry()?;
    let origin = Origin { opcode: Op::Nop, result: None, call: 0, within: None, around: None, name: None };
    let mut this = Lower {
        loaded,
        program: Program { local_size, ..Program::default() },
        results: HashMap::new(),
        pools: HashMap::new(),
        constants: HashMap::new(),
        globals: HashMap::new(),
        names: HashMap::new(),
        signed_results: HashSet::new(),
        parameter_types: HashMap::new(),
        origin,
    };
    this.declare_globals()?;
    let returns = Return { into: Vec::new(), jumps: Vec::new(), is_main: true };
    this.inline(entry, HashMap::new(), None, None, returns)?;
    let constants = this.constants.iter().map(|(value, slot)| (*slot, *value));
    this.program.constants = constants.collect();
    Ok(this.program)
}

impl<'m> Lower<'m> {
    fn new_slots(&mut self, count: usize) -> Result<Vec<Slot>, LoadError> {
        let first = self.program.slots;
        self.program.slots += count;
        Slot::try_from(self.program.slots).map_err(|_| LoadError::TooMany("numbers"))?;
        Ok((first..first + count).map(|slot| slot as Slot).collect())
    }

    fn constant(&mut self, value: u64) -> Result<Slot, LoadError> {
        if let Some(slot) = self.constants.get(&value) {
            return Ok(*slot);
        }
        let slot = self.new_slots(1)?[0];
        self.constants.insert(value, slot);
        Ok(slot)
    }

    fn name(&mut self, name: String) -> u16 {
        let names = &mut self.program.names;
        *self.names.entry(name.clone()).or_insert_with(|| {
            names.push(name);
            (names.len() - 1) as u16
        })
    }

    fn push(&mut self, step: Step) -> usize {
        self.program.steps.push(step);
        self.program.origins.push(self.origin);
        self.program.steps.len() - 1
    }

    fn here(&self) -> u32 {
        self.program.steps.len() as u32
    }

    /// Numbers that an id stands for.
    fn numbers(&mut self, frame: &Frame<'m>, id: u32) -> Result<Vec<Slot>, LoadError> {
        match frame.values.get(&id).or_else(|| self.globals.get(&id)) {
            Some(Value::Numbers(slots)) => return Ok(slots.clone()),
            Some(Value::Address { address, offset, .. }) if *offset == 0 => return Ok(vec![*address]),
            Some(_) => return Err(LoadError::Malformed("a number")),
            None => {}
        }
        if let Ok(value) = self.loaded.value(id) {
            let value = value.to_vec();
            return value.into_iter().map(|value| self.constant(value)).collect();
        }
        self.results.get(&id).cloned().ok_or(LoadError::Malformed("a value"))
    }

    /// Slots for what comes of an instruction.
    fn result(&mut self, one: &Instruction) -> Result<Vec<Slot>, LoadError> {
        let result = one.result_id.ok_or(LoadError::Malformed("a result"))?;
        if let Some(slots) = self.results.get(&result) {
            return Ok(slots.clone());
        }
        let count = self.loaded.types.leaves(one.result_type.unwrap_or(0))?.len();
        let slots = self.new_slots(count)?;
        self.results.insert(result, slots.clone());
        Ok(slots)
    }

    /// What an id stands for, if it is something that can be loaded from.
    fn place(&mut self, frame: &Frame<'m>, id: u32) -> Result<Value, LoadError> {
        if let Some(value) = frame.values.get(&id).or_else(|| self.globals.get(&id)) {
            return Ok(value.clone());
        }
        Err(LoadError::Malformed("a place in memory"))
    }

    fn type_of(&self, one: &Instruction) -> Result<&Type, LoadError> {
        self.loaded.types.get(one.result_type.unwrap_or(0))
    }
}
