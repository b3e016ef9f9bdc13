//! Damaged streams, the same every time.

use ds_gdeflate::{CodecId, Level, TileStream, compress};

/// Most content of a stream, in bytes: `DS_MUTANT_SIZE`, or so little that a device of software, which decodes about 1 MB/s, is through
/// with thousands in a minute. From 65 536 on tiles are whole, and beyond it streams have several.
pub(crate) fn most_content() -> usize {
    let wished = std::env::var("DS_MUTANT_SIZE").ok().and_then(|n| n.parse().ok());
    wished.unwrap_or(4096).max(4096)
}

/// What is damaged, and who sees the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Payload,
    Container,
    Resident,
}

/// The same numbers every time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize * below) >> 31
    }
}

/// Content of several kinds, packed by several levels.
pub(crate) fn seeds(text: impl Fn(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    let (mut random, most) = (Random(7), most_content());
    let noise: Vec<_> = (0..most).map(|_| random.next(256) as u8).collect();
    let few: Vec<_> = (0..most).map(|_| b'a' + random.next(3) as u8).collect();
    let noise = noise[..most - 2096].to_vec();
    let contents = [text(most), text(700), noise, few, vec![0; most], b"x".to_vec()];
    let pack = |bytes: &Vec<u8>, level| compress(bytes, level, CodecId::default()).unwrap();
    contents
        .iter()
        .flat_map(|bytes| [Level::FASTEST, Level::DEFAULT].map(|level| pack(bytes, level)))
        .collect()
}

/// A stream with a few bits or bytes changed, and now and then one that ends too soon.
pub(crate) fn mutant(random: &mut Random, seed: &[u8], kind: Kind) -> Vec<u8> {
    let mut stream = seed.to_vec();
    let table_end = 8 + 4 * TileStream::parse(seed).unwrap().tiles().count();
    let damaged = match kind {
        Kind::Payload => table_end..stream.len(),
        Kind::Container => 0..table_end,
        Kind::Resident => 0..stream.len(),
    };
    for _ in 0..=random.next(3) {
        let at = damaged.start + random.next(damaged.len());
        match random.next(4) {
            0 => stream[at] = random.next(256) as u8,
            1 => stream[at] = [0, 0xFF][random.next(2)],
            _ => stream[at] ^= 1 << random.next(8),
        }
    }
    if kind != Kind::Payload && random.next(8) == 0 {
        stream.truncate(random.next(stream.len()));
    }
    stream
}
