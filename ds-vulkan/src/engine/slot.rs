//! What every submission needs for itself, kept from one to the next.

use core::ptr::NonNull;

use ash::vk;

use super::commands::Commands;
use super::order::Order;
use crate::device::Device;
use crate::error::CallError;
use crate::gdeflate::{Tile, scratch_bytes};
use crate::memory::allocation::Allocation;
use crate::memory::types::Purpose;

/// Two command buffers, the tiles that shaders read, and in which order, the words that they write. Whoever has it knows that the
/// device is through with it.
pub(crate) struct Slot {
    device: Device,
    /// For the transfer queue.
    pub(crate) transfer: Commands,
    /// For any of the queues that compute.
    pub(crate) main: Commands,
    tiles: Allocation,
    order: Order,
    words: Allocation,
    /// As much as the largest submission so far wanted.
    scratch: Option<Allocation>,
}

impl Slot {
    /// Most tiles in a submission: 512 MiB of output.
    pub(crate) const TILES: usize = 8192;
    /// Most words beside the one of each tile.
    const FURTHER: usize = 1024;

    pub(crate) fn new(device: &Device) -> Result<Self, CallError> {
        let allocate = |size, purpose| Allocation::new(device, size, vk::BufferUsageFlags::empty(), purpose);
        Ok(Self {
            device: device.clone(),
            transfer: Commands::new(device, device.inner.queues.transfer.family)?,
            main: Commands::new(device, device.inner.queues.main().family)?,
            tiles: allocate(Self::TILES as u64 * Tile::SIZE, Purpose::Upload)?,
            order: Order::default(),
            words: allocate((Self::TILES + Self::FURTHER) as u64 * 4, Purpose::Readback)?,
            scratch: None,
        })
    }

    /// Has memory for shaders to remember things in, for so many tiles: [`Self::TILES`] at most.
    pub(crate) fn reserve_scratch(&mut self, tiles: usize) -> Result<(), CallError> {
        let wanted = scratch_bytes(tiles as u32);
        if wanted > self.scratch.as_ref().map_or(0, |scratch| scratch.size) {
            // The old one goes first: there may be no room for both.
            self.scratch = None;
            let size = scratch_bytes((tiles.next_power_of_two()) as u32);
            let usage = vk::BufferUsageFlags::empty();
            self.scratch = Some(Allocation::new(&self.device, size, usage, Purpose::Device)?);
        }
        Ok(())
    }

    pub(crate) const fn tiles_address(&self) -> u64 {
        self.tiles.address
    }

    pub(crate) const fn words_address(&self) -> u64 {
        self.words.address
    }

    pub(crate) fn scratch_address(&self) -> u64 {
        self.scratch.as_ref().map_or(0, |scratch| scratch.address)
    }

    /// Place and address of the word number `n` beside those of the tiles, if there are so many.
    pub(crate) const fn further_word(&self, n: usize) -> Option<(usize, u64)> {
        let at = Self::TILES + n;
        if n < Self::FURTHER { Some((at, self.words.address + 4 * at as u64)) } else { None }
    }

    /// Writes descriptors where shaders find them. There are [`Self::TILES`] at most. Unless something else knows their places they go
    /// where it is best for the dispatch.
    pub(crate) fn write_tiles(&mut self, tiles: &[Tile], known: bool) {
        let Some(start) = self.tiles.mapped else { return };
        let tiles = if known { self.order.keep(tiles) } else { self.order.longest_first(tiles) };
        let len = tiles.len().min(Self::TILES);
        // SAFETY: the memory has room for as many, is mapped, and aligned as drivers align mappings, 64 bytes at least; the device
        // is not using it, and the borrow of `self` sees to the rest.
        unsafe { core::ptr::copy_nonoverlapping(tiles.as_ptr(), start.cast().as_ptr(), len) };
    }

    /// Sets the words of so many tiles, and those beside them.
    pub(crate) fn write_words(&mut self, tiles: usize, untouched: u32, further: &[u32]) {
        let Some(words) = self.words.mapped else { return };
        // SAFETY: as in `words`; the borrow of `self` is exclusive.
        let words = unsafe { Self::all(words).as_mut() };
        words[..tiles].fill(untouched);
        words[Self::TILES..][..further.len()].copy_from_slice(further);
    }

    /// What shaders have written.
    pub(crate) fn words(&self) -> Words<'_> {
        // SAFETY: the memory is that large, mapped and aligned; the device is through with it, and `write_words` has initialised
        // what anyone looks at: fresh mappings hold whatever they hold, but they do hold it.
        let words = self.words.mapped.map_or(&[][..], |words| unsafe { Self::all(words).as_ref() });
        Words { words, order: &self.order }
    }

    fn all(words: NonNull<u8>) -> NonNull<[u32]> {
        NonNull::slice_from_raw_parts(words.cast(), Self::TILES + Self::FURTHER)
    }
}

/// What shaders have written, when the device is through.
pub(crate) struct Words<'a> {
    words: &'a [u32],
    order: &'a Order,
}

impl Words<'_> {
    /// What is said of the batch's tile of that number.
    pub(crate) fn of_tile(&self, tile: usize) -> u32 {
        self.words[self.order.place(tile)]
    }

    /// The word that [`Slot::further_word`] gave the place of.
    pub(crate) fn further(&self, place: usize) -> u32 {
        self.words[place]
    }
}
