//! Memory of a submission that is filled from its beginning, so that what lies side by side on the host does on the device, and goes
//! there in one copy.

/// A piece of a submission's memory, and how much of it is taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arena {
    /// Which of the batch's pieces.
    pub(crate) piece: usize,
    pub(crate) used: u64,
    pub(crate) len: u64,
}

impl Arena {
    /// Most bytes of one that are taken at once; what wants more has a piece of its own.
    pub(crate) const CHUNK: u64 = 8 << 20;
    /// What places in it are aligned to, unless they follow something.
    pub(crate) const ALIGN: u64 = 256;
    /// What shaders ask of a payload's place.
    const WORD: u64 = 4;

    /// Takes `len` bytes, and says where they begin.
    pub(crate) fn take(&mut self, len: u64) -> Option<u64> {
        let start = self.used.next_multiple_of(Self::ALIGN);
        self.fill(start, len)
    }

    /// Takes `len` bytes that begin `gap` bytes behind those taken last, if shaders can read them there.
    pub(crate) fn follow(&mut self, gap: u64, len: u64) -> Option<u64> {
        let start = self.used + gap;
        if start.is_multiple_of(Self::WORD) { self.fill(start, len) } else { None }
    }

    fn fill(&mut self, start: u64, len: u64) -> Option<u64> {
        let end = start.checked_add(len).filter(|&end| end <= self.len)?;
        self.used = end;
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_behind_one_another_and_inside() {
        let mut arena = Arena { piece: 0, used: 0, len: 1024 };
        assert_eq!((arena.take(100), arena.take(1)), (Some(0), Some(256)));
        assert_eq!((arena.follow(2, 8), arena.follow(3, 8)), (None, Some(260)));
        assert_eq!((arena.take(700), arena.take(512), arena.used), (None, Some(512), 1024));
        assert_eq!((arena.take(0), arena.take(1), arena.follow(0, 0)), (Some(1024), None, Some(1024)));
        assert_eq!(Arena::default().take(1), None);
        assert_eq!(arena.follow(0, u64::MAX), None);
    }
}
