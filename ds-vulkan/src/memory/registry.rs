//! The names that requests call a device's buffers by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use ash::vk;

use super::host_buffer::HostMemory;

/// What an engine needs to know of a buffer. Plain data: whoever registered it keeps the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Null where only an address was given.
    pub(crate) buffer: vk::Buffer,
    pub(crate) size: u64,
    /// `None` for a borrowed buffer that was made without one.
    pub(crate) address: Option<u64>,
    /// Whether the family of the transfer queue may use it, beside that of the queues that compute.
    pub(crate) shared: bool,
}

/// What bears a name.
#[derive(Clone)]
pub(crate) enum Object {
    Device(Known),
    Host(Arc<HostMemory>),
}

impl From<Known> for Object {
    fn from(known: Known) -> Self {
        Self::Device(known)
    }
}

impl From<Arc<HostMemory>> for Object {
    fn from(memory: Arc<HostMemory>) -> Self {
        Self::Host(memory)
    }
}

/// Buffers by name. A name is never used again.
#[derive(Default)]
pub(crate) struct Registry(Mutex<(u64, HashMap<u64, Object>)>);

impl Registry {
    pub(crate) fn add(&self, object: impl Into<Object>) -> u64 {
        let mut all = self.lock();
        all.0 += 1;
        let name = all.0;
        all.1.insert(name, object.into());
        name
    }

    pub(crate) fn remove(&self, name: u64) {
        let gone = self.lock().1.remove(&name);
        // With nothing locked: it may be the last that keeps its memory.
        drop(gone);
    }

    pub(crate) fn find(&self, name: u64) -> Option<Object> {
        self.lock().1.get(&name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Object>)> {
        ds_engine::lock(&self.0)
    }
}
