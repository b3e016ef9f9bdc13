//! Which of several queues goes next.
//!
//! Priority with ageing: a waiting lane's claim grows with every pick that passes it over, so a low-priority queue is slow
//! under load and never starved.

/// How urgent a queue is, in `DirectStorage`'s four steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum Priority {
    /// May wait.
    Low = -1,
    /// As usual.
    #[default]
    Normal = 0,
    /// Before the usual.
    High = 1,
    /// Before all else.
    Realtime = 2,
}

impl Priority {
    /// The claim a lane starts with. The largest is also how many picks a lane of that priority can win in a row against
    /// a waiting low one.
    const fn claim(self) -> u32 {
        match self {
            Self::Low => 0,
            Self::Normal => 4,
            Self::High => 16,
            Self::Realtime => 64,
        }
    }
}

/// Names a lane of an [`Arbiter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneId(usize);

impl LaneId {
    /// Which of the arbiter's lanes it is.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// The arbiter's memory of one queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lane {
    priority: Option<Priority>,
    /// Picks that passed this lane over while it was ready.
    age: u32,
}

impl Lane {
    /// A lane nobody uses.
    #[must_use]
    pub const fn new() -> Self {
        Self { priority: None, age: 0 }
    }
}

/// Picks the next queue. Generic over where its lanes live, like [`Queue`](crate::Queue).
///
/// **Bound:** a lane that stays ready is picked within [`Arbiter::patience`] picks.
#[derive(Debug)]
pub struct Arbiter<L> {
    lanes: L,
    /// From here on lanes are unused: there may be room for many queues, and each pick looks at all lanes that it must.
    end: usize,
    #[cfg(feature = "__defects")]
    ageless: bool,
}

impl<L: AsRef<[Lane]> + AsMut<[Lane]>> Arbiter<L> {
    /// An arbiter over these lanes, all unused.
    pub fn new(mut lanes: L) -> Self {
        lanes.as_mut().fill(Lane::new());
        Self {
            lanes,
            end: 0,
            #[cfg(feature = "__defects")]
            ageless: false,
        }
    }

    /// Plants a defect for the simulation to find: waiting gains a lane nothing.
    #[cfg(feature = "__defects")]
    pub fn plant_starvation(&mut self) {
        self.ageless = true;
    }

    #[cfg(feature = "__defects")]
    const fn is_ageless(&self) -> bool {
        self.ageless
    }

    #[cfg(not(feature = "__defects"))]
    #[expect(clippy::unused_self, reason = "the same call as with defects")]
    const fn is_ageless(&self) -> bool {
        false
    }

    /// Takes a lane for a queue of that priority. `None` if all are taken.
    pub fn add(&mut self, priority: Priority) -> Option<LaneId> {
        let lanes = self.lanes.as_mut();
        let free = lanes.iter().position(|lane| lane.priority.is_none())?;
        lanes[free] = Lane { priority: Some(priority), age: 0 };
        self.end = self.end.max(free + 1);
        Some(LaneId(free))
    }

    /// Gives a lane back.
    pub fn remove(&mut self, lane: LaneId) {
        let lanes = self.lanes.as_mut();
        lanes[lane.0] = Lane::new();
        self.end =
            lanes[..self.end].iter().rposition(|lane| lane.priority.is_some()).map_or(0, |last| last + 1);
    }

    /// Picks among the lanes for which `ready` holds; ages the ready ones it passes over. `None` if none is ready.
    ///
    /// `ready` is called once for every taken lane.
    pub fn pick(&mut self, mut ready: impl FnMut(LaneId) -> bool) -> Option<LaneId> {
        let mut best: Option<(usize, u32)> = None;
        let ageless = self.is_ageless();
        for (index, lane) in self.lanes.as_mut()[..self.end].iter_mut().enumerate() {
            let Some(priority) = lane.priority else { continue };
            if !ready(LaneId(index)) {
                // A lane with nothing to do has not been waiting.
                lane.age = 0;
                continue;
            }
            let claim = priority.claim() + if ageless { 0 } else { lane.age };
            lane.age = lane.age.saturating_add(1);
            // Strictly greater: among equals the first wins now and, aged less from then on, loses next time.
            if best.is_none_or(|(_, highest)| claim > highest) {
                best = Some((index, claim));
            }
        }
        let (index, _) = best?;
        self.lanes.as_mut()[index].age = 0;
        Some(LaneId(index))
    }

    /// The most picks a lane that stays ready can wait. Once its age equals the largest starting claim, a lane picked from then
    /// on starts again below it, so each other lane can win at most twice more.
    #[must_use]
    pub fn patience(&self) -> u32 {
        let taken = self.lanes.as_ref().iter().filter(|lane| lane.priority.is_some()).count();
        Priority::Realtime.claim() + 2 * taken as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(priorities: &[Priority], picks: usize) -> [usize; 8] {
        let mut arbiter = Arbiter::new([Lane::new(); 8]);
        for &priority in priorities {
            arbiter.add(priority).unwrap();
        }
        let mut counts = [0; 8];
        for _ in 0..picks {
            counts[arbiter.pick(|_| true).unwrap().0] += 1;
        }
        counts
    }

    #[test]
    fn equals_take_turns() {
        assert_eq!(shares(&[Priority::Normal; 4], 400)[..4], [100; 4]);
    }

    #[test]
    fn the_urgent_get_more_and_nobody_gets_nothing() {
        let counts = shares(&[Priority::Low, Priority::Normal, Priority::High, Priority::Realtime], 10_000);
        assert!(
            counts[3] > counts[2] && counts[2] > counts[1] && counts[1] > counts[0] && counts[0] > 0,
            "{counts:?}"
        );
    }

    #[test]
    fn patience_is_never_exceeded() {
        let mut arbiter = Arbiter::new([Lane::new(); 8]);
        let low = arbiter.add(Priority::Low).unwrap();
        for _ in 0..7 {
            arbiter.add(Priority::Realtime).unwrap();
        }
        assert_eq!(arbiter.add(Priority::Low), None);
        let (mut waited, mut longest) = (0, 0);
        for _ in 0..10_000 {
            waited = if arbiter.pick(|_| true) == Some(low) { 0 } else { waited + 1 };
            longest = longest.max(waited);
        }
        assert!(longest <= arbiter.patience(), "{longest} > {}", arbiter.patience());
        assert!(longest > 0);
    }

    #[test]
    fn an_idle_lane_gathers_no_claim() {
        let mut arbiter = Arbiter::new([Lane::new(); 2]);
        let low = arbiter.add(Priority::Low).unwrap();
        let high = arbiter.add(Priority::High).unwrap();
        for _ in 0..100 {
            assert_eq!(arbiter.pick(|lane| lane == high), Some(high));
        }
        assert_eq!(arbiter.pick(|_| true), Some(high));
        assert_eq!(arbiter.pick(|_| false), None);
        arbiter.remove(high);
        assert_eq!(arbiter.pick(|_| true), Some(low));
    }
}
