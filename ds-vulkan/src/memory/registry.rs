//! The names that requests call a device's buffers by.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use ash::vk;

/// What an engine needs to know of a buffer. Plain data: whoever registered it keeps the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Null where only an address was given.
    pub(crate) buffer: vk::Buffer,
    pub(crate) size: u64,
    /// `None` for a borrowed buffer that was made without one.
    pub(crate) address: Option<u64>,
    /// Whether the family of the transfer queue may use it, beside that of the queue that computes.
    pub(crate) shared: bool,
}

/// Buffers by name. A name is never used again.
#[derive(Default)]
pub(crate) struct Registry(Mutex<(u64, HashMap<u64, Known>)>);

impl Registry {
    pub(crate) fn add(&self, known: Known) -> u64 {
        let mut all = self.lock();
        all.0 += 1;
        let name = all.0;
        all.1.insert(name, known);
        name
    }

    pub(crate) fn remove(&self, name: u64) {
        self.lock().1.remove(&name);
    }

    pub(crate) fn find(&self, name: u64) -> Option<Known> {
        self.lock().1.get(&name).copied()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Known>)> {
        ds_engine::lock(&self.0)
    }
}
