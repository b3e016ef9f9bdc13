//! Where one block ends and the next begins.

use super::entropy::{FRACTION, log2};
use super::histogram::Histogram;
use super::tokens::{Block, MAX_BLOCKS, Tokens};
use crate::format::{
    DISTANCE_SYMBOLS, DISTANCES, END_OF_BLOCK, LENGTHS, LITLEN_SYMBOLS, MAX_CODE_BITS, PRECODE_SYMBOLS, Range,
};

/// Joins neighbouring blocks for as long as that saves bits, the most rewarding pair first.
pub(super) fn join(tokens: &mut Tokens) {
    let (_, blocks) = tokens.parts();
    let mut costs = [0; MAX_BLOCKS];
    let mut savings = [0; MAX_BLOCKS];
    // The blocks that are left, by index: a joined pair keeps the first one's.
    let mut left: [u8; MAX_BLOCKS] = core::array::from_fn(|index| index as u8);
    let mut count = blocks.len();
    for (cost, block) in costs.iter_mut().zip(&*blocks) {
        *cost = estimate(&block.histogram);
    }
    for index in 1..count {
        savings[index - 1] = saving(blocks, &costs, index - 1, index);
    }
    while let Some(first) = (1..count).map(|place| place - 1).max_by_key(|&place| {
        // Of equals the first.
        (savings[usize::from(left[place])], core::cmp::Reverse(place))
    }) {
        let [a, b] = [left[first], left[first + 1]].map(usize::from);
        if savings[a] <= 0 {
            break;
        }
        let joined = blocks[b];
        blocks[a].histogram.add(&joined.histogram);
        blocks[a].tokens_end = joined.tokens_end;
        blocks[a].raw_end = joined.raw_end;
        costs[a] += costs[b] - savings[a];
        left.copy_within(first + 2..count, first + 1);
        count -= 1;
        if first + 1 < count {
            savings[a] = saving(blocks, &costs, a, left[first + 1].into());
        }
        if first > 0 {
            let before = usize::from(left[first - 1]);
            savings[before] = saving(blocks, &costs, before, a);
        }
    }
    for (place, &index) in left[..count].iter().enumerate() {
        if place != usize::from(index) {
            blocks[place] = blocks[usize::from(index)];
        }
    }
    tokens.truncate_blocks(count);
}

/// What a join of two neighbours saves, in the unit of [`estimate`].
fn saving(blocks: &[Block], costs: &[i32; MAX_BLOCKS], a: usize, b: usize) -> i32 {
    let mut both = blocks[a].histogram;
    both.add(&blocks[b].histogram);
    costs[a] + costs[b] - estimate(&both)
}

/// Steps that a boundary is moved by, in bytes.
const STEPS: [usize; 3] = [1024, 512, 256];

/// Moves the boundaries between blocks to where they save most.
pub(super) fn refine(tokens: &mut Tokens) {
    let (tokens, blocks) = tokens.parts();
    let mut start = 0;
    for index in 1..blocks.len() {
        let (before, after) = blocks.split_at_mut(index);
        let (a, b) = (&mut before[index - 1], &mut after[0]);
        let mut cost = estimate(&a.histogram) + estimate(&b.histogram);
        for step in STEPS {
            for forward in [true, false] {
                loop {
                    let (mut new_a, mut new_b) = (*a, *b);
                    let end = a.raw_end;
                    if forward {
                        while new_a.raw_end < end + step && new_a.tokens_end < b.tokens_end {
                            let token = tokens[new_a.tokens_end];
                            new_a.histogram.count(token);
                            new_b.histogram.discount(token);
                            new_a.tokens_end += 1;
                            new_a.raw_end += token.len();
                        }
                    } else {
                        while new_a.raw_end + step > end && new_a.tokens_end > start {
                            let token = tokens[new_a.tokens_end - 1];
                            new_b.histogram.count(token);
                            new_a.histogram.discount(token);
                            new_a.tokens_end -= 1;
                            new_a.raw_end -= token.len();
                        }
                    }
                    if new_a.tokens_end == start || new_a.tokens_end == b.tokens_end {
                        break;
                    }
                    let new_cost = estimate(&new_a.histogram) + estimate(&new_b.histogram);
                    if new_cost >= cost {
                        break;
                    }
                    (*a, *b, cost) = (new_a, new_b, new_cost);
                }
            }
        }
        start = a.tokens_end;
    }
}

/// About how many bits all blocks take together, extra bits included, in units of [`FRACTION`].
pub(super) fn size(tokens: &mut Tokens) -> i64 {
    let (_, blocks) = tokens.parts();
    let extra = |counts: &[u32], ranges: &[Range]| -> u32 {
        counts.iter().zip(ranges).map(|(&count, range)| count * u32::from(range.extra)).sum()
    };
    let block = |Block { histogram: Histogram { litlen, distance }, .. }: &Block| {
        let extra = extra(&litlen[END_OF_BLOCK + 1..], &LENGTHS) + extra(distance, &DISTANCES);
        i64::from(extra) << FRACTION
    };
    blocks.iter().map(|each| i64::from(estimate(&each.histogram)) + block(each)).sum()
}

/// Bits of a dynamic block's fixed part: kind, counts, the code-length code, the end of the block.
const FIXED_BITS: u32 = 65;

/// About how many bits a dynamic block with these counts takes, extra bits left out, in units of [`FRACTION`].
fn estimate(histogram: &Histogram) -> i32 {
    let mut header = Lengths { counts: [0; PRECODE_SYMBOLS], extra: 0 };
    let symbols = ideal::<LITLEN_SYMBOLS>(&histogram.litlen, &mut header)
        + ideal::<DISTANCE_SYMBOLS>(&histogram.distance, &mut header);
    (symbols + header.cost() + (FIXED_BITS << FRACTION)) as i32
}

/// The logarithm of nothing: above all others.
const NEVER: i16 = i16::MAX;

/// Bits of the symbols under an ideal code; adds that code's lengths, rounded, to the header.
fn ideal<const N: usize>(counts: &[u32; N], header: &mut Lengths) -> u32 {
    let total: u32 = counts.iter().sum();
    let top = log2(total);
    let mut logs = [0; N];
    let mut saved = 0;
    for (log, &count) in logs.iter_mut().zip(counts) {
        *log = core::hint::select_unpredictable(count == 0, NEVER, log2(count) as i16);
        saved += count * *log as u32;
    }
    // Lengths rounded, 1 to the limit, but 0 for what never occurs. Eight at a time, if there are no branches.
    let mut lengths = [0; PADDED];
    let half = 1 << FRACTION >> 1;
    for (length, &log) in lengths.iter_mut().zip(&logs) {
        let bits = (top as i16 + half - log) >> FRACTION;
        *length = (bits.clamp(1, MAX_CODE_BITS as i16) & !(bits >> 15)) as u8;
    }
    let used = counts.iter().rposition(|&count| count != 0).map_or(0, |last| last + 1);
    header.add(&lengths, used);
    total * top - saved
}

/// Room for a code's lengths in whole chunks of 64, and one more to compare the last with.
const PADDED: usize = LITLEN_SYMBOLS.next_multiple_of(64) + 8;

/// Which of the 64 lengths from `chunk` on are the same as the next, lowest bit first.
fn repeats(lengths: &[u8; PADDED], chunk: usize) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let load = |at: usize| lengths[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (0..8).fold(0, |repeats, group| {
        // Lengths are small: to add 127 sets the high bit of each byte that is not 0, and a product gathers those
        // bits.
        let at = chunk + 8 * group;
        let equal = !((load(at) ^ load(at + 1)) + LOW) & !LOW;
        repeats | ((equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * group)
    })
}

/// Code lengths to be sent, as counts of the symbols that say them.
struct Lengths {
    counts: [u32; PRECODE_SYMBOLS],
    extra: u32,
}

impl Lengths {
    /// Counts the first `used` lengths.
    fn add(&mut self, lengths: &[u8; PADDED], used: usize) {
        // Four counters each, since the next length is often the same, and would have to wait for its count.
        let mut counts = [[0; 4]; MAX_CODE_BITS + 1];
        for (at, &length) in lengths[..used].iter().enumerate() {
            counts[usize::from(length) % (MAX_CODE_BITS + 1)][at % 4] += 1;
        }
        for (count, counts) in self.counts.iter_mut().zip(counts) {
            *count += counts.iter().sum::<u32>();
        }
        // Long runs are few, so they are looked for in a mask of repetitions. That it cuts them at every 64th
        // length does no harm.
        for chunk in (0..used).step_by(64) {
            let pairs = (used - chunk - 1).min(63);
            let repeats = repeats(lengths, chunk) & ((1 << pairs) - 1);
            let mut starts = repeats & repeats >> 1;
            while starts != 0 {
                let start = starts.trailing_zeros();
                let run = (repeats >> start).trailing_ones() + 1;
                self.pack_run(lengths[chunk + start as usize], run);
                starts &= u64::MAX << (start + run - 2) << 1;
            }
        }
    }

    /// Says three or more equal lengths, counted one by one so far, in fewer symbols.
    #[inline(always)]
    fn pack_run(&mut self, length: u8, run: u32) {
        let counts = &mut self.counts;
        if length == 0 {
            counts[0] -= run;
            let (symbol, extra) = if run > 10 { (18, 7) } else { (17, 3) };
            counts[symbol] += 1;
            self.extra += extra;
        } else if run > 3 {
            let repeats = (run - 1).div_ceil(6);
            counts[usize::from(length)] -= run - 1;
            counts[16] += repeats;
            self.extra += 2 * repeats;
        }
    }

    fn cost(&self) -> u32 {
        let total: u32 = self.counts.iter().sum();
        let saved: u32 = self.counts.iter().map(|&count| count * log2(count)).sum();
        total * log2(total) - saved + (self.extra << FRACTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_lengths_are_counted_as_they_would_be_packed() {
        let counted = |lengths: &[u8]| {
            let mut header = Lengths { counts: [0; PRECODE_SYMBOLS], extra: 0 };
            let mut padded = [0; PADDED];
            padded[..lengths.len()].copy_from_slice(lengths);
            header.add(&padded, lengths.len());
            let used = header.counts.iter().enumerate().filter(|(_, count)| **count != 0);
            (used.map(|(symbol, &count)| (symbol, count)).collect::<std::vec::Vec<_>>(), header.extra)
        };
        assert_eq!(counted(&[5, 5, 5, 0, 0, 6]), (std::vec![(0, 2), (5, 3), (6, 1)], 0));
        assert_eq!(counted(&[5, 5, 5, 5, 0, 0, 0]), (std::vec![(5, 1), (16, 1), (17, 1)], 5));
        assert_eq!(counted(&[8; 14]), (std::vec![(8, 1), (16, 3)], 6));
        assert_eq!(counted(&[0; 64]), (std::vec![(18, 1)], 7));
    }
}
