//! Inputs to encode, and the check that what comes out is read back by both decoders.

#![allow(dead_code)] // each test binary uses its own part

use ds_gdeflate::{Decoder, EncodeOptions, Encoder, Level, SimdLevel, TILE_SIZE, tile_bound};

/// Every level.
pub(crate) fn levels() -> impl Iterator<Item = Level> {
    (0..=12).filter_map(Level::new)
}

/// A level that looks one position ahead.
pub(crate) const LAZY: Level = Level::new(6).expect("there are 13");

/// Levels of each kind: what slow tests try.
pub(crate) const SOME_LEVELS: [Level; 5] =
    [Level::STORED, Level::FASTEST, LAZY, Level::DEFAULT, Level::BEST_RATIO];

/// One input of every `n`, all of them unless `DS_TEST_QUICK` is set.
pub(crate) fn stride(n: usize) -> usize {
    if std::env::var_os("DS_TEST_QUICK").is_some() { n } else { 1 }
}

/// Encoders and the decoders that judge them: ours at every level of instructions, and the reference's.
pub(crate) struct Judge {
    /// One for each level of instructions of the machine, the portable one first.
    encoders: Vec<Encoder>,
    /// As many.
    ours: Vec<Decoder>,
    reference: ds_reference::Decoder,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let ours = SimdLevel::available().map(Decoder::with_simd).collect();
        let encoders = SimdLevel::available().map(Encoder::with_simd).collect();
        Self { encoders, ours, reference: ds_reference::Decoder::new() }
    }

    /// Encodes a tile with all of them, which must write the same, decodes that with all of them, and returns its size.
    #[track_caller]
    pub(crate) fn check(&mut self, options: impl Into<EncodeOptions>, raw: &[u8], name: &str) -> usize {
        let options = options.into();
        let level = options.level();
        let bound = tile_bound(raw.len());
        // Room behind the bound must stay untouched.
        let mut out = vec![0xA5; bound + 64];
        let (first, others) = self.encoders.split_first_mut().expect("there is a portable one");
        let len = first.encode_tile(options, raw, &mut out).expect("there is room");
        assert!(len <= bound, "{name}, level {level}: {len} bytes, bound {bound}");
        assert!(len.is_multiple_of(4) && len >= 128, "{name}, level {level}: {len} bytes");
        assert!(out[bound..].iter().all(|&byte| byte == 0xA5), "{name}, level {level}: wrote past the bound");

        let mut again = vec![0; bound];
        for encoder in others {
            let simd = encoder.simd();
            assert_eq!(
                encoder.encode_tile(options, raw, &mut again),
                Ok(len),
                "{name}, level {level}, {simd}"
            );
            assert!(again[..len] == out[..len], "{name}, level {level}: other bytes at {simd}");
        }

        let mut back = vec![0x5A; raw.len()];
        for decoder in &mut self.ours {
            back.fill(0x5A);
            let verdict = decoder.decode_tile(&out[..len], &mut back);
            let simd = decoder.simd();
            assert_eq!(verdict, Ok(()), "{name}, level {level}, {simd}");
            assert!(back == raw, "{name}, level {level}: our decoder reads something else at {simd}");
        }

        back.fill(0x5A);
        let verdict = self.reference.decode_tile(&out[..len], &mut back);
        assert!(verdict.is_ok(), "{name}, level {level}: the reference decoder refuses");
        assert!(back == raw, "{name}, level {level}: the reference decoder reads something else");
        len
    }

    #[track_caller]
    pub(crate) fn check_some_levels(&mut self, raw: &[u8], name: &str) {
        for level in SOME_LEVELS {
            self.check(level, raw, name);
        }
    }

    #[track_caller]
    pub(crate) fn check_all_levels(&mut self, raw: &[u8], name: &str) {
        for level in levels() {
            self.check(level, raw, name);
        }
    }
}

/// A small generator, so that inputs are the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Random bytes, repeated with this period.
pub(crate) fn periodic(period: usize, len: usize) -> Vec<u8> {
    let unit = Random::new(period as u64).bytes(period);
    unit.into_iter().cycle().take(len).collect()
}

/// One tile of each kind of content that assets are made of, and of some that they are not.
pub(crate) fn asset_like() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random::new(7);
    let mut text = Vec::new();
    while text.len() < TILE_SIZE {
        let words =
            ["texture", " = ", "\"models/", "shader", "\n{\n\t", "map ", "blend", ".tga", " 0.", "1", "5"];
        text.extend_from_slice(words[random.below(words.len())].as_bytes());
    }
    let rgba = (0..TILE_SIZE / 4).flat_map(|pixel| {
        let (x, y) = (pixel % 128, pixel / 128);
        [(x * 2) as u8, (y + x / 9) as u8, ((x ^ y) & 0xF0) as u8, 0xFF]
    });
    let blocks = (0..TILE_SIZE / 8).flat_map(|block| {
        let shade = (block / 40 % 97) as u8;
        [shade, 0x41, shade ^ 3, 0x39, 0x55, (block % 7) as u8 * 0x11, 0xAA, 0]
    });
    let mesh = (0..TILE_SIZE / 12).flat_map(|vertex| {
        let angle = vertex as f32 * 0.01;
        [angle.fract(), (angle * 1.7).fract(), vertex as f32].map(f32::to_le_bytes).concat()
    });
    let mut level = 0_i32;
    let audio = (0..TILE_SIZE / 2).flat_map(|sample| {
        level = (level * 7 + (sample as i32 * 37 % 4001) - 2000) / 8;
        (level as i16).to_le_bytes()
    });
    vec![
        ("rgba", rgba.collect()),
        ("blocks", blocks.collect()),
        ("mesh", mesh.collect()),
        ("audio", audio.collect()),
        ("random", Random::new(1).bytes(TILE_SIZE)),
        ("zeros", vec![0; TILE_SIZE]),
        ("nibbles", Random::new(2).bytes(TILE_SIZE).into_iter().map(|byte| byte & 0x0F).collect()),
        ("bits", Random::new(3).bytes(TILE_SIZE).into_iter().map(|byte| byte & 1).collect()),
        ("all bytes", (0..TILE_SIZE).map(|at| at as u8).collect()),
        ("half random", [vec![b'x'; TILE_SIZE / 2], Random::new(4).bytes(TILE_SIZE / 2)].concat()),
        ("steep", (0..TILE_SIZE).map(|at| (at as u32).trailing_zeros() as u8).collect()),
        ("text", text),
    ]
    .into_iter()
    .map(|(name, mut raw): (_, Vec<u8>)| {
        raw.truncate(TILE_SIZE);
        (name, raw)
    })
    .collect()
}
