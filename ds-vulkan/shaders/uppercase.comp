// ASCII letters become upper case: the demonstration transform, and a pattern for an application's own. What it is given, and
// what it must keep to, is said in the docs of `ComputeTransform`.

#version 450
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

layout(local_size_x = 64) in;

layout(buffer_reference, buffer_reference_align = 1, std430) readonly buffer SourceBytes { uint8_t at[]; };
layout(buffer_reference, buffer_reference_align = 1, std430) writeonly buffer Bytes { uint8_t at[]; };
layout(buffer_reference, buffer_reference_align = 4, std430) writeonly buffer Status { uint refused; };

layout(push_constant, std430) uniform Constants {
    uint64_t source;
    uint64_t destination;
    uint64_t status;
    uint source_len;
    uint destination_len;
};

// Bytes that an invocation makes.
const uint SHARE = 16u;

void main() {
    if (source_len != destination_len) {
        if (gl_GlobalInvocationID.x == 0u) {
            Status(status).refused = 1u;
        }
        return;
    }
    uint start = gl_GlobalInvocationID.x * SHARE;
    uint end = min(destination_len, start + SHARE);
    for (uint n = start; n < end; n++) {
        uint letter = uint(SourceBytes(source).at[n]);
        bool small = letter >= 0x61u && letter <= 0x7Au;
        Bytes(destination).at[n] = uint8_t(small ? letter - 0x20u : letter);
    }
}
