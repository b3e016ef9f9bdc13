//! A bounded number of blocks, dealt out in pieces.

use core::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard};

use ash::vk;
use ds_engine::{Ranges, lock};

use super::allocation::{Allocation, View};
use super::types::Purpose;
use crate::device::Device;
use crate::error::CallError;

/// Pieces start at multiples of this, and are as long: what any copy or shader of ours asks for, and the cache lines of host and
/// device besides.
const ALIGN: usize = 256;

/// Blocks of equal size, made when first wanted, up to a limit. Mapped once and for all where the host sees them.
pub(crate) struct Pool {
    device: Device,
    purpose: Purpose,
    block: usize,
    most: usize,
    blocks: Mutex<Vec<Block>>,
}

struct Block {
    memory: Arc<Allocation>,
    free: Ranges,
}

/// Part of a block; goes back to the pool when dropped, by which time the device is through with it.
pub(crate) struct Piece {
    pool: Arc<Pool>,
    number: usize,
    memory: Arc<Allocation>,
    start: usize,
    len: usize,
}

impl Pool {
    /// At most `most` blocks of `block` bytes, rounded up to what pieces are aligned to.
    pub(crate) fn new(device: &Device, purpose: Purpose, block: usize, most: usize) -> Arc<Self> {
        let block = block.max(1).next_multiple_of(ALIGN);
        Arc::new(Self { device: device.clone(), purpose, block, most: most.max(1), blocks: Mutex::default() })
    }

    /// Whether the device has memory for this at all.
    pub(crate) fn exists(device: &Device, purpose: Purpose) -> bool {
        device.inner.memory.find(u32::MAX, purpose).is_some()
    }

    /// The longest piece there is.
    pub(crate) const fn longest(&self) -> u64 {
        self.block as u64
    }

    /// A piece of that length. `None` if there is none now, or never: see [`longest`](Self::longest).
    ///
    /// # Errors
    /// What the driver says, if it refuses the very first block.
    pub(crate) fn take(self: &Arc<Self>, len: u64) -> Result<Option<Piece>, CallError> {
        let Some(len) = usize::try_from(len).ok().and_then(|len| len.max(1).checked_next_multiple_of(ALIGN))
        else {
            return Ok(None);
        };
        if len > self.block {
            return Ok(None);
        }
        let mut blocks = self.lock();
        for number in 0..self.most {
            if number == blocks.len() {
                let memory = Allocation::new(
                    &self.device,
                    self.block as u64,
                    vk::BufferUsageFlags::empty(),
                    self.purpose,
                );
                match memory {
                    Ok(memory) => {
                        blocks.push(Block { memory: Arc::new(memory), free: Ranges::new(self.block) })
                    }
                    Err(error) if number == 0 => return Err(error),
                    // There is less memory than was hoped for: those there are will do.
                    Err(_) => return Ok(None),
                }
            }
            let block = &mut blocks[number];
            if let Some(start) = block.free.take(len) {
                let memory = Arc::clone(&block.memory);
                return Ok(Some(Piece { pool: Arc::clone(self), number, memory, start, len }));
            }
        }
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Block>> {
        lock(&self.blocks)
    }
}

impl Piece {
    /// Where the device finds it.
    pub(crate) fn view(&self) -> View {
        let offset = self.start as u64;
        View { buffer: self.memory.buffer, offset, address: self.memory.address + offset }
    }

    /// Its length, which is what was asked for or a little more.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Where the host sees it. `None` in memory that only the device sees.
    pub(crate) fn mapped(&self) -> Option<NonNull<u8>> {
        // SAFETY: the block is mapped as a whole, and the piece lies in it.
        self.memory.mapped.map(|start| unsafe { start.add(self.start) })
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.pool.lock()[self.number].free.give_back(self.start, self.len);
    }
}
