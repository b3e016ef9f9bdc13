//! Semaphores that count.

use ash::vk;

use crate::device::Device;
use crate::error::CallError;

/// A timeline semaphore. Destroyed when dropped, by which time nothing submitted names it.
pub(crate) struct Timeline {
    device: Device,
    pub(crate) raw: vk::Semaphore,
}

impl Timeline {
    /// One that stands at 0.
    pub(crate) fn new(device: &Device) -> Result<Self, CallError> {
        let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let create = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: the device was made with timeline semaphores.
        let raw = unsafe { device.inner.raw.create_semaphore(&create, None) };
        Ok(Self { device: device.clone(), raw: raw.map_err(CallError::of("making a semaphore"))? })
    }

    /// Waits for it to reach `value`, however long that takes.
    pub(crate) fn wait(&self, value: u64) -> Result<(), CallError> {
        let (semaphores, values) = ([self.raw], [value]);
        let wait = vk::SemaphoreWaitInfo::default().semaphores(&semaphores).values(&values);
        // SAFETY: the semaphore is ours and alive.
        let waited = unsafe { self.device.inner.raw.wait_semaphores(&wait, u64::MAX) };
        self.device.inner.note("waiting for the device", waited)
    }

    /// Whether it has reached `value`, or never will.
    pub(crate) fn has_reached(&self, value: u64) -> bool {
        // SAFETY: the semaphore is ours and alive.
        let now = unsafe { self.device.inner.raw.get_semaphore_counter_value(self.raw) };
        now.map_or(true, |now| now >= value)
    }

    /// It, at that value, in a submission.
    pub(crate) fn at(&self, value: u64, stages: vk::PipelineStageFlags2) -> vk::SemaphoreSubmitInfo<'static> {
        vk::SemaphoreSubmitInfo::default().semaphore(self.raw).value(value).stage_mask(stages)
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        // SAFETY: ours, and whoever drops it has waited for what was submitted.
        unsafe { self.device.inner.raw.destroy_semaphore(self.raw, None) };
    }
}
