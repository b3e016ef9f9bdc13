//! The other shaders: what they make, and that they touch nothing else.

#[allow(dead_code, reason = "containers alone are damaged")]
#[path = "../../ds-vulkan/tests/common/damage.rs"]
mod damage;

use damage::{Kind, Random, mutant};
use ds_gdeflate::{CodecId, Level, TileStream, compress};
use ds_lanes::{Access, Dispatch, Memory, Schedule, Shader};

static BUFFER_COPY: &[u8] = include_bytes!("../../ds-vulkan/shaders/spirv/buffer_copy.spv");
static UPPERCASE: &[u8] = include_bytes!("../../ds-vulkan/shaders/spirv/uppercase.spv");
static TILE_TABLE: &[u8] = include_bytes!("../../ds-vulkan/shaders/spirv/tile_table.spv");

/// More instructions than a lane of these does.
const BOUND: u64 = 100_000;
const UNTOUCHED: u32 = u32::MAX;

/// Push constants: addresses and other numbers of 64 bits, then those of 32.
fn constants(long: &[u64], short: [u32; 2]) -> Vec<u8> {
    let mut bytes: Vec<_> = long.iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes.extend(short.map(u32::to_le_bytes).concat());
    bytes
}

/// Runs a shader for so many items of which a workgroup does so many.
fn run(spirv: &[u8], memory: &mut Memory, constants: &[u8], items: usize, share: usize, seed: u64) {
    let shader = Shader::new(spirv, &[]).unwrap();
    assert_eq!(shader.local_size(), [64, 1, 1]);
    let schedules = [Schedule::Lockstep, Schedule::OneByOne(seed), Schedule::Interleaved(seed)];
    let (subgroup, schedule) = ([8, 32, 64][seed as usize % 3], schedules[seed as usize / 3 % 3]);
    // One too many does nothing.
    let workgroups = items.div_ceil(share) as u32 + 1;
    let dispatch = Dispatch { workgroups, subgroup, schedule, bound: BOUND };
    let report = shader.run(memory, constants, &dispatch).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(report.races, []);
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| ((n * n) >> 3) as u8).collect()
}

#[test]
fn copies() {
    for (seed, len) in (0..).zip([0, 1, 15, 16, 17, 1023, 1024, 1025, 3000, 4096]) {
        for past in [[0, 0], [0, 3], [16, 32], [5, 5], [8, 0]] {
            let (mut memory, content) = (Memory::new(), content(len));
            let from = memory.add(content.clone(), Access::Read, past[0]);
            let into = memory.add(vec![0xEE; len], Access::Write, past[1]);
            let constants = constants(&[from, into], [len as u32, 0]);
            run(BUFFER_COPY, &mut memory, &constants, len, 1024, seed + past[0]);
            assert!(memory.bytes(into) == content, "{len} bytes, {past:?}");
        }
    }
}

#[test]
fn letters() {
    for (seed, len) in (0..).zip([0, 1, 16, 255, 256, 1024, 2500]) {
        for wanted in [len, len + 1] {
            let (mut memory, content) = (Memory::new(), content(len));
            let from = memory.add(content.clone(), Access::Read, seed % 4);
            let into = memory.add(vec![0xEE; wanted], Access::Write, seed % 3);
            let status = memory.add(UNTOUCHED.to_le_bytes().to_vec(), Access::Write, 0);
            let constants = constants(&[from, into, status], [len as u32, wanted as u32]);
            run(UPPERCASE, &mut memory, &constants, wanted, 1024, seed);
            let (expected, verdict) = match wanted == len {
                true => (content.to_ascii_uppercase(), UNTOUCHED),
                false => (vec![0xEE; wanted], 1),
            };
            assert!(memory.bytes(into) == expected, "{len} bytes");
            assert_eq!(memory.bytes(status), verdict.to_le_bytes());
        }
    }
}

/// What the shader says of a stream, and the descriptors it makes of `count` tiles from the `first` on.
fn table(stream: &[u8], size: u64, first: u32, count: u32, seed: u64) -> (u32, Vec<[u64; 4]>) {
    let mut memory = Memory::new();
    let from = memory.add(stream.to_vec(), Access::Read, seed % 4);
    let tiles = memory.add(vec![0xEE; 32 * count as usize], Access::Write, 0);
    let verdict = memory.add(UNTOUCHED.to_le_bytes().to_vec(), Access::Write, 0);
    let into = 1 << 40;
    let constants = constants(&[from, into, tiles, verdict, stream.len() as u64, size], [first, count]);
    run(TILE_TABLE, &mut memory, &constants, count as usize, 64, seed);
    let word = |bytes: &[u8]| u64::from(u32::from_le_bytes(bytes.try_into().unwrap()));
    let descriptor = |bytes: &[u8; 32]| {
        let address = |at: usize| word(&bytes[at..at + 4]) | word(&bytes[at + 4..at + 8]) << 32;
        assert_eq!(bytes[24..], [0; 8], "flags, and what is reserved");
        [address(0) - from, address(8) - into, word(&bytes[16..20]), word(&bytes[20..24])]
    };
    let descriptors = memory.bytes(tiles).as_chunks().0.iter().map(descriptor).collect();
    (word(memory.bytes(verdict)) as u32, descriptors)
}

/// Where the processor finds a stream's tiles.
fn expected(stream: &TileStream<'_>, bytes: &[u8]) -> Vec<[u64; 4]> {
    let place = |part: &[u8]| part.as_ptr() as u64 - bytes.as_ptr() as u64;
    let tile = |tile: ds_gdeflate::Tile<'_>| {
        let payload = tile.payload();
        [
            place(payload),
            tile.uncompressed_range().start,
            payload.len() as u64,
            tile.uncompressed_size() as u64,
        ]
    };
    stream.tiles().map(tile).collect()
}

fn streams() -> Vec<Vec<u8>> {
    let pack = |len| compress(&vec![7; len], Level::FASTEST, CodecId::default()).unwrap();
    vec![pack(1), pack(65_536), pack(65_537), pack(200_000)]
}

#[test]
fn tables_of_good_streams() {
    for (seed, bytes) in (0..).zip(streams()) {
        let stream = TileStream::parse(&bytes).unwrap();
        let all = expected(&stream, &bytes);
        let (count, size) = (all.len() as u32, stream.uncompressed_size());
        let empty = [0; 4];
        // More than there are, some of them, and none.
        for (first, wanted) in [(0, count), (0, count + 70), (1, count), (count, 1), (0, 0)] {
            let (verdict, descriptors) = table(&bytes, size, first, wanted, seed);
            assert_eq!(verdict, UNTOUCHED);
            let rest = all.iter().skip(first as usize).chain(std::iter::repeat(&empty));
            assert_eq!(descriptors, rest.take(wanted as usize).copied().collect::<Vec<_>>());
        }
        let (verdict, descriptors) = table(&bytes, size + 1, 0, count, seed);
        assert_eq!(verdict, 3, "another size");
        assert!(descriptors.iter().all(|one| *one == empty));
    }
}

#[test]
fn tables_of_damaged_streams() {
    let (streams, mut random, mut accepted, mut refused) = (streams(), Random(9), 0, 0);
    for seed in 0..2000 {
        let good = &streams[random.next(streams.len())];
        let size = TileStream::parse(good).unwrap().uncompressed_size();
        let bytes = mutant(&mut random, good, Kind::Container);
        let (verdict, descriptors) = table(&bytes, size, 0, 5, seed);
        let parsed = TileStream::parse(&bytes).ok().filter(|stream| stream.uncompressed_size() == size);
        match parsed {
            Some(stream) => {
                assert_eq!(verdict, UNTOUCHED, "{bytes:02x?}");
                let all = expected(&stream, &bytes);
                assert_eq!(descriptors[..all.len()], all);
                accepted += 1;
            }
            None => {
                let (tile, reason) = (verdict >> 8, verdict & 0xFF);
                assert!(tile < 5 && (1..=4).contains(&reason), "{verdict:#x}: {bytes:02x?}");
                refused += 1;
            }
        }
        // Whatever is told, tiles lie within the stream and within the output.
        for [source, into, source_len, len] in descriptors {
            assert!(source + source_len <= bytes.len() as u64 && into + len <= size, "{bytes:02x?}");
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted > 50 && refused > 500, "{accepted} accepted, {refused} refused");
}
