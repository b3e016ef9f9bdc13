//! What transfers past the page cache must be aligned to.

/// What the device asks of a transfer past the page cache, in bytes. Both are powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    memory: u32,
    offset: u32,
}

impl Alignment {
    /// What every device is content with, where nobody says what this one asks for.
    pub const PAGE: Self = Self { memory: 4096, offset: 4096 };

    /// Memory at multiples of `memory`; offsets and lengths in multiples of `offset`. `None` unless both are powers of two.
    #[must_use]
    pub const fn new(memory: u32, offset: u32) -> Option<Self> {
        if memory.is_power_of_two() && offset.is_power_of_two() {
            Some(Self { memory, offset })
        } else {
            None
        }
    }

    /// What the address of the memory must be a multiple of.
    #[must_use]
    pub const fn memory(self) -> u32 {
        self.memory
    }

    /// What offset and length must be multiples of.
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.offset
    }

    /// Whether this range of the file is aligned.
    #[must_use]
    pub const fn fits_range(self, offset: u64, len: u64) -> bool {
        (offset | len) & (self.offset as u64 - 1) == 0
    }

    /// Whether memory at this address is aligned.
    #[must_use]
    pub fn fits_memory(self, start: *const u8) -> bool {
        start.addr() & (self.memory as usize - 1) == 0
    }

    /// The smallest aligned range around this one, as its start and its length. `None` if there is none below 2^63.
    #[must_use]
    pub fn around(self, offset: u64, len: u64) -> Option<(u64, u64)> {
        let mask = u64::from(self.offset) - 1;
        let end = offset.checked_add(len)?.checked_add(mask)? & !mask;
        let start = offset & !mask;
        (end <= i64::MAX as u64).then_some((start, end - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_around_is_aligned_and_no_larger_than_it_must_be() {
        let alignment = Alignment::new(4, 512).unwrap();
        for (offset, len, around) in [
            (0, 0, (0, 0)),
            (0, 1, (0, 512)),
            (511, 1, (0, 512)),
            (511, 2, (0, 1024)),
            (512, 512, (512, 512)),
            (1000, 10_000, (512, 10_752)),
        ] {
            assert_eq!(alignment.around(offset, len), Some(around));
            assert!(alignment.fits_range(around.0, around.1));
        }
        assert_eq!(alignment.around(i64::MAX as u64 - 5, 5), None);
        assert_eq!(alignment.around(u64::MAX, 2), None);
        assert!(!alignment.fits_range(512, 511) && !alignment.fits_range(1, 512));
        assert!(alignment.fits_memory(core::ptr::without_provenance(1004)));
        assert!(!alignment.fits_memory(core::ptr::without_provenance(1002)));
    }

    #[test]
    fn only_powers_of_two_are_alignments() {
        assert!(Alignment::new(0, 512).is_none() && Alignment::new(512, 0).is_none());
        assert!(Alignment::new(512, 3).is_none() && Alignment::new(1, 1).is_some());
    }
}
