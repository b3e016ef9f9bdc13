//! What a kernel may be able to do for a ring, beyond what the engine cannot do without.

use core::fmt;
use core::ops::{BitOr, BitOrAssign, Sub};

/// A set of abilities of the kernel that make rings cheaper, or may. Each is optional: a ring is set up with as many of those asked
/// for as the kernel grants, and [`Report`](crate::Report) says which those are. Unless told, [`DEFAULT`](Self::DEFAULT) are asked
/// for; the others cost something as well, and are worth it for some.
///
/// Leaving some out of [`UringConfig::features`](crate::UringConfig::features) makes an engine behave as on a kernel that
/// lacks them: [`LINUX_5_15`](Self::LINUX_5_15) and its like name what those kernels have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Features(u32);

impl Features {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// A batch is submitted whole, even if one of its entries is refused. Linux 5.18.
    pub const SUBMIT_ALL: Self = Self(1);
    /// The kernel finishes work when the ring's thread enters it, instead of interrupting the thread. Linux 5.19.
    pub const COOP_TASKRUN: Self = Self(1 << 1);
    /// Only one thread submits, so that the kernel need not guard against others. Linux 6.0.
    pub const SINGLE_ISSUER: Self = Self(1 << 2);
    /// Work is finished when the ring's thread asks for completions, and by the batch. Needs
    /// [`SINGLE_ISSUER`](Self::SINGLE_ISSUER). Linux 6.1.
    pub const DEFER_TASKRUN: Self = Self(1 << 3);
    /// Submissions without an array of indices in between. Linux 6.6.
    pub const NO_SQARRAY: Self = Self(1 << 4);
    /// A thread of the kernel's takes submissions, so that none is a system call. It spins while there are any, on a core of its
    /// own, and for a while after. Excludes [`COOP_TASKRUN`](Self::COOP_TASKRUN) and [`DEFER_TASKRUN`](Self::DEFER_TASKRUN).
    pub const SQPOLL: Self = Self(1 << 5);
    /// The engine's aligned memory and the runtime's staging memory are registered: the kernel need not look up their pages for
    /// each transfer. They count as locked memory (`ulimit -l`) as long as the engine lives; where that is too much, the engine
    /// goes without, with a warning ([`Sink::warn`](ds_engine::Sink::warn)).
    pub const FIXED_BUFFERS: Self = Self(1 << 6);
    /// Files are registered as they are used, so that the kernel need not look them up for each transfer. A ring keeps the last
    /// 64 of them open, even if everybody else has closed them.
    pub const FIXED_FILES: Self = Self(1 << 7);
    /// Reads through the page cache leave nothing behind in it (`RWF_DONTCACHE`): for data that is read once. Linux 6.14, and
    /// not on every file system.
    pub const UNCACHED: Self = Self(1 << 8);

    /// Reads that wait together, and go on where the last one ends, become one operation: up to 16 of them and 256 KiB. Nobody waits
    /// for another one to join.
    pub const JOINED_READS: Self = Self(1 << 9);

    /// Transfers past the page cache go to a second ring, and its thread polls the device for their ends instead of sleeping until an
    /// interrupt: a core is busy as long as there are any. They cannot be cancelled. Takes a device with poll queues, and a file
    /// system that passes them on; where the first such transfer is refused, the engine goes without.
    pub const IOPOLL: Self = Self(1 << 10);

    /// A ring's thread is woken by a message to the ring, which costs less than a read that the ring has under way. Takes one more
    /// descriptor. Linux 6.13.
    pub const MSG_RING: Self = Self(1 << 11);

    /// A thread that submits reads and then waits for them reads what the page cache has of them, or of a share of them, itself, by one
    /// more ring: so that for a small read no other thread is woken, and of many a core of its own does some. What the page cache has
    /// not, the other rings read as ever. Not beside [`UNCACHED`](Self::UNCACHED). Takes one more descriptor.
    pub const INLINE_READS: Self = Self(1 << 12);

    /// What Linux 5.15 has, the oldest kernel supported.
    pub const LINUX_5_15: Self = Self(
        Self::JOINED_READS.0
            | Self::INLINE_READS.0
            | Self::SQPOLL.0
            | Self::IOPOLL.0
            | Self::FIXED_BUFFERS.0
            | Self::FIXED_FILES.0,
    );
    /// What Linux 6.1 has.
    pub const LINUX_6_1: Self = Self(
        Self::LINUX_5_15.0
            | Self::SUBMIT_ALL.0
            | Self::COOP_TASKRUN.0
            | Self::SINGLE_ISSUER.0
            | Self::DEFER_TASKRUN.0,
    );
    /// What Linux 6.6 has.
    pub const LINUX_6_6: Self = Self(Self::LINUX_6_1.0 | Self::NO_SQARRAY.0);
    /// All of them.
    pub const ALL: Self = Self(Self::LINUX_6_6.0 | Self::MSG_RING.0 | Self::UNCACHED.0);
    /// Those that cost nothing.
    pub const DEFAULT: Self = Self(
        Self::SUBMIT_ALL.0
            | Self::COOP_TASKRUN.0
            | Self::SINGLE_ISSUER.0
            | Self::DEFER_TASKRUN.0
            | Self::NO_SQARRAY.0
            | Self::JOINED_READS.0
            | Self::INLINE_READS.0
            | Self::MSG_RING.0,
    );

    /// Each with its name, oldest kernel first.
    const NAMES: [(Self, &'static str); 13] = [
        (Self::JOINED_READS, "joined_reads"),
        (Self::INLINE_READS, "inline_reads"),
        (Self::SQPOLL, "sqpoll"),
        (Self::IOPOLL, "iopoll"),
        (Self::FIXED_BUFFERS, "fixed_buffers"),
        (Self::FIXED_FILES, "fixed_files"),
        (Self::SUBMIT_ALL, "submit_all"),
        (Self::COOP_TASKRUN, "coop_taskrun"),
        (Self::SINGLE_ISSUER, "single_issuer"),
        (Self::DEFER_TASKRUN, "defer_taskrun"),
        (Self::NO_SQARRAY, "no_sqarray"),
        (Self::MSG_RING, "msg_ring"),
        (Self::UNCACHED, "uncached"),
    ];

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The set of these [`bits`](Self::bits).
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Each of those in this set by itself, oldest kernel first.
    pub fn each(self) -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().filter_map(move |(feature, _)| self.contains(feature).then_some(feature))
    }

    /// The names of those in this set, oldest kernel first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter_map(move |(feature, name)| self.contains(feature).then_some(name))
    }

    /// Those that are asked for when a ring is set up, and that an older kernel answers with a refusal of the whole, newest
    /// kernel first.
    pub(crate) const SET_UP: [Self; 6] = [
        Self::NO_SQARRAY,
        Self::DEFER_TASKRUN,
        Self::SINGLE_ISSUER,
        Self::COOP_TASKRUN,
        Self::SUBMIT_ALL,
        Self::SQPOLL,
    ];

    /// What to tell people who asked for one of those that are not asked for by themselves, and cannot have it.
    pub(crate) const fn regret(self) -> Option<&'static str> {
        match self {
            Self::SQPOLL => Some("submissions are system calls (no sqpoll)"),
            Self::IOPOLL => {
                Some("the device is not polled (no iopoll: it has no poll queues, or no way to them)")
            }
            Self::FIXED_BUFFERS => {
                Some("memory is not registered (no fixed_buffers; it would count as locked: ulimit -l)")
            }
            Self::FIXED_FILES => Some("files are not registered (no fixed_files)"),
            Self::UNCACHED => Some("reads leave their bytes in the page cache (no uncached)"),
            _ => None,
        }
    }

    /// Without those that lack what they need, or that others exclude.
    pub(crate) fn coherent(self) -> Self {
        let excluded = if self.contains(Self::UNCACHED) { Self::INLINE_READS } else { Self::NONE };
        let excluded = if self.contains(Self::SQPOLL) {
            excluded | Self::COOP_TASKRUN | Self::DEFER_TASKRUN
        } else if self.contains(Self::SINGLE_ISSUER) {
            excluded
        } else {
            excluded | Self::DEFER_TASKRUN
        };
        self - excluded
    }
}

impl BitOr for Features {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Features {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Sub for Features {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The names, separated by spaces; `none` for the empty set.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.names().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        if *self == Self::NONE { f.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_name_and_kernels_only_gain_some() {
        let named = Features::NAMES.into_iter().fold(Features::NONE, |all, (one, _)| all | one);
        assert_eq!(named, Features::ALL);
        let kernels =
            [Features::NONE, Features::LINUX_5_15, Features::LINUX_6_1, Features::LINUX_6_6, Features::ALL];
        assert!(kernels.windows(2).all(|pair| pair[1].contains(pair[0])));
        assert_eq!((Features::SINGLE_ISSUER | Features::NO_SQARRAY).to_string(), "single_issuer no_sqarray");
        assert_eq!(Features::NONE.to_string(), "none");
    }

    #[test]
    fn deferred_work_needs_a_single_issuer() {
        assert_eq!(Features::DEFER_TASKRUN.coherent(), Features::NONE);
        assert_eq!(Features::DEFAULT.coherent(), Features::DEFAULT);
        let polled = (Features::DEFAULT | Features::SQPOLL).coherent();
        assert_eq!(
            polled.to_string(),
            "joined_reads inline_reads sqpoll submit_all single_issuer no_sqarray msg_ring"
        );
    }
}
