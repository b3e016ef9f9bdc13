//! Writes the committed seeds: `cargo run -p ds-scenarios --bin make-seeds`. The same ones each time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ds_cli::pack::{EntryKind, Geometry, Method, PackWriter};
use ds_gdeflate::{CodecId, Level, TileStream, compress};
use ds_scenarios::decode_tile::join;
use ds_scenarios::random::Random;
use ds_scenarios::tile::write::write;
use ds_scenarios::tile::{Block, Codes, Said, Token};
use twox_hash::XxHash3_64;

/// Larger inputs make a fuzzer slow and find little more.
const MAX_SEED: usize = 3000;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = Seeds { dir: root.join("../seeds") };
    vectors(&seeds, &root.join("../../ds-gdeflate/tests/vectors"))?;
    for (name, blocks) in tiles() {
        let size = blocks.iter().map(Block::size).sum();
        seeds.put("decode_tile", name, &join(size, &write(&blocks)))?;
    }
    for (name, level, times, content) in contents() {
        seeds.put("round_trip", name, &[&[level, times], content].concat())?;
    }
    let mut random = Random::new(7);
    for number in 0..8 {
        let calls: Vec<u8> = (0..60 * (number + 1)).map(|_| random.bits() as u8).collect();
        seeds.put("queue", &format!("random-{number}"), &calls)?;
    }
    seeds.put("pack", "small", &[&[0], &pack()?[..]].concat())?;
    seeds.put("pack", "as-written", &[&[1], &pack()?[..]].concat())
}

struct Seeds {
    dir: PathBuf,
}

impl Seeds {
    fn put(&self, kind: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let dir = self.dir.join(kind);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(name), bytes)
    }
}

/// Small tiles and streams of other people's encoders.
fn vectors(seeds: &Seeds, dir: &Path) -> io::Result<()> {
    for entry in dir.read_dir()? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "gds") {
            continue;
        }
        let bytes = fs::read(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let stream = TileStream::parse(&bytes).map_err(io::Error::other)?;
        for tile in stream.tiles().filter(|tile| tile.payload().len() <= MAX_SEED) {
            let input = join(tile.uncompressed_size(), tile.payload());
            seeds.put("decode_tile", &format!("{name}-{}", tile.index()), &input)?;
        }
        if bytes.len() <= MAX_SEED {
            seeds.put("tile_stream", &name, &bytes)?;
        }
    }
    let text = b"so much depends upon a red wheel barrow ".repeat(4000);
    seeds.put(
        "tile_stream",
        "three-tiles",
        &compress(&text, Level::FASTEST, CodecId::default()).map_err(io::Error::other)?,
    )
}

/// Tiles of what encoders seldom write.
fn tiles() -> Vec<(&'static str, Vec<Block>)> {
    let literals = |text: &[u8]| -> Vec<Token> { text.iter().map(|&byte| Token::Literal(byte)).collect() };
    let a_match = |length: u16, extra, distance| Token::Match {
        length: Said { symbol: length, extra },
        distance: Said { symbol: distance, extra: 0 },
    };
    let runs = [literals(b"ab"), vec![a_match(264, 0, 0); 40], vec![a_match(285, 300, 1)]].concat();
    let flat = Codes { litlen: [vec![8; 255], vec![9, 9]].concat(), distance: vec![1] };
    let one = Codes { litlen: [vec![0; 256], vec![1]].concat(), distance: vec![0] };
    // Codewords of 1 to 14 bits, and two of 15: one of them the end of the block.
    let lengths = (1..=15).chain([0; 241]).chain([15]).collect();
    let long = Codes { litlen: lengths, distance: vec![1, 1] };
    let tiny =
        [Block::Static(Vec::new()), Block::Dynamic(one.clone(), Vec::new()), Block::Stored(Vec::new())];
    let tiny = vec![tiny; 9].concat();
    vec![
        ("tiny-blocks", [tiny, vec![Block::Static(literals(b"x"))]].concat()),
        ("stored", vec![Block::Stored(b"stored bytes, not many".to_vec())]),
        ("static-overlaps", vec![Block::Static(runs)]),
        ("flat-code", vec![Block::Dynamic(flat, literals(b"nearly every literal has eight bits"))]),
        ("long-codes", vec![Block::Dynamic(long, literals(&[0, 1, 2, 3, 12, 13, 14]))]),
        (
            "all-kinds",
            vec![
                Block::Stored(Vec::new()),
                Block::Static(literals(b"one ")),
                Block::Dynamic(one, Vec::new()),
                Block::Stored(b"two ".to_vec()),
                Block::Static(vec![a_match(262, 0, 4)]),
            ],
        ),
    ]
}

/// Level, how often the content is repeated besides, and content.
fn contents() -> [(&'static str, u8, u8, &'static [u8]); 6] {
    [
        ("one-byte", 6, 0, b"x"),
        ("zeros", 6, 255, &[0; 257]),
        (
            "text",
            6,
            3,
            b"so much depends upon a red wheel barrow glazed with rain water beside the white chickens",
        ),
        ("stored", 0, 2, b"as it is"),
        ("fast", 1, 200, b"a run of some length, again and again, and then another"),
        ("best", 12, 9, b"0123456789abcdef0123456789ABCDEF fedcba9876543210"),
    ]
}

fn pack() -> io::Result<Vec<u8>> {
    let geometry = Geometry::from_log2(12, 16).map_err(io::Error::other)?;
    let mut writer = PackWriter::new(Vec::new(), geometry)?;
    let text = b"so much depends upon a red wheel barrow ".repeat(20);
    let entries: [(&str, EntryKind, &[u8]); 4] = [
        ("empty.txt", EntryKind::File, b""),
        ("nothing", EntryKind::Directory, b""),
        ("textures/raw.bin", EntryKind::File, b"stored"),
        ("wheel.txt", EntryKind::File, &text),
    ];
    for (name, kind, content) in entries {
        writer.begin(name, kind, content.len() as u64).map_err(io::Error::other)?;
        if content.is_empty() {
            continue;
        }
        let packed = compress(content, Level::DEFAULT, CodecId::default()).map_err(io::Error::other)?;
        let (method, bytes) = if packed.len() < content.len() {
            (Method::GDeflate, packed.as_slice())
        } else {
            (Method::Stored, content)
        };
        writer.chunk(method, bytes, XxHash3_64::oneshot(content))?;
    }
    Ok(writer.finish()?.0)
}
