//! Secrets planted in the output buffer, beside it and in the workspace never come back, whatever is decoded.
//!
//! Every tile is decoded twice, with different secrets: a byte that then differs is one. `DS_TEST_QUICK=1` does a fifth.

mod support;

use ds_gdeflate::{Decoder, SimdLevel, TileError};
use support::random::Random;
use support::writer::Symbol::{self, End, Literal, Match, Reserved};
use support::writer::{Prefix, TileWriter};

/// Bytes of secrets on either side of the output.
const BESIDE: usize = 65_536;

/// How many tiles.
fn runs() -> usize {
    if std::env::var_os("DS_TEST_QUICK").is_some() { 200 } else { 1000 }
}

/// Symbols with matches of all kinds, some of which reach back too far, and now and then one that means nothing. Also the bytes
/// of content that they stand for.
fn symbols(random: &mut Random, count: usize) -> (Vec<Symbol>, usize) {
    let too_far_once_in = [50, 1000, 100_000][random.below(3)];
    let mut len = 0;
    let mut symbols = Vec::new();
    for _ in 0..count {
        let far = random.below(too_far_once_in) == 0;
        if len == 0 && !far || random.below(3) == 0 {
            symbols.push(Literal(random.next() as u8));
            len += 1;
            continue;
        }
        if random.below(20 * too_far_once_in) == 0 {
            symbols.push(Reserved(286));
        }
        let distance = if far { len + 1 + random.below(BESIDE - len) } else { 1 + random.below(len) };
        let symbol =
            (0..32).rev().find(|&symbol| distance_base(symbol) <= distance).expect("symbol 0 is distance 1");
        let extra = (distance - distance_base(symbol)) as u32;
        let (length_symbol, length) = [(257, 3), (258, 4), (264, 10), (269, 19), (273, 35)][random.below(5)];
        symbols.push(Match { length: (length_symbol, 0), distance: (symbol, extra) });
        len += length;
    }
    symbols.push(End);
    (symbols, len)
}

fn distance_base(symbol: usize) -> usize {
    if symbol < 4 { symbol + 1 } else { 1 + ((2 + symbol % 2) << (symbol / 2 - 1)) }
}

/// A tile of two blocks, sound or not, and the size that it declares.
fn tile(random: &mut Random) -> (Vec<u8>, usize) {
    let count = 1 + random.below(600);
    let (symbols, size) = symbols(random, count);
    let mut tile = TileWriter::new();
    if random.below(2) == 0 {
        tile.fixed(true, &symbols);
    } else {
        tile.dynamic(true, &Prefix::static_litlen(), &Prefix::static_distance(), &symbols);
    }
    let mut payload = tile.payload();
    if random.below(4) == 0 {
        payload.truncate(random.below(payload.len() / 4) * 4);
    }
    let size = if random.below(4) == 0 { 1 + random.below(2 * size) } else { size };
    (payload, size)
}

/// A workspace that has seen secrets: its last tile was made of nothing else.
fn used_decoder(level: SimdLevel) -> Decoder {
    // Codewords for all 128 bytes from 0x80 on, the end, and lengths.
    let mut lengths = vec![0; 286];
    lengths[0x80..0x100].fill(8);
    lengths[256..286].fill(6);
    lengths[256..258].fill(5);
    let secrets: Vec<_> = (0x80..=0xFF).cycle().take(4000).map(Literal).chain([End]).collect();
    let mut tile = TileWriter::new();
    tile.dynamic(true, &Prefix(lengths), &Prefix::static_distance(), &secrets);
    let mut decoder = Decoder::with_simd(level);
    decoder.decode_tile(&tile.payload(), &mut [0; 4000]).expect("a good tile");
    decoder
}

/// Counts verdicts, so that a run shows that it was about something.
#[derive(Debug, Default)]
struct Count {
    accepted: usize,
    refused: std::collections::BTreeMap<&'static str, usize>,
}

impl Count {
    fn add(&mut self, verdict: Result<(), TileError>) {
        match verdict {
            Ok(()) => self.accepted += 1,
            Err(error) => *self.refused.entry(error.kind.name()).or_default() += 1,
        }
    }

    fn check(&self) {
        println!("{self:?}");
        assert!(self.accepted > 20, "{self:?}");
        for name in ["distance too far", "output overrun", "output short", "reserved symbol", "truncated"] {
            assert!(self.refused.contains_key(name), "none: {name}, {self:?}");
        }
    }
}

#[test]
fn neighbours_do_not_get_into_the_output() {
    let mut random = Random::new(0x5EC2E7);
    let secrets = [random.bytes(BESIDE), random.bytes(BESIDE)];
    let mut count = Count::default();
    for _ in 0..runs() {
        let (payload, len) = tile(&mut random);
        for level in SimdLevel::available() {
            let [(verdict, one), (again, other)] = secrets.each_ref().map(|secret| {
                let mut memory = [secret, &vec![0; len][..], secret].concat();
                let out = BESIDE..BESIDE + len;
                let verdict = Decoder::with_simd(level).decode_tile(&payload, &mut memory[out.clone()]);
                let untouched = memory[..out.start] == *secret && memory[out.end..] == *secret;
                assert!(untouched, "{level} wrote beside its output");
                (verdict, memory[out].to_vec())
            });
            assert_eq!(verdict, again, "{level} judges by what lies beside the output");
            assert!(one == other, "{level}, {verdict:?}: the output shows what lies beside it");
            count.add(verdict);
        }
    }
    count.check();
}

#[test]
fn a_used_workspace_leaves_what_a_new_one_does() {
    let mut random = Random::new(0x3A5ED);
    let mut count = Count::default();
    for _ in 0..runs() {
        let (payload, len) = tile(&mut random);
        for level in SimdLevel::available() {
            let (mut ours, mut fresh) = (vec![0x11; len], vec![0x11; len]);
            let verdict = used_decoder(level).decode_tile(&payload, &mut ours);
            assert_eq!(Decoder::with_simd(level).decode_tile(&payload, &mut fresh), verdict, "{level}");
            assert!(ours == fresh, "{level}, {verdict:?}: the output shows what the workspace held");
            count.add(verdict);
        }
    }
    count.check();
}

#[test]
fn what_was_in_the_output_stays_where_it_was_or_goes() {
    let mut random = Random::new(0x0DDB);
    let (mut count, mut kept) = (Count::default(), 0);
    for _ in 0..runs() {
        let (payload, len) = tile(&mut random);
        for level in SimdLevel::available() {
            let secrets = random.bytes(len);
            let (mut dirty, mut clean) = (secrets.clone(), vec![0; len]);
            let verdict = Decoder::with_simd(level).decode_tile(&payload, &mut dirty);
            assert_eq!(Decoder::with_simd(level).decode_tile(&payload, &mut clean), verdict, "{level}");
            // Bytes that depend on what was there may be what was there, in a tile that is refused, and nothing else.
            let stale = (0..len).filter(|&at| dirty[at] != clean[at]);
            let leaked = stale.clone().find(|&at| verdict.is_ok() || dirty[at] != secrets[at]);
            assert_eq!(leaked, None, "{level}, {verdict:?}: a secret came back");
            kept += stale.count();
            count.add(verdict);
        }
    }
    count.check();
    assert!(kept > 0, "every byte of every buffer was written");
}
