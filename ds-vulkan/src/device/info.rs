//! What a device is and what it can do.

use core::ffi::CStr;
use core::fmt;

use ash::vk;

use super::interrupts::{self, PciAddress};
use crate::error::CallError;
use crate::gdeflate::LANES;
use crate::memory::types::{MemoryTypes, Purpose};

/// What a device is, and what of it this crate can use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Its number, as the loader counts devices; 0 for a borrowed one.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What kind of hardware it is.
    pub kind: DeviceKind,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// The driver, by its name and what it says about itself.
    pub driver: String,
    /// The version of Vulkan it offers: major, minor, patch.
    pub api: (u32, u32, u32),
    /// Where it is on the PCI bus, if it is there and the driver says so (`VK_EXT_pci_bus_info`).
    pub pci: Option<PciAddress>,
    /// What it can do beyond what is required.
    pub features: Features,
    /// What it lacks of what is required; empty if it can be used.
    pub lacks: Vec<&'static str>,
}

/// What kind of hardware a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceKind {
    /// A card with memory of its own.
    Discrete,
    /// A part of the processor, with the processor's memory.
    Integrated,
    /// A device that a hypervisor shows.
    Virtual,
    /// No device: the processor computes.
    Software,
    /// Something else.
    Other,
}

impl DeviceKind {
    /// Whether its memory is the processor's: then bytes gain nothing by going from one to the other.
    #[must_use]
    pub const fn shares_memory(self) -> bool {
        matches!(self, Self::Software | Self::Integrated)
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Software => "software",
            Self::Other => "other",
        })
    }
}

/// What a device can do beyond what is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Invocations in a subgroup, unless a shader asks for another number.
    pub subgroup_size: u32,
    /// Fewest and most of them that a shader can ask for; both are `subgroup_size` where it cannot ask.
    pub subgroup_sizes: (u32, u32),
    /// Whether compute shaders may say how many they want, and that all be there.
    pub subgroup_size_control: bool,
    /// What host memory must be aligned to, in bytes, for the device to use it where it lies; `None` if it cannot.
    pub host_import: Option<u64>,
    /// The Vulkan memory model, with the scope of the device.
    pub memory_model: bool,
    /// Structures without padding to 16 bytes.
    pub scalar_layout: bool,
    /// Queues that compute, of the family that is used; of a borrowed device, those that are.
    pub compute_queues: u32,
    /// Whether an own queue for transfers exists, beside the one that computes.
    pub transfer_queue: bool,
    /// Whether the processor can write into the device's own memory ("resizable BAR", or one memory for both).
    pub memory_window: bool,
    /// Whether the driver's own decompression (`VK_NV_memory_decompression`, of GDeflate) is there. Not used unless asked for: it
    /// reports no errors.
    pub nv_memory_decompression: bool,
}

impl Features {
    /// Whether subgroups can have as many lanes as a tile of GDeflate: then they take the faster way through the shader, by
    /// [`DecoderPath::Auto`](crate::DecoderPath::Auto).
    #[must_use]
    pub const fn has_lanes(&self) -> bool {
        let (least, most) = self.subgroup_sizes;
        least <= LANES && LANES <= most
    }
}

/// What is asked of the driver about a device, in one go.
pub(crate) fn inspect(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
    index: usize,
) -> Result<DeviceInfo, CallError> {
    // SAFETY: the handle was given by this instance, which is alive.
    let extensions = unsafe { instance.enumerate_device_extension_properties(physical) };
    let extensions = extensions.map_err(CallError::of("listing a device's extensions"))?;
    let has = |wanted: &CStr| extensions.iter().any(|found| found.extension_name_as_c_str() == Ok(wanted));

    // SAFETY: as above.
    let basic = unsafe { instance.get_physical_device_properties(physical) };
    let name = basic.device_name_as_c_str().unwrap_or_default().to_string_lossy().into_owned();
    let version = basic.api_version;
    let api =
        (vk::api_version_major(version), vk::api_version_minor(version), vk::api_version_patch(version));
    let mut info = DeviceInfo {
        index,
        name,
        kind: kind(basic.device_type),
        uuid: [0; 16],
        driver: String::new(),
        api,
        pci: None,
        features: Features::default(),
        lacks: Vec::new(),
    };
    if version < vk::API_VERSION_1_2 {
        info.lacks.push("Vulkan 1.2");
        // What follows may not even be asked.
        return Ok(info);
    }
    let is_1_3 = version >= vk::API_VERSION_1_3;
    let has_host_import = has(ash::ext::external_memory_host::NAME);
    let has_size_control = is_1_3 || has(ash::ext::subgroup_size_control::NAME);
    let has_sync2 = is_1_3 || has(ash::khr::synchronization2::NAME);
    let has_decompression = has(ash::nv::memory_decompression::NAME);
    let has_pci = has(ash::ext::pci_bus_info::NAME);

    let mut v11 = vk::PhysicalDeviceVulkan11Properties::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Properties::default();
    let mut sizes = vk::PhysicalDeviceSubgroupSizeControlProperties::default();
    let mut import = vk::PhysicalDeviceExternalMemoryHostPropertiesEXT::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut v11).push_next(&mut v12);
    if has_size_control {
        properties = properties.push_next(&mut sizes);
    }
    if has_host_import {
        properties = properties.push_next(&mut import);
    }
    let mut methods = vk::PhysicalDeviceMemoryDecompressionPropertiesNV::default();
    if has_decompression {
        properties = properties.push_next(&mut methods);
    }
    let mut bus = vk::PhysicalDevicePCIBusInfoPropertiesEXT::default();
    if has_pci {
        properties = properties.push_next(&mut bus);
    }
    // SAFETY: as above; each structure of the chain is one that this version or these extensions know.
    unsafe { instance.get_physical_device_properties2(physical, &mut properties) };

    let mut features = Supported::default();
    let mut chain = features.chain(has_size_control, has_sync2, has_decompression);
    // SAFETY: as above.
    unsafe { instance.get_physical_device_features2(physical, &mut chain) };
    let core = chain.features;

    info.uuid = v11.device_uuid;
    info.pci = has_pci.then_some(PciAddress {
        domain: bus.pci_domain,
        bus: bus.pci_bus,
        device: bus.pci_device,
        function: bus.pci_function,
    });
    let text = |words: Result<&CStr, _>| words.unwrap_or_default().to_string_lossy().into_owned();
    info.driver =
        format!("{} {}", text(v12.driver_name_as_c_str()).trim(), text(v12.driver_info_as_c_str()).trim());
    // SAFETY: as above.
    let memory = MemoryTypes::of(&unsafe { instance.get_physical_device_memory_properties(physical) });
    let queues = super::queues::families(instance, physical);
    let on = |flag: vk::Bool32| flag == vk::TRUE;
    for (there, what) in [
        (on(features.v12.buffer_device_address), "buffer device addresses"),
        (on(features.v12.timeline_semaphore), "timeline semaphores"),
        (has_sync2 && on(features.sync2.synchronization2), "synchronization2"),
        (on(core.shader_int16), "16-bit integers in shaders"),
        (on(features.v11.storage_buffer16_bit_access), "16-bit storage"),
        (on(core.shader_int64), "64-bit integers in shaders"),
        (on(features.v12.shader_int8), "8-bit integers in shaders"),
        (on(features.v12.storage_buffer8_bit_access), "8-bit storage"),
        (
            v11.subgroup_supported_stages.contains(vk::ShaderStageFlags::COMPUTE),
            "subgroups in compute shaders",
        ),
        (v11.subgroup_supported_operations.contains(REQUIRED_SUBGROUP), "subgroup ballots and shuffles"),
        (memory.find(u32::MAX, Purpose::Readback).is_some(), "host memory that the processor caches"),
    ] {
        if !there {
            info.lacks.push(what);
        }
    }
    let control = has_size_control
        && on(features.subgroup.subgroup_size_control)
        && on(features.subgroup.compute_full_subgroups)
        && sizes.required_subgroup_size_stages.contains(vk::ShaderStageFlags::COMPUTE);
    info.features = Features {
        subgroup_size: v11.subgroup_size,
        subgroup_sizes: if control {
            (sizes.min_subgroup_size, sizes.max_subgroup_size)
        } else {
            (v11.subgroup_size, v11.subgroup_size)
        },
        subgroup_size_control: control,
        host_import: has_host_import.then_some(import.min_imported_host_pointer_alignment),
        memory_model: on(features.v12.vulkan_memory_model)
            && on(features.v12.vulkan_memory_model_device_scope),
        scalar_layout: on(features.v12.scalar_block_layout),
        compute_queues: queues.compute_count,
        transfer_queue: queues.transfer.is_some(),
        memory_window: memory.find(u32::MAX, Purpose::Direct).is_some(),
        nv_memory_decompression: on(features.decompression.memory_decompression)
            && methods.decompression_methods.contains(vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0),
    };
    Ok(info)
}

const REQUIRED_SUBGROUP: vk::SubgroupFeatureFlags = vk::SubgroupFeatureFlags::from_raw(
    vk::SubgroupFeatureFlags::BASIC.as_raw()
        | vk::SubgroupFeatureFlags::BALLOT.as_raw()
        | vk::SubgroupFeatureFlags::SHUFFLE.as_raw()
        | vk::SubgroupFeatureFlags::SHUFFLE_RELATIVE.as_raw(),
);

const fn kind(device_type: vk::PhysicalDeviceType) -> DeviceKind {
    match device_type {
        vk::PhysicalDeviceType::DISCRETE_GPU => DeviceKind::Discrete,
        vk::PhysicalDeviceType::INTEGRATED_GPU => DeviceKind::Integrated,
        vk::PhysicalDeviceType::VIRTUAL_GPU => DeviceKind::Virtual,
        vk::PhysicalDeviceType::CPU => DeviceKind::Software,
        _ => DeviceKind::Other,
    }
}

/// The structures in which features are asked for, and switched on.
#[derive(Default)]
pub(crate) struct Supported {
    pub(crate) v11: vk::PhysicalDeviceVulkan11Features<'static>,
    pub(crate) v12: vk::PhysicalDeviceVulkan12Features<'static>,
    pub(crate) subgroup: vk::PhysicalDeviceSubgroupSizeControlFeatures<'static>,
    pub(crate) sync2: vk::PhysicalDeviceSynchronization2Features<'static>,
    pub(crate) decompression: vk::PhysicalDeviceMemoryDecompressionFeaturesNV<'static>,
}

impl Supported {
    /// All of them in a chain; those of extensions only where the device has these.
    pub(crate) fn chain(
        &mut self,
        size_control: bool,
        sync2: bool,
        decompression: bool,
    ) -> vk::PhysicalDeviceFeatures2<'_> {
        let mut chain =
            vk::PhysicalDeviceFeatures2::default().push_next(&mut self.v11).push_next(&mut self.v12);
        if size_control {
            chain = chain.push_next(&mut self.subgroup);
        }
        if sync2 {
            chain = chain.push_next(&mut self.sync2);
        }
        if decompression {
            chain = chain.push_next(&mut self.decompression);
        }
        chain
    }
}

impl DeviceInfo {
    /// Its UUID as people write it.
    #[must_use]
    pub fn uuid_text(&self) -> String {
        uuid_text(&self.uuid)
    }

    /// Processors that the device interrupts when something is over, by the numbers that the kernel gives them, those first that it
    /// interrupts most often. None if that is not known, and until it has done so some hundred times since the machine was started. The
    /// kernel, or whoever tells it (`irqbalance`), may choose others at any time.
    #[must_use]
    pub fn interrupted_processors(&self) -> Vec<usize> {
        self.pci.map(interrupts::processors).unwrap_or_default()
    }
}

/// In groups of 4, 2, 2, 2 and 6 bytes.
pub(crate) fn uuid_text(uuid: &[u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(*uuid));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(index: usize, kind: DeviceKind, name: &str) -> DeviceInfo {
        DeviceInfo {
            index,
            name: name.to_owned(),
            kind,
            uuid: [index as u8; 16],
            driver: String::new(),
            api: (1, 2, 0),
            pci: None,
            features: Features::default(),
            lacks: Vec::new(),
        }
    }

    #[test]
    fn tiles_have_subgroups_where_32_is_a_size() {
        let sizes = |subgroup_sizes| Features { subgroup_sizes, ..Features::default() };
        for (range, has) in
            [((32, 32), true), ((8, 32), true), ((32, 64), true), ((64, 64), false), ((4, 16), false)]
        {
            assert_eq!(sizes(range).has_lanes(), has, "{range:?}");
        }
    }

    #[test]
    fn kinds_without_memory_of_their_own() {
        use DeviceKind::{Discrete, Integrated, Other, Software, Virtual};
        assert!([Integrated, Software].iter().all(|kind| kind.shares_memory()));
        // A hypervisor's may be anything.
        assert!(![Discrete, Virtual, Other].iter().any(|kind| kind.shares_memory()));
    }

    #[test]
    fn uuids_are_written_in_groups() {
        let device = DeviceInfo { uuid: *b"mesa22.3.6\0\0\0\0\0\0", ..sample(0, DeviceKind::Other, "") };
        assert_eq!(device.uuid_text(), "6d657361-3232-2e33-2e36-000000000000");
    }
}
