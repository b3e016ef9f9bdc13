//! Our shaders, as `cargo xtask shaders` has compiled and described them. Not to be edited.

use super::shader::Shader;

/// `buffer_copy.comp`, of a source (with all includes) whose XXH3 is `c8589803371ca438`.
pub(crate) static BUFFER_COPY: Shader = Shader {
    name: "buffer_copy",
    spirv: include_bytes!("../../shaders/spirv/buffer_copy.spv"),
    push_constants: &[("source", 0, 8), ("destination", 8, 8), ("len", 16, 4), ("reserved", 20, 4)],
    constants: &[],
    local_size: [64, 1, 1],
    capabilities: &["Int64", "PhysicalStorageBufferAddresses", "Shader", "StorageBuffer8BitAccess"],
};

/// `uppercase.comp`, of a source (with all includes) whose XXH3 is `069d9794a6deb062`.
pub(crate) static UPPERCASE: Shader = Shader {
    name: "uppercase",
    spirv: include_bytes!("../../shaders/spirv/uppercase.spv"),
    push_constants: &[
        ("source", 0, 8),
        ("destination", 8, 8),
        ("status", 16, 8),
        ("source_len", 24, 4),
        ("destination_len", 28, 4),
    ],
    constants: &[],
    local_size: [64, 1, 1],
    capabilities: &["Int64", "PhysicalStorageBufferAddresses", "Shader", "StorageBuffer8BitAccess"],
};

/// All of them.
#[cfg(test)]
pub(crate) static ALL: &[&Shader] = &[&BUFFER_COPY, &UPPERCASE];
