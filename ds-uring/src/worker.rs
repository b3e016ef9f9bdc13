//! A ring's thread: turns of the driver, and answers in between.
//!
//! The driver lives in a thread-local cell and is borrowed for one turn at a time; answers are delivered in between, with
//! nothing borrowed. So code of the application's that runs within an answer, and stops the engine from there, can have the
//! ring's other jobs finished first: it gives the driver the turns itself.

use core::cell::RefCell;
use std::sync::Arc;

use ds_engine::{Sink, contain};

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

/// Works until the engine stops and nothing is left. `engine` names the engine whose ring it is.
pub(crate) fn run(engine: usize, lane: Arc<Lane>, sink: Arc<dyn Sink>, driver: Box<dyn Turn>) {
    /// Drops the driver, and with it waits for the kernel, even if a turn panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            drop(WORK.take());
        }
    }
    let _ends = Ends;
    WORK.set(Some(Work { engine, lane, sink, driver }));
    finish(engine);
}

/// If this thread is one of this engine's: gives its driver turns until the engine stops and nothing is left. Returns whether
/// it is.
pub(crate) fn finish(engine: usize) -> bool {
    let own = WORK.with_borrow(|work| {
        let work = work.as_ref().filter(|work| work.engine == engine)?;
        Some((Arc::clone(&work.lane), Arc::clone(&work.sink)))
    });
    let Some((lane, sink)) = own else { return false };
    let mut finished = Vec::new();
    loop {
        let more =
            WORK.with_borrow_mut(|work| work.as_mut().is_some_and(|work| work.driver.turn(&mut finished)));
        if !finished.is_empty() {
            lane.answered(finished.len());
            // A panic in the sink has been told by the panic hook and ends here: other requests need this thread.
            let _ = contain(|| sink.complete(&finished));
            finished.clear();
        }
        if !more {
            return true;
        }
    }
}
