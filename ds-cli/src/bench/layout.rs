//! A class's tiles in device memory, as often as it takes: each copy of them at addresses of its own, so that no cache flatters.

use core::ops::Range;

use super::content::Class;
use crate::poison::POISON;

/// Payloads and contents begin at multiples of this: what either contestant may ask for.
const ALIGNMENT: usize = 16;

/// Where everything lies.
pub(super) struct Layout {
    /// The payloads of all copies.
    pub(super) packed: Vec<u8>,
    /// Where each tile's payload is, and where its content goes.
    pub(super) tiles: Vec<(Range<usize>, Range<usize>)>,
    /// What one copy's output is to be, gaps included.
    pub(super) image: Vec<u8>,
    pub(super) copies: usize,
}

impl Layout {
    /// As many copies as make `size` bytes of output, 1 at least.
    pub(super) fn new(class: &Class, size: u64) -> Self {
        let (mut payloads, mut image, mut tiles) = (Vec::new(), Vec::new(), Vec::new());
        for tile in &class.tiles {
            let payload = append(&mut payloads, &tile.payload, 0);
            tiles.push((payload, append(&mut image, &tile.content, POISON)));
        }
        let copies = (size as usize / image.len().max(1)).max(1);
        let all = (0..copies).flat_map(|copy| {
            let (packed, content) = (copy * payloads.len(), copy * image.len());
            tiles.iter().map(move |tile| (moved(&tile.0, packed), moved(&tile.1, content)))
        });
        Self { tiles: all.collect(), packed: payloads.repeat(copies), image, copies }
    }

    /// Bytes of output, gaps included.
    pub(super) fn output(&self) -> usize {
        self.image.len() * self.copies
    }

    /// Bytes of content.
    pub(super) fn content(&self) -> u64 {
        self.tiles.iter().map(|(_, content)| content.len() as u64).sum()
    }

    /// Bytes of payloads.
    pub(super) fn payloads(&self) -> u64 {
        self.tiles.iter().map(|(payload, _)| payload.len() as u64).sum()
    }
}

fn append(all: &mut Vec<u8>, bytes: &[u8], gap: u8) -> Range<usize> {
    let start = all.len();
    all.extend_from_slice(bytes);
    let range = start..all.len();
    all.resize(all.len().next_multiple_of(ALIGNMENT), gap);
    range
}

const fn moved(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::content::Tile;

    #[test]
    fn copies_lie_side_by_side() {
        let tile =
            |payload: &[u8], content: &[u8]| Tile { payload: payload.to_vec(), content: content.to_vec() };
        let class = Class { name: "c".into(), tiles: vec![tile(b"abcd", &[1; 20]), tile(b"efgh", &[2; 16])] };
        let layout = Layout::new(&class, 100);
        assert_eq!((layout.copies, layout.output(), layout.content(), layout.payloads()), (2, 96, 72, 16));
        assert_eq!(layout.tiles[1], (16..20, 32..48));
        assert_eq!(layout.tiles[3], (48..52, 80..96));
        assert_eq!(&layout.packed[48..52], b"efgh");
        assert_eq!(layout.image[19..33], [&[1][..], &[POISON; 12], &[2]].concat());
        assert_eq!(Layout::new(&class, 0).copies, 1);
    }
}
