//! Rounds with NEON: four lanes in a vector.
//!
//! Every AArch64 target with floating point has NEON: there is nothing to detect at run time.
//!
//! There are no gathers, so entries are loaded one by one. There are no masks in registers of their own either: sums of neighbours
//! collect them from vectors, and a multiplication turns counts into running totals.

#![allow(unsafe_code)]

use core::arch::aarch64::*;
use core::hint;

use super::output;
use super::wide::{self, Round, SplitLanes, Step};
use crate::decode::entry;
use crate::decode::lanes::Deal;
use crate::decode::stored::{TURNS, dealing_order};
use crate::decode::table::{DISTANCE_AT, ROOT_BITS, Tables};
use crate::decode::tile::TileDecoder;
use crate::format::{LANES, MIN_MATCH, WORD};

/// Proof that the machine has the instructions that this module uses: that it was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    pub(crate) const fn detect() -> Option<Self> {
        Some(Self(()))
    }

    /// Decodes rounds from the start of a block's symbols for as long as they are ordinary.
    pub(in crate::decode) fn run<W>(self, tile: &mut TileDecoder<'_, '_, '_, W>) {
        const { assert!(cfg!(target_feature = "neon")) }
        // SAFETY: the target has the feature, as just asserted.
        unsafe { run(tile) }
    }

    /// Decodes most of a stored block.
    pub(in crate::decode) fn run_stored(self, deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
        const { assert!(cfg!(target_feature = "neon")) }
        // SAFETY: the target has the feature, as just asserted.
        unsafe { run_stored(deal, out) }
    }
}

/// Lanes in a vector.
const QUAD: usize = 4;

/// Vectors that hold all lanes.
const QUADS: usize = LANES / QUAD;

/// Vectors that hold all lanes where an element has half the bits.
const EIGHTS: usize = QUADS / 2;

/// A one in each byte: multiplying by it gives each byte the sum of those up to it.
const SUM_UP: u64 = 0x0101_0101_0101_0101;

// With registers of its own, like the variants that cannot be inlined.
#[inline(never)]
#[target_feature(enable = "neon")]
fn run<W>(tile: &mut TileDecoder<'_, '_, '_, W>) {
    // Three vectors for each four lanes are too many for the registers, so the lanes live in memory: in two copies, of which a round
    // reads one and fills the other.
    let mut copies = [SplitLanes::from(&tile.deal.lanes), SplitLanes::EMPTY];
    let opaque = Opaque::new();
    let last = wide::run(
        tile,
        0,
        |tables, &current, before, words, round| {
            let [lanes, after] = copies.get_disjoint_mut([current, 1 - current]).ok()?;
            let step = decode(tables, lanes, after, before, words, round, &opaque)?;
            Some(Step { lanes: 1 - current, ..step })
        },
        |out, round, after| {
            let literals_before = |round: &Round, lane| usize::from(round.literals[LANES + lane as usize]);
            let shuffle = |bytes: [u8; 16], order: &[u8; 16]| shuffle(bytes, order);
            // SAFETY: the running total of the lanes that hold literals: at most 32, and it only grows.
            unsafe { output::write(out, round, after, literals_before, shuffle) };
        },
    );
    tile.deal.lanes = (&copies[last]).into();
}

/// As [`stored::run`](crate::decode::stored::run).
#[target_feature(enable = "neon")]
fn run_stored(deal: &mut Deal<'_>, out: &mut [u8]) -> usize {
    let order = dealing_order(&deal.lanes.spare).map(u32::from);
    let mut lanes = SplitLanes::from(&deal.lanes);
    let mut low: [_; QUADS] = quads(&lanes.low).each_ref().map(|low| load(low));
    let mut high: [_; QUADS] = quads(&lanes.high).each_ref().map(|high| load(high));
    let left = quads(&lanes.spare).each_ref().map(|spare| vreinterpretq_s32_u32(load(spare)));
    let right = left.map(|left| vsubq_s32(left, vdupq_n_s32(32)));

    let (groups, _) = out.as_chunks_mut::<{ LANES * TURNS }>();
    let (words, _) = deal.words[deal.next..].as_chunks::<LANES>();
    let fours = groups.len().min(words.len());
    for (group, words) in groups.iter_mut().zip(words) {
        let (even, odd) = (lower_halves(&low), upper_halves(&low));
        let turns = [narrow(&even), narrow_high(&even), narrow(&odd), narrow_high(&odd)];
        for (bytes, place) in turns.as_flattened().iter().zip(group.as_chunks_mut().0) {
            store_16(*bytes, place);
        }
        let words = permute(words, &order);
        low = core::array::from_fn(|quad| vorrq_u32(high[quad], vshlq_u32(words[quad], left[quad])));
        high = core::array::from_fn(|quad| vshlq_u32(words[quad], right[quad]));
    }

    let (places, _) = lanes.low.as_chunks_mut();
    places.iter_mut().zip(low).for_each(|(place, low)| store(low, place));
    let (places, _) = lanes.high.as_chunks_mut();
    places.iter_mut().zip(high).for_each(|(place, high)| store(high, place));
    deal.lanes = (&lanes).into();
    deal.next += fours * LANES;
    fours * LANES * TURNS
}

/// For each lane the word at its place in `order`.
#[inline]
#[target_feature(enable = "neon")]
fn permute(words: &[[u8; WORD]; LANES], order: &[u32; LANES]) -> [uint32x4_t; QUADS] {
    let (words, _) = words.as_flattened().as_chunks();
    let [low, high] = [[0, 1, 2, 3], [4, 5, 6, 7]].map(|half| {
        let [a, b, c, d] = half.map(|at| load_16(&words[at]));
        uint8x16x4_t(a, b, c, d)
    });
    quads(order).each_ref().map(|order| {
        // The place of each byte: four times the word's, and 0 to 3.
        let within = vdupq_n_u32(u32::from_le_bytes([0, 1, 2, 3]));
        let index = vmlaq_n_u32(within, load(order), u32::from_le_bytes([4; WORD]));
        let index = vreinterpretq_u8_u32(index);
        let from_low = vqtbl4q_u8(low, index);
        vreinterpretq_u32_u8(vqtbx4q_u8(from_low, high, vsubq_u8(index, vdupq_n_u8(64))))
    })
}

/// Constants that the compiler must not know.
///
/// Where it does, it replaces what is written here by what it takes for cheaper and is not: a sum of neighbours by one shuffle and one
/// addition for each step, a mask of a vector by masks of its elements one by one. Hidden, `addp` and `orn` remain: instructions saved in
/// every round, as `docs/decoder-performance.md` tells. No result depends on that: they are what [`new`](Self::new) says, hidden or not.
#[derive(Clone, Copy)]
struct Opaque {
    /// What lanes weigh in a sum of four: a bit each in the lower half of a byte, and 1 in the upper half, which counts them.
    quads: uint8x16_t,
    /// What lanes weigh in a sum of eight: a bit each.
    eights: uint8x16_t,
    /// The bits that index the first level of a table.
    root: uint16x8_t,
    /// The highest three bits of a byte.
    high_three: uint32x4_t,
}

impl Opaque {
    #[target_feature(enable = "neon")]
    fn new() -> Self {
        // Once a block, not once a round: what it costs, a trip through memory, is nothing then.
        hint::black_box(Self {
            quads: vreinterpretq_u8_u32(vdupq_n_u32(u32::from_le_bytes([0x11, 0x12, 0x14, 0x18]))),
            eights: vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201)),
            root: vdupq_n_u16((1 << ROOT_BITS) - 1),
            high_three: vdupq_n_u32(0xE0),
        })
    }
}

/// Takes the turns of one round, from `lanes` to the lanes `after` it.
#[inline]
#[target_feature(enable = "neon")]
fn decode(
    tables: &Tables,
    lanes: &SplitLanes,
    after: &mut SplitLanes,
    before: &Round,
    words: &[[u8; WORD]; LANES],
    round: &mut Round,
    opaque: &Opaque,
) -> Option<Step<usize>> {
    let mut entries = look_up(tables, &lanes.low, &before.turns, opaque);
    if any_odd(&entries) {
        entries = look_up_long(tables, &lanes.low, &entries);
        if any_odd(&entries) {
            return None;
        }
    }

    // Fewer than none, where a lane needs a word.
    let spare: [_; QUADS] =
        core::array::from_fn(|quad| vsubq_u32(load(&quads(&lanes.spare)[quad]), drop(entries[quad])));
    let kinds = upper_halves(&entries);
    let kind_bytes = narrow_high(&kinds);
    let Masks { needs, literal, matches } = masks(&narrow(&lower_halves(&spare)), &kind_bytes, opaque);
    // By the end of each four lanes, how many bytes of words are dealt: 4 times 32 at most.
    let dealt = ((needs >> 2) & (0x1C * SUM_UP)).wrapping_mul(SUM_UP);

    let mut turns = [vdupq_n_u32(0); QUADS];
    // By twos: neighbours are stored together.
    for pair in 0..QUADS / 2 {
        let new = [2 * pair, 2 * pair + 1].map(|quad| {
            let from = ((dealt << 8) >> (8 * quad)) as u8;
            // SAFETY: `opaque.quads` counts up to 4 words for each four lanes before these: 16 bytes more end by the 128th.
            let next = unsafe { load_16_at(words.as_flattened(), from.into()) };
            let needs = (needs >> (8 * quad)) as usize % EXPAND.len();
            let words = vreinterpretq_u32_u8(vqtbl1q_u8(next, load_16(&EXPAND[needs])));

            let (low, high) = (load(&quads(&lanes.low)[quad]), load(&quads(&lanes.high)[quad]));
            let down = vnegq_s32(vreinterpretq_s32_u32(drop(entries[quad])));
            let rest = vaddq_s32(down, vdupq_n_s32(32));
            turns[quad] = with_extra(entries[quad], vshlq_u32(low, rest), opaque);

            // Where a lane needs a word, all bits that it has are in the lower part, 32 more than are spare.
            let spare = spare[quad];
            let left = vandq_u32(spare, vdupq_n_u32(31));
            let new_low = vorrq_u32(vshlq_u32(low, down), vshlq_u32(high, rest));
            let new_low = vorrq_u32(new_low, vshlq_u32(words, vreinterpretq_s32_u32(left)));
            let new_high = vorrq_u32(vshlq_u32(high, down), vshlq_u32(words, vreinterpretq_s32_u32(spare)));
            [turns[quad], new_low, new_high, left]
        });
        let places = [&mut round.turns, &mut after.low, &mut after.high, &mut after.spare];
        for (at, place) in places.into_iter().enumerate() {
            let (quads, _) = place.as_chunks_mut();
            store(new[0][at], &mut quads[2 * pair]);
            store(new[1][at], &mut quads[2 * pair + 1]);
        }
    }

    let values = lower_halves(&turns);
    let (lengths, farthest) = sum_up(&values, &kinds);
    let literals = store_literals(&narrow(&values), &kind_bytes, literal, round);
    round.literal = literal;
    round.matches = matches;

    let dealt = (dealt >> 56) as usize / WORD;
    let size = lengths + MIN_MATCH * matches.count_ones() as usize + literals;
    // A value is a distance less one. That of a literal or a length may mislead: it only asks for a closer look.
    Some(Step { lanes: 0, dealt, size, far: farthest >= before.start })
}

/// The first-level entries that the lanes' bits point to: in the distance table where the turn before was a length.
#[inline]
#[target_feature(enable = "neon")]
fn look_up(
    tables: &Tables,
    low: &[u32; LANES],
    before: &[u32; LANES],
    opaque: &Opaque,
) -> [uint32x4_t; QUADS] {
    let mut entries = [vdupq_n_u32(0); QUADS];
    let low = lower_halves(&quads(low).each_ref().map(|low| load(low)));
    let before = upper_halves(&quads(before).each_ref().map(|before| load(before)));
    for eight in 0..EIGHTS {
        let table = vandq_u16(before[eight], vdupq_n_u16(DISTANCE_AT as u16));
        let index = vreinterpretq_u64_u16(vbslq_u16(opaque.root, low[eight], table));
        let indices = [vgetq_lane_u64::<0>(index), vgetq_lane_u64::<1>(index)];
        for (quad, indices) in indices.into_iter().enumerate() {
            let entry = |lane: usize| {
                let index = usize::from((indices >> (16 * lane)) as u16);
                debug_assert!(index < tables.entries.len());
                // SAFETY: an index is the bits of `opaque.root`, `ROOT_BITS` of them, and perhaps the bit that is `DISTANCE_AT`.
                unsafe { *tables.entries.get_unchecked(index) }
            };
            entries[2 * eight + quad] = load(&[entry(0), entry(1), entry(2), entry(3)]);
        }
    }
    entries
}

/// Follows entries that point to subtables.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_long(tables: &Tables, low: &[u32; LANES], entries: &[uint32x4_t; QUADS]) -> [uint32x4_t; QUADS] {
    let mut followed = [0; LANES];
    for (quad, followed) in followed.as_chunks_mut().0.iter_mut().enumerate() {
        store(entries[quad], followed);
    }
    for (entry, &low) in followed.iter_mut().zip(low) {
        *entry = tables.follow(*entry, low.into());
    }
    quads(&followed).each_ref().map(|followed| load(followed))
}

#[inline]
#[target_feature(enable = "neon")]
fn any_odd(entries: &[uint32x4_t; QUADS]) -> bool {
    let any = entries.iter().fold(vdupq_n_u32(0), |any, &entries| vorrq_u32(any, entries));
    vmaxvq_u32(vandq_u32(any, vdupq_n_u32(entry::ODD))) != 0
}

/// The number of bits that each turn drops.
#[inline]
#[target_feature(enable = "neon")]
fn drop(entries: uint32x4_t) -> uint32x4_t {
    vandq_u32(vshrq_n_u32::<{ entry::DROP_AT as i32 }>(entries), vdupq_n_u32(31))
}

/// [`entry::with_extra`], given the bits to drop in the highest place of each element.
///
/// Shifts are by the lowest byte of an element, to the right where it is negative, and may be by 32.
#[inline]
#[target_feature(enable = "neon")]
fn with_extra(entries: uint32x4_t, dropped: uint32x4_t, opaque: &Opaque) -> uint32x4_t {
    // The entry's shift is 63 less the number of extra bits: inverted, its lower five bits are that number. What is
    // wanted is 32 less.
    let shift = vornq_u32(opaque.high_three, vshrq_n_u32::<{ entry::SHIFT_AT as i32 }>(entries));
    vaddq_u32(entries, vshlq_u32(dropped, vreinterpretq_s32_u32(shift)))
}

/// What is known of a round's turns, a bit a lane.
struct Masks {
    /// Lanes in need of a word, four of them in the lower half of each byte; in the upper half, how many they are.
    needs: u64,
    literal: u32,
    matches: u32,
}

/// Sums up signs of `spare` and flags of the `kinds`, the highest bytes of entries.
#[inline]
#[target_feature(enable = "neon")]
fn masks(spare: &[uint8x16_t; 2], kinds: &[uint8x16_t; 2], opaque: &Opaque) -> Masks {
    let kinds = kinds.map(|kinds| vreinterpretq_s8_u8(kinds));
    // The highest bit marks a literal, so of the others those that are no less than `LENGTH` are lengths.
    let below_length = vdupq_n_s8((entry::LENGTH >> 24) as i8 - 1);
    let needs = spare.map(|spare| vandq_u8(vcltzq_s8(vreinterpretq_s8_u8(spare)), opaque.quads));
    let literal = kinds.map(|kinds| vandq_u8(vcltzq_s8(kinds), opaque.eights));
    let matches = kinds.map(|kinds| vandq_u8(vcgtq_s8(kinds, below_length), opaque.eights));
    let needs = vpaddq_u8(needs[0], needs[1]);
    let flags = vpaddq_u8(vpaddq_u8(literal[0], literal[1]), vpaddq_u8(matches[0], matches[1]));
    let sums = vreinterpretq_u64_u8(vpaddq_u8(needs, flags));
    let flags = vgetq_lane_u64::<1>(sums);
    Masks { needs: vgetq_lane_u64::<0>(sums), literal: flags as u32, matches: (flags >> 32) as u32 }
}

/// For each set of four lanes in need, which of the next bytes each gets: none where it needs none.
static EXPAND: [[u8; 16]; 1 << QUAD] = {
    let mut orders = [[u8::MAX; 16]; 1 << QUAD];
    let mut needs = 0;
    while needs < orders.len() {
        let (mut at, mut next) = (0, 0);
        while at < 16 {
            if needs >> (at / WORD) & 1 != 0 {
                orders[needs][at] = next;
                next += 1;
            }
            at += 1;
        }
        needs += 1;
    }
    orders
};

/// The lower halves of elements.
#[inline]
#[target_feature(enable = "neon")]
fn lower_halves(wide: &[uint32x4_t; QUADS]) -> [uint16x8_t; EIGHTS] {
    let wide = wide.map(|wide| vreinterpretq_u16_u32(wide));
    core::array::from_fn(|at| vuzp1q_u16(wide[2 * at], wide[2 * at + 1]))
}

/// The upper halves of elements.
#[inline]
#[target_feature(enable = "neon")]
fn upper_halves(wide: &[uint32x4_t; QUADS]) -> [uint16x8_t; EIGHTS] {
    let wide = wide.map(|wide| vreinterpretq_u16_u32(wide));
    core::array::from_fn(|at| vuzp2q_u16(wide[2 * at], wide[2 * at + 1]))
}

/// The lower halves of elements.
#[inline]
#[target_feature(enable = "neon")]
fn narrow(wide: &[uint16x8_t; EIGHTS]) -> [uint8x16_t; 2] {
    let wide = wide.map(|wide| vreinterpretq_u8_u16(wide));
    [vuzp1q_u8(wide[0], wide[1]), vuzp1q_u8(wide[2], wide[3])]
}

/// The upper halves of elements.
#[inline]
#[target_feature(enable = "neon")]
fn narrow_high(wide: &[uint16x8_t; EIGHTS]) -> [uint8x16_t; 2] {
    let wide = wide.map(|wide| vreinterpretq_u8_u16(wide));
    [vuzp2q_u8(wide[0], wide[1]), vuzp2q_u8(wide[2], wide[3])]
}

/// The sum of all match lengths, each less [`MIN_MATCH`], and the largest value of all.
#[inline]
#[target_feature(enable = "neon")]
fn sum_up(values: &[uint16x8_t; EIGHTS], kinds: &[uint16x8_t; EIGHTS]) -> (usize, usize) {
    let mut lengths = vdupq_n_u32(0);
    let mut largest = values[0];
    for (&values, &kinds) in values.iter().zip(kinds) {
        let is_length =
            vcgtq_s16(vreinterpretq_s16_u16(kinds), vdupq_n_s16((entry::LENGTH >> 16) as i16 - 1));
        lengths = vpadalq_u16(lengths, vandq_u16(values, is_length));
        largest = vmaxq_u16(largest, values);
    }
    (vaddvq_u32(lengths) as usize, vmaxvq_u16(largest).into())
}

/// Stores the literals among the turns' lowest bytes, one behind the other, and behind the place of the last how many they are by the
/// end of each turn. Returns how many there are.
#[inline]
#[target_feature(enable = "neon")]
fn store_literals(
    bytes: &[uint8x16_t; 2],
    kinds: &[uint8x16_t; 2],
    literal: u32,
    round: &mut Round,
) -> usize {
    let [low, high] = kinds.map(|kinds| vreinterpretq_u64_u8(vshrq_n_u8::<7>(kinds)));
    let ones = [
        vgetq_lane_u64::<0>(low),
        vgetq_lane_u64::<1>(low),
        vgetq_lane_u64::<0>(high),
        vgetq_lane_u64::<1>(high),
    ];
    let bytes = [bytes[0], vextq_u8::<8>(bytes[0], bytes[0]), bytes[1], vextq_u8::<8>(bytes[1], bytes[1])];
    let (literals, counts) = round.literals.split_at_mut(LANES);
    let (counts, _) = counts.as_chunks_mut();
    let mut done = 0;
    for (at, literal) in literal.to_le_bytes().into_iter().enumerate() {
        let sums = (ones[at] + done).wrapping_mul(SUM_UP);
        counts[at] = sums.to_le_bytes();
        let picked = vqtbl1_u8(bytes[at], load_8(&COMPRESS[usize::from(literal)]));
        // SAFETY: up to 8 literals for each pass before this one: 8 bytes more end by the 32nd.
        unsafe { store_8_at(literals, done as usize, picked) };
        done = sums >> 56;
    }
    done as usize
}

/// For each set of eight lanes, the lanes in it, one behind the other.
static COMPRESS: [[u8; 8]; 1 << 8] = {
    let mut orders = [[0; 8]; 1 << 8];
    let mut set = 0;
    while set < orders.len() {
        let (mut lane, mut next) = (0, 0);
        while lane < 8 {
            if set >> lane & 1 != 0 {
                orders[set][next] = lane as u8;
                next += 1;
            }
            lane += 1;
        }
        set += 1;
    }
    orders
};

/// Picks 16 of 16 bytes.
#[inline]
#[target_feature(enable = "neon")]
fn shuffle(bytes: [u8; 16], order: &[u8; 16]) -> [u8; 16] {
    let mut picked = [0; 16];
    store_16(vqtbl1q_u8(load_16(&bytes), load_16(order)), &mut picked);
    picked
}

/// Loads 16 bytes.
///
/// # Safety
///
/// There are as many from `at` on.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_16_at(bytes: &[u8], at: usize) -> uint8x16_t {
    debug_assert!(at + 16 <= bytes.len());
    // SAFETY: the caller vouches for it.
    let from = unsafe { bytes.as_ptr().add(at) };
    // SAFETY: as above.
    unsafe { vld1q_u8(from) }
}

/// Stores 8 bytes.
///
/// # Safety
///
/// There is room for as many from `at` on.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_8_at(bytes: &mut [u8], at: usize, vector: uint8x8_t) {
    debug_assert!(at + 8 <= bytes.len());
    // SAFETY: the caller vouches for it.
    let to = unsafe { bytes.as_mut_ptr().add(at) };
    // SAFETY: as above.
    unsafe { vst1_u8(to, vector) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_8(from: &[u8; 8]) -> uint8x8_t {
    // SAFETY: 8 bytes, from as many.
    unsafe { vld1_u8(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_16(from: &[u8; 16]) -> uint8x16_t {
    // SAFETY: 16 bytes, from as many.
    unsafe { vld1q_u8(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store_16(vector: uint8x16_t, to: &mut [u8; 16]) {
    // SAFETY: 16 bytes, to as many.
    unsafe { vst1q_u8(to.as_mut_ptr(), vector) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(from: &[u32; QUAD]) -> uint32x4_t {
    // SAFETY: 16 bytes, from 4 times 4.
    unsafe { vld1q_u32(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(vector: uint32x4_t, to: &mut [u32; QUAD]) {
    // SAFETY: 16 bytes, to 4 times 4.
    unsafe { vst1q_u32(to.as_mut_ptr(), vector) }
}

fn quads(lanes: &[u32; LANES]) -> &[[u32; QUAD]; QUADS] {
    let (quads, _) = lanes.as_chunks();
    quads.try_into().expect("all of them")
}
