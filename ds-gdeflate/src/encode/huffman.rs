//! Length-limited prefix codes from symbol counts.

/// The most symbols any alphabet here has.
const MAX_SYMBOLS: usize = 288;

/// The longest code length any alphabet here allows.
const MAX_LENGTH: usize = 15;

/// Code word lengths of the cheapest prefix code for these counts, give or take the bits that the limit costs; 0 for
/// symbols that do not occur.
///
/// The code is empty if no symbol occurs, and complete otherwise: a symbol that occurs alone gets an unused
/// companion, since a lone one-bit code leaves a bit pattern that decoders refuse.
pub(super) fn code_lengths<const N: usize>(counts: &[u32; N], limit: usize) -> [u8; N] {
    let mut lengths = [0; N];
    let mut sorted = [0_u32; MAX_SYMBOLS];
    let mut used = 0;
    for (symbol, &count) in counts.iter().enumerate() {
        // At most 2^16 tokens and an end of block: the count takes 17 bits, the symbol 9.
        sorted[used] = count << 9 | symbol as u32;
        used += usize::from(count != 0);
    }
    let sorted = &mut sorted[..used];
    match *sorted {
        [] => {}
        [only] => {
            let symbol = (only & 0x1FF) as usize;
            lengths[symbol] = 1;
            lengths[usize::from(symbol == 0)] = 1;
        }
        _ => {
            sorted.sort_unstable();
            let mut weights = [0_u32; MAX_SYMBOLS];
            let weights = &mut weights[..used];
            for (weight, entry) in weights.iter_mut().zip(&*sorted) {
                *weight = entry >> 9;
            }
            let leaves = limit_lengths(leaves_by_depth(weights), limit);
            let mut rarest_first = sorted.iter();
            for length in (1..=limit).rev() {
                for entry in rarest_first.by_ref().take(usize::from(leaves[length])) {
                    lengths[(entry & 0x1FF) as usize] = length as u8;
                }
            }
        }
    }
    lengths
}

/// Leaves at each depth of a Huffman tree over two or more weights in rising order; overwrites the weights.
///
/// Depths beyond [`MAX_LENGTH`] are counted at index 0. Works in place, after Moffat and Katajainen: inner nodes
/// appear in rising order of weight too, so a slot freed by a consumed weight can hold the new node, then a link to
/// its parent, and finally its depth.
fn leaves_by_depth(weights: &mut [u32]) -> [u16; MAX_LENGTH + 1] {
    let nodes = weights.len() - 1;
    let mut leaf = 0;
    let mut inner = 0;
    for node in 0..nodes {
        let mut sum = 0;
        for _ in 0..2 {
            if leaf > nodes || (inner < node && weights[inner] < weights[leaf]) {
                sum += weights[inner];
                weights[inner] = node as u32;
                inner += 1;
            } else {
                sum += weights[leaf];
                leaf += 1;
            }
        }
        weights[node] = sum;
    }

    // Links to depths, from the root down, counting leaves as what a level's slots leave over.
    let mut leaves = [0; MAX_LENGTH + 1];
    weights[nodes - 1] = 0;
    for node in (0..nodes - 1).rev() {
        weights[node] = weights[weights[node] as usize] + 1;
    }
    let mut depth = 0;
    let mut slots = 1;
    let mut next = nodes;
    while slots > 0 {
        let mut inner_here = 0;
        while next > 0 && weights[next - 1] == depth {
            inner_here += 1;
            next -= 1;
        }
        let index = if depth as usize <= MAX_LENGTH { depth as usize } else { 0 };
        leaves[index] += slots - inner_here;
        slots = 2 * inner_here;
        depth += 1;
    }
    leaves
}

/// Moves leaves deeper than `limit` up to it and pays for that with shallower ones; the code stays complete.
fn limit_lengths(mut leaves: [u16; MAX_LENGTH + 1], limit: usize) -> [u16; MAX_LENGTH + 1] {
    for deep in core::iter::once(0).chain(limit + 1..MAX_LENGTH + 1) {
        leaves[limit] += leaves[deep];
        leaves[deep] = 0;
    }
    let space = 1_u32 << limit;
    let mut taken: u32 = (1..=limit).map(|length| u32::from(leaves[length]) << (limit - length)).sum();
    // Each step turns the deepest leaf above the limit into a node over itself and one leaf of the lowest level,
    // which frees exactly one code word of the lowest level.
    while taken > space {
        let above = (1..limit).rev().find(|&length| leaves[length] != 0).unwrap_or(1);
        leaves[above] -= 1;
        leaves[above + 1] += 2;
        leaves[limit] -= 1;
        taken -= 1;
    }
    leaves
}

/// The canonical code words of these lengths, each with its first bit lowest.
pub(super) fn code_words<const N: usize>(lengths: &[u8; N]) -> [u16; N] {
    let mut next = [0_u16; MAX_LENGTH + 2];
    for &length in lengths {
        next[usize::from(length) + 1] += u16::from(length != 0);
    }
    let mut first = 0;
    for slot in &mut next {
        first = (first + *slot) << 1;
        *slot = first;
    }
    let mut words = [0; N];
    for (word, &length) in words.iter_mut().zip(lengths) {
        if length != 0 {
            let code = &mut next[usize::from(length)];
            *word = code.reverse_bits() >> (16 - length);
            *code += 1;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of the code space that is used, in units of the longest code word.
    fn space(lengths: &[u8]) -> u32 {
        lengths.iter().filter(|&&length| length != 0).map(|&length| 1 << (MAX_LENGTH - length as usize)).sum()
    }

    fn cost(lengths: &[u8], counts: &[u32]) -> u32 {
        counts.iter().zip(lengths).map(|(count, length)| count * u32::from(*length)).sum()
    }

    #[test]
    fn no_symbols_make_an_empty_code_and_one_gets_company() {
        assert_eq!(code_lengths(&[0; 32], 15), [0; 32]);
        for symbol in [0, 1, 31] {
            let mut counts = [0; 32];
            counts[symbol] = 9;
            let code = code_lengths(&counts, 15);
            assert_eq!(code[symbol], 1);
            assert_eq!(space(&code), 1 << MAX_LENGTH);
        }
    }

    #[test]
    fn small_codes_are_optimal() {
        let code = code_lengths(&[1, 1, 2, 4, 8], 15);
        assert_eq!(code, [4, 4, 3, 2, 1]);
        assert_eq!(code_words(&code), [0b0111, 0b1111, 0b011, 0b01, 0b0]);
        assert_eq!(code_lengths(&[5, 0, 5, 5, 5], 15), [2, 0, 2, 2, 2]);
    }

    /// Fibonacci counts make the deepest trees there are.
    #[test]
    fn limits_are_kept_and_codes_stay_complete() {
        let mut counts = [0; 24];
        let (mut a, mut b) = (1, 1);
        for count in &mut counts {
            *count = a;
            (a, b) = (b, a + b);
        }
        let unlimited: u32 = 23 + (1..24).map(|step| (24 - step as u32) * counts[step]).sum::<u32>();
        for limit in [5, 7, 12, 15] {
            let code = code_lengths(&counts, limit);
            assert!(code.iter().all(|&length| (1..=limit).contains(&length.into())), "limit {limit}");
            assert_eq!(space(&code), 1 << MAX_LENGTH, "limit {limit}");
            assert!(cost(&code, &counts) >= unlimited, "limit {limit}");
        }
        // Eight bits short of the depth that the tree wants, the detour is still a small one.
        let excess = cost(&code_lengths(&counts, 15), &counts) - unlimited;
        assert!(excess < unlimited / 500, "{excess} bits over {unlimited}");
    }

    #[test]
    fn a_full_alphabet_of_equal_counts_is_flat() {
        let code = code_lengths(&[3; 256], 15);
        assert!(code.iter().all(|&length| length == 8));
        assert_eq!(code_words(&code)[1], 0b1000_0000);
    }
}
