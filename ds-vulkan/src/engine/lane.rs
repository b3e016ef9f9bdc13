//! Which queue does a copy.
//!
//! A device may have a queue for transfers beside the one that computes: copy engines, which move bytes over the bus while shaders
//! run. What they touch is shared with both queues' families ([`vk::SharingMode::CONCURRENT`](ash::vk::SharingMode)), so that nothing
//! ever changes owners: our own buffers are, and of the application's those it says so of.

/// A queue, by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The one for transfers.
    Transfer,
    /// The one that computes.
    Main,
}

/// One end of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Host memory, in a buffer of ours.
    Host,
    /// A buffer of the device, and whether the family of the transfer queue may use it.
    Device {
        /// Whether it may.
        shared: bool,
    },
}

/// Who copies from there to there; `separate` says whether there are two queues.
///
/// What crosses the bus goes by the transfer queue. What stays in the device does not: shaders' queues copy as fast as its memory
/// is, copy engines no faster than the bus.
pub(crate) const fn lane(separate: bool, from: End, into: End) -> Lane {
    match (from, into) {
        (End::Host, End::Device { shared: true }) | (End::Device { shared: true }, End::Host) if separate => {
            Lane::Transfer
        }
        _ => Lane::Main,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_crosses_the_bus_to_shared_memory_goes_by_the_transfer_queue() {
        const OURS: End = End::Device { shared: true };
        const THEIRS: End = End::Device { shared: false };
        for (from, into, expected) in [
            (End::Host, OURS, Lane::Transfer),
            (OURS, End::Host, Lane::Transfer),
            (End::Host, THEIRS, Lane::Main),
            (THEIRS, End::Host, Lane::Main),
            (OURS, OURS, Lane::Main),
            (OURS, THEIRS, Lane::Main),
            (End::Host, End::Host, Lane::Main),
        ] {
            assert_eq!(lane(true, from, into), expected, "{from:?} to {into:?}");
            assert_eq!(lane(false, from, into), Lane::Main, "{from:?} to {into:?}, one queue");
        }
    }
}
