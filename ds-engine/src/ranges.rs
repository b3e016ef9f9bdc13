//! Which parts of something long are free: first fit.

/// A place in something, and how long it is.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: usize,
    len: usize,
}

/// The free parts of something of a given length, be it memory or an object of a device: it deals in numbers alone.
///
/// First fit; when everything is back it is one piece again, so what fits at all always succeeds in the end.
#[derive(Clone, Debug)]
pub struct Ranges {
    /// In order, none empty, none touching the next.
    free: Vec<Range>,
}

impl Ranges {
    /// All of `size` is free.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { free: if size == 0 { Vec::new() } else { vec![Range { start: 0, len: size }] } }
    }

    /// Takes `len` in one piece and gives its start; `None` if there is no such piece. To keep starts at multiples of a number,
    /// take only multiples of it.
    pub fn take(&mut self, len: usize) -> Option<usize> {
        let fit = self.free.iter().position(|range| range.len >= len)?;
        let range = &mut self.free[fit];
        let start = range.start;
        if range.len == len {
            self.free.remove(fit);
        } else {
            range.start += len;
            range.len -= len;
        }
        Some(start)
    }

    /// Takes back what [`take`](Self::take) gave: the same start and length, once.
    pub fn give_back(&mut self, start: usize, len: usize) {
        let next = self.free.partition_point(|free| free.start < start);
        let joins_next = next < self.free.len() && start + len == self.free[next].start;
        let joins_previous = next > 0 && self.free[next - 1].start + self.free[next - 1].len == start;
        match (joins_previous, joins_next) {
            (true, true) => {
                self.free[next - 1].len += len + self.free[next].len;
                self.free.remove(next);
            }
            (true, false) => self.free[next - 1].len += len,
            (false, true) => {
                self.free[next].start = start;
                self.free[next].len += len;
            }
            (false, false) => self.free.insert(next, Range { start, len }),
        }
    }

    /// How many pieces the free parts are in.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_joins_its_neighbours() {
        let mut ranges = Ranges::new(50);
        let starts = [10, 10, 10, 10, 10].map(|len| ranges.take(len).unwrap());
        assert_eq!(starts, [0, 10, 20, 30, 40]);
        assert_eq!((ranges.take(1), ranges.pieces()), (None, 0));
        for (start, pieces) in [(10, 1), (30, 2), (20, 1), (40, 1), (0, 1)] {
            ranges.give_back(start, 10);
            assert_eq!(ranges.pieces(), pieces, "after {start}");
        }
        assert_eq!(ranges.take(50), Some(0));
    }

    #[test]
    fn the_first_piece_that_fits_is_taken() {
        let mut ranges = Ranges::new(100);
        let [first, _, third, _] = [10, 20, 30, 40].map(|len| ranges.take(len).unwrap());
        ranges.give_back(first, 10);
        ranges.give_back(third, 30);
        assert_eq!(ranges.take(11), Some(third));
        assert_eq!(ranges.take(10), Some(first));
    }
}
