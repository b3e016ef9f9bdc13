#version 460
#extension GL_EXT_buffer_reference2 : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_arithmetic : require

#ifndef OUTQ
#define OUTQ coherent
#endif

layout(constant_id = 0) const uint SUBGROUP_SIZE = 32u;
layout(constant_id = 2) const uint DYNAMIC_BLOCKS_BASE = 8u;
layout(constant_id = 3) const uint BYTES_PER_DYNAMIC_BLOCK = 512u;
layout(constant_id = 4) const uint ROOT_BITS = 9u;
layout(local_size_x = 32, local_size_y_id = 1, local_size_z = 1) in;

const bool WIDE = SUBGROUP_SIZE == 32u;
const uint LANES = 32u;
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
layout(buffer_reference, std430, buffer_reference_align = 4) OUTQ buffer OutputWords { uint word[]; };
layout(buffer_reference, std430, buffer_reference_align = 1) OUTQ buffer OutputBytes { uint8_t byte[]; };
layout(buffer_reference, std430, buffer_reference_align = 2) OUTQ buffer Sorted { uint16_t symbol[]; };

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

// ---- shared
shared uint16_t tables[gl_WorkGroupSize.y * TABLE_SIZE];
shared uint marks[gl_WorkGroupSize.y * LANES];
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
uint inclusive_add(uint v) {
    if (WIDE) return subgroupInclusiveAdd(v);
    for (uint d = 1u; d < 32u; d <<= 1u) {
        uint t = shuffle(v, lane - d);
        if (lane >= d) v += t;
    }
    return v;
}

// ---- input
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

// Refill of all lanes that lack bits, in lane order. `next` may pass `words`: check truncated().
uint wants;
void refill() {
    bool need = avail < 32u;
    uint needs = ballot(need);
    uint word = shuffle(window, next + bitCount(needs & below));
    if (need) {
        bits |= uint64_t(word) << avail;
        avail += 32u;
    }
    next += bitCount(needs);
    wants = needs;
    if (held < next) {
        window = ahead;
        held += 32u;
        ahead = load_word(held + 32u);
    }
}
void drop(uint count) { bits >>= count; avail -= count; }
uint peek() { return uint(bits); }

// ---- tables
uint limits;   // lane l: literal/length code, length l; lane 16 + l: distance code
Sorted sorted;

const uint ORDER[19] = uint[](16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15);
// Where the code-length code's length of each symbol is in that order.
const uint PLACE[19] = uint[](3, 17, 15, 13, 11, 9, 7, 5, 4, 6, 8, 10, 12, 14, 16, 18, 0, 1, 2);

// kinds of odd symbols
const uint END_OF_BLOCK = 0u, LONGEST = 1u, RESERVED = 2u;

uint describe(uint symbol, bool distance) {
    if (!distance && symbol < 256u) return symbol << 8 | 0xF0u;
    if (!distance && symbol == 256u) return END_OF_BLOCK << 8 | 0xFu;
    if (!distance && symbol >= 285u) return (symbol == 285u ? LONGEST : RESERVED) << 8 | 0xFu;
    uint s = distance ? symbol : symbol - 257u;
    uint m = distance ? 1u : 2u;
    uint extra = max(s >> m, 1u) - 1u;
    return (s - (extra << m)) << 8 | extra << 4;
}

// Builds a code's part of `tables` from code lengths: symbol 32 * g + lane has the g-th nibble of `lengths`.
uint build(uint64_t lengths, uint groups, bool distance) {
    uint code = distance ? DISTANCE : LITERAL_LENGTH;
    uint count = 0u;   // lane l: symbols with codewords of l bits
    for (uint g = 0u; g < groups; g++) {
        uint length = uint(lengths >> (4u * g)) & 15u;
        uint b0 = ballot((length & 1u) != 0u), b1 = ballot((length & 2u) != 0u);
        uint b2 = ballot((length & 4u) != 0u), b3 = ballot((length & 8u) != 0u);
        uint mine = ((lane & 1u) != 0u ? b0 : ~b0) & ((lane & 2u) != 0u ? b1 : ~b1)
            & ((lane & 4u) != 0u ? b2 : ~b2) & ((lane & 8u) != 0u ? b3 : ~b3);
        count += bitCount(mine);
    }
    if (lane == 0u || lane > 15u) count = 0u;
    uint space = lane <= 15u ? count << (15u - lane) : 0u;
    uint limit = inclusive_add(space);
    uint used = shuffle(limit, 15u);
    uint ones = shuffle(count, 1u);
    if (used > 0x8000u) return OVER_SUBSCRIBED + code;
    if (used != 0x8000u && used != 0u && !(used == 0x4000u && ones == 1u)) return INCOMPLETE + code;
    uint place = inclusive_add(count) - count;   // lane l: where symbols with codewords of l bits begin
    uint first = lane <= 15u ? (limit - space) >> (15u - lane) : 0u;
    uint packed = limit << 16 | (place - first & 0xFFFFu);
    uint base = distance ? 288u : 0u;
    for (uint g = 0u; g < groups; g++) {
        uint length = uint(lengths >> (4u * g)) & 15u;
        uint b0 = ballot((length & 1u) != 0u), b1 = ballot((length & 2u) != 0u);
        uint b2 = ballot((length & 4u) != 0u), b3 = ballot((length & 8u) != 0u);
        uint peers = ((length & 1u) != 0u ? b0 : ~b0) & ((length & 2u) != 0u ? b1 : ~b1)
            & ((length & 4u) != 0u ? b2 : ~b2) & ((length & 8u) != 0u ? b3 : ~b3);
        uint mine = ((lane & 1u) != 0u ? b0 : ~b0) & ((lane & 2u) != 0u ? b1 : ~b1)
            & ((lane & 4u) != 0u ? b2 : ~b2) & ((lane & 8u) != 0u ? b3 : ~b3);
        uint at = shuffle(place, length) + bitCount(peers & below);
        if (length != 0u) sorted.symbol[base + at] = uint16_t(describe(g * 32u + lane, distance));
        place += bitCount(mine);
    }
    uint moved = shuffle(packed, lane & 15u);
    if (distance == (lane >= 16u)) limits = moved;
    sync();
    uint root = distance ? DISTANCE_BITS : ROOT_BITS;
    uint table = row * TABLE_SIZE + (distance ? DISTANCE_AT : 0u);
    for (uint i = lane; i < 1u << root; i += 32u) {
        uint v = bitfieldReverse(i) >> 17;
        uint length = 1u;
        for (uint l = 1u; l <= root; l++) length += v >= shuffle(packed, l) >> 16 ? 1u : 0u;
        uint p = shuffle(packed, length);
        uint entry = 0u;
        if (length <= root) {
            uint s = uint(sorted.symbol[base + (p + (v >> (15u - length)) & 0xFFFFu)]);
            entry = (s & 0xFu) == 0u ? s | length : (s & 0xFF00u) | length << 4;
        }
        tables[table + i] = uint16_t(entry);
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
    uint known = 0u;
    uint before = 16u;   // no length yet
    for (uint round = 0u; round < 10u && known < total; round++) {
        uint b = peek();
        uint entry = uint(tables[precode_at + (b & 127u)]);
        uint len = entry & 15u, symbol = entry >> 4;
        uint extra = symbol < 16u ? 0u : symbol == 16u ? 2u : symbol == 17u ? 3u : 7u;
        uint run = (symbol < 16u ? 1u : symbol == 18u ? 11u : 3u) + (b >> len & (1u << extra) - 1u);
        uint end = inclusive_add(run);
        uint start = known + end - run;
        bool takes = start < total;
        // the length before
        uint tells = ballot(symbol != 16u);
        uint value = symbol < 16u ? symbol : 0u;
        uint teller = tells & below;
        uint last = shuffle(value, findMSB(tells));
        uint told = shuffle(value, findMSB(teller));
        if (symbol == 16u) value = teller != 0u ? told : before;
        uint error = OK;
        if (takes) {
            if (len == 0u) error = UNUSED_CODEWORD + CODE_LENGTH;
            else if (value == 16u) error = REPEAT_WITHOUT_LENGTH;
            else if (start + run > total) error = RUN_TOO_LONG;
            else {
                drop(len + extra);
                for (uint i = 0u; i < run; i++) tables[base + start + i] = uint16_t(value);
            }
        }
        if (tells != 0u) before = last;
        uint missing = bitCount(ballot(takes && avail < 32u) & below);
        if (error == OK && takes && avail < 32u && next + missing >= words) error = TRUNCATED;
        uint bad = ballot(error != OK);
        if (bad != 0u) return shuffle(error, findLSB(bad));
        refill();
        known = min(total, known + shuffle(end, 31u));
    }
    sync();
    return OK;
}

uint load_tables(bool dynamic, uint litlen, uint total) {
    uint base = row * TABLE_SIZE;
    uint64_t lengths = 0ul;
    uint distance = 5u;
    if (dynamic) {
        for (uint g = 0u; g < 9u; g++) {
            uint symbol = g * 32u + lane;
            if (symbol < litlen) lengths |= uint64_t(tables[base + symbol]) << (4u * g);
        }
        distance = lane < total - litlen ? uint(tables[base + litlen + lane]) : 0u;
        sync();
    } else {
        for (uint g = 0u; g < 9u; g++) {
            uint symbol = g * 32u + lane;
            uint length = symbol < 144u ? 8u : symbol < 256u ? 9u : symbol < 280u ? 7u : 8u;
            lengths |= uint64_t(length) << (4u * g);
        }
    }
    uint status = build(lengths, 9u, false);
    if (status != OK) return status;
    if (shuffle(uint(lengths >> 32) & 15u, 0u) == 0u) return NO_END_OF_BLOCK;
    return build(uint64_t(distance), 1u, true);
}

// ---- output: offsets count from the aligned word that holds the first byte
OutputWords output_words;
OutputBytes output_bytes;
uint first, end;     // offsets of the tile
uint settled;        // offset up to which output is written or reserved

const uint LITERAL = 0x80000000u;

// Writes [at, stop): each lane's symbol begins at `pos`, is `size` bytes, and is a literal or goes back a distance.
void emit(uint at, uint stop, uint pos, uint size, uint info) {
    uint mark_row = row * LANES;
    while (at < stop) {
#ifndef NO_RUNS
        if (stop - at > 160u) {
            uint owner = findMSB(ballot(size != 0u && pos <= at));
            uint far = shuffle(info, owner);
            uint from = shuffle(pos, owner);
            uint until = from + shuffle(size, owner);
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
#endif
        uint window_at = at & ~3u;
        uint window_end = min(window_at + 128u, stop);
        if (size != 0u && pos < window_end && pos + size > at) {
            uint rel = max(pos, at) - window_at;
            atomicOr(marks[mark_row + (rel >> 2)], (32u | lane) << ((rel & 3u) * 8u));
        }
        sync();
        uint s = marks[mark_row + lane];
        marks[mark_row + lane] = 0u;
        uint marked = ballot(s != 0u);
        uint last_mark = s >> (findMSB(s) & 24);
        uint carry = shuffle(last_mark, findMSB(marked & below));
        uint o0 = s & 255u, o1 = s >> 8 & 255u, o2 = s >> 16 & 255u, o3 = s >> 24;
        o0 = o0 != 0u ? o0 : carry;
        o1 = o1 != 0u ? o1 : o0;
        o2 = o2 != 0u ? o2 : o1;
        o3 = o3 != 0u ? o3 : o2;
        uint i0 = shuffle(info, o0), i1 = shuffle(info, o1), i2 = shuffle(info, o2), i3 = shuffle(info, o3);
        // Bytes before `at` in its word are nobody's.
        uint p0 = lane == 0u ? at & 3u : 0u;
        if (p0 > 0u) i0 = LITERAL;
        if (p0 > 1u) i1 = LITERAL;
        if (p0 > 2u) i2 = LITERAL;
        uint off = 4u * lane;
        uint to = window_at + off;
        // Where each byte comes from. A literal's is far above `at`.
        uint f0 = to - i0, f1 = to + 1u - i1, f2 = to + 2u - i2, f3 = to + 3u - i3;
        uint b0 = i0 & 255u, b1 = i1 & 255u, b2 = i2 & 255u, b3 = i3 & 255u;
        if (f0 < at) b0 = uint(output_bytes.byte[f0]);
        if (f1 < at) b1 = uint(output_bytes.byte[f1]);
        if (f2 < at) b2 = uint(output_bytes.byte[f2]);
        if (f3 < at) b3 = uint(output_bytes.byte[f3]);
        // Bytes that come from this window: those of matches that do not come from before it.
        bool n0 = i0 < LITERAL && f0 >= at, n1 = i1 < LITERAL && f1 >= at;
        bool n2 = i2 < LITERAL && f2 >= at, n3 = i3 < LITERAL && f3 >= at;
        uint value;
#ifndef NO_JUMP
        if (ballot((n0 || n1 || n2 || n3) && to < window_end) != 0u) {
            uint q0 = n0 ? f0 - window_at & 127u : off | 128u;
            uint q1 = n1 ? f1 - window_at & 127u : off + 1u | 128u;
            uint q2 = n2 ? f2 - window_at & 127u : off + 2u | 128u;
            uint q3 = n3 ? f3 - window_at & 127u : off + 3u | 128u;
            for (uint step = 0u; step < 8u; step++) {
                uint q = q0 | q1 << 8 | q2 << 16 | q3 << 24;
                q0 = shuffle(q, q0 >> 2) >> ((q0 & 3u) * 8u) & 255u;
                q1 = shuffle(q, q1 >> 2) >> ((q1 & 3u) * 8u) & 255u;
                q2 = shuffle(q, q2 >> 2) >> ((q2 & 3u) * 8u) & 255u;
                q3 = shuffle(q, q3 >> 2) >> ((q3 & 3u) * 8u) & 255u;
                if (ballot((q0 & q1 & q2 & q3) < 128u) == 0u) break;
            }
            value = b0 | b1 << 8 | b2 << 16 | b3 << 24;
            b0 = shuffle(value, q0 >> 2) >> ((q0 & 3u) * 8u) & 255u;
            b1 = shuffle(value, q1 >> 2) >> ((q1 & 3u) * 8u) & 255u;
            b2 = shuffle(value, q2 >> 2) >> ((q2 & 3u) * 8u) & 255u;
            b3 = shuffle(value, q3 >> 2) >> ((q3 & 3u) * 8u) & 255u;
        }
#endif
        value = b0 | b1 << 8 | b2 << 16 | b3 << 24;
        if (to >= at && to + 4u <= window_end) output_words.word[to >> 2] = value;
        else {
            if (to >= at && to < window_end) output_bytes.byte[to] = uint8_t(b0);
            if (to + 1u >= at && to + 1u < window_end) output_bytes.byte[to + 1u] = uint8_t(b1);
            if (to + 2u >= at && to + 2u < window_end) output_bytes.byte[to + 2u] = uint8_t(b2);
            if (to + 3u >= at && to + 3u < window_end) output_bytes.byte[to + 3u] = uint8_t(b3);
        }
        at = window_end;
        sync();
    }
}

// Decodes the symbols of a block whose tables are loaded.
uint compressed() {
    // The round before, whose matches' distances this round tells.
    uint prior_at = settled, prior_pos = 0u, prior_size = 0u, prior_value = 0u;
    bool pending = false;
    bool matches = false;   // uniform: a lane is pending
    bool ending = false;    // uniform: only pending lanes have a turn
    uint table = row * TABLE_SIZE;
    for (;;) {
        bool takes = pending || !ending;
        uint low = peek();
        uint index = pending ? DISTANCE_AT + (low & (1u << DISTANCE_BITS) - 1u) : low & (1u << ROOT_BITS) - 1u;
        uint entry = uint(tables[table + index]);
        uint length = entry & 15u, extra = entry >> 4 & 15u, base = entry >> 8;
        bool literal = extra == 15u;
        if (literal) extra = 0u;
        uint fault = OK;
        bool finish = false;
        uint ends = 0u;
        bool odd = takes && length == 0u;
        if (ballot(odd) != 0u) {
            uint v = bitfieldReverse(low) >> 17;
            bool search = odd && extra == 0u;
            uint code = pending ? 16u : 0u;
            uint l = pending ? DISTANCE_BITS + 1u : ROOT_BITS + 1u;
            uint limit = 0u;
            bool more = search;
            for (uint i = 0u; i < 16u; i++) {
                uint here = shuffle(limits, code + l);
                if (more) limit = here;
                more = more && v >= limit >> 16 && l < 15u;
                if (ballot(more) == 0u) break;
                if (more) l++;
            }
            if (odd) {
                uint s = base << 8 | 15u;
                length = extra;
                if (search) {
                    length = l;
                    if (v >= limit >> 16) {
                        fault = UNUSED_CODEWORD + (pending ? DISTANCE : LITERAL_LENGTH);
                        s = 0xF0u;
                    } else {
                        s = uint(sorted.symbol[(pending ? 288u : 0u) + (limit + (v >> (15u - l)) & 0xFFFFu)]);
                    }
                }
                extra = s >> 4 & 15u;
                base = s >> 8;
                literal = extra == 15u;
                if (literal) extra = 0u;
                if ((s & 15u) != 0u) {
                    finish = base == END_OF_BLOCK;
                    if (base == LONGEST) extra = 16u;
                    if (base == RESERVED) fault = RESERVED_SYMBOL;
                    base = 0u;
                }
            }
            ends = ballot(finish);
            if (ends != 0u) {
                takes = pending || lane <= findLSB(ends);
                if (!takes) fault = OK;
            }
        }
        uint fresh = (base << extra) + (low >> length & (1u << extra) - 1u);
        drop(takes ? length + extra : 0u);
        bool symbol = takes && !pending && !finish;
        bool match = symbol && !literal;
        uint size = match ? fresh + 3u : symbol ? 1u : 0u;

        bool fresh_matches = ballot(match) != 0u;
        uint pos, total;
        if (fresh_matches) {
            uint sum = inclusive_add(size);
            pos = settled + sum - size;
            total = shuffle(sum, 31u);
        } else {
            uint some = ballot(symbol);
            pos = settled + bitCount(some & below);
            total = bitCount(some);
        }

        if (pending && fresh >= prior_pos - first && fault == OK) fault = DISTANCE_TOO_FAR;
        uint dealt = next;
        refill();
        if (ballot(fault != OK) != 0u || settled + total > end || next > words) {
            bool needed = (wants & 1u << lane) != 0u;
            if (fault == OK && size != 0u && pos + size > end) fault = OUTPUT_OVERRUN;
            if (fault == OK && needed && dealt + bitCount(wants & below) >= words) fault = TRUNCATED;
            return shuffle(fault, findLSB(ballot(fault != OK)));
        }

        if (matches) {
            emit(prior_at, settled, prior_pos, prior_size, pending ? fresh + 1u : LITERAL | prior_value);
        } else {
            if (prior_size != 0u) output_bytes.byte[prior_pos] = uint8_t(prior_value);
            sync();
        }
        if (ending) return OK;
        ending = ends != 0u;
        pending = match;
        matches = fresh_matches;
        prior_at = settled;
        prior_pos = pos;
        prior_size = size;
        prior_value = fresh;
        settled += total;
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

uint decode(Tile tile) {
    if (tile.destination_len == 0u || tile.destination_len > 65536u) return OUTPUT_SIZE;
    if ((tile.source_len & 3u) != 0u || tile.source_len > 131072u) return PAYLOAD_SIZE;
    words = tile.source_len >> 2;
    if (words < 32u) return TRUNCATED;
    source = Input(tile.source & ~3ul);
    source_shift = uint(tile.source & 3ul) * 8u;
    output_words = OutputWords(tile.destination & ~3ul);
    output_bytes = OutputBytes(tile.destination & ~3ul);
    first = uint(tile.destination & 3ul);
    end = first + tile.destination_len;
    settled = first;
    marks[row * LANES + lane] = 0u;
    bits = load_word(lane);
    avail = 32u;
    held = lane + 32u;
    window = load_word(held);
    ahead = load_word(held + 32u);
    next = 32u;
    uint dynamic_left = DYNAMIC_BLOCKS_BASE + tile.destination_len / BYTES_PER_DYNAMIC_BLOCK;
    bool is_static = false;
    sync();
    for (;;) {
        uint header = shuffle(peek() & 7u, 0u);
        if (lane == 0u) drop(3u);
        refill();
        if (next > words) return TRUNCATED;
        uint type = header >> 1;
        uint status;
        if (type == 0u) {
            status = stored();
        } else if (type == 3u) {
            return BLOCK_TYPE;
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
            status = compressed();
        }
        if (status != OK) return status;
        if ((header & 1u) != 0u) break;
    }
    return settled == end ? OK : OUTPUT_SHORT;
}

const uint SCRATCH_BYTES = 640u;

void main() {
    row = WIDE ? gl_SubgroupID : 0u;
    lane = WIDE ? gl_SubgroupInvocationID : gl_LocalInvocationIndex;
    below = (1u << lane) - 1u;
    uint index = gl_WorkGroupID.x * gl_WorkGroupSize.y + row;
    if (index >= batch.tile_count) return;
    sorted = Sorted(batch.scratch + uint64_t(index) * SCRATCH_BYTES);
    uint status = decode(Tiles(batch.tiles).tile[index]);
    if (lane == 0u) Status(batch.status).word[index] = status;
}
