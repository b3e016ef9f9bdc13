//! The order that a function's blocks are laid out in: every construct whole, and what comes after it behind it. Lanes that are to meet
//! again where a construct ends then wait further on than all that are still in it.

use std::collections::{HashMap, HashSet};

use rspirv::dr::{Block, Function};
use rspirv::spirv::Op;

use crate::load::{LoadError, id};

/// A block in its place.
pub(super) struct Placed<'m> {
    pub(super) id: u32,
    pub(super) block: &'m Block,
    /// The innermost loop around it, counted in the function.
    pub(super) within: Option<u16>,
    /// The loop that begins with it, and the innermost one around that.
    pub(super) heads: Option<(u16, Option<u16>)>,
}

/// A function's blocks in order.
pub(super) fn blocks(function: &Function) -> Result<Vec<Placed<'_>>, LoadError> {
    let mut by_id = HashMap::new();
    for block in &function.blocks {
        let label = block.label.as_ref().and_then(|label| label.result_id);
        by_id.insert(label.ok_or(LoadError::Malformed("a label"))?, block);
    }
    let entry = function.blocks.first().and_then(|block| block.label.as_ref()?.result_id);
    let mut order = Vec::new();
    visit(entry.ok_or(LoadError::Malformed("a body"))?, &by_id, &mut HashSet::new(), &mut order)?;
    order.reverse();
    let place: HashMap<_, _> = order.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    // Loops around, with where they end.
    let (mut around, mut count): (Vec<(u16, usize)>, u16) = (Vec::new(), 0);
    let mut placed = Vec::new();
    for (at, &id) in order.iter().enumerate() {
        while around.last().is_some_and(|(_, end)| *end <= at) {
            around.pop();
        }
        let block = by_id[&id];
        let merge = block.instructions.iter().find(|one| one.class.opcode == Op::LoopMerge);
        let heads = merge.map(|merge| {
            let heads = (count, around.last().map(|(number, _)| *number));
            around.push((count, place[&self::id(merge, 0)]));
            count += 1;
            heads
        });
        placed.push(Placed { id, block, within: around.last().map(|(number, _)| *number), heads });
    }
    Ok(placed)
}

/// Last comes first: ends of constructs, then what a loop continues with, then what is within.
fn visit(
    block: u32,
    by_id: &HashMap<u32, &Block>,
    seen: &mut HashSet<u32>,
    order: &mut Vec<u32>,
) -> Result<(), LoadError> {
    if !seen.insert(block) {
        return Ok(());
    }
    let body = by_id.get(&block).ok_or(LoadError::Malformed("a block"))?;
    for one in &body.instructions {
        match one.class.opcode {
            Op::SelectionMerge => visit(id(one, 0), by_id, seen, order)?,
            Op::LoopMerge => {
                visit(id(one, 0), by_id, seen, order)?;
                visit(id(one, 1), by_id, seen, order)?;
            }
            _ => {}
        }
    }
    for next in successors(body).into_iter().rev() {
        visit(next, by_id, seen, order)?;
    }
    order.push(block);
    Ok(())
}

/// Where a block goes on.
pub(super) fn successors(block: &Block) -> Vec<u32> {
    match block.instructions.last() {
        Some(one) if one.class.opcode == Op::Branch => vec![id(one, 0)],
        Some(one) if one.class.opcode == Op::BranchConditional => vec![id(one, 1), id(one, 2)],
        _ => Vec::new(),
    }
}
