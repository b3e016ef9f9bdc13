//! No thread ends while a device does.
//!
//! A thread that has called a driver leaves something with it, which the driver puts away when the thread ends. NVIDIA's 580.159.04
//! holds a lock of its own while it does, and then takes another one, which `vkDestroyDevice` holds; and that waits for a thread of
//! the driver's to end, which wants the first. None of the three comes to an end, whatever devices they are about. So what ends waits
//! here for what ends: threads that have called a driver through this crate, and devices of ours.
//!
//! The GNU C library puts a thread away in this order: destructors of thread-local variables, then those of keys
//! (`pthread_key_create`), in rounds, as long as a destructor sets its key anew, four at least. The driver's is one of a key. A
//! thread counts as ending from a variable's destructor on, until a key's was called in the third round.

use core::cell::Cell;
use core::ffi::c_void;
use core::time::Duration;
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::Instant;

use ds_engine::lock::{lock, wait, wait_timeout};

/// In which round of destructors a thread is taken to be through with the driver's.
const LAST_ROUND: usize = 3;

/// How long a device waits for threads, whose ends take microseconds. One may be held up by another destructor, which may even want
/// what whoever destroys the device holds.
const FOR_THREADS: Duration = Duration::from_secs(1);

/// How long a thread waits for devices, whose ends take some milliseconds each, unless the driver hangs.
const FOR_DEVICES: Duration = Duration::from_secs(10);

static ENDS: Ends = Ends { now: Mutex::new(Now { threads: 0, device: false }), changed: Condvar::new() };

struct Ends {
    now: Mutex<Now>,
    changed: Condvar,
}

/// What is ending.
struct Now {
    threads: usize,
    device: bool,
}

/// A key with [`round`] for its destructor; `None` if the process has no more keys, and goes without all this.
static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// What becomes of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It has not called a driver.
    Unknown,
    /// Its end is seen.
    Known,
    /// It counts as ending.
    Ending,
    /// Its end is not seen, or it has been.
    Unseen,
}

thread_local! {
    static LIFE: Cell<Life> = const { Cell::new(Life::Unknown) };
    static END: End = const { End };
}

/// Ends with its thread.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        ENDS.thread_begins();
        LIFE.set(Life::Ending);
        if !again(1) {
            over();
        }
    }
}

/// The thread is about to call a driver.
pub(crate) fn note() {
    if LIFE.get() == Life::Unknown {
        // The main thread's end is the process's, and runs no destructors of keys.
        // SAFETY: asks a number of the system.
        let main = unsafe { libc::gettid() } == std::process::id().cast_signed();
        let key = *KEY.get_or_init(|| {
            let mut key = 0;
            // SAFETY: `key` is there to be written; the destructor stays in memory as the key does.
            (unsafe { libc::pthread_key_create(&mut key, Some(round)) } == 0).then_some(key)
        });
        // A thread that is at its keys may have no variables any more.
        let seen = !main && key.is_some() && END.try_with(|_| ()).is_ok();
        LIFE.set(if seen { Life::Known } else { Life::Unseen });
    }
}

/// Destroys a device, while no thread ends.
pub(super) fn while_none_ends(destroy: impl FnOnce()) {
    let ending = LIFE.get() == Life::Ending;
    if ending {
        // It is here, and not with the driver.
        ENDS.thread_is_through();
    }
    let device = ENDS.device_begins();
    destroy();
    drop(device);
    if ending {
        ENDS.thread_begins();
    }
}

extern "C" fn round(value: *mut c_void) {
    let round = value.addr();
    if round >= LAST_ROUND || !again(round + 1) {
        over();
    }
}

/// Has [`round`] called as this thread goes on to end; false if that cannot be.
fn again(next: usize) -> bool {
    let Some(&Some(key)) = KEY.get() else { return false };
    // SAFETY: the key is there for good, and its destructor takes a number for a pointer.
    unsafe { libc::pthread_setspecific(key, core::ptr::without_provenance(next)) == 0 }
}

/// This thread is through with the driver.
fn over() {
    LIFE.set(Life::Unseen);
    ENDS.thread_is_through();
}

impl Ends {
    fn thread_begins(&self) {
        let begin = Instant::now();
        let mut now = lock(&self.now);
        while now.device && begin.elapsed() < FOR_DEVICES {
            now = wait_timeout(&self.changed, now, FOR_DEVICES).0;
        }
        now.threads += 1;
    }

    fn thread_is_through(&self) {
        lock(&self.now).threads -= 1;
        self.changed.notify_all();
    }

    fn device_begins(&self) -> Device<'_> {
        let mut now = lock(&self.now);
        while now.device {
            now = wait(&self.changed, now);
        }
        // Threads that are to begin wait from here on.
        now.device = true;
        let device = Device(self);
        let begin = Instant::now();
        while now.threads > 0 && begin.elapsed() < FOR_THREADS {
            now = wait_timeout(&self.changed, now, FOR_THREADS).0;
        }
        device
    }
}

/// One that ends.
struct Device<'a>(&'a Ends);

impl Drop for Device<'_> {
    fn drop(&mut self) {
        lock(&self.0.now).device = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, Ordering};
    use core::time::Duration;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    /// Long enough for a thread to end, if nothing keeps it.
    const A_WHILE: Duration = Duration::from_millis(100);

    /// What a thread leaves with a driver: told when it is put away, which takes until it may.
    struct Left {
        put_away: Sender<()>,
        may: Receiver<()>,
    }

    extern "C" fn put_away(left: *mut c_void) {
        // SAFETY: leaked by `leave`, for this call alone.
        let left = unsafe { Box::from_raw(left.cast::<Left>()) };
        left.put_away.send(()).unwrap();
        let _ = left.may.recv();
    }

    /// A thread that has called a driver, and what the driver does as it ends.
    fn leave(left: Left) -> thread::JoinHandle<()> {
        static DRIVERS: OnceLock<libc::pthread_key_t> = OnceLock::new();
        let key = *DRIVERS.get_or_init(|| {
            let mut key = 0;
            // SAFETY: `key` is there to be written; a test's function stays in memory.
            assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(put_away)) }, 0);
            key
        });
        thread::spawn(move || {
            note();
            let left = Box::into_raw(Box::new(left)).cast();
            // SAFETY: the destructor takes what is set here.
            assert_eq!(unsafe { libc::pthread_setspecific(key, left) }, 0);
        })
    }

    /// Of two that end, the second waits for the first.
    #[test]
    fn threads_and_devices_end_one_after_the_other() {
        // A thread that is about to end waits for the device.
        let ((put_away, away), (may, allowed)) = (channel(), channel());
        may.send(()).unwrap();
        while_none_ends(|| {
            let ending = leave(Left { put_away, may: allowed });
            assert!(away.recv_timeout(A_WHILE).is_err(), "a thread has ended beside a device");
            drop(ending);
        });
        away.recv().unwrap();

        // A device waits for a thread that is about to end.
        let ((put_away, away), (may, allowed)) = (channel(), channel());
        let ending = leave(Left { put_away, may: allowed });
        away.recv().unwrap();
        let destroyed = AtomicBool::new(false);
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| while_none_ends(|| destroyed.store(true, Ordering::SeqCst)));
            thread::sleep(A_WHILE);
            let beside = destroyed.load(Ordering::SeqCst);
            assert!(!beside || begun.elapsed() >= FOR_THREADS, "a device has ended beside a thread");
            may.send(()).unwrap();
        });
        ending.join().unwrap();
        assert!(destroyed.into_inner());
    }

    #[test]
    fn a_thread_that_does_not_end_is_not_waited_for_without_end() {
        let ((put_away, away), (may, allowed)) = (channel(), channel());
        let ending = leave(Left { put_away, may: allowed });
        away.recv().unwrap();
        let mut destroyed = false;
        while_none_ends(|| destroyed = true);
        assert!(destroyed);
        may.send(()).unwrap();
        ending.join().unwrap();
    }

    /// Destroys a device as its thread ends.
    struct Late(Sender<()>);

    impl Drop for Late {
        fn drop(&mut self) {
            while_none_ends(|| self.0.send(()).unwrap());
        }
    }

    #[test]
    fn threads_that_end_may_destroy_devices() {
        thread_local! {
            static LATE: Cell<Option<Late>> = const { Cell::new(None) };
        }
        let (sender, destroyed) = channel();
        for known_first in [true, false].repeat(8) {
            let late = Late(sender.clone());
            thread::spawn(move || {
                if known_first {
                    note();
                }
                LATE.set(Some(late));
                note();
            });
        }
        drop(sender);
        assert_eq!(destroyed.iter().count(), 16);
    }
}
