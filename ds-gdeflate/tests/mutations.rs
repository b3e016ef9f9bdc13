//! Good tiles with something changed: whatever it is, the decoder gives a verdict, and always the same one.
//!
//! Every mutant is decoded at every level into two buffers with different contents before. A byte of output that is
//! not the tile's own would differ between them. `DS_TEST_QUICK=1` does a tenth of the random ones.

mod support;

use std::collections::BTreeMap;
use std::fmt;

use ds_gdeflate::{Decoder, SimdLevel, TileError, TileErrorKind, TileStream};
use support::random::Random;
use support::vectors;

/// What an output buffer holds before: must never be found in what is accepted.
const SECRET: &[u8] = b"planted secret: not for the tile";

/// A tile of a vector.
struct Sample {
    payload: Vec<u8>,
    len: usize,
}

/// The tiles of all committed vectors whose payload is of one of these sizes.
fn samples(payloads: impl Fn(usize) -> bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    for vector in vectors::committed() {
        let stream = TileStream::parse(&vector.stream).expect("a good stream");
        let tiles = stream.tiles().filter(|tile| payloads(tile.payload().len()));
        samples.extend(
            tiles.map(|tile| Sample { payload: tile.payload().to_vec(), len: tile.uncompressed_size() }),
        );
    }
    assert!(samples.len() > 10, "only {} tiles", samples.len());
    samples
}

/// Decodes each mutant twice at every level and counts verdicts.
struct Jury {
    /// One workspace a level for all mutants, as a thread has. Against it stands a fresh one each time.
    used: Vec<Decoder>,
    clean: Vec<u8>,
    dirty: Vec<u8>,
    careful: Vec<u8>,
    secret: Vec<u8>,
    verdicts: BTreeMap<&'static str, usize>,
    /// Refused after some output: past all headers of some block.
    under_way: usize,
}

impl Jury {
    fn new() -> Self {
        Self {
            used: SimdLevel::available().map(Decoder::with_simd).collect(),
            clean: vec![0; 65_536],
            dirty: vec![0; 65_536],
            careful: vec![0; 65_536],
            secret: SECRET.iter().copied().cycle().take(65_536).collect(),
            verdicts: BTreeMap::new(),
            under_way: 0,
        }
    }

    fn judge(&mut self, payload: &[u8], len: usize) -> Result<(), TileError> {
        let (clean, dirty, careful) =
            (&mut self.clean[..len], &mut self.dirty[..len], &mut self.careful[..len]);
        // The careful decoder alone, without the fast paths, defines what is right.
        careful.fill(0x5A);
        let verdict = self.used[0].inspect_tile(payload, careful).map(drop);
        for used in &mut self.used {
            let level = used.simd();
            clean.fill(0);
            dirty.copy_from_slice(&self.secret[..len]);
            assert_eq!(
                Decoder::with_simd(level).decode_tile(payload, clean),
                verdict,
                "{level} judges differently"
            );
            assert_eq!(used.decode_tile(payload, dirty), verdict, "{level}: depends on what was before");
            if verdict.is_ok() {
                assert!(clean == careful, "{level}: accepted with wrong output");
                assert!(dirty == careful, "{level}: accepted with stale output");
            }
        }
        match verdict {
            Ok(()) => {
                let secret = careful.windows(SECRET.len()).any(|bytes| bytes == SECRET);
                assert!(!secret, "the secret is no secret");
            }
            Err(error) => {
                assert!(error.input <= payload.len() && error.output <= len, "{error:?}");
                self.under_way += usize::from(error.output != 0);
            }
        }
        let name = verdict.map_or_else(|error| error.kind.name(), |()| "accepted");
        *self.verdicts.entry(name).or_default() += 1;
        verdict
    }

    fn count(&self, name: &str) -> usize {
        self.verdicts.get(name).copied().unwrap_or_default()
    }
}

impl fmt::Display for Jury {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} mutants, {} refused with output under way",
            self.verdicts.values().sum::<usize>(),
            self.under_way
        )?;
        self.verdicts.iter().try_for_each(|(name, count)| writeln!(f, "{count:8} {name}"))
    }
}

/// How many mutants, of a full run's number.
fn runs(full: usize) -> usize {
    if std::env::var_os("DS_TEST_QUICK").is_some() { full / 10 } else { full }
}

/// Changes a payload in one of the ways in which data is damaged, or forged.
fn mutate(random: &mut Random, payload: &mut Vec<u8>, others: &[Sample]) {
    match random.below(8) {
        0..3 => {
            for _ in 0..1 + random.below(4) {
                let at = random.below(payload.len());
                payload[at] ^= 1 << random.below(8);
            }
        }
        3 => {
            let at = random.below(payload.len());
            payload[at] = random.next() as u8;
        }
        // In the first words are the headers.
        4 => {
            let at = random.below(payload.len().min(256));
            payload[at] ^= 1 << random.below(8);
        }
        5 => payload.truncate(random.below(payload.len() / 4) * 4),
        6 => {
            let (from, to) = (random.below(payload.len() / 4) * 4, random.below(payload.len() / 4) * 4);
            let len = (1 + random.below(64)).min(payload.len() - from.max(to));
            payload.copy_within(from..from + len, to);
        }
        _ => {
            // The head of this tile and the tail of another.
            let other = &others[random.below(others.len())].payload;
            let at = random.below(payload.len().min(other.len()) / 4) * 4;
            payload.truncate(at);
            payload.extend_from_slice(&other[at..]);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_small_tile_gets_a_verdict() {
    let mut jury = Jury::new();
    for Sample { mut payload, len } in samples(|size| size <= 320) {
        for bit in 0..8 * payload.len() {
            payload[bit / 8] ^= 1 << (bit % 8);
            // One verdict or another: `judge` looks at what it entails.
            let _ = jury.judge(&payload, len);
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(jury.judge(&payload, len), Ok(()), "flipped back");
    }
    println!("single bits: {jury}");
    assert!(jury.under_way > 0);
    assert!(jury.verdicts.len() >= 8, "{jury}");
}

#[test]
fn every_cut_of_a_tile_is_refused() {
    let mut jury = Jury::new();
    for Sample { payload, len } in samples(|size| size <= 1400) {
        for cut in 0..payload.len() {
            let error = jury.judge(&payload[..cut], len).expect_err("cut short");
            match cut % 4 {
                0 => assert_eq!(error.kind, TileErrorKind::Truncated),
                _ => assert_eq!(error.kind, TileErrorKind::PayloadSize { actual: cut }),
            }
        }
    }
    println!("cuts: {jury}");
}

#[test]
fn random_mutants_get_a_verdict() {
    let samples = samples(|size| size > 128);
    let mut random = Random::new(0x5EED);
    let mut jury = Jury::new();
    for _ in 0..runs(20_000) {
        let Sample { payload, len } = &samples[random.below(samples.len())];
        let mut payload = payload.clone();
        mutate(&mut random, &mut payload, &samples);
        let _ = jury.judge(&payload, *len);
    }
    println!("random mutants: {jury}");
    let reached = ["accepted", "truncated", "distance too far", "output overrun", "output short"];
    for name in reached.into_iter().chain(["incomplete code", "over-subscribed code"]) {
        assert!(jury.count(name) > 0, "no mutant: {name}\n{jury}");
    }
    assert!(jury.under_way > 0);
}

#[test]
fn random_bytes_get_a_verdict() {
    let mut random = Random::new(0xB17E5);
    let mut jury = Jury::new();
    for _ in 0..runs(20_000) {
        let mut payload = vec![0; 4 * (32 + random.below(512))];
        payload.fill_with(|| random.next() as u8);
        let len = 1 + random.below(4096);
        let _ = jury.judge(&payload, len);
    }
    println!("random bytes: {jury}");
    assert!(jury.count("block type") > 0);
    assert!(jury.under_way > 0);
}
