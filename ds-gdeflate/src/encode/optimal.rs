//! Levels 8 to 12: the cheapest path through all matches, at prices that earlier paths led to.

use super::EncodeOptions;
use super::chains::{Chains, MAX_SHORT_DISTANCE};
use super::codes::Coding;
use super::matches::MatchList;
use super::price::{Prices, SymbolPrices};
use super::split;
use super::symbols::{MAX_SHORT_MATCH, shorter_by_symbol};
use super::token::Token;
use super::tokens::{MAX_BLOCKS, Tokens};
use super::tree::{Search, Trees};
use super::window::Window;
use crate::format::{MIN_MATCH, TILE_SIZE};

/// How far the search goes.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub(super) search: Search,
    /// Bytes of the blocks that are made before any are joined: at least `TILE_SIZE / MAX_BLOCKS`.
    pub(super) block_size: usize,
    /// Paths computed.
    pub(super) passes: u32,
}

/// A block of the path before, from which the next one takes its prices.
#[derive(Clone, Copy)]
pub(super) struct PricedBlock {
    prices: SymbolPrices,
    /// End of the block, counted in bytes from the tile's start.
    raw_end: usize,
}

impl PricedBlock {
    pub(super) const NONE: Self = Self { prices: SymbolPrices::NONE, raw_end: 0 };
}

/// What the search needs besides the tokens.
pub(super) struct Paths<'a> {
    pub(super) trees: Trees<'a>,
    pub(super) list: MatchList<'a>,
    /// Price of the tile from each position to its end.
    pub(super) costs: &'a mut [u32; TILE_SIZE + 1],
    pub(super) blocks: &'a mut [PricedBlock; MAX_BLOCKS],
}

impl Paths<'_> {
    /// Splits the tile in the window into tokens and blocks.
    pub(super) fn parse(
        &mut self,
        chains: &mut Chains,
        window: &Window,
        effort: Effort,
        options: EncodeOptions,
        tokens: &mut Tokens,
    ) {
        self.trees.list_matches(chains, window, effort.search, &mut self.list);
        let cost = self.search(window, effort, options, effort.block_size, tokens);
        let pieces = window.len() / effort.block_size;
        if pieces < 4 || tokens.parts().1.len() < pieces / 4 * 3 {
            return;
        }
        // Hardly any piece was joined to another: they have nothing in common, or each has come to hold on to what it happened to
        // begin with. A search that begins with the same prices for all of them tells.
        if self.search(window, effort, options, TILE_SIZE, tokens) >= cost {
            self.search(window, effort, options, effort.block_size, tokens);
        }
    }

    /// Finds a path from what blocks of `first` bytes would cost; returns about how many bits it takes.
    fn search(
        &mut self,
        window: &Window,
        effort: Effort,
        options: EncodeOptions,
        first: usize,
        tokens: &mut Tokens,
    ) -> i64 {
        self.take_greedy_path(window, first, tokens);
        for pass in 1..=effort.passes {
            split::join(tokens);
            if effort.passes > 1 {
                split::refine(tokens);
            }
            // Ideal prices find out where to go, those of real codes how to get there.
            let last = pass == effort.passes;
            let count = self.set_prices(
                tokens,
                if last { Some(Coding { thorough: effort.passes > 1, ..options.coding() }) } else { None },
            );
            self.find_path(window, count, options.same_round_penalty(), tokens.choices());
            tokens.take_path(window.len(), if last { effort.block_size } else { first });
        }
        split::join(tokens);
        split::refine(tokens);
        split::size(tokens)
    }

    /// Sets the prices of each block, ideal ones unless given a way to choose codes. Returns the number of blocks.
    fn set_prices(&mut self, tokens: &mut Tokens, coding: Option<Coding>) -> usize {
        let (_, blocks) = tokens.parts();
        for (block, priced) in blocks.iter().zip(&mut *self.blocks) {
            let mut histogram = block.histogram;
            histogram.count_end_of_block();
            let prices = match coding {
                Some(coding) => SymbolPrices::coded(&histogram, coding),
                None => SymbolPrices::ideal(&histogram),
            };
            *priced = PricedBlock { prices, raw_end: block.raw_end };
        }
        blocks.len()
    }

    /// A first path: the longest match wherever there is one.
    fn take_greedy_path(&self, window: &Window, size: usize, tokens: &mut Tokens) {
        let mut list = self.list.start();
        let len = window.len();
        tokens.clear();
        let mut at = 0;
        while at < len {
            let end = len.min(at - at % size + size);
            let mut block = tokens.open_block();
            while at < end {
                match list.longest(at) {
                    Some(found) if found.len > 3 || found.distance <= MAX_SHORT_DISTANCE => {
                        block.matched(found.len.into(), found.distance);
                        at += usize::from(found.len);
                    }
                    _ => {
                        block.literal(window.byte(at as u16));
                        at += 1;
                    }
                }
            }
            block.close(at);
        }
    }

    /// The cheapest way through the tile, found from its end to its start. Of each position the best token is
    /// noted, whether or not the path will pass there. See [`Prices::new`] for the penalty.
    fn find_path(&mut self, window: &Window, blocks: usize, penalty: u16, choices: &mut [Token; TILE_SIZE]) {
        let mut list = self.list.end();
        let mut end = window.len();
        self.costs[end] = 0;
        for block in (0..blocks).rev() {
            let prices = Prices::new(&self.blocks[block].prices, penalty);
            let start = if block == 0 { 0 } else { self.blocks[block - 1].raw_end };
            for at in (start..end).rev() {
                let byte = window.byte(at as u16);
                let mut best = Choice::new(self.costs[at + 1] + prices.literal(byte), Token::literal(byte));
                let matches = list.step_back(at as u16);
                // From the longest match down; a length may take its distance from any match as long.
                let mut cheapest = u32::MAX;
                let mut distance = 1;
                for (index, found) in matches.iter().enumerate().rev() {
                    let price = prices.distance(found.distance);
                    if price < cheapest {
                        (cheapest, distance) = (price, found.distance);
                    }
                    let mut len = usize::from(found.len);
                    if len > MAX_SHORT_MATCH {
                        let cost = self.costs[at + len] + cheapest + prices.long();
                        best = best.min(Choice::new(cost, Token::matched(len, distance)));
                        len = MAX_SHORT_MATCH;
                    }
                    let shorter = if index == 0 { MIN_MATCH - 1 } else { matches[index - 1].len.into() };
                    while len > shorter {
                        let cost = self.costs[at + len] + cheapest + prices.length(len);
                        best = best.min(Choice::new(cost, Token::matched(len, distance)));
                        len = shorter_by_symbol(len);
                    }
                }
                self.costs[at] = best.cost();
                choices[at] = best.token();
            }
            end = start;
        }
    }
}

/// A token and what the rest of the tile costs if it begins with it. In one number, so that the cheaper of two is
/// found without a branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Choice(u64);

impl Choice {
    #[inline(always)]
    fn new(cost: u32, token: Token) -> Self {
        Self(u64::from(cost) << 32 | u64::from(token.to_bits()))
    }

    #[inline(always)]
    fn cost(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    fn token(self) -> Token {
        Token::from_bits(self.0 as u32)
    }
}
