//! Functions, laid out where they are called: blocks in order, ways between them, and what is copied on the way.

use std::collections::HashMap;

use rspirv::dr::Instruction;
use rspirv::spirv::Op;

use super::temporaries::Temporaries;
use super::{Frame, Lower, Return, Value, order};
use crate::load::{LoadError, id, unsupported};
use crate::program::{Call, Loop, LoopId, Step};

/// Calls within calls.
const DEEPEST: usize = 32;

impl<'m> Lower<'m> {
    /// Lays a function out here, with its parameters standing for these.
    pub(super) fn inline(
        &mut self,
        function: u32,
        values: HashMap<u32, Value>,
        caller: Option<u16>,
        around: Option<LoopId>,
        returns: Return,
    ) -> Result<(), LoadError> {
        let body = *self.loaded.functions.get(&function).ok_or(LoadError::Malformed("a function"))?;
        let blocks = order::blocks(body)?;
        let types = &self.loaded.types;
        let temporaries =
            Temporaries::of(&blocks, |ty| types.leaves(ty).is_ok_and(|leaves| leaves.len() == 1));
        if !self.pools.contains_key(&function) {
            let pool = self.new_slots(temporaries.pool as usize)?;
            self.pools.insert(function, pool.first().copied().unwrap_or(0));
        }
        let pool = self.pools[&function];
        for (result, place) in &temporaries.pooled {
            self.results.insert(*result, vec![pool + place]);
        }
        let call = u16::try_from(self.program.calls.len()).map_err(|_| LoadError::TooMany("calls"))?;
        // A function that calls itself goes on forever.
        let callers = std::iter::successors(caller, |call| self.program.calls[usize::from(*call)].caller);
        if callers.count() > DEEPEST {
            return Err(LoadError::TooMany("calls within calls"));
        }
        let name = self.name(self.loaded.name(function));
        self.program.calls.push(Call { caller, function: name });
        let before = self.origin;
        let mut frame = Frame {
            call,
            around,
            blocks,
            temporaries,
            values,
            loops: HashMap::new(),
            labels: HashMap::new(),
            open: Vec::new(),
            returns,
        };
        for at in 0..frame.blocks.len() {
            self.block(&mut frame, at)?;
        }
        for step in &frame.open {
            let go = |to: &mut u32| *to = frame.labels[to].0;
            match &mut self.program.steps[*step] {
                Step::Jump { to } => go(to),
                Step::Branch { yes, no, .. } => {
                    go(yes);
                    go(no);
                }
                _ => {}
            }
        }
        let end = self.here();
        for step in &frame.returns.jumps {
            self.program.steps[*step] = Step::Jump { to: end };
        }
        self.origin = before;
        Ok(())
    }

    fn block(&mut self, frame: &mut Frame<'m>, at: usize) -> Result<(), LoadError> {
        let (block, label, heads) = (frame.blocks[at].block, frame.blocks[at].id, frame.blocks[at].heads);
        self.origin.call = frame.call;
        self.origin.within = frame.blocks[at].within;
        let start = self.here();
        if let Some((number, outer)) = heads {
            let to = LoopId::try_from(self.program.loops.len()).map_err(|_| LoadError::TooMany("loops"))?;
            let around = outer.map_or(frame.around, |outer| Some(frame.loops[&outer]));
            self.program.loops.push(Loop { around, call: frame.call, number });
            frame.loops.insert(number, to);
            self.push(Step::Enter { to });
        }
        let within = frame.blocks[at].within;
        self.origin.around = within.map_or(frame.around, |number| Some(frame.loops[&number]));
        frame.labels.insert(label, (start, self.here()));
        for (n, one) in block.instructions.iter().enumerate() {
            self.origin.opcode = one.class.opcode;
            self.origin.result = one.result_id;
            self.origin.name = None;
            if n + 1 == block.instructions.len() {
                self.phis(frame, at)?;
                self.origin.opcode = one.class.opcode;
                self.terminator(frame, at, one)?;
            } else {
                self.instruction(frame, at, n, one)?;
            }
        }
        Ok(())
    }

    /// Copies what the blocks after this one choose by where lanes come from.
    fn phis(&mut self, frame: &Frame<'m>, at: usize) -> Result<(), LoadError> {
        let from = frame.blocks[at].id;
        for next in order::successors(frame.blocks[at].block) {
            let Some(place) = frame.blocks.iter().position(|placed| placed.id == next) else { continue };
            let block = frame.blocks[place].block;
            for one in block.instructions.iter().take_while(|one| one.class.opcode == Op::Phi) {
                if frame.blocks[place].heads.is_some() {
                    return Err(unsupported(one));
                }
                let parent = (1..one.operands.len()).step_by(2).find(|operand| id(one, *operand) == from);
                let parent = parent.ok_or(LoadError::Malformed("where a value comes from"))?;
                let (value, into) = (self.numbers(frame, id(one, parent - 1))?, self.result(one)?);
                self.origin.opcode = Op::Phi;
                for (to, from) in into.into_iter().zip(value) {
                    self.push(Step::Copy { to, from });
                }
            }
        }
        Ok(())
    }

    fn terminator(&mut self, frame: &mut Frame<'m>, at: usize, one: &Instruction) -> Result<(), LoadError> {
        let next = frame.blocks.get(at + 1).map(|placed| placed.id);
        match one.class.opcode {
            Op::Branch => self.go(frame, id(one, 0), next),
            Op::BranchConditional => {
                let condition = self.numbers(frame, id(one, 0))?[0];
                let (yes, no) = (id(one, 1), id(one, 2));
                // Whoever goes round a loop does so by a branch of its own.
                if frame.labels.contains_key(&yes) || frame.labels.contains_key(&no) {
                    return Err(unsupported(one));
                }
                let branch = self.push(Step::Branch { condition, yes, no });
                frame.open.push(branch);
            }
            Op::Return | Op::ReturnValue => {
                if frame.returns.is_main {
                    self.push(Step::End);
                    return Ok(());
                }
                if one.class.opcode == Op::ReturnValue {
                    let value = self.numbers(frame, id(one, 0))?;
                    for (to, from) in frame.returns.into.clone().into_iter().zip(value) {
                        self.push(Step::Copy { to, from });
                    }
                }
                if next.is_some() {
                    let jump = self.push(Step::Jump { to: 0 });
                    frame.returns.jumps.push(jump);
                }
            }
            Op::Unreachable => {
                self.push(Step::Unreachable);
            }
            _ => return Err(unsupported(one)),
        }
        Ok(())
    }

    /// Goes on with a block, or once more with one that heads a loop.
    fn go(&mut self, frame: &mut Frame<'m>, to: u32, next: Option<u32>) {
        if let Some((_, again)) = frame.labels.get(&to) {
            let header = frame.blocks.iter().find(|placed| placed.id == to).and_then(|placed| placed.heads);
            if let Some((number, _)) = header {
                self.push(Step::Again { of: frame.loops[&number], to: *again });
                return;
            }
        }
        if Some(to) != next {
            let jump = self.push(Step::Jump { to });
            frame.open.push(jump);
        }
    }
}
