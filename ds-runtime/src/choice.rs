//! Who computes a transform, and why.
//!
//! What [`CodecKind`](crate::CodecKind) names does, wherever it can. Under `Auto` the result's place, its size, the kind of device and
//! what waits already decide, by estimates that are rough on purpose: see [`choose`].

use core::fmt;

use ds_core::Processor;

/// Bytes of output that a core of the processor decodes while a device decodes a tile, which takes as long as many at once do.
const WORTHWHILE: u64 = 640 << 10;
/// How many times as fast as one core of the processor a device decodes that is kept busy.
const DEVICE_CORES: u64 = 128;

/// Who computes a transform, and why; counted by [`Queue::choices`](crate::Queue::choices).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// The processor: the program said so.
    HostNamed,
    /// The processor: no device computes it.
    HostOnly,
    /// The processor: the result goes to host memory, and from a device it would have to come back over the bus.
    HostMemory,
    /// The processor: the device is part of it, or simulated by it.
    DeviceIsHost,
    /// The processor: the device is lost.
    DeviceLost,
    /// The processor: it is through with this and what waits before a device that has nothing else to do would be.
    Small,
    /// The processor: the device has so much to do that it would be later.
    DeviceBusy,
    /// The device: the program said so.
    DeviceNamed,
    /// The device: the processor does not compute it, or has too little staging memory to.
    DeviceOnly,
    /// The device: the result goes to its memory, and the packed bytes cross the bus in its place.
    DeviceMemory,
    /// The device: alone it would be small, but with what waits it is worth a submission.
    Together,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::HostNamed,
        Self::HostOnly,
        Self::HostMemory,
        Self::DeviceIsHost,
        Self::DeviceLost,
        Self::Small,
        Self::DeviceBusy,
        Self::DeviceNamed,
        Self::DeviceOnly,
        Self::DeviceMemory,
        Self::Together,
    ];

    /// Who it is.
    #[must_use]
    pub const fn processor(self) -> Processor {
        match self {
            Self::DeviceNamed | Self::DeviceOnly | Self::DeviceMemory | Self::Together => Processor::Device,
            _ => Processor::Host,
        }
    }
}

/// In words, such as `processor: to host memory`.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNamed => "processor: named",
            Self::HostOnly => "processor: no device computes it",
            Self::HostMemory => "processor: to host memory",
            Self::DeviceIsHost => "processor: the device is part of it",
            Self::DeviceLost => "processor: the device is lost",
            Self::Small => "processor: too small for a submission",
            Self::DeviceBusy => "processor: the device is busy",
            Self::DeviceNamed => "device: named",
            Self::DeviceOnly => "device: the processor cannot",
            Self::DeviceMemory => "device: to its memory",
            Self::Together => "device: small, with others",
        })
    }
}

/// How often each was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices([u64; Choice::ALL.len()]);

impl Choices {
    pub(crate) const fn count(&mut self, choice: Choice) {
        self.0[choice as usize] += 1;
    }

    /// Those that were made, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Choice, u64)> + '_ {
        Choice::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    /// How often this one was made.
    #[must_use]
    pub const fn of(&self, choice: Choice) -> u64 {
        self.0[choice as usize]
    }
}

/// What a choice under `Auto` depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Whether the result goes to the device's memory.
    pub(crate) to_device: bool,
    /// Bytes of output.
    pub(crate) bytes: u64,
    /// Requests of the same queue that have not ended.
    pub(crate) waiting: u64,
    /// Bytes of output that the device has been asked for and has not made.
    pub(crate) backlog: u64,
    /// Cores of the processor.
    pub(crate) cores: u64,
    /// Whether the device is part of the processor, or simulated by it.
    pub(crate) device_is_host: bool,
    pub(crate) device_is_lost: bool,
}

/// Who is to compute a transform that both can.
///
/// To device memory it is whoever is through with it first. The device needs a tile's time, in which a core decodes [`WORTHWHILE`]
/// bytes, and the time of what it has to do before: it is as fast as [`DEVICE_CORES`] cores. The processor has to do, on all of its
/// cores, what waits in the queue and the device does not have; of what waits we take each to be as large as this one.
pub(crate) const fn choose(situation: &Situation) -> Choice {
    let Situation { to_device, bytes, waiting, backlog, cores, device_is_host, device_is_lost } = *situation;
    if !to_device {
        return Choice::HostMemory;
    }
    if device_is_host {
        return Choice::DeviceIsHost;
    }
    if device_is_lost {
        return Choice::DeviceLost;
    }
    let cores = if cores == 0 { 1 } else { cores };
    let before = bytes.saturating_mul(waiting).saturating_sub(backlog);
    let by_host = before.saturating_add(bytes) / cores;
    let by_device = WORTHWHILE.saturating_add(backlog / DEVICE_CORES);
    if by_host < WORTHWHILE {
        Choice::Small
    } else if by_host < by_device {
        Choice::DeviceBusy
    } else if bytes / cores < WORTHWHILE {
        Choice::Together
    } else {
        Choice::DeviceMemory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn choices_by_size_and_load() {
        // Bytes, requests that wait, bytes that the device has to make.
        for (bytes, waiting, backlog, expected) in [
            (0, 0, 0, Choice::Small),
            // Eight cores: each has an eighth to do.
            (5 * MIB - 8, 0, 0, Choice::Small),
            (5 * MIB, 0, 0, Choice::DeviceMemory),
            (GIB, 0, 0, Choice::DeviceMemory),
            (MIB, 3, 0, Choice::Small),
            (MIB, 4, 0, Choice::Together),
            (64 * KIB, 78, 0, Choice::Small),
            (64 * KIB, 79, 0, Choice::Together),
            (0, u64::MAX, 0, Choice::Small),
            // A device with a gigabyte to do is later than eight cores with anything below 69 MiB.
            (68 * MIB, 0, GIB, Choice::DeviceBusy),
            (69 * MIB, 0, GIB, Choice::DeviceMemory),
            (64 * KIB, 78, GIB, Choice::Small),
            // What the device has of what waits the processor has not.
            (MIB, 1000, 900 * MIB, Choice::Together),
            (MIB, 1000, 950 * MIB, Choice::DeviceBusy),
            (MIB, 1000, GIB, Choice::Small),
            (u64::MAX, u64::MAX, u64::MAX, Choice::DeviceMemory),
        ] {
            let situation = Situation {
                to_device: true,
                bytes,
                waiting,
                backlog,
                cores: 8,
                device_is_host: false,
                device_is_lost: false,
            };
            assert_eq!(choose(&situation), expected, "{situation:?}");
            // None of that counts for what goes elsewhere, or for another kind of device.
            for (changed, expected) in [
                (Situation { to_device: false, ..situation }, Choice::HostMemory),
                (Situation { device_is_host: true, ..situation }, Choice::DeviceIsHost),
                (Situation { device_is_lost: true, ..situation }, Choice::DeviceLost),
            ] {
                assert_eq!(choose(&changed), expected, "{changed:?}");
            }
        }
    }

    #[test]
    fn more_waiting_never_moves_a_request_to_the_processor_and_a_longer_line_never_to_the_device() {
        let is_device = |waiting, backlog, bytes| {
            let situation = Situation {
                to_device: true,
                bytes,
                waiting,
                backlog,
                cores: 2,
                device_is_host: false,
                device_is_lost: false,
            };
            choose(&situation).processor() == Processor::Device
        };
        let steps = [0, 1, 100, 10_000, 1 << 20, 1 << 30, 1 << 40];
        for bytes in steps {
            for fixed in steps {
                assert!(steps.map(|waiting| is_device(waiting, fixed, bytes)).is_sorted());
                assert!(steps.map(|backlog| !is_device(fixed, backlog, bytes)).is_sorted());
                assert!(steps.map(|bytes| is_device(fixed, fixed, bytes)).is_sorted());
            }
        }
    }

    #[test]
    fn choices_are_counted_by_name() {
        let mut choices = Choices::default();
        for (n, choice) in Choice::ALL.into_iter().enumerate() {
            assert_eq!(choice as usize, n);
            choices.count(choice);
            choices.count(Choice::Small);
        }
        assert_eq!((choices.of(Choice::Small), choices.of(Choice::HostMemory)), (12, 1));
        assert_eq!(choices.iter().count(), Choice::ALL.len());
    }
}
