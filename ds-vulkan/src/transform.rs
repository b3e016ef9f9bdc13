//! The application's own compute shaders as transforms.

use core::fmt;
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::Path;
use std::sync::Arc;

use crate::pipeline::shader::{Code, ShaderId};

/// A compute shader of the application's that computes a [`Transform::Custom`](ds_core::Transform::Custom).
///
/// Its entry point is `main`; it has no descriptors, and these push constants:
///
/// ```glsl
/// layout(push_constant, std430) uniform Constants {
///     uint64_t source;       // address of the input, of any alignment
///     uint64_t destination;  // address of the output, of any alignment
///     uint64_t status;       // address of one 32-bit word, 0 at first
///     uint source_len;       // bytes of input
///     uint destination_len;  // bytes of output: the request's uncompressed size
/// };
/// ```
///
/// One workgroup in x is started for every `bytes_per_workgroup` bytes of output, and one at least. A status other than 0 fails the
/// request as corrupt, with that number. `ds-vulkan/shaders/uppercase.comp` is an example.
#[derive(Clone)]
pub struct ComputeTransform {
    spirv: Arc<[u8]>,
    number: u64,
    bytes_per_workgroup: NonZeroU32,
}

/// Bytes that are no SPIR-V.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpirvError {
    /// The file cannot be read.
    Io(std::io::Error),
    /// They are not whole 32-bit words, or do not begin as SPIR-V does.
    NotSpirv {
        /// How many bytes there are.
        len: usize,
    },
}

impl fmt::Display for SpirvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the shader cannot be read: {error}"),
            Self::NotSpirv { len } => write!(f, "{len} bytes that are no SPIR-V module"),
        }
    }
}

impl core::error::Error for SpirvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::NotSpirv { .. } => None,
        }
    }
}

impl ComputeTransform {
    /// What a SPIR-V module begins with.
    const MAGIC: u32 = 0x0723_0203;

    /// A transform of this SPIR-V module.
    ///
    /// # Safety
    /// The module is valid for Vulkan 1.2, asks for no feature that the device was not opened with, and keeps to the interface above:
    /// whatever its input, it reads nothing but the input, writes nothing but output and status, and comes to an end.
    ///
    /// # Errors
    /// [`SpirvError::NotSpirv`].
    pub unsafe fn from_spirv(spirv: &[u8], bytes_per_workgroup: NonZeroU32) -> Result<Self, SpirvError> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let begins_well = spirv.first_chunk().is_some_and(|&word| u32::from_le_bytes(word) == Self::MAGIC);
        if !spirv.len().is_multiple_of(4) || !begins_well {
            return Err(SpirvError::NotSpirv { len: spirv.len() });
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { spirv: spirv.into(), number, bytes_per_workgroup })
    }

    /// A transform of the SPIR-V module in this file.
    ///
    /// # Safety
    /// As [`from_spirv`](Self::from_spirv).
    ///
    /// # Errors
    /// [`SpirvError`].
    pub unsafe fn from_file(path: &Path, bytes_per_workgroup: NonZeroU32) -> Result<Self, SpirvError> {
        let spirv = std::fs::read(path).map_err(SpirvError::Io)?;
        // SAFETY: the caller vouches for the module.
        unsafe { Self::from_spirv(&spirv, bytes_per_workgroup) }
    }

    pub(crate) fn code(&self) -> Code<'_> {
        Code { id: ShaderId::Theirs(self.number), spirv: &self.spirv }
    }

    pub(crate) const fn bytes_per_workgroup(&self) -> u32 {
        self.bytes_per_workgroup.get()
    }
}

impl fmt::Debug for ComputeTransform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeTransform")
            .field("number", &self.number)
            .field("bytes", &self.spirv.len())
            .field("bytes_per_workgroup", &self.bytes_per_workgroup)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [b"".as_slice(), b"\x03\x02\x23\x07\x00", b"GLSL", b"\x07\x23\x02\x03"] {
            // SAFETY: it is not taken.
            let error = unsafe { ComputeTransform::from_spirv(bytes, NonZeroU32::MIN) }.unwrap_err();
            assert!(matches!(error, SpirvError::NotSpirv { len } if len == bytes.len()));
        }
        // SAFETY: there is no file.
        let error = unsafe { ComputeTransform::from_file(Path::new("/nowhere"), NonZeroU32::MIN) };
        assert!(matches!(error, Err(SpirvError::Io(_))));
    }
}
