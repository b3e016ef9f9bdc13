//! Copying alone: host memory that the device reads, into device memory, by the queue that uploads go through.

use ash::vk;

use super::work::Work;
use super::{TimedError, Timing};
use crate::engine::commands::BufferCopy;
use crate::error::CallError;
use crate::memory::allocation::Allocation;
use crate::memory::gpu_buffer::GpuBuffer;
use crate::memory::types::Purpose;

/// Bytes that are uploaded again and again, in one copy: what the bus can do.
pub struct TimedUpload {
    work: Work,
    source: Allocation,
    destination: GpuBuffer,
}

impl TimedUpload {
    /// Prepares to bring these bytes to the beginning of a buffer.
    ///
    /// # Errors
    /// [`TimedError`]: a buffer that is too short or was named by its address alone, or what the driver says.
    pub fn new(destination: &GpuBuffer, bytes: &[u8]) -> Result<Self, TimedError> {
        let (device, len) = (destination.device(), bytes.len() as u64);
        if len > destination.size() {
            return Err(TimedError::TooLong { len, room: destination.size() });
        }
        if destination.raw() == vk::Buffer::null() {
            return Err(TimedError::Buffer);
        }
        let source = Allocation::new(device, len, vk::BufferUsageFlags::empty(), Purpose::Upload)?;
        if let Some(mapped) = source.mapped {
            // SAFETY: the memory is as long, mapped, and the device does not know it yet.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), mapped.as_ptr(), bytes.len()) };
        }
        let work = Work::new(device, &device.inner.queues.transfer)?;
        Ok(Self { work, source, destination: destination.clone() })
    }

    /// Copies all of it once.
    ///
    /// # Errors
    /// What the driver says.
    pub fn run(&mut self) -> Result<Timing, CallError> {
        let copy = BufferCopy {
            from: (self.source.buffer, 0),
            into: (self.destination.raw(), 0),
            len: self.source.size,
        };
        self.work.time(|commands| {
            if copy.len > 0 {
                commands.copy(&[copy]);
            }
        })
    }
}
