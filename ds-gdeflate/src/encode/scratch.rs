//! The memory of the near-optimal levels.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};
use core::borrow::BorrowMut;

#[cfg(feature = "alloc")]
use super::EncodeError;
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
pub struct Scratch(pub(super) Arrays<Inline>);

impl Scratch {
    /// Memory, ready for any tile.
    #[must_use]
    pub const fn new() -> Self {
        Self(Arrays {
            children: [0; LINKS],
            matches: [Match::NONE; CAPACITY],
            counts: [0; TILE_SIZE],
            costs: [0; TILE_SIZE + 1],
            blocks: [PricedBlock::NONE; MAX_BLOCKS],
        })
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

/// Where arrays are kept.
pub(super) trait Place {
    /// An array there.
    type Array<T, const N: usize>: BorrowMut<[T; N]>;
}

/// In the structure itself.
pub(super) struct Inline;

impl Place for Inline {
    type Array<T, const N: usize> = [T; N];
}

/// The arrays that the search for a path works on. None needs clearing for a new tile.
pub(super) struct Arrays<P: Place> {
    children: P::Array<u16, LINKS>,
    matches: P::Array<Match, CAPACITY>,
    counts: P::Array<u8, TILE_SIZE>,
    costs: P::Array<u32, { TILE_SIZE + 1 }>,
    blocks: P::Array<PricedBlock, MAX_BLOCKS>,
}

impl<P: Place> Arrays<P> {
    pub(super) fn paths(&mut self) -> Paths<'_> {
        Paths {
            trees: Trees { children: self.children.borrow_mut() },
            list: MatchList::new(self.matches.borrow_mut(), self.counts.borrow_mut()),
            costs: self.costs.borrow_mut(),
            blocks: self.blocks.borrow_mut(),
        }
    }
}

/// Array by array on the heap: a boxed [`Scratch`] would be built on the stack first.
#[cfg(feature = "alloc")]
pub(super) struct Heap;

#[cfg(feature = "alloc")]
impl Place for Heap {
    type Array<T, const N: usize> = Box<[T; N]>;
}

#[cfg(feature = "alloc")]
impl Arrays<Heap> {
    /// The arrays, if there is memory for them.
    pub(super) fn new() -> Result<Self, EncodeError> {
        Ok(Self {
            children: filled(0)?,
            matches: filled(Match::NONE)?,
            counts: filled(0)?,
            costs: filled(0)?,
            blocks: filled(PricedBlock::NONE)?,
        })
    }
}

#[cfg(feature = "alloc")]
fn filled<T: Copy, const N: usize>(value: T) -> Result<Box<[T; N]>, EncodeError> {
    made(|array| array.resize(N, value))
}

/// A copy of an array on the heap.
#[cfg(feature = "alloc")]
pub(super) fn boxed<T: Copy, const N: usize>(array: &[T; N]) -> Result<Box<[T; N]>, EncodeError> {
    made(|copy| copy.extend_from_slice(array))
}

#[cfg(feature = "alloc")]
fn made<T, const N: usize>(fill: impl FnOnce(&mut Vec<T>)) -> Result<Box<[T; N]>, EncodeError> {
    let out_of_memory = EncodeError::OutOfMemory { needed: size_of::<[T; N]>() };
    let mut array = Vec::new();
    array.try_reserve_exact(N).map_err(|_| out_of_memory)?;
    fill(&mut array);
    array.into_boxed_slice().try_into().map_err(|_| out_of_memory)
}
