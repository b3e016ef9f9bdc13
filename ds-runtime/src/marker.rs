//! Status arrays, fences and events: what marker entries act on.

use core::fmt;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use ds_core::Failure;
use rustix::event::{EventfdFlags, eventfd};

/// What a status entry says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing was asked of this cell yet.
    #[default]
    Unset,
    /// Not all entries before the status entry are done.
    Pending,
    /// All are, and none failed.
    Ok,
    /// All are, and this one failed first in enqueue order.
    Failed(Failure),
}

/// An array of status cells, each for one status entry at a time. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct StatusArray {
    cells: Arc<Mutex<Box<[Status]>>>,
}

impl StatusArray {
    /// An array of `len` cells.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { cells: Arc::new(Mutex::new(vec![Status::Unset; len].into())) }
    }

    /// What cell `index` says; `None` if there is no such cell.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<Status> {
        ds_engine::lock(&self.cells).get(index as usize).copied()
    }

    /// Whether cell `index` says [`Status::Ok`] or [`Status::Failed`].
    #[must_use]
    pub fn is_complete(&self, index: u32) -> bool {
        matches!(self.get(index), Some(Status::Ok | Status::Failed(_)))
    }

    /// Makes a cell pending. Gives back what it said; `None` if there is no such cell or it is pending already.
    pub(crate) fn begin(&self, index: u32) -> Option<Status> {
        let mut cells = ds_engine::lock(&self.cells);
        let cell = cells.get_mut(index as usize).filter(|cell| **cell != Status::Pending)?;
        Some(core::mem::replace(cell, Status::Pending))
    }

    pub(crate) fn set(&self, index: u32, status: Status) {
        let mut cells = ds_engine::lock(&self.cells);
        if let Some(cell) = cells.get_mut(index as usize) {
            *cell = status;
        }
    }
}

/// A number that only grows, and can be waited for: a timeline fence on the host. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    inner: Arc<(Mutex<u64>, Condvar)>,
}

impl Fence {
    /// A fence at 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> u64 {
        *ds_engine::lock(&self.inner.0)
    }

    /// Raises it to `value`, unless it is higher already.
    pub fn signal(&self, value: u64) {
        let mut current = ds_engine::lock(&self.inner.0);
        *current = value.max(*current);
        self.inner.1.notify_all();
    }

    /// Waits until it is at least `value`. Returns whether it is; false only after the timeout.
    #[must_use]
    pub fn wait(&self, value: u64, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut current = ds_engine::lock(&self.inner.0);
        while *current < value {
            let Some(deadline) = deadline else {
                current = ds_engine::lock::wait(&self.inner.1, current);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return false;
            };
            current = ds_engine::lock::wait_timeout(&self.inner.1, current, left).0;
        }
        true
    }
}

/// Something an event loop can wait for: a descriptor that becomes readable (an `eventfd`). Cloning it is cheap.
#[derive(Clone)]
pub struct Event {
    fd: Arc<OwnedFd>,
}

impl Event {
    /// An event that is not set.
    ///
    /// # Errors
    /// What the kernel says, such as too many open files.
    pub fn new() -> std::io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self { fd: Arc::new(eventfd(0, flags)?) })
    }

    /// Sets it: its descriptor becomes readable.
    pub fn set(&self) {
        // The one error a counter can meet is being full, and then it is set.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Resets it. Returns whether it was set.
    #[must_use = "reading whether it was set is the point"]
    pub fn reset(&self) -> bool {
        rustix::io::read(&self.fd, &mut [0_u8; 8]).is_ok()
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.fd).finish()
    }
}

/// What the markers of one queue act on, by token.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    entries: Vec<Option<Marker>>,
    vacant: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Marker {
    Status(StatusArray),
    Fence(Fence),
    Event(Event),
}

impl Markers {
    pub(crate) fn insert(&mut self, marker: Marker) -> u64 {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.entries[index] = Some(marker);
        index as u64
    }

    pub(crate) fn remove(&mut self, token: u64) -> Option<Marker> {
        let index = usize::try_from(token).ok()?;
        let marker = self.entries.get_mut(index)?.take()?;
        self.vacant.push(index);
        Some(marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_only_grows_and_wakes_waiters() {
        let fence = Fence::new();
        assert!(!fence.wait(1, Some(Duration::from_millis(1))));
        let other = fence.clone();
        let waiter = std::thread::spawn(move || other.wait(5, None));
        fence.signal(7);
        fence.signal(3);
        assert!(waiter.join().unwrap());
        assert_eq!(fence.value(), 7);
    }

    #[test]
    fn an_event_is_set_until_reset() {
        let event = Event::new().unwrap();
        assert!(!event.reset());
        event.set();
        event.set();
        assert!(event.reset());
        assert!(!event.reset());
    }

    #[test]
    fn a_pending_cell_cannot_be_asked_twice() {
        let array = StatusArray::new(2);
        assert_eq!((array.begin(1), array.begin(1), array.begin(2)), (Some(Status::Unset), None, None));
        assert!(!array.is_complete(1));
        array.set(1, Status::Ok);
        assert!(array.is_complete(1) && array.begin(1) == Some(Status::Ok));
        assert_eq!(array.get(2), None);
    }
}
