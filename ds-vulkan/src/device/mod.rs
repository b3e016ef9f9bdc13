//! Devices: chosen and made here, or borrowed from the application.
//!
//! 1. `choice`: which one; `info`: what it is and can do;
//! 2. `instance` and `owned`: making a device; `borrowed`: using the application's;
//! 3. `exits`: no thread ends while a device does;
//! 4. `queues`: which queues, and who may use them now;
//! 5. `timeline`: semaphores, which live as long as the device;
//! 6. `interrupts`: which processors it interrupts;
//! 7. `messages`: what the validation layer says.

pub(crate) mod borrowed;
pub(crate) mod choice;
mod exits;
#[cfg(any(test, feature = "__faults"))]
#[doc(hidden)]
pub mod faults;
pub(crate) mod info;
mod instance;
pub(crate) mod interrupts;
pub(crate) mod messages;
mod owned;
pub(crate) mod queues;
#[cfg(any(test, feature = "__faults"))]
#[doc(hidden)]
pub mod testing;
pub(crate) mod timeline;

use core::fmt;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::path::PathBuf;
use std::sync::Arc;

use ash::vk;
use ds_core::DeviceId;

use self::borrowed::{BorrowedDevice, BorrowedFeatures};
use self::choice::DeviceChoice;
use self::info::DeviceInfo;
use self::instance::Instance;
use self::messages::{Messages, Messenger};
use self::queues::{Locks, Queues};
use self::timeline::Semaphores;
use crate::error::{CallError, OpenError};
use crate::memory::registry::Registry;
use crate::memory::types::MemoryTypes;
use crate::pipeline::Pipelines;

/// Where compiled pipelines are kept between runs of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipelineCache {
    /// In `ds-runtime` in the user's cache folder (`$XDG_CACHE_HOME`, or `~/.cache`).
    #[default]
    User,
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere.
    Off,
}

/// Which device to open, and how.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    choice: DeviceChoice,
    validation: bool,
    cache: PipelineCache,
    driver_decompression: bool,
    compute_queues: Option<NonZeroUsize>,
}

impl DeviceOptions {
    /// Which device; the best one unless told.
    #[must_use]
    pub fn choice(mut self, choice: DeviceChoice) -> Self {
        self.choice = choice;
        self
    }

    /// Has the validation layer look over our shoulder, synchronisation included; [`Device::messages`] has what it says. For
    /// tests: it is slow.
    #[must_use]
    pub const fn validation(mut self, validation: bool) -> Self {
        self.validation = validation;
        self
    }

    /// Switches the driver's own decompression on (`VK_NV_memory_decompression`), for engines that are set up to use it: see
    /// [`DecoderPath::Trusted`](crate::DecoderPath::Trusted), and why not to. A device without it is then refused as
    /// [`OpenError::Unsuitable`].
    #[must_use]
    pub const fn driver_decompression(mut self, driver_decompression: bool) -> Self {
        self.driver_decompression = driver_decompression;
        self
    }

    /// The most queues to compute on at once: 2 unless told where the device has a queue for transfers beside them, 1 where it has
    /// none; 4 at most, and never more than the device has of one kind. What is submitted to one need not wait for what another has,
    /// if the device does the work of several at once: an H200 begins with one dispatch while the last tiles of another are decoded.
    #[must_use]
    pub const fn compute_queues(mut self, most: NonZeroUsize) -> Self {
        self.compute_queues = Some(most);
        self
    }

    /// Where compiled pipelines are kept.
    #[must_use]
    pub fn pipeline_cache(mut self, cache: PipelineCache) -> Self {
        self.cache = cache;
        self
    }
}

/// A Vulkan device. Cloning it is cheap; the device goes with the last clone, and with everything made of it.
///
/// ```no_run
/// use ds_vulkan::{Device, DeviceOptions, GpuBuffer};
///
/// let device = Device::open(&DeviceOptions::default())?;
/// println!("{}", device.info().name);
/// let texture = GpuBuffer::new(&device, 16 << 20)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Device {
    pub(crate) inner: Arc<Inner>,
}

/// The functions of `synchronization2`, as the core or as the extension has them.
pub(crate) enum Sync2 {
    Core,
    Extension(ash::khr::synchronization2::Device),
}

pub(crate) struct Inner {
    pub(crate) id: DeviceId,
    pub(crate) info: DeviceInfo,
    raw: ash::Device,
    pub(crate) sync2: Sync2,
    pub(crate) host_import: Option<ash::ext::external_memory_host::Device>,
    /// The driver's own decompression, if it is switched on.
    pub(crate) decompression: Option<ash::nv::memory_decompression::Device>,
    pub(crate) queues: Queues,
    pub(crate) memory: MemoryTypes,
    pub(crate) limits: vk::PhysicalDeviceLimits,
    pub(crate) pipelines: Pipelines,
    pub(crate) buffers: Registry,
    semaphores: Semaphores,
    lost: AtomicBool,
    messages: Messages,
    /// What is destroyed with the device, if it is ours.
    owned: Option<Owned>,
    physical: vk::PhysicalDevice,
    instance: ash::Instance,
    /// Keeps the loader in memory.
    _entry: ash::Entry,
}

/// What a device of our own has beside it.
struct Owned {
    messenger: Option<Messenger>,
    instance: Instance,
}

/// What a device is put together from.
struct Parts {
    entry: ash::Entry,
    instance: ash::Instance,
    physical: vk::PhysicalDevice,
    raw: ash::Device,
    info: DeviceInfo,
    queues: Queues,
    /// Whether `synchronization2` is part of the Vulkan version in use.
    core_sync2: bool,
    /// Whether the driver's own decompression is switched on.
    decompression: bool,
    owned: Option<Owned>,
    messages: Messages,
    cache: PipelineCache,
}

static DEVICES: AtomicU32 = AtomicU32::new(1);

impl Device {
    /// Opens a device.
    ///
    /// # Errors
    /// [`OpenError`]: no loader, no device, none that was meant, or one that lacks what is required.
    pub fn open(options: &DeviceOptions) -> Result<Self, OpenError> {
        Self::assemble(owned::open(options)?)
    }

    /// Uses a device of the application's, and destroys nothing of it.
    ///
    /// # Safety
    /// * The handles are what they are said to be, and outlive this device, its clones and everything made of it.
    /// * The device was created with the features that [`DeviceInfo::lacks`] speaks of where a device has them:
    ///   `bufferDeviceAddress`, `timelineSemaphore`, `synchronization2`, `shaderInt64`, `shaderInt16`, `shaderInt8`, `storageBuffer16BitAccess`, `storageBuffer8BitAccess`.
    ///   What a borrowed device has beyond that is told by [`BorrowedDevice::features`].
    /// * Whoever else submits to these queues holds the lock that `queue_lock` takes; without one, nobody else submits to them.
    ///
    /// # Errors
    /// [`OpenError`], as [`open`](Self::open).
    pub unsafe fn borrow(handles: BorrowedDevice) -> Result<Self, OpenError> {
        // SAFETY: the caller's promise is the one asked for.
        let parts = unsafe { borrowed::parts(handles) }?;
        Self::assemble(parts)
    }

    /// The devices of this machine, those that cannot be used as well.
    ///
    /// # Errors
    /// [`OpenError::NoLoader`], [`OpenError::NoDevice`], or what the driver says.
    pub fn list() -> Result<Vec<DeviceInfo>, OpenError> {
        owned::list()
    }

    fn assemble(parts: Parts) -> Result<Self, OpenError> {
        let Parts {
            entry,
            instance,
            physical,
            raw,
            info,
            queues,
            core_sync2,
            decompression,
            owned,
            messages,
            cache,
        } = parts;
        let sync2 = if core_sync2 {
            Sync2::Core
        } else {
            Sync2::Extension(ash::khr::synchronization2::Device::new(&instance, &raw))
        };
        let host_import =
            info.features.host_import.map(|_| ash::ext::external_memory_host::Device::new(&instance, &raw));
        let decompression =
            decompression.then(|| ash::nv::memory_decompression::Device::new(&instance, &raw));
        // SAFETY: the handle was given by this instance, which is alive.
        let properties = unsafe { instance.get_physical_device_properties(physical) };
        // SAFETY: as above.
        let memory = unsafe { instance.get_physical_device_memory_properties(physical) };
        let mut inner = Inner {
            id: DeviceId(DEVICES.fetch_add(1, Ordering::Relaxed)),
            memory: MemoryTypes::of(&memory),
            limits: properties.limits,
            pipelines: Pipelines::default(),
            buffers: Registry::default(),
            semaphores: Semaphores::default(),
            lost: AtomicBool::new(false),
            info,
            raw,
            sync2,
            host_import,
            decompression,
            queues,
            messages,
            owned,
            physical,
            instance,
            _entry: entry,
        };
        // Whatever fails from here on, dropping `inner` puts away what is ours.
        let pipelines = Pipelines::new(inner.raw(), &properties, &cache);
        inner.pipelines = pipelines?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it is and can do.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        &self.inner.info
    }

    /// Keeps the calling thread off the processors that the device [interrupts](DeviceInfo::interrupted_processors) now, off the most
    /// frequent first, as long as four others are left to it. Returns whether it is kept off that one; `false` where nothing is known of
    /// interrupts.
    ///
    /// The end of every submission interrupts a processor, and holds up what runs there: 30 microseconds were measured. The engine's own
    /// threads see to this by themselves, for a thread that waits for small requests it is worth it too. It lasts, is inherited by
    /// threads that are made by this one, and counts in `std::thread::available_parallelism`: so not for one that makes runtimes later.
    pub fn avoid_interrupts(&self) -> bool {
        interrupts::keep_off(&self.inner.info.interrupted_processors(), interrupts::LEAST)
    }

    /// What requests call it.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        self.inner.id
    }

    /// What the validation layer has said about it; nothing unless it was asked to look.
    #[must_use]
    pub fn messages(&self) -> &Messages {
        &self.inner.messages
    }

    /// Whether it is gone: a driver has given up on it, and nothing works on it any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.inner.lost.load(Ordering::Acquire)
    }

    /// Makes as if the driver had given up on the device.
    #[cfg(any(test, feature = "__faults"))]
    pub fn lose(&self) {
        self.inner.lose();
    }

    /// Its handles, for an application that uses it as well: whoever submits to its queues does so under the lock that comes with
    /// them. They are good as long as this device, or a clone of it, is there.
    #[must_use]
    pub fn lend(&self) -> BorrowedDevice {
        let inner = &self.inner;
        let (compute, transfer) = (inner.queues.main(), &inner.queues.transfer);
        let features = inner.info.features;
        // From 1.3 on a device of ours has `synchronization2` from the core; a borrowed one as it was lent.
        let core_sync2 = matches!(inner.sync2, Sync2::Core);
        BorrowedDevice {
            instance: inner.instance.handle(),
            physical: inner.physical,
            device: inner.raw().handle(),
            api_version: if core_sync2 { vk::API_VERSION_1_3 } else { vk::API_VERSION_1_2 },
            compute: (compute.raw, compute.family),
            more_compute: inner.queues.compute[1..].iter().map(|queue| queue.raw).collect(),
            transfer: (transfer.raw, transfer.family),
            queue_lock: Some(Arc::new(Locks(inner.queues.all().cloned().collect()))),
            features: BorrowedFeatures {
                host_import: features.host_import.is_some(),
                subgroup_size_control: features.subgroup_size_control,
                memory_model: features.memory_model,
                scalar_layout: features.scalar_layout,
                nv_memory_decompression: inner.decompression.is_some(),
            },
            pipeline_cache: PipelineCache::Off,
        }
    }
}

impl Inner {
    /// The device, for a thread that is about to call it.
    pub(crate) fn raw(&self) -> &ash::Device {
        exits::note();
        &self.raw
    }

    /// Bits of the clock that queues of a family have; 0 if they have none.
    pub(crate) fn timestamp_bits(&self, family: u32) -> u32 {
        // SAFETY: the handle was given by this instance, which is alive.
        let families = unsafe { self.instance.get_physical_device_queue_family_properties(self.physical) };
        families.get(family as usize).map_or(0, |family| family.timestamp_valid_bits)
    }

    /// The device is gone, or of no more use: nothing is given to it any more.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// Sees whether a call found the device gone.
    pub(crate) fn note<T>(&self, what: &'static str, result: Result<T, vk::Result>) -> Result<T, CallError> {
        if result.as_ref().err() == Some(&vk::Result::ERROR_DEVICE_LOST) {
            self.lose();
        }
        result.map_err(CallError::of(what))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        exits::note();
        if self.owned.is_some() {
            for queue in self.queues.all() {
                // All is over, but the driver's own threads may be not yet through with telling so: see `timeline`.
                // SAFETY: nobody has the queue any more: whoever it was lent to is through with it.
                let _ = unsafe { self.raw.queue_wait_idle(queue.raw) };
            }
        }
        self.pipelines.destroy(&self.raw);
        self.semaphores.destroy(&self.raw);
        let Some(Owned { messenger, instance }) = self.owned.take() else { return };
        // SAFETY: whatever was made of the device held it, and is gone; engines wait for their work before they end.
        exits::while_none_ends(|| unsafe { self.raw.destroy_device(None) });
        drop(messenger);
        drop(instance);
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("id", &self.inner.id)
            .field("info", &self.inner.info)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.inner.id == other.inner.id
    }
}

impl Eq for Device {}
