//! The Vulkan engine: bytes to and from the memory of a device, decoded there by compute shaders.
//!
//! ```no_run
//! use std::sync::Arc;
//! use ds_vulkan::{Device, DeviceOptions, GpuBuffer, VulkanConfig, VulkanEngine};
//!
//! let device = Device::open(&DeviceOptions::default())?;
//! let buffer = GpuBuffer::new(&device, 16 << 20)?;
//! // For a runtime: `Builder::device_engine`.
//! let engine = Arc::new(VulkanEngine::new(&device, VulkanConfig::default()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules, along the data path:
//!
//! 1. [`device`]: a device of our own, or the application's; its queues, what it can do;
//! 2. [`memory`]: buffers for results, pools for what is under way, the runtime's staging memory;
//! 3. [`engine`]: jobs become submissions, and submissions answers; `gdeflate`: the decoder's side of that;
//! 4. `pipeline`: shaders, ours and, by [`transform`], the application's;
//! 5. [`timed`]: decoding and copying by themselves, for benchmarks;
//! 6. [`error`]: why there is no device, or what a driver refused.
//!
//! # What callers can rely on
//!
//! * Every job is answered exactly once, with nothing of the engine's locked, and only when the device is through with its memory;
//!   those that went to one queue in the order of its submissions.
//! * Memory is bounded, and a job that finds none waits for others to end; none waits for ever.
//! * Whatever a stream holds, shaders touch its bytes and its output alone, and come to an end.
//! * What was borrowed is not destroyed. Nothing waits for a whole device or queue, but for its own submissions; a device of our own
//!   is waited for before it is destroyed.
//! * An idle engine does nothing: its threads sleep.
//!
//! # Safety
//!
//! Calls of Vulkan are `unsafe`, and made in small types that own what they name: an allocation, a command buffer, a timeline.
//! Such a type is dropped, or used again, when the submission that named it is over; the engine keeps all of a
//! submission's memory with it until then. Addresses in device memory are checked before a shader gets them.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod device;
pub mod engine;
pub mod error;
mod gdeflate;
pub mod memory;
mod pipeline;
pub mod timed;
pub mod transform;

pub use device::borrowed::{BorrowedDevice, BorrowedFeatures};
pub use device::choice::DeviceChoice;
pub use device::info::{DeviceInfo, DeviceKind, Features};
pub use device::interrupts::PciAddress;
pub use device::messages::Messages;
pub use device::queues::QueueLock;
pub use device::{Device, DeviceOptions, PipelineCache};
pub use engine::VulkanEngine;
pub use engine::config::{DecoderPath, Upload, VulkanConfig};
pub use error::{CallError, OpenError};
pub use memory::gpu_buffer::GpuBuffer;
pub use memory::host_buffer::HostBuffer;
pub use timed::decode::{TileSpan, TimedDecode};
pub use timed::upload::TimedUpload;
pub use timed::{TimedError, Timing};
pub use transform::{ComputeTransform, SpirvError};

pub use ash::vk;
