//! The GDeflate shader, given tiles.
#![allow(dead_code, reason = "each test program uses some of it")]

use ds_gdeflate::{Decoder, TileErrorKind, TileStream};
use ds_lanes::{Access, Dispatch, Fault, Memory, Race, Report, Schedule, Shader};

pub(crate) static GDEFLATE: &[u8] = include_bytes!("../../../ds-vulkan/shaders/spirv/gdeflate.spv");

/// Bytes of scratch that a tile has.
const SCRATCH: usize = 2688;
const UNTOUCHED: u32 = u32::MAX;
/// Ten times the instructions that a lane does for the longest of the tiles here.
const BOUND: u64 = 10_000_000;

/// A way through the shader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Subgroups have 32 lanes, and the shader relies on it.
    wide: bool,
    /// Lanes of a subgroup.
    subgroup: u32,
    /// Tiles of a workgroup.
    tiles: u32,
}

/// A tile for each subgroup of 32 lanes, as the engine has it, and several in a workgroup.
pub(crate) const WIDE: [Way; 3] = [wide(1), wide(2), wide(4)];
/// A tile for each workgroup, whatever its subgroups are.
pub(crate) const ANY_SIZE: [Way; 4] = [any_size(8), any_size(16), any_size(32), any_size(64)];

const fn wide(tiles: u32) -> Way {
    Way { wide: true, subgroup: 32, tiles }
}

const fn any_size(subgroup: u32) -> Way {
    Way { wide: false, subgroup, tiles: 1 }
}

/// All ways.
pub(crate) fn ways() -> impl Iterator<Item = Way> {
    WIDE.into_iter().chain(ANY_SIZE)
}

/// Lanes together, lanes one by one, and lanes that take turns.
pub(crate) fn schedules(seed: u64) -> [Schedule; 3] {
    [Schedule::Lockstep, Schedule::OneByOne(seed), Schedule::Interleaved(seed)]
}

/// A tile.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    pub(crate) payload: Vec<u8>,
    /// Bytes that it makes.
    pub(crate) len: usize,
    /// Bytes by which source and destination lie past a multiple of 4.
    pub(crate) past: [u64; 2],
}

/// A stream's tiles, at multiples of 4.
pub(crate) fn tiles(stream: &[u8]) -> Vec<Tile> {
    let parsed = TileStream::parse(stream).unwrap();
    let tile = |tile: ds_gdeflate::Tile<'_>| Tile {
        payload: tile.payload().to_vec(),
        len: tile.uncompressed_size(),
        past: [0; 2],
    };
    parsed.tiles().map(tile).collect()
}

/// The shader's verdict on a tile, and what it made of it.
pub(crate) type Decoded = (u32, Vec<u8>);

/// Runs tiles through this shader.
pub(crate) fn run(
    spirv: &[u8],
    way: Way,
    schedule: Schedule,
    tiles: &[Tile],
) -> Result<(Vec<Decoded>, Report), Box<Fault>> {
    let constants = [(0, if way.wide { 32 } else { 0 }), (1, way.tiles), (2, 8), (3, 512)];
    let shader = Shader::new(spirv, &constants).unwrap();
    let mut memory = Memory::new();
    let (mut table, mut outputs) = (Vec::new(), Vec::new());
    for tile in tiles {
        // The shader reads whole words, and no more of them than hold the payload.
        let mut words = [&vec![0xA5; tile.past[0] as usize], &tile.payload[..]].concat();
        words.resize(words.len().next_multiple_of(4), 0xA5);
        let source = memory.add(words, Access::Read, 0) + tile.past[0];
        let destination = memory.add(vec![0xEE; tile.len], Access::Write, tile.past[1]);
        table.extend([source, destination].map(u64::to_le_bytes).concat());
        table.extend([tile.payload.len() as u32, tile.len as u32, 0, 0].map(u32::to_le_bytes).concat());
        outputs.push(destination);
    }
    let count = tiles.len();
    let table = memory.add(table, Access::Read, 0);
    let status = memory.add(UNTOUCHED.to_le_bytes().repeat(count), Access::Write, 0);
    let scratch = memory.add(vec![0xA5; SCRATCH * count], Access::Write, 0);
    let mut constants = [table, status, scratch].map(u64::to_le_bytes).concat();
    constants.extend([count as u32, 0].map(u32::to_le_bytes).concat());
    let workgroups = (count as u32).div_ceil(way.tiles);
    let dispatch = Dispatch { workgroups, subgroup: way.subgroup, schedule, bound: BOUND };
    let report = shader.run(&mut memory, &constants, &dispatch)?;
    let words = memory.bytes(status).as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    let decoded = words.zip(&outputs).map(|(word, output)| (word, memory.bytes(*output).to_vec()));
    Ok((decoded.collect(), report))
}

/// The processor's verdict, as the shader says it, and the content.
fn expected(tile: &Tile) -> Decoded {
    let mut output = vec![0; tile.len];
    let verdict = Decoder::new().decode_tile(&tile.payload, &mut output);
    (verdict.map_or_else(|error| word(error.kind), |()| 0), output)
}

/// Runs tiles this way: verdicts and bytes are the processor's, nothing else is written, lanes that are to meet do, and nothing is reached
/// for without order but what [`is_allowed`] says. Returns the verdicts.
pub(crate) fn check(name: &str, way: Way, schedule: Schedule, tiles: &[Tile]) -> Vec<u32> {
    let told = |what: String| -> ! { panic!("{name}, {way:?}, {schedule:?}: {what}") };
    let (decoded, report) =
        run(GDEFLATE, way, schedule, tiles).unwrap_or_else(|fault| told(fault.to_string()));
    for (n, ((word, bytes), tile)) in decoded.iter().zip(tiles).enumerate() {
        let (verdict, content) = expected(tile);
        if *word != verdict {
            told(format!("tile {n}: the processor says {verdict}, the shader {word}: {:02x?}", tile.payload));
        }
        if verdict == 0 && *bytes != content {
            told(format!("tile {n}: other bytes"));
        }
    }
    if let Some(race) = report.races.iter().find(|race| !is_allowed(race)) {
        told(format!("a race: {race}"));
    }
    decoded.into_iter().map(|(word, _)| word).collect()
}

/// What lanes of `emit_window` reach for without order, and why it does no harm.
pub(crate) fn is_allowed(race: &Race) -> bool {
    let [first, second] = [&race.first, &race.second]
        .map(|place| (place.function(), place.within, place.opcode.as_str(), place.name.as_deref()));
    match (first, second) {
        // Pointers that others shorten: each that was ever there leads to the same place.
        (
            ("emit_window", Some(0), "OpLoad" | "OpStore", Some("marks")),
            ("emit_window", Some(0), "OpLoad" | "OpStore", Some("marks")),
        ) => true,
        // A window's first word is stored whole: bytes before the window, which others may read, as they are.
        (
            ("emit_window", None, "OpLoad", Some("OutputBytes")),
            ("emit_window", None, "OpStore", Some("OutputWords")),
        ) => !race.changes,
        _ => false,
    }
}

/// The shader's word for what is wrong.
fn word(kind: TileErrorKind) -> u32 {
    use TileErrorKind as Kind;
    match kind {
        Kind::OutputSize { .. } => 1,
        Kind::PayloadSize { .. } => 2,
        Kind::Truncated => 3,
        Kind::BlockType => 4,
        Kind::TooManyDynamicBlocks { .. } => 5,
        Kind::RepeatWithoutLength => 6,
        Kind::RunTooLong { .. } => 7,
        Kind::OverSubscribed(code) => 8 + code as u32,
        Kind::Incomplete(code) => 11 + code as u32,
        Kind::NoEndOfBlock => 14,
        Kind::UnusedCodeword(code) => 15 + code as u32,
        Kind::ReservedSymbol { .. } => 18,
        Kind::DistanceTooFar { .. } => 19,
        Kind::OutputOverrun { .. } => 20,
        Kind::OutputShort { .. } => 21,
        other => panic!("{other:?} is new"),
    }
}

/// Text with some order in it.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let words = ["tile ", "stream ", "of ", "the ", "asset ", "queue ", "\n", "decodes ", "x", "0123456789 "];
    let picks =
        (0_u32..).map(|n| words[(n.wrapping_mul(n).wrapping_mul(0x9E37_79B9) >> 28) as usize % words.len()]);
    picks.flat_map(str::bytes).take(len).collect()
}
