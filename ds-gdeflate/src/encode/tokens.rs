//! The tokens of a tile, and the blocks they form.

use super::histogram::Histogram;
use super::token::Token;
use crate::format::{TILE_SIZE, max_dynamic_blocks};

/// The most blocks that a parser may make of a tile.
pub(super) const MAX_BLOCKS: usize = 64;

// A decoder takes all of them.
const _: () = assert!(MAX_BLOCKS <= max_dynamic_blocks(TILE_SIZE));

/// A run of tokens that share their codes.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) histogram: Histogram,
    /// End of the run, counted in tokens from the tile's start.
    pub(super) tokens_end: usize,
    /// End of the run, counted in bytes from the tile's start.
    pub(super) raw_end: usize,
}

impl Block {
    const EMPTY: Self = Self { histogram: Histogram::EMPTY, tokens_end: 0, raw_end: 0 };
}

/// Everything the parser says about a tile.
#[derive(Clone, Copy)]
pub(super) struct Tokens {
    tokens: [Token; TILE_SIZE],
    blocks: [Block; MAX_BLOCKS],
    block_count: usize,
}

impl Tokens {
    pub(super) const fn new() -> Self {
        Self { tokens: [Token::NONE; TILE_SIZE], blocks: [Block::EMPTY; MAX_BLOCKS], block_count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.block_count = 0;
    }

    /// Starts the block that follows the last one closed.
    #[inline(always)]
    pub(super) fn open_block(&mut self) -> OpenBlock<'_> {
        let count = match self.block_count {
            0 => 0,
            before => self.blocks[before - 1].tokens_end,
        };
        let block = &mut self.blocks[self.block_count];
        *block = Block::EMPTY;
        OpenBlock { tokens: &mut self.tokens, block, count, block_count: &mut self.block_count }
    }

    /// A token for each position that a path may pass, to be followed by [`take_path`](Self::take_path).
    pub(super) fn choices(&mut self) -> &mut [Token; TILE_SIZE] {
        &mut self.tokens
    }

    /// Follows the choices from the start of the tile, keeps those on the path, and cuts blocks of `size` bytes.
    ///
    /// This can be done in place: no position has more tokens before it than bytes.
    pub(super) fn take_path(&mut self, len: usize, size: usize) {
        self.clear();
        let mut at = 0;
        while at < len {
            let end = len.min(at - at % size + size);
            // Tokens go from here to the place of an earlier choice.
            let mut block = self.open_block();
            while at < end {
                let token = block.tokens[at];
                block.push(token);
                at += token.len();
            }
            block.close(at);
        }
    }

    /// The blocks, and the tokens that they share out among them.
    pub(super) fn parts(&mut self) -> (&[Token; TILE_SIZE], &mut [Block]) {
        (&self.tokens, &mut self.blocks[..self.block_count])
    }

    /// Keeps the first blocks only.
    pub(super) fn truncate_blocks(&mut self, count: usize) {
        self.block_count = count;
    }
}

/// A block that a parser adds to.
pub(super) struct OpenBlock<'a> {
    tokens: &'a mut [Token; TILE_SIZE],
    block: &'a mut Block,
    count: usize,
    block_count: &'a mut usize,
}

impl OpenBlock<'_> {
    #[inline(always)]
    pub(super) fn literal(&mut self, byte: u8) {
        self.block.histogram.count_literal(byte);
        self.tokens[self.count] = Token::literal(byte);
        self.count += 1;
    }

    #[inline(always)]
    pub(super) fn matched(&mut self, len: usize, distance: u16) {
        self.block.histogram.count_match(len, distance);
        self.tokens[self.count] = Token::matched(len, distance);
        self.count += 1;
    }

    #[inline(always)]
    fn push(&mut self, token: Token) {
        self.block.histogram.count(token);
        self.tokens[self.count] = token;
        self.count += 1;
    }

    /// Ends the block; `raw_end` bytes of the tile are now covered.
    #[inline(always)]
    pub(super) fn close(self, raw_end: usize) {
        self.block.tokens_end = self.count;
        self.block.raw_end = raw_end;
        *self.block_count += 1;
    }
}
