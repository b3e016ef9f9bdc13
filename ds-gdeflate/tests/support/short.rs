//! Sound tiles of little content in blocks of all kinds and sizes, with random codes.

use ds_gdeflate::max_dynamic_blocks;

use super::random::Random;
use super::writer::Symbol::{self, End, Literal, Match};
use super::writer::{Prefix, TileWriter};

/// The payload of a tile with `len` bytes of content.
pub(crate) fn tile(random: &mut Random, len: usize) -> Vec<u8> {
    let mut tile = TileWriter::new();
    let mut dynamic = max_dynamic_blocks(len);
    let mut behind = random.below(3);
    let mut at = 0;
    loop {
        // None, a few, about a round, some rounds, or all there is.
        let least = [0, 1, 30, 40, len][random.below(5)];
        let turns = least + random.below(5 + least);
        let kind = random.below(3);
        if kind == 0 {
            let bytes = random.bytes(turns.min(len - at));
            at += bytes.len();
            tile.stored(at == len && behind == 0, bytes.len(), &bytes);
        } else {
            let is_dynamic = kind == 1 && dynamic != 0;
            let (litlen, distance) = if is_dynamic {
                dynamic -= 1;
                let symbols = 1 + random.below(286);
                let codewords = 1 + random.below(symbols);
                (code(random, 286, codewords, 256), distances(random))
            } else {
                (Prefix::static_litlen(), Prefix::static_distance())
            };
            let symbols = symbols(random, (&litlen, &distance), &mut at, len, turns);
            let last = at == len && behind == 0;
            if is_dynamic {
                tile.dynamic(last, &litlen, &distance, &symbols);
            } else {
                tile.fixed(last, &symbols);
            }
        }
        if at == len {
            if behind == 0 {
                return tile.payload();
            }
            behind -= 1;
        }
    }
}

/// A code for `codewords` of `symbols` symbols, any of them but for the `needed` one.
fn code(random: &mut Random, symbols: usize, codewords: usize, needed: usize) -> Prefix {
    let mut code = vec![0; symbols];
    if codewords == 1 {
        code[needed] = 1;
        return Prefix(code);
    }
    // Codewords that are split in two, one after another, remain a complete code.
    let mut lengths = vec![0; 1];
    while lengths.len() < codewords {
        let at = random.below(lengths.len());
        if lengths[at] < 15 {
            lengths[at] += 1;
            lengths.push(lengths[at]);
        }
    }
    let mut at = needed;
    for length in lengths {
        while code[at] != 0 {
            at = random.below(symbols);
        }
        code[at] = length;
    }
    Prefix(code)
}

/// A distance code, or one without any distance.
fn distances(random: &mut Random) -> Prefix {
    let needed = random.below(32);
    match random.below(33) {
        0 => Prefix(vec![0; 1 + needed]),
        codewords => code(random, 32, codewords, needed),
    }
}

/// Up to `turns` symbols that have codewords, and their distances, for up to `len` bytes of content from `at` on; then the end.
fn symbols(
    random: &mut Random,
    (litlen, distance): (&Prefix, &Prefix),
    at: &mut usize,
    len: usize,
    turns: usize,
) -> Vec<Symbol> {
    let has = |code: &Prefix, symbol: usize| code.0.get(symbol).is_some_and(|&length| length != 0);
    let literals: Vec<usize> = (0..256).filter(|&symbol| has(litlen, symbol)).collect();
    let lengths: Vec<usize> = (257..286).filter(|&symbol| has(litlen, symbol)).collect();
    let distances: Vec<usize> = (0..32).filter(|&symbol| has(distance, symbol)).collect();
    let mut symbols = Vec::new();
    for _ in 0..turns {
        if !lengths.is_empty() && !distances.is_empty() && random.below(3) != 0 {
            let (length, distance) =
                (lengths[random.below(lengths.len())], distances[random.below(distances.len())]);
            let (base, extra_bits) = length_range(length);
            let extra = random.below((1 << extra_bits).min(40));
            let (far, far_bits) = distance_range(distance);
            let far_extra = random.below(1 << far_bits).min((*at).saturating_sub(far));
            if base + extra <= len - *at && far + far_extra <= *at {
                symbols
                    .push(Match { length: (length, extra as u32), distance: (distance, far_extra as u32) });
                *at += base + extra;
                continue;
            }
        }
        if !literals.is_empty() && *at < len {
            symbols.push(Literal(literals[random.below(literals.len())] as u8));
            *at += 1;
        }
    }
    symbols.push(End);
    symbols
}

/// The least length that a symbol stands for, and its extra bits.
fn length_range(symbol: usize) -> (usize, usize) {
    match symbol {
        257..265 => (symbol - 254, 0),
        265..285 => {
            let extra_bits = (symbol - 261) / 4;
            (3 + ((4 + (symbol - 261) % 4) << extra_bits), extra_bits)
        }
        _ => (3, 16),
    }
}

/// The least distance that a symbol stands for, and its extra bits.
fn distance_range(symbol: usize) -> (usize, usize) {
    if symbol < 4 { (1 + symbol, 0) } else { (1 + ((2 + symbol % 2) << (symbol / 2 - 1)), symbol / 2 - 1) }
}
