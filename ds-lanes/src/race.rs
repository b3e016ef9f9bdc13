//! Who reached for a byte last, and whether a barrier lies between.

/// How a lane reaches for a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    Atomic,
}

/// A lane that reaches for bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch {
    /// Among all of the dispatch.
    pub(crate) lane: u32,
    pub(crate) step: u32,
    pub(crate) kind: Kind,
    /// Barriers passed by its subgroup, and by its workgroup, that order such accesses.
    pub(crate) subgroup_barriers: u32,
    pub(crate) workgroup_barriers: u32,
    /// How many lanes there are in a workgroup, and in a subgroup.
    pub(crate) workgroup: u32,
    pub(crate) subgroup: u32,
}

/// Another lane reached for the byte before, and nothing orders the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Its step.
    pub(crate) first: u32,
    /// Whether the write, or one of both, gave the byte another value.
    pub(crate) changes: bool,
}

/// The last access of a kind.
#[derive(Clone, Copy)]
struct Last {
    lane: u32,
    step: u32,
    subgroup_barriers: u32,
    workgroup_barriers: u32,
    is_atomic: bool,
    changes: bool,
    /// Whether another lane did the same, with no order between the two.
    several: bool,
}

#[derive(Clone, Copy)]
struct Byte {
    write: Last,
    read: Last,
}

/// What is known about bytes.
pub(crate) struct Shadow {
    bytes: Vec<Byte>,
    /// Whether anything is.
    touched: bool,
}

const NOBODY: u32 = u32::MAX;
const UNTOUCHED: Byte = {
    let last = Last {
        lane: NOBODY,
        step: 0,
        subgroup_barriers: 0,
        workgroup_barriers: 0,
        is_atomic: false,
        changes: false,
        several: false,
    };
    Byte { write: last, read: last }
};

impl Touch {
    /// The workgroup, and the subgroup in it.
    const fn groups(&self, lane: u32) -> (u32, u32) {
        (lane / self.workgroup, lane % self.workgroup / self.subgroup)
    }

    /// Whether what was done then comes before this.
    #[inline]
    const fn is_after(&self, then: &Last) -> bool {
        if then.lane == NOBODY || then.lane == self.lane && !then.several {
            return true;
        }
        let (theirs, mine) = (self.groups(then.lane), self.groups(self.lane));
        if theirs.0 != mine.0 {
            // Nothing orders workgroups.
            false
        } else if theirs.1 == mine.1 {
            then.subgroup_barriers < self.subgroup_barriers
        } else {
            then.workgroup_barriers < self.workgroup_barriers
        }
    }

    const fn last(&self, changes: bool, several: bool) -> Last {
        Last {
            lane: self.lane,
            step: self.step,
            subgroup_barriers: self.subgroup_barriers,
            workgroup_barriers: self.workgroup_barriers,
            is_atomic: matches!(self.kind, Kind::Atomic),
            changes,
            several,
        }
    }
}

impl Shadow {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes: vec![UNTOUCHED; bytes], touched: false }
    }

    pub(crate) fn forget(&mut self) {
        if self.touched {
            self.bytes.fill(UNTOUCHED);
            self.touched = false;
        }
    }

    /// Notes a read.
    #[inline]
    pub(crate) fn read(&mut self, at: usize, bytes: u8, touch: &Touch) -> Option<Found> {
        self.touched = true;
        let mut found = None;
        for byte in &mut self.bytes[at..at + usize::from(bytes)] {
            if !touch.is_after(&byte.write) {
                found = Some(Found { first: byte.write.step, changes: byte.write.changes });
            }
            byte.read = touch.last(false, !touch.is_after(&byte.read));
        }
        found
    }

    /// Notes a write, by an atomic or not, of bytes of which those have changed.
    #[inline]
    pub(crate) fn write(&mut self, at: usize, bytes: u8, changed: u8, touch: &Touch) -> Option<Found> {
        self.touched = true;
        let mut found = None;
        for (n, byte) in self.bytes[at..at + usize::from(bytes)].iter_mut().enumerate() {
            let (changes, is_after) = (changed >> n & 1 != 0, touch.is_after(&byte.write));
            let both_atomic = touch.kind == Kind::Atomic && byte.write.is_atomic;
            if !(is_after || both_atomic) {
                found = Some(Found { first: byte.write.step, changes: changes || byte.write.changes });
            }
            if !touch.is_after(&byte.read) {
                found = Some(Found { first: byte.read.step, changes });
            }
            byte.write = touch.last(changes || !is_after && byte.write.changes, !is_after);
        }
        found
    }
}
