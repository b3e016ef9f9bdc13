//! Which results of a function are used up within their block, and may share slots with others.

use std::collections::HashMap;

use rspirv::dr::Operand;
use rspirv::spirv::Op;

use super::order::Placed;

/// Where each result is used.
pub(super) struct Temporaries {
    /// Block (in order) and instruction of the last use, of results that are used nowhere but in their block.
    last: HashMap<u32, (usize, usize)>,
    /// The place in a pool of each of those that `is_single`.
    pub(super) pooled: HashMap<u32, u16>,
    pub(super) pool: u16,
}

impl Temporaries {
    /// `is_single` tells which types are one number.
    pub(super) fn of(blocks: &[Placed<'_>], is_single: impl Fn(u32) -> bool) -> Self {
        let mut last = uses(blocks);
        let (mut pooled, mut pool) = (HashMap::new(), 0);
        for (at, placed) in blocks.iter().enumerate() {
            let mut free: Vec<u16> = (0..pool).collect();
            // Taken until that instruction.
            let mut taken: Vec<(usize, u16)> = Vec::new();
            for (n, one) in placed.block.instructions.iter().enumerate() {
                taken.retain(|(until, place)| {
                    if *until < n {
                        free.push(*place);
                    }
                    *until >= n
                });
                let (Some(result), Some(ty)) = (one.result_id, one.result_type) else { continue };
                let wanted = is_single(ty) && !matches!(one.class.opcode, Op::Variable | Op::Phi);
                let until = match last.get(&result) {
                    Some((block, until)) if *block == at => *until,
                    Some(_) => continue,
                    None => {
                        last.insert(result, (at, n));
                        n
                    }
                };
                if wanted {
                    let place = free.pop().unwrap_or_else(|| {
                        pool += 1;
                        pool - 1
                    });
                    taken.push((until, place));
                    pooled.insert(result, place);
                }
            }
        }
        Self { last, pooled, pool }
    }

    /// The instruction of this block that uses a result last, if none of another block does.
    pub(super) fn last_use(&self, result: u32, block: usize) -> Option<usize> {
        self.last.get(&result).filter(|(at, _)| *at == block).map(|(_, last)| *last)
    }
}

/// The last use of each result, elsewhere than in its block for those that are used in several.
fn uses(blocks: &[Placed<'_>]) -> HashMap<u32, (usize, usize)> {
    const ELSEWHERE: (usize, usize) = (usize::MAX, usize::MAX);
    let mut made = HashMap::new();
    for (at, placed) in blocks.iter().enumerate() {
        for one in &placed.block.instructions {
            made.extend(one.result_id.map(|id| (id, at)));
        }
    }
    let mut last = HashMap::new();
    let mut used = |id: &u32, at: usize, n: usize| {
        let Some(home) = made.get(id) else { return };
        let entry = last.entry(*id).or_insert((at, n));
        *entry = if *home == at && entry.0 == at { (at, entry.1.max(n)) } else { ELSEWHERE };
    };
    for (at, placed) in blocks.iter().enumerate() {
        for (n, one) in placed.block.instructions.iter().enumerate() {
            if one.class.opcode == Op::Phi {
                // Copied at the end of where it comes from.
                for pair in one.operands.chunks(2) {
                    if let [Operand::IdRef(value), Operand::IdRef(parent)] = pair
                        && let Some(at) = blocks.iter().position(|placed| placed.id == *parent)
                    {
                        used(value, at, blocks[at].block.instructions.len());
                    }
                }
                continue;
            }
            for operand in &one.operands {
                if let Operand::IdRef(id) = operand {
                    used(id, at, n);
                }
            }
        }
    }
    last
}
