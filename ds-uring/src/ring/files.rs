//! Files that a ring has been told of, by their numbers.

use core::num::NonZeroU64;
use std::collections::HashMap;
use std::os::fd::RawFd;

/// Which file has which place of a ring's table. The one that was used least lately gives way to a new one; the kernel keeps it
/// open until what was submitted with it has ended.
#[derive(Debug)]
pub(super) struct Files {
    places: HashMap<NonZeroU64, u32>,
    /// For each place, who has it and when it was used last.
    used: Vec<(Option<NonZeroU64>, u64)>,
    now: u64,
}

impl Files {
    pub(super) fn new(places: u32) -> Self {
        let used = vec![(None, 0); places as usize];
        Self { places: HashMap::with_capacity(places as usize), used, now: 0 }
    }

    /// The place of a file. `register` tells the kernel of a file that had none, or that none has it now; `None` if it refuses.
    pub(super) fn place(
        &mut self,
        number: NonZeroU64,
        fd: RawFd,
        register: impl FnOnce(u32, RawFd) -> bool,
    ) -> Option<u32> {
        self.now += 1;
        if let Some(&place) = self.places.get(&number) {
            self.used[place as usize].1 = self.now;
            return Some(place);
        }
        let (place, (before, _)) = self.used.iter().enumerate().min_by_key(|(_, (_, used))| *used)?;
        let place = u32::try_from(place).ok()?;
        if let Some(before) = before {
            self.places.remove(before);
        }
        // Whether it worked or not, who was there is there no more.
        self.used[place as usize] = (None, 0);
        if !register(place, fd) {
            return None;
        }
        self.used[place as usize] = (Some(number), self.now);
        self.places.insert(number, place);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lately_used_gives_way_and_a_refusal_leaves_nobody_there() {
        let number = |n| NonZeroU64::new(n).unwrap();
        let mut files = Files::new(2);
        assert_eq!(files.place(number(1), 10, |place, fd| (place, fd) == (0, 10)), Some(0));
        assert_eq!(files.place(number(2), 20, |place, fd| (place, fd) == (1, 20)), Some(1));
        assert_eq!(files.place(number(1), 10, |_, _| panic!("it is known")), Some(0));
        assert_eq!(files.place(number(3), 30, |place, fd| (place, fd) == (1, 30)), Some(1));
        assert_eq!(files.place(number(2), 20, |_, _| false), None);
        assert_eq!(files.place(number(1), 11, |place, _| place == 0), Some(0), "it had to go for nothing");
        assert_eq!(files.place(number(3), 30, |_, _| panic!("it is known")), Some(1));
    }
}
