#version 460
// GDeflate: one tile by 32 lanes, each with a bit buffer of its own, as the format deals them out.
//
// Two ways through one source. Where subgroups have 32 lanes (`SUBGROUP_SIZE` = 32), a subgroup is a tile's lanes and a workgroup may
// have several. Everywhere else a workgroup of 32 invocations is, whatever its subgroups are: ballots and shuffles go through
// shared memory.
//
// Safe on any input:
// - Compressed words are read below `words` alone: `load_word` and those who read ahead check the index. Where they begin at no multiple
//   of four bytes, the aligned words they lie in are read: up to three bytes before them and behind them, never used, are foreign.
// - Output is read at offsets below what has been written (`at`; a match's distance was checked against where it begins:
//   `DISTANCE_TOO_FAR`) and written below `end`, which no symbol may pass (`OUTPUT_OVERRUN`).
// - Every round takes a bit of each lane that has a turn, every block three of lane 0, and the words are counted (`TRUNCATED`).
//   Tables are built for a bounded number of dynamic blocks, and once for static blocks in a row.
// - After a refusal the destination holds bytes that come from this tile, and what was there before; nothing else.
//
// On NVIDIA's compiler a subgroup operation costs several times as much where it cannot prove that all lanes come together. It
// proves so for what depends on constants and workgroup numbers alone, and for loops whose only way out is to leave the shader.
// Therefore: one loop, in `main`, whose ends are returns; the subgroup operations of rounds at its top level, whether or not there
// is something to do; and branches of their own for what is rare.
#extension GL_EXT_buffer_reference2 : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_shuffle_relative : require

layout(constant_id = 0) const uint SUBGROUP_SIZE = 32u;
layout(constant_id = 2) const uint DYNAMIC_BLOCKS_BASE = 8u;
layout(constant_id = 3) const uint BYTES_PER_DYNAMIC_BLOCK = 512u;
layout(local_size_x = 32, local_size_y_id = 1, local_size_z = 1) in;

const bool WIDE = SUBGROUP_SIZE == 32u;
const uint LANES = 32u;
const uint WINDOW = 128u;   // bytes, four a lane
const uint ROOT_BITS = 9u;   // `build_symbols` knows
const uint DISTANCE_BITS = 7u;
const uint DISTANCE_AT = 1u << ROOT_BITS;
const uint TABLE_SIZE = DISTANCE_AT + (1u << DISTANCE_BITS);

struct Tile {
    uint64_t source;
    uint64_t destination;
    uint source_len;
    uint destination_len;
    uint flags;
    uint reserved;
};
layout(buffer_reference, std430, buffer_reference_align = 8) readonly restrict buffer Tiles { Tile tile[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly restrict buffer Status { uint word[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly restrict buffer Input { uint word[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer OutputWords { uint word[]; };
layout(buffer_reference, std430, buffer_reference_align = 1) buffer OutputBytes { uint8_t byte[]; };
layout(buffer_reference, std430, buffer_reference_align = 2) buffer Sorted { uint16_t symbol[]; };

layout(push_constant, std430) uniform Batch {
    uint64_t tiles;
    uint64_t status;
    uint64_t scratch;
    uint tile_count;
    uint reserved;
} batch;

const uint OK = 0u, OUTPUT_SIZE = 1u, PAYLOAD_SIZE = 2u, TRUNCATED = 3u, BLOCK_TYPE = 4u, TOO_MANY_DYNAMIC_BLOCKS = 5u,
    REPEAT_WITHOUT_LENGTH = 6u, RUN_TOO_LONG = 7u, OVER_SUBSCRIBED = 8u, INCOMPLETE = 11u, NO_END_OF_BLOCK = 14u,
    UNUSED_CODEWORD = 15u, RESERVED_SYMBOL = 18u, DISTANCE_TOO_FAR = 19u, OUTPUT_OVERRUN = 20u, OUTPUT_SHORT = 21u;
const uint CODE_LENGTH = 0u, LITERAL_LENGTH = 1u, DISTANCE = 2u;

// Both codes' tables, indexed by the next bits. An entry: value << 8 | extra << 4 | length of the codeword. A literal has 15 for
// `extra`; of others the value is what the extra bits follow. Length 0: an odd symbol, whose length is in place of `extra`, or, with
// all zero, a codeword too long for the table.
shared uint16_t tables[gl_WorkGroupSize.y * TABLE_SIZE];
// A window's bytes: which symbol begins there, then where they come from, then what they are. Zero between windows.
shared int8_t marks[gl_WorkGroupSize.y * WINDOW];
shared uint exchange[WIDE ? 1 : LANES + 1];

uint lane, row;
uint below;

void sync() {
    if (WIDE) { subgroupMemoryBarrier(); subgroupBarrier(); }
    else { memoryBarrier(); barrier(); }
}
uint ballot(bool p) {
    if (WIDE) return subgroupBallot(p).x;
    barrier();
    if (lane == 0u) exchange[LANES] = 0u;
    barrier();
    if (p) atomicOr(exchange[LANES], 1u << lane);
    barrier();
    return exchange[LANES];
}
uint shuffle(uint v, uint from) {
    if (WIDE) return subgroupShuffle(v, from & 31u);
    barrier();
    exchange[lane] = v;
    barrier();
    return exchange[from & 31u];
}
uint shuffle_up(uint v, uint by) {
    if (WIDE) return subgroupShuffleUp(v, by);
    return shuffle(v, lane - by);
}
uint inclusive_add(uint v) {
    uint t = shuffle_up(v, 1u);
    v += lane >= 1u ? t : 0u;
    t = shuffle_up(v, 2u);
    v += lane >= 2u ? t : 0u;
    t = shuffle_up(v, 4u);
    v += lane >= 4u ? t : 0u;
    t = shuffle_up(v, 8u);
    v += lane >= 8u ? t : 0u;
    t = shuffle_up(v, 16u);
    v += lane >= 16u ? t : 0u;
    return v;
}

// The words from `next` on lie ready in the lanes, word i in lane i mod 32: `window` is word `held`, `ahead` the one 32 later.
Input source;
uint words, source_shift;
uint next, held;          // next: uniform
uint window, ahead;
uint64_t bits;
uint avail;

uint load_word(uint i) {
    if (i >= words) return 0u;
    uint w = source.word[i];
    if (source_shift != 0u) w = w >> source_shift | source.word[i + 1u] << (32u - source_shift);
    return w;
}

// Refill of all lanes that lack bits, in lane order. `next` may pass `words`, which the caller checks. Returns which word a lane takes, if
// it takes one.
uint refill() {
    bool need = avail < 32u;
    uint needs = ballot(need);
    uint dealt = next + bitCount(needs & below);
    uint word = shuffle(window, dealt);
    if (need) {
        bits |= uint64_t(word) << avail;
        avail += 32u;
    }
    next += bitCount(needs);
    if (held < next) {
        window = ahead;
        held += 32u;
        // What lies beyond the last word is never used: see `next`.
        uint i = held + 32u;
        if (i < words) ahead = source.word[i];
        if (source_shift != 0u) ahead = load_word(i);
    }
    return dealt;
}
void drop(uint count) { bits >>= count; avail -= count; }
uint peek() { return uint(bits); }

const uint LONG_AT = 320u;
const uint LONG_SIZE = 1024u;
const uint LONG_SHIFT = 15u - 4u - ROOT_BITS;
shared uint limits[gl_WorkGroupSize.y * 16u];   // of codewords of 8 to 15 bits: of the literal/length code, then of the distance code
Sorted sorted;

// Where in the order of the format the code-length code's length of each symbol is.
const uint PLACE[19] = uint[](3, 17, 15, 13, 11, 9, 7, 5, 4, 6, 8, 10, 12, 14, 16, 18, 0, 1, 2);

// Odd symbols.
const uint END_OF_BLOCK = 0u, LONGEST = 1u, RESERVED = 2u;

// A symbol's entry but for the length of its codeword; odd ones have 15 there.
uint describe(uint symbol, bool distance) {
    if (!distance && symbol < 256u) return symbol << 8 | 0xF0u;
    if (!distance && symbol == 256u) return END_OF_BLOCK << 8 | 0xFu;
    if (!distance && symbol >= 285u) return (symbol == 285u ? LONGEST : RESERVED) << 8 | 0xFu;
    uint s = distance ? symbol : symbol - 257u;
    uint m = distance ? 1u : 2u;
    uint extra = max(s >> m, 1u) - 1u;
    return (s - (extra << m)) << 8 | extra << 4;
}

// For each half of the lanes by itself.
uint half_inclusive_add(uint v) {
    uint t = shuffle_up(v, 1u);
    v += (lane & 15u) >= 1u ? t : 0u;
    t = shuffle_up(v, 2u);
    v += (lane & 15u) >= 2u ? t : 0u;
    t = shuffle_up(v, 4u);
    v += (lane & 15u) >= 4u ? t : 0u;
    t = shuffle_up(v, 8u);
    v += (lane & 15u) >= 8u ? t : 0u;
    return v;
}

// Of codewords of up to n bits, in lane n of each half, from how many of n bits there are: their number, above how many of all
// codewords of 15 bits begin with one of them. No code's sums fill that.
const uint NUMBER_AT = 23u;
uint sums_of(uint count) { return half_inclusive_add(count << NUMBER_AT | count << (15u - (lane & 15u))); }
uint check_sums(uint sums, uint count, uint code) {
    uint used = shuffle(sums, 15u) & (1u << NUMBER_AT) - 1u;
    uint ones = shuffle(count, 1u);
    if (used > 0x8000u) return OVER_SUBSCRIBED + code;
    if (used != 0x8000u && used != 0u && !(used == 0x4000u && ones == 1u)) return INCOMPLETE + code;
    return OK;
}

// Builds the literal/length code's part of `tables` from code lengths: symbol 9 * lane + k has the k-th nibble of `lengths`. By way of
// shared memory, for subgroup operations cost more here: see above. Until the table is there, its place is for something else, and so is
// the distance code's.
//
// NVIDIA's compiler unrolls what it can count, which takes registers from the whole shader, and so tiles from a multiprocessor. It cannot
// know that there are always more `words`.
uint build_symbols(uint64_t lengths) {
    uint base = row * TABLE_SIZE;
    uint further = base + DISTANCE_AT;
    // How many of a lane's symbols have codewords of n bits: its n-th nibble.
    uint64_t counts = 0ul;
    for (uint k = 0u; k < 9u; k++) counts += 1ul << (uint(lengths >> (4u * k)) & 15u) * 4u;
    for (uint q = 0u; q < 4u; q++) tables[further + 4u * lane + q] = uint16_t(counts >> (16u * q));
    sync();
    // Lane n of each half: how many of the symbols of that half's lanes have.
    uint length = lane & 15u;
    uint from = further + (lane & 16u) * 4u + (length >> 2);
    uint shift = (length & 3u) * 4u;
    uint count = 0u;
    for (uint j = 0u; j < 16u; j++) count += uint(tables[from + 4u * j]) >> shift & 15u;
    if (length == 0u) count = 0u;
    uint other = shuffle(count, lane ^ 16u);
    uint all = count + other;
    uint sums = sums_of(all);
    uint status = check_sums(sums, all, LITERAL_LENGTH);
    if (status != OK) return status;
    uint limit = sums & (1u << NUMBER_AT) - 1u;
    uint place = (sums >> NUMBER_AT) - all;
    uint first = limit - (all << (15u - length)) >> (15u - length);
    // Where each lane's symbols go in `sorted`, by length.
    uint at = place + (lane >= 16u ? other : 0u);
    uint to = base + (lane & 16u) * 16u + length;
    for (uint j = 0u; j < 16u; j++) {
        tables[to + 16u * j] = uint16_t(at);
        if (length != 0u) at += uint(tables[from + 4u * j]) >> shift & 15u;
    }
    sync();
    counts = 0ul;
    for (uint k = 0u; k < min(words, 9u); k++) {
        uint l = (uint(lengths >> (4u * k)) & 15u) * 4u;
        uint before = uint(counts >> l) & 15u;
        counts += 1ul << l;
        if (l != 0u) sorted.symbol[uint(tables[base + 16u * lane + (l >> 2)]) + before] = uint16_t(describe(9u * lane + k, false));
    }
    if (lane < 16u) {
        tables[further + lane] = uint16_t(limit);
        tables[further + 16u + lane] = uint16_t(place - first);
        if (lane >= 8u) limits[row * 16u + lane - 8u] = limit << 16 | (place - first & 0xFFFFu);
    }
    sync();
    uint l1 = uint(tables[further + 1u]), l2 = uint(tables[further + 2u]), l3 = uint(tables[further + 3u]);
    uint l4 = uint(tables[further + 4u]), l5 = uint(tables[further + 5u]), l6 = uint(tables[further + 6u]);
    uint l7 = uint(tables[further + 7u]), l8 = uint(tables[further + 8u]), l9 = uint(tables[further + 9u]);
    for (uint k = 0u; k < min(words, 1u << ROOT_BITS - 5u); k++) {
        uint i = lane + 32u * k;
        uint v = bitfieldReverse(i) >> 17;
        uint l = 1u;
        if (v >= l1) l++;
        if (v >= l2) l++;
        if (v >= l3) l++;
        if (v >= l4) l++;
        if (v >= l5) l++;
        if (v >= l6) l++;
        if (v >= l7) l++;
        if (v >= l8) l++;
        uint entry = 0u;
        if (v < l9) {
            uint s = uint(sorted.symbol[uint(tables[further + 16u + l]) + (v >> (15u - l)) & 0xFFFFu]);
            entry = (s & 0xFu) == 0u ? s | l : (s & 0xFF00u) | l << 4;
        }
        tables[base + i] = uint16_t(entry);
    }
    // Codewords of a few bits more than index the root, by their place behind those that do.
    uint size = min(LONG_SIZE, 0x8000u - l9 >> LONG_SHIFT);
    uint l10 = uint(tables[further + 10u]), l11 = uint(tables[further + 11u]);
    uint l12 = uint(tables[further + 12u]), l13 = uint(tables[further + 13u]);
    for (uint i = lane; i < size; i += 32u) {
        uint v = l9 + (i << LONG_SHIFT);
        uint l = 10u;
        if (v >= l10) l++;
        if (v >= l11) l++;
        if (v >= l12) l++;
        uint entry = 0u;
        if (v < l13) {
            uint s = uint(sorted.symbol[uint(tables[further + 16u + l]) + (v >> (15u - l)) & 0xFFFFu]);
            entry = (s & 0xFu) == 0u ? s | l : (s & 0xFF00u) | l << 4;
        }
        sorted.symbol[LONG_AT + i] = uint16_t(entry);
    }
    return OK;
}

// Builds the distance code's part of `tables`: each lane has the code length of the symbol of its number.
uint build_distances(uint length) {
    uint table = row * TABLE_SIZE + DISTANCE_AT;
    uint b0 = ballot((length & 1u) != 0u), b1 = ballot((length & 2u) != 0u);
    uint b2 = ballot((length & 4u) != 0u), b3 = ballot((length & 8u) != 0u);
    uint peers = ((length & 1u) != 0u ? b0 : ~b0) & ((length & 2u) != 0u ? b1 : ~b1)
        & ((length & 4u) != 0u ? b2 : ~b2) & ((length & 8u) != 0u ? b3 : ~b3);
    uint mine = ((lane & 1u) != 0u ? b0 : ~b0) & ((lane & 2u) != 0u ? b1 : ~b1)
        & ((lane & 4u) != 0u ? b2 : ~b2) & ((lane & 8u) != 0u ? b3 : ~b3);
    uint count = (lane & 15u) == 0u ? 0u : bitCount(mine);
    uint sums = sums_of(count);
    uint status = check_sums(sums, count, DISTANCE);
    if (status != OK) return status;
    uint own = lane & 15u;
    uint limit = sums & (1u << NUMBER_AT) - 1u;
    uint place = (sums >> NUMBER_AT) - count;
    uint first = limit - (count << (15u - own)) >> (15u - own);
    if (lane >= 8u && lane < 16u) limits[row * 16u + lane] = limit << 16 | (place - first & 0xFFFFu);
    uint begins = shuffle(place << 16 | first, length);
    for (uint i = 0u; i < 4u; i++) tables[table + 32u * i + lane] = uint16_t(0);
    sync();
    if (length != 0u) {
        uint rank = bitCount(peers & below);
        uint s = describe(lane, true);
        sorted.symbol[288u + (begins >> 16) + rank] = uint16_t(s);
        if (length <= DISTANCE_BITS) {
            // Wherever the codeword is, whatever bits follow it.
            uint entry = (s & 0xFu) == 0u ? s | length : (s & 0xFF00u) | length << 4;
            for (uint i = bitfieldReverse((begins & 0xFFFFu) + rank) >> (32u - length); i < 1u << DISTANCE_BITS; i += 1u << length)
                tables[table + i] = uint16_t(entry);
        }
    }
    return OK;
}

// Lengths of a dynamic block's codes to `tables`, as 16 bits each.
uint read_lengths(out uint litlen, out uint total) {
    uint header = peek();
    litlen = shuffle((header & 31u) + 257u, 0u);
    total = litlen + shuffle((header >> 5 & 31u) + 1u, 0u);
    uint precodes = shuffle((header >> 10 & 15u) + 4u, 0u);
    if (lane == 0u) drop(14u);
    refill();
    if (next > words) return TRUNCATED;
    uint base = row * TABLE_SIZE;
    uint length = 0u;
    if (lane < precodes) { length = peek() & 7u; drop(3u); }
    refill();
    if (next > words) return TRUNCATED;
    length = shuffle(length, PLACE[min(lane, 18u)]);
    if (lane >= 19u) length = 0u;
    // the code-length code
    uint used = 0u, ones = 0u, code = 0u;
    for (uint l = 1u; l <= 7u; l++) {
        uint peers = ballot(length == l);
        if (length == l) code = (used >> (7u - l)) + bitCount(peers & below);
        if (l == 1u) ones = bitCount(peers);
        used += bitCount(peers) << (7u - l);
    }
    if (used > 128u) return OVER_SUBSCRIBED + CODE_LENGTH;
    if (used != 128u && used != 0u && !(used == 64u && ones == 1u)) return INCOMPLETE + CODE_LENGTH;
    uint precode_at = base + DISTANCE_AT;
    for (uint i = lane; i < 128u; i += 32u) tables[precode_at + i] = uint16_t(0);
    sync();
    if (length != 0u) {
        for (uint i = bitfieldReverse(code) >> (32u - length); i < 128u; i += 1u << length)
            tables[precode_at + i] = uint16_t(lane << 4 | length);
    }
    sync();
    // Runs of zeros are not written.
    for (uint i = lane; i < 320u; i += 32u) tables[base + i] = uint16_t(0);
    sync();
    uint known = 0u;
    // The first refusal, in the order of rounds and then of lanes: reason | round << 8.
    uint refused = 0xFFFFu;
    for (uint round = 0u; round < 10u && known < total; round++) {
        uint b = peek();
        uint entry = uint(tables[precode_at + (b & 127u)]);
        uint len = entry & 15u, symbol = entry >> 4;
        uint extra = symbol < 16u ? 0u : symbol == 16u ? 2u : symbol == 17u ? 3u : 7u;
        uint run = (symbol < 16u ? 1u : symbol == 18u ? 11u : 3u) + (b >> len & (1u << extra) - 1u);
        uint end = inclusive_add(run);
        uint start = known + end - run;
        bool takes = start < total;
        uint value = symbol < 16u ? symbol : 0u;
        // The length before: told by a lane, or in a round before.
        uint teller = ballot(symbol != 16u) & below;
        uint told = shuffle(value, findMSB(teller));
        if (symbol == 16u) value = teller != 0u ? told : known != 0u ? uint(tables[base + known - 1u]) : 16u;
        uint error = OK;
        if (takes) {
            if (len == 0u) error = UNUSED_CODEWORD + CODE_LENGTH;
            else if (value == 16u) error = REPEAT_WITHOUT_LENGTH;
            else if (start + run > total) error = RUN_TOO_LONG;
            else {
                drop(len + extra);
                if (value != 0u) for (uint i = 0u; i < run; i++) tables[base + start + i] = uint16_t(value);
            }
        }
        bool needs = avail < 32u;
        uint dealt = refill();
        if (needs && dealt >= words) error = TRUNCATED;
        if (error != OK && refused == 0xFFFFu) refused = error | round << 8;
        known = min(total, known + shuffle(end, 31u));
        sync();
    }
    uint bad = ballot(refused != 0xFFFFu);
    if (bad != 0u) {
        uint earliest = refused >> 8 << 5 | lane;
        for (uint by = 16u; by > 0u; by >>= 1) earliest = min(earliest, shuffle(earliest, lane ^ by));
        return shuffle(refused, earliest & 31u) & 0xFFu;
    }
    return OK;
}

uint load_tables(bool dynamic, uint litlen, uint total) {
    uint base = row * TABLE_SIZE;
    uint64_t lengths = 0ul;
    uint distance = 5u;
    bool ends = true;
    if (dynamic) {
        for (uint k = 0u; k < 9u; k++) {
            uint symbol = 9u * lane + k;
            if (symbol < litlen) lengths |= uint64_t(tables[base + symbol]) << (4u * k);
        }
        distance = lane < total - litlen ? uint(tables[base + litlen + lane]) : 0u;
        ends = tables[base + 256u] != uint16_t(0);
        sync();
    } else {
        for (uint k = 0u; k < 9u; k++) {
            uint symbol = 9u * lane + k;
            uint length = symbol < 144u ? 8u : symbol < 256u ? 9u : symbol < 280u ? 7u : 8u;
            lengths |= uint64_t(length) << (4u * k);
        }
    }
    uint status = build_symbols(lengths);
    if (status != OK) return status;
    if (!ends) return NO_END_OF_BLOCK;
    sync();
    return build_distances(distance);
}

// Offsets count from the aligned word that holds the first byte.
OutputWords output_words;
OutputBytes output_bytes;
uint first, end;     // offsets of the tile
uint settled;        // offset up to which output is written or reserved

const uint LITERAL = 0x80000000u;


// Symbols of the two rounds to be written, each lane's: where it begins, its bytes, and LITERAL | byte or the distance back.
uint pos_a, size_a, info_a, pos_b, size_b, info_b;

// Writes the first bytes of [at, stop), a window's full at most. Returns where it ends. `fresh`: no symbol begins before `at`.
uint emit_window(uint at, uint stop, const bool fresh) {
    uint window_at = at & ~3u;
    uint window_end = min(window_at + WINDOW, stop);
    if (size_a != 0u && pos_a < window_end && (fresh || pos_a + size_a > at)) marks[row * WINDOW + (fresh ? pos_a : max(pos_a, at)) - window_at] = int8_t(64u | lane);
    if (size_b != 0u && pos_b < window_end && (fresh || pos_b + size_b > at)) marks[row * WINDOW + (fresh ? pos_b : max(pos_b, at)) - window_at] = int8_t(96u | lane);
    sync();
    // Which symbol each byte belongs to: the last mark at or before it.
    uint mark_at = row * WINDOW + 4u * lane;
    uint o0 = uint(marks[mark_at]), o1 = uint(marks[mark_at + 1u]), o2 = uint(marks[mark_at + 2u]), o3 = uint(marks[mark_at + 3u]);
    uint last_mark = o3 != 0u ? o3 : o2 != 0u ? o2 : o1 != 0u ? o1 : o0;
    uint marked = ballot(last_mark != 0u);
    uint carry = shuffle(last_mark, findMSB(marked & below));
    o0 = o0 != 0u ? o0 : carry;
    o1 = o1 != 0u ? o1 : o0;
    o2 = o2 != 0u ? o2 : o1;
    o3 = o3 != 0u ? o3 : o2;
    uint i0 = shuffle(info_a, o0), i1 = shuffle(info_a, o1), i2 = shuffle(info_a, o2), i3 = shuffle(info_a, o3);
    uint j0 = shuffle(info_b, o0), j1 = shuffle(info_b, o1), j2 = shuffle(info_b, o2), j3 = shuffle(info_b, o3);
    if ((o0 & 32u) != 0u) i0 = j0;
    if ((o1 & 32u) != 0u) i1 = j1;
    if ((o2 & 32u) != 0u) i2 = j2;
    if ((o3 & 32u) != 0u) i3 = j3;
    // Bytes before `at` in its word stay as they are: they come from themselves.
    uint p0 = lane == 0u ? at & 3u : 0u;
    uint stay = window_at < first ? LITERAL : 0u;   // the word is then not stored as a whole
    if (p0 > 0u) i0 = stay;
    if (p0 > 1u) i1 = stay;
    if (p0 > 2u) i2 = stay;
    uint off = 4u * lane;
    uint to = window_at + off;
    // Where each byte comes from. A literal's is far above `at`.
    uint f0 = to - i0, f1 = to + 1u - i1, f2 = to + 2u - i2, f3 = to + 3u - i3;
    uint8_t b0 = uint8_t(i0), b1 = uint8_t(i1), b2 = uint8_t(i2), b3 = uint8_t(i3);
    if (f0 < at) b0 = output_bytes.byte[f0];
    if (f1 < at) b1 = output_bytes.byte[f1];
    if (f2 < at) b2 = output_bytes.byte[f2];
    if (f3 < at) b3 = output_bytes.byte[f3];
    // Bytes of matches that come from this very window.
    bool n0 = f0 - at < 128u, n1 = f1 - at < 128u, n2 = f2 - at < 128u, n3 = f3 - at < 128u;
    bool near = min(min(f0 - at, f1 - at), min(f2 - at, f3 - at)) < 128u && to < window_end;
    if (ballot(near) != 0u) {
        // Follow them to where they first appear. A byte: place in the window, negative where that is it.
        int own = int(off) | -128;
        int q0 = n0 ? int(f0 - window_at) : own;
        int q1 = n1 ? int(f1 - window_at) : own | 1;
        int q2 = n2 ? int(f2 - window_at) : own | 2;
        int q3 = n3 ? int(f3 - window_at) : own | 3;
        uint base = row * WINDOW;
        marks[mark_at] = int8_t(q0);
        marks[mark_at + 1u] = int8_t(q1);
        marks[mark_at + 2u] = int8_t(q2);
        marks[mark_at + 3u] = int8_t(q3);
        sync();
        // Pointers only ever lead further down, since no distance is 0, not even one that no symbol has; whoever reads one that has just
        // been shortened reads a good one too.
        while ((q0 & q1 & q2 & q3) >= 0) {
            q0 = int(marks[base + uint(q0 & 127)]);
            q1 = int(marks[base + uint(q1 & 127)]);
            q2 = int(marks[base + uint(q2 & 127)]);
            q3 = int(marks[base + uint(q3 & 127)]);
            marks[mark_at] = int8_t(q0);
            marks[mark_at + 1u] = int8_t(q1);
            marks[mark_at + 2u] = int8_t(q2);
            marks[mark_at + 3u] = int8_t(q3);
        }
        sync();
        marks[mark_at] = int8_t(b0);
        marks[mark_at + 1u] = int8_t(b1);
        marks[mark_at + 2u] = int8_t(b2);
        marks[mark_at + 3u] = int8_t(b3);
        sync();
        b0 = uint8_t(marks[base + uint(q0 & 127)]);
        b1 = uint8_t(marks[base + uint(q1 & 127)]);
        b2 = uint8_t(marks[base + uint(q2 & 127)]);
        b3 = uint8_t(marks[base + uint(q3 & 127)]);
        sync();
    }
    marks[mark_at] = int8_t(0);
    marks[mark_at + 1u] = int8_t(0);
    marks[mark_at + 2u] = int8_t(0);
    marks[mark_at + 3u] = int8_t(0);
    uint value = pack32(u8vec4(b0, b1, b2, b3));
    if (to < window_end) {
        // Bytes beyond the window are overwritten later.
        if (to >= first && to + 4u <= end) output_words.word[to >> 2] = value;
        else {
            if (to >= at) output_bytes.byte[to] = b0;
            if (to + 1u >= at && to + 1u < window_end) output_bytes.byte[to + 1u] = b1;
            if (to + 2u >= at && to + 2u < window_end) output_bytes.byte[to + 2u] = b2;
            if (to + 3u >= at && to + 3u < window_end) output_bytes.byte[to + 3u] = b3;
        }
    }
    sync();
    return window_end;
}

// Writes the whole of [at, stop), long runs faster.
void emit_rest(uint at, uint stop) {
    while (at < stop) {
        if (stop - at > 512u) {
            uint owners_a = ballot(size_a != 0u && pos_a <= at), owners_b = ballot(size_b != 0u && pos_b <= at);
            bool late = owners_b != 0u;
            uint owner = findMSB(late ? owners_b : owners_a);
            uint far = shuffle(late ? info_b : info_a, owner);
            uint from = shuffle(late ? pos_b : pos_a, owner);
            uint until = from + shuffle(late ? size_b : size_a, owner);
            if (until - at >= 128u && far < LITERAL) {
                uint distance = far;
                if (far < 128u) far *= (127u + far) / far;
                if (far <= at - from + distance && at - far >= 4u && at >= 4u) {
                    // Up to three bytes, then whole words.
                    uint head = (0u - at) & 3u;
                    if (lane < head) output_bytes.byte[at + lane] = output_bytes.byte[at + lane - far];
                    at += head;
                    sync();
                    uint turn = (0u - far & 3u) * 8u;
                    uint steps = (until - at) >> 7;
                    for (uint i = 0u; i < steps; i++) {
                        uint to = at + 4u * lane;
                        uint word = output_words.word[(to - far) >> 2];
                        if (turn != 0u) word = word >> turn | output_words.word[(to - far + 3u) >> 2] << (32u - turn);
                        output_words.word[to >> 2] = word;
                        at += 128u;
                        sync();
                    }
                    continue;
                }
            }
        }
        at = emit_window(at, stop, false);
    }
}

uint stored() {
    uint length = shuffle(peek() & 0xFFFFu, 0u);
    if (lane == 0u) drop(16u);
    if (length > end - settled) return OUTPUT_OVERRUN;
    refill();
    if (next > words) return TRUNCATED;
    uint until = settled + length;
    while (settled < until) {
        bool takes = lane < until - settled;
        if (takes) {
            output_bytes.byte[settled + lane] = uint8_t(peek() & 255u);
            drop(8u);
        }
        refill();
        if (next > words) return TRUNCATED;
        settled = min(settled + 32u, until);
    }
    sync();
    return OK;
}

// Reads block headers, and stored blocks, up to where symbols of a compressed block begin. At the end of the tile or its hopes, `over`.
bool last, over, is_static;
uint dynamic_left;
uint next_block() {
    for (;;) {
        if (last) {
            over = true;
            return settled == end ? OK : OUTPUT_SHORT;
        }
        over = true;
        uint header = shuffle(peek() & 7u, 0u);
        if (lane == 0u) drop(3u);
        refill();
        if (next > words) return TRUNCATED;
        last = (header & 1u) != 0u;
        uint type = header >> 1;
        if (type == 3u) return BLOCK_TYPE;
        uint status = OK;
        if (type == 0u) {
            status = stored();
            if (status != OK) return status;
        } else {
            uint litlen = 0u, total = 0u;
            if (type == 2u) {
                if (dynamic_left == 0u) return TOO_MANY_DYNAMIC_BLOCKS;
                dynamic_left--;
                status = read_lengths(litlen, total);
                if (status != OK) return status;
            }
            if (type == 2u || !is_static) {
                status = load_tables(type == 2u, litlen, total);
                if (status != OK) return status;
                sync();
                is_static = type == 1u;
            }
            over = false;
            return OK;
        }
    }
}

// A lane's symbol: its entry, the bits it takes, the literal, length less 3 or distance less 1.
struct Symbol {
    uint entry, used, value;
    bool literal;
};
// In an entry, above what a table has: the block's end; 16 extra bits; what is wrong, in units of `FAULT`.
const uint FINISH = 1u << 16, WIDE_EXTRA = 1u << 17, FAULT = 1u << 20;

// The entry of an odd symbol, or of a codeword too long for the table.
uint decode_odd(uint low, uint entry, bool distance) {
    if (!distance && entry == 0u) {
        uint at = (bitfieldReverse(low) >> 17) - (limits[row * 16u + ROOT_BITS - 8u] >> 16) >> LONG_SHIFT;
        if (at < LONG_SIZE) entry = uint(sorted.symbol[LONG_AT + at]);
    }
    if ((entry & 15u) == 0u) {
        uint length = entry >> 4 & 15u;
        entry |= 15u;
        if (length == 0u) {
            uint v = bitfieldReverse(low) >> 17;
            length = distance ? DISTANCE_BITS + 1u : ROOT_BITS + 1u;
            uint code = row * 16u + (distance ? 0u : 0u - 8u);
            uint limit = limits[code + length];
            while (v >= limit >> 16 && length < 15u) {
                length++;
                limit = limits[code + length];
            }
            if (v >= limit >> 16) entry = FAULT * (UNUSED_CODEWORD + (distance ? DISTANCE : LITERAL_LENGTH)) | 0xF0u;
            else entry = uint(sorted.symbol[(distance ? 288u : 0u) + (limit + (v >> (15u - length)) & 0xFFFFu)]);
        }
        if ((entry & 15u) != 0u) {
            uint kind = entry >> 8;
            entry = kind == END_OF_BLOCK ? FINISH : kind == LONGEST ? WIDE_EXTRA : FAULT * RESERVED_SYMBOL;
        }
        entry |= length;
    }
    return entry;
}

Symbol decode(uint low, bool distance) {
    uint place = distance ? DISTANCE_AT + (low & (1u << DISTANCE_BITS) - 1u) : low & (1u << ROOT_BITS) - 1u;
    uint entry = uint(tables[row * TABLE_SIZE + place]);
    uint extra = entry >> 4 & 15u;
    bool literal = extra == 15u;
    if (literal) extra = 0u;
    if ((entry & 15u) == 0u) {
        entry = decode_odd(low, entry, distance);
        extra = entry >> 4 & 15u;
        literal = extra == 15u;
        if (literal) extra = 0u;
        if ((entry & WIDE_EXTRA) != 0u) extra = 16u;
    }
    Symbol r;
    r.entry = entry;
    r.literal = literal;
    r.used = (entry & 15u) + extra;
    r.value = ((entry >> 8 & 255u) << extra) + (low >> (entry & 15u) & (1u << extra) - 1u);
    return r;
}

const uint SCRATCH_BYTES = 2u * (LONG_AT + LONG_SIZE);

void main() {
    row = WIDE && gl_WorkGroupSize.y > 1u ? gl_SubgroupID : 0u;
    lane = WIDE ? gl_SubgroupInvocationID : gl_LocalInvocationIndex;
    below = (1u << lane) - 1u;
    uint index = gl_WorkGroupID.x * gl_WorkGroupSize.y + row;
    if (index >= batch.tile_count) return;
    sorted = Sorted(batch.scratch + uint64_t(index) * SCRATCH_BYTES);
    Tile tile = Tiles(batch.tiles).tile[index];
    uint verdict = OK;
    if (tile.destination_len == 0u || tile.destination_len > 65536u) verdict = OUTPUT_SIZE;
    else if ((tile.source_len & 3u) != 0u || tile.source_len > 131072u) verdict = PAYLOAD_SIZE;
    else if (tile.source_len < 128u) verdict = TRUNCATED;
    if (verdict != OK) {
        if (lane == 0u) Status(batch.status).word[index] = verdict;
        return;
    }
    words = tile.source_len >> 2;
    source = Input(tile.source & ~3ul);
    source_shift = uint(tile.source & 3ul) * 8u;
    output_words = OutputWords(tile.destination & ~3ul);
    output_bytes = OutputBytes(tile.destination & ~3ul);
    first = uint(tile.destination & 3ul);
    end = first + tile.destination_len;
    settled = first;
    for (uint i = lane; i < WINDOW; i += LANES) marks[row * WINDOW + i] = int8_t(0);
    bits = load_word(lane);
    avail = 32u;
    held = lane + 32u;
    window = load_word(held);
    ahead = load_word(held + 32u);
    next = 32u;
    dynamic_left = DYNAMIC_BLOCKS_BASE + tile.destination_len / BYTES_PER_DYNAMIC_BLOCK;
    is_static = false;
    last = false;
    over = false;
    sync();

    bool open = false;      // uniform: in a compressed block
    // The round before, whose matches' distances this round tells.
    uint prior_at = settled, prior_pos = 0u, prior_size = 0u, prior_value = 0u;
    bool pending = false;
    bool ending = false;    // uniform: only pending lanes have a turn
    uint emitted = settled;
    for (;;) {
        if (!open) {
            verdict = next_block();
            open = true;
            ending = false;
            emitted = settled;
        }
        if (over) {
            if (lane == 0u) Status(batch.status).word[index] = verdict;
            return;
        }
        // Round A, then round B out of the bits that A leaves; one prefix sum and one refill for both.
        Symbol a = decode(peek(), pending);
        bool match_a = !pending && !a.literal;
        uint count_a = pending ? 0u : a.literal ? 1u : a.value + 3u;
        uint used_a = a.used;
        Symbol b = decode(uint(bits >> used_a), match_a);
        bool match_b = !match_a && !b.literal;
        uint count_b = match_a ? 0u : b.literal ? 1u : b.value + 3u;
        uint used_b = b.used;
        uint stops = ballot((a.entry & FINISH) != 0u);
        // A alone where a lane lacks bits for B, a block ends, or sums might not fit 16 bits: it is then B, and A has nothing.
        bool lone = ballot(ending || ((a.entry | b.entry) & (FINISH | WIDE_EXTRA)) != 0u || used_a + used_b > avail) != 0u;
        uint mask = 0xFFFFu;    // of B's part in sums
        if (lone) {
            bool takes = pending || !ending && (stops == 0u || lane <= uint(findLSB(stops)));
            if (!takes) a.entry = 0u;
            used_a = takes ? used_a : 0u;
            count_b = takes && (a.entry & FINISH) == 0u ? count_a : 0u;
            match_b = match_a && count_b != 0u;
            b.value = a.value;
            b.entry = 0u;
            used_b = 0u;
            count_a = 0u;
            match_a = false;
            mask = ~0u;
            if (ending) open = false;
            ending = stops != 0u;
        }
        uint counts = count_b | count_a << 16;
        uint sum = inclusive_add(counts);
        uint total = shuffle(sum, 31u);
        sum -= counts;
        uint at_a = settled + ((sum & ~mask) >> 16);
        uint settled_a = settled + ((total & ~mask) >> 16);
        uint at_b = settled_a + (sum & mask);
        uint settled_b = settled_a + (total & mask);
        // A lane that lacks bits after A, and takes a word, has enough after B.
        uint left = avail - used_a;
        uint rest = left - used_b;
        bool need_a = left < 32u;
        bool need = rest < 32u;
        uint wants_a = ballot(need_a);
        uint wants_b = ballot(need) & ~wants_a;
        uint dealt_b = next + bitCount(wants_a);
        uint deal = (need_a ? next : dealt_b) + bitCount((need_a ? wants_a : wants_b) & below);
        bits >>= used_a;
        bits >>= used_b;
        avail = rest;
        uint word = shuffle(window, deal);
        if (need) {
            bits |= uint64_t(word) << rest;
            avail += 32u;
        }
        next = dealt_b + bitCount(wants_b);
        // As in `refill`; made a function that `refill` calls, this costs NVIDIA's compiler its proofs.
        if (held < next) {
            window = ahead;
            held += 32u;
            // What lies beyond the last word is never used: see `next`.
            uint i = held + 32u;
            if (i < words) ahead = source.word[i];
            if (source_shift != 0u) ahead = load_word(i);
        }
        bool far_a = pending && a.value >= prior_pos - first;
        bool far_b = match_a && b.value >= at_a - first;
        if (ballot(far_a || far_b || max(a.entry, b.entry) >= FAULT) != 0u || settled_b > end || next > words) {
            // Which comes first: faults of A in lane order, then those of B.
            uint fault = a.entry / FAULT;
            if (far_a && fault == OK) fault = DISTANCE_TOO_FAR;
            uint late = b.entry / FAULT;
            if (far_b && late == OK) late = DISTANCE_TOO_FAR;
            if (late == OK && count_b != 0u && at_b + count_b > end) late = OUTPUT_OVERRUN;
            if (late == OK && need && !need_a && deal >= words) late = TRUNCATED;
            if (fault == OK && count_a != 0u && at_a + count_a > end) fault = OUTPUT_OVERRUN;
            if (fault == OK && mask == ~0u) fault = late;
            if (fault == OK && need_a && deal >= words) fault = TRUNCATED;
            uint bad = ballot(fault != OK);
            uint bad_late = ballot(late != OK);
            verdict = shuffle(bad != 0u ? fault : late, findLSB(bad != 0u ? bad : bad_late));
            if (lane == 0u) Status(batch.status).word[index] = verdict;
            return;
        }
        pos_a = prior_pos;
        size_a = prior_size;
        info_a = pending ? a.value + 1u : LITERAL | prior_value;
        pos_b = at_a;
        size_b = count_a;
        info_b = match_a ? b.value + 1u : LITERAL | a.value;
        pending = match_b;
        prior_at = settled_a;
        prior_pos = at_b;
        prior_size = count_b;
        prior_value = b.value;
        settled = settled_b;
        uint at = emit_window(emitted, prior_at, true);
        if (at < prior_at) emit_rest(at, prior_at);
        emitted = prior_at;
    }
}
