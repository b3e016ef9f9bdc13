//! Tiles made by hand, one for everything that can be wrong with a tile, and some that are odd but good.

mod support;

use std::collections::BTreeSet;

use ds_gdeflate::{
    Code, Decoder, MAX_TILE_PAYLOAD, SimdLevel, TILE_SIZE, TileError, TileErrorKind, max_dynamic_blocks,
};
use support::writer::Symbol::{End, Literal, Match, Reserved};
use support::writer::{FULL_PRECODE, Length, Prefix, TileWriter};

/// Decodes a tile at every level, which must all come to the same.
fn decode(payload: &[u8], len: usize) -> Result<Vec<u8>, TileError> {
    let decode = |level| {
        let mut out = vec![0xA5; len];
        Decoder::with_simd(level).decode_tile(payload, &mut out).map(|()| out)
    };
    let scalar = decode(SimdLevel::SCALAR);
    for level in SimdLevel::available() {
        assert!(decode(level) == scalar, "{level} does not agree");
    }
    scalar
}

/// A tile with an error in it, for `len` bytes of output.
struct Case {
    what: &'static str,
    payload: Vec<u8>,
    len: usize,
    kind: TileErrorKind,
}

fn tile(write: impl FnOnce(&mut TileWriter) -> &mut TileWriter) -> Vec<u8> {
    write(&mut TileWriter::new()).payload()
}

/// A static block with these symbols.
fn fixed(symbols: &[support::writer::Symbol]) -> Vec<u8> {
    tile(|tile| tile.fixed(true, symbols))
}

/// A dynamic block in these codes with these symbols.
fn dynamic(litlen: &Prefix, distance: &Prefix, symbols: &[support::writer::Symbol]) -> Vec<u8> {
    tile(|tile| tile.dynamic(true, litlen, distance, symbols))
}

/// A dynamic block whose header is wrong.
fn header(precode: &[u8; 19], lengths: &[Length]) -> Vec<u8> {
    tile(|tile| tile.block(true, 2).code_lengths(257, 1, precode, lengths))
}

/// So many dynamic blocks of one byte each, and a stored block of the rest.
fn dynamic_blocks(count: usize, content: usize) -> Vec<u8> {
    tile(|tile| {
        for _ in 0..count {
            tile.dynamic(false, &small_litlen(), &Prefix::of(1, &[(0, 1)]), &[Literal(b'x'), End]);
        }
        let rest = vec![b'x'; content - count];
        tile.stored(true, rest.len(), &rest)
    })
}

fn cut(mut payload: Vec<u8>, words: usize) -> Vec<u8> {
    payload.truncate(payload.len() - 4 * words);
    payload
}

/// A code for `x`, length 3 and the end.
fn small_litlen() -> Prefix {
    Prefix::of(258, &[(usize::from(b'x'), 1), (256, 2), (257, 2)])
}

const MATCH_3: usize = 257;

fn cases() -> Vec<Case> {
    use TileErrorKind as Kind;

    let x = Literal(b'x');
    let match_of = |distance| Match { length: (MATCH_3, 0), distance };
    let one_code = Prefix::of(1, &[(0, 1)]);
    let no_code = Prefix::of(1, &[]);
    let good = small_litlen();
    let precode =
        |lengths: &[(usize, u8)]| -> [u8; 19] { Prefix::of(19, lengths).0.try_into().expect("19 lengths") };

    let mut cases = Vec::new();
    let mut case = |what, payload, len, kind| cases.push(Case { what, payload, len, kind });

    case("no output", fixed(&[End]), 0, Kind::OutputSize { actual: 0 });
    case("output over a tile", fixed(&[End]), 65_537, Kind::OutputSize { actual: 65_537 });
    case("payload not in words", vec![0; 130], 1, Kind::PayloadSize { actual: 130 });
    let actual = MAX_TILE_PAYLOAD + 4;
    case("payload over the cap", vec![0; actual], 1, Kind::PayloadSize { actual });

    case("no payload", vec![], 1, Kind::Truncated);
    case("a lane without a first word", vec![0; 124], 1, Kind::Truncated);
    case("no word for lane 0 after the block's header", vec![0; 128], 1, Kind::Truncated);
    case(
        "cut in a dynamic header",
        cut(header(&FULL_PRECODE, &[Length::One(8); 258]), 20),
        1,
        Kind::Truncated,
    );
    case("cut in a stored block", cut(tile(|tile| tile.stored(true, 64, &[7; 64])), 1), 64, Kind::Truncated);
    case("cut in a static block", cut(fixed(&[&[x; 200][..], &[End]].concat()), 1), 200, Kind::Truncated);
    case("empty blocks for ever", vec![0; MAX_TILE_PAYLOAD], 1, Kind::Truncated);

    case("block type 3", tile(|tile| tile.block(true, 3)), 1, Kind::BlockType);
    let second = tile(|tile| tile.stored(false, 1, b"x").block(true, 3));
    case("block type 3 in the second block", second, 1, Kind::BlockType);

    let kind = Kind::TooManyDynamicBlocks { limit: 1 };
    case("two dynamic blocks in a small tile", dynamic_blocks(2, 9), 9, kind);

    let repeat = header(&FULL_PRECODE, &[Length::Repeat(3)]);
    case("a repeat of no length", repeat, 1, Kind::RepeatWithoutLength);
    let mut lengths = vec![Length::One(8); 255];
    lengths.push(Length::Repeat(6));
    let kind = Kind::RunTooLong { expected: 3, actual: 6 };
    case("a repeat past the last length", header(&FULL_PRECODE, &lengths), 1, kind);
    let kind = Kind::RunTooLong { expected: 120, actual: 138 };
    case("zeros past the last length", header(&FULL_PRECODE, &[Length::Zeros(138); 2]), 1, kind);

    let over = Kind::OverSubscribed;
    case("precode over-subscribed", header(&[4; 19], &[]), 1, over(Code::CodeLength));
    let all_8 = Prefix(vec![8; 257]);
    case("literals over-subscribed", dynamic(&all_8, &one_code, &[End]), 1, over(Code::LiteralLength));
    let three = Prefix(vec![1; 3]);
    case("distances over-subscribed", dynamic(&good, &three, &[End]), 1, over(Code::Distance));

    let under = Kind::Incomplete;
    case("precode incomplete", header(&[5; 19], &[]), 1, under(Code::CodeLength));
    let all_9 = Prefix(vec![9; 257]);
    case("literals incomplete", dynamic(&all_9, &one_code, &[End]), 1, under(Code::LiteralLength));
    let two_bits = Prefix(vec![2; 3]);
    case("distances incomplete", dynamic(&good, &two_bits, &[End]), 1, under(Code::Distance));
    let single = Prefix(vec![2]);
    case("one distance of two bits", dynamic(&good, &single, &[End]), 1, under(Code::Distance));

    let no_end = Prefix::of(257, &[(0, 1), (1, 1)]);
    case("no code for the end", dynamic(&no_end, &one_code, &[End]), 1, Kind::NoEndOfBlock);
    case("no codes at all", dynamic(&Prefix(vec![0; 257]), &no_code, &[End]), 1, Kind::NoEndOfBlock);

    let unused = Kind::UnusedCodeword;
    let lengths = [Length::One(1)];
    case("an empty precode", header(&[0; 19], &lengths), 1, unused(Code::CodeLength));
    case("a one-symbol precode's 1", header(&precode(&[(8, 1)]), &lengths), 1, unused(Code::CodeLength));
    let only_end = Prefix::of(257, &[(256, 1)]);
    case(
        "a one-symbol literal code's 1",
        dynamic(&only_end, &no_code, &[x, End]),
        1,
        unused(Code::LiteralLength),
    );
    let symbols = [x, match_of((0, 0)), End];
    case("a distance of an empty code", dynamic(&good, &no_code, &symbols), 4, unused(Code::Distance));
    let symbols = [x, x, match_of((1, 0)), End];
    case("a one-symbol distance code's 1", dynamic(&good, &one_code, &symbols), 5, unused(Code::Distance));

    for symbol in [286, 287] {
        let kind = Kind::ReservedSymbol { symbol: symbol as u16 };
        case("a reserved symbol of the static code", fixed(&[Reserved(symbol), End]), 1, kind);
        let code = Prefix::of(288, &[(256, 1), (symbol, 1)]);
        case(
            "a reserved symbol of a dynamic code",
            dynamic(&code, &no_code, &[Reserved(symbol), End]),
            1,
            kind,
        );
    }

    let kind = |expected, actual| Kind::DistanceTooFar { expected, actual };
    case("a match with nothing before it", fixed(&[match_of((0, 0)), End]), 3, kind(0, 1));
    case("a match from before the tile", fixed(&[x, match_of((1, 0)), End]), 4, kind(1, 2));
    case("the farthest match", fixed(&[x, match_of((31, 16_383)), End]), 4, kind(1, 65_536));
    // In the midst of much that is in order, where the fast path is at work.
    let mut symbols = vec![x; 1000];
    symbols[500] = match_of((20, 0));
    symbols.push(End);
    case("a match from before the tile, later", fixed(&symbols), 1002, kind(500, 1025));

    let kind = |expected, actual| Kind::OutputOverrun { expected, actual };
    case("a literal too many", fixed(&[x, x, End]), 1, kind(1, 2));
    case("a match past the end", fixed(&[x, match_of((0, 0)), End]), 3, kind(3, 4));
    let longest = Match { length: (285, 65_535), distance: (0, 0) };
    case("the longest match past the end", fixed(&[x, longest, End]), 65_536, kind(65_536, 65_539));
    let stored = tile(|tile| tile.stored(true, 65, &[7; 65]));
    case("a stored block past the end", stored, 64, kind(64, 65));
    case("literals without end", fixed(&[&[x; 3000][..], &[End]].concat()), 2000, kind(2000, 2001));

    let kind = |expected, actual| Kind::OutputShort { expected, actual };
    case("nothing at all", fixed(&[End]), 1, kind(1, 0));
    case("a byte too few", fixed(&[x, x, End]), 3, kind(3, 2));
    case("an empty stored block", tile(|tile| tile.stored(true, 0, b"")), 9, kind(9, 0));
    cases
}

#[test]
fn every_error_is_told_by_its_kind() {
    for Case { what, payload, len, kind } in cases() {
        let error = decode(&payload, len).expect_err(what);
        assert_eq!(error.kind, kind, "{what}");
        assert!(usize::from(error.lane) < 32, "{what}: {error:?}");
        assert!(error.input <= payload.len() && error.output <= len, "{what}: {error:?}");
        assert!(error.to_string().starts_with(&kind.to_string()), "{what}");
    }
}

#[test]
fn as_many_dynamic_blocks_as_the_limit_says_are_good() {
    for (content, limit) in [(1, 1), (511, 1), (512, 2), (1024, 3), (TILE_SIZE, 129)] {
        assert_eq!(max_dynamic_blocks(content), limit, "{content} bytes");
        assert_eq!(decode(&dynamic_blocks(limit, content), content), Ok(vec![b'x'; content]));
        let error = decode(&dynamic_blocks(limit + 1, content + 1), content).map_err(|error| error.kind);
        assert_eq!(error, Err(TileErrorKind::TooManyDynamicBlocks { limit }), "{content} bytes");
    }
}

#[test]
fn every_kind_of_error_is_met() {
    // The kinds as their source lists them, so that a new one without a case is missed here.
    let source = include_str!("../src/error.rs");
    let function = source.split("pub const fn name(").nth(1).expect("the function");
    let body = function.split("impl ").next().expect("split yields something");
    let listed: BTreeSet<_> = body.split('"').skip(1).step_by(2).collect();
    let cases = cases();
    let met: BTreeSet<_> = cases.iter().map(|case| case.kind.name()).collect();
    assert_eq!(met, listed);

    for code in [Code::CodeLength, Code::LiteralLength, Code::Distance] {
        for kind in [TileErrorKind::OverSubscribed, TileErrorKind::Incomplete, TileErrorKind::UnusedCodeword]
        {
            assert!(cases.iter().any(|case| case.kind == kind(code)), "no case for {:?}", kind(code));
        }
    }
}

#[test]
fn an_error_says_how_far_decoding_came() {
    // Lanes 0 to 2 write; lane 3 meets the error in the first round.
    let payload = fixed(&[Literal(1), Literal(2), Literal(3), Reserved(286), End]);
    let error = decode(&payload, 9).expect_err("a reserved symbol");
    // 32 first words, one for lane 0 after the block's header, and one each for lanes 1 and 2.
    assert_eq!((error.lane, error.input, error.output), (3, 35 * 4, 3));
}

#[test]
fn a_tile_cut_anywhere_is_truncated() {
    let symbols: Vec<_> = (0..1000).map(|at| Literal(at as u8)).chain([End]).collect();
    let payload = fixed(&symbols);
    for words in 0..payload.len() / 4 {
        let error = decode(&payload[..4 * words], 1000).expect_err("cut short");
        assert_eq!(error.kind, TileErrorKind::Truncated, "{words} words");
        assert_eq!(error.input, 4 * words, "every word that is there was dealt");
    }
}

#[test]
fn stored_blocks_of_every_size_are_read() {
    for len in (1..300).chain([4095, 32_768, 65_535]) {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + at / 256) as u8).collect();
        let payload = tile(|tile| tile.stored(false, 0, b"").stored(true, len, &bytes));
        assert_eq!(decode(&payload, len).as_ref(), Ok(&bytes), "{len} bytes");
        // A full tile needs two blocks, wherever it is split; lanes begin the second with uneven buffers.
        let rest = vec![0x3C; 65_536 - len];
        let payload = tile(|tile| tile.stored(false, len, &bytes).stored(true, rest.len(), &rest));
        assert_eq!(decode(&payload, 65_536), Ok([bytes, rest].concat()), "{len} bytes, then the rest");
    }
}

#[test]
fn blocks_of_every_type_follow_one_another() {
    let x = Literal(b'x');
    let copy = Match { length: (MATCH_3, 0), distance: (0, 0) };
    let code = Prefix::of(1, &[(0, 1)]);
    let payload = tile(|tile| {
        tile.fixed(false, &[Literal(b'a'), copy, End])
            .stored(false, 5, b"store")
            .dynamic(false, &small_litlen(), &code, &[x, copy, x, End])
            .fixed(false, &[End])
            .stored(false, 0, b"")
            .stored(false, 512, &[b's'; 512])
            .dynamic(true, &small_litlen(), &code, &[x, copy, End])
    });
    assert_eq!(decode(&payload, 14 + 512 + 4), Ok([&b"aaaastorexxxxx"[..], &[b's'; 512], b"xxxx"].concat()));
}

#[test]
fn the_block_may_end_in_any_lane_with_matches_due_in_all_others() {
    for literals in 1..32 {
        for matches in 0..64 {
            let copy = Match { length: (MATCH_3, 0), distance: (0, 0) };
            let symbols = [vec![Literal(b'x'); literals], vec![copy; matches], vec![End]].concat();
            let len = literals + 3 * matches;
            assert_eq!(decode(&fixed(&symbols), len), Ok(vec![b'x'; len]), "{literals}, {matches}");
        }
    }
}

#[test]
fn length_285_has_16_extra_bits() {
    for (extra, len) in [(0, 3), (255, 258), (256, 259), (65_532, 65_535)] {
        let copy = Match { length: (285, extra), distance: (0, 0) };
        let payload = fixed(&[Literal(b'x'), copy, End]);
        assert_eq!(decode(&payload, 1 + len), Ok(vec![b'x'; 1 + len]), "extra bits {extra}");
    }
}

#[test]
fn distances_30_and_31_reach_across_the_tile() {
    for (symbol, extra, distance) in
        [(30, 0, 32_769), (30, 16_383, 49_152), (31, 0, 49_153), (31, 16_380, 65_533)]
    {
        let bytes: Vec<u8> = (0..distance).map(|at| (at % 251) as u8).collect();
        let copy = Match { length: (MATCH_3, 0), distance: (symbol, extra) };
        let payload = tile(|tile| tile.stored(false, distance, &bytes).fixed(true, &[copy, End]));
        let expected = [&bytes[..], &bytes[..3]].concat();
        assert!(decode(&payload, distance + 3) == Ok(expected), "distance {distance}");
    }
}

#[test]
fn thirty_two_distance_codes_are_normal() {
    let copy = Match { length: (MATCH_3, 0), distance: (0, 0) };
    let payload = dynamic(&small_litlen(), &Prefix(vec![5; 32]), &[Literal(b'x'), copy, End]);
    assert_eq!(decode(&payload, 4), Ok(b"xxxx".to_vec()));
    // Thirty-two lengths and no code, where no match follows.
    let payload = dynamic(&small_litlen(), &Prefix(vec![0; 32]), &[Literal(b'x'), End]);
    assert_eq!(decode(&payload, 1), Ok(b"x".to_vec()));
}

#[test]
fn runs_of_lengths_cross_from_literals_to_distances() {
    // 255 zeros, then 256: 2 bits, 257: 2 bits, and zeros from 258 on.
    let copy = Match { length: (MATCH_3, 0), distance: (0, 0) };
    let litlen = Prefix::of(258, &[(255, 1), (256, 2), (257, 2)]);
    let distance = Prefix(vec![2; 4]);
    let lengths = [
        Length::Zeros(138),
        Length::Zeros(117),
        Length::One(1),
        Length::One(2),
        // 257 and all four distances.
        Length::Repeat(5),
    ];
    let payload = tile(|tile| {
        tile.block(true, 2).code_lengths(258, 4, &FULL_PRECODE, &lengths).symbols(
            &litlen,
            &distance,
            &[Literal(255), copy, End],
        )
    });
    assert_eq!(decode(&payload, 4), Ok(vec![255; 4]));
}

#[test]
fn words_behind_the_last_turn_are_not_looked_at() {
    let mut payload = fixed(&[Literal(b'x'), End]);
    payload.resize(payload.len() + 400, 0xFF);
    assert_eq!(decode(&payload, 1), Ok(b"x".to_vec()));
}
