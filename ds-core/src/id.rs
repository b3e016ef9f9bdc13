//! Names: every file, buffer, lease, request and operation the queue speaks of is a token.
//!
//! The queue never looks inside the tokens of the outside world; `ds-engine` turns them into descriptors and addresses.

use core::fmt;

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

token! {
    /// An open file. Opaque to the queue.
    FileId
}
token! {
    /// A piece of host memory lent to the queue for the life of its requests. Opaque to the queue.
    BufferId
}
token! {
    /// A lease of staging memory. Opaque to the queue.
    LeaseId
}

/// A device that owns memory. Opaque to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

/// Names one request of one queue, for ever: the generation changes whenever the slot is reused, so a stale id can never
/// name a new request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// The slot above, the generation below. In one piece: it is handed on as soon as it is made, and what has just been stored as two
// halves cannot be loaded as one without waiting for both.
pub struct RequestId(u64);

impl RequestId {
    /// The id as one number, for an interface that has no room for two.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0.rotate_left(32)
    }

    /// The id that [`to_u64`](Self::to_u64) made. Any number is safe: one that names no request is refused where it is used.
    #[must_use]
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits.rotate_left(32))
    }

    /// The slot the request lives in: smaller than the queue's capacity, and taken by no other request while this one is
    /// undelivered. A driver keeps its own per-request data in an array beside the queue, indexed by this.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot() as usize
    }

    pub(crate) const fn new(slot: u32, generation: u32) -> Self {
        Self((slot as u64) << 32 | generation as u64)
    }

    pub(crate) const fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) const fn generation(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}#{}", self.slot(), self.generation())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Bits of an [`OpId`] that name the slot: enough for the largest capacity.
pub(crate) const SLOT_BITS: u32 = 20;
/// Bits of an [`OpId`] that name the operation within its request.
const PART_BITS: u32 = 3;
/// Operation serials wrap here. At a million operations a second that takes 25 days, and a wrapped serial must also meet the
/// same slot and part to be mistaken.
const SERIAL_MASK: u64 = (1 << (64 - SLOT_BITS - PART_BITS)) - 1;

/// Names one operation that an engine was asked for. Packs into 64 bits, such as io_uring's `user_data`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(u64);

impl OpId {
    pub(crate) const fn new(slot: u32, part: u32, serial: u64) -> Self {
        Self((serial & SERIAL_MASK) << (SLOT_BITS + PART_BITS) | ((part as u64) << SLOT_BITS) | slot as u64)
    }

    pub(crate) const fn slot(self) -> u32 {
        self.0 as u32 & ((1 << SLOT_BITS) - 1)
    }

    pub(crate) const fn part(self) -> usize {
        (self.0 >> SLOT_BITS) as usize & ((1 << PART_BITS) - 1)
    }

    /// The slot of the request this operation belongs to, as [`RequestId::index`] gives it.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot() as usize
    }

    /// The id as one number.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The id that [`to_u64`](Self::to_u64) made.
    #[must_use]
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op {}.{}#{}", self.slot(), self.part(), self.0 >> (SLOT_BITS + PART_BITS))
    }
}
