//! An engine that moves no bytes and gets much wrong, reproducibly.

use heapless::Vec;

use super::plan::{FaultKind, FaultPlan, OperationKind};
use super::rng::Rng;
use crate::action::{Action, Decode, DecodeStep, Done, Fault, Outcome};
use crate::id::{LeaseId, OpId};
use crate::path::Path;
use crate::time::Time;

/// `ECANCELED`: the same number on every Linux.
const CANCELED: i32 = 125;

/// Plays every engine there is: files of [`FaultPlan::file_size`] bytes, [`FaultPlan::staging`] bytes of staging memory, a
/// codec whose output is always as long as it should be. Holds up to `N` operations, and grants up to `N` leases at a time.
#[derive(Clone, Debug)]
pub struct FaultEngine<const N: usize> {
    plan: FaultPlan,
    rng: Rng,
    pending: Vec<Pending, N>,
    leases: Vec<(LeaseId, u64), N>,
    next_lease: u64,
    leased: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    op: OpId,
    kind: OperationKind,
    action: Action,
    due: Time,
    cancelled: bool,
}

impl<const N: usize> FaultEngine<N> {
    /// An engine with nothing to do.
    #[must_use]
    pub const fn new(plan: FaultPlan, seed: u64) -> Self {
        Self { plan, rng: Rng::new(seed), pending: Vec::new(), leases: Vec::new(), next_lease: 1, leased: 0 }
    }

    /// Whether another operation can be accepted.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.pending.is_full()
    }

    /// Operations accepted and not answered.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of staging memory that are leased.
    #[must_use]
    pub const fn leased(&self) -> u64 {
        self.leased
    }

    /// Whether that lease is granted and not released.
    #[must_use]
    pub fn is_leased(&self, lease: LeaseId) -> bool {
        self.leases.iter().any(|&(id, _)| id == lease)
    }

    /// Takes an operation, a cancellation or a release. After a release call
    /// [`staging_released`](crate::Queue::staging_released), as ever.
    ///
    /// # Errors
    /// The action, if it is none of these, there is no room for it, or it releases what is not leased.
    pub fn accept(&mut self, action: Action, now: Time) -> Result<(), Action> {
        match action {
            Action::Cancel { op } => {
                if !self.rng.chance(self.plan.deaf)
                    && let Some(pending) = self.pending.iter_mut().find(|pending| pending.op == op)
                {
                    pending.cancelled = true;
                    pending.due = pending.due.min(now);
                }
                Ok(())
            }
            Action::Release { lease } => {
                let held = self.leases.iter().position(|&(id, _)| id == lease).ok_or(action)?;
                let (_, len) = self.leases.swap_remove(held);
                self.leased -= len;
                Ok(())
            }
            _ => {
                let (op, kind) = action.op().zip(OperationKind::of(&action)).ok_or(action)?;
                let delay = self.rng.between(*self.plan.delay.start(), *self.plan.delay.end());
                let pending = Pending { op, kind, action, due: now.after_nanos(delay), cancelled: false };
                self.pending.push(pending).map_err(|_| action)
            }
        }
    }

    /// When the next outcome is due; `None` if none is.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.pending.iter().map(|pending| pending.due).min()
    }

    /// An outcome that is due, if there is one.
    pub fn next_outcome(&mut self, now: Time) -> Option<Outcome> {
        let due = self.pending.iter().filter(|pending| pending.due <= now).count() as u64;
        let overtaken = if self.rng.chance(self.plan.reorder) { self.rng.below(due) } else { 0 };
        let chosen = self
            .pending
            .iter()
            .enumerate()
            .filter(|(_, pending)| pending.due <= now)
            .map(|(index, _)| index)
            .nth(overtaken as usize)?;
        let pending = self.pending.remove(chosen);
        let (result, path) = self.perform(&pending);
        Some(Outcome { op: pending.op, result, path })
    }

    fn perform(&mut self, pending: &Pending) -> (Result<Done, Fault>, Path) {
        let path = match pending.kind {
            OperationKind::Lease => Path::NONE,
            OperationKind::Read | OperationKind::Write | OperationKind::Sync => Path::IO_CPU,
            OperationKind::Decode => Path::CODEC_CPU,
            OperationKind::Copy => Path::COPY_HOST,
        };
        if pending.cancelled {
            let fault = if path == Path::IO_CPU { Fault::Os(CANCELED) } else { Fault::Cancelled };
            return (Err(fault), Path::NONE);
        }
        (self.result(pending.action, pending.kind), path)
    }

    fn result(&mut self, action: Action, kind: OperationKind) -> Result<Done, Fault> {
        let len = match action {
            Action::Read { offset, into, .. } => into.len.min(self.plan.file_size.saturating_sub(offset)),
            Action::Write { from, .. } | Action::Copy { from, .. } => from.len,
            Action::Lease { len, .. } => len,
            _ => 0,
        };
        let fault = match self.plan.draw(&mut self.rng, kind, len) {
            // See `FaultPlan::busy`.
            Some(FaultKind::Fail(Fault::Busy)) if self.leases.is_empty() => None,
            fault => fault,
        };
        match (fault, action) {
            (Some(FaultKind::Fail(fault)), _) => Err(fault),
            (Some(FaultKind::Short(moved)), _) => Ok(Done::Moved(moved)),
            (_, Action::Lease { len, .. }) => self.grant(len),
            (_, Action::Sync { .. }) => Ok(Done::Synced),
            (_, Action::Decode(decode)) => Ok(Done::Decoded(self.step(&decode, fault.is_some()))),
            _ => Ok(Done::Moved(len)),
        }
    }

    fn grant(&mut self, len: u64) -> Result<Done, Fault> {
        let lease = LeaseId(self.next_lease);
        let fits = self.leased.checked_add(len).is_some_and(|leased| leased <= self.plan.staging);
        if !fits || self.leases.push((lease, len)).is_err() {
            return Err(Fault::Busy);
        }
        self.next_lease += 1;
        self.leased += len;
        Ok(Done::Leased(lease))
    }

    /// A codec that consumes bytes as they come. Its cursor counts the steps.
    fn step(&mut self, decode: &Decode, pause: bool) -> DecodeStep {
        let (available, whole) = (decode.available, decode.from.len);
        let cursor = decode.cursor + 1;
        let so_far =
            |len: u64| (u128::from(decode.into.len) * u128::from(len) / u128::from(whole.max(1))) as u64;
        if available < whole {
            let wants = self.rng.between(available + 1, whole);
            return DecodeStep { cursor, produced: so_far(available), wants, finished: false };
        }
        if pause {
            return DecodeStep {
                cursor,
                produced: so_far(whole.saturating_sub(1)),
                wants: available,
                finished: false,
            };
        }
        DecodeStep { cursor, produced: decode.into.len, wants: whole, finished: true }
    }
}
