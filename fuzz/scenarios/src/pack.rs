//! Any bytes as a pack.

use std::fs::File;
use std::io::{self, Write as _};

use ds_cli::pack::layout::{FOOTER_SIZE, HEADER_SIZE};
use ds_cli::pack::{EntryKind, Geometry, Method, OpenError, Pack, PackWriter};
use ds_gdeflate::{CodecId, Decoder, Level, compress};
use twox_hash::XxHash3_64;

use crate::Verdict;
use crate::random::Random;

/// Content unpacked for one input at most, in bytes.
const MAX_CONTENT: u64 = 4 << 20;

/// Runs an input. If its first byte is even, the checksums of footer and index are made right first.
pub fn run(data: &[u8]) -> Verdict {
    let Some((&mode, data)) = data.split_first() else { return Verdict::Refused("no pack".into()) };
    let mut bytes = data.to_vec();
    if mode % 2 == 0 {
        repair(&mut bytes);
    }
    let pack = match Pack::open(file(&bytes)) {
        Ok(pack) => pack,
        Err(OpenError::Pack(error)) => {
            assert!(!error.to_string().is_empty());
            return Verdict::refused(&error);
        }
        Err(error) => panic!("a file in memory: {error}"),
    };
    check_index(&pack, &bytes);
    unpack(&pack, &bytes)
}

/// Changes numbers in the index and the footer, in a pack whose checksums will be made right; now and then, anything else.
///
/// A pack that is refused already is as often left for a new one: changes upon changes would lead nowhere but to the first checks.
pub fn mutate(data: &[u8], seed: u64) -> Option<Vec<u8>> {
    let random = &mut Random::new(seed);
    let mut data = data.to_vec();
    *data.first_mut()? &= !1;
    repair(&mut data[1..]);
    if Pack::open(file(&data[1..])).is_err() && random.once_in(2) {
        return sound(random).ok();
    }
    let (_, footer) = data.split_last_chunk::<FOOTER_SIZE>()?;
    let index_len = u64::from_le_bytes(*footer[8..].first_chunk()?);
    let tail = usize::try_from(index_len).ok()?.checked_add(FOOTER_SIZE)?.min(data.len() - 1);
    for _ in 0..1 + random.below(4) {
        let reach = if random.once_in(8) { data.len() - 1 } else { tail };
        let at = data.len() - 1 - random.below(reach);
        match random.below(4) {
            0 => data[at] = random.bits() as u8,
            1 => data[at] = [0, 1, 0x7F, 0xFF][random.below(4)],
            2 => data[at] = data[at].wrapping_add(1),
            _ => data[at] ^= 1 << random.below(8),
        }
    }
    Some(data)
}

/// A pack of a few small files and folders.
fn sound(random: &mut Random) -> io::Result<Vec<u8>> {
    let [align, chunk] = [4 + random.below(4), 16 + random.below(7)];
    let geometry = Geometry::from_log2(align as u8, chunk as u8).map_err(io::Error::other)?;
    let mut writer = PackWriter::new(vec![0], geometry)?;
    for number in 0..random.below(6) {
        let name = format!("{number}/{}", "name".repeat(1 + random.below(4)));
        if random.once_in(4) {
            writer.begin(&name, EntryKind::Directory, 0).map_err(io::Error::other)?;
            continue;
        }
        let content = b"so much depends upon ".repeat(random.below(30));
        writer.begin(&name, EntryKind::File, content.len() as u64).map_err(io::Error::other)?;
        let packed = compress(&content, Level::FASTEST, CodecId::default()).map_err(io::Error::other)?;
        match content.len() {
            0 => {}
            len if packed.len() < len => {
                writer.chunk(Method::GDeflate, &packed, XxHash3_64::oneshot(&content))?
            }
            _ => writer.chunk(Method::Stored, &content, XxHash3_64::oneshot(&content))?,
        }
    }
    Ok(writer.finish()?.0)
}

/// What a program relies on once a pack is open.
fn check_index(pack: &Pack, bytes: &[u8]) {
    let index = pack.index();
    let mut previous: Option<&str> = None;
    for entry in index.entries() {
        let name = entry.name();
        assert!(!name.is_empty() && !name.starts_with('/') && !name.contains('\0'), "{name:?}");
        assert!(name.split('/').all(|part| !matches!(part, "" | "." | "..")), "{name:?} leaves the folder");
        assert_ne!(previous, Some(name), "twice the same name");
        assert_eq!(index.find(name).map(|found| found.number()), Some(entry.number()));
        assert_eq!(entry.chunks().map(|chunk| u64::from(chunk.raw_size)).sum::<u64>(), entry.size());
        assert!(entry.kind() == EntryKind::File || entry.size() == 0);
        previous = Some(name);
    }
    let mut end = HEADER_SIZE as u64;
    for chunk in index.chunks() {
        assert!(chunk.offset >= end, "chunks overlap");
        end = chunk.offset + u64::from(chunk.packed_size);
    }
    assert!(
        end <= index.index_offset() && index.index_offset() <= bytes.len() as u64,
        "a chunk lies outside"
    );
}

fn unpack(pack: &Pack, bytes: &[u8]) -> Verdict {
    let mut decoder = Decoder::new();
    let mut packed = Vec::new();
    let mut left = MAX_CONTENT;
    let mut verdict = Verdict::Accepted;
    for chunk in pack.index().chunks() {
        let Some(rest) = left.checked_sub(chunk.raw_size.into()) else { break };
        left = rest;
        pack.read_chunk(&chunk, &mut packed).expect("the chunk lies inside the file");
        let at = chunk.offset as usize;
        assert!(packed == bytes[at..at + packed.len()]);
        let mut content = vec![0xA5; chunk.raw_size as usize];
        match chunk.unpack(&mut decoder, &packed, &mut content) {
            Ok(()) => assert_eq!(
                XxHash3_64::oneshot(&content),
                chunk.checksum,
                "content that is not what was packed"
            ),
            Err(error) => verdict = Verdict::refused(&error),
        }
    }
    verdict
}

/// Makes the checksums of footer and index right, where there is room for them.
fn repair(bytes: &mut [u8]) {
    let Some((rest, footer)) = bytes.split_last_chunk_mut::<FOOTER_SIZE>() else { return };
    let len = u64::from_le_bytes(*footer[8..].first_chunk().expect("the footer is longer"));
    let start = usize::try_from(len).ok().and_then(|len| rest.len().checked_sub(len));
    if let Some(start) = start {
        footer[16..24].copy_from_slice(&XxHash3_64::oneshot(&rest[start..]).to_le_bytes());
    }
    let checksum = XxHash3_64::oneshot(&footer[..48]);
    footer[48..56].copy_from_slice(&checksum.to_le_bytes());
}

/// A file in memory.
fn file(bytes: &[u8]) -> File {
    let mut file: File =
        rustix::fs::memfd_create("pack", rustix::fs::MemfdFlags::CLOEXEC).expect("memory for a file").into();
    file.write_all(bytes).expect("memory for a file");
    file
}
