//! The application's code calls back into what called it, in every awkward way.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use super::{Make, file_of, queue_of};
use ds_runtime::{
    CustomError, CustomRequest, Error, ErrorKind, Misuse, Queue, QueueOptions, Request, RequestId,
};

const LONG: Duration = Duration::from_secs(120);

/// Fails rather than hang when something waits for ever.
fn within(what: &str, run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run();
        // The receiver may have given up.
        let _ = done.send(());
    });
    match is_done.recv_timeout(LONG) {
        Ok(()) => thread.join().expect("it has sent its last"),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} waits for ever"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

/// A payload that panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropping what was thrown");
    }
}

/// The callbacks behind it have to be called by someone.
pub(crate) fn a_callback_may_close(make: Make) {
    within("closing in a callback", move || {
        let runtime = make();
        let file = file_of(b"abc");
        for len in [0, 3] {
            let queue = Arc::new(queue_of(&runtime, QueueOptions::default()));
            let (told, tellings) = mpsc::channel();
            let closing = Arc::clone(&queue);
            queue.enqueue_with(Request::read(&file, 0, len), move |_| closing.close()).unwrap();
            for number in 0..20 {
                let told = told.clone();
                queue
                    .enqueue_with(Request::read(&file, 0, len), move |_| told.send(number).unwrap())
                    .unwrap();
            }
            drop(told);
            queue.submit();
            assert_eq!(tellings.iter().count(), 20);
            queue.close();
        }
    });
}

pub(crate) fn a_callback_may_close_another_queue(make: Make) {
    within("closing another queue", move || {
        let runtime = make();
        let file = file_of(b"abc");
        let queue = queue_of(&runtime, QueueOptions::default());
        let other = queue_of(&runtime, QueueOptions::default());
        let (told, tellings) = mpsc::channel();
        // Not even submitted: it is cancelled, and that has to be told.
        other.enqueue_with(Request::read(&file, 0, 3), move |_| told.send(()).unwrap()).unwrap();
        queue.enqueue_with(Request::from_memory(Vec::new()), move |_| drop(other)).unwrap();
        queue.submit();
        queue.close();
        assert_eq!(tellings.iter().count(), 1);
    });
}

/// Whoever submits tells for a while, and is not kept by other queues' endless chains.
pub(crate) fn a_submit_returns(make: Make) {
    fn again(queue: &Arc<Queue>, stop: &Arc<AtomicBool>) {
        if !stop.load(Ordering::SeqCst) {
            let (next, stop) = (Arc::clone(queue), Arc::clone(stop));
            queue.enqueue_with(Request::from_memory(Vec::new()), move |_| again(&next, &stop)).unwrap();
            queue.submit();
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    let runtime = make();
    let endless = Arc::new(queue_of(&runtime, QueueOptions::default()));
    let queue = queue_of(&runtime, QueueOptions::default());
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| again(&endless, &stop));
        let (done, is_done) = mpsc::channel();
        scope.spawn(move || {
            for _ in 0..20 {
                queue.post(Request::from_memory(Vec::new())).unwrap();
                queue.submit();
                std::thread::sleep(Duration::from_millis(1));
            }
            done.send(()).unwrap();
        });
        let returned = is_done.recv_timeout(LONG);
        stop.store(true, Ordering::SeqCst);
        returned.expect("a submit tells another queue's news for ever");
    });
}

pub(crate) fn every_callback_may_close(make: Make) {
    within("closing in every callback", move || {
        let queue = Arc::new(queue_of(&make(), QueueOptions::default().auto_submit(false)));
        let file = file_of(b"abc");
        for len in (0..1000).map(|number| number % 4) {
            let closing = Arc::clone(&queue);
            queue.enqueue_with(Request::read(&file, 0, len), move |_| closing.close()).unwrap();
        }
        queue.submit();
        queue.close();
    });
}

/// Neither can wait for the other's callback to return.
pub(crate) fn callbacks_on_two_threads_may_close(make: Make) {
    within("closing in two callbacks at once", move || {
        let runtime = make();
        let queue = queue_of(&runtime, QueueOptions::default());
        let queue = Arc::new(queue);
        let (begun, has_begun) = mpsc::channel();
        let both = Arc::new(Barrier::new(2));
        let submit = |begun: Option<mpsc::Sender<()>>| {
            let (closing, both) = (Arc::clone(&queue), Arc::clone(&both));
            let close = move |_| {
                begun.map(|begun| begun.send(()));
                both.wait();
                closing.close();
            };
            // Nothing to do for an engine: the thread that submits it is told.
            queue.enqueue_with(Request::from_memory(Vec::new()), close).unwrap();
            queue.submit();
        };
        std::thread::scope(|scope| {
            scope.spawn(|| submit(Some(begun)));
            has_begun.recv().unwrap();
            submit(None);
        });
    });
}

pub(crate) fn a_hook_may_close(make: Make) {
    within("closing in an error hook", move || {
        let runtime = make();
        let slot: Arc<Mutex<Option<Arc<Queue>>>> = Arc::default();
        let to_close = Arc::clone(&slot);
        let options = QueueOptions::default().error_hook(move |_| {
            let queue = to_close.lock().unwrap().take();
            if let Some(queue) = queue {
                queue.close();
            }
        });
        let queue = Arc::new(runtime.queue(options).unwrap());
        *slot.lock().unwrap() = Some(Arc::clone(&queue));
        let file = file_of(b"abc");
        let (told, tellings) = mpsc::channel();
        queue.enqueue_with(Request::read(&file, 0, 10), move |done| told.send(done.result).unwrap()).unwrap();
        queue.submit();
        assert!(tellings.recv().unwrap().is_err());
    });
}

/// Chains of any length: no callback runs on top of another.
pub(crate) fn callbacks_do_not_pile_up(make: Make) {
    const LINKS: u64 = 20_000;
    fn next(queue: &Arc<Queue>, left: u64) {
        if left > 0 {
            let again = Arc::clone(queue);
            let nothing = Request::from_memory(Vec::new());
            queue.enqueue_with(nothing, move |_| next(&again, left - 1)).unwrap();
            queue.submit();
        }
    }
    let runtime = make();
    let queue = Arc::new(queue_of(&runtime, QueueOptions::default()));
    next(&queue, LINKS);
    while queue.stats().succeeded < LINKS {
        queue.wait_all(None).unwrap();
    }

    // Each callback cancels the request behind its own.
    let options = QueueOptions::default().capacity(LINKS as usize).auto_submit(false);
    let queue = Arc::new(queue_of(&runtime, options));
    let file = file_of(b"abc");
    let mut ids = Vec::new();
    let all: Arc<Mutex<Vec<RequestId>>> = Arc::default();
    for number in 0..LINKS as usize {
        let (again, all) = (Arc::clone(&queue), Arc::clone(&all));
        let cancel_next = move |_| {
            let next = all.lock().unwrap().get(number + 1).copied();
            next.map(|next| again.cancel(next));
        };
        ids.push(queue.enqueue_with(Request::read(&file, 0, 3), cancel_next).unwrap());
    }
    let first = ids[0];
    *all.lock().unwrap() = ids;
    queue.cancel(first);
    queue.close();
    assert_eq!(queue.stats().cancelled, LINKS);
}

/// A queue that a thread's local storage owns ends with the thread, when other locals are gone.
pub(crate) fn a_queue_may_be_thread_local(make: Make) {
    thread_local! {
        static QUEUE: RefCell<Option<Queue>> = const { RefCell::new(None) };
    }
    std::thread::spawn(move || {
        // Before the runtime's own locals, so that it is dropped after them.
        QUEUE.with(|slot| {
            let queue = queue_of(&make(), QueueOptions::default());
            let file = file_of(b"abc");
            assert_eq!(queue.enqueue(Request::read(&file, 0, 3)).unwrap().wait().buffer, b"abc");
            queue.enqueue_with(Request::read(&file, 0, 3), |_| {}).unwrap();
            *slot.borrow_mut() = Some(queue);
        });
    })
    .join()
    .unwrap();
}

/// Even then a thread knows which callbacks it is in.
pub(crate) fn an_ending_thread_may_close_in_a_callback(make: Make) {
    struct AtEnd(Arc<Queue>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let closing = Arc::clone(&self.0);
            self.0.enqueue_with(Request::from_memory(Vec::new()), move |_| closing.close()).unwrap();
            self.0.submit();
        }
    }
    thread_local! {
        static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }
    within("closing at a thread's end", move || {
        let queue = Arc::new(queue_of(&make(), QueueOptions::default()));
        let ending = std::thread::spawn(move || {
            AT_END.with(|slot| *slot.borrow_mut() = Some(AtEnd(Arc::clone(&queue))));
            queue.post(Request::from_memory(Vec::new())).unwrap();
            queue.submit();
        });
        ending.join().unwrap();
    });
}

pub(crate) fn what_is_thrown_may_panic_again(make: Make) {
    let runtime = make();
    let queue = queue_of(&runtime, QueueOptions::default());
    let file = file_of(b"abc");
    for _ in 0..3 {
        queue.enqueue_with(Request::read(&file, 0, 3), |_| std::panic::panic_any(Bomb)).unwrap();
        queue.enqueue_with(Request::read(&file, 0, 0), |_| std::panic::panic_any(Bomb)).unwrap();
    }
    queue.wait_all(None).unwrap();
    queue.close();

    let hook = |_: &_| std::panic::panic_any(Bomb);
    let queue = runtime.queue(QueueOptions::default().error_hook(hook)).unwrap();
    let done = queue.enqueue(Request::read(&file, 0, 300)).unwrap().wait();
    assert!(done.result.is_err());
}

/// A scope's buffers are lent until its requests have ended, also when its body fails, or panics.
pub(crate) fn a_failed_scope_waits(make: Make) {
    let runtime = make();
    let queue = queue_of(&runtime, QueueOptions::default());
    let file = file_of(b"abcdefgh");
    for panics in [false, true] {
        let mut buffer = [0; 8];
        let written = AtomicBool::new(false);
        let (hand_over, jobs) = mpsc::channel::<CustomRequest>();
        std::thread::scope(|threads| {
            let written = &written;
            threads.spawn(move || {
                let mut job = jobs.recv().unwrap();
                // Time for the scope to end too early.
                std::thread::sleep(Duration::from_millis(50));
                job.output().fill(7);
                written.store(true, Ordering::SeqCst);
                job.finish(Err(CustomError(1)));
            });
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                queue.scope(|scope| {
                    let request = Request::read(&file, 0, 8).custom(250, 8);
                    let _unwaited = scope.request(request, &mut buffer)?;
                    queue.wait_custom(None).unwrap();
                    hand_over.send(queue.take_custom(1).pop().unwrap()).unwrap();
                    assert!(!panics, "on purpose");
                    Err::<(), Error>(Misuse::AccessMode.into())
                })
            }));
            assert!(written.load(Ordering::SeqCst), "the scope ended before its request");
            assert_eq!(ended.is_err(), panics);
        });
        assert_eq!(buffer, [7; 8]);
    }
}

/// What only the application can move on, nobody waits for.
pub(crate) fn custom_requests_make_no_room_by_themselves(make: Make) {
    within("enqueueing behind a custom request", move || {
        let queue = queue_of(&make(), QueueOptions::default().capacity(1));
        let file = file_of(b"abc");
        let ticket = queue.enqueue(Request::read(&file, 0, 3).custom(250, 3)).unwrap();
        queue.wait_custom(None).unwrap();
        let full = ErrorKind::QueueFull { capacity: 1 };
        assert_eq!(queue.enqueue(Request::read(&file, 0, 3)).unwrap_err().error.kind, full);
        let mut jobs = queue.take_custom(1);
        assert_eq!(queue.enqueue(Request::read(&file, 0, 3)).unwrap_err().error.kind, full);
        let mut job = jobs.pop().unwrap();
        let (input, output) = job.parts();
        output.copy_from_slice(input);
        job.finish(Ok(()));
        assert_eq!(ticket.wait().check().unwrap().buffer, b"abc");
    });
}

/// Hooks and callbacks are over when `close` returns.
pub(crate) fn closing_waits_for_what_is_told(make: Make) {
    let runtime = make();
    let file = file_of(b"abc");
    for hook in [false, true] {
        let (begun, has_begun) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let slow = {
            let over = Arc::clone(&over);
            move || {
                begun.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(50));
                over.store(true, Ordering::SeqCst);
            }
        };
        let queue = if hook {
            let slow = Mutex::new(slow);
            let queue =
                runtime.queue(QueueOptions::default().error_hook(move |_| slow.lock().unwrap()())).unwrap();
            queue.post(Request::read(&file, 0, 300)).unwrap();
            queue
        } else {
            let queue = queue_of(&runtime, QueueOptions::default());
            queue.enqueue_with(Request::read(&file, 0, 3), move |_| slow()).unwrap();
            queue
        };
        std::thread::scope(|scope| {
            scope.spawn(|| queue.submit());
            has_begun.recv_timeout(LONG).unwrap();
            queue.close();
            assert!(over.load(Ordering::SeqCst), "closed, and told later");
        });
    }
}
