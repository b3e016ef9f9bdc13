//! What the current thread is in the middle of.
//!
//! A thread that serves the application's code may be called back by it. Then it must not serve more: that would stack callback
//! on callback without end, and a lock-free place to do so may be long in coming.

use core::cell::RefCell;

/// Something a thread can be in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Driving a runtime, or telling the application of its news.
    Driving,
    /// Calling the application on behalf of a queue.
    Calling,
    /// Waiting, in such a call, for the queue to come to its end.
    Closing,
}

thread_local! {
    /// Innermost last. Objects by address: they outlive the entry.
    static HERE: RefCell<Vec<(Doing, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Marks that this thread does something with an object, until dropped.
pub(crate) struct Here;

impl Here {
    /// `None` when the thread is ending and its marks are gone already: its thread-local values are being dropped.
    pub(crate) fn mark<T>(doing: Doing, object: &T) -> Option<Self> {
        HERE.try_with(|here| here.borrow_mut().push((doing, address(object)))).ok().map(|()| Self)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let _ = HERE.try_with(|here| here.borrow_mut().pop());
    }
}

/// How many times this thread is doing that with this object.
pub(crate) fn times<T>(doing: Doing, object: &T) -> usize {
    count(|entry| entry == (doing, address(object)))
}

/// Whether this thread is in any call of the application's, for whichever queue.
pub(crate) fn in_a_call() -> bool {
    count(|(doing, _)| doing == Doing::Calling) > 0
}

fn count(mut wanted: impl FnMut((Doing, usize)) -> bool) -> usize {
    HERE.try_with(|here| here.borrow().iter().filter(|&&entry| wanted(entry)).count()).unwrap_or_default()
}

fn address<T>(object: &T) -> usize {
    core::ptr::from_ref(object).addr()
}
