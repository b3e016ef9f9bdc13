//! Something that many threads use and that is taken away from them, without a lock.
//!
//! Those who use it are counted, in the word that says whether it is there. So of them and of whoever takes it away the last one
//! drops it, and nobody waits. `wire::model` tries every interleaving.

use core::fmt;

#[cfg(not(all(test, loom)))]
use {
    cell::UnsafeCell,
    core::sync::atomic::{AtomicU32, Ordering},
};
#[cfg(all(test, loom))]
use {
    loom::cell::UnsafeCell,
    loom::sync::atomic::{AtomicU32, Ordering},
};

/// It is there, for whoever comes.
const HERE: u32 = 1 << 31;
/// Somebody brings it, or has.
const BROUGHT: u32 = 1 << 30;
/// The rest of the word: those who use it.
const USERS: u32 = BROUGHT - 1;

/// A place for something that is brought once and taken away once.
pub(crate) struct Wire<T> {
    state: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: many threads refer to the value, so it is `Sync`, and any of them may drop it, so it is `Send`. It is written by the
// one who brings it, before anybody is told, and by the one who finds, in one step, that it is gone and nobody uses it.
unsafe impl<T: Send + Sync> Sync for Wire<T> {}

impl<T> Wire<T> {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(0), value: UnsafeCell::new(None) }
    }

    /// Brings it. What is brought after the first is dropped.
    pub(crate) fn connect(&self, value: T) {
        if self.state.fetch_or(BROUGHT, Ordering::Relaxed) & BROUGHT != 0 {
            return;
        }
        self.value.with_mut(|place| {
            // SAFETY: nobody refers to the value before the word says that it is there, and nobody else brings it.
            unsafe { *place = Some(value) };
        });
        self.state.fetch_or(HERE, Ordering::Release);
    }

    /// Uses it, if it is there.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&T) -> R) -> Option<R> {
        let come = |state: u32| (state & HERE != 0).then(|| state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, come).ok()?;
        let _user = User(self);
        self.value.with(|value| {
            // SAFETY: it was there when this thread was counted, and stays until nobody is.
            let value = unsafe { &*value };
            value.as_ref().map(run)
        })
    }

    /// Takes it away: nobody uses it from now on but those who do already, and the last of them drops it.
    pub(crate) fn disconnect(&self) {
        if self.state.fetch_and(!HERE, Ordering::AcqRel) & (HERE | USERS) == HERE {
            self.clear();
        }
    }

    /// Drops it. For the one who has found that it is gone and nobody uses it.
    fn clear(&self) {
        self.value.with_mut(|place| {
            // SAFETY: it is not there for anybody to come, nobody uses it, and there is one who finds that.
            let value = unsafe { &mut *place }.take();
            drop(value);
        });
    }
}

/// Somebody who uses it.
struct User<'a, T>(&'a Wire<T>);

impl<T> Drop for User<'_, T> {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, Ordering::AcqRel) & (HERE | USERS) == 1 {
            self.0.clear();
        }
    }
}

impl<T> fmt::Debug for Wire<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// As loom's.
#[cfg(not(all(test, loom)))]
mod cell {
    pub(super) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        pub(super) fn with<R>(&self, run: impl FnOnce(*const T) -> R) -> R {
            run(self.0.get())
        }

        pub(super) fn with_mut<R>(&self, run: impl FnOnce(*mut T) -> R) -> R {
            run(self.0.get())
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn it_is_there_from_when_it_is_brought_until_it_is_taken_away() {
        let (wire, value) = (Wire::new(), Arc::new(7));
        assert_eq!(wire.with(|_: &Arc<i32>| ()), None);
        wire.connect(Arc::clone(&value));
        wire.connect(Arc::new(8));
        assert_eq!(wire.with(|value| **value), Some(7));
        wire.disconnect();
        assert_eq!((wire.with(|_| ()), Arc::strong_count(&value)), (None, 1));
        wire.disconnect();
        wire.connect(Arc::new(9));
        assert_eq!(wire.with(|_| ()), None, "once is once");
    }

    #[test]
    fn who_uses_it_keeps_it() {
        let (wire, value) = (Wire::new(), Arc::new(7));
        wire.connect(Arc::clone(&value));
        wire.with(|_| {
            wire.disconnect();
            assert_eq!((wire.with(|_| ()), Arc::strong_count(&value)), (None, 2));
        });
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

/// `cargo xtask test --only loom`
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    /// A descriptor: to be used while it is open, and closed once.
    struct Descriptor(Arc<AtomicBool>);

    impl Descriptor {
        fn send(&self) {
            assert!(self.0.load(Ordering::Relaxed), "it is another file's by now");
        }
    }

    impl Drop for Descriptor {
        fn drop(&mut self) {
            assert!(self.0.swap(false, Ordering::Relaxed), "it is closed twice");
        }
    }

    /// So many threads strike while another one brings a descriptor, perhaps, and takes it away again.
    fn explore(strikers: usize, strikes: usize, brought_before: bool) {
        loom::model(move || {
            let (wire, open) = (Arc::new(Wire::new()), Arc::new(AtomicBool::new(true)));
            let descriptor = Descriptor(Arc::clone(&open));
            let mut descriptor = Some(descriptor);
            if brought_before {
                wire.connect(descriptor.take().unwrap());
            }
            let strikers: Vec<_> = (0..strikers)
                .map(|_| {
                    let wire = Arc::clone(&wire);
                    thread::spawn(move || {
                        for _ in 0..strikes {
                            wire.with(Descriptor::send);
                        }
                    })
                })
                .collect();
            if let Some(descriptor) = descriptor {
                wire.connect(descriptor);
            }
            wire.disconnect();
            strikers.into_iter().for_each(|striker| striker.join().unwrap());
            assert!(!open.load(Ordering::Relaxed), "it is closed, whoever was last");
            assert!(wire.with(Descriptor::send).is_none());
        });
    }

    #[test]
    fn a_descriptor_is_closed_once_and_when_nobody_uses_it() {
        explore(2, 1, true);
        explore(1, 2, true);
    }

    #[test]
    fn a_descriptor_is_used_when_it_is_there() {
        explore(1, 2, false);
    }
}
