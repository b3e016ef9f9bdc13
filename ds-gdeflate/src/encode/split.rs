//! Where one block ends and the next begins.

use super::histogram::Histogram;
use super::tokens::Chunk;

/// Joins neighbouring chunks for as long as that saves bits; what is left are the tile's blocks, at the front of
/// the slice. Returns their number.
///
/// Each step makes the best join of all, judged by the entropy of the counts and an estimate of the header.
pub(super) fn join_chunks(chunks: &mut [Chunk]) -> usize {
    let mut count = chunks.len();
    let mut costs = [0; super::tokens::MAX_CHUNKS];
    let mut savings = [0; super::tokens::MAX_CHUNKS];
    for (cost, chunk) in costs.iter_mut().zip(&*chunks) {
        *cost = estimate(&chunk.histogram);
    }
    for left in 0..count.saturating_sub(1) {
        savings[left] = saving(&chunks[left], costs[left], &chunks[left + 1], costs[left + 1]);
    }
    while let Some(left) = (0..count - 1).max_by_key(|&left| (savings[left], core::cmp::Reverse(left))) {
        if savings[left] <= 0 {
            break;
        }
        let right = chunks[left + 1];
        chunks[left].histogram.add(&right.histogram);
        chunks[left].tokens_end = right.tokens_end;
        chunks[left].raw_end = right.raw_end;
        costs[left] += costs[left + 1] - savings[left];
        chunks.copy_within(left + 2..count, left + 1);
        costs.copy_within(left + 2..count, left + 1);
        savings.copy_within(left + 1..count, left);
        count -= 1;
        if left > 0 {
            savings[left - 1] = saving(&chunks[left - 1], costs[left - 1], &chunks[left], costs[left]);
        }
        if left + 1 < count {
            savings[left] = saving(&chunks[left], costs[left], &chunks[left + 1], costs[left + 1]);
        }
    }
    count
}

/// What a join of two neighbours saves, in the unit of [`estimate`].
fn saving(left: &Chunk, left_cost: i32, right: &Chunk, right_cost: i32) -> i32 {
    let mut both = left.histogram;
    both.add(&right.histogram);
    left_cost + right_cost - estimate(&both)
}

/// Fraction bits of estimated costs.
const FRACTION: u32 = 4;

/// Bits of a dynamic block's fixed part: kind, counts, the code-length code.
const HEADER_BITS: i32 = 70;
/// Bits that the length of each used symbol takes, in estimation units.
const BITS_PER_SYMBOL: i32 = 60;

/// About how many bits a dynamic block with these counts takes, extra bits left out, in sixteenths.
fn estimate(histogram: &Histogram) -> i32 {
    let [litlen, distance] = [entropy(&histogram.litlen), entropy(&histogram.distance)];
    (HEADER_BITS << FRACTION) + litlen + distance
}

/// Bits, in sixteenths, of the symbols under an ideal code, and of that code's lengths.
fn entropy(counts: &[u32]) -> i32 {
    let mut total = 0;
    let mut used = 0;
    let mut sum = 0;
    for &count in counts {
        total += count;
        used += i32::from(count != 0);
        sum += count_log(count);
    }
    (count_log(total) - sum) as i32 + used * BITS_PER_SYMBOL
}

/// `count * log2(count)`, in sixteenths.
#[inline(always)]
fn count_log(count: u32) -> u32 {
    let exponent = (count | 1).ilog2();
    let mantissa = (count << (16 - exponent)) >> 8;
    let log = (exponent << LOG2_FRACTION) + u32::from(LOG2[(mantissa & 0xFF) as usize]);
    (count * log) >> (LOG2_FRACTION - FRACTION)
}

/// Fraction bits of the table.
const LOG2_FRACTION: u32 = 8;

/// log2(1 + i / 256).
static LOG2: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        // Squaring the number doubles its logarithm: each overflow past two is one bit of the result.
        let mut x = (256 + i as u64) << 22;
        let mut bit = 0;
        let mut log = 0;
        while bit < 8 {
            x = (x * x) >> 30;
            log = log << 1 | (x >> 31) as u8;
            x = if x >> 31 != 0 { x >> 1 } else { x };
            bit += 1;
        }
        table[i] = log;
        i += 1;
    }
    table
};
