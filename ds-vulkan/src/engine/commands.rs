//! Command buffers: recorded, submitted, used again.

use ash::vk;

use crate::device::queues::Queue;
use crate::device::{Device, Sync2};
use crate::error::CallError;
use crate::gdeflate::trusted::Region;
use crate::pipeline::constants::PushConstants;

/// A copy from buffer to buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferCopy {
    pub(crate) from: (vk::Buffer, u64),
    pub(crate) into: (vk::Buffer, u64),
    pub(crate) len: u64,
}

/// Most regions of a command.
const REGIONS: usize = 64;

/// What comes before a barrier, or after it.
pub(crate) type Scope = (vk::PipelineStageFlags2, vk::AccessFlags2);

/// Scopes of the barriers we need.
pub(crate) mod scope {
    use super::{Scope, vk};
    pub(crate) const SHADER_WRITE: Scope =
        (vk::PipelineStageFlags2::COMPUTE_SHADER, vk::AccessFlags2::SHADER_STORAGE_WRITE);
    pub(crate) const SHADER_READ: Scope =
        (vk::PipelineStageFlags2::COMPUTE_SHADER, vk::AccessFlags2::SHADER_STORAGE_READ);
    pub(crate) const COPY_READ: Scope = (vk::PipelineStageFlags2::COPY, vk::AccessFlags2::TRANSFER_READ);
    pub(crate) const COPY_WRITE: Scope = (vk::PipelineStageFlags2::COPY, vk::AccessFlags2::TRANSFER_WRITE);
    /// Whatever a queue does. The driver's decompression is this: its extension names no stage of its own.
    pub(crate) const ALL: Scope = (
        vk::PipelineStageFlags2::ALL_COMMANDS,
        vk::AccessFlags2::from_raw(
            vk::AccessFlags2::MEMORY_READ.as_raw() | vk::AccessFlags2::MEMORY_WRITE.as_raw(),
        ),
    );
    pub(crate) const HOST_READ: Scope = (vk::PipelineStageFlags2::HOST, vk::AccessFlags2::HOST_READ);

    pub(crate) const fn both(a: Scope, b: Scope) -> Scope {
        (
            vk::PipelineStageFlags2::from_raw(a.0.as_raw() | b.0.as_raw()),
            vk::AccessFlags2::from_raw(a.1.as_raw() | b.1.as_raw()),
        )
    }
}

/// One command buffer, with a pool of its own, for a queue's family. Whoever begins or drops it knows that the device is through
/// with what it recorded before.
pub(crate) struct Commands {
    device: Device,
    pool: vk::CommandPool,
    raw: vk::CommandBuffer,
}

impl Commands {
    /// For the queues of a family that the device has queues of.
    pub(crate) fn new(device: &Device, family: u32) -> Result<Self, CallError> {
        let raw = device.inner.raw();
        let create = vk::CommandPoolCreateInfo::default()
            .queue_family_index(family)
            .flags(vk::CommandPoolCreateFlags::TRANSIENT);
        // SAFETY: the device has queues of this family.
        let pool = unsafe { raw.create_command_pool(&create, None) };
        let pool = pool.map_err(CallError::of("making a command pool"))?;
        let mut made = Self { device: device.clone(), pool, raw: vk::CommandBuffer::null() };
        let allocate = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
        // SAFETY: the pool is the one just made.
        let buffers = unsafe { raw.allocate_command_buffers(&allocate) };
        made.raw = buffers.map_err(CallError::of("making a command buffer"))?[0];
        Ok(made)
    }

    /// Forgets what was recorded, and begins.
    pub(crate) fn begin(&mut self) -> Result<(), CallError> {
        let raw = self.device.inner.raw();
        // SAFETY: the device is through with what was recorded before: see the type.
        let reset = unsafe { raw.reset_command_pool(self.pool, vk::CommandPoolResetFlags::empty()) };
        reset.map_err(CallError::of("resetting a command pool"))?;
        let begin = vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the buffer has just been reset.
        let begun = unsafe { raw.begin_command_buffer(self.raw, &begin) };
        begun.map_err(CallError::of("beginning a command buffer"))
    }

    /// Records copies, those between the same buffers as one. All ranges lie in their buffers and do not overlap, as whoever plans
    /// copies has seen to.
    pub(crate) fn copy(&mut self, copies: &[BufferCopy]) {
        let run = copies.chunk_by(|a, b| (a.from.0, a.into.0) == (b.from.0, b.into.0));
        for copies in run.flat_map(|run| run.chunks(REGIONS)) {
            let mut regions = [vk::BufferCopy::default(); REGIONS];
            for (region, copy) in regions.iter_mut().zip(copies) {
                *region = vk::BufferCopy { src_offset: copy.from.1, dst_offset: copy.into.1, size: copy.len };
            }
            let (from, into) = (copies[0].from.0, copies[0].into.0);
            let regions = &regions[..copies.len()];
            // SAFETY: recording has begun; the ranges are as said, and not empty.
            unsafe { self.device.inner.raw().cmd_copy_buffer(self.raw, from, into, regions) };
        }
    }

    /// Records a dispatch of so many workgroups.
    pub(crate) fn dispatch<P: PushConstants>(&mut self, pipeline: vk::Pipeline, constants: &P, groups: u32) {
        let raw = self.device.inner.raw();
        // SAFETY: recording has begun, and the pipeline is a compute pipeline of this device.
        unsafe { raw.cmd_bind_pipeline(self.raw, vk::PipelineBindPoint::COMPUTE, pipeline) };
        let (layout, stage) = (self.device.inner.pipelines.layout, vk::ShaderStageFlags::COMPUTE);
        // SAFETY: the layout is that of all our pipelines, and has room for what is pushed: `push_constants!` has seen to it.
        unsafe { raw.cmd_push_constants(self.raw, layout, stage, 0, constants.as_bytes()) };
        // SAFETY: a pipeline is bound and its constants are pushed; what they point to is there until the device is through.
        unsafe { raw.cmd_dispatch(self.raw, groups, 1, 1) };
    }

    /// Records the driver's own decompression. Its regions are of the kind that `trusted` makes, and lie in memory that is there until
    /// the device is through.
    pub(crate) fn decompress(&mut self, regions: &[Region]) {
        if let Some(functions) = &self.device.inner.decompression {
            // SAFETY: recording has begun, for a queue that computes; the extension is on; the regions are as said, and no two overlap,
            // for they come from different places of streams and go to different places of outputs.
            unsafe { functions.cmd_decompress_memory(self.raw, regions) };
        }
    }

    /// Has what is recorded from here on, in this scope, wait for what was recorded so far, in that one, and see it.
    pub(crate) fn barrier(&mut self, before: Scope, after: Scope) {
        let barrier = [vk::MemoryBarrier2::default()
            .src_stage_mask(before.0)
            .src_access_mask(before.1)
            .dst_stage_mask(after.0)
            .dst_access_mask(after.1)];
        let dependency = vk::DependencyInfo::default().memory_barriers(&barrier);
        let inner = &self.device.inner;
        match &inner.sync2 {
            // SAFETY: recording has begun, and the device was made with `synchronization2`.
            Sync2::Core => unsafe { inner.raw().cmd_pipeline_barrier2(self.raw, &dependency) },
            // SAFETY: as above, by the extension.
            Sync2::Extension(functions) => unsafe { functions.cmd_pipeline_barrier2(self.raw, &dependency) },
        }
    }

    /// Records that so many queries of a pool are to be used again.
    pub(crate) fn reset_queries(&mut self, pool: vk::QueryPool, count: u32) {
        // SAFETY: recording has begun, the pool has as many, and the device is through with them as with this buffer.
        unsafe { self.device.inner.raw().cmd_reset_query_pool(self.raw, pool, 0, count) };
    }

    /// Records the moment when everything before is over, and nothing after has begun.
    pub(crate) fn timestamp(&mut self, pool: vk::QueryPool, query: u32) {
        let (inner, stage) = (&self.device.inner, vk::PipelineStageFlags2::ALL_COMMANDS);
        match &inner.sync2 {
            // SAFETY: recording has begun; the query has been reset; the queue's family has timestamps, or there were no pool.
            Sync2::Core => unsafe { inner.raw().cmd_write_timestamp2(self.raw, stage, pool, query) },
            // SAFETY: as above, by the extension.
            Sync2::Extension(functions) => unsafe {
                functions.cmd_write_timestamp2(self.raw, stage, pool, query);
            },
        }
    }

    /// Ends recording and submits to a queue of the family that this is for.
    ///
    /// A driver that finds the device lost may have taken it all the same: Vulkan counts it as pending. So that is no error here: it
    /// is waited for like any other, which ends, and the device is known to be lost.
    pub(crate) fn submit(
        &mut self,
        queue: &Queue,
        waits: &[vk::SemaphoreSubmitInfo<'_>],
        signal: vk::SemaphoreSubmitInfo<'_>,
    ) -> Result<(), CallError> {
        let inner = &self.device.inner;
        // SAFETY: recording has begun.
        let ended = unsafe { inner.raw().end_command_buffer(self.raw) };
        inner.note("ending a command buffer", ended)?;
        let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(self.raw)];
        let signals = [signal];
        let submit = [vk::SubmitInfo2::default()
            .wait_semaphore_infos(waits)
            .command_buffer_infos(&buffers)
            .signal_semaphore_infos(&signals)];
        let submitted = queue.locked(|queue| match &inner.sync2 {
            // SAFETY: the queue's lock is held; the buffer is recorded for its family; the semaphores are alive and count up.
            Sync2::Core => unsafe { inner.raw().queue_submit2(queue, &submit, vk::Fence::null()) },
            // SAFETY: as above, by the extension.
            Sync2::Extension(functions) => unsafe {
                functions.queue_submit2(queue, &submit, vk::Fence::null())
            },
        });
        // A queue's owner who does not let us submit is no better than a driver that does not.
        let submitted = submitted.unwrap_or(Err(vk::Result::ERROR_UNKNOWN));
        match inner.note("submitting to a queue", submitted) {
            Err(error) if error.is_device_lost() => Ok(()),
            submitted => submitted,
        }
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        // SAFETY: the device is through with what was recorded: see the type. The buffer goes with its pool.
        unsafe { self.device.inner.raw().destroy_command_pool(self.pool, None) };
    }
}
