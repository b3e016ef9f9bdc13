//! Semaphores that count, and live as long as the device.
//!
//! Vulkan lets go of a semaphore when all that was submitted with it is over. A driver that has timelines only on top of something
//! else (lavapipe of Mesa 22.3) still looks at one then, in a thread of its own that has just told everybody of its value, and
//! crashes if it is gone. So none is destroyed before the device: it is handed on, and whoever gets it counts on from where it stands.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Mutex;

use ash::vk;
use ds_engine::lock;

use super::Device;
use crate::error::CallError;

/// How long a submission takes before the log speaks of it. On a device of software that may be well; on any other something is wrong with
/// the driver, or with what others have given the queue.
const WATCH: Duration = Duration::from_secs(10);

/// How long to do something else where there is no memory to wait with.
const RETRY: Duration = Duration::from_millis(1);

/// A timeline semaphore, as good as new: it stands at 0. Handed on when dropped, by which time nothing submitted names it.
pub(crate) struct Timeline {
    device: Device,
    raw: vk::Semaphore,
    /// What the semaphore stood at when this was made: all values are counted from there.
    base: u64,
    /// The furthest value that anything submitted was to name.
    named: AtomicU64,
}

impl Timeline {
    /// One that stands at 0.
    pub(crate) fn new(device: &Device) -> Result<Self, CallError> {
        let Standing { raw, value: base } = device.inner.semaphores.take(device.inner.raw())?;
        Ok(Self { device: device.clone(), raw, base, named: AtomicU64::new(0) })
    }

    /// Waits for it to reach `value`, however long that takes.
    pub(crate) fn wait(&self, value: u64) -> Result<(), CallError> {
        self.wait_watched(value, WATCH)
    }

    /// The same, and asks the driver anew, and says so in the log, each time that so much has passed.
    fn wait_watched(&self, value: u64, watch: Duration) -> Result<(), CallError> {
        let (semaphores, values) = ([self.raw], [self.base + value]);
        let wait = vk::SemaphoreWaitInfo::default().semaphores(&semaphores).values(&values);
        let mut times = 0;
        loop {
            // Of a device that is lost only waits without a limit are promised to end.
            let most = if self.device.is_lost() { u64::MAX } else { watch.as_nanos() as u64 };
            // SAFETY: the semaphore is alive as long as the device.
            let waited = unsafe { self.device.inner.raw().wait_semaphores(&wait, most) };
            match waited {
                Err(vk::Result::TIMEOUT) => {
                    times += 1;
                    let (name, now) = (&self.device.inner.info.name, self.standing());
                    let (time, then) = (watch * times, values[0]);
                    log::warn!(
                        "{name} is not through after {time:?}: it is to come to {then}, and is at {now:?}"
                    );
                }
                // To wait takes memory, and to have none is no end: the device goes on with what is not its own.
                Err(vk::Result::ERROR_OUT_OF_HOST_MEMORY | vk::Result::ERROR_OUT_OF_DEVICE_MEMORY) => {
                    std::thread::sleep(RETRY);
                }
                waited => {
                    if waited.is_err() {
                        // Lost or not: what cannot be waited for may have its memory for ever, which is not to be used again.
                        self.device.inner.lose();
                    }
                    return waited.map_err(CallError::of("waiting for the device"));
                }
            }
        }
    }

    /// Whether it has reached `value`, or never will.
    pub(crate) fn has_reached(&self, value: u64) -> bool {
        self.standing().is_none_or(|now| now >= self.base + value)
    }

    /// It, at that value, in a submission: all that is done before or after.
    pub(crate) fn at(&self, value: u64) -> vk::SemaphoreSubmitInfo<'static> {
        self.named.fetch_max(value, Ordering::Relaxed);
        let all = vk::PipelineStageFlags2::ALL_COMMANDS;
        vk::SemaphoreSubmitInfo::default().semaphore(self.raw).value(self.base + value).stage_mask(all)
    }

    /// What the semaphore stands at; `None` if the driver does not say.
    fn standing(&self) -> Option<u64> {
        // SAFETY: the semaphore is alive as long as the device.
        unsafe { self.device.inner.raw().get_semaphore_counter_value(self.raw) }.ok()
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        // If it stands elsewhere, a submission was refused, or its end could not be waited for and may be still to come.
        let last = self.base + *self.named.get_mut();
        if self.standing() == Some(last) {
            self.device.inner.semaphores.hand_on(Standing { raw: self.raw, value: last });
        }
    }
}

/// All semaphores of a device.
#[derive(Default)]
pub(super) struct Semaphores(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// What is to be destroyed with the device.
    all: Vec<vk::Semaphore>,
    /// Those that nobody has.
    free: Vec<Standing>,
}

/// A semaphore, and the value that it has.
struct Standing {
    raw: vk::Semaphore,
    value: u64,
}

impl Semaphores {
    /// One that nobody else has; a new one if need be.
    fn take(&self, device: &ash::Device) -> Result<Standing, CallError> {
        let mut kept = lock(&self.0);
        if let Some(free) = kept.free.pop() {
            return Ok(free);
        }
        let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let create = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: the device was made with timeline semaphores.
        let raw = unsafe { device.create_semaphore(&create, None) };
        let raw = raw.map_err(CallError::of("making a semaphore"))?;
        kept.all.push(raw);
        Ok(Standing { raw, value: 0 })
    }

    fn hand_on(&self, free: Standing) {
        lock(&self.0).free.push(free);
    }

    /// Destroys them. Nobody has any of them any more, and nothing submitted names one.
    pub(super) fn destroy(&self, device: &ash::Device) {
        for raw in lock(&self.0).all.drain(..) {
            // SAFETY: made by this device, which is alive, and destroyed once; out of use, as said.
            unsafe { device.destroy_semaphore(raw, None) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing;
    use crate::engine::commands::Commands;

    /// Has the device count to that value.
    fn count(device: &Device, timeline: &Timeline, value: u64) {
        let queue = device.inner.queues.main();
        let mut commands = Commands::new(device, queue.family).unwrap();
        commands.begin().unwrap();
        commands.submit(queue, &[timeline.at(0)], timeline.at(value)).unwrap();
        timeline.wait(value).unwrap();
    }

    fn watched() -> Option<Device> {
        testing::open(&testing::options())
    }

    fn kept(device: &Device) -> (usize, usize) {
        let kept = lock(&device.inner.semaphores.0);
        (kept.all.len(), kept.free.len())
    }

    #[test]
    fn whoever_gets_a_semaphore_counts_on_from_where_it_stands() {
        let Some(device) = watched() else { return };
        for (round, furthest) in [3, 1, 7, 0].into_iter().enumerate() {
            let timeline = Timeline::new(&device).unwrap();
            assert_eq!(timeline.base, [0, 3, 4, 11][round]);
            assert!(timeline.has_reached(0) && !timeline.has_reached(1));
            timeline.wait(0).unwrap();
            if furthest > 0 {
                count(&device, &timeline, furthest);
            }
            assert!(timeline.has_reached(furthest) && !timeline.has_reached(furthest + 1));
            drop(timeline);
            assert_eq!(kept(&device), (1, 1));
        }
        let both = [Timeline::new(&device).unwrap(), Timeline::new(&device).unwrap()];
        assert_ne!(both[0].raw, both[1].raw);
        count(&device, &both[1], 5);
        assert!(!both[0].has_reached(1), "each has one of its own");
        drop(both);
        assert_eq!(kept(&device), (2, 2));
        let messages = device.messages().clone();
        drop(device);
        assert!(messages.is_empty(), "{:?}", messages.all());
    }

    #[test]
    fn waits_go_on_until_the_value_is_there() {
        let Some(device) = watched() else { return };
        let timeline = Timeline::new(&device).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| timeline.wait_watched(2, Duration::from_millis(1)));
            for value in [1, 2] {
                std::thread::sleep(Duration::from_millis(20));
                assert!(!waiting.is_finished());
                let signal = vk::SemaphoreSignalInfo::default().semaphore(timeline.raw).value(value);
                // SAFETY: the semaphore is alive, and stands at less.
                unsafe { device.inner.raw().signal_semaphore(&signal) }.unwrap();
            }
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn one_that_may_be_still_to_count_is_not_handed_on() {
        let Some(device) = watched() else { return };
        let timeline = Timeline::new(&device).unwrap();
        count(&device, &timeline, 2);
        let _ = timeline.at(3);
        drop(timeline);
        assert_eq!(kept(&device), (1, 0));
        assert_eq!(Timeline::new(&device).unwrap().base, 0);
        let messages = device.messages().clone();
        drop(device);
        assert!(messages.is_empty(), "{:?}", messages.all());
    }
}
