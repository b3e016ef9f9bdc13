//! The Vulkan engine: bytes to and from device memory, decoded on the way by compute shaders.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod device;
pub mod error;
pub mod memory;
mod pipeline;

pub use device::borrowed::{BorrowedDevice, BorrowedFeatures};
pub use device::choice::DeviceChoice;
pub use device::info::{DeviceInfo, DeviceKind, Features};
pub use device::messages::Messages;
pub use device::queues::QueueLock;
pub use device::{Device, DeviceOptions, PipelineCache};
pub use error::{CallError, OpenError};
pub use memory::gpu_buffer::GpuBuffer;

pub use ash::vk;
