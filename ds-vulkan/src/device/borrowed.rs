//! The application's instance and device.

use core::fmt;
use std::sync::Arc;

use ash::vk;

use super::exits;
use super::info::{Features, inspect};
use super::messages::Messages;
use super::queues::{MOST_COMPUTE, Queue, QueueLock, Queues};
use super::{Parts, PipelineCache};
use crate::error::OpenError;

/// An application's handles, lent to [`Device::borrow`](crate::Device::borrow).
///
/// ```
/// use ds_vulkan::{BorrowedDevice, BorrowedFeatures, vk};
///
/// # let (instance, physical, device) = (vk::Instance::null(), vk::PhysicalDevice::null(), vk::Device::null());
/// # let (graphics, uploads) = (vk::Queue::null(), vk::Queue::null());
/// let handles = BorrowedDevice::new(instance, physical, device, vk::API_VERSION_1_3, (graphics, 0))
///     .transfer((uploads, 1))
///     .features(BorrowedFeatures::default().subgroup_size_control(true));
/// # assert_eq!((handles.compute.1, handles.transfer.1, handles.features.host_import), (0, 1, false));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct BorrowedDevice {
    /// Its instance.
    pub instance: vk::Instance,
    /// The physical device.
    pub physical: vk::PhysicalDevice,
    /// The device made of that.
    pub device: vk::Device,
    /// The version of Vulkan the instance was made for, such as [`vk::API_VERSION_1_3`]; 1.2 at least. From 1.3 on
    /// `synchronization2` is taken from the core, before from the extension, which the device must then have been made with.
    pub api_version: u32,
    /// A queue that computes, and its family.
    pub compute: (vk::Queue, u32),
    /// Further queues of that family which compute, if there are any to lend: a submission goes to the one that has the fewest. The
    /// first three are used.
    pub more_compute: Vec<vk::Queue>,
    /// A queue for uploads, and its family; may be the same one.
    pub transfer: (vk::Queue, u32),
    /// Who may use the queues now. Without one, nobody but this device does.
    pub queue_lock: Option<Arc<dyn QueueLock>>,
    /// What the device was made with beyond what is required. The sizes of subgroups are asked of the device.
    pub features: BorrowedFeatures,
    /// Where compiled pipelines are kept.
    pub pipeline_cache: PipelineCache,
}

/// What a borrowed device was made with, beyond what is required: the driver cannot be asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BorrowedFeatures {
    /// `VK_EXT_external_memory_host`.
    pub host_import: bool,
    /// `subgroupSizeControl` and `computeFullSubgroups`.
    pub subgroup_size_control: bool,
    /// `vulkanMemoryModel` and `vulkanMemoryModelDeviceScope`.
    pub memory_model: bool,
    /// `scalarBlockLayout`.
    pub scalar_layout: bool,
    /// `VK_NV_memory_decompression`.
    pub nv_memory_decompression: bool,
}

impl BorrowedDevice {
    /// These handles, with one queue for everything, `compute` of that family, which nobody else uses; made with no more than is
    /// required. Compiled pipelines are kept as those of a device of our own.
    #[must_use]
    pub fn new(
        instance: vk::Instance,
        physical: vk::PhysicalDevice,
        device: vk::Device,
        api_version: u32,
        compute: (vk::Queue, u32),
    ) -> Self {
        Self {
            instance,
            physical,
            device,
            api_version,
            compute,
            more_compute: Vec::new(),
            transfer: compute,
            queue_lock: None,
            features: BorrowedFeatures::default(),
            pipeline_cache: PipelineCache::default(),
        }
    }

    /// Sets [`more_compute`](Self#structfield.more_compute).
    #[must_use]
    pub fn more_compute(mut self, queues: impl IntoIterator<Item = vk::Queue>) -> Self {
        self.more_compute = queues.into_iter().collect();
        self
    }

    /// Sets [`transfer`](Self#structfield.transfer).
    #[must_use]
    pub const fn transfer(mut self, queue: (vk::Queue, u32)) -> Self {
        self.transfer = queue;
        self
    }

    /// Sets [`queue_lock`](Self#structfield.queue_lock).
    #[must_use]
    pub fn queue_lock(mut self, lock: Arc<dyn QueueLock>) -> Self {
        self.queue_lock = Some(lock);
        self
    }

    /// Sets [`features`](Self#structfield.features).
    #[must_use]
    pub const fn features(mut self, features: BorrowedFeatures) -> Self {
        self.features = features;
        self
    }

    /// Sets [`pipeline_cache`](Self#structfield.pipeline_cache).
    #[must_use]
    pub fn pipeline_cache(mut self, cache: PipelineCache) -> Self {
        self.pipeline_cache = cache;
        self
    }
}

impl BorrowedFeatures {
    /// Sets [`host_import`](Self#structfield.host_import).
    #[must_use]
    pub const fn host_import(mut self, on: bool) -> Self {
        self.host_import = on;
        self
    }

    /// Sets [`subgroup_size_control`](Self#structfield.subgroup_size_control).
    #[must_use]
    pub const fn subgroup_size_control(mut self, on: bool) -> Self {
        self.subgroup_size_control = on;
        self
    }

    /// Sets [`memory_model`](Self#structfield.memory_model).
    #[must_use]
    pub const fn memory_model(mut self, on: bool) -> Self {
        self.memory_model = on;
        self
    }

    /// Sets [`scalar_layout`](Self#structfield.scalar_layout).
    #[must_use]
    pub const fn scalar_layout(mut self, on: bool) -> Self {
        self.scalar_layout = on;
        self
    }

    /// Sets [`nv_memory_decompression`](Self#structfield.nv_memory_decompression).
    #[must_use]
    pub const fn nv_memory_decompression(mut self, on: bool) -> Self {
        self.nv_memory_decompression = on;
        self
    }

    /// Of what the device can do, what it was made with.
    fn limit(self, can: Features) -> Features {
        let control = can.subgroup_size_control && self.subgroup_size_control;
        Features {
            subgroup_size_control: control,
            subgroup_sizes: if control { can.subgroup_sizes } else { (can.subgroup_size, can.subgroup_size) },
            host_import: can.host_import.filter(|_| self.host_import),
            memory_model: can.memory_model && self.memory_model,
            scalar_layout: can.scalar_layout && self.scalar_layout,
            nv_memory_decompression: can.nv_memory_decompression && self.nv_memory_decompression,
            ..can
        }
    }
}

/// # Safety
/// As [`Device::borrow`](crate::Device::borrow).
pub(super) unsafe fn parts(handles: BorrowedDevice) -> Result<Parts, OpenError> {
    exits::note();
    // SAFETY: loading the loader runs its initialisers: code that the application has run already.
    let entry = unsafe { ash::Entry::load() };
    let entry = entry.map_err(|error| OpenError::NoLoader(error.to_string()))?;
    // SAFETY: the caller vouches for the handle.
    let instance = unsafe { ash::Instance::load(entry.static_fn(), handles.instance) };
    // SAFETY: the caller vouches for the handle, which was made of this instance.
    let raw = unsafe { ash::Device::load(instance.fp_v1_0(), handles.device) };
    let mut info = inspect(&instance, handles.physical, 0)?;
    let lent = handles.api_version;
    let version = (vk::api_version_major(lent), vk::api_version_minor(lent), vk::api_version_patch(lent));
    if version < (1, 2, 0) {
        info.lacks.push("an instance for Vulkan 1.2");
    }
    if !info.lacks.is_empty() {
        return Err(OpenError::Unsuitable { device: info.name, lacks: info.lacks });
    }
    info.features = handles.features.limit(info.features);
    info.features.transfer_queue = handles.transfer.1 != handles.compute.1;
    let queue = |(raw, family)| match &handles.queue_lock {
        Some(lock) => Queue::with_lock(raw, family, Arc::clone(lock)),
        None => Queue::own(raw, family),
    };
    let mut compute = vec![queue(handles.compute)];
    for raw in handles.more_compute {
        // One queue is one, and has one lock.
        if compute.len() < MOST_COMPUTE && compute.iter().all(|known| known.raw != raw) {
            compute.push(queue((raw, handles.compute.1)));
        }
    }
    info.features.compute_queues = compute.len() as u32;
    let shared = compute.iter().find(|known| known.raw == handles.transfer.0).cloned();
    let transfer = shared.unwrap_or_else(|| queue(handles.transfer));
    Ok(Parts {
        entry,
        instance,
        physical: handles.physical,
        raw,
        decompression: info.features.nv_memory_decompression,
        core_sync2: info.api >= (1, 3, 0) && version >= (1, 3, 0),
        info,
        queues: Queues { compute, transfer },
        owned: None,
        messages: Messages::default(),
        cache: handles.pipeline_cache,
    })
}

impl fmt::Debug for BorrowedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowedDevice")
            .field("instance", &self.instance)
            .field("physical", &self.physical)
            .field("device", &self.device)
            .field("compute", &self.compute)
            .field("more_compute", &self.more_compute)
            .field("transfer", &self.transfer)
            .field("features", &self.features)
            .finish_non_exhaustive()
    }
}
