//! In which order a dispatch has its tiles.
//!
//! A device begins them in that order, as many at once as it holds, and the dispatch is over when the last one is. So those with the most
//! to decode go first: what begins last is short.

use super::slot::Slot;
use crate::gdeflate::Tile;

/// A batch's tiles in the order of the dispatch, kept from one to the next.
#[derive(Default)]
pub(crate) struct Order {
    tiles: Vec<Tile>,
    /// Where in the dispatch each of the batch's tiles is; empty if each is where it was.
    places: Vec<u16>,
}

impl Order {
    /// Fewest whose order is worth a look: large devices begin fewer all at once.
    const FEWEST: usize = 64;
    /// Payloads that differ by fewer bytes take equally long.
    const STEP: u32 = 256;
    /// The longest payload that a tile can have, in bytes.
    const LONGEST: u32 = 128 << 10;
    const RANKS: usize = (Self::LONGEST / Self::STEP) as usize + 1;

    /// The tiles as they are: something else knows their places.
    pub(crate) fn keep<'a>(&mut self, tiles: &'a [Tile]) -> &'a [Tile] {
        self.places.clear();
        tiles
    }

    /// The tiles, [`Slot::TILES`] at most, those with the longest payloads first.
    pub(crate) fn longest_first<'a>(&'a mut self, tiles: &'a [Tile]) -> &'a [Tile] {
        if tiles.len() < Self::FEWEST {
            return self.keep(tiles);
        }
        let mut next = [0; Self::RANKS];
        for tile in tiles {
            next[rank(tile)] += 1;
        }
        let mut before = 0;
        for next in &mut next {
            before += core::mem::replace(next, before);
        }
        self.tiles.clear();
        self.tiles.resize(tiles.len(), tiles[0]);
        self.places.clear();
        self.places.extend(tiles.iter().map(|tile| {
            let place = &mut next[rank(tile)];
            self.tiles[*place] = *tile;
            *place += 1;
            (*place - 1) as u16
        }));
        &self.tiles
    }

    /// Where in the dispatch the batch's tile of that number is.
    pub(crate) fn place(&self, tile: usize) -> usize {
        if self.places.is_empty() { tile } else { self.places[tile].into() }
    }
}

const _: () = assert!(Slot::TILES <= 1 << u16::BITS, "a place is so many bits");

/// How many steps a tile's payload is shorter than the longest.
fn rank(tile: &Tile) -> usize {
    ((Order::LONGEST - tile.source_len.min(Order::LONGEST)) / Order::STEP) as usize
}

#[cfg(test)]
mod tests {
    use ds_gdeflate::TILE_SIZE;

    use super::*;

    const _: () = assert!(Order::LONGEST as usize == 2 * TILE_SIZE);

    /// Tiles with payloads of these lengths; where they lie tells which is which.
    fn tiles(lengths: impl IntoIterator<Item = u32>) -> Vec<Tile> {
        let tile = |(number, len)| Tile::new(number, len, 0, TILE_SIZE as u32);
        (0..).zip(lengths).map(tile).collect()
    }

    #[test]
    fn those_with_the_longest_payloads_go_first_and_each_is_found_again() {
        let mut order = Order::default();
        for count in [Order::FEWEST, 1000, Slot::TILES] {
            let lengths = (0..count as u32).map(|n| n.wrapping_mul(0x9E37_79B9) % (Order::LONGEST + 1));
            let given = tiles([Order::LONGEST, 0].into_iter().chain(lengths).take(count));
            let ordered = order.longest_first(&given).to_vec();
            assert!(ordered.windows(2).all(|pair| pair[0].source_len + Order::STEP > pair[1].source_len));
            let mut places: Vec<_> = (0..count).map(|tile| order.place(tile)).collect();
            assert!((0..count).all(|tile| ordered[places[tile]] == given[tile]));
            places.sort_unstable();
            assert!(places.into_iter().eq(0..count), "two tiles in one place");
        }
    }

    #[test]
    fn equally_long_ones_stay_in_order() {
        let given = tiles(core::iter::repeat_n(700, 100));
        assert_eq!(Order::default().longest_first(&given), given);
    }

    #[test]
    fn few_tiles_and_those_whose_places_are_known_stay_where_they_are() {
        let mut order = Order::default();
        let rising = tiles((0..100).map(|n| n * 1000));
        assert_ne!(order.longest_first(&rising), rising);
        assert_eq!(order.keep(&rising), rising);
        assert!((0..100).all(|tile| order.place(tile) == tile));
        order.longest_first(&rising);
        let few = &rising[..Order::FEWEST - 1];
        assert_eq!(order.longest_first(few), few);
        assert!((0..few.len()).all(|tile| order.place(tile) == tile));
    }
}
