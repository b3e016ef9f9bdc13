//! Semaphores that count, one for each queue.

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

    /// It, at that value, in a submission: all that is done before or after.
    pub(crate) fn at(&self, value: u64) -> vk::SemaphoreSubmitInfo<'static> {
        let all = vk::PipelineStageFlags2::ALL_COMMANDS;
        vk::SemaphoreSubmitInfo::default().semaphore(self.raw).value(value).stage_mask(all)
    }
}

/// Those of the two queues.
pub(crate) struct Timelines {
    pub(crate) transfer: Timeline,
    pub(crate) main: Timeline,
}

/// Values of the two, or 0, which each has from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) transfer: u64,
    pub(crate) main: u64,
}

impl Timelines {
    pub(crate) fn new(device: &Device) -> Result<Self, CallError> {
        Ok(Self { transfer: Timeline::new(device)?, main: Timeline::new(device)? })
    }

    /// Waits for both, however long that takes.
    pub(crate) fn wait(&self, reached: Reached) -> Result<(), CallError> {
        // The second even if the first fails: a device that is lost ends all waits.
        let transfer = self.transfer.wait(reached.transfer);
        self.main.wait(reached.main).and(transfer)
    }

    /// Whether both have come so far, or never will.
    pub(crate) fn have_reached(&self, reached: Reached) -> bool {
        self.transfer.has_reached(reached.transfer) && self.main.has_reached(reached.main)
    }

    /// Both, in a submission that waits for them.
    pub(crate) fn at(&self, reached: Reached) -> [vk::SemaphoreSubmitInfo<'static>; 2] {
        [self.transfer.at(reached.transfer), self.main.at(reached.main)]
    }
}

impl Reached {
    /// As far as either.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { transfer: self.transfer.max(other.transfer), main: self.main.max(other.main) }
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        // SAFETY: ours, and whoever drops it has waited for what was submitted.
        unsafe { self.device.inner.raw.destroy_semaphore(self.raw, None) };
    }
}
