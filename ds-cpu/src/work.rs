//! What the pool asks of a task.

use ds_core::Path;
use ds_engine::{Finished, JobId};

/// A task that a pool can do.
pub(crate) trait Work: Clone + Send + 'static {
    /// What tasks share: decoders, reusable memory.
    type Tools: Send + Sync + 'static;

    /// The job whose one answer this task owes before it has begun, and that cancelling it answers. `None` if cancelling
    /// must leave the task alone.
    fn id(&self) -> Option<JobId>;

    /// Whether it is likely to take a few microseconds only, so that a worker may take several at once.
    fn is_short(&self) -> bool;

    /// How many of the shortest tasks it is as long as, if it is short. A worker takes a batch's worth at once.
    fn weight(&self) -> usize {
        1
    }

    /// Does some of it. `by` is [`Path::INLINE`] where the thread is none of the pool's.
    fn run(self, tools: &Self::Tools, by: Path) -> Turn<Self>;
}

/// What became of a task after one turn on a thread.
pub(crate) enum Turn<W> {
    /// It is answered.
    Done(Finished),
    /// There is nothing more to do here; another task gives the answer.
    Over,
    /// It goes back to the end of the queue, so that long tasks do not block short ones.
    Later(W),
    /// It goes on at once, and so many copies of it go to the end of the queue, for other threads to help with.
    Spread(W, usize),
}

impl<W> Turn<W> {
    /// The same turn, of a task seen as another type.
    #[inline]
    pub(crate) fn map<V>(self, wrap: impl FnOnce(W) -> V) -> Turn<V> {
        match self {
            Self::Done(finished) => Turn::Done(finished),
            Self::Over => Turn::Over,
            Self::Later(task) => Turn::Later(wrap(task)),
            Self::Spread(task, helpers) => Turn::Spread(wrap(task), helpers),
        }
    }
}
