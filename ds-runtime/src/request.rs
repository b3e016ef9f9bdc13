//! Requests that own what they need.

use core::time::Duration;
use std::fmt;

use ds_core::{BufferId, Error, ErrorKind, FileId, Location, Misuse, Operation, RequestId, Transform};
use ds_engine::DeviceRange;

use crate::file::File;
use crate::slots::zeroed;

/// Within one request the queue's tokens name roles: see `slots`.
pub(crate) const SOURCE: BufferId = BufferId(0);
pub(crate) const DESTINATION: BufferId = BufferId(1);
pub(crate) const THE_FILE: FileId = FileId(0);

/// What a program asks for, with the file and the buffers it needs. Buffers move in when the request is made and come back
/// in its [`Completion`](crate::Completion).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ds_runtime::{File, Request};
/// let file = File::open("Cargo.toml")?;
/// let request = Request::read(&file, 0, 64).tag(7).into_buffer(Vec::with_capacity(64));
/// # drop(request); Ok(()) }
/// ```
#[derive(Debug)]
pub struct Request {
    pub(crate) core: ds_core::Request,
    pub(crate) file: Option<File>,
    pub(crate) source: Vec<u8>,
    pub(crate) destination: Vec<u8>,
    /// Device memory that it reads and fills; boxed, for it is rare, and every request is moved a few times.
    pub(crate) devices: Option<Box<DeviceEnds>>,
    pub(crate) timeout: Option<Duration>,
}

impl Request {
    fn new(core: ds_core::Request, file: Option<File>, source: Vec<u8>) -> Self {
        Self { core, file, source, destination: Vec::new(), devices: None, timeout: None }
    }

    /// Reads `len` bytes of `file` from `offset`.
    #[must_use]
    pub fn read(file: &File, offset: u64, len: u64) -> Self {
        let source = Location::File { file: THE_FILE, offset, len };
        let destination = Location::Host { buffer: DESTINATION, offset: 0, len };
        Self::new(ds_core::Request::read(source, destination), Some(file.clone()), Vec::new())
    }

    /// Brings bytes from memory to memory: with a transform, decodes what is in memory already.
    #[must_use]
    pub fn from_memory(source: Vec<u8>) -> Self {
        let len = source.len() as u64;
        let from = Location::Host { buffer: SOURCE, offset: 0, len };
        let into = Location::Host { buffer: DESTINATION, offset: 0, len };
        Self::new(ds_core::Request::read(from, into), None, source)
    }

    /// Writes all of `bytes` to `file` at `offset`. The bytes come back in the completion.
    #[must_use]
    pub fn write(file: &File, offset: u64, bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        let source = Location::Host { buffer: SOURCE, offset: 0, len };
        let destination = Location::File { file: THE_FILE, offset, len };
        Self::new(ds_core::Request::write(source, destination), Some(file.clone()), bytes)
    }

    /// Brings bytes from a device's memory to host memory, or, with [`into_device`](Self::into_device), to a device's; with a
    /// transform, decodes what is there already.
    #[must_use]
    pub fn from_device(source: impl Into<DeviceRange>) -> Self {
        let source = source.into();
        let into = Location::Host { buffer: DESTINATION, offset: 0, len: source.len() };
        let mut request = Self::new(ds_core::Request::read(source.location(), into), None, Vec::new());
        request.device_ends().source = Some(source);
        request
    }

    /// Writes what a device's memory holds to `file` at `offset`.
    #[must_use]
    pub fn write_from_device(file: &File, offset: u64, source: impl Into<DeviceRange>) -> Self {
        let source = source.into();
        let into = Location::File { file: THE_FILE, offset, len: source.len() };
        let core = ds_core::Request::write(source.location(), into);
        let mut request = Self::new(core, Some(file.clone()), Vec::new());
        request.device_ends().source = Some(source);
        request
    }

    /// Makes everything written to `file` durable (`fsync`).
    #[must_use]
    pub fn sync(file: &File) -> Self {
        Self::new(ds_core::Request::sync(THE_FILE, false), Some(file.clone()), Vec::new())
    }

    /// Makes the data written to `file` durable, without metadata that reading it back does not need (`fdatasync`).
    #[must_use]
    pub fn sync_data(file: &File) -> Self {
        Self::new(ds_core::Request::sync(THE_FILE, true), Some(file.clone()), Vec::new())
    }

    fn device_ends(&mut self) -> &mut DeviceEnds {
        self.devices.get_or_insert_default()
    }

    fn transform(mut self, transform: Transform, uncompressed_size: u64) -> Self {
        self.core.transform = transform;
        self.core.uncompressed_size = uncompressed_size;
        if let Location::Host { len, .. } = &mut self.core.destination {
            *len = uncompressed_size;
        }
        self
    }

    /// The source is a GDeflate tile stream that makes `uncompressed_size` bytes.
    #[must_use]
    pub fn gdeflate(self, uncompressed_size: u64) -> Self {
        self.transform(Transform::GDeflate, uncompressed_size)
    }

    /// The source is in the application's own format `number`, and makes `uncompressed_size` bytes. A decoder registered with
    /// [`Builder::decoder`](crate::Builder::decoder) decodes it; without one the application fetches it with
    /// [`Queue::take_custom`](crate::Queue::take_custom).
    #[must_use]
    pub fn custom(self, number: u8, uncompressed_size: u64) -> Self {
        self.transform(Transform::Custom(number), uncompressed_size)
    }

    /// ASCII letters become upper case: a transform one can see, for demonstrations.
    #[must_use]
    pub fn uppercase(self) -> Self {
        let len = self.core.source.len();
        self.transform(Transform::FakeUppercase, len)
    }

    /// Puts the result into this buffer, which is resized to fit: with enough capacity nothing is allocated, with the right
    /// length nothing is even touched.
    #[must_use]
    pub fn into_buffer(mut self, buffer: Vec<u8>) -> Self {
        self.destination = buffer;
        self
    }

    /// Puts the result into a device's memory, as long as the result will be; the completion's buffer is then empty. The memory is
    /// kept until the request has ended.
    ///
    /// The runtime must have an engine for the device: see [`Builder::device_engine`](crate::Builder::device_engine).
    #[must_use]
    pub fn into_device(mut self, destination: impl Into<DeviceRange>) -> Self {
        let destination = destination.into();
        self.core.destination = destination.location();
        self.device_ends().destination = Some(destination);
        self
    }

    /// A number of the program's own: it comes back in the completion, and requests can be cancelled by it.
    #[must_use]
    pub const fn tag(mut self, tag: u64) -> Self {
        self.core.tag = tag;
        self
    }

    /// Fails with [`ErrorKind::TimedOut`] if it is not done that long after it was enqueued.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Begins only when that earlier request of the same queue has ended; is cancelled if that one failed or was.
    #[must_use]
    pub const fn after(mut self, earlier: RequestId) -> Self {
        self.core.after = Some(earlier);
        self
    }

    /// A raw read that meets the end of the file succeeds with the bytes there were.
    #[must_use]
    pub const fn allow_short(mut self) -> Self {
        self.core.allow_short = true;
        self
    }

    /// The bytes it was to write, or to read from memory.
    #[must_use]
    pub fn into_source(self) -> Vec<u8> {
        self.source
    }

    /// Checks what the queue cannot know: whether the file was opened for this and has positions, and device memory is as large.
    pub(crate) fn check_access(&self) -> Result<(), Error> {
        self.devices.as_ref().map_or(Ok(()), |ends| ends.check())?;
        let (made, room) = (self.core.uncompressed_size, self.core.destination.len());
        if self.core.transform != Transform::None && made != room {
            return Err(Misuse::UncompressedSize { expected: room, actual: made }.into());
        }
        if let Some(file) = &self.file {
            let allowed = match self.core.operation {
                Operation::Read => file.is_readable(),
                Operation::Write => file.is_writable(),
                Operation::Fsync | Operation::Fdatasync => true,
            };
            if !allowed {
                return Err(Misuse::AccessMode.into());
            }
            let moves_bytes = matches!(self.core.operation, Operation::Read | Operation::Write);
            if moves_bytes && !file.has_positions() {
                return Err(Misuse::NoPositions.into());
            }
            if let Location::File { offset, len, .. } = self.core.destination
                && let Some(alignment) = file.splits_blocks(offset, len)
            {
                return Err(Misuse::Unaligned { offset, len, alignment }.into());
            }
        }
        Ok(())
    }

    /// Whether the destination buffer is not as long as the result will be.
    pub(crate) fn lacks_memory(&self) -> bool {
        matches!(self.core.destination, Location::Host { buffer: DESTINATION, len, .. } if self.destination.len() as u64 != len)
    }

    /// Makes the destination buffer as long as the result will be.
    pub(crate) fn prepare(&mut self) -> Result<(), Error> {
        if let Location::Host { buffer: DESTINATION, len, .. } = self.core.destination {
            // A size from a hostile file must not abort the program.
            let no_memory = || Error::new(ErrorKind::OutOfMemory);
            let wanted = usize::try_from(len).map_err(|_| no_memory())?;
            if self.destination.capacity() == 0 {
                self.destination = zeroed(wanted).ok_or_else(no_memory)?;
            } else {
                let missing = wanted.saturating_sub(self.destination.len());
                self.destination.try_reserve_exact(missing).map_err(|_| no_memory())?;
                self.destination.resize(wanted, 0);
            }
        }
        Ok(())
    }
}

/// Ends of a request that are device memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceEnds {
    source: Option<DeviceRange>,
    destination: Option<DeviceRange>,
}

impl DeviceEnds {
    fn check(&self) -> Result<(), Misuse> {
        [&self.source, &self.destination].into_iter().flatten().try_for_each(DeviceRange::check)
    }
}

/// A request the queue did not take. Nothing is lost: the request, with its buffers, is inside.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub error: Error,
    /// The request. Its destination may have been resized already.
    pub request: Box<Request>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Rejected {}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}
