//! What is asked for.

use crate::error::{Error, ErrorKind, Misuse};
use crate::id::{BufferId, DeviceId, FileId, RequestId};
use crate::time::Time;

/// The largest file position the kernel takes: offsets are signed 64-bit numbers there.
const MAX_FILE_POSITION: u64 = i64::MAX as u64;

/// Where an output region starts within a lease that also holds the input: direct I/O and device import want page borders.
pub(crate) const LEASE_ALIGN: u64 = 4096;

/// What kind of thing a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Bring bytes from a file or from memory into memory, through a [`Transform`] if one is named.
    Read,
    /// Bring bytes from memory into a file.
    Write,
    /// Make a file's data and metadata durable.
    Fsync,
    /// Make a file's data durable, with the metadata needed to read it back.
    Fdatasync,
}

/// What happens to the bytes between source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transform {
    /// Nothing.
    None,
    /// The source is a GDeflate tile stream; the destination gets its content.
    GDeflate,
    /// ASCII letters become upper case: a transform one can see, for demonstrations.
    FakeUppercase,
    /// A format the application decodes itself.
    Custom(u8),
}

/// Which kind of processor is to compute the transform. The driver chooses per request, knowing its engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Processor {
    /// A codec that reads and writes host memory.
    #[default]
    Host,
    /// A codec that reads staging memory and writes device memory, or either through it.
    Device,
}

/// One end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// Nowhere: the source of a sync.
    None,
    /// `len` bytes of a file from `offset`.
    File {
        /// Which file.
        file: FileId,
        /// First byte, from the start of the file.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// `len` bytes of a lent piece of host memory from `offset`.
    Host {
        /// Which memory.
        buffer: BufferId,
        /// First byte, from the start of that memory.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// `len` bytes of something a device owns: a buffer, or an image in a layout its engine knows.
    Device {
        /// Which device.
        device: DeviceId,
        /// Which of its objects; opaque.
        handle: u64,
        /// First byte, in the object's own terms.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
}

/// The kind of a [`Location`], for errors and statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LocationKind {
    /// Nowhere.
    #[default]
    None,
    /// A file.
    File,
    /// Host memory.
    Host,
    /// Device memory.
    Device,
}

impl Location {
    /// Number of bytes; 0 for [`Location::None`].
    #[must_use]
    pub const fn len(&self) -> u64 {
        match *self {
            Self::None => 0,
            Self::File { len, .. } | Self::Host { len, .. } | Self::Device { len, .. } => len,
        }
    }

    /// Whether it holds no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first byte; 0 for [`Location::None`].
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match *self {
            Self::None => 0,
            Self::File { offset, .. } | Self::Host { offset, .. } | Self::Device { offset, .. } => offset,
        }
    }

    /// The kind of location.
    #[must_use]
    pub const fn kind(&self) -> LocationKind {
        match self {
            Self::None => LocationKind::None,
            Self::File { .. } => LocationKind::File,
            Self::Host { .. } => LocationKind::Host,
            Self::Device { .. } => LocationKind::Device,
        }
    }

    fn check_range(&self) -> Result<(), Misuse> {
        let (offset, len) = (self.offset(), self.len());
        let limit = if matches!(self, Self::File { .. }) { MAX_FILE_POSITION } else { u64::MAX };
        match offset.checked_add(len) {
            Some(end) if end <= limit => Ok(()),
            _ => Err(Misuse::RangeOverflow { offset, len }),
        }
    }
}

/// What a program asks a queue for. A plain value; nothing happens until it is enqueued and submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub operation: Operation,
    /// Where the bytes come from.
    pub source: Location,
    /// Where the bytes go.
    pub destination: Location,
    /// What happens to them in between.
    pub transform: Transform,
    /// Who computes the transform. Means nothing without one.
    pub processor: Processor,
    /// Bytes after the transform. Without one: 0, or the source's length. With one and a host destination: the
    /// destination's length.
    pub uncompressed_size: u64,
    /// Whatever the program likes; [`Queue::cancel_tagged`](crate::Queue::cancel_tagged) selects by it.
    pub tag: u64,
    /// The request fails with [`ErrorKind::TimedOut`] if it is not done by then.
    pub deadline: Option<Time>,
    /// Begin only when that earlier request of the same queue has ended. If it failed or was cancelled, this one is
    /// cancelled. An id that names no request any more counts as ended well.
    pub after: Option<RequestId>,
    /// A raw read that meets the end of the file succeeds with the bytes there were.
    pub allow_short: bool,
}

impl Request {
    const fn new(operation: Operation, source: Location, destination: Location) -> Self {
        Self {
            operation,
            source,
            destination,
            transform: Transform::None,
            processor: Processor::Host,
            uncompressed_size: 0,
            tag: 0,
            deadline: None,
            after: None,
            allow_short: false,
        }
    }

    /// Bring bytes from `source` into `destination` as they are.
    #[must_use]
    pub const fn read(source: Location, destination: Location) -> Self {
        Self::new(Operation::Read, source, destination)
    }

    /// Bring bytes from `source` into `destination` through `transform`, which makes `uncompressed_size` bytes of them.
    #[must_use]
    pub const fn decode(
        source: Location,
        destination: Location,
        transform: Transform,
        uncompressed_size: u64,
    ) -> Self {
        let mut request = Self::new(Operation::Read, source, destination);
        request.transform = transform;
        request.uncompressed_size = uncompressed_size;
        request
    }

    /// Bring bytes from memory into a file.
    #[must_use]
    pub const fn write(source: Location, destination: Location) -> Self {
        Self::new(Operation::Write, source, destination)
    }

    /// Make `file` durable; without its inessential metadata if `data_only`.
    #[must_use]
    pub const fn sync(file: FileId, data_only: bool) -> Self {
        let operation = if data_only { Operation::Fdatasync } else { Operation::Fsync };
        Self::new(operation, Location::None, Location::File { file, offset: 0, len: 0 })
    }

    /// Checks the request against `DirectStorage`'s rules and decides which stages it needs. What needs no more than a window of
    /// staging memory gets one of at most `max_lease` bytes, for pieces of at most `chunk_size`.
    #[inline]
    pub(crate) fn plan(&self, max_lease: u64, chunk_size: u64) -> Result<Plan, Error> {
        if self.is_plain_read() {
            return Ok(Plan { fetch: Fetch::File, ..Plan::default() });
        }
        self.plan_stages(max_lease, chunk_size)
    }

    #[inline(never)]
    fn plan_stages(&self, max_lease: u64, chunk_size: u64) -> Result<Plan, Error> {
        let mut plan = self.stages().map_err(|misuse| Error::new(ErrorKind::Invalid(misuse)))?;
        if plan.relay {
            plan.open_window(max_lease, chunk_size);
        }
        if plan.lease_len() > max_lease {
            return Err(Error::new(ErrorKind::TooLarge { requested: plan.lease_len(), limit: max_lease }));
        }
        Ok(plan)
    }

    /// Whether it is what most are, and nothing is wrong with it: a file's bytes go straight into host memory, and no stage follows.
    #[inline]
    fn is_plain_read(&self) -> bool {
        let (Location::File { offset, len, .. }, Location::Host { offset: destination, len: room, .. }) =
            (self.source, self.destination)
        else {
            return false;
        };
        self.operation == Operation::Read
            && self.transform == Transform::None
            && len == room
            && (self.uncompressed_size == 0 || self.uncompressed_size == len)
            && offset.checked_add(len).is_some_and(|end| end <= MAX_FILE_POSITION)
            && destination.checked_add(room).is_some()
    }

    fn stages(&self) -> Result<Plan, Misuse> {
        use LocationKind::{Device, File, Host, None};
        self.source.check_range()?;
        self.destination.check_range()?;
        let ends = (self.source.kind(), self.destination.kind());
        let transformed = self.transform != Transform::None;
        let mut plan = Plan::default();
        match (self.operation, ends) {
            (Operation::Fsync | Operation::Fdatasync, (None, File)) => plan.sync = true,
            (Operation::Write, (Host | Device, File)) => {
                plan.place = Place::Write;
                if ends.0 == Device {
                    plan.fetch = Fetch::Device;
                    plan.lease_in = self.source.len();
                    plan.relay = true;
                }
            }
            (Operation::Read, (File | Host | Device, Host | Device)) => {
                self.read_stages(ends, transformed, &mut plan)
            }
            _ => {
                return Err(Misuse::Locations {
                    operation: self.operation,
                    source: ends.0,
                    destination: ends.1,
                });
            }
        }
        self.check_sizes(ends, transformed)?;
        Ok(plan)
    }

    fn read_stages(&self, ends: (LocationKind, LocationKind), transformed: bool, plan: &mut Plan) {
        use LocationKind::{Device, File, Host};
        let to_device = ends.1 == Device;
        if ends.0 == File {
            plan.fetch = Fetch::File;
            if transformed || to_device {
                plan.lease_in = self.source.len();
                plan.relay = !transformed;
            }
        }
        plan.decode = transformed;
        if transformed && self.processor == Processor::Host {
            if ends.0 == Device {
                plan.fetch = Fetch::Device;
                plan.lease_in = self.source.len();
            }
            if to_device {
                plan.lease_out = self.uncompressed_size;
                plan.place = Place::Copy;
            }
        }
        if !transformed && (ends.0 != File || to_device) {
            debug_assert!(ends.1 == Host || to_device);
            plan.place = Place::Copy;
        }
    }

    fn check_sizes(&self, ends: (LocationKind, LocationKind), transformed: bool) -> Result<(), Misuse> {
        let raw_read = self.operation == Operation::Read && !transformed;
        if self.operation != Operation::Read && transformed {
            return Err(Misuse::TransformOnWrite);
        }
        if self.allow_short && !(raw_read && ends.0 == LocationKind::File) {
            return Err(Misuse::ShortNotAllowed);
        }
        if matches!(self.operation, Operation::Fsync | Operation::Fdatasync) {
            return Ok(());
        }
        let (source, destination) = (self.source.len(), self.destination.len());
        if !transformed && source != destination {
            return Err(Misuse::SizeMismatch { source, destination });
        }
        let expected = if transformed { destination } else { source };
        // DirectStorage lets a compressed request to a device produce more than its destination shows: an opaque object
        // may be larger in memory than in its own terms.
        let exact = !transformed || ends.1 == LocationKind::Host;
        let given = self.uncompressed_size;
        if exact && given != expected && (transformed || given != 0) {
            return Err(Misuse::UncompressedSize { expected, actual: given });
        }
        Ok(())
    }
}

/// How the source's bytes are brought to where the next stage finds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// They are there already.
    #[default]
    Nothing,
    /// By reading the file.
    File,
    /// By copying from the device into staging.
    Device,
}

/// How the bytes reach the destination after the last stage before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// They are there already.
    #[default]
    Nothing,
    /// By a copy.
    Copy,
    /// By writing the file.
    Write,
}

/// The stages a request needs, decided once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) fetch: Fetch,
    pub(crate) decode: bool,
    pub(crate) place: Place,
    pub(crate) sync: bool,
    /// Staging bytes for the input of the next stage; 0 = none.
    pub(crate) lease_in: u64,
    /// Staging bytes for the transform's output; 0 = none.
    pub(crate) lease_out: u64,
    /// Between a file and a device, as they are: each sub-transfer goes through a piece of staging memory of its own, and is copied
    /// as soon as it is there.
    pub(crate) relay: bool,
    /// Bytes of that piece. The lease holds as many pieces as there can be sub-transfers.
    pub(crate) piece: u64,
}

impl Plan {
    /// Sub-transfers of one request that may be in flight at once.
    pub(crate) const PARTS: usize = 4;

    /// Makes do with as many pieces as there can be sub-transfers, each as long as a chunk, or shorter where there is too little
    /// memory for that.
    fn open_window(&mut self, max_lease: u64, chunk_size: u64) {
        let parts = Self::PARTS as u64;
        let whole_pages = chunk_size.min(max_lease / parts) & !(LEASE_ALIGN - 1);
        // Where not even pages fit, one piece has to do: of all there is, or of a page if there is nothing.
        let (piece, pieces) = match (whole_pages, max_lease) {
            (0, 0) => (LEASE_ALIGN, 1),
            (0, _) => (max_lease.min(chunk_size), 1),
            _ => (whole_pages, parts),
        };
        self.piece = piece;
        self.lease_in = self.lease_in.min(piece * pieces);
    }

    /// Where the output region starts within the lease.
    pub(crate) const fn output_offset(&self) -> u64 {
        self.lease_in.div_ceil(LEASE_ALIGN).saturating_mul(LEASE_ALIGN)
    }

    /// Staging bytes in all; 0 = no lease.
    pub(crate) const fn lease_len(&self) -> u64 {
        if self.lease_out == 0 { self.lease_in } else { self.output_offset().saturating_add(self.lease_out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_read_is_planned_as_any_other_request() {
        let (file, buffer, device) = (FileId(1), BufferId(2), DeviceId(3));
        let mut plain = 0;
        for (offset, len) in
            [(0, 0), (7, 4096), (i64::MAX as u64 - 8, 8), (i64::MAX as u64, 1), (u64::MAX, 8)]
        {
            let ends = [
                Location::None,
                Location::File { file, offset, len },
                Location::Host { buffer, offset, len },
                Location::Host { buffer, offset, len: len + 1 },
                Location::Device { device, handle: 4, offset, len },
            ];
            for (source, destination) in ends.iter().flat_map(|&from| ends.map(|into| (from, into))) {
                for operation in [Operation::Read, Operation::Write, Operation::Fsync] {
                    for (transform, uncompressed_size) in [
                        (Transform::None, 0),
                        (Transform::None, len),
                        (Transform::None, 3),
                        (Transform::GDeflate, len),
                    ] {
                        let request = Request {
                            transform,
                            uncompressed_size,
                            ..Request::new(operation, source, destination)
                        };
                        if request.is_plain_read() {
                            plain += 1;
                            let planned = request.plan(0, 4096);
                            assert_eq!(planned, Ok(request.stages().unwrap()), "{request:?}");
                        }
                    }
                }
            }
        }
        assert!(plain >= 6, "{plain}");
    }
}
