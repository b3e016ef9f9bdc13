//! The memory of the near-optimal levels.

use super::matches::{CAPACITY, Match, MatchList};
use super::optimal::{Paths, PricedBlock};
use super::tokens::MAX_BLOCKS;
use super::tree::{LINKS, Trees};
use crate::format::TILE_SIZE;

/// What levels 8 to 12 need besides an [`Encoder`](super::Encoder): some 2.4 MiB of plain arrays.
///
/// Only who has no allocator needs to know of it; see
/// [`Encoder::encode_tile_with`](super::Encoder::encode_tile_with). Too large for most stacks, it belongs in a
/// `static`.
pub struct Scratch {
    children: [u16; LINKS],
    matches: [Match; CAPACITY],
    counts: [u8; TILE_SIZE],
    costs: [u32; TILE_SIZE + 1],
    blocks: [PricedBlock; MAX_BLOCKS],
}

impl Scratch {
    /// Memory, ready for any tile.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            children: [0; LINKS],
            matches: [Match::NONE; CAPACITY],
            counts: [0; TILE_SIZE],
            costs: [0; TILE_SIZE + 1],
            blocks: [PricedBlock::NONE; MAX_BLOCKS],
        }
    }

    pub(super) fn paths(&mut self) -> Paths<'_> {
        Paths {
            trees: Trees { children: &mut self.children },
            list: MatchList::new(&mut self.matches, &mut self.counts),
            costs: &mut self.costs,
            blocks: &mut self.blocks,
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// The same on the heap. Array by array, since a boxed [`Scratch`] would be built on the stack first.
#[cfg(feature = "alloc")]
pub(super) struct HeapScratch {
    children: alloc::boxed::Box<[u16; LINKS]>,
    matches: alloc::boxed::Box<[Match; CAPACITY]>,
    counts: alloc::boxed::Box<[u8; TILE_SIZE]>,
    costs: alloc::boxed::Box<[u32; TILE_SIZE + 1]>,
    blocks: alloc::boxed::Box<[PricedBlock; MAX_BLOCKS]>,
}

#[cfg(feature = "alloc")]
impl HeapScratch {
    pub(super) fn new() -> Self {
        fn array<T: Clone, const N: usize>(value: T) -> alloc::boxed::Box<[T; N]> {
            match alloc::vec![value; N].into_boxed_slice().try_into() {
                Ok(array) => array,
                Err(_) => unreachable!("N elements make an array of N"),
            }
        }
        Self {
            children: array(0),
            matches: array(Match::NONE),
            counts: array(0),
            costs: array(0),
            blocks: array(PricedBlock::NONE),
        }
    }

    pub(super) fn paths(&mut self) -> Paths<'_> {
        Paths {
            trees: Trees { children: &mut self.children },
            list: MatchList::new(&mut self.matches, &mut self.counts),
            costs: &mut self.costs,
            blocks: &mut self.blocks,
        }
    }
}
