//! Ranges of what devices own, named by requests.

use core::any::Any;
use core::fmt;
use std::sync::Arc;

use ds_core::{DeviceId, Location, Misuse};

/// A range of an object of a device, a buffer say. Keeps the object for as long as it is there itself.
#[derive(Clone)]
pub struct DeviceRange {
    device: DeviceId,
    handle: u64,
    offset: u64,
    len: u64,
    size: u64,
    _keeps: Arc<dyn Any + Send + Sync>,
}

impl DeviceRange {
    /// `len` bytes, from `offset`, of the object of `size` bytes that this device's engine calls `handle`, and that stays there as
    /// long as `keeps` does. Whether the range lies in the object is seen when a request with it is enqueued.
    #[must_use]
    pub fn new(
        device: DeviceId,
        handle: u64,
        size: u64,
        (offset, len): (u64, u64),
        keeps: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self { device, handle, offset, len, size, _keeps: keeps }
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The end of a request that it is.
    #[must_use]
    pub const fn location(&self) -> Location {
        Location::Device { device: self.device, handle: self.handle, offset: self.offset, len: self.len }
    }

    /// Sees whether it lies in its object.
    ///
    /// # Errors
    /// [`Misuse::RangeOutside`].
    pub fn check(&self) -> Result<(), Misuse> {
        let Self { offset, len, size, .. } = *self;
        match offset.checked_add(len) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Misuse::RangeOutside { offset, len, size }),
        }
    }
}

impl fmt::Debug for DeviceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceRange")
            .field("device", &self.device)
            .field("handle", &self.handle)
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lie_inside_or_are_refused() {
        let range = |offset, len| DeviceRange::new(DeviceId(1), 2, 100, (offset, len), Arc::new(()));
        assert_eq!(range(0, 100).check(), Ok(()));
        assert_eq!(range(100, 0).check(), Ok(()));
        for (offset, len) in [(0, 101), (1, 100), (101, 0), (u64::MAX, 2)] {
            assert_eq!(range(offset, len).check(), Err(Misuse::RangeOutside { offset, len, size: 100 }));
        }
    }

    #[test]
    fn the_object_stays_until_the_last_range_is_gone() {
        let object = Arc::new(7);
        let range = DeviceRange::new(DeviceId(1), 2, 100, (0, 1), object.clone());
        let other = range.clone();
        drop(range);
        assert_eq!(Arc::strong_count(&object), 2);
        drop(other);
        assert_eq!(Arc::strong_count(&object), 1);
    }
}
