//! Which of a device's kinds of memory serves what.

use ash::vk;
use vk::MemoryPropertyFlags as Flags;

/// What a block of memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The device alone uses it.
    Device,
    /// The host writes it, once and in order, and the device reads it.
    Upload,
    /// The device writes it, and the host reads it, through its caches: without them, every read goes over the bus.
    Readback,
    /// The device's own, which the host writes over the bus, once and in order, and never reads. Not every device has any.
    Direct,
}

impl Purpose {
    /// What it takes, and what else is good, best first.
    const fn wishes(self) -> (Flags, &'static [Flags]) {
        const NONE: Flags = Flags::empty();
        const COHERENT: Flags = Flags::from_raw(Flags::HOST_VISIBLE.as_raw() | Flags::HOST_COHERENT.as_raw());
        const CACHED: Flags = Flags::from_raw(COHERENT.as_raw() | Flags::HOST_CACHED.as_raw());
        const WINDOW: Flags = Flags::from_raw(COHERENT.as_raw() | Flags::DEVICE_LOCAL.as_raw());
        match self {
            Self::Device => (NONE, &[Flags::DEVICE_LOCAL, NONE]),
            Self::Upload => (COHERENT, &[NONE]),
            Self::Readback => (CACHED, &[NONE]),
            Self::Direct => (WINDOW, &[NONE]),
        }
    }

    /// What it had better not have: device memory that the host can see is scarce on some cards, and slow to read.
    const fn shuns(self) -> Flags {
        match self {
            Self::Device | Self::Direct => Flags::empty(),
            Self::Upload | Self::Readback => Flags::DEVICE_LOCAL,
        }
    }
}

/// A device's kinds of memory.
#[derive(Clone, Debug)]
pub(crate) struct MemoryTypes(Vec<Flags>);

impl MemoryTypes {
    pub(crate) fn of(properties: &vk::PhysicalDeviceMemoryProperties) -> Self {
        Self(properties.memory_types_as_slice().iter().map(|kind| kind.property_flags).collect())
    }

    /// The best kind for this, of those whose bits are set. Vulkan promises one for the device and for uploads, whatever the buffer; a
    /// device without one to be read back from is not used ([`DeviceInfo::lacks`](crate::DeviceInfo::lacks)).
    pub(crate) fn find(&self, allowed: u32, purpose: Purpose) -> Option<u32> {
        let (needs, likes) = purpose.wishes();
        let find = |wanted: Flags, shunned: Flags| {
            let at = (0..self.0.len()).find(|&at| {
                allowed & 1 << at != 0 && self.0[at].contains(wanted) && !self.0[at].intersects(shunned)
            });
            at.map(|at| at as u32)
        };
        let of_these = |shunned| likes.iter().find_map(|&like| find(needs | like, shunned));
        of_these(purpose.shuns() | Flags::PROTECTED).or_else(|| of_these(Flags::PROTECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISIBLE: Flags = Flags::from_raw(Flags::HOST_VISIBLE.as_raw() | Flags::HOST_COHERENT.as_raw());

    fn found(types: &[Flags], allowed: u32) -> [Option<u32>; 4] {
        let types = MemoryTypes(types.to_vec());
        [Purpose::Device, Purpose::Upload, Purpose::Readback, Purpose::Direct]
            .map(|purpose| types.find(allowed, purpose))
    }

    #[test]
    fn kinds_on_common_devices() {
        let cached = VISIBLE | Flags::HOST_CACHED;
        // A card with a window on all of its memory.
        let card = [Flags::empty(), Flags::DEVICE_LOCAL, VISIBLE, cached, VISIBLE | Flags::DEVICE_LOCAL];
        assert_eq!(found(&card, u32::MAX), [Some(1), Some(2), Some(3), Some(4)]);
        // Without that window.
        assert_eq!(found(&card[..4], u32::MAX), [Some(1), Some(2), Some(3), None]);
        // One kind for everything.
        let software = [cached | Flags::DEVICE_LOCAL];
        assert_eq!(found(&software, u32::MAX), [Some(0); 4]);
        // Imported memory may be seen through some kinds only.
        assert_eq!(found(&card, 0b1000), [Some(3), Some(3), Some(3), None]);
        assert_eq!(found(&card, 0), [None; 4]);
        // What the host does not cache is not read back.
        assert_eq!(found(&card[..3], u32::MAX), [Some(1), Some(2), None, None]);
    }
}
