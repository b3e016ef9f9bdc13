//! Which path ran: users ask first of all "was that really the GPU?".

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// A set of engines, one bit each. An engine puts its own bit into the outcomes of the work it did; the queue only collects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(u32);

impl Path {
    /// Nothing ran.
    pub const NONE: Self = Self(0);
    /// File I/O by positional system calls on a thread pool.
    pub const IO_CPU: Self = Self(1);
    /// File I/O by io_uring.
    pub const IO_URING: Self = Self(1 << 1);
    /// A transform computed by the CPU.
    pub const CODEC_CPU: Self = Self(1 << 2);
    /// A transform computed by a Vulkan device.
    pub const CODEC_VULKAN: Self = Self(1 << 3);
    /// A transform computed by the application.
    pub const CODEC_CUSTOM: Self = Self(1 << 4);
    /// A copy made by the CPU.
    pub const COPY_HOST: Self = Self(1 << 5);
    /// A copy made by a Vulkan device.
    pub const COPY_VULKAN: Self = Self(1 << 6);
    /// The work was done by the thread that waited for it, not by one of the engine's own.
    pub const INLINE: Self = Self(1 << 7);
    /// Beside [`IO_URING`](Self::IO_URING): by a file registered with the ring.
    pub const IO_FIXED_FILE: Self = Self(1 << 8);
    /// Beside [`IO_URING`](Self::IO_URING): with memory registered with the ring.
    pub const IO_FIXED_BUFFER: Self = Self(1 << 9);
    /// Beside [`IO_URING`](Self::IO_URING): through the page cache, and leaving nothing behind in it.
    pub const IO_UNCACHED: Self = Self(1 << 10);
    /// Beside [`IO_URING`](Self::IO_URING): together with requests for the bytes before or after.
    pub const IO_JOINED: Self = Self(1 << 11);
    /// Beside [`IO_URING`](Self::IO_URING): the device was polled for its end.
    pub const IO_POLLED: Self = Self(1 << 12);
    /// Beside [`CODEC_VULKAN`](Self::CODEC_VULKAN): by the driver's own decompression, which reports no errors.
    pub const DRIVER_DECOMPRESSION: Self = Self(1 << 13);
    /// Beside [`IO_URING`](Self::IO_URING): submitted by a thread of the kernel's, without a system call.
    pub const IO_SQPOLL: Self = Self(1 << 14);

    /// How many different bits there are; [`Path::bit`] is always smaller.
    pub const BITS: usize = 15;

    const NAMES: [&'static str; Self::BITS] = [
        "io:cpu",
        "io:uring",
        "codec:cpu",
        "codec:vulkan",
        "codec:custom",
        "copy:host",
        "copy:vulkan",
        "inline",
        "fixed-file",
        "fixed-buffer",
        "uncached",
        "joined",
        "polled",
        "driver-decompression",
        "sqpoll",
    ];

    /// Whether every engine of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing ran.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The numbers of the bits in this set, smallest first.
    pub fn bits(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(bit)
        })
    }

    /// The set with only bit number `bit`.
    ///
    /// # Panics
    /// If `bit` is not smaller than [`Path::BITS`].
    #[must_use]
    pub const fn bit(bit: usize) -> Self {
        assert!(bit < Self::BITS);
        Self(1 << bit)
    }
}

impl BitOr for Path {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Path {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The names joined with `+`, such as `io:cpu+codec:cpu`; `-` for the empty set.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (n, bit) in self.bits().enumerate() {
            if n > 0 {
                f.write_str("+")?;
            }
            f.write_str(Self::NAMES[bit])?;
        }
        Ok(())
    }
}
