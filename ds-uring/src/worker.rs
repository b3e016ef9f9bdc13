//! A ring's thread: turns of the driver, and answers in between.
//!
//! The driver lives in a thread-local cell and is borrowed for one turn at a time; answers are delivered in between, with
//! nothing borrowed. So code of the application's that runs within an answer, and waits there for the ring's other jobs or stops
//! the engine, can have them finished: it gives the driver the turns itself.

use core::cell::RefCell;
use std::sync::Arc;

use ds_engine::{Sink, Warning, contain};

use crate::driver::Turn;
use crate::lane::Lane;

/// What the thread it is on works on.
struct Work {
    /// Whose ring this is.
    engine: usize,
    lane: Arc<Lane>,
    sink: Arc<dyn Sink>,
    driver: Box<dyn Turn>,
}

thread_local! {
    static WORK: RefCell<Option<Work>> = const { RefCell::new(None) };
}

/// What this thread works on, if it is one of this engine's. A thread that is ending works on nothing any more, whatever the
/// destructors of its other values may still do.
fn with_work<T>(engine: usize, run: impl FnOnce(&mut Work) -> T) -> Option<T> {
    let run = |work: &RefCell<Option<Work>>| {
        let mut work = work.borrow_mut();
        work.as_mut().filter(|work| work.engine == engine).map(run)
    };
    WORK.try_with(run).ok().flatten()
}

/// Works until the engine stops and nothing is left. `engine` names the engine whose ring it is.
pub(crate) fn run(engine: usize, lane: Arc<Lane>, sink: Arc<dyn Sink>, driver: Box<dyn Turn>) {
    /// Drops the driver, and with it waits for the kernel, even if a turn panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            if let Some(Work { lane, sink, driver, .. }) = WORK.take() {
                drop(driver);
                lane.bell.disconnect();
                drop(sink);
            }
        }
    }
    let _ends = Ends;
    WORK.set(Some(Work { engine, lane, sink, driver }));
    finish(engine);
}

/// If this thread is one of this engine's: gives its driver turns until the engine stops and nothing is left. Returns whether
/// it is.
pub(crate) fn finish(engine: usize) -> bool {
    let Some((lane, sink)) = with_work(engine, |work| (Arc::clone(&work.lane), Arc::clone(&work.sink)))
    else {
        return false;
    };
    let mut finished = Vec::new();
    let mut more = true;
    while more {
        let turn = |work: &mut Work| {
            let more = work.driver.turn(&mut finished, true);
            (more, work.driver.take_warnings())
        };
        let (goes_on, warnings) = with_work(engine, turn).unwrap_or_default();
        more = goes_on;
        if !finished.is_empty() {
            lane.answered(finished.len());
            // A panic in the sink has been told by the panic hook and ends here: other requests need this thread.
            let _ = contain(|| sink.complete(&finished));
            finished.clear();
        }
        // Not before: whoever is warned may wait for one of those answers.
        warn(&*sink, &warnings);
    }
    true
}

/// Passes warnings on.
pub(crate) fn warn(sink: &dyn Sink, warnings: &[Warning]) {
    for warning in warnings {
        // As with answers.
        let _ = contain(|| sink.warn(warning));
    }
}

/// If this thread is one of this engine's, and within an answer: gives its driver one turn, without waiting, and delivers to
/// this sink. Returns whether there was anything to deliver.
pub(crate) fn drive(engine: usize, sink: &dyn Sink) -> bool {
    let mut finished = Vec::new();
    let lane = with_work(engine, |work| {
        work.driver.turn(&mut finished, false);
        Arc::clone(&work.lane)
    });
    let Some(lane) = lane.filter(|_| !finished.is_empty()) else { return false };
    lane.answered(finished.len());
    sink.complete(&finished);
    true
}

/// If this thread is one of this engine's, and within an answer: has its ring begin what has been submitted meanwhile.
pub(crate) fn begin_early(engine: usize) {
    with_work(engine, |work| work.driver.begin_early());
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Mutex;

    use ds_core::{Done, OpId, Path};
    use ds_engine::{Finished, JobId};

    /// A driver with an answer and a warning in its only turn.
    struct Once;

    const ANSWER: Finished = Finished {
        id: JobId { queue: 0, op: OpId::from_u64(1) },
        result: Ok(Done::Synced),
        path: Path::IO_URING,
    };
    const WARNING: Warning = Warning { engine: "uring", what: "something is missing", errno: 95 };

    impl Turn for Once {
        fn turn(&mut self, finished: &mut Vec<Finished>, _: bool) -> bool {
            finished.push(ANSWER);
            false
        }

        fn take_warnings(&mut self) -> Vec<Warning> {
            vec![WARNING]
        }

        fn begin_early(&mut self) {}
    }

    /// Notes what it is told; panics, too, as an application may.
    #[derive(Default)]
    struct Notes(Mutex<Vec<&'static str>>);

    impl Sink for Notes {
        fn complete(&self, batch: &[Finished]) {
            assert_eq!(batch, [ANSWER]);
            self.0.lock().unwrap().push("answer");
            panic!("on purpose");
        }

        fn warn(&self, warning: &Warning) {
            assert_eq!(*warning, WARNING);
            self.0.lock().unwrap().push("warning");
        }
    }

    /// Whoever is warned may wait for an answer of the same turn.
    #[test]
    fn answers_come_before_warnings() {
        let notes = Arc::new(Notes::default());
        run(1, Arc::new(Lane::new(1).unwrap()), notes.clone(), Box::new(Once));
        assert_eq!(*notes.0.lock().unwrap(), ["answer", "warning"]);
    }
}
