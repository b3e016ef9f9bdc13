//! How far apart the cores are: what threads share travels between them, and a virtual machine's host may move them at any time.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long to look.
const TIME: Duration = Duration::from_millis(2);
/// Round trips between two glances at the clock.
const GLANCE: u32 = 100;
/// Says that it is over.
const STOP: u64 = u64::MAX;

/// Nanoseconds that a cache line takes from one core to another and back, by two threads that have nothing else to do.
pub(super) fn round_trip() -> f64 {
    let line = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut awaited = 1;
            loop {
                match line.load(Ordering::Acquire) {
                    STOP => break,
                    now if now == awaited => {
                        line.store(now + 1, Ordering::Release);
                        awaited += 2;
                    }
                    _ => spin_loop(),
                }
            }
        });
        let mut trips = 0;
        let mut travel = || {
            line.store(2 * trips + 1, Ordering::Release);
            trips += 1;
            while line.load(Ordering::Acquire) != 2 * trips {
                spin_loop();
            }
        };
        // Once for the other thread to be there.
        travel();
        let (start, mut least) = (Instant::now(), Duration::MAX);
        while start.elapsed() < TIME {
            let glance = Instant::now();
            (0..GLANCE).for_each(|_| travel());
            // The least of all, lest one that was interrupted counts.
            least = least.min(glance.elapsed());
        }
        line.store(STOP, Ordering::Release);
        least.as_nanos() as f64 / f64::from(GLANCE)
    })
}

/// Of several looks the least, the one in the middle and the most, in nanoseconds. The most says little: for a look both threads may have
/// been on one core.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Distance {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Distance {
    /// `None` of none.
    pub(super) fn of(mut looks: Vec<f64>) -> Option<Self> {
        looks.sort_by(f64::total_cmp);
        let (&min, &max) = (looks.first()?, looks.last()?);
        Some(Self { min, median: looks[looks.len() / 2], max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_travels_and_its_times_are_told() {
        assert!(round_trip() > 0.0);
        assert!(Distance::of(vec![]).is_none());
        let Distance { min, median, max } = Distance::of(vec![60.0, 330.0, 27.0]).unwrap();
        assert_eq!([min, median, max], [27.0, 60.0, 330.0]);
    }
}
