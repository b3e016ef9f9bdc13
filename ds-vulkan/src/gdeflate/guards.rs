//! The shader keeps to its memory: everything it is given lies in one buffer, with guards between, and whatever the guards hold,
//! it writes none of them and says the same. That holds of its tables of tiles and its scratch memory as well, which tests from
//! outside do not see.

use core::ops::Range;
use core::ptr::NonNull;

use ash::vk;
use ds_gdeflate::{CodecId, Level, TileStream, compress};

use super::{Decoder, Dispatch, SCRATCH_BYTES, Tile, UNTOUCHED};
use crate::device::timeline::Timeline;
use crate::device::{Device, testing};
use crate::engine::commands::{Commands, scope};
use crate::engine::config::DecoderPath;
use crate::memory::allocation::Allocation;
use crate::memory::types::Purpose;

const GUARD: usize = 256;
/// Tiles in a dispatch.
const TILES: usize = 64;
const ROUNDS: usize = 12;

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize * below) >> 31
    }
}

/// Places one behind the other, with guards between.
struct Layout {
    end: usize,
    taken: Vec<Range<usize>>,
}

impl Layout {
    /// `len` bytes at a multiple of 8 and `shift` more.
    fn place(&mut self, len: usize, shift: usize) -> Range<usize> {
        let start = (self.end + GUARD).next_multiple_of(8) + shift;
        self.end = start + len;
        self.taken.push(start..self.end);
        start..self.end
    }
}

/// Payloads of tiles, and the length of what they hold: whole ones and damaged ones.
fn payloads(random: &mut Random) -> Vec<(Vec<u8>, usize)> {
    let text: Vec<u8> = (0..3000).map(|n: usize| b"asset queue tile "[(n * n / 7) % 17]).collect();
    let noise: Vec<u8> = (0..1500).map(|_| random.next(256) as u8).collect();
    let seeds = [&text[..], &text[..800], &noise, &[7; 2500], b"x"];
    (0..TILES)
        .map(|n| {
            let content = seeds[n % seeds.len()];
            let level = [Level::FASTEST, Level::DEFAULT][n / seeds.len() % 2];
            let stream = compress(content, level, CodecId::default()).unwrap();
            let mut payload = TileStream::parse(&stream).unwrap().tiles().next().unwrap().payload().to_vec();
            for _ in 0..random.next(4) {
                let at = random.next(payload.len());
                payload[at] ^= 1 << random.next(8);
            }
            if random.next(8) == 0 {
                payload.truncate(random.next(payload.len() / 4) * 4);
            }
            (payload, content.len())
        })
        .collect()
}

/// What the shader left of a buffer filled with `pattern`.
fn run(
    device: &Device,
    decoder: Decoder,
    bytes: &[u8],
    tiles: Vec<Tile>,
    places: &[Range<usize>; 3],
) -> Vec<u8> {
    let memory =
        Allocation::new(device, bytes.len() as u64, vk::BufferUsageFlags::empty(), Purpose::Readback)
            .unwrap();
    let whole = NonNull::slice_from_raw_parts(memory.mapped.unwrap(), bytes.len());
    // SAFETY: the mapping is as long, nobody else has it, and the device has nothing to do yet.
    unsafe { &mut *whole.as_ptr() }.copy_from_slice(bytes);
    let [table, status, scratch] = places;
    let at = |place: &Range<usize>| memory.address + place.start as u64;
    let absolute = tiles.into_iter().map(|tile| Tile {
        source: tile.source + memory.address,
        destination: tile.destination + memory.address,
        ..tile
    });
    for (n, tile) in absolute.enumerate() {
        let place = whole.cast::<u8>().as_ptr().wrapping_add(table.start).cast::<Tile>().wrapping_add(n);
        // SAFETY: the table has room for as many, at an address that is a multiple of 8.
        unsafe { place.write(tile) };
    }
    // SAFETY: the device has nothing to do yet, and nobody writes.
    let written = unsafe { whole.as_ref() }[table.clone()].to_vec();
    let dispatch = Dispatch {
        tiles: at(table),
        status: at(status),
        scratch: at(scratch),
        tile_count: TILES as u32,
        reserved: 0,
    };
    let queue = device.inner.queues.main();
    let mut commands = Commands::new(device, queue.family).unwrap();
    let timeline = Timeline::new(device).unwrap();
    commands.begin().unwrap();
    commands.dispatch(decoder.pipeline, &dispatch, decoder.workgroups(TILES as u32));
    commands.barrier(scope::SHADER_WRITE, scope::HOST_READ);
    commands.submit(queue, &[], timeline.at(1)).unwrap();
    timeline.wait(1).unwrap();
    // SAFETY: the device is through with it.
    let mut left = unsafe { whole.as_ref() }.to_vec();
    // Addresses differ from run to run: what is compared with others has none.
    assert_eq!(left[table.clone()], written, "the table of tiles was written");
    left[table.clone()].copy_from_slice(&bytes[table.clone()]);
    left
}

#[test]
fn the_shader_writes_no_guard_and_heeds_none() {
    let Some(device) = testing::device() else { return };
    let mut random = Random(3);
    let (mut good, mut bad) = (0, 0);
    for path in [DecoderPath::Auto, DecoderPath::AnySize] {
        let decoder = Decoder::new(&device, path).unwrap();
        for _ in 0..ROUNDS {
            let payloads = payloads(&mut random);
            let mut layout = Layout { end: 0, taken: Vec::new() };
            let table = layout.place(TILES * Tile::SIZE as usize, 0);
            let status = layout.place(TILES * 4, 0);
            let scratch = layout.place(TILES * SCRATCH_BYTES as usize, 0);
            let ends: Vec<_> = payloads
                .iter()
                .enumerate()
                .map(|(n, (payload, len))| {
                    (layout.place(payload.len(), n % 4), layout.place(*len, n / 4 % 4))
                })
                .collect();
            let size = layout.end + GUARD;
            let tiles: Vec<_> = ends
                .iter()
                .map(|(from, into)| {
                    let (from_len, into_len) = (from.len() as u32, into.len() as u32);
                    Tile::new(from.start as u64, from_len, into.start as u64, into_len)
                })
                .collect();
            let results = [0x00, 0xFF, 0xA5].map(|pattern| {
                let mut bytes = vec![pattern; size];
                for ((from, _), (payload, _)) in ends.iter().zip(&payloads) {
                    bytes[from.clone()].copy_from_slice(payload);
                }
                bytes[status.clone()].fill(UNTOUCHED as u8);
                let places = [table.clone(), status.clone(), scratch.clone()];
                let left = run(&device, decoder, &bytes, tiles.clone(), &places);
                // Guards, payloads and the table are as they were.
                let mut expected = bytes;
                let outputs = ends.iter().map(|(_, into)| into);
                for place in outputs.chain([&status, &scratch]) {
                    expected[place.clone()].copy_from_slice(&left[place.clone()]);
                }
                let wrong = (0..size).find(|&at| left[at] != expected[at]);
                assert_eq!(wrong, None, "a byte was written that is nobody's; places: {:?}", layout.taken);
                left
            });
            for (n, (_, into)) in ends.iter().enumerate() {
                let word = |left: &[u8]| {
                    let at = status.start + 4 * n;
                    u32::from_le_bytes(left[at..at + 4].try_into().unwrap())
                };
                let verdicts = results.each_ref().map(|left| word(left));
                assert!(verdicts.iter().all(|&verdict| verdict == verdicts[0]), "tile {n}: {verdicts:?}");
                assert_ne!(verdicts[0], UNTOUCHED, "tile {n} has no verdict");
                if verdicts[0] == 0 {
                    good += 1;
                    let [first, others @ ..] = results.each_ref().map(|left| &left[into.clone()]);
                    assert!(
                        others.iter().all(|other| *other == first),
                        "tile {n}: its bytes come from guards"
                    );
                } else {
                    bad += 1;
                }
            }
        }
    }
    println!("{good} tiles decoded, {bad} refused");
    assert!(good > 100 && bad > 100, "{good} good, {bad} bad");
}
