//! Push constants: structures here, blocks in the shaders, and the same of both.

use super::shader::Shader;

/// A structure that is pushed as it lies in memory.
///
/// # Safety
/// It is `repr(C)` and has no padding.
pub(crate) unsafe trait PushConstants: Copy {
    /// Its bytes.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: every byte is initialised, for there is no padding; the borrow lasts as long as that of `self`.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

/// Whether a structure's fields (name, offset, size) are those of a shader's block.
pub(crate) const fn fits(fields: &[(&str, usize, usize)], size: usize, shader: &Shader) -> bool {
    let block = shader.push_constants;
    if fields.len() != block.len() {
        return false;
    }
    let (mut at, mut end) = (0, 0);
    while at < fields.len() {
        let ((name, offset, len), (other, other_offset, other_len)) = (fields[at], block[at]);
        let same = equal(name.as_bytes(), other.as_bytes()) && offset == other_offset && len == other_len;
        // No gap before it either: padding would be pushed, and nobody has written it.
        if !same || offset != end {
            return false;
        }
        end = offset + len;
        at += 1;
    }
    end == size && size <= super::PUSH_CONSTANTS as usize
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    a.len() == b.len()
}

/// Declares a shader's push constants. Does not compile unless they are the shader's: names, offsets, sizes and all.
macro_rules! push_constants {
    ($(#[$doc:meta])* $name:ident for $($shader:ident),+: { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type,)* }

        const _: () = {
            const FIELDS: &[(&str, usize, usize)] =
                &[$((stringify!($field), core::mem::offset_of!($name, $field), size_of::<$type>()),)*];
            $(assert!($crate::pipeline::constants::fits(
                FIELDS,
                size_of::<$name>(),
                &$crate::pipeline::shaders::$shader,
            ));)+
        };

        // SAFETY: `repr(C)`, and `fits` has seen that no field is preceded or followed by padding.
        unsafe impl $crate::pipeline::constants::PushConstants for $name {}
    };
}
pub(crate) use push_constants;

push_constants! {
    /// A copy from address to address.
    CopyBytes for BUFFER_COPY: {
        source: u64,
        destination: u64,
        len: u32,
        reserved: u32,
    }
}

push_constants! {
    /// What a transform of whole inputs is given: see [`ComputeTransform`](crate::ComputeTransform).
    Whole for UPPERCASE: {
        source: u64,
        destination: u64,
        status: u64,
        source_len: u32,
        destination_len: u32,
    }
}

impl CopyBytes {
    /// Bytes that a workgroup copies: 16 for each invocation.
    const SHARE: u32 = super::shaders::BUFFER_COPY.local_size[0] * 16;
    /// The most that a copy moves: as many workgroups as every device starts in one go.
    pub(crate) const MOST: u64 = Self::SHARE as u64 * 65_535;

    /// Workgroups for so many bytes.
    pub(crate) const fn workgroups(len: u32) -> u32 {
        len.div_ceil(Self::SHARE)
    }
}
