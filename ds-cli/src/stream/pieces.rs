//! Chunks that are asked for in pieces, and how their checksums come together.

use core::hash::Hasher;
use core::ops::Range;
use std::collections::{BTreeMap, HashMap};

use twox_hash::XxHash3_64;

use super::report::Fault;
use crate::pack::{Chunk, Method};

/// What one request asks for: some of a chunk's content, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) chunk: u32,
    number: u32,
}

impl Piece {
    pub(super) const fn from_tag(tag: u64) -> Self {
        Self { chunk: (tag >> 32) as u32, number: tag as u32 }
    }

    pub(super) const fn tag(self) -> u64 {
        (self.chunk as u64) << 32 | self.number as u64
    }
}

/// Cuts chunks into pieces of at most so many bytes of content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut(pub(super) u32);

impl Cut {
    /// Compressed chunks are not cut: they are decoded as a whole.
    pub(super) fn count(self, chunk: &Chunk) -> u32 {
        match chunk.method {
            Method::Stored => chunk.raw_size.div_ceil(self.0.max(1)),
            Method::GDeflate => 1,
        }
    }

    pub(super) fn pieces(self, number: u32, chunk: &Chunk) -> impl Iterator<Item = Piece> + use<> {
        (0..self.count(chunk)).map(move |piece| Piece { chunk: number, number: piece })
    }

    /// Where in its chunk's content a piece lies.
    pub(super) fn range(self, piece: Piece, chunk: &Chunk) -> Range<u64> {
        if chunk.method == Method::GDeflate {
            return 0..chunk.raw_size.into();
        }
        let (most, size) = (u64::from(self.0.max(1)), u64::from(chunk.raw_size));
        let start = most * u64::from(piece.number);
        start..size.min(start + most)
    }
}

/// Chunks of which some pieces have arrived and some have not.
#[derive(Default)]
pub(super) struct Partial {
    chunks: HashMap<u32, Assembly>,
    /// Pieces that wait for one before them.
    early: usize,
}

#[derive(Default)]
struct Assembly {
    hasher: XxHash3_64,
    /// Pieces hashed, which is also the number of the next one to hash.
    hashed: u32,
    early: BTreeMap<u32, Vec<u8>>,
    arrived: u32,
    fault: Option<Fault>,
}

impl Partial {
    /// Buffers that are kept until pieces before theirs arrive.
    pub(super) fn kept(&self) -> usize {
        self.early
    }

    /// Takes a piece that has arrived. Buffers that are done with go to `spare`. The verdict on the chunk follows its last
    /// piece.
    pub(super) fn arrived(
        &mut self,
        piece: Piece,
        (chunk, cut): (&Chunk, Cut),
        content: Vec<u8>,
        result: Result<(), Fault>,
        spare: &mut Vec<Vec<u8>>,
    ) -> Option<Result<(), Fault>> {
        let assembly = self.chunks.entry(piece.chunk).or_default();
        assembly.arrived += 1;
        assembly.early.insert(piece.number, content);
        self.early += 1;
        if let Err(fault) = result {
            assembly.fault.get_or_insert(fault);
        }
        while let Some(entry) = assembly.early.first_entry() {
            if assembly.fault.is_none() && *entry.key() != assembly.hashed {
                break;
            }
            let content = entry.remove();
            assembly.hasher.write(&content);
            assembly.hashed += 1;
            spare.push(content);
            self.early -= 1;
        }
        if assembly.arrived < cut.count(chunk) {
            return None;
        }
        let assembly = self.chunks.remove(&piece.chunk)?;
        Some(
            assembly.fault.map_or_else(|| chunk.check(assembly.hasher.finish()).map_err(Fault::Content), Err),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::ChunkError;

    const SIZE: u32 = 10_000;

    fn content() -> Vec<u8> {
        (0..SIZE).map(|i| (i * i).to_le_bytes()[1]).collect()
    }

    fn chunk(method: Method) -> Chunk {
        let checksum = XxHash3_64::oneshot(&content());
        Chunk { offset: 0, packed_size: SIZE, raw_size: SIZE, checksum, method }
    }

    /// Has pieces arrive in this order, one of them perhaps with a fault, and returns every verdict.
    fn verdicts(order: &[usize], bad: Option<usize>) -> Vec<Result<(), Fault>> {
        let (chunk, cut, content) = (chunk(Method::Stored), Cut(3000), content());
        let pieces: Vec<_> = cut.pieces(7, &chunk).collect();
        assert_eq!(pieces.len(), 4);
        let (mut partial, mut spare) = (Partial::default(), Vec::new());
        let verdicts = order.iter().filter_map(|&index| {
            let range = cut.range(pieces[index], &chunk);
            let mut bytes = content[range.start as usize..range.end as usize].to_vec();
            if bad == Some(index) {
                bytes[0] ^= 1;
            }
            partial.arrived(Piece::from_tag(pieces[index].tag()), (&chunk, cut), bytes, Ok(()), &mut spare)
        });
        let verdicts = verdicts.collect();
        assert_eq!((partial.kept(), partial.chunks.len(), spare.len()), (0, 0, order.len()));
        verdicts
    }

    #[test]
    fn pieces_may_come_in_any_order() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            assert!(matches!(verdicts(&order, None)[..], [Ok(())]), "{order:?}");
            for bad in 0..4 {
                let verdicts = verdicts(&order, Some(bad));
                assert!(
                    matches!(verdicts[..], [Err(Fault::Content(ChunkError::Checksum { .. }))]),
                    "{order:?}"
                );
            }
        }
    }

    #[test]
    fn a_fault_ends_the_waiting_but_not_the_chunk() {
        let (chunk, cut) = (chunk(Method::Stored), Cut(3000));
        let (mut partial, mut spare) = (Partial::default(), Vec::new());
        let fault = || Fault::Content(ChunkError::BufferSize { expected: 1, actual: 0 });
        let results = [Ok(()), Err(fault()), Err(fault()), Ok(())];
        let order = [3, 1, 0, 2];
        let pieces: Vec<_> = cut.pieces(0, &chunk).collect();
        let verdicts: Vec<_> = order
            .iter()
            .zip(results)
            .filter_map(|(&index, result)| {
                partial.arrived(pieces[index], (&chunk, cut), Vec::new(), result, &mut spare)
            })
            .collect();
        assert!(matches!(verdicts[..], [Err(_)]));
        assert_eq!((partial.kept(), spare.len()), (0, 4));
    }

    #[test]
    fn compressed_chunks_are_not_cut() {
        let chunk = chunk(Method::GDeflate);
        let pieces: Vec<_> = Cut(16).pieces(1, &chunk).collect();
        assert_eq!(pieces, [Piece { chunk: 1, number: 0 }]);
        assert_eq!(Cut(16).range(pieces[0], &chunk), 0..SIZE.into());
    }
}
