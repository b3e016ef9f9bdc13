//! How far an engine's work has come: a timeline for each queue.

use core::ops::Deref;

use ash::vk;

use crate::device::Device;
use crate::device::queues::MOST_COMPUTE;
use crate::device::timeline::Timeline;
use crate::error::CallError;

/// Those of the queue for transfers and of the queues that compute.
pub(crate) struct Timelines {
    pub(crate) transfer: Timeline,
    pub(crate) main: Vec<Timeline>,
}

/// A value of each, or 0, which each has from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) transfer: u64,
    pub(crate) main: [u64; MOST_COMPUTE],
}

/// What a submission waits for.
pub(crate) struct Waits {
    all: [vk::SemaphoreSubmitInfo<'static>; 1 + MOST_COMPUTE],
    count: usize,
}

impl Timelines {
    /// For so many queues that compute.
    pub(crate) fn new(device: &Device, queues: usize) -> Result<Self, CallError> {
        let main = (0..queues).map(|_| Timeline::new(device)).collect::<Result<_, _>>()?;
        Ok(Self { transfer: Timeline::new(device)?, main })
    }

    fn each(&self, reached: Reached) -> impl Iterator<Item = (&Timeline, u64)> {
        let all = self.main.iter().zip(reached.main).chain([(&self.transfer, reached.transfer)]);
        all.filter(|&(_, value)| value > 0)
    }

    /// Waits for all of them, however long that takes.
    pub(crate) fn wait(&self, reached: Reached) -> Result<(), CallError> {
        // The others even if one fails: a device that is lost ends all waits.
        self.each(reached).map(|(timeline, value)| timeline.wait(value)).fold(Ok(()), Result::and)
    }

    /// Whether all have come so far, or never will.
    pub(crate) fn have_reached(&self, reached: Reached) -> bool {
        self.each(reached).all(|(timeline, value)| timeline.has_reached(value))
    }

    /// What a submission has to wait for so as to come after `reached`, where its queue has waited for `before` already: that holds
    /// for all that the queue is given later.
    pub(crate) fn waits(&self, reached: Reached, before: Reached) -> Waits {
        let mut waits = Waits { all: Default::default(), count: 0 };
        for (timeline, value) in self.each(reached.beyond(before)) {
            waits.all[waits.count] = timeline.at(value);
            waits.count += 1;
        }
        waits
    }
}

impl Deref for Waits {
    type Target = [vk::SemaphoreSubmitInfo<'static>];

    fn deref(&self) -> &Self::Target {
        &self.all[..self.count]
    }
}

impl Reached {
    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        let main = core::array::from_fn(|queue| with(self.main[queue], other.main[queue]));
        Self { transfer: with(self.transfer, other.transfer), main }
    }

    /// As far as either.
    pub(crate) fn max(self, other: Self) -> Self {
        self.zip(other, u64::max)
    }

    /// What of it is further than the other, and 0 of what is not.
    fn beyond(self, other: Self) -> Self {
        self.zip(other, |mine, others| if mine > others { mine } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_one_by_one() {
        let reached = |transfer, first, second| {
            let mut main = [0; MOST_COMPUTE];
            (main[0], main[1]) = (first, second);
            Reached { transfer, main }
        };
        let (a, b) = (reached(5, 0, 3), reached(4, 2, 3));
        assert_eq!(a.max(b), reached(5, 2, 3));
        assert_eq!(a.beyond(b), reached(5, 0, 0));
        assert_eq!(b.beyond(a), reached(0, 2, 0));
        assert_eq!(a.beyond(Reached::default()), a);
    }
}
