//! Queues: which families to use, and who may use a queue now.

use std::sync::{Arc, Mutex};

use ash::vk;
use ds_engine::contain;

/// Who may use a queue: submitting to one is for one thread at a time. An application that submits to the queues it lends
/// takes the same lock for that.
///
/// ```
/// use std::sync::Mutex;
/// use ds_vulkan::{QueueLock, vk};
///
/// /// Where the application's renderer submits, too.
/// struct Renderer { queue: Mutex<vk::Queue> }
///
/// impl QueueLock for Renderer {
///     fn with_queue(&self, _queue: vk::Queue, submit: &mut dyn FnMut()) {
///         let _held = self.queue.lock();
///         submit();
///     }
/// }
/// ```
pub trait QueueLock: Send + Sync {
    /// Takes the lock of this queue, calls `submit` once, and releases the lock. Called on the engine's thread; `submit` takes
    /// some microseconds. If this panics, what was to be submitted and has not been fails, and nothing else.
    fn with_queue(&self, queue: vk::Queue, submit: &mut dyn FnMut());
}

/// The families to take queues from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Families {
    /// Computes and transfers.
    pub(crate) compute: Option<u32>,
    /// Queues that it has.
    pub(crate) compute_count: u32,
    /// Transfers, and neither draws nor computes: the copy engines of a discrete device.
    pub(crate) transfer: Option<u32>,
}

/// The best families for us: one that computes and does not draw, so as not to stand in the way of frames, if there is one.
pub(crate) fn families(instance: &ash::Instance, physical: vk::PhysicalDevice) -> Families {
    // SAFETY: the handle was given by this instance, which is alive.
    let all = unsafe { instance.get_physical_device_queue_family_properties(physical) };
    let each: Vec<_> = all.iter().map(|family| (family.queue_flags, family.queue_count)).collect();
    choose(&each)
}

fn choose(families: &[(vk::QueueFlags, u32)]) -> Families {
    use vk::QueueFlags as Flags;
    let find = |has: Flags, not: Flags| {
        let at = families.iter().position(|(flags, _)| flags.contains(has) && !flags.intersects(not));
        at.map(|at| at as u32)
    };
    let compute = find(Flags::COMPUTE, Flags::GRAPHICS).or_else(|| find(Flags::COMPUTE, Flags::empty()));
    // Video families may transfer as well, with limits of their own on what.
    let others = Flags::GRAPHICS
        | Flags::COMPUTE
        | Flags::VIDEO_DECODE_KHR
        | Flags::VIDEO_ENCODE_KHR
        | Flags::OPTICAL_FLOW_NV;
    let compute_count = compute.map_or(0, |family| families[family as usize].1);
    Families { compute, compute_count, transfer: find(Flags::TRANSFER, others) }
}

/// The most queues that an engine computes on. Each has a thread that answers for it.
pub(crate) const MOST_COMPUTE: usize = 4;
/// As many as there are unless told, beside a queue for transfers.
pub(super) const COMPUTE: usize = 2;

/// The queues there are.
pub(crate) struct Queues {
    /// Of one family, one at least and [`MOST_COMPUTE`] at most.
    pub(crate) compute: Vec<Queue>,
    /// Of another family, or the first of those.
    pub(crate) transfer: Queue,
}

impl Queues {
    /// The first that computes.
    pub(crate) fn main(&self) -> &Queue {
        &self.compute[0]
    }

    /// Each that there is; the one for transfers may come twice.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Queue> {
        self.compute.iter().chain([&self.transfer])
    }

    /// The families that our own buffers are shared between.
    pub(crate) fn families(&self) -> Vec<u32> {
        let mut families = vec![self.main().family];
        if self.transfer.family != self.main().family {
            families.push(self.transfer.family);
        }
        families
    }
}

/// A queue, and its lock.
#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) raw: vk::Queue,
    pub(crate) family: u32,
    guard: Guard,
}

#[derive(Clone)]
enum Guard {
    Own(Arc<Mutex<()>>),
    Callers(Arc<dyn QueueLock>),
}

impl Queue {
    /// A queue with a lock of its own. Clones share it.
    pub(crate) fn own(raw: vk::Queue, family: u32) -> Self {
        Self { raw, family, guard: Guard::Own(Arc::default()) }
    }

    /// A queue with its owner's lock.
    pub(crate) fn with_lock(raw: vk::Queue, family: u32, lock: Arc<dyn QueueLock>) -> Self {
        Self { raw, family, guard: Guard::Callers(lock) }
    }

    /// Runs this with the queue's lock held; `None` if its owner's lock did not call what it was given.
    pub(crate) fn locked<T>(&self, run: impl FnOnce(vk::Queue) -> T) -> Option<T> {
        match &self.guard {
            Guard::Own(lock) => {
                let _held = ds_engine::lock(lock);
                Some(run(self.raw))
            }
            Guard::Callers(lock) => {
                let (mut run, mut result) = (Some(run), None);
                // What has been submitted has been, even if the lock panics after that.
                let _ = contain(|| {
                    lock.with_queue(self.raw, &mut || {
                        // A second call in the same lock finds nothing left to do.
                        if let Some(run) = run.take() {
                            result = Some(run(self.raw));
                        }
                    });
                });
                result
            }
        }
    }
}

/// The locks of queues that are lent on.
pub(crate) struct Locks(pub(crate) Vec<Queue>);

impl QueueLock for Locks {
    fn with_queue(&self, queue: vk::Queue, submit: &mut dyn FnMut()) {
        if let Some(known) = self.0.iter().find(|known| known.raw == queue) {
            known.locked(|_| submit());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_common_devices() {
        use vk::QueueFlags as Flags;
        let all = Flags::GRAPHICS | Flags::COMPUTE | Flags::TRANSFER;
        let video = Flags::TRANSFER | Flags::VIDEO_DECODE_KHR;
        for (flags, compute, transfer) in [
            (vec![all], Some(0), None),
            (vec![all, Flags::TRANSFER, Flags::COMPUTE | Flags::TRANSFER, video], Some(2), Some(1)),
            (vec![all, Flags::COMPUTE | Flags::TRANSFER, Flags::TRANSFER], Some(1), Some(2)),
            (vec![video, all], Some(1), None),
            (vec![Flags::TRANSFER], None, Some(0)),
        ] {
            let families: Vec<_> = flags.iter().copied().zip(1..).collect();
            let compute_count = compute.map_or(0, |family| family + 1);
            assert_eq!(choose(&families), Families { compute, compute_count, transfer });
        }
    }

    #[test]
    fn a_queue_is_used_with_its_owners_lock_held() {
        struct Watched(Mutex<u32>);
        impl QueueLock for Watched {
            fn with_queue(&self, _: vk::Queue, submit: &mut dyn FnMut()) {
                let mut count = self.0.lock().unwrap();
                submit();
                *count += 1;
            }
        }
        let lock = Arc::new(Watched(Mutex::new(0)));
        let queue = Queue::with_lock(vk::Queue::null(), 0, lock.clone());
        let held = queue.locked(|_| lock.0.try_lock().is_err());
        assert!(held == Some(true) && *lock.0.lock().unwrap() == 1);
    }

    #[test]
    fn a_lock_that_panics_undoes_nothing() {
        struct Panics {
            first: bool,
        }
        impl QueueLock for Panics {
            fn with_queue(&self, _: vk::Queue, submit: &mut dyn FnMut()) {
                assert!(!self.first, "this message belongs to the test");
                submit();
                panic!("this message belongs to the test");
            }
        }
        let of = |first| Queue::with_lock(vk::Queue::null(), 0, Arc::new(Panics { first }));
        assert_eq!(of(true).locked(|_| 1), None);
        assert_eq!(of(false).locked(|_| 1), Some(1));
    }
}
