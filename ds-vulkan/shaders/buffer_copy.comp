// Copies bytes from one device address to another. For memory that is known by its address alone; where there is a buffer,
// copy commands do it.

#version 450
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

layout(local_size_x = 64) in;

layout(buffer_reference, buffer_reference_align = 1, std430) readonly buffer SourceBytes { uint8_t at[]; };
layout(buffer_reference, buffer_reference_align = 1, std430) writeonly buffer Bytes { uint8_t at[]; };
layout(buffer_reference, buffer_reference_align = 16, std430) readonly buffer SourceBlocks { uvec4 at[]; };
layout(buffer_reference, buffer_reference_align = 16, std430) writeonly buffer Blocks { uvec4 at[]; };

layout(push_constant, std430) uniform Constants {
    uint64_t source;
    uint64_t destination;
    uint len;
    uint reserved;
};

// Bytes that an invocation copies.
const uint SHARE = 16u;

void main() {
    uint start = gl_GlobalInvocationID.x * SHARE;
    if (start >= len) {
        return;
    }
    if (((source | destination) & 15ul) == 0ul && len - start >= SHARE) {
        Blocks(destination).at[gl_GlobalInvocationID.x] = SourceBlocks(source).at[gl_GlobalInvocationID.x];
        return;
    }
    uint end = min(len, start + SHARE);
    for (uint n = start; n < end; n++) {
        Bytes(destination).at[n] = SourceBytes(source).at[n];
    }
}
