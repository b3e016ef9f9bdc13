//! What the current thread is in the middle of.
//!
//! A thread that runs the application's code may be called back by it. Then it must not run more of it: that would stack callback
//! on callback without end.

use core::cell::RefCell;
use core::marker::PhantomData;

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

/// Marks kept. More take a dozen runtimes or queues that close each other in their callbacks; those count for nothing.
const MOST: usize = 32;

/// Innermost last. Objects by address: they outlive the entry.
struct Marks {
    entries: [(Doing, usize); MOST],
    len: usize,
}

thread_local! {
    /// Without a destructor, so that it is there while the thread's other values are being dropped.
    static HERE: RefCell<Marks> =
        const { RefCell::new(Marks { entries: [(Doing::Driving, 0); MOST], len: 0 }) };
}

/// Marks that this thread does something with an object, until dropped.
pub(crate) struct Here(PhantomData<*const ()>);

impl Here {
    pub(crate) fn mark<T>(doing: Doing, object: &T) -> Self {
        HERE.with_borrow_mut(|marks| {
            if let Some(entry) = marks.entries.get_mut(marks.len) {
                *entry = (doing, address(object));
            }
            marks.len += 1;
        });
        Self(PhantomData)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        HERE.with_borrow_mut(|marks| marks.len -= 1);
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
    HERE.with_borrow(|marks| {
        marks.entries[..marks.len.min(MOST)].iter().filter(|&&entry| wanted(entry)).count()
    })
}

fn address<T>(object: &T) -> usize {
    core::ptr::from_ref(object).addr()
}
