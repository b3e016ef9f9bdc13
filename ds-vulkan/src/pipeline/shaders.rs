//! Our shaders, as `cargo xtask shaders` has compiled and described them. Not to be edited.

use super::shader::Shader;

/// `buffer_copy.comp`, of a source (with all includes) whose XXH3 is `c8589803371ca438`.
pub(crate) static BUFFER_COPY: Shader = Shader {
    name: "buffer_copy",
    spirv: include_bytes!("../../shaders/spirv/buffer_copy.spv"),
    push_constants: &[("source", 0, 8), ("destination", 8, 8), ("len", 16, 4), ("reserved", 20, 4)],
    #[cfg(test)]
    constants: &[],
    local_size: [64, 1, 1],
    #[cfg(test)]
    capabilities: &["Int64", "PhysicalStorageBufferAddresses", "Shader", "StorageBuffer8BitAccess"],
};

/// `gdeflate.comp`, of a source (with all includes) whose XXH3 is `c42d3fe9a885c2cb`.
pub(crate) static GDEFLATE: Shader = Shader {
    name: "gdeflate",
    spirv: include_bytes!("../../shaders/spirv/gdeflate.spv"),
    push_constants: &[
        ("tiles", 0, 8),
        ("status", 8, 8),
        ("scratch", 16, 8),
        ("tile_count", 24, 4),
        ("reserved", 28, 4),
    ],
    #[cfg(test)]
    constants: &[
        (0, "SUBGROUP_SIZE", 32),
        (1, "", 1),
        (2, "DYNAMIC_BLOCKS_BASE", 8),
        (3, "BYTES_PER_DYNAMIC_BLOCK", 512),
    ],
    local_size: [32, 1, 1],
    #[cfg(test)]
    capabilities: &[
        "GroupNonUniform",
        "GroupNonUniformBallot",
        "GroupNonUniformShuffle",
        "GroupNonUniformShuffleRelative",
        "Int16",
        "Int64",
        "Int8",
        "PhysicalStorageBufferAddresses",
        "Shader",
        "StorageBuffer16BitAccess",
        "StorageBuffer8BitAccess",
    ],
};

/// `tile_table.comp`, of a source (with all includes) whose XXH3 is `d2ca3646e7b6b786`.
pub(crate) static TILE_TABLE: Shader = Shader {
    name: "tile_table",
    spirv: include_bytes!("../../shaders/spirv/tile_table.spv"),
    push_constants: &[
        ("stream", 0, 8),
        ("destination", 8, 8),
        ("tiles", 16, 8),
        ("verdict", 24, 8),
        ("stream_len", 32, 8),
        ("destination_len", 40, 8),
        ("first", 48, 4),
        ("count", 52, 4),
    ],
    #[cfg(test)]
    constants: &[],
    local_size: [64, 1, 1],
    #[cfg(test)]
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
    #[cfg(test)]
    constants: &[],
    local_size: [64, 1, 1],
    #[cfg(test)]
    capabilities: &["Int64", "PhysicalStorageBufferAddresses", "Shader", "StorageBuffer8BitAccess"],
};

/// All of them.
#[cfg(test)]
pub(crate) static ALL: &[&Shader] = &[&BUFFER_COPY, &GDEFLATE, &TILE_TABLE, &UPPERCASE];
