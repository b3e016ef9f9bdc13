//! How much memory an engine may use, and which of the application's shaders it runs.

use core::num::NonZeroUsize;

use crate::device::Device;
use crate::memory::pool::Pool;
use crate::memory::types::Purpose;
use crate::transform::ComputeTransform;

/// How an engine is set up.
///
/// Memory is allocated in blocks, when first wanted, and kept. What does not fit is done piece by piece, or waits.
#[derive(Clone, Debug)]
pub struct VulkanConfig {
    pub(crate) staging_block: usize,
    pub(crate) staging_blocks: NonZeroUsize,
    pub(crate) device_block: usize,
    pub(crate) device_blocks: NonZeroUsize,
    pub(crate) submissions: NonZeroUsize,
    pub(crate) import: bool,
    pub(crate) path: DecoderPath,
    pub(crate) upload: Upload,
    pub(crate) transforms: Vec<(u8, ComputeTransform)>,
    /// Whether to do as on a card with memory, copy engines and several queues of its own, whatever the device is.
    pub(crate) as_card: bool,
}

/// How packed bytes reach the device's memory, where that is a card's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upload {
    /// By way of host memory, from which the device copies them, on its queue for transfers if it has one.
    #[default]
    Staging,
    /// The processor writes them into the device's memory, through the window on it that some devices have ("resizable BAR"). What has
    /// none takes the other way. On an H200 the copy engines are faster from memory that the device sees, and the processor a little
    /// from any other.
    Direct,
}

/// Which way through the GDeflate shader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecoderPath {
    /// The one for subgroups of 32 where the device has them, else the one for any size.
    #[default]
    Auto,
    /// The one for any size of subgroups, through shared memory.
    AnySize,
    /// None, where the driver decodes: `VK_NV_memory_decompression`, **for trusted data only**. It reports no errors, and what it does
    /// with damaged tiles is undefined; on an H200 it is thirty times slower than the shader. The device is opened with
    /// [`DeviceOptions::driver_decompression`](crate::DeviceOptions::driver_decompression), or an engine that asks for this does not
    /// start. What the driver does not take (streams in device memory, and ends at no multiple of four bytes) goes through the
    /// shader. [`Path::DRIVER_DECOMPRESSION`](ds_core::Path::DRIVER_DECOMPRESSION) tells which it was.
    Trusted,
}

impl VulkanConfig {
    /// The smallest block, in bytes: a quarter of one holds any tile.
    pub const MIN_BLOCK: usize = 1 << 20;

    /// Memory that host and device see: blocks of so many bytes, at most so many for each direction. 32 MiB and 4 unless told. A
    /// block has [`MIN_BLOCK`](Self::MIN_BLOCK) bytes at least.
    #[must_use]
    pub fn staging(mut self, block: usize, blocks: NonZeroUsize) -> Self {
        self.staging_block = block.max(Self::MIN_BLOCK);
        self.staging_blocks = blocks;
        self
    }

    /// Memory of the device for packed data and for what shaders remember: blocks of so many bytes, at most so many. 128 MiB and 4
    /// unless told. A block has [`MIN_BLOCK`](Self::MIN_BLOCK) bytes at least.
    #[must_use]
    pub fn device_memory(mut self, block: usize, blocks: NonZeroUsize) -> Self {
        self.device_block = block.max(Self::MIN_BLOCK);
        self.device_blocks = blocks;
        self
    }

    /// Submissions that the device has at once; 8 unless told. Each has memory of its own, which grows with the largest one: for 8192
    /// tiles, 512 MiB of output, 21 MiB of the device's, and always 0.3 MiB that the host sees.
    #[must_use]
    pub const fn submissions(mut self, submissions: NonZeroUsize) -> Self {
        self.submissions = submissions;
        self
    }

    /// Whether the device is to use the runtime's staging memory where it lies, if it can. It is unless told: without, bytes are
    /// copied once more.
    #[must_use]
    pub const fn import(mut self, import: bool) -> Self {
        self.import = import;
        self
    }

    /// How packed bytes reach a card's memory; by way of host memory unless told.
    #[must_use]
    pub const fn upload(mut self, upload: Upload) -> Self {
        self.upload = upload;
        self
    }

    /// Whether an engine that is set up like this has the processor write packed bytes into this device's memory: it was told so
    /// ([`Upload::Direct`]), and the device is a card with a window on its memory. Otherwise they take the other way.
    #[must_use]
    pub fn uploads_directly(&self, device: &Device) -> bool {
        self.upload == Upload::Direct && !self.is_unified(device) && Pool::exists(device, Purpose::Direct)
    }

    /// Whether shaders may as well read and write what the host sees: there is but one memory.
    pub(crate) fn is_unified(&self, device: &Device) -> bool {
        !self.as_card && device.info().kind.shares_memory()
    }

    /// Which way through the GDeflate shader. The result is the same.
    #[must_use]
    pub const fn decoder_path(mut self, path: DecoderPath) -> Self {
        self.path = path;
        self
    }

    /// The shader that computes `Transform::Custom(number)`. If a number comes twice, the last counts.
    #[must_use]
    pub fn transform(mut self, number: u8, transform: ComputeTransform) -> Self {
        self.transforms.retain(|(known, _)| *known != number);
        self.transforms.push((number, transform));
        self
    }

    /// Does as on a card that has memory of its own, a queue for transfers and several that compute, with whatever the device has.
    #[cfg(any(test, feature = "__faults"))]
    #[must_use]
    pub const fn as_card(mut self, as_card: bool) -> Self {
        self.as_card = as_card;
        self
    }

    pub(crate) fn find_transform(&self, number: u8) -> Option<&ComputeTransform> {
        self.transforms.iter().find(|(known, _)| *known == number).map(|(_, transform)| transform)
    }
}

impl Default for VulkanConfig {
    fn default() -> Self {
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not 0");
        const EIGHT: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not 0");
        Self {
            staging_block: 32 << 20,
            staging_blocks: FOUR,
            device_block: 128 << 20,
            device_blocks: FOUR,
            submissions: EIGHT,
            import: true,
            path: DecoderPath::Auto,
            upload: Upload::Staging,
            transforms: Vec::new(),
            as_card: false,
        }
    }
}
