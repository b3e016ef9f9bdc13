//! How often what goes wrong.

use core::ops::RangeInclusive;

use super::rng::Rng;
use crate::action::{Action, Fault};
use crate::error::{Corrupt, CorruptReason};

/// `EINTR`: the same number on every Linux.
const INTERRUPTED: i32 = 4;
/// `EAGAIN`: the same number on every Linux.
const TRY_AGAIN: i32 = 11;
/// `EIO`: the same number on every Linux.
const INPUT_OUTPUT: i32 = 5;

/// How often what goes wrong. Shares count out of 65 536 operations of a kind it can happen to; the default is a machine on
/// which nothing ever does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// Reads and writes that move only a part. Never nothing: of a read that means end of file.
    pub short: u16,
    /// Writes that move nothing.
    pub write_zero: u16,
    /// Operations interrupted (`EINTR`).
    pub interrupted: u16,
    /// Operations to be tried again later (`EAGAIN`).
    pub try_again: u16,
    /// File operations that fail with [`errno`](Self::errno).
    pub error: u16,
    /// That error number; `EIO` by default.
    pub errno: i32,
    /// Leases refused as [`Fault::Busy`] though there is room. [`FaultEngine`](super::FaultEngine) does so only while
    /// another lease is held: a wait for a release that never comes is no fault but a broken contract.
    pub busy: u16,
    /// Leases, steps of transforms and copies that find no memory.
    pub out_of_memory: u16,
    /// Steps of transforms that meet corrupt data.
    pub corrupt: u16,
    /// Steps of transforms, and copies, that lose the device.
    pub device_lost: u16,
    /// Steps of transforms that stop early though their input is there, and go on when asked again.
    pub pause: u16,
    /// Outstanding operations that go on when cancelled, as if nothing had been said.
    pub deaf: u16,
    /// Outcomes that overtake others that are due.
    pub reorder: u16,
    /// Where every file ends, in bytes.
    pub file_size: u64,
    /// How much staging memory there is, in bytes.
    pub staging: u64,
    /// How long an operation takes, in nanoseconds.
    pub delay: RangeInclusive<u64>,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            short: 0,
            write_zero: 0,
            interrupted: 0,
            try_again: 0,
            error: 0,
            errno: INPUT_OUTPUT,
            busy: 0,
            out_of_memory: 0,
            corrupt: 0,
            device_lost: 0,
            pause: 0,
            deaf: 0,
            reorder: 0,
            file_size: u64::MAX,
            staging: u64::MAX,
            delay: 0..=0,
        }
    }
}

/// What an operation does, as far as faults care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Reserving staging memory.
    Lease,
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Making a file durable.
    Sync,
    /// A step of a transform.
    Decode,
    /// A copy.
    Copy,
}

impl OperationKind {
    /// The kind of an action; `None` if it starts no operation.
    #[must_use]
    pub const fn of(action: &Action) -> Option<Self> {
        match action {
            Action::Lease { .. } => Some(Self::Lease),
            Action::Read { .. } => Some(Self::Read),
            Action::Write { .. } => Some(Self::Write),
            Action::Sync { .. } => Some(Self::Sync),
            Action::Decode(_) => Some(Self::Decode),
            Action::Copy { .. } => Some(Self::Copy),
            Action::Release { .. } | Action::Cancel { .. } | Action::Notify(_) | Action::Wake { .. } => None,
        }
    }
}

/// What is to go wrong with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Do nothing and answer this.
    Fail(Fault),
    /// Move so many bytes only, from the start of the range.
    Short(u64),
    /// Take only a part of the step.
    Pause,
}

impl FaultPlan {
    /// Decides what goes wrong with an operation of that kind on `len` bytes; `None` if nothing does. For wrappers of real
    /// engines, which then fail, shorten or perform it.
    ///
    /// A wrapper that answers a lease with [`Fault::Busy`] must see to it that
    /// [`staging_released`](crate::Queue::staging_released) is called some time later.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng, kind: OperationKind, len: u64) -> Option<FaultKind> {
        use OperationKind::{Copy, Decode, Lease, Read, Sync, Write};
        let file = matches!(kind, Read | Write | Sync);
        let memory = matches!(kind, Lease | Decode | Copy);
        let processor = matches!(kind, Decode | Copy);
        let failures = [
            (true, self.interrupted, Fault::Os(INTERRUPTED)),
            (true, self.try_again, Fault::Os(TRY_AGAIN)),
            (file, self.error, Fault::Os(self.errno)),
            (kind == Lease, self.busy, Fault::Busy),
            (memory, self.out_of_memory, Fault::OutOfMemory),
            (kind == Decode, self.corrupt, Fault::Corrupt(CORRUPT)),
            (processor, self.device_lost, Fault::DeviceLost),
        ];
        for (applies, share, fault) in failures {
            if applies && rng.chance(share) {
                return Some(FaultKind::Fail(fault));
            }
        }
        if kind == Write && rng.chance(self.write_zero) {
            return Some(FaultKind::Short(0));
        }
        if matches!(kind, Read | Write) && len > 1 && rng.chance(self.short) {
            return Some(FaultKind::Short(rng.between(1, len - 1)));
        }
        (kind == Decode && rng.chance(self.pause)).then_some(FaultKind::Pause)
    }
}

/// What a made-up codec says of made-up data.
const CORRUPT: Corrupt =
    Corrupt { reason: CorruptReason::Code, tile: Some(0), position: 0, expected: 0, actual: 1 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_wrong_by_default() {
        let plan = FaultPlan::default();
        let mut rng = Rng::new(0);
        for kind in [OperationKind::Lease, OperationKind::Read, OperationKind::Write, OperationKind::Decode] {
            assert_eq!(plan.draw(&mut rng, kind, 10), None);
        }
    }

    #[test]
    fn faults_happen_only_to_operations_they_can_happen_to() {
        let plan = FaultPlan {
            error: u16::MAX,
            busy: u16::MAX,
            corrupt: u16::MAX,
            device_lost: u16::MAX,
            ..FaultPlan::default()
        };
        let mut rng = Rng::new(3);
        for _ in 0..20 {
            let mut draw = |kind| plan.draw(&mut rng, kind, 10);
            assert_eq!(draw(OperationKind::Lease), Some(FaultKind::Fail(Fault::Busy)));
            assert_eq!(draw(OperationKind::Sync), Some(FaultKind::Fail(Fault::Os(5))));
            assert_eq!(draw(OperationKind::Copy), Some(FaultKind::Fail(Fault::DeviceLost)));
            assert_eq!(draw(OperationKind::Decode), Some(FaultKind::Fail(Fault::Corrupt(CORRUPT))));
        }
    }

    #[test]
    fn a_short_read_moves_something_and_not_all() {
        let plan = FaultPlan { short: u16::MAX, ..FaultPlan::default() };
        let mut rng = Rng::new(4);
        for _ in 0..100 {
            let Some(FaultKind::Short(moved)) = plan.draw(&mut rng, OperationKind::Read, 5) else { continue };
            assert!((1..5).contains(&moved));
        }
        assert_eq!(plan.draw(&mut rng, OperationKind::Read, 1), None);
    }
}
