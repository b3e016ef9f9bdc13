//! The tokens of a tile, counted by the stretch of input they cover.

use super::histogram::Histogram;
use super::token::Token;
use crate::format::TILE_SIZE;

/// Stretches of input that blocks are put together from, in bytes. A match may run over the end of its chunk.
pub(super) const CHUNK_SIZE: usize = 4096;
pub(super) const MAX_CHUNKS: usize = TILE_SIZE / CHUNK_SIZE;

/// A run of tokens and what they cover.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) histogram: Histogram,
    /// End of the run, counted in tokens from the tile's start.
    pub(super) tokens_end: usize,
    /// End of the run, counted in bytes from the tile's start.
    pub(super) raw_end: usize,
}

impl Chunk {
    const EMPTY: Self = Self { histogram: Histogram::EMPTY, tokens_end: 0, raw_end: 0 };
}

/// Everything the parser says about a tile.
pub(super) struct Tokens {
    tokens: [Token; TILE_SIZE],
    chunks: [Chunk; MAX_CHUNKS],
    chunk_count: usize,
}

impl Tokens {
    pub(super) const fn new() -> Self {
        Self { tokens: [Token::NONE; TILE_SIZE], chunks: [Chunk::EMPTY; MAX_CHUNKS], chunk_count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.chunk_count = 0;
    }

    /// Starts the chunk that follows the last one closed.
    #[inline(always)]
    pub(super) fn open_chunk(&mut self) -> OpenChunk<'_> {
        let count = match self.chunk_count {
            0 => 0,
            before => self.chunks[before - 1].tokens_end,
        };
        let chunk = &mut self.chunks[self.chunk_count];
        *chunk = Chunk::EMPTY;
        OpenChunk { tokens: &mut self.tokens, chunk, count, chunk_count: &mut self.chunk_count }
    }

    /// The chunks, and the tokens that they share out among them.
    pub(super) fn chunks_mut(&mut self) -> (&[Token], &mut [Chunk]) {
        (&self.tokens, &mut self.chunks[..self.chunk_count])
    }
}

/// A chunk that a parser adds to.
pub(super) struct OpenChunk<'a> {
    tokens: &'a mut [Token; TILE_SIZE],
    chunk: &'a mut Chunk,
    count: usize,
    chunk_count: &'a mut usize,
}

impl OpenChunk<'_> {
    #[inline(always)]
    pub(super) fn literal(&mut self, byte: u8) {
        self.chunk.histogram.count_literal(byte);
        self.tokens[self.count] = Token::literal(byte);
        self.count += 1;
    }

    #[inline(always)]
    pub(super) fn matched(&mut self, len: usize, distance: u16) {
        self.chunk.histogram.count_match(len, distance);
        self.tokens[self.count] = Token::matched(len, distance);
        self.count += 1;
    }

    /// Ends the chunk; `raw_end` bytes of the tile are now covered.
    #[inline(always)]
    pub(super) fn close(self, raw_end: usize) {
        self.chunk.tokens_end = self.count;
        self.chunk.raw_end = raw_end;
        *self.chunk_count += 1;
    }
}
