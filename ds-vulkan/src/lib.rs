//! The Vulkan engine: bytes to and from device memory, decoded on the way by compute shaders.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod device;
pub mod engine;
pub mod error;
mod gdeflate;
pub mod memory;
mod pipeline;
pub mod transform;

pub use device::borrowed::{BorrowedDevice, BorrowedFeatures};
pub use device::choice::DeviceChoice;
pub use device::info::{DeviceInfo, DeviceKind, Features};
pub use device::messages::Messages;
pub use device::queues::QueueLock;
pub use device::{Device, DeviceOptions, PipelineCache};
pub use engine::VulkanEngine;
pub use engine::config::{DecoderPath, VulkanConfig};
pub use error::{CallError, OpenError};
pub use memory::gpu_buffer::GpuBuffer;

pub use transform::{ComputeTransform, SpirvError};

pub use ash::vk;
