// Makes tiles of a stream that only the device sees: checks its header and table, and writes one descriptor for every tile that
// is to be decoded. A tile with something wrong about it gets an empty descriptor, which is decoded to nothing, and so do all
// if the header is wrong; what is wrong is told in one word, the lowest of `tile << 8 | reason`.
//
// Reads nothing outside the stream.

#version 450
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

layout(local_size_x = 64) in;

struct Tile {
    uint64_t source;
    uint64_t destination;
    uint source_len;
    uint destination_len;
    uint flags;
    uint reserved;
};

layout(buffer_reference, buffer_reference_align = 1, std430) readonly buffer Stream { uint8_t at[]; };
layout(buffer_reference, buffer_reference_align = 8, std430) writeonly buffer Tiles { Tile at[]; };
layout(buffer_reference, buffer_reference_align = 4, std430) buffer Verdict { uint lowest; };

layout(push_constant, std430) uniform Constants {
    uint64_t stream;
    uint64_t destination;
    uint64_t tiles;
    uint64_t verdict;
    uint64_t stream_len;
    uint64_t destination_len;
    uint first;
    uint count;
};

const uint HEADER = 8u;
const uint TILE_SIZE = 65536u;
const uint MAX_PAYLOAD = 131072u;

const uint TRUNCATED = 1u, BAD_HEADER = 2u, BAD_SIZE = 3u, BAD_TABLE = 4u;

uint byte_at(uint position) {
    return uint(Stream(stream).at[position]);
}

uint word_at(uint position) {
    return byte_at(position) | byte_at(position + 1u) << 8 | byte_at(position + 2u) << 16 | byte_at(position + 3u) << 24;
}

void refuse(uint tile, uint reason) {
    atomicMin(Verdict(verdict).lowest, tile << 8 | reason);
}

// What is wrong with the header, or 0. `tile_count` is good if nothing is.
uint check_header(out uint tile_count) {
    tile_count = 0u;
    if (stream_len < uint64_t(HEADER)) {
        return TRUNCATED;
    }
    uint id = byte_at(0u);
    uint fields = word_at(4u);
    uint last = fields >> 2 & 0x3FFFFu;
    tile_count = byte_at(2u) | byte_at(3u) << 8;
    if ((id != 0x04u && id != 0xFEu) || byte_at(1u) != (~id & 0xFFu) || (fields & 3u) != 1u || fields >> 20 != 0u
            || last >= TILE_SIZE || (tile_count == 0u && last != 0u)) {
        return BAD_HEADER;
    }
    uint64_t size = uint64_t(tile_count) * uint64_t(TILE_SIZE);
    if (last != 0u) {
        size -= uint64_t(TILE_SIZE - last);
    }
    if (size != destination_len) {
        return BAD_SIZE;
    }
    return uint64_t(HEADER + 4u * tile_count) > stream_len ? TRUNCATED : 0u;
}

// Where a tile begins, counted from the end of the table. The table's first entry is the size of the last tile.
uint offset_of(uint tile) {
    return tile == 0u ? 0u : word_at(HEADER + 4u * tile);
}

void main() {
    uint index = gl_GlobalInvocationID.x;
    uint tile_count;
    uint wrong = check_header(tile_count);
    if (wrong != 0u && index == 0u) {
        refuse(0u, wrong);
    }
    if (index >= count) {
        return;
    }
    uint tile = first + index;
    Tile made = Tile(stream, destination, 0u, 0u, 0u, 0u);
    if (wrong == 0u && tile < tile_count) {
        uint start = offset_of(tile);
        bool is_last = tile + 1u == tile_count;
        // Of the others the size is the way to the next, if that lies ahead.
        uint next = is_last ? 0u : offset_of(tile + 1u);
        uint size = is_last ? word_at(HEADER) : next - start;
        bool rises = is_last || next > start;
        uint64_t begin = uint64_t(HEADER + 4u * tile_count) + uint64_t(start);
        if (!rises || ((start | size) & 3u) != 0u || size > MAX_PAYLOAD) {
            refuse(tile, BAD_TABLE);
        } else if (begin + uint64_t(size) > stream_len) {
            refuse(tile, TRUNCATED);
        } else {
            uint64_t content = uint64_t(tile) * uint64_t(TILE_SIZE);
            uint64_t left = destination_len - content;
            made.source = stream + begin;
            made.destination = destination + content;
            made.source_len = size;
            made.destination_len = uint(min(left, uint64_t(TILE_SIZE)));
        }
    }
    Tiles(tiles).at[index] = made;
}
