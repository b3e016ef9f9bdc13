//! Encoder.
mod block;
mod chains;
mod fast;
mod header;
mod histogram;
mod huffman;
mod lanes;
mod lazy;
mod level;
mod split;
mod symbols;
mod token;
mod tokens;
mod window;

pub use level::Level;

use crate::format::{LANES, TILE_SIZE};
use block::{Block, stored_cost, write_stored};
use chains::Chains;
use fast::FastTable;
use lanes::LaneWriter;
use tokens::Tokens;
use window::Window;
use symbols::Bits;

pub struct Encoder {
    window: Window,
    tokens: Tokens,
    fast: FastTable,
    chains: Chains,
}

#[derive(Debug)]
pub enum EncodeError { OutputTooSmall { needed: usize, actual: usize } }

impl Encoder {
    pub const fn new() -> Self {
        Self { window: Window::new(), tokens: Tokens::new(), fast: FastTable::new(), chains: Chains::new() }
    }

    pub fn encode_tile(&mut self, level: Level, raw: &[u8], out: &mut [u8]) -> Result<usize, EncodeError> {
        assert!(!raw.is_empty() && raw.len() <= TILE_SIZE);
        let bound = tile_bound(raw.len());
        let room = out.len().min(bound);
        let (words, _) = out[..room].as_chunks_mut();
        if level.implemented() != Level::STORED {
            let size = self.compress(level, raw, words);
            if size < bound {
                if size > out.len() {
                    return Err(EncodeError::OutputTooSmall { needed: size, actual: out.len() });
                }
                return Ok(size);
            }
        }
        if out.len() < bound {
            return Err(EncodeError::OutputTooSmall { needed: bound, actual: out.len() });
        }
        let (words, _) = out[..room].as_chunks_mut();
        let mut lanes = LaneWriter::new(words);
        write_stored(&mut lanes, raw, true);
        Ok(4 * lanes.finish())
    }

    fn compress(&mut self, level: Level, raw: &[u8], words: &mut [[u8; 4]]) -> usize {
        self.window.load(raw);
        if level.implemented() == Level::FAST {
            self.fast.parse(&self.window, &mut self.tokens);
        } else {
            lazy::parse(&mut self.chains, &self.window, lazy::Effort { depth: DEPTH.load(core::sync::atomic::Ordering::Relaxed), nice: 65 }, &mut self.tokens);
        }
        let (tokens, chunks) = self.tokens.chunks_mut();
        let blocks = split::join_chunks(chunks);
        let mut lanes = LaneWriter::new(words);
        let (mut token, mut at) = (0, 0);
        for block in &chunks[..blocks] {
            Block {
                raw: &raw[at..block.raw_end],
                tokens: &tokens[token..block.tokens_end],
                histogram: &block.histogram,
                last: block.raw_end == raw.len(),
            }
            .write(&mut lanes);
            (token, at) = (block.tokens_end, block.raw_end);
        }
        4 * lanes.finish()
    }
}
pub static DEPTH: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(32);

/// Size of the stored form.
pub const fn tile_bound(raw_len: usize) -> usize {
    let tail = raw_len % 65535;
    let mut words = 0;
    let mut lane = 0;
    while lane < LANES {
        let mut bits = 0;
        let mut left = raw_len;
        loop {
            let block = if left > 65535 { 65535 } else { left };
            bits += 8 * (block / LANES + (lane < block % LANES) as usize);
            if lane == 0 { bits += 19; }
            left -= block;
            if left == 0 { break; }
        }
        words += bits.div_ceil(32) + 1;
        lane += 1;
    }
    let _ = tail;
    4 * words
}
