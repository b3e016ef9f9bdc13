//! `PackIndex::parse` on every kind of bad index, and on thousands of mutated ones.

use std::collections::BTreeMap;

use ds_cli::assets::random::Random;
use ds_cli::pack::layout::{CHUNK_SIZE, ENTRY_SIZE, FOOTER_SIZE, HEADER_SIZE, MAX_INDEX};
use ds_cli::pack::{
    ChunkProblem, EntryKind, EntryProblem, Geometry, Method, NameError, PackError, PackIndex, PackWriter,
    name,
};
use support::{Parts, reseal};
use twox_hash::XxHash3_64;

mod support;

fn parse(bytes: &[u8]) -> Result<PackIndex, PackError> {
    PackIndex::parse(bytes, bytes.len() as u64)
}

/// What is wrong with the entry that is wrong.
fn problem(parts: &Parts) -> (u32, EntryProblem) {
    match parse(&parts.bytes()) {
        Err(PackError::Entry { entry, problem, .. }) => (entry, problem),
        other => panic!("{other:?}"),
    }
}

fn chunk_problem(parts: &Parts) -> (u32, ChunkProblem) {
    match problem(parts).1 {
        EntryProblem::Chunk { chunk, problem } => (chunk, problem),
        other => panic!("{other:?}"),
    }
}

fn two_files() -> Parts {
    Parts::new().file("a", &[1; 40]).file("b/c", &[2; 16]).directory("d").file("e", b"")
}

#[test]
fn a_sound_index_says_what_was_written() {
    let index = parse(&two_files().bytes()).unwrap();
    assert_eq!((index.len(), index.chunk_count(), index.raw_size()), (4, 2, 56));
    let entry = index.find("b/c").unwrap();
    assert_eq!((entry.number(), entry.size(), entry.chunks().get(0).unwrap().offset), (1, 16, 64));
    assert_eq!(entry.chunks().get(0).unwrap().method, Method::Stored);
    assert!(entry.chunks().get(1).is_none() && index.entry_of_chunk(2).is_none());
    assert_eq!(index.find("d").unwrap().kind(), EntryKind::Directory);
    assert!(index.find("b").is_none() && index.find("b/").is_none() && index.entry(4).is_none());
    assert_eq!(index.entries().map(|e| e.name()).collect::<Vec<_>>(), ["a", "b/c", "d", "e"]);
}

#[test]
fn every_entry_and_chunk_of_a_long_index_is_found() {
    let mut writer = PackWriter::new(Vec::new(), Geometry::from_log2(4, 16).unwrap()).unwrap();
    let mut chunks = Vec::new();
    for number in 0..1000_usize {
        let name = format!("{number:04}");
        // Empty ones among them, also many in a row.
        let count = if number < 200 { 0 } else { number % 4 };
        writer.begin(&name, EntryKind::File, (count << 16).saturating_sub(number % 4) as u64).unwrap();
        for chunk in 0..count {
            let raw_size = if chunk + 1 == count { (1 << 16) - number % 4 } else { 1 << 16 };
            writer.chunk(Method::Stored, &vec![0; raw_size], chunks.len() as u64).unwrap();
            chunks.push((number, chunk, raw_size as u32));
        }
    }
    let index = parse(&writer.finish().unwrap().0).unwrap();
    assert_eq!((index.len(), index.chunk_count(), index.entries().len()), (1000, chunks.len(), 1000));
    for number in 0..1000 {
        let entry = index.entry(number).unwrap();
        assert_eq!((entry.number(), entry.name()), (number, &format!("{number:04}")[..]));
        assert_eq!(index.find(entry.name()).unwrap().number(), number);
        assert!(index.find(&format!("{number:04}x")).is_none());
    }
    assert!(index.entry(1000).is_none() && index.entry(64_000).is_none());
    assert!(index.chunks().map(|chunk| chunk.checksum).eq(0..chunks.len() as u64));
    for (number, (entry, chunk, raw_size)) in chunks.iter().enumerate() {
        let found = index.entry_of_chunk(number).unwrap();
        assert_eq!((found.number(), found.chunk_numbers().start + chunk), (*entry, number));
        let found = found.chunks().get(*chunk).unwrap();
        assert_eq!((found.checksum, found.raw_size), (number as u64, *raw_size));
    }
    assert!(index.entry_of_chunk(chunks.len()).is_none());
}

#[test]
fn nothing_at_all_is_a_pack_too() {
    let index = parse(&Parts::new().bytes()).unwrap();
    assert!(index.is_empty() && index.chunk_count() == 0 && index.raw_size() == 0);
}

#[test]
fn the_writer_makes_what_the_hand_makes() {
    let mut writer = PackWriter::new(Vec::new(), Geometry::DEFAULT).unwrap();
    for (name, content) in [("a", &[1; 40][..]), ("b/c", &[2; 16])] {
        writer.begin(name, EntryKind::File, content.len() as u64).unwrap();
        writer.chunk(Method::Stored, content, XxHash3_64::oneshot(content)).unwrap();
    }
    writer.begin("d", EntryKind::Directory, 0).unwrap();
    writer.begin("e", EntryKind::File, 0).unwrap();
    let (bytes, len) = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, len);
    assert_eq!(bytes, two_files().bytes());
}

#[test]
fn the_writer_refuses_what_a_reader_would() {
    let mut writer = PackWriter::new(Vec::new(), Geometry::DEFAULT).unwrap();
    writer.begin("m", EntryKind::File, 0).unwrap();
    for name in ["m", "m/n", "a", "../x", "", "/x"] {
        assert!(
            matches!(writer.begin(name, EntryKind::File, 0), Err(PackError::Entry { entry: 1, .. })),
            "{name}"
        );
    }
    let huge = writer.begin("z", EntryKind::File, u64::MAX);
    assert!(matches!(huge, Err(PackError::IndexTooLarge { .. })), "{huge:?}");
    writer.begin("z", EntryKind::File, 0).unwrap();
    assert_eq!(parse(&writer.finish().unwrap().0).unwrap().len(), 2);
}

#[test]
fn alignment_is_kept() {
    for log2 in [4, 12, 16] {
        let geometry = Geometry::from_log2(log2, 16).unwrap();
        let mut writer = PackWriter::new(Vec::new(), geometry).unwrap();
        for name in ["a", "b"] {
            writer.begin(name, EntryKind::File, 3).unwrap();
            writer.chunk(Method::Stored, b"abc", XxHash3_64::oneshot(b"abc")).unwrap();
        }
        let index = parse(&writer.finish().unwrap().0).unwrap();
        assert!(index.chunks().all(|chunk| chunk.offset % (1 << log2) == 0));
        assert_eq!(index.index_offset() % (1 << log2), 0);
    }
    assert_eq!(Geometry::from_log2(3, 22), Err(PackError::Alignment { log2: 3 }));
    assert_eq!(Geometry::from_log2(17, 22), Err(PackError::Alignment { log2: 17 }));
    assert_eq!(Geometry::from_log2(4, 15), Err(PackError::ChunkSize { log2: 15 }));
    assert_eq!(Geometry::from_log2(4, 23), Err(PackError::ChunkSize { log2: 23 }));
}

#[test]
fn bad_names_are_refused() {
    let escaping: [(&[u8], NameError); 8] = [
        (b"../evil", NameError::Dots),
        (b"a/../../evil", NameError::Dots),
        (b"/etc/passwd", NameError::Absolute),
        (b"", NameError::Empty),
        (b"a//b", NameError::EmptyComponent),
        (b"a\0b", NameError::Forbidden { character: '\0' }),
        (b"..\\evil", NameError::Forbidden { character: '\\' }),
        (b"a\xff", NameError::NotUtf8 { at: 1 }),
    ];
    for (name, expected) in escaping {
        let parts = Parts::new().file("!", b"x").file(name, b"y");
        assert_eq!(problem(&parts), (1, EntryProblem::Name(expected)), "{name:?}");
    }
}

#[test]
fn duplicate_unsorted_and_nested_names_are_refused() {
    let pair = |a: &str, b: &str| problem(&Parts::new().file(a, b"x").file(b, b"y"));
    assert_eq!(pair("a", "a"), (1, EntryProblem::Duplicate));
    assert_eq!(pair("b", "a"), (1, EntryProblem::Order { previous: "b".into() }));
    assert_eq!(pair("a", "a/b"), (1, EntryProblem::Inside { parent: "a".into() }));
    assert_eq!(
        problem(&Parts::new().directory("a").file("a/b", b"x")),
        (1, EntryProblem::Inside { parent: "a".into() })
    );
}

#[test]
fn absurd_sizes_and_counts_are_refused_before_memory_is_taken() {
    let mut parts = two_files();
    parts.entries[0].size = u64::MAX;
    assert_eq!(problem(&parts), (0, EntryProblem::TooFewChunks { needed: 1 << 44, left: 2 }));
    parts = two_files();
    parts.entries[0].size = (2 << 20) + 1;
    assert_eq!(problem(&parts), (0, EntryProblem::TooFewChunks { needed: 3, left: 2 }));
    parts = two_files();
    parts.entries[2].size = 1;
    assert_eq!(problem(&parts), (2, EntryProblem::DirectorySize { size: 1 }));
    parts = two_files();
    parts.entries[3].name_len = 2;
    assert_eq!(problem(&parts), (3, EntryProblem::NameOutside { len: 2, left: 1 }));

    let parts = two_files();
    let len = parts.index().len() as u64;
    for (entries, chunks) in [(u32::MAX, 2), (4, u32::MAX), (u32::MAX, u32::MAX), (20, 20)] {
        let mut footer = parts.footer();
        (footer.entries, footer.chunks) = (entries, chunks);
        let expected = PackError::Counts { entries, chunks, index_len: len };
        assert_eq!(parse(&parts.with_footer(&footer)).unwrap_err(), expected);
    }
    // Fewer records than there are: what is left over is not silently ignored.
    let mut footer = parts.footer();
    footer.entries = 0;
    assert!(matches!(parse(&parts.with_footer(&footer)), Err(PackError::Leftover { chunks: 2, .. })));
}

#[test]
fn chunks_must_lie_apart_and_inside() {
    let with = |number: usize, change: fn(&mut ds_cli::pack::layout::ChunkRecord)| {
        let mut parts = two_files();
        change(&mut parts.chunks[number]);
        chunk_problem(&parts)
    };
    assert_eq!(with(0, |c| c.offset = 0), (0, ChunkProblem::Overlap { offset: 0, previous_end: 16 }));
    assert_eq!(with(1, |c| c.offset = 48), (1, ChunkProblem::Overlap { offset: 48, previous_end: 56 }));
    assert_eq!(with(1, |c| c.offset = 68), (1, ChunkProblem::Misaligned { offset: 68, align: 16 }));
    assert_eq!(with(1, |c| c.offset = 80), (1, ChunkProblem::Outside { offset: 80, packed: 16, limit: 80 }));
    let edge = u64::MAX - 15;
    assert_eq!(
        with(1, |c| c.offset = u64::MAX - 15),
        (1, ChunkProblem::Outside { offset: edge, packed: 16, limit: 80 })
    );
    assert_eq!(
        with(0, |c| c.offset = 1 << 63),
        (0, ChunkProblem::Outside { offset: 1 << 63, packed: 40, limit: 80 })
    );
    assert_eq!(with(0, |c| c.packed_size = 41), (0, ChunkProblem::Size { packed: 41, raw: 40 }));
    assert_eq!(with(0, |c| c.method = 1), (0, ChunkProblem::Size { packed: 40, raw: 40 }));
    assert_eq!(with(0, |c| c.method = 2), (0, ChunkProblem::Method { found: 2 }));
    assert_eq!(with(0, |c| c.reserved[2] = 1), (0, ChunkProblem::Reserved));
    let empty = with(0, |c| (c.method, c.packed_size) = (1, 0));
    assert_eq!(empty, (0, ChunkProblem::Size { packed: 0, raw: 40 }));
}

#[test]
fn reserved_fields_kinds_and_versions_are_refused() {
    let mut parts = two_files();
    parts.entries[1].kind = 2;
    assert_eq!(problem(&parts), (1, EntryProblem::Kind { found: 2 }));
    parts = two_files();
    parts.entries[1].reserved[4] = 1;
    assert_eq!(problem(&parts), (1, EntryProblem::Reserved));

    let good = two_files().bytes();
    let footer = good.len() - FOOTER_SIZE;
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[footer + at] = value;
        reseal(&mut bytes);
        parse(&bytes).unwrap_err()
    };
    assert_eq!(changed(32, 2), PackError::UnsupportedVersion { found: 2 });
    assert_eq!(changed(34, 3), PackError::Alignment { log2: 3 });
    assert_eq!(changed(35, 23), PackError::ChunkSize { log2: 23 });
    for at in 36..48 {
        assert_eq!(changed(at, 1), PackError::Reserved { at });
    }
    assert!(matches!(changed(63, 0), PackError::NoFooter { .. }));
}

#[test]
fn the_index_must_fill_the_end_of_the_file() {
    let parts = two_files();
    let good = parts.bytes();
    let mut footer = parts.footer();
    footer.index_offset = 0;
    footer.index_len = good.len() as u64 - FOOTER_SIZE as u64;
    assert!(matches!(parse(&parts.with_footer(&footer)), Err(PackError::IndexRange { offset: 0, .. })));
    footer.index_offset = u64::MAX - 15;
    assert!(matches!(parse(&parts.with_footer(&footer)), Err(PackError::IndexRange { .. })));
    // A file said to be huge (sparse, say) cannot make the reader take memory for its index.
    footer = parts.footer();
    footer.index_len = MAX_INDEX + 1;
    let file_len = footer.index_offset + footer.index_len + FOOTER_SIZE as u64;
    let huge = PackIndex::parse(parts.with_footer(&footer), file_len);
    assert_eq!(huge.unwrap_err(), PackError::IndexTooLarge { len: MAX_INDEX + 1 });
    // A longer tail than needed is fine, a shorter one is told how much is missing.
    assert_eq!(PackIndex::parse(&good[HEADER_SIZE..], good.len() as u64).unwrap().len(), 4);
    let short = &good[good.len() - FOOTER_SIZE - 10..];
    let needed = parts.footer().tail_len();
    assert_eq!(
        PackIndex::parse(short, good.len() as u64).unwrap_err(),
        PackError::Truncated { needed, actual: FOOTER_SIZE as u64 + 10 }
    );
}

#[test]
fn damage_is_told_by_checksums() {
    let good = two_files().bytes();
    let footer = good.len() - FOOTER_SIZE;
    let mut bytes = good.clone();
    bytes[footer - 1] ^= 1;
    assert!(matches!(parse(&bytes), Err(PackError::IndexChecksum { .. })));
    bytes = good.clone();
    bytes[footer + 3] ^= 1;
    assert!(matches!(parse(&bytes), Err(PackError::FooterChecksum { .. })));
    for len in 0..good.len() {
        assert!(parse(&good[..len]).is_err(), "cut to {len}");
    }
}

/// Whatever the bytes say: no panic, and what is accepted keeps the promises of `PackIndex`.
#[test]
fn mutated_indexes_never_panic_and_never_lie() {
    const RUNS: u32 = 100_000;
    let mut random = Random::new(0x7061_636b);
    let mut parts = Parts::new();
    for i in 0..12 {
        parts = parts.file(format!("dir{}/file{i:02}", i / 4), &vec![i; 1 + 37 * usize::from(i)]);
    }
    let good = parts.directory("empty").file("last", b"").bytes();
    let tail_at = good.len() - FOOTER_SIZE - 14 * ENTRY_SIZE - 12 * CHUNK_SIZE - 12 * 11 - 9;
    let mut histogram = BTreeMap::<String, u32>::new();
    for _ in 0..RUNS {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = tail_at + random.below((bytes.len() - tail_at) as u64) as usize;
            match random.below(6) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff, b'/', b'.']),
                2 => {
                    let value = *random.pick(&[0, 1, u64::MAX, 1 << 63, u64::MAX - 15, 16, 1 << 32]);
                    let len = 8.min(bytes.len() - at);
                    bytes[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
                }
                3 => {
                    let from = tail_at + random.below((bytes.len() - tail_at) as u64) as usize;
                    let len = (random.below(24) as usize).min(bytes.len() - at.max(from));
                    bytes.copy_within(from..from + len, at);
                }
                4 if random.below(8) == 0 => bytes.truncate(at),
                4 => drop(bytes.splice(at..at, [random.draw() as u8])),
                _ => bytes[at] = bytes[at].wrapping_add(random.below(5) as u8).wrapping_sub(2),
            }
            if bytes.len() <= tail_at {
                break;
            }
        }
        if random.below(8) != 0 {
            reseal(&mut bytes);
        }
        let file_len = bytes.len() as u64 + if random.below(50) == 0 { random.draw() % 100 } else { 0 };
        let verdict = match PackIndex::parse(&bytes[..], file_len) {
            Ok(index) => {
                check_promises(&index, file_len);
                "sound".into()
            }
            Err(e) => kind(&e),
        };
        *histogram.entry(verdict).or_default() += 1;
    }
    for (verdict, count) in &histogram {
        println!("{count:>7}  {verdict}");
    }
    assert!(histogram.len() >= 20, "mutations reach too little of the parser");
    assert!(histogram["sound"] > RUNS / 1000);
}

/// The error's variants, without their numbers.
fn kind(error: &PackError) -> String {
    let name = |text: String| text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
    match error {
        PackError::Entry { problem: EntryProblem::Chunk { problem, .. }, .. } => {
            format!("chunk: {}", name(format!("{problem:?}")))
        }
        PackError::Entry { problem: EntryProblem::Name(e), .. } => {
            format!("name: {}", name(format!("{e:?}")))
        }
        PackError::Entry { problem, .. } => format!("entry: {}", name(format!("{problem:?}"))),
        other => name(format!("{other:?}")),
    }
}

fn check_promises(index: &PackIndex, file_len: u64) {
    let mut end = HEADER_SIZE as u64;
    let mut last: Option<&str> = None;
    for entry in index.entries() {
        assert!(name::check(entry.name().as_bytes()).is_ok());
        assert!(last.is_none_or(|last| name::compare(last, entry.name()).is_lt()));
        assert_eq!(index.find(entry.name()).unwrap().number(), entry.number());
        assert_eq!(entry.size(), entry.chunks().map(|c| u64::from(c.raw_size)).sum::<u64>());
        for chunk in entry.chunks() {
            assert!(chunk.offset >= end && chunk.packed_size <= chunk.raw_size && chunk.raw_size <= 4 << 20);
            end = chunk.offset + u64::from(chunk.packed_size);
        }
        last = Some(entry.name());
    }
    assert!(end <= index.index_offset() && index.index_offset() < file_len);
}
