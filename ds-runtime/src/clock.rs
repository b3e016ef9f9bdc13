//! The clock the queues' times are read from.

use std::time::Instant;

use ds_core::Time;

/// Counts from its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Time {
        Time::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long from now until `at`; zero if it has passed.
    pub(crate) fn until(self, at: Time) -> core::time::Duration {
        at.since(self.now())
    }
}
