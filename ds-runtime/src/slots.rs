//! What the runtime keeps beside each of a queue's slots: the request's file and memory, and who waits for it.
//!
//! The queue's tokens need no tables: a slot belongs to one request from enqueue to delivery, so within a request a token can
//! simply name a role, "the source", "the destination", "the file", and the operation's slot index finds the rest.

use core::alloc::Layout;
use core::mem::{ManuallyDrop, take};
use core::panic::Location as Caller;
use core::task::Waker;

use ds_core::{LeaseId, Memory, OpId, RequestId, Span};
use ds_engine::{FileRef, HostBytes, Place};
use std::alloc::alloc_zeroed;

use crate::completion::Completion;
use crate::file::File;
use crate::request::{DESTINATION, DeviceEnds, Request, SOURCE};

/// A vector of zeros, or `None` where a `vec!` would abort. Large ones come from the kernel as they are, and no page is touched.
pub(crate) fn zeroed(len: usize) -> Option<Vec<u8>> {
    if len == 0 {
        return Some(Vec::new());
    }
    let layout = Layout::array::<u8>(len).ok()?;
    // SAFETY: the layout has a size, for `len` is not 0.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        return None;
    }
    // SAFETY: a fresh allocation of `len` bytes by the global allocator, in the layout of a vector of that capacity, and every
    // byte of it a zero.
    Some(unsafe { Vec::from_raw_parts(start, len, len) })
}

/// A vector taken apart, so that nobody but the engine claims its memory while the request is in flight.
#[derive(Debug)]
pub(crate) struct OwnedBuffer {
    start: *mut u8,
    len: usize,
    capacity: usize,
}

// SAFETY: it is a `Vec<u8>` in pieces, and owns its memory alone.
unsafe impl Send for OwnedBuffer {}

impl OwnedBuffer {
    fn bytes(&self) -> HostBytes {
        // SAFETY: the pieces are a vector's, initialised up to `len`; the slot keeps them until the request has ended, and
        // touches the bytes only then.
        unsafe { HostBytes::new(self.start, self.len) }
    }

    fn into_vec(self) -> Vec<u8> {
        let pieces = ManuallyDrop::new(self);
        // SAFETY: the pieces came from a vector and go back to one, once.
        unsafe { Vec::from_raw_parts(pieces.start, pieces.len, pieces.capacity) }
    }
}

impl Default for OwnedBuffer {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<u8>> for OwnedBuffer {
    fn from(vec: Vec<u8>) -> Self {
        let mut vec = ManuallyDrop::new(vec);
        Self { start: vec.as_mut_ptr(), len: vec.len(), capacity: vec.capacity() }
    }
}

impl Drop for OwnedBuffer {
    fn drop(&mut self) {
        // SAFETY: as in `into_vec`, which forgets the pieces.
        drop(unsafe { Vec::from_raw_parts(self.start, self.len, self.capacity) });
    }
}

/// Memory a request reads or fills.
#[derive(Debug)]
pub(crate) enum Buffer {
    /// The request's own.
    Owned(OwnedBuffer),
    /// Lent by a scope that outlives the request.
    Lent(HostBytes),
}

impl Buffer {
    fn bytes(&self) -> HostBytes {
        match self {
            Self::Owned(buffer) => buffer.bytes(),
            Self::Lent(bytes) => *bytes,
        }
    }

    /// Takes the memory out, if it is the request's own.
    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Owned(buffer) => take(buffer).into_vec(),
            Self::Lent(_) => Vec::new(),
        }
    }
}

/// What to do when a request has ended.
pub(crate) enum Delivery {
    /// Put its id where [`Queue::take_completed`](crate::Queue::take_completed) finds it.
    Inbox,
    /// Keep it for the ticket that names it, and wake that.
    Ticket(Option<Waker>),
    /// Call this.
    Callback(Callback),
    /// Forget it: its ticket is gone.
    Discard,
}

/// What a program wants called with a completion.
pub(crate) type Callback = Box<dyn FnOnce(Completion) + Send>;

/// Who has an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpWorker {
    Io,
    Codec,
    Copier,
    /// The engine of the device of that number.
    Device(usize),
    Application,
}

/// Beside one slot.
pub(crate) struct Beside {
    pub(crate) id: RequestId,
    pub(crate) file: Option<File>,
    pub(crate) source: Buffer,
    pub(crate) destination: Buffer,
    /// Kept until the request has ended.
    _devices: Option<Box<DeviceEnds>>,
    pub(crate) delivery: Delivery,
    /// Who has the last operation that was no file I/O.
    pub(crate) worker: Option<(OpId, OpWorker)>,
    pub(crate) caller: &'static Caller<'static>,
}

impl Beside {
    /// What goes beside the slot of the request of that id; takes everything out of it. `lent` is where the result goes, if not
    /// into the request's own memory.
    pub(crate) fn new(
        id: RequestId,
        request: &mut Request,
        lent: Option<HostBytes>,
        delivery: Delivery,
        caller: &'static Caller<'static>,
    ) -> Self {
        Self {
            id,
            file: request.file.take(),
            source: Buffer::Owned(take(&mut request.source).into()),
            destination: lent
                .map_or_else(|| Buffer::Owned(take(&mut request.destination).into()), Buffer::Lent),
            _devices: request.devices.take(),
            delivery,
            worker: None,
            caller,
        }
    }

    /// The request's file, for a job.
    pub(crate) fn file_ref(&self) -> Option<FileRef> {
        // SAFETY: the slot keeps the file until the request has ended, which is after the outcome of every job of it.
        self.file.as_ref().map(|file| unsafe { file.lend() })
    }

    /// The memory a span names, for a job; `leased` finds that of a lease.
    pub(crate) fn place(
        &self,
        span: Span,
        leased: impl FnOnce(LeaseId) -> Option<HostBytes>,
    ) -> Option<Place> {
        let whole = match span.memory {
            Memory::Host(SOURCE) => self.source.bytes(),
            Memory::Host(DESTINATION) => self.destination.bytes(),
            Memory::Lease(lease) => leased(lease)?,
            Memory::Host(_) => return None,
            Memory::Device { device, handle } => {
                return Some(Place::Device { device, handle, offset: span.offset, len: span.len });
            }
        };
        whole.part(span.offset, span.len).map(Place::Host)
    }

    /// The completion as the program gets it.
    #[inline]
    pub(crate) fn complete(&mut self, core: ds_core::Completion) -> Completion {
        let mut buffer = self.destination.take();
        buffer.truncate(usize::try_from(core.bytes.delivered).unwrap_or(usize::MAX));
        Completion {
            id: core.id,
            tag: core.tag,
            result: core.result,
            bytes: core.bytes,
            path: core.path,
            latency: core.latency,
            times: core.times,
            buffer,
            source: self.source.take(),
        }
    }
}
