//! A device, what runs on it, and how its memory is written, read back and compared.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::time::Instant;

use ds_bench::gpu::Device as Described;
use ds_runtime::vulkan::{
    DecoderPath, Device, DeviceChoice, DeviceInfo, DeviceKind, DeviceOptions, GpuBuffer, OpenError,
    VulkanConfig, VulkanEngine,
};
use ds_runtime::{CodecKind, Completion, Path, Queue, QueueOptions, Request, Runtime};

use crate::error::{Error, Kind, Result};
use crate::poison::overwrite;

/// Bytes that one request moves, where it is up to us.
const STEP: usize = 8 << 20;
/// About twice what the clock of an idle device takes to rise.
const WAKING: Duration = Duration::from_millis(50);
/// Requests that a queue holds.
pub(super) const CAPACITY: usize = 1024;

/// The device, and a runtime that has it decode.
pub(super) struct Gpu {
    pub(super) device: Device,
    pub(super) queue: Queue,
    /// How its engines are set up, unless a figure is about something else.
    pub(super) config: VulkanConfig,
    _runtime: Runtime,
}

impl Gpu {
    /// Opens a device, with so many queues at most that compute, if that is told; for the driver's decompression as well, if that is
    /// wanted and there.
    pub(super) fn open(
        choice: &DeviceChoice,
        queues: Option<NonZeroUsize>,
        config: VulkanConfig,
        wants_driver: bool,
    ) -> Result<Self> {
        let mut options = DeviceOptions::default().choice(choice.clone());
        if let Some(most) = queues {
            options = options.compute_queues(most);
        }
        let device = match Device::open(&options.clone().driver_decompression(wants_driver)) {
            Err(OpenError::Unsuitable { .. }) if wants_driver => Device::open(&options),
            opened => opened,
        };
        let device = device.map_err(|error| {
            Error::new(Kind::System, format!("vulkan: {error}"))
                .hint("`ds doctor` lists the devices, and what is missing where there are none")
        })?;
        let (runtime, queue) = runtime(&device, &config, CodecKind::Vulkan)?;
        Ok(Self { device, queue, config, _runtime: runtime })
    }

    /// Another runtime on the same device.
    pub(super) fn runtime(&self, codec: CodecKind) -> Result<(Runtime, Queue)> {
        runtime(&self.device, &self.config, codec)
    }

    /// Another runtime on the same device, which decodes with an engine that is set up like this.
    pub(super) fn engine(&self, config: &VulkanConfig) -> Result<(Runtime, Queue)> {
        runtime(&self.device, config, CodecKind::Vulkan)
    }

    pub(super) fn info(&self) -> &DeviceInfo {
        self.device.info()
    }

    pub(super) fn is_software(&self) -> bool {
        self.info().kind == DeviceKind::Software
    }

    /// What the results say about it.
    pub(super) fn describe(&self, path: DecoderPath) -> Described {
        let info = self.info();
        let (major, minor, patch) = info.api;
        let (least, most) = info.features.subgroup_sizes;
        let wide = path == DecoderPath::Auto && self.info().features.has_lanes();
        Described {
            name: info.name.clone(),
            kind: info.kind.to_string(),
            software: self.is_software(),
            driver: info.driver.clone(),
            api: format!("{major}.{minor}.{patch}"),
            uuid: info.uuid_text(),
            subgroup_sizes: [least, most],
            decoder: if wide { "32 lanes" } else { "any size" }.to_owned(),
            transfer_queue: info.features.transfer_queue,
            host_import: info.features.host_import.is_some(),
            interrupted_processors: info.interrupted_processors(),
        }
    }

    /// Device memory, every byte of it overwritten.
    pub(super) fn poisoned(&self, size: usize) -> Result<GpuBuffer> {
        let buffer = self.buffer(size)?;
        self.poison(&buffer)?;
        Ok(buffer)
    }

    /// Device memory.
    pub(super) fn buffer(&self, size: usize) -> Result<GpuBuffer> {
        GpuBuffer::new(&self.device, size.max(1) as u64)
            .map_err(|error| failed(error).hint("a smaller --size takes less device memory"))
    }

    /// Overwrites all of it.
    pub(super) fn poison(&self, buffer: &GpuBuffer) -> Result<()> {
        overwrite(buffer, buffer.size(), |request| done(&self.queue, request))
    }

    /// Has the device do something until its clock is that of a device at work.
    pub(super) fn wake(&self) -> Result<()> {
        let (buffer, len) = (self.buffer(2 * STEP)?, STEP as u64);
        for_a_while(WAKING, || {
            let from = Request::from_device(buffer.range(0..len));
            done(&self.queue, from.into_device(buffer.range(len..2 * len))).map(drop)
        })
    }

    /// Brings bytes to its beginning.
    pub(super) fn put(&self, buffer: &GpuBuffer, bytes: &[u8]) -> Result<()> {
        for (start, end) in steps(bytes.len()) {
            let into = buffer.range(start as u64..end as u64);
            done(&self.queue, Request::from_memory(bytes[start..end].to_vec()).into_device(into))?;
        }
        Ok(())
    }

    /// Compares so many bytes from an offset on with `image`, over and over.
    pub(super) fn compare(&self, buffer: &GpuBuffer, image: &[u8], copies: usize) -> Result<()> {
        compare(image, copies, |offset, mut bytes| {
            let (start, len) = (offset as u64, bytes.len() as u64);
            let request = Request::from_device(buffer.range(start..start + len));
            bytes = done(&self.queue, request.into_buffer(bytes))?.buffer;
            Ok(bytes)
        })
    }
}

fn runtime(device: &Device, config: &VulkanConfig, codec: CodecKind) -> Result<(Runtime, Queue)> {
    let engine = VulkanEngine::new(device, config.clone());
    let runtime = Runtime::builder().codec(codec).device_engine(std::sync::Arc::new(engine)).build();
    let runtime = runtime.map_err(failed)?;
    // Submitted by hand; every failure is told.
    let options =
        QueueOptions::default().name("bench").capacity(CAPACITY).auto_submit(false).error_hook(|_| {});
    let queue = runtime.queue(options).map_err(failed)?;
    Ok((runtime, queue))
}

/// Ranges that together are `0..len`.
fn steps(len: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..len).step_by(STEP).map(move |start| (start, len.min(start + STEP)))
}

/// Does something again and again, for so long at least.
pub(super) fn for_a_while(time: Duration, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        work()?;
    }
    Ok(())
}

/// Submits one request and waits for it.
pub(super) fn done(queue: &Queue, request: Request) -> Result<Completion> {
    let ticket = queue.enqueue(request).map_err(failed)?;
    queue.submit();
    ticket.wait().check().map_err(failed)
}

/// The completion, if that engine did the work: a figure must not be another's.
pub(super) fn by(path: Path, completion: Completion) -> Result<Completion> {
    let completion = completion.check().map_err(failed)?;
    if completion.path.contains(path) {
        return Ok(completion);
    }
    Err(failed(format_args!("{path} was to be measured, and {} did the work", completion.path)))
}

/// What a driver, an engine or a queue said.
pub(super) fn failed(error: impl core::fmt::Display) -> Error {
    Error::new(Kind::System, error.to_string())
}

/// Compares what `read` reads (at an offset, into a buffer of the length wanted) with `image`, over and over.
pub(super) fn compare(
    image: &[u8],
    copies: usize,
    mut read: impl FnMut(usize, Vec<u8>) -> Result<Vec<u8>>,
) -> Result<()> {
    let mut bytes = Vec::new();
    for copy in 0..copies {
        for (start, end) in steps(image.len()) {
            let (offset, expected) = (copy * image.len() + start, &image[start..end]);
            bytes.resize(end - start, 0);
            bytes = read(offset, bytes)?;
            if bytes == expected {
                continue;
            }
            let differs = |(a, b): (&u8, &u8)| a != b;
            let at = bytes.iter().zip(expected).position(differs).unwrap_or(0);
            let message = format!(
                "WRONG OUTPUT: byte {} is {:#04x}, not {:#04x}; there is no figure",
                offset + at,
                bytes.get(at).copied().unwrap_or_default(),
                expected[at]
            );
            return Err(Error::new(Kind::Data, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_is_found_wherever_it_is() {
        let image: Vec<u8> = (0..STEP + 100).map(|at| (at % 251) as u8).collect();
        let memory = image.repeat(2);
        let compare = |memory: &[u8]| {
            compare(&image, 2, |offset, bytes| Ok(memory[offset..offset + bytes.len()].to_vec()))
        };
        assert!(compare(&memory).is_ok());
        for at in [0, STEP - 1, STEP, image.len() - 1, image.len(), memory.len() - 1] {
            let mut wrong = memory.clone();
            wrong[at] ^= 1;
            let error = compare(&wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::Data);
            assert!(error.to_string().contains(&format!("WRONG OUTPUT: byte {at} is")), "{error}");
        }
    }

    #[test]
    fn a_wrong_byte_in_device_memory_is_found() {
        let gpu = match Gpu::open(&DeviceChoice::Auto, None, VulkanConfig::default(), false) {
            Ok(gpu) => gpu,
            Err(error) => {
                assert!(std::env::var_os("DS_REQUIRE_VULKAN").is_none(), "Vulkan is required here: {error}");
                eprintln!("SKIPPED: {error}");
                return;
            }
        };
        let image = vec![7; 1000];
        let buffer = gpu.poisoned(3000).unwrap();
        let error = gpu.compare(&buffer, &image, 3).unwrap_err();
        assert!(error.to_string().contains("byte 0 is 0xa5, not 0x07"), "{error}");
        gpu.put(&buffer, &image.repeat(3)).unwrap();
        gpu.compare(&buffer, &image, 3).unwrap();
        let wrong = Request::from_memory(vec![6]).into_device(buffer.range(2999..3000));
        done(&gpu.queue, wrong).unwrap();
        let error = gpu.compare(&buffer, &image, 3).unwrap_err();
        assert!(error.to_string().contains("byte 2999 is 0x06"), "{error}");
    }
}
