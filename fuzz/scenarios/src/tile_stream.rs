//! Any bytes as a tile stream.

use ds_gdeflate::{DecodeError, Decoder, MAX_TILE_PAYLOAD, TILE_SIZE, TileStream};

use crate::Verdict;
use crate::random::Random;
use crate::tile;

/// Streams with more content are looked at and not decoded: time is better spent on many small ones.
const MAX_CONTENT: u64 = 8 * TILE_SIZE as u64;

/// Runs an input.
pub fn run(data: &[u8]) -> Verdict {
    let stream = match TileStream::parse(data) {
        Ok(stream) => stream,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Verdict::refused(&error);
        }
    };
    check_layout(&stream, data);
    let size = stream.uncompressed_size();
    if size > MAX_CONTENT {
        return Verdict::Refused("too large for this scenario".into());
    }

    let mut whole = vec![0; size as usize];
    let verdict = Decoder::new().decode_stream(&stream, &mut whole);
    let (tiles, backwards) = backwards(&stream);
    let (threaded_tiles, threaded) = threaded(&stream);
    assert!(tiles == threaded_tiles, "verdicts on two threads differ from those on one");
    match verdict {
        Ok(decoded) => {
            assert_eq!(decoded as u64, size);
            assert!(tiles.iter().all(Option::is_none), "a tile by itself is refused");
            assert!(whole == backwards, "content depends on the order of tiles");
            assert!(whole == threaded, "content depends on the number of threads");
            assert!(ds_gdeflate::decompress(data).is_ok_and(|content| content == whole));
            Verdict::Accepted
        }
        Err(DecodeError::Tile { tile, error }) => {
            let first = tiles.iter().position(Option::is_some).expect("a tile by itself is accepted");
            assert_eq!((tile, Some(error)), (first, tiles[first]), "another tile's error");
            Verdict::Refused(error.kind.name().into())
        }
        Err(error) => panic!("a whole stream, and a buffer of its size: {error}"),
    }
}

/// Varies one tile of an input.
pub fn mutate(data: &[u8], seed: u64) -> Option<Vec<u8>> {
    let stream = TileStream::parse(data).ok()?;
    let random = &mut Random::new(seed);
    let tiles: Vec<_> = stream.tiles().collect();
    let chosen = random.below(tiles.len());
    let mut payloads: Vec<_> = tiles.iter().map(|tile| tile.payload().to_vec()).collect();
    let tile = tiles.get(chosen)?;
    let (payload, size) = tile::mutate::mutate(tile.payload(), tile.uncompressed_size(), random)?;
    payloads[chosen] = payload;
    // Only the last tile may be shorter: another that was varied is likely refused, which must not depend on order either.
    let last = if chosen + 1 == tiles.len() { size } else { tiles.last()?.uncompressed_size() };
    Some(assemble(data[0], &payloads, last))
}

/// A stream of these payloads.
fn assemble(id: u8, payloads: &[Vec<u8>], last: usize) -> Vec<u8> {
    let mut stream = vec![id, !id];
    stream.extend((payloads.len() as u16).to_le_bytes());
    stream.extend((1 | (last as u32 % TILE_SIZE as u32) << 2).to_le_bytes());
    let mut offset = 0;
    for (index, payload) in payloads.iter().enumerate() {
        let first = payloads.last().map_or(0, Vec::len) as u32;
        stream.extend(if index == 0 { first } else { offset }.to_le_bytes());
        offset += payload.len() as u32;
    }
    payloads.iter().for_each(|payload| stream.extend(payload));
    stream
}

fn check_layout(stream: &TileStream<'_>, data: &[u8]) {
    assert!(stream.consumed() <= data.len());
    let mut content = 0;
    let mut bytes = data.as_ptr_range().start;
    for (index, tile) in stream.tiles().enumerate() {
        assert_eq!(tile.index(), index);
        assert_eq!(tile.uncompressed_range().start, content);
        content = tile.uncompressed_range().end;
        let range = tile.payload().as_ptr_range();
        assert!(
            range.start >= bytes && range.end <= data.as_ptr_range().end,
            "payloads overlap, or lie outside"
        );
        assert!(tile.payload().len() <= MAX_TILE_PAYLOAD);
        bytes = range.end;
    }
    assert_eq!(content, stream.uncompressed_size());
    assert_eq!(stream.tiles().len(), stream.table().len());
}

type Verdicts = Vec<Option<ds_gdeflate::TileError>>;

fn backwards(stream: &TileStream<'_>) -> (Verdicts, Vec<u8>) {
    let mut content = vec![0xFF; stream.uncompressed_size() as usize];
    let mut decoder = Decoder::new();
    let tiles: Vec<_> = stream.tiles().zip(content.chunks_mut(TILE_SIZE)).collect();
    let mut verdicts: Vec<_> =
        tiles.into_iter().rev().map(|(tile, out)| decoder.decode_tile(tile.payload(), out).err()).collect();
    verdicts.reverse();
    (verdicts, content)
}

fn threaded(stream: &TileStream<'_>) -> (Verdicts, Vec<u8>) {
    let mut content = vec![0xFF; stream.uncompressed_size() as usize];
    let mut verdicts = vec![None; stream.tiles().len()];
    let half = verdicts.len() / 2;
    let (first, second) = content.split_at_mut((half * TILE_SIZE).min(stream.uncompressed_size() as usize));
    let (first_verdicts, second_verdicts) = verdicts.split_at_mut(half);
    let decode = |skipped: usize, out: &mut [u8], verdicts: &mut [Option<_>]| {
        let mut decoder = Decoder::new();
        for ((tile, out), verdict) in
            stream.tiles().skip(skipped).zip(out.chunks_mut(TILE_SIZE)).zip(verdicts)
        {
            *verdict = decoder.decode_tile(tile.payload(), out).err();
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| decode(0, first, first_verdicts));
        decode(half, second, second_verdicts);
        // The end of the scope waits for the thread's work, and not for what the thread itself still holds, which a leak detector
        // would find.
        other.join().expect("a decoder does not panic");
    });
    (verdicts, content)
}
