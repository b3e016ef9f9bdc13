//! A device of CUDA's: its context, its memory, its clock.

use core::ffi::{c_int, c_void};
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;

use crate::library::{Cuda, DevicePointer, Handle, check};
use crate::{Decode, Error, Nvcomp, Tile};

/// What CUDA says about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number.
    pub index: i32,
    /// Its name.
    pub name: String,
    /// Its UUID: the same as Vulkan's `deviceUUID`.
    pub uuid: [u8; 16],
}

impl DeviceInfo {
    pub(crate) fn list(cuda: &Cuda) -> Result<Vec<Self>, Error> {
        let mut count: c_int = 0;
        // SAFETY: the number is written where it may be.
        check("cuDeviceGetCount", unsafe { (cuda.device_count)(&raw mut count) })?;
        (0..count).map(|index| Self::of(cuda, index)).collect()
    }

    fn of(cuda: &Cuda, index: c_int) -> Result<Self, Error> {
        let (mut device, mut name, mut uuid) = (0, [0_u8; 256], [0; 16]);
        // SAFETY: the device is written where it may be.
        check("cuDeviceGet", unsafe { (cuda.device)(&raw mut device, index) })?;
        // SAFETY: the name is written with its end, and not beyond the length that is given.
        let named = unsafe { (cuda.device_name)(name.as_mut_ptr().cast(), name.len() as c_int, device) };
        check("cuDeviceGetName", named)?;
        // SAFETY: 16 bytes are written where they may be.
        check("cuDeviceGetUuid", unsafe { (cuda.device_uuid)(&raw mut uuid, device) })?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        Ok(Self { index, name: String::from_utf8_lossy(&name[..end]).into_owned(), uuid })
    }
}

/// A device's primary context. Released when dropped.
pub(crate) struct Context {
    cuda: Arc<Cuda>,
    device: c_int,
    raw: Handle,
}

impl Context {
    fn new(cuda: &Arc<Cuda>, index: c_int) -> Result<Self, Error> {
        let (mut device, mut raw) = (0, core::ptr::null_mut());
        // SAFETY: the device is written where it may be.
        check("cuDeviceGet", unsafe { (cuda.device)(&raw mut device, index) })?;
        // SAFETY: the context is written where it may be.
        let retained = unsafe { (cuda.context_retain)(&raw mut raw, device) };
        check("cuDevicePrimaryCtxRetain", retained)?;
        Ok(Self { cuda: Arc::clone(cuda), device, raw })
    }

    /// The driver's functions, which mean this context from here on, on this thread.
    pub(crate) fn enter(&self) -> Result<&Cuda, Error> {
        // SAFETY: the context is alive.
        check("cuCtxSetCurrent", unsafe { (self.cuda.context_use)(self.raw) })?;
        Ok(&self.cuda)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it was retained once, and what was made in it is gone: memory and events hold it.
        unsafe { (self.cuda.context_release)(self.device) };
    }
}

/// Memory of a device. Freed when dropped.
pub(crate) struct Memory {
    context: Rc<Context>,
    pub(crate) start: DevicePointer,
    len: usize,
}

impl Memory {
    /// `len` bytes, 1 at least.
    pub(crate) fn new(context: &Rc<Context>, len: usize) -> Result<Self, Error> {
        let (cuda, mut start) = (context.enter()?, 0);
        // SAFETY: the address is written where it may be.
        check("cuMemAlloc", unsafe { (cuda.allocate)(&raw mut start, len.max(1)) })?;
        Ok(Self { context: Rc::clone(context), start, len })
    }

    /// Memory that holds these.
    pub(crate) fn of<T: Word>(context: &Rc<Context>, values: &[T]) -> Result<Self, Error> {
        let memory = Self::new(context, size_of_val(values))?;
        memory.write(0, values)?;
        Ok(memory)
    }

    /// Writes at an offset.
    pub(crate) fn write<T: Word>(&self, offset: usize, values: &[T]) -> Result<(), Error> {
        let len = size_of_val(values);
        assert!(offset <= self.len && len <= self.len - offset, "whoever writes has counted");
        let (cuda, at) = (self.context.enter()?, self.start + offset as u64);
        // SAFETY: the memory is there, as has just been asserted, and the values are, every byte of them.
        check("cuMemcpyHtoD", unsafe { (cuda.to_device)(at, values.as_ptr().cast::<c_void>(), len) })
    }

    /// Reads from an offset.
    pub(crate) fn read<T: Word>(&self, offset: usize, values: &mut [T]) -> Result<(), Error> {
        let len = size_of_val(values);
        assert!(offset <= self.len && len <= self.len - offset, "whoever reads has counted");
        let (cuda, at) = (self.context.enter()?, self.start + offset as u64);
        // SAFETY: the memory is there, as has just been asserted; the values may be any bytes.
        check("cuMemcpyDtoH", unsafe { (cuda.to_host)(values.as_mut_ptr().cast::<c_void>(), at, len) })
    }

    /// Sets every byte.
    pub(crate) fn fill(&self, byte: u8) -> Result<(), Error> {
        // SAFETY: the memory is there.
        check("cuMemsetD8", unsafe { (self.context.enter()?.fill)(self.start, byte, self.len) })
    }

    /// Number of bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Ok(cuda) = self.context.enter() else { return };
        // SAFETY: it is ours, and freeing waits for what is under way on the device.
        unsafe { (cuda.free)(self.start) };
    }
}

/// What is copied as it lies in memory.
///
/// # Safety
/// Any bytes are a value, and there is no padding.
pub(crate) unsafe trait Word: Copy {}
// SAFETY: an integer.
unsafe impl Word for u8 {}
// SAFETY: an integer.
unsafe impl Word for u32 {}
// SAFETY: an integer.
unsafe impl Word for u64 {}

/// A moment on the device's clock. Destroyed when dropped.
pub(crate) struct Moment {
    context: Rc<Context>,
    raw: Handle,
}

impl Moment {
    pub(crate) fn new(context: &Rc<Context>) -> Result<Self, Error> {
        let (cuda, mut raw) = (context.enter()?, core::ptr::null_mut());
        // SAFETY: the event is written where it may be; there are no flags.
        check("cuEventCreate", unsafe { (cuda.event_new)(&raw mut raw, 0) })?;
        Ok(Self { context: Rc::clone(context), raw })
    }

    /// Makes it the moment when all that was given to the default stream is over.
    pub(crate) fn record(&self) -> Result<(), Error> {
        // SAFETY: the event is alive; null is the default stream.
        let recorded = unsafe { (self.context.enter()?.event_record)(self.raw, core::ptr::null_mut()) };
        check("cuEventRecord", recorded)
    }

    /// Waits for it.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        // SAFETY: the event is alive.
        check("cuEventSynchronize", unsafe { (self.context.enter()?.event_wait)(self.raw) })
    }

    /// The time since an earlier one; both are over.
    pub(crate) fn since(&self, earlier: &Self) -> Result<Duration, Error> {
        let (cuda, mut milliseconds) = (self.context.enter()?, 0.0);
        // SAFETY: both events are alive, and the time is written where it may be.
        let asked = unsafe { (cuda.event_elapsed)(&raw mut milliseconds, earlier.raw, self.raw) };
        check("cuEventElapsedTime", asked)?;
        Ok(Duration::from_secs_f64(f64::from(milliseconds.max(0.0)) / 1e3))
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        let Ok(cuda) = self.context.enter() else { return };
        // SAFETY: it is ours.
        unsafe { (cuda.event_free)(self.raw) };
    }
}

/// A device, and nvCOMP on it. For one thread.
pub struct Device {
    pub(crate) nvcomp: Nvcomp,
    pub(crate) context: Rc<Context>,
    info: DeviceInfo,
}

impl Device {
    pub(crate) fn new(nvcomp: &Nvcomp, info: DeviceInfo) -> Result<Self, Error> {
        let context = Rc::new(Context::new(&nvcomp.cuda, info.index)?);
        Ok(Self { nvcomp: nvcomp.clone(), context, info })
    }

    /// What CUDA says about it.
    #[must_use]
    pub const fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Prepares to decode tiles of `packed` into an output of so many bytes: all in one call, as often as is wanted.
    ///
    /// # Errors
    /// [`Error::Tile`]: a tile elsewhere, or not aligned as nvCOMP wants it; or a call that failed.
    pub fn decode(&self, packed: &[u8], output: usize, tiles: &[Tile]) -> Result<Decode, Error> {
        Decode::new(self, packed, output, tiles)
    }
}
